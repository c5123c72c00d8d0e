//! `POST /api/v1`: calls of operators, in JSON and protobuf.

mod permit;
mod reads;

use std::time::Duration;

use attica_core_api::agent::{Call, CallType, Command, Invalid, Response as Answer};
use attica_core_api::auth::Viewer;
use attica_core_api::http::{BodyError, MediaType, media, media::MediaError, read_body};
use attica_core_api::operator::SetLoggingLevel;
use attica_core_api::{decode_json, decode_proto, encode_json, encode_proto};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header};

use super::files::{self, FileError};
use super::{Agent, Unavailable};

/// A call that is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Rejection {
    #[error("405 Method Not Allowed. Expecting one of {{ 'POST' }}, but received '{0}'.")]
    Method(Method),
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Decode(#[from] attica_core_api::DecodeError),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("{0}")]
    Bad(&'static str),
    #[error("This agent does not support `{}`", .0.name())]
    Unsupported(CallType),
    #[error("403 Forbidden.")]
    Forbidden,
    #[error(transparent)]
    Logging(#[from] attica_core_api::logging::NoControl),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("The agent is about to end")]
    Ending,
}

impl From<Unavailable> for Rejection {
    fn from(Unavailable: Unavailable) -> Rejection {
        Rejection::Ending
    }
}

impl Rejection {
    fn status(&self) -> StatusCode {
        match self {
            Rejection::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Rejection::Media(error) => error.status(),
            Rejection::Body(error) => error.status(),
            Rejection::Invalid(Invalid::UnknownType) | Rejection::Unsupported(_) => StatusCode::NOT_IMPLEMENTED,
            Rejection::Decode(_)
            | Rejection::Invalid(
                Invalid::Absent(_) | Invalid::ContainerId { .. } | Invalid::Depth { .. } | Invalid::ResourcesOfNested,
            )
            | Rejection::Bad(_) => StatusCode::BAD_REQUEST,
            Rejection::Forbidden => StatusCode::FORBIDDEN,
            Rejection::File(error) => error.status(),
            Rejection::Logging(_) | Rejection::Ending => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        if let Rejection::File(error) = self {
            return error.into_response();
        }
        let mut response = (self.status(), self.to_string()).into_response();
        if let Rejection::Method(_) = self {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}

/// Takes one call. The checks come in Mesos's order: method, media type, body, shape, meaning.
pub(super) async fn call(State(agent): State<Agent>, request: Request) -> Response {
    take(&agent, request).await.unwrap_or_else(IntoResponse::into_response)
}

async fn take(agent: &Agent, request: Request) -> Result<Response, Rejection> {
    if request.method() != Method::POST {
        return Err(Rejection::Method(request.method().clone()));
    }
    let media = media::of_request(request.headers())?;
    let response_media = media::of_response(request.headers());
    let viewer = Viewer::of(request.extensions());
    let body = read_body(request.into_body()).await?;
    let call: Call = match media {
        MediaType::Json => decode_json(&body)?,
        MediaType::Protobuf => decode_proto(&body)?,
    };
    let command = call.into_command()?;
    let media = response_media?;
    permit::check(&viewer, &command)?;
    let shown = |answer: Answer| Ok(encoded(media, &answer));
    match command {
        Command::GetHealth => shown(reads::health()),
        Command::GetFlags => shown(reads::flags(agent.view().await?.as_ref())),
        Command::GetVersion => shown(reads::version()),
        Command::GetMetrics(_) => shown(reads::metrics(agent.view().await?.as_ref())),
        Command::GetLoggingLevel => shown(reads::logging_level(&agent.logging)),
        Command::SetLoggingLevel(set) => set_logging_level(agent, &set),
        Command::ListFiles(list) => shown(reads::files(files::list_files(agent, &viewer, list.path).await?)),
        Command::ReadFile(read) => shown(reads::file(files::read_file(agent, &viewer, read).await?)),
        Command::GetState => shown(reads::state(agent.view().await?.as_ref(), &viewer)),
        Command::GetContainers(_) => shown(reads::containers(agent, &viewer).await?),
        Command::GetFrameworks => shown(reads::frameworks(agent.view().await?.as_ref(), &viewer)),
        Command::GetExecutors => shown(reads::executors(agent.view().await?.as_ref(), &viewer)),
        Command::GetOperations => shown(reads::operations()),
        Command::GetTasks => shown(reads::tasks(agent.view().await?.as_ref(), &viewer)),
        Command::GetAgent => shown(reads::agent(agent.view().await?.as_ref())),
        Command::GetResourceProviders => shown(reads::resource_providers()),
        Command::LaunchContainer(_) => Err(Rejection::Unsupported(CallType::LaunchContainer)),
        Command::WaitContainer(kind, _) => Err(Rejection::Unsupported(kind)),
        Command::KillContainer(_) => Err(Rejection::Unsupported(CallType::KillContainer)),
        Command::RemoveContainer(_) => Err(Rejection::Unsupported(CallType::RemoveContainer)),
        Command::LaunchNestedContainerSession(_) => Err(Rejection::Unsupported(CallType::LaunchNestedContainerSession)),
        Command::AttachContainerInput(_) => Err(Rejection::Unsupported(CallType::AttachContainerInput)),
        Command::AttachContainerOutput(_) => Err(Rejection::Unsupported(CallType::AttachContainerOutput)),
        Command::ResourceProviders(kind) => Err(Rejection::Unsupported(kind)),
        Command::PruneImages(_) => Err(Rejection::Unsupported(CallType::PruneImages)),
    }
}

fn set_logging_level(agent: &Agent, set: &SetLoggingLevel) -> Result<Response, Rejection> {
    let Ok(nanoseconds) = u64::try_from(set.duration.nanoseconds) else {
        return Err(Rejection::Bad("Failed to validate agent::Call: 'set_logging_level.duration' is negative"));
    };
    agent.logging.set(set.level, Duration::from_nanos(nanoseconds))?;
    Ok(StatusCode::OK.into_response())
}

fn encoded(media: MediaType, answer: &Answer) -> Response {
    let body = match media {
        MediaType::Json => encode_json(answer),
        MediaType::Protobuf => encode_proto(answer),
    };
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, media.header_value());
    response
}
