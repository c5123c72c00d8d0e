//! `POST /api/v1`: calls of operators, in JSON and protobuf.
//!
//! What only reads is answered from the read model ([`reads`]); what changes something is an [`Order`] for the kernel.

mod lists;
pub(super) mod operations;
pub(super) mod permit;
mod reads;

use std::sync::Arc;
use std::time::Duration;

use attica_core_api::auth::{Principal, Viewer};
use attica_core_api::http::{Connection, MediaType, media, read_body};
use attica_core_api::logging::Logging;
use attica_core_api::operator::{Call, Command, DrainAgent, Invalid, Response as Answer, SetLoggingLevel, UpdateQuota};
use attica_core_api::v1::{DrainConfig, DurationInfo};
use attica_core_api::{decode_json, decode_proto, encode_json, encode_proto};
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;

pub(super) use reads::cluster_status;

use super::answer::{Rejection, empty, with};
use super::{Master, files};
use crate::kernel::{Input, Order, QuotaChange, Reply};
use crate::master::leader::Leader;
use crate::master::view::{Concealment, Listing};

/// Takes one call.
pub(super) async fn call(master: &Master, leader: &Arc<Leader>, request: Request) -> Response {
    match take(master, leader, request).await {
        Ok(response) => response,
        Err(rejection) => rejection.into_response(),
    }
}

async fn take(master: &Master, leader: &Arc<Leader>, request: Request) -> Result<Response, Rejection> {
    let media = media::of_request(request.headers())?;
    let response_media = media::of_response(request.headers());
    let viewer = Viewer::of(request.extensions());
    let connection = request.extensions().get::<Connection>().cloned();
    let body = read_body(request.into_body()).await?;
    let call: Call = match media {
        MediaType::Json => decode_json(&body)?,
        MediaType::Protobuf => decode_proto(&body)?,
    };
    let command = call.into_command().map_err(invalid)?;
    let media = response_media?;
    permit::check(&viewer, leader, &command)?;
    let shown = |mut answer: Answer| {
        if !viewer.is_unrestricted() {
            Concealment::new(&viewer, leader.model.as_ref()).answer(&mut answer);
        }
        Ok(encoded(media, &answer))
    };
    let principal = || viewer.principal().and_then(Principal::name).map(str::to_owned);
    match command {
        Command::GetHealth => shown(reads::health()),
        Command::GetFlags => shown(reads::flags(&master.identity)),
        Command::GetVersion => shown(reads::version()),
        Command::GetMetrics(_) => shown(reads::metrics(&master.identity, leader)),
        Command::GetMaster => shown(reads::master(&master.identity, leader)),
        Command::GetMaintenanceStatus => shown(reads::maintenance_status(leader)),
        Command::GetMaintenanceSchedule => shown(reads::maintenance_schedule(leader)),
        Command::UpdateMaintenanceSchedule(update) => {
            done(leader, Order::UpdateMaintenanceSchedule { schedule: update.schedule }).await
        }
        Command::StartMaintenance(start) => done(leader, Order::StartMaintenance { machines: start.machines }).await,
        Command::StopMaintenance(stop) => done(leader, Order::StopMaintenance { machines: stop.machines }).await,
        Command::DrainAgent(drain) => done(leader, drain_order(drain)?).await,
        Command::DeactivateAgent(call) => done(leader, Order::DeactivateAgent { agent: call.agent_id }).await,
        Command::ReactivateAgent(call) => done(leader, Order::ReactivateAgent { agent: call.agent_id }).await,
        Command::MarkAgentGone(call) => done(leader, Order::MarkAgentGone { agent: call.agent_id }).await,
        Command::Teardown(call) => done(leader, Order::Teardown { framework: call.framework_id }).await,
        Command::GetState => Ok(lists::list(leader, Listing::State, media, viewer).await),
        Command::GetAgents => Ok(lists::list(leader, Listing::Agents, media, viewer).await),
        Command::GetFrameworks => Ok(lists::list(leader, Listing::Frameworks, media, viewer).await),
        Command::GetExecutors => Ok(lists::list(leader, Listing::Executors, media, viewer).await),
        Command::GetTasks => Ok(lists::list(leader, Listing::Tasks, media, viewer).await),
        Command::GetRoles => shown(reads::roles(leader)),
        Command::GetWeights => shown(reads::weights(leader)),
        Command::UpdateWeights(update) => done(leader, Order::UpdateWeights(update.weight_infos)).await,
        Command::GetQuota => shown(reads::quotas(leader)),
        Command::UpdateQuota(UpdateQuota { force, quota_configs }) => {
            let change = QuotaChange::Update { configs: quota_configs, force: force.unwrap_or(false) };
            done(leader, Order::UpdateQuota(change)).await
        }
        Command::SetQuota(set) => done(leader, Order::UpdateQuota(QuotaChange::Set(set.quota_request))).await,
        Command::RemoveQuota(remove) => {
            done(leader, Order::UpdateQuota(QuotaChange::Remove { role: remove.role })).await
        }
        Command::Subscribe => lists::subscribe(leader, media, connection, viewer).await,
        Command::GetLoggingLevel => shown(reads::logging_level(&master.logging)),
        Command::SetLoggingLevel(set) => set_logging_level(&master.logging, &set),
        Command::ListFiles(list) => Ok(files::list(master.files.clone(), list.path).await.response()),
        Command::ReadFile(read) => match files::read_file(master.files.clone(), read).await {
            Ok(answer) => shown(answer),
            Err(error) => Ok(error.response()),
        },
        Command::GetOperations => shown(reads::operations(leader)),
        Command::ReserveResources(call) => begun(leader, operations::reserve(call, principal())).await,
        Command::UnreserveResources(call) => begun(leader, operations::unreserve(call, principal())).await,
        Command::CreateVolumes(call) => begun(leader, operations::create(call, principal())).await,
        Command::DestroyVolumes(call) => begun(leader, operations::destroy(call, principal())).await,
        Command::GrowVolume(call) => begun(leader, operations::grow(call, principal())?).await,
        Command::ShrinkVolume(call) => begun(leader, operations::shrink(call, principal())?).await,
    }
}

