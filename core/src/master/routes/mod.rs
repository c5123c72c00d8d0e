//! Who answers a request, and with what.
//!
//! The path decides the row of the [`table`], the row decides who may answer: everyone, or the leader alone, to whom the others
//! redirect. All texts and their order are Mesos's.

mod agent;
mod answer;
mod entrance;
pub(super) mod files;
mod legacy;
mod lists;
mod operator;
mod redact;
mod scheduler;
pub(super) mod table;
mod telemetry;

use std::sync::Arc;

use attica_core_api::auth::Viewer;
use attica_core_api::http::guard::Guard;
use attica_core_api::logging::Logging;
use attica_core_store::election;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use tokio::sync::watch;

use super::identity::Identity;
use super::leader::Leader;
use answer::{Query, method_not_allowed, not_found, plain, redirect};
use files::Files;
use lists::List;
use table::{Audience, Endpoint, Needs, Route};

/// What the routes know of this master.
#[derive(Clone)]
pub(super) struct Master {
    pub(super) identity: Arc<Identity>,
    pub(super) logging: Arc<Logging>,
    pub(super) files: Files,
    pub(super) standing: watch::Receiver<Standing>,
    /// The leader as the election knows it.
    pub(super) elected: watch::Receiver<Option<election::Leader>>,
    /// Who may come in.
    pub(super) guard: Guard,
}

/// Where this master stands.
#[derive(Clone)]
pub(super) enum Standing {
    /// It does not lead.
    Standby,
    /// It has won, and reads what its predecessors left.
    Recovering,
    /// It leads.
    Leading(Arc<Leader>),
}

/// All routes of a master.
pub(super) fn router(master: Master) -> Router {
    Router::new().fallback(dispatch).with_state(master)
}

async fn dispatch(State(master): State<Master>, mut request: Request) -> Response {
    let Some(route) = Route::of(request.uri().path()) else { return not_found() };
    if let Some(refusal) = entrance::refusal(&master.guard, route, &mut request) {
        return refusal;
    }
    let standing = master.standing.borrow().clone();
    match (route.audience, standing) {
        (Audience::Leader, Standing::Standby) => to_leader(&master, route, &request),
        (Audience::Leader, Standing::Recovering) => {
            plain(StatusCode::SERVICE_UNAVAILABLE, "Master has not finished recovery")
        }
        (Audience::Every, _) | (Audience::Leader, Standing::Leading(_)) if !route.takes(request.method()) => {
            method_not_allowed(route.methods, request.method())
        }
        (Audience::Every, standing) => answer_myself(&master, &standing, route, &Query::of(&request)).await,
        (Audience::Leader, Standing::Leading(leader)) => {
            let viewer = Viewer::of(request.extensions());
            let response = lead(&master, leader.clone(), route, request).await;
            match viewer.is_unrestricted() || route.needs != Needs::ReadOnly {
                true => response,
                false => redact::redacted(response, &viewer, leader.model.as_ref()).await,
            }
        }
    }
}

/// What every master answers about itself.
async fn answer_myself(master: &Master, standing: &Standing, route: &Route, query: &Query) -> Response {
    let leader = match standing {
        Standing::Leading(leader) => Some(leader.as_ref()),
        Standing::Standby | Standing::Recovering => None,
    };
    match route.endpoint {
        Endpoint::Health => telemetry::health(),
        Endpoint::Version => telemetry::version(query),
        Endpoint::Flags => telemetry::flags(&master.identity, query),
        Endpoint::MetricsSnapshot => telemetry::snapshot(&master.identity, leader, query),
        Endpoint::Metrics => telemetry::prometheus(&master.identity, leader),
        Endpoint::LoggingToggle => telemetry::toggle_logging(&master.logging, query),
        Endpoint::FilesBrowse => files::browse(master.files.clone(), query).await,
        Endpoint::FilesRead => files::read(master.files.clone(), query).await,
        Endpoint::FilesDownload => files::download(master.files.clone(), query).await,
        Endpoint::FilesDebug => files::debug(&master.files, query),
        Endpoint::SystemStats => telemetry::system(query),
        Endpoint::Help => telemetry::help(),
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
        | Endpoint::Redirect => unreachable!("{} is the leader's", route.pattern()),
    }
}

/// What the leader answers.
async fn lead(master: &Master, leader: Arc<Leader>, route: &Route, request: Request) -> Response {
    match route.endpoint {
        Endpoint::Scheduler => scheduler::call(&leader, request).await,
        Endpoint::Agent => agent::call(&leader, request).await,
        Endpoint::Operator => operator::call(master, &leader, request).await,
        Endpoint::State => list(List::State, master, leader, &request).await,
        Endpoint::Slaves => list(List::Slaves, master, leader, &request).await,
        Endpoint::Frameworks => list(List::Frameworks, master, leader, &request).await,
        Endpoint::Tasks => list(List::Tasks, master, leader, &request).await,
        Endpoint::StateSummary => list(List::StateSummary, master, leader, &request).await,
        Endpoint::Roles => list(List::Roles, master, leader, &request).await,
        Endpoint::Weights => legacy::weights(&leader, request).await,
        Endpoint::Quota => legacy::quota(&leader, route, request).await,
        Endpoint::MaintenanceSchedule => legacy::maintenance_schedule(&leader, request).await,
        Endpoint::MaintenanceStatus => legacy::maintenance_status(&leader, &request),
        Endpoint::MachineDown => legacy::machines_down(&leader, request).await,
        Endpoint::MachineUp => legacy::machines_up(&leader, request).await,
        Endpoint::Reserve => legacy::reserve(&leader, request).await,
        Endpoint::Unreserve => legacy::unreserve(&leader, request).await,
        Endpoint::CreateVolumes => legacy::create_volumes(&leader, request).await,
        Endpoint::DestroyVolumes => legacy::destroy_volumes(&leader, request).await,
        Endpoint::Teardown => legacy::teardown(&leader, request).await,
        Endpoint::Redirect => redirect(&master.identity.advertise.to_string(), ""),
        Endpoint::Health
        | Endpoint::Version
        | Endpoint::Flags
        | Endpoint::MetricsSnapshot
        | Endpoint::Metrics
        | Endpoint::LoggingToggle
        | Endpoint::FilesBrowse
        | Endpoint::FilesRead
        | Endpoint::FilesDownload
        | Endpoint::FilesDebug
        | Endpoint::SystemStats
        | Endpoint::Help => unreachable!("{} is everybody's", route.pattern()),
    }
}

fn list(list: List, master: &Master, leader: Arc<Leader>, request: &Request) -> impl Future<Output = Response> + use<> {
    lists::answer(list, master.identity.clone(), leader, Query::of(request))
}

/// What a standby answers to what is the leader's.
fn to_leader(master: &Master, route: &Route, request: &Request) -> Response {
    let leader = master.elected.borrow().as_ref().map(|leader| leader.address.clone());
    let here = master.identity.advertise.to_string();
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    match leader.filter(|leader| *leader != here) {
        Some(leader) if route.endpoint == Endpoint::Redirect => redirect(&leader, ""),
        Some(leader) => redirect(&leader, path),
        None => plain(StatusCode::SERVICE_UNAVAILABLE, "No leader elected"),
    }
}
