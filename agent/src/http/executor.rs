//! `POST /api/v1/executor`: the executors' calls, in JSON or protobuf.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use attica_core_api::executor::{Call, Command, Invalid};
use attica_core_api::http::stream::{self, StreamBody, StreamLimits};
use attica_core_api::http::{BodyError, Connection, MediaType, media, media::MediaError, read_body};
use attica_core_api::{decode_json, decode_proto};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, header};
use tokio::sync::oneshot;

use super::{Agent, Unavailable};
use crate::shell::{Called, Message, Stream};
use crate::supervisor::{ExecutorCall, ExecutorKey, ExecutorRefusal, Input, StreamId};

/// All its tasks may be sent to an executor at once.
const STREAM_LIMITS: StreamLimits = StreamLimits { max_pending_bytes: 32 << 20, max_stall: Duration::from_secs(300) };

/// Numbers the streams of this process.
static STREAMS: AtomicU64 = AtomicU64::new(0);

/// A call that is not taken.
#[derive(Debug, thiserror::Error)]
enum Rejection {
    #[error("Expecting one of {{ 'POST' }}, but received '{0}'")]
    Method(Method),
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Decode(#[from] attica_core_api::DecodeError),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Refused(#[from] ExecutorRefusal),
    #[error("The agent is about to end")]
    Ending,
}

impl Rejection {
    fn status(&self) -> StatusCode {
        match self {
            Rejection::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Rejection::Media(error) => error.status(),
            Rejection::Body(error) => error.status(),
            Rejection::Decode(_) => StatusCode::BAD_REQUEST,
            Rejection::Invalid(Invalid::UnknownType) => StatusCode::NOT_IMPLEMENTED,
            Rejection::Invalid(
                Invalid::Absent(_)
                | Invalid::Uuid
                | Invalid::ExecutorIdDiffers { .. }
                | Invalid::Source { .. }
                | Invalid::State { .. },
            ) => StatusCode::BAD_REQUEST,
            Rejection::Refused(ExecutorRefusal::NoFramework | ExecutorRefusal::NoExecutor) => StatusCode::BAD_REQUEST,
            Rejection::Refused(ExecutorRefusal::NoToken) => StatusCode::UNAUTHORIZED,
            Rejection::Refused(ExecutorRefusal::NotSubscribed | ExecutorRefusal::WrongToken) => StatusCode::FORBIDDEN,
            Rejection::Ending => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl From<Unavailable> for Rejection {
    fn from(Unavailable: Unavailable) -> Rejection {
        Rejection::Ending
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let mut response = (self.status(), self.to_string()).into_response();
        match self {
            Rejection::Method(_) => {
                response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("POST"));
            }
            Rejection::Refused(ExecutorRefusal::NoToken) => {
                let challenge = header::HeaderValue::from_static("Bearer realm=\"mesos-agent-executor\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            Rejection::Body(_)
            | Rejection::Media(_)
            | Rejection::Decode(_)
            | Rejection::Invalid(_)
            | Rejection::Refused(_)
            | Rejection::Ending => {}
        }
        response
    }
}

/// Takes one call. The checks come in Mesos's order: method, media type, body, shape, meaning; the rest is the supervisor's.
pub(super) async fn call(State(agent): State<Agent>, request: Request) -> Response {
    take(&agent, request).await.unwrap_or_else(IntoResponse::into_response)
}

async fn take(agent: &Agent, request: Request) -> Result<Response, Rejection> {
    if request.method() != Method::POST {
        return Err(Rejection::Method(request.method().clone()));
    }
    let media = media::of_request(request.headers())?;
    let response_media = media::of_response(request.headers());
    let connection = request.extensions().get::<Connection>().cloned();
    let authorization = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = authorization.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let body = read_body(request.into_body()).await?;
    let call: Call = match media {
        MediaType::Json => decode_json(&body)?,
        MediaType::Protobuf => decode_proto(&body)?,
    };
    let (framework_id, executor_id, command) = call.into_command()?;
    let executor = ExecutorKey { framework_id, executor_id };
    let call = match command {
        Command::Subscribe(subscribe) => {
            let stream = StreamId(STREAMS.fetch_add(1, Ordering::Relaxed));
            let call = ExecutorCall::Subscribe { stream, subscribe };
            let media = response_media?;
            let (stream, body) = channel(agent, &executor, stream, media, connection);
            ask(agent, executor, call, token, Some(stream)).await?;
            let mut response = Response::new(Body::new(body));
            response.headers_mut().insert(header::CONTENT_TYPE, media.header_value());
            return Ok(response);
        }
        Command::Update(status) => ExecutorCall::Update(status),
        Command::Message(data) => ExecutorCall::Message(data),
        Command::Heartbeat => ExecutorCall::Heartbeat,
    };
    ask(agent, executor, call, token, None).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

/// A stream of events; the supervisor is told of its end.
fn channel(
    agent: &Agent,
    executor: &ExecutorKey,
    id: StreamId,
    media: MediaType,
    connection: Option<Connection>,
) -> (Stream, StreamBody) {
    let messages = agent.messages.clone();
    let name = executor.executor_id.clone();
    let (sender, body) = stream::channel(STREAM_LIMITS, connection, move |why| {
        tracing::info!(executor = %name, %why, "the stream of an executor ended");
        // Called by whoever ends it, who must not wait; the loop may have ended as well.
        tokio::spawn(async move { messages.send(Message::Input(Input::StreamClosed(id))).await });
    });
    (Stream { sender, media }, body)
}

async fn ask(
    agent: &Agent,
    executor: ExecutorKey,
    call: ExecutorCall,
    token: Option<String>,
    stream: Option<Stream>,
) -> Result<(), Rejection> {
    let (answer, answered) = oneshot::channel();
    let called = Called { executor, call, token, stream, answer };
    agent.messages.send(Message::ExecutorCalled(Box::new(called))).await.map_err(|_| Unavailable)?;
    Ok(answered.await.map_err(|_| Unavailable)??)
}