/// Hands an order to the kernel and waits until its effects are durable.
pub(super) async fn ask(leader: &Arc<Leader>, order: Order) -> Result<(), Rejection> {
    match leader.ask(|reply| Input::Order { order: Box::new(order), reply }).await? {
        Reply::Accepted => Ok(()),
        Reply::Refused(refusal) => Err(refusal.into()),
    }
}

fn set_logging_level(logging: &Arc<Logging>, set: &SetLoggingLevel) -> Result<Response, Rejection> {
    let Ok(nanoseconds) = u64::try_from(set.duration.nanoseconds) else {
        return Err(Rejection::bad("Failed to validate master::Call: 'set_logging_level.duration' is negative"));
    };
    match logging.set(set.level, Duration::from_nanos(nanoseconds)) {
        Ok(()) => Ok(empty(StatusCode::OK)),
        Err(error) => Err(Rejection::Invalid { status: StatusCode::SERVICE_UNAVAILABLE, text: error.to_string() }),
    }
}

/// 202 for an order of which an agent still has to do its part.
pub(super) async fn begun(leader: &Arc<Leader>, order: Order) -> Result<Response, Rejection> {
    ask(leader, order).await?;
    Ok(empty(StatusCode::ACCEPTED))
}

/// 200 for an order that is done.
async fn done(leader: &Arc<Leader>, order: Order) -> Result<Response, Rejection> {
    ask(leader, order).await?;
    Ok(empty(StatusCode::OK))
}

fn drain_order(drain: DrainAgent) -> Result<Order, Rejection> {
    let grace = match drain.max_grace_period.map(|grace| grace.milliseconds()) {
        Some(None) => {
            let text = "Failed to validate master::Call: 'drain_agent.max_grace_period' is negative";
            return Err(Rejection::bad(text));
        }
        Some(grace) => grace,
        None => None,
    };
    let max_grace_period = grace.map(DurationInfo::from_milliseconds);
    Ok(Order::DrainAgent {
        agent: drain.agent_id,
        config: DrainConfig { max_grace_period, mark_gone: drain.mark_gone },
    })
}

fn encoded(media: MediaType, answer: &Answer) -> Response {
    let body = match media {
        MediaType::Json => encode_json(answer),
        MediaType::Protobuf => encode_proto(answer),
    };
    with(StatusCode::OK, media.header_value(), Body::from(body))
}

fn invalid(invalid: Invalid) -> Rejection {
    let status = match invalid {
        Invalid::UnknownType => StatusCode::NOT_IMPLEMENTED,
        Invalid::Absent(_) => StatusCode::BAD_REQUEST,
    };
    Rejection::Invalid { status, text: invalid.to_string() }
}
