//! Who answers a request, and with what.
//!
//! The path decides the endpoint, the endpoint decides who may answer: everyone, or the leader alone, to whom the others
//! redirect. All texts and their order are Mesos's.

mod agent;
mod answer;
mod lists;
mod operator;
mod scheduler;
mod telemetry;

use std::sync::Arc;

use attica_core_store::election;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{Method, StatusCode};
use tokio::sync::watch;

use super::endpoint::{Audience, Endpoint};
use super::identity::Identity;
use super::leader::Leader;
use answer::{Query, method_not_allowed, not_found, plain, redirect};
use lists::List;

/// What the routes know of this master.
#[derive(Clone)]
pub(super) struct Master {
    pub(super) identity: Arc<Identity>,
    pub(super) standing: watch::Receiver<Standing>,
    /// The leader as the election knows it.
    pub(super) elected: watch::Receiver<Option<election::Leader>>,
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

async fn dispatch(State(master): State<Master>, request: Request) -> Response {
    let Some(endpoint) = Endpoint::of(request.uri().path()) else { return not_found() };
    let standing = master.standing.borrow().clone();
    match (endpoint.audience(), standing) {
        (Audience::Every, standing) => answer_myself(&master, &standing, endpoint, &request),
        (Audience::Leader, Standing::Leading(leader)) => lead(&master, leader, endpoint, request).await,
        (Audience::Leader, Standing::Recovering) => {
            plain(StatusCode::SERVICE_UNAVAILABLE, "Master has not finished recovery")
        }
        (Audience::Leader, Standing::Standby) => to_leader(&master, endpoint, &request),
    }
}

/// What every master answers about itself.
fn answer_myself(master: &Master, standing: &Standing, endpoint: Endpoint, request: &Request) -> Response {
    let leader = match standing {
        Standing::Leading(leader) => Some(leader.as_ref()),
        Standing::Standby | Standing::Recovering => None,
    };
    match endpoint {
        Endpoint::Health => telemetry::health(),
        Endpoint::Version => telemetry::version(request),
        Endpoint::MetricsSnapshot => telemetry::snapshot(&master.identity, leader, request),
        Endpoint::Metrics => telemetry::prometheus(&master.identity, leader),
        Endpoint::Scheduler
        | Endpoint::Agent
        | Endpoint::Operator
        | Endpoint::State
        | Endpoint::Slaves
        | Endpoint::Frameworks
        | Endpoint::Tasks
        | Endpoint::Redirect => unreachable!("{endpoint:?} is the leader's"),
    }
}

/// What the leader answers.
async fn lead(master: &Master, leader: Arc<Leader>, endpoint: Endpoint, request: Request) -> Response {
    let is_post = request.method() == Method::POST;
    match endpoint {
        Endpoint::Scheduler | Endpoint::Agent | Endpoint::Operator if !is_post => {
            method_not_allowed("POST", request.method())
        }
        Endpoint::Scheduler => scheduler::call(&leader, request).await,
        Endpoint::Agent => agent::call(&leader, request).await,
        Endpoint::Operator => operator::call(request).await,
        Endpoint::State => list(List::State, master, leader, &request).await,
        Endpoint::Slaves => list(List::Slaves, master, leader, &request).await,
        Endpoint::Frameworks => list(List::Frameworks, master, leader, &request).await,
        Endpoint::Tasks => list(List::Tasks, master, leader, &request).await,
        Endpoint::Redirect => redirect(&master.identity.advertise.to_string(), ""),
        Endpoint::Health | Endpoint::Version | Endpoint::MetricsSnapshot | Endpoint::Metrics => {
            unreachable!("{endpoint:?} is everybody's")
        }
    }
}

fn list(list: List, master: &Master, leader: Arc<Leader>, request: &Request) -> impl Future<Output = Response> + use<> {
    lists::answer(list, master.identity.clone(), leader, Query::of(request))
}

/// What a standby answers to what is the leader's.
fn to_leader(master: &Master, endpoint: Endpoint, request: &Request) -> Response {
    let leader = master.elected.borrow().as_ref().map(|leader| leader.address.clone());
    let here = master.identity.advertise.to_string();
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    match leader.filter(|leader| *leader != here) {
        Some(leader) if endpoint == Endpoint::Redirect => redirect(&leader, ""),
        Some(leader) => redirect(&leader, path),
        None => plain(StatusCode::SERVICE_UNAVAILABLE, "No leader elected"),
    }
}
