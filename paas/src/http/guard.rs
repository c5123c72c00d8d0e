//! Whether a request may be served: the rule of its call, applied to who asks.

use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use attica_core_api::http::PeerAddress;
use attica_paas_api::operations::{OPERATIONS, Operation};
use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, Method, Request, StatusCode, header};
use http_body::Body as _;

use super::answer;
use super::query::Query;
use super::route::{Route, route};
use super::sign_in::Proven;
use crate::access::{Caller, Lacking, Permission, Rule};
use crate::model::{GroupId, InvalidId, TaskIdentity};
use crate::validate::Faults;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Longer addresses are not kept.
const ADDRESS_MAX: usize = 128;

/// What the description says of each call.
static CALLS: LazyLock<HashMap<Discriminant<Route>, &Operation>> = LazyLock::new(|| {
    let described = OPERATIONS.iter().filter_map(|operation| {
        let method = Method::from_bytes(operation.method.as_bytes()).ok()?;
        // The names of parameters do for ids.
        let path = operation.path.replace(['{', '}'], "");
        Some((discriminant(&route(&method, &path).ok()?), operation))
    });
    described.collect()
});

/// What a call asks of its caller. One that is not described is for admins.
pub(super) fn rule(route: &Route) -> Rule {
    CALLS.get(&discriminant(route)).map_or(Rule::OnRoot(Permission::Admin), |call| call.rule)
}

/// Whether a request that is to be tried dry can be: it is not done in earnest because that went unheard.
///
/// # Errors
/// What is wrong with it.
pub(super) fn judge_dry_run(route: &Route, request: &Request<Body>) -> Result<(), Faults> {
    let query = Query::of(request.uri());
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let Some(written) = query.first("dryRun").filter(|_| !reads) else { return Ok(()) };
    // The leader has nothing to foretell of stepping down alone.
    let alone = *route == Route::Abdicate && query.first("restore").is_none();
    let foresees = !alone && CALLS.get(&discriminant(route)).is_some_and(|call| call.foresees());
    let text = match written.to_ascii_lowercase().as_str() {
        "false" => return Ok(()),
        "true" if foresees => return Ok(()),
        "true" => "there is no dry run of this request: nothing was done".to_owned(),
        _ => format!("'{written}' is neither true nor false: nothing was done"),
    };
    Err(Faults::one("/dryRun", text))
}

/// Why a request is not served.
pub(super) enum Denied {
    /// A permission is missing.
    Lacking(Lacking),
    /// It is as if there were no such task.
    NoTask(String),
    /// The parameter `path` is none.
    Path(InvalidId),
}

impl Denied {
    /// What the client is told.
    pub(super) fn answer(&self) -> Response {
        match self {
            Self::Lacking(missing) => lacking(missing),
            Self::NoTask(task) => answer::message(StatusCode::NOT_FOUND, format!("Task '{task}' does not exist")),
            Self::Path(error) => super::refusal::invalid(Faults::one("/path", error.to_string())),
        }
    }
}

/// Applies the rule of a call. What follows from a write is judged where it is known.
pub(super) fn admit(route: &Route, caller: &Caller, request: &Request<Body>) -> Result<(), Denied> {
    let need = |permission, path: &str| caller.need(permission, path).map_err(Denied::Lacking);
    match rule(route) {
        Rule::Anyone | Rule::SignedIn | Rule::Viewing | Rule::Changing => Ok(()),
        Rule::On(permission) => match run_spec_of(route) {
            Some((_, path)) if caller.may(Permission::View, &path) => need(permission, &path),
            Some((task, _)) => Err(Denied::NoTask(task.to_owned())),
            None => need(permission, "/"),
        },
        Rule::OnRoot(permission) => need(permission, "/"),
        Rule::OnParameter(permission) => match Query::of(request.uri()).first("path").map(GroupId::parse).transpose() {
            Ok(path) => need(permission, path.unwrap_or_else(GroupId::root).as_str()),
            Err(error) => Err(Denied::Path(error)),
        },
        Rule::Oneself => match (user_of(route), caller.name()) {
            (Some(user), Some(name)) if user == name.as_str() => Ok(()),
            (Some(_) | None, _) => need(Permission::Admin, "/"),
        },
    }
}

