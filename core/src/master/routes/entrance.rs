//! The way in: who asks is found out before anything else, as in Mesos.

use attica_core_api::auth::{Action, Challenge, Object};
use attica_core_api::http::guard::Guard;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

use super::answer::{Rejection, plain};
use super::table::{Endpoint, Needs, Route};

/// Mesos's words to a token that names nobody.
const NAMELESS: &str = "The request's authenticated principal contains claims, but no value string. The master currently \
                        requires that principals have a value";

/// The paths that rules about endpoints can name, of those that a master has.
const RULED: [&str; 3] = ["/metrics/snapshot", "/logging/toggle", "/files/debug"];

/// Notes on the request who asks ([`Viewer::of`](attica_core_api::auth::Viewer::of)), or gives the answer to somebody who may not come in.
pub(super) fn refusal(guard: &Guard, route: &Route, request: &mut Request) -> Option<Response> {
    let viewer = match guard.admit(route.needs.realm(), request) {
        Ok(viewer) => viewer,
        Err(challenge) => return Some(unauthorized(challenge)),
    };
    if needs_name(route.needs) && viewer.principal().is_some_and(|principal| principal.name().is_none()) {
        return Some(plain(StatusCode::FORBIDDEN, NAMELESS));
    }
    if needed(route.endpoint).is_some_and(|action| !viewer.may(action, Object::Any)) {
        return Some(forbidden().into_response());
    }
    let path = route.pattern();
    if RULED.contains(&path.as_str()) && !viewer.may(Action::GetEndpoint, Object::Value(&path)) {
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

/// What has to be allowed whoever answers. What only the leader can judge is judged there.
fn needed(endpoint: Endpoint) -> Option<Action> {
    match endpoint {
        Endpoint::Flags => Some(Action::ViewFlags),
        // The only files of a master are its logs.
        Endpoint::FilesBrowse | Endpoint::FilesRead | Endpoint::FilesDownload => Some(Action::AccessMesosLog),
        Endpoint::Scheduler
        | Endpoint::Agent
        | Endpoint::Operator
        | Endpoint::State
        | Endpoint::Slaves
        | Endpoint::Frameworks
        | Endpoint::Tasks
        | Endpoint::StateSummary
        | Endpoint::Roles
        | Endpoint::Weights
        | Endpoint::Quota
        | Endpoint::MaintenanceSchedule
        | Endpoint::MaintenanceStatus
        | Endpoint::MachineDown
        | Endpoint::MachineUp
        | Endpoint::Reserve
        | Endpoint::Unreserve
        | Endpoint::CreateVolumes
        | Endpoint::DestroyVolumes
        | Endpoint::Teardown
        | Endpoint::Redirect
        | Endpoint::MetricsSnapshot
        | Endpoint::Metrics
        | Endpoint::Version
        | Endpoint::Health
        | Endpoint::LoggingToggle
        | Endpoint::FilesDebug
        | Endpoint::SystemStats
        | Endpoint::Help => None,
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
