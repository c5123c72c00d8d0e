//! `POST /api/v1`: calls of operators, in JSON and protobuf.

mod attach;
mod containers;
mod follow;
mod keyboard;
mod permit;
mod reads;
mod session;
mod streaming;

use std::time::Duration;

use attica_core_api::agent::{Call, CallType, Command, Invalid, PruneImages, Response as Answer};
use attica_core_api::auth::Viewer;
use attica_core_api::http::{BodyError, Connection, MediaType, media::MediaError, read_body};
use attica_core_api::operator::SetLoggingLevel;
use attica_core_api::{decode_json, decode_proto, encode_json, encode_proto};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header};
use tokio::sync::oneshot;

pub(crate) use self::keyboard::Keyboards;
pub(crate) use self::session::Sessions;
use self::streaming::Incoming;
use super::files::{self, FileError};
use super::{Agent, Unavailable};
use crate::shell::Message;
use crate::supervisor::OperatorRefusal;

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
    #[error("{0}")]
    Unsupported415(&'static str),
    #[error(transparent)]
    Record(#[from] attica_core_api::recordio::RecordError),
    #[error(transparent)]
    Operator(#[from] OperatorRefusal),
    #[error("Somebody writes to the container already")]
    Attached,
    #[error("The container's streams cannot be used")]
    Streams(#[source] std::io::Error),
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
            | Rejection::Record(_)
            | Rejection::Bad(_) => StatusCode::BAD_REQUEST,
            Rejection::Unsupported415(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Rejection::Operator(refusal) => status_of(refusal),
            Rejection::Attached => StatusCode::CONFLICT,
            Rejection::Streams(_) => StatusCode::INTERNAL_SERVER_ERROR,
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
        if let Rejection::Streams(source) = &self {
            tracing::warn!(error = source as &dyn std::error::Error, "the streams of a container cannot be used");
        }
        let mut response = (self.status(), self.to_string()).into_response();
        if let Rejection::Method(_) = self {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}

fn status_of(refusal: &OperatorRefusal) -> StatusCode {
    match refusal {
        OperatorRefusal::Forbidden => StatusCode::FORBIDDEN,
        OperatorRefusal::NoContainer(_) | OperatorRefusal::NothingToKill(_) => StatusCode::NOT_FOUND,
        OperatorRefusal::NotAnOperators(_)
        | OperatorRefusal::NameTaken(_)
        | OperatorRefusal::NoInput(_)
        | OperatorRefusal::Unsupported(_) => StatusCode::BAD_REQUEST,
        OperatorRefusal::StillThere(_) | OperatorRefusal::NotYet(_) => StatusCode::CONFLICT,
        OperatorRefusal::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        OperatorRefusal::TooMany | OperatorRefusal::Crowded(_) | OperatorRefusal::Unavailable => {
            StatusCode::SERVICE_UNAVAILABLE
        }
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
    let media = match streaming::incoming(request.headers())? {
        Incoming::Message(media) => media,
        Incoming::Records(media) => return attach::input(agent, request, media).await,
    };
    let outgoing = streaming::outgoing(request.headers());
    let viewer = Viewer::of(request.extensions());
    let connection = request.extensions().get::<Connection>().cloned();
    let body = read_body(request.into_body()).await?;
    let call: Call = match media {
        MediaType::Json => decode_json(&body)?,
        MediaType::Protobuf => decode_proto(&body)?,
    };
    let command = call.into_command()?;
    let outgoing = outgoing?;
    let streams = matches!(command, Command::LaunchNestedContainerSession(_) | Command::AttachContainerOutput(_));
    if outgoing.records && !streams {
        return Err(MediaError::NotAcceptable.into());
    }
    let media = outgoing.media;
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
        Command::GetContainers(which) => shown(reads::containers(agent, &viewer, &which).await?),
        Command::GetFrameworks => shown(reads::frameworks(agent.view().await?.as_ref(), &viewer)),
        Command::GetExecutors => shown(reads::executors(agent.view().await?.as_ref(), &viewer)),
        Command::GetOperations => shown(reads::operations()),
        Command::GetTasks => shown(reads::tasks(agent.view().await?.as_ref(), &viewer)),
        Command::GetAgent => shown(reads::agent(agent.view().await?.as_ref())),
        Command::GetResourceProviders => shown(reads::resource_providers()),
        Command::LaunchContainer(launch) => containers::launch(agent, viewer, *launch).await,
        Command::WaitContainer(kind, id) => shown(containers::wait(agent, viewer, kind, &id).await?),
        Command::KillContainer(kill) => containers::kill(agent, viewer, kill).await,
        Command::RemoveContainer(id) => containers::remove(agent, viewer, &id).await,
        Command::LaunchNestedContainerSession(launch) => {
            session::launch(agent, viewer, *launch, outgoing, connection).await
        }
        Command::AttachContainerInput(_) => Err(Rejection::Unsupported415(
            "Expecting 'Content-Type' to be application/recordio for ATTACH_CONTAINER_INPUT",
        )),
        Command::AttachContainerOutput(id) => attach::output(agent, viewer, &id, outgoing, connection).await,
        Command::ResourceProviders(kind) => Err(Rejection::Unsupported(kind)),
        Command::PruneImages(prune) => prune_images(agent, prune).await,
    }
}

/// Answers when the images are gone.
async fn prune_images(agent: &Agent, prune: PruneImages) -> Result<Response, Rejection> {
    let named = prune.excluded_images.into_iter().filter_map(|image| image.docker);
    let except = named.map(|docker| docker.name).collect();
    let (done, outcome) = oneshot::channel();
    let asked = agent.messages.send(Message::PruneImages { except, done }).await;
    asked.map_err(|_| Rejection::Ending)?;
    match outcome.await {
        Ok(()) => Ok(StatusCode::OK.into_response()),
        Err(_) => Err(Rejection::Ending),
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
