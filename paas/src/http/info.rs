//! The server itself: ping, info, leader, metrics.

use attica_paas_api::info::{HttpSettings, Info, Leader};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};

use super::service::{Leading, Service};
use super::{answer, metrics};

pub(super) fn ping(headers: &HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or("*/*");
    let accepts = |media: &str| accept.contains(media);
    if accepts("*/*") || accepts("text/plain") || accepts("text/*") {
        ([(header::CONTENT_TYPE, "text/plain;charset=utf-8")], "pong").into_response()
    } else if accepts("text/html") {
        ([(header::CONTENT_TYPE, "text/html;charset=utf-8")], "pong").into_response()
    } else if accepts("application/json") {
        answer::rendered(StatusCode::OK, r#""pong""#)
    } else {
        StatusCode::NO_CONTENT.into_response()
    }
}

pub(super) fn info(service: &Service, leading: &Leading) -> Response {
    let port = service.address.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default();
    let info = Info {
        name: service.configuration.settings.framework_name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        buildref: option_env!("ATTICA_BUILD_REF").unwrap_or("unknown").to_owned(),
        elected: true,
        leader: Some(service.address.clone()),
        framework_id: leading.model.framework_id().map(|id| id.to_string()),
        settings: service.configuration.settings.clone(),
        zookeeper: service.configuration.zookeeper.clone(),
        http_config: HttpSettings { http_port: port },
    };
    answer::document(StatusCode::OK, &info)
}

pub(super) fn leader(service: &Service) -> Response {
    answer::document(StatusCode::OK, &Leader { leader: service.address.clone() })
}

pub(super) fn metrics(service: &Service, leading: &Leading) -> Response {
    answer::document(StatusCode::OK, &metrics::json(&service.metrics.sample(leading)))
}

pub(super) fn prometheus_metrics(service: &Service, leading: &Leading) -> Response {
    let text = metrics::prometheus(&service.metrics.sample(leading));
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
