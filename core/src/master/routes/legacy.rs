//! The endpoints from before `/api/v1` that change something, and those that show the same. Each says what a call of operators says, in
//! another form.

use std::sync::Arc;

use attica_core_api::auth::{Principal, Viewer};
use attica_core_api::http::read_body;
use attica_core_api::operator::{
    Command, CreateVolumes, DestroyVolumes, QuotaRequest, RemoveQuota, ReserveResources, Schedule, SetQuota,
    StartMaintenance, StopMaintenance, Teardown, UnreserveResources, UpdateMaintenanceSchedule, UpdateWeights,
};
use attica_core_api::v1::{AgentId, FrameworkId, MachineId, Resource, WeightInfo};
use attica_core_api::{decode_json, encode_json};
use axum::extract::Request;
use axum::response::Response;
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::answer::{Query, Rejection, empty, json};
use super::operator::{ask, begun, cluster_status, operations, permit};
use super::table::Route;
use crate::kernel::{Order, QuotaChange};
use crate::master::leader::Leader;
use crate::master::view::{Concealment, Document};

/// `POST /teardown` with the form `frameworkId=…`.
pub(super) async fn teardown(leader: &Arc<Leader>, request: Request) -> Response {
    let torn_down = async {
        let viewer = Viewer::of(request.extensions());
        let form = form(request).await?;
        let framework_id = FrameworkId::new(member(&form, "frameworkId")?);
        let command = Command::Teardown(Teardown { framework_id: framework_id.clone() });
        permit::check(&viewer, leader, &command)?;
        let framework = framework_id;
        ask(leader, Order::Teardown { framework }).await
    };
    answer(torn_down.await)
}

/// `GET /weights`; `PUT` takes a list of the same form.
pub(super) async fn weights(leader: &Arc<Leader>, request: Request) -> Response {
    let viewer = Viewer::of(request.extensions());
    if request.method() == Method::GET {
        let role = |info: WeightInfo| Weight { role: info.role.unwrap_or_default(), weight: info.weight };
        let weights = leader.model.weights().into_iter().map(role).filter(|weight| viewer.sees_role(&weight.role));
        return shown(&request, &weights.collect::<Vec<_>>());
    }
    let updated = async {
        let weight_infos: Vec<WeightInfo> = list(request).await?;
        let command = Command::UpdateWeights(UpdateWeights { weight_infos: weight_infos.clone() });
        permit::check(&viewer, leader, &command)?;
        ask(leader, Order::UpdateWeights(weight_infos)).await
    };
    answer(updated.await)
}

/// The members in the order of their names, as Mesos has them here.
#[derive(Serialize)]
struct Weight {
    role: String,
    weight: f64,
}

/// `GET /quota`; `POST` takes a request, `DELETE /quota/{role}` removes one.
pub(super) async fn quota(leader: &Arc<Leader>, route: &Route, request: Request) -> Response {
    let viewer = Viewer::of(request.extensions());
    if request.method() == Method::GET {
        let mut quotas = leader.model.quotas();
        Concealment::new(&viewer, leader.model.as_ref()).quotas(&mut quotas);
        return shown(&request, &quotas);
    }
    let changed = async {
        let (command, change) = match *request.method() == Method::DELETE {
            true => {
                let role = route.rest(request.uri().path());
                (Command::RemoveQuota(RemoveQuota { role: role.clone() }), QuotaChange::Remove { role })
            }
            false => {
                let quota_request = message::<QuotaRequest>(request).await?;
                (Command::SetQuota(SetQuota { quota_request: quota_request.clone() }), QuotaChange::Set(quota_request))
            }
        };
        permit::check(&viewer, leader, &command)?;
        ask(leader, Order::UpdateQuota(change)).await
    };
    answer(changed.await)
}

/// `GET /maintenance/schedule`; `POST` replaces it.
pub(super) async fn maintenance_schedule(leader: &Arc<Leader>, request: Request) -> Response {
    let viewer = Viewer::of(request.extensions());
    if request.method() == Method::GET {
        let mut schedule = leader.model.maintenance().schedule;
        Concealment::new(&viewer, leader.model.as_ref()).schedule(&mut schedule);
        return shown(&request, &schedule);
    }
    let planned = async {
        let schedule = message::<Schedule>(request).await?;
        let update = UpdateMaintenanceSchedule { schedule: schedule.clone() };
        permit::check(&viewer, leader, &Command::UpdateMaintenanceSchedule(update))?;
        ask(leader, Order::UpdateMaintenanceSchedule { schedule }).await
    };
    answer(planned.await)
}

/// `GET /maintenance/status`
pub(super) fn maintenance_status(leader: &Leader, request: &Request) -> Response {
    let mut status = cluster_status(leader);
    Concealment::new(&Viewer::of(request.extensions()), leader.model.as_ref()).machines(&mut status);
    shown(request, &status)
}

