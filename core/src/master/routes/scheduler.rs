//! `POST /api/v1/scheduler`.

use std::sync::Arc;

use attica_core_api::auth::{Principal, Viewer};
use attica_core_api::client::STREAM_ID_HEADER;
use attica_core_api::http::{Connection, MediaType, media, read_body};
use attica_core_api::scheduler::{Call, Command, Invalid, Subscribe};
use attica_core_api::v1::{FrameworkId, FrameworkInfo};
use attica_core_api::{decode_json, decode_proto};
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderValue, StatusCode};

use super::answer::{Rejection, empty, header_text, with};
use crate::kernel::{Input, Reply, StreamId};
use crate::master::leader::Leader;

/// Takes one call. The checks come in Mesos's order: media type, body, shape, meaning; the rest is the kernel's.
pub(super) async fn call(leader: &Arc<Leader>, request: Request) -> Response {
    match take(leader, request).await {
        Ok(response) => response,
        Err(rejection) => rejection.into_response(),
    }
}

async fn take(leader: &Arc<Leader>, request: Request) -> Result<Response, Rejection> {
    let media = media::of_request(request.headers())?;
    let response_media = media::of_response(request.headers());
    let stream = header_text(&request, STREAM_ID_HEADER);
    let connection = request.extensions().get::<Connection>().cloned();
    let viewer = Viewer::of(request.extensions());
    let principal = viewer.principal();
    let body = read_body(request.into_body()).await?;
    let call: Call = match media {
        MediaType::Json => decode_json(&body)?,
        MediaType::Protobuf => decode_proto(&body)?,
    };
    let (framework, command) = call.into_command().map_err(invalid)?;
    leader.counters.count_command(&command);
    match (command, framework) {
        (Command::Subscribe(mut subscribe), _) => {
            check_description(principal, &mut subscribe.framework_info)?;
            let media = response_media?;
            if stream.is_some() {
                let text = "Subscribe calls should not include the 'Mesos-Stream-Id' header".to_owned();
                return Err(Rejection::Invalid { status: StatusCode::BAD_REQUEST, text });
            }
            open(leader, media, connection, subscribe).await
        }
        (command, Some(framework)) => {
            // The one call without a stream whose Accept Mesos looks at, although nothing is in the answer.
            if matches!(command, Command::ReconcileOperations(_)) {
                response_media?;
            }
            check_owner(principal, leader, &framework)?;
            // The one call whose effect is known when it is answered.
            let is_update = matches!(command, Command::UpdateFramework(_));
            let done = if is_update { StatusCode::OK } else { StatusCode::ACCEPTED };
            let stream = stream.map(StreamId::new);
            leader.counters.frameworks.count_call(&framework, &command);
            let reply =
                leader.ask(|reply| Input::Command { framework, stream, command: Box::new(command), reply }).await?;
            match reply {
                Reply::Accepted => Ok(empty(done)),
                Reply::Refused(refusal) => Err(refusal.into()),
            }
        }
        (_, None) => Err(invalid(Invalid::Absent("framework_id"))),
    }
}

/// A framework is its principal: it describes itself with the name that it has proved, or with none, and then that one counts.
fn check_description(principal: Option<&Principal>, info: &mut FrameworkInfo) -> Result<(), Rejection> {
    let Some(principal) = principal else { return Ok(()) };
    match &info.principal {
        Some(claimed) if Some(claimed.as_str()) != principal.name() => Err(Rejection::bad(format!(
            "Failed to validate scheduler::Call: Authenticated principal '{principal}' does not match principal \
             '{claimed}' set in `FrameworkInfo`"
        ))),
        Some(_) => Ok(()),
        None => {
            info.principal = principal.name().map(str::to_owned);
            Ok(())
        }
    }
}

/// Calls come from the principal that has subscribed. Of an unknown framework the kernel says that it is unknown.
fn check_owner(principal: Option<&Principal>, leader: &Leader, framework: &FrameworkId) -> Result<(), Rejection> {
    let Some(principal) = principal else { return Ok(()) };
    match leader.model.principal_of(framework) {
        Some(owner) if owner.as_deref() != principal.name() => Err(Rejection::bad(format!(
            "Authenticated principal '{principal}' does not match principal '{}' set in `FrameworkInfo`",
            owner.unwrap_or_default()
        ))),
        Some(_) | None => Ok(()),
    }
}

/// Opens the stream. Whatever the kernel finds wrong with the framework is said on it.
async fn open(
    leader: &Arc<Leader>,
    media: MediaType,
    connection: Option<Connection>,
    subscribe: Subscribe,
) -> Result<Response, Rejection> {
    leader.check_writes()?;
    let (stream, body) = leader.streams.open_scheduler(media, connection);
    let id = HeaderValue::try_from(stream.as_str());
    leader.tell(Input::Subscribe { stream, subscribe: Box::new(subscribe) }).await?;
    let mut response = with(StatusCode::OK, media.header_value(), Body::new(body));
    if let Ok(id) = id {
        response.headers_mut().insert(STREAM_ID_HEADER, id);
    }
    Ok(response)
}

fn invalid(invalid: Invalid) -> Rejection {
    Rejection::bad(invalid.to_string())
}
