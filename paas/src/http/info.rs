//! The server itself: ping, info, leader, metrics.

use attica_paas_api::info::{HttpSettings, Info, Leader};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};

use super::compression::weighed;
use super::service::{Leading, Service};
use super::{answer, metrics};

pub(super) fn ping(headers: &HeaderMap) -> Response {
    match preferred(headers, &[TEXT, HTML, JSON]) {
        Some(JSON) => answer::rendered(StatusCode::OK, r#""pong""#),
        Some(media) => ([(header::CONTENT_TYPE, format!("{media};charset=utf-8"))], "pong").into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

const TEXT: &str = "text/plain";
const HTML: &str = "text/html";
const JSON: &str = "application/json";

/// Which of these media types a client likes best: of two that it likes alike the first, none when it takes none of them. What it says
/// of a type itself goes before what it says of all of that kind, and that before what it says of any.
fn preferred<'a>(headers: &HeaderMap, offered: &[&'a str]) -> Option<&'a str> {
    let lists = headers.get_all(header::ACCEPT).iter().filter_map(|list| list.to_str().ok());
    let ranges: Vec<(&str, f32)> = lists.flat_map(|list| list.split(',')).map(weighed).collect();
    if ranges.is_empty() {
        return offered.first().copied();
    }
    let said = |wanted: &str| {
        let range = ranges.iter().find(|(range, _)| range.eq_ignore_ascii_case(wanted));
        range.map(|(_, quality)| *quality)
    };
    let quality = |media: &str| {
        let kind = media.split('/').next().unwrap_or_default();
        said(media).or_else(|| said(&format!("{kind}/*"))).or_else(|| said("*/*")).unwrap_or(0.0)
    };
    let mut best = None;
    for (media, quality) in offered.iter().map(|media| (*media, quality(media))) {
        if quality > best.map_or(0.0, |(_, best)| best) {
            best = Some((media, quality));
        }
    }
    best.map(|(media, _)| media)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_what_it_likes_best() {
        for (accept, expected) in [
            (None, Some(TEXT)),
            (Some("*/*"), Some(TEXT)),
            (Some("text/*"), Some(TEXT)),
            (Some("text/html"), Some(HTML)),
            (Some("Application/JSON"), Some(JSON)),
            (Some("text/plain;q=0.1, application/json"), Some(JSON)),
            (Some("text/html;q=0.5, application/json;q=0.4, */*;q=0.1"), Some(HTML)),
            (Some("text/*;q=0.2, text/html;q=0.9"), Some(HTML)),
            (Some("text/plain;q=0, text/*"), Some(HTML)),
            (Some("*/*, text/*;q=0"), Some(JSON)),
            (Some("image/png"), None),
            (Some("application/json;q=0"), None),
        ] {
            let headers = accept.map(|accept| (header::ACCEPT, accept.parse().unwrap()));
            let headers: HeaderMap = headers.into_iter().collect();
            assert_eq!(preferred(&headers, &[TEXT, HTML, JSON]), expected, "{accept:?}");
        }
    }
}
