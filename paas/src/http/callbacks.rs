//! `/v2/eventSubscriptions`: where events are posted to.

use std::time::SystemTime;

use attica_core_api::Timestamp;
use attica_paas_api::callback::{CallbackChange, CallbackError, CallbackList, CallbackSettings, CallbackStanding};
use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode};

use super::answer::document;
use super::service::{Leading, Service};
use super::writes::{Asked, answer, client_ip, unexpected};
use super::{body, refusal};
use crate::callbacks::Standing;
use crate::engine::{Reply, Write};
use crate::events::EventId;
use crate::model::{CallbackSecret, CallbackUrl, rfc3339};
use crate::validate::Faults;

/// GET of all.
pub(super) fn list(leading: &Leading) -> Response {
    let newest = leading.model.position();
    let callbacks: Vec<CallbackStanding> = leading
        .callbacks
        .standings()
        .into_iter()
        .map(|(url, Standing { waiting, last_error })| CallbackStanding {
            url: url.to_string(),
            behind: waiting.map_or(0, |(event, _)| (newest.0 - event.fact().0 + 1).max(1)),
            waiting_since: waiting.map(|(_, since)| rfc3339(since)),
            last_error: last_error.map(|(message, at)| CallbackError { message, timestamp: rfc3339(at) }),
        })
        .collect();
    let callback_urls = callbacks.iter().map(|callback| callback.url.clone()).collect();
    document(StatusCode::OK, &CallbackList { callback_urls, callbacks })
}

/// POST of one, from the next event on.
pub(super) async fn add(service: &Service, leading: &Leading, request: Request<Body>) -> Response {
    let (asked, client_ip) = (Asked::of(&request), client_ip(&request));
    let settings: CallbackSettings = match body::optional(request.into_body()).await {
        Ok(settings) => settings.unwrap_or_default(),
        Err(refused) => return refused,
    };
    let mut faults = Faults::default();
    let url = url(&asked).map_err(|more| faults.append(more)).ok();
    if url.as_ref().is_some_and(|url| url.is_encrypted() && service.callback_security.scheme() != "https") {
        faults.add("/callbackUrl", "https needs the authorities that are believed: --tls-ca-file");
    }
    let secret = settings.secret.as_deref().map(CallbackSecret::parse).transpose();
    let secret = secret.map_err(|error| faults.add("/secret", error.to_string())).ok().flatten();
    let url = match faults.into_result(url) {
        Ok(Some(url)) => url,
        Ok(None) => unreachable!("what is no URL is a fault"),
        Err(faults) => return refusal::invalid(faults),
    };
    let position = EventId::end_of(leading.model.position()).number();
    let write = Write::AddCallback { url: url.clone(), secret, position };
    answer(service.write(leading, write, asked).await, |reply| changed(&reply, "subscribe_event", client_ip, &url))
}

/// DELETE of one.
pub(super) async fn remove(service: &Service, leading: &Leading, asked: Asked) -> Response {
    let url = match url(&asked) {
        Ok(url) => url,
        Err(faults) => return refusal::invalid(faults),
    };
    let client_ip = asked.origin.client_ip.clone();
    let write = Write::RemoveCallback { url: url.clone() };
    answer(service.write(leading, write, asked).await, |reply| changed(&reply, "unsubscribe_event", client_ip, &url))
}

fn url(asked: &Asked) -> Result<CallbackUrl, Faults> {
    let written = asked.query.first("callbackUrl").ok_or_else(|| Faults::one("/callbackUrl", "error.path.missing"))?;
    CallbackUrl::parse(written).map_err(|error| Faults::one("/callbackUrl", error.to_string()))
}

fn changed(reply: &Reply, event_type: &str, client_ip: String, url: &CallbackUrl) -> Response {
    match reply {
        Reply::Done => document(
            StatusCode::OK,
            &CallbackChange {
                client_ip,
                callback_url: url.to_string(),
                event_type: event_type.to_owned(),
                timestamp: rfc3339(Timestamp::from(SystemTime::now())),
            },
        ),
        Reply::Deployed { .. } | Reply::Killed(_) | Reply::Planned(_) | Reply::Cancelled => unexpected(),
    }
}
