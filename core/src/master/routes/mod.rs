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
use table::{Endpoint, Led, Needs, Own, Route};

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
    match (route.endpoint, standing) {
        (Endpoint::Leader(led), Standing::Standby) => to_leader(&master, led, &request),
        (Endpoint::Leader(_), Standing::Recovering) => {
            plain(StatusCode::SERVICE_UNAVAILABLE, "Master has not finished recovery")
        }
        (Endpoint::Every(_), _) | (Endpoint::Leader(_), Standing::Leading(_)) if !route.takes(request.method()) => {
            method_not_allowed(route.methods, request.method())
        }
        (Endpoint::Every(own), standing) => answer_myself(&master, &standing, own, &Query::of(&request)).await,
        (Endpoint::Leader(led), Standing::Leading(leader)) => {
            let viewer = Viewer::of(request.extensions());
            let response = lead(&master, leader.clone(), led, route, request).await;
            match viewer.is_unrestricted() || route.needs != Needs::ReadOnly {
                true => response,
                false => redact::redacted(response, &viewer, leader.model.as_ref()).await,
            }
        }
    }
}

/// What every master answers about itself.
async fn answer_myself(master: &Master, standing: &Standing, own: Own, query: &Query) -> Response {
    let leader = match standing {
        Standing::Leading(leader) => Some(leader.as_ref()),
        Standing::Standby | Standing::Recovering => None,
    };
    match own {
        Own::Health => telemetry::health(),
        Own::Version => telemetry::version(query),
        Own::Flags => telemetry::flags(&master.identity, query),
        Own::MetricsSnapshot => telemetry::snapshot(&master.identity, leader, query),
        Own::Metrics => telemetry::prometheus(&master.identity, leader),
        Own::LoggingToggle => telemetry::toggle_logging(&master.logging, query),
        Own::FilesBrowse => files::browse(master.files.clone(), query).await,
        Own::FilesRead => files::read(master.files.clone(), query).await,
        Own::FilesDownload => files::download(master.files.clone(), query).await,
        Own::FilesDebug => files::debug(&master.files, query),
        Own::SystemStats => telemetry::system(query),
        Own::Help => telemetry::help(),
    }
}

/// What the leader answers.
async fn lead(master: &Master, leader: Arc<Leader>, led: Led, route: &Route, request: Request) -> Response {
    match led {
        Led::Scheduler => scheduler::call(&leader, request).await,
        Led::Agent => agent::call(&leader, request).await,
        Led::Operator => operator::call(master, &leader, request).await,
        Led::State => list(List::State, master, leader, &request).await,
        Led::Slaves => list(List::Slaves, master, leader, &request).await,
        Led::Frameworks => list(List::Frameworks, master, leader, &request).await,
        Led::Tasks => list(List::Tasks, master, leader, &request).await,
        Led::StateSummary => list(List::StateSummary, master, leader, &request).await,
        Led::Roles => list(List::Roles, master, leader, &request).await,
        Led::Weights => legacy::weights(&leader, request).await,
        Led::Quota => legacy::quota(&leader, route, request).await,
        Led::MaintenanceSchedule => legacy::maintenance_schedule(&leader, request).await,
        Led::MaintenanceStatus => legacy::maintenance_status(&leader, &request),
        Led::MachineDown => legacy::machines_down(&leader, request).await,
        Led::MachineUp => legacy::machines_up(&leader, request).await,
        Led::Reserve => legacy::reserve(&leader, request).await,
        Led::Unreserve => legacy::unreserve(&leader, request).await,
        Led::CreateVolumes => legacy::create_volumes(&leader, request).await,
        Led::DestroyVolumes => legacy::destroy_volumes(&leader, request).await,
        Led::Teardown => legacy::teardown(&leader, request).await,
        Led::Redirect => redirect(&master.identity.advertise.to_string(), ""),
    }
}

fn list(list: List, master: &Master, leader: Arc<Leader>, request: &Request) -> impl Future<Output = Response> + use<> {
    lists::answer(list, master.identity.clone(), leader, Query::of(request))
}

/// What a standby answers to what is the leader's.
fn to_leader(master: &Master, led: Led, request: &Request) -> Response {
    let leader = master.elected.borrow().as_ref().map(|leader| leader.address.clone());
    let here = master.identity.advertise.to_string();
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    match leader.filter(|leader| *leader != here) {
        Some(leader) if led == Led::Redirect => redirect(&leader, ""),
        Some(leader) => redirect(&leader, path),
        None => plain(StatusCode::SERVICE_UNAVAILABLE, "No leader elected"),
    }
}
