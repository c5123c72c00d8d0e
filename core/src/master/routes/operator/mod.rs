//! `POST /api/v1`: calls of operators, in JSON and protobuf.
//!
//! What only reads is answered from the read model ([`reads`]); what changes something is an [`Order`] for the kernel.

mod reads;

use std::sync::Arc;

use attica_core_api::http::{MediaType, media, read_body};
use attica_core_api::operator::{Call, Command, Invalid, Response as Answer};
use attica_core_api::{decode_json, decode_proto, encode_json, encode_proto};
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;

use super::Master;
use super::answer::{Rejection, empty, with};
use crate::kernel::{Input, Order, Refusal, Reply};
use crate::master::leader::Leader;

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
    let body = read_body(request.into_body()).await?;
    let call: Call = match media {
        MediaType::Json => decode_json(&body)?,
        MediaType::Protobuf => decode_proto(&body)?,
    };
    let command = call.into_command().map_err(invalid)?;
    let media = response_media?;
    let shown = |answer: Answer| Ok(encoded(media, &answer));
    match command {
        Command::GetHealth => shown(reads::health()),
        Command::GetFlags => shown(reads::flags(&master.identity)),
        Command::GetVersion => shown(reads::version()),
        Command::GetMetrics(_) => shown(reads::metrics(&master.identity, leader)),
        Command::GetMaster => shown(reads::master(&master.identity, leader)),
        Command::Teardown(teardown) => {
            ask(leader, Order::Teardown { framework: teardown.framework_id }).await?;
            Ok(empty(StatusCode::OK))
        }
        Command::GetLoggingLevel
        | Command::SetLoggingLevel(_)
        | Command::ListFiles(_)
        | Command::ReadFile(_)
        | Command::GetState
        | Command::GetAgents
        | Command::GetFrameworks
        | Command::GetExecutors
        | Command::GetOperations
        | Command::GetTasks
        | Command::GetRoles
        | Command::GetWeights
        | Command::UpdateWeights(_)
        | Command::Subscribe
        | Command::ReserveResources(_)
        | Command::UnreserveResources(_)
        | Command::CreateVolumes(_)
        | Command::DestroyVolumes(_)
        | Command::GrowVolume(_)
        | Command::ShrinkVolume(_)
        | Command::GetMaintenanceStatus
        | Command::GetMaintenanceSchedule
        | Command::UpdateMaintenanceSchedule(_)
        | Command::StartMaintenance(_)
        | Command::StopMaintenance(_)
        | Command::DrainAgent(_)
        | Command::DeactivateAgent(_)
        | Command::ReactivateAgent(_)
        | Command::GetQuota
        | Command::UpdateQuota(_)
        | Command::SetQuota(_)
        | Command::RemoveQuota(_)
        | Command::MarkAgentGone(_) => Err(Refusal::NotSupported("This operator call").into()),
    }
}

/// Hands an order to the kernel and waits until its effects are durable.
pub(super) async fn ask(leader: &Arc<Leader>, order: Order) -> Result<(), Rejection> {
    match leader.ask(|reply| Input::Order { order: Box::new(order), reply }).await? {
        Reply::Accepted => Ok(()),
        Reply::Refused(refusal) => Err(refusal.into()),
    }
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