/// The path under which a request is written down that does not go through the engine.
pub(super) fn noted(route: &Route) -> Option<String> {
    match route {
        Route::Abdicate | Route::ChangeLogger => Some("/".to_owned()),
        Route::Exec(_) => run_spec_of(route).map(|(_, path)| path),
        _ => None,
    }
}

/// The task that a route is about, and the app or pod that it belongs to; for what is no task's id, everything.
fn run_spec_of(route: &Route) -> Option<(&str, String)> {
    let (Route::Exec(task) | Route::SessionInput { task, .. } | Route::AttachInput(task)) = route else { return None };
    let identity = TaskIdentity::parse(task).ok();
    let path = identity.map_or_else(|| "/".to_owned(), |identity| identity.instance.run_spec.to_string());
    Some((task, path))
}

fn user_of(route: &Route) -> Option<&str> {
    match route {
        Route::User(user)
        | Route::PutUser(user)
        | Route::RemoveUser(user)
        | Route::Grant(user)
        | Route::Revoke(user)
        | Route::AddToken(user)
        | Route::RemoveToken { user, .. } => Some(user),
        _ => None,
    }
}

/// Whether what a request carries, if anything, says that it is JSON: forms of other sites cannot.
pub(super) fn is_json(request: &Request<Body>) -> bool {
    let media = request.headers().get(header::CONTENT_TYPE).map(|media| media.to_str().unwrap_or_default());
    match media {
        Some(media) => media.split(';').next().is_some_and(|media| media.trim() == "application/json"),
        None => request.body().is_end_stream(),
    }
}

