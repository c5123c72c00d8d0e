//! The way in: who asks is found out before anything else, as in Mesos.

use attica_core_api::auth::{Action, Challenge, Object};
use attica_core_api::http::guard::Guard;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

use super::answer::{Rejection, plain};
use super::table::{Needs, Route, Rule};

/// Mesos's words to a token that names nobody.
const NAMELESS: &str = "The request's authenticated principal contains claims, but no value string. The master currently \
                        requires that principals have a value";

/// Notes on the request who asks ([`Viewer::of`](attica_core_api::auth::Viewer::of)), or gives the answer to somebody who may not come in.
pub(super) fn refusal(guard: &Guard, route: &Route, request: &mut Request) -> Option<Response> {
    let viewer = match guard.admit(route.needs.realm(), request) {
        Ok(viewer) => viewer,
        Err(challenge) => return Some(unauthorized(challenge)),
    };
    if needs_name(route.needs) && viewer.principal().is_some_and(|principal| principal.name().is_none()) {
        return Some(plain(StatusCode::FORBIDDEN, NAMELESS));
    }
    let allowed = match route.rule {
        Rule::None => true,
        Rule::Path => viewer.may(Action::GetEndpoint, Object::Value(&route.pattern())),
        Rule::Action(action) => viewer.may(action, Object::Any),
    };
    if !allowed {
        return Some(forbidden().into_response());
    }
    request.extensions_mut().insert(viewer);
    None
}

/// Who acts has a name: what is registered and reserved keeps it.
fn needs_name(needs: Needs) -> bool {
    match needs {
        Needs::ReadWrite | Needs::Scheduler => true,
        Needs::Nothing | Needs::ReadOnly | Needs::Agent => false,
    }
}

/// 403 without a reason, as Mesos has it.
pub(super) fn forbidden() -> Rejection {
    Rejection::Invalid { status: StatusCode::FORBIDDEN, text: "403 Forbidden.".to_owned() }
}

fn unauthorized(challenge: Challenge) -> Response {
    let mut response = plain(StatusCode::UNAUTHORIZED, challenge.body);
    if let Ok(value) = HeaderValue::try_from(challenge.header) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}