/// `POST /machine/down` with a list of machines.
pub(super) async fn machines_down(leader: &Arc<Leader>, request: Request) -> Response {
    let down = async {
        let viewer = Viewer::of(request.extensions());
        let machines: Vec<MachineId> = list(request).await?;
        let command = Command::StartMaintenance(StartMaintenance { machines: machines.clone() });
        permit::check(&viewer, leader, &command)?;
        ask(leader, Order::StartMaintenance { machines }).await
    };
    answer(down.await)
}

/// `POST /machine/up` with a list of machines.
pub(super) async fn machines_up(leader: &Arc<Leader>, request: Request) -> Response {
    let up = async {
        let viewer = Viewer::of(request.extensions());
        let machines: Vec<MachineId> = list(request).await?;
        permit::check(&viewer, leader, &Command::StopMaintenance(StopMaintenance { machines: machines.clone() }))?;
        ask(leader, Order::StopMaintenance { machines }).await
    };
    answer(up.await)
}

/// `POST /reserve` with the form `slaveId=…&resources=…`.
pub(super) async fn reserve(leader: &Arc<Leader>, request: Request) -> Response {
    operate(leader, request, "resources", |agent_id, resources, principal| {
        let call = ReserveResources { agent_id, source: Vec::new(), resources };
        (Command::ReserveResources(call.clone()), operations::reserve(call, principal))
    })
    .await
}

/// `POST /unreserve` with the form `slaveId=…&resources=…`.
pub(super) async fn unreserve(leader: &Arc<Leader>, request: Request) -> Response {
    operate(leader, request, "resources", |agent_id, resources, principal| {
        let call = UnreserveResources { agent_id, resources };
        (Command::UnreserveResources(call.clone()), operations::unreserve(call, principal))
    })
    .await
}

/// `POST /create-volumes` with the form `slaveId=…&volumes=…`.
pub(super) async fn create_volumes(leader: &Arc<Leader>, request: Request) -> Response {
    operate(leader, request, "volumes", |agent_id, volumes, principal| {
        let call = CreateVolumes { agent_id, volumes };
        (Command::CreateVolumes(call.clone()), operations::create(call, principal))
    })
    .await
}

/// `POST /destroy-volumes` with the form `slaveId=…&volumes=…`.
pub(super) async fn destroy_volumes(leader: &Arc<Leader>, request: Request) -> Response {
    operate(leader, request, "volumes", |agent_id, volumes, principal| {
        let call = DestroyVolumes { agent_id, volumes };
        (Command::DestroyVolumes(call.clone()), operations::destroy(call, principal))
    })
    .await
}

/// An operation on the resources that the form lists under `name`, as JSON; `of` says which.
async fn operate(
    leader: &Arc<Leader>,
    request: Request,
    name: &'static str,
    of: impl FnOnce(AgentId, Vec<Resource>, Option<String>) -> (Command, Order),
) -> Response {
    let begun = async {
        let viewer = Viewer::of(request.extensions());
        let form = form(request).await?;
        let agent = AgentId::new(member(&form, "slaveId")?);
        let resources = serde_json::from_str(member(&form, name)?).map_err(|error| {
            Rejection::bad(format!("Error in parsing '{name}' query parameter in the request body: {error}"))
        })?;
        let principal = viewer.principal().and_then(Principal::name).map(str::to_owned);
        let (command, order) = of(agent, resources, principal);
        permit::check(&viewer, leader, &command)?;
        begun(leader, order).await
    };
    begun.await.unwrap_or_else(Rejection::into_response)
}

fn answer(done: Result<(), Rejection>) -> Response {
    match done {
        Ok(()) => empty(StatusCode::OK),
        Err(rejection) => rejection.into_response(),
    }
}

fn shown(request: &Request, value: &impl Serialize) -> Response {
    let text = String::from_utf8_lossy(&encode_json(value)).into_owned();
    json(&Query::of(request), Document::whole(text))
}

async fn form(request: Request) -> Result<Query, Rejection> {
    let body = read_body(request.into_body()).await?;
    Ok(Query::parse(&String::from_utf8_lossy(&body)))
}

fn member<'f>(form: &'f Query, name: &str) -> Result<&'f str, Rejection> {
    let absent = || Rejection::bad(format!("Missing '{name}' query parameter in the request body"));
    form.get(name).ok_or_else(absent)
}

/// A message in JSON.
async fn message<M: attica_core_api::message::Message>(request: Request) -> Result<M, Rejection> {
    let body = read_body(request.into_body()).await?;
    Ok(decode_json(&body)?)
}

/// A list of messages in JSON.
async fn list<M: DeserializeOwned>(request: Request) -> Result<Vec<M>, Rejection> {
    let body = read_body(request.into_body()).await?;
    serde_json::from_slice(&body).map_err(|error| Rejection::bad(format!("Failed to parse body into JSON: {error}")))
}