/// Whether what a request carries is compressed, or encoded in another way.
pub(super) fn is_encoded(request: &Request<Body>) -> bool {
    let mut codings = request.headers().get_all(header::CONTENT_ENCODING).iter();
    codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Whom a trusted proxy named as its client.
#[derive(Clone)]
pub(super) struct ForwardedFor(pub(super) String);

/// Puts beside a request who sends it.
pub(super) fn mark(request: &mut Request<Body>, proven: Proven, trusted: &[IpAddr]) {
    if let Some(address) = forwarded_for(request, trusted) {
        request.extensions_mut().insert(address);
    }
    request.extensions_mut().insert(proven);
}

fn forwarded_for(request: &Request<Body>, trusted: &[IpAddr]) -> Option<ForwardedFor> {
    let peer = peer(request).filter(|peer| trusted.contains(peer));
    let forwarded = request.headers().get_all(FORWARDED_FOR).iter().next_back()?.to_str().ok()?;
    let address = forwarded.rsplit(',').next().map(str::trim);
    let address = address.filter(|address| !address.is_empty() && address.len() <= ADDRESS_MAX)?;
    peer.map(|_| ForwardedFor(address.to_owned()))
}

fn peer(request: &Request<Body>) -> Option<IpAddr> {
    request.extensions().get::<PeerAddress>().map(|peer| peer.0.ip().to_canonical())
}

/// Where a request comes from, as far as that is known.
pub(super) fn address(request: &Request<Body>, trusted: &[IpAddr]) -> IpAddr {
    let named = forwarded_for(request, trusted).and_then(|address| address.0.parse().ok());
    named.or_else(|| peer(request)).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

/// Whether a trusted proxy says that its client came by TLS.
pub(super) fn came_by_tls(request: &Request<Body>, trusted: &[IpAddr]) -> bool {
    let protocol = request.headers().get_all(FORWARDED_PROTO).iter().next_back();
    peer(request).is_some_and(|peer| trusted.contains(&peer)) && protocol.is_some_and(|protocol| protocol == "https")
}

/// Who sends a request.
pub(super) fn proven(request: &Request<Body>) -> Proven {
    request.extensions().get::<Proven>().cloned().unwrap_or_default()
}

/// A permission that is missing.
pub(super) fn lacking(lacking: &Lacking) -> Response {
    answer::message(StatusCode::FORBIDDEN, lacking.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A number for each call: the compiler asks for one when there is a new one.
    fn number(route: &Route) -> usize {
        match route {
            Route::Ping => 0,
            Route::Metrics => 1,
            Route::PrometheusMetrics => 2,
            Route::Description => 3,
            Route::Info => 4,
            Route::Leader => 5,
            Route::Abdicate => 6,
            Route::Events => 7,
            Route::Apps => 8,
            Route::CreateApp => 9,
            Route::PutApps => 10,
            Route::PatchApps => 11,
            Route::App(_) => 12,
            Route::GroupApps(_) => 13,
            Route::PutApp(_) => 14,
            Route::PatchApp(_) => 15,
            Route::DeleteApp(_) => 16,
            Route::Restart(_) => 17,
            Route::AppTasks(_) => 18,
            Route::GroupTasks(_) => 19,
            Route::KillAppTasks(_) => 20,
            Route::KillAppTask { .. } => 21,
            Route::Versions(_) => 22,
            Route::Version { .. } => 23,
            Route::Group(_) => 24,
            Route::GroupAppList(_) => 25,
            Route::GroupVersions(_) => 26,
            Route::GroupVersion { .. } => 27,
            Route::CreateGroup(_) => 28,
            Route::PutGroup(_) => 29,
            Route::PatchGroup(_) => 30,
            Route::DeleteGroup(_) => 31,
            Route::Tasks => 32,
            Route::TaskLog(_) => 33,
            Route::Exec(_) => 34,
            Route::SessionInput { .. } => 35,
            Route::Attach(_) => 36,
            Route::Agents => 37,
            Route::AcknowledgeEvents => 38,
            Route::Traffic => 39,
            Route::ReportTraffic => 40,
            Route::KillTasks => 41,
            Route::Deployments => 42,
            Route::EndedDeployments => 43,
            Route::HoldDeployment { .. } => 44,
            Route::CancelDeployment { .. } => 45,
            Route::Queue => 46,
            Route::ResetDelay(_) => 47,
            Route::Pods => 48,
            Route::PodStatuses => 49,
            Route::CreatePod => 50,
            Route::Pod(_) => 51,
            Route::PutPod(_) => 52,
            Route::DeletePod(_) => 53,
            Route::PodStatus(_) => 54,
            Route::PodVersions(_) => 55,
            Route::PodVersion { .. } => 56,
            Route::KillPodInstances(_) => 57,
            Route::KillPodInstance { .. } => 58,
            Route::Session => 59,
            Route::SignIn => 60,
            Route::SignOut => 61,
            Route::Users => 62,
            Route::User(_) => 63,
            Route::PutUser(_) => 64,
            Route::RemoveUser(_) => 65,
            Route::Grant(_) => 66,
            Route::Revoke(_) => 67,
            Route::AddToken(_) => 68,
            Route::RemoveToken { .. } => 69,
            Route::Audit => 70,
            Route::Callbacks => 71,
            Route::AddCallback => 72,
            Route::RemoveCallback => 73,
            Route::Secrets => 74,
            Route::Secret(_) => 75,
            Route::PutSecret(_) => 76,
            Route::DeleteSecret(_) => 77,
            Route::AttachInput(_) => 78,
            Route::Backup => 79,
            Route::Restore => 80,
            Route::Loggers => 81,
            Route::ChangeLogger => 82,
            Route::Plugins => 83,
            Route::Config => 84,
            Route::Help => 85,
        }
    }

    const CALLS: usize = 86;

    #[test]
    fn every_call_has_one_rule_which_its_description_says() {
        let mut described = BTreeSet::new();
        for operation in OPERATIONS {
            let method = Method::from_bytes(operation.method.as_bytes()).unwrap();
            let path = operation.path.replace(['{', '}'], "");
            let route = route(&method, &path).unwrap_or_else(|none| panic!("{method} {path}: {none:?}"));
            assert_eq!(rule(&route), operation.rule, "{method} {path}");
            described.insert(number(&route));
        }
        let missing: Vec<usize> = (0..CALLS).filter(|call| !described.contains(call)).collect();
        assert!(missing.is_empty(), "no rule for {missing:?}");
        let open = OPERATIONS.iter().filter(|operation| operation.rule == Rule::Anyone);
        let open: Vec<_> = open.map(|operation| (operation.method, operation.path)).collect();
        assert_eq!(open, [("POST", "/v2/session"), ("GET", "/ping")]);
    }
}
