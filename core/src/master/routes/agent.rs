//! `POST /api/v1/agent`: the agents' link, in protobuf.

use std::sync::Arc;

use attica_core_api::auth::{Action, Object, Viewer};
use attica_core_api::decode_proto;
use attica_core_api::http::{Connection, MediaType, media, media::MediaError, read_body};
use attica_core_api::link::{Call, CallType, STREAM_ID_HEADER};
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderValue, StatusCode};

use super::answer::{Rejection, empty, header_text, with};
use crate::kernel::{Input, LinkId, Refusal, Reply};
use crate::master::leader::Leader;

/// Takes one call.
pub(super) async fn call(leader: &Arc<Leader>, request: Request) -> Response {
    match take(leader, request).await {
        Ok(response) => response,
        Err(rejection) => rejection.into_response(),
    }
}

async fn take(leader: &Arc<Leader>, request: Request) -> Result<Response, Rejection> {
    match media::of_request(request.headers())? {
        MediaType::Protobuf => {}
        MediaType::Json => return Err(MediaError::Unsupported.into()),
    }
    let viewer = Viewer::of(request.extensions());
    let link = header_text(&request, STREAM_ID_HEADER);
    let connection = request.extensions().get::<Connection>().cloned();
    let body = read_body(request.into_body()).await?;
    let call: Call = decode_proto(&body)?;
    leader.counters.count_agent_call(&call);
    match call.r#type {
        CallType::Register if !viewer.may(Action::RegisterAgent, Object::Any) => Err(Rejection::Invalid {
            status: StatusCode::FORBIDDEN,
            text: "Not authorized to register agent".to_owned(),
        }),
        CallType::Register => register(leader, connection, call).await,
        CallType::Heartbeat => heartbeat(leader, link, call).await,
        CallType::Statuses
        | CallType::Tasks
        | CallType::Message
        | CallType::ExecutorExited
        | CallType::OperationStatus => {
            let link = LinkId::new(link.ok_or(Refusal::LinkStale)?);
            let ask = |reply| Input::AgentCall { link, call: Box::new(call), reply: Some(reply) };
            match leader.ask(ask).await? {
                Reply::Accepted => Ok(empty(StatusCode::ACCEPTED)),
                Reply::Refused(refusal) => Err(refusal.into()),
            }
        }
    }
}

/// Changes nothing durable, and therefore waits for nothing that is: an agent must not count as silent because the database is.
async fn heartbeat(leader: &Arc<Leader>, link: Option<String>, call: Call) -> Result<Response, Rejection> {
    let link = link.map(LinkId::new).filter(|link| leader.streams.has_link(link)).ok_or(Refusal::LinkStale)?;
    leader.tell(Input::AgentCall { link, call: Box::new(call), reply: None }).await?;
    Ok(empty(StatusCode::ACCEPTED))
}

async fn register(leader: &Arc<Leader>, connection: Option<Connection>, call: Call) -> Result<Response, Rejection> {
    leader.check_writes()?;
    let (link, body) = leader.streams.open_link(connection);
    let id = HeaderValue::try_from(link.as_str());
    leader.tell(Input::AgentCall { link, call: Box::new(call), reply: None }).await?;
    let mut response = with(StatusCode::OK, MediaType::Protobuf.header_value(), Body::new(body));
    if let Ok(id) = id {
        response.headers_mut().insert(STREAM_ID_HEADER, id);
    }
    Ok(response)
}
