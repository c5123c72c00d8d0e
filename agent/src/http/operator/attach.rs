//! ATTACH_CONTAINER_INPUT and ATTACH_CONTAINER_OUTPUT.
//!
//! The input of a session, or of a container with a terminal, can be written by one at a time. The output of a session is what comes from now
//! on; that of any other container, which goes to files in its sandbox, is what is appended to these from now on.

use attica_core_api::agent::{
    AttachContainerInput, AttachContainerInputType, Call, Command, ProcessIo, ProcessIoControlType, ProcessIoDataType,
    ProcessIoType,
};
use attica_core_api::auth::Viewer;
use attica_core_api::http::{BodyPatience, Connection, MediaType};
use attica_core_api::recordio::Decoder;
use attica_core_api::v1::ContainerId as WireContainerId;
use attica_core_api::{decode_json, decode_proto};
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http_body_util::BodyExt;

use super::session::Input;
use super::streaming::Outgoing;
use super::{Rejection, follow, keyboard};
use crate::contained::ContainerPath;
use crate::http::Agent;
use crate::supervisor::{Direction, OperatorCall, OperatorRefusal, OperatorReply, Outlet};

/// The largest record of input.
const RECORD_BYTES_MAX: usize = 1 << 20;

/// ATTACH_CONTAINER_OUTPUT
pub(super) async fn output(
    agent: &Agent,
    viewer: Viewer,
    id: &WireContainerId,
    outgoing: Outgoing,
    connection: Option<Connection>,
) -> Result<Response, Rejection> {
    let path = ContainerPath::from(id);
    match attach(agent, viewer, &path, Direction::Output).await? {
        Outlet::Session => match agent.sessions.get(&path) {
            Some(session) => Ok(session.join(outgoing, connection)),
            None => Err(OperatorRefusal::NoContainer(path).into()),
        },
        Outlet::Files(directory) => follow::start(agent, path, directory, None, outgoing, connection).await,
        Outlet::Terminal { container, directory } => {
            // There is none any more where the container is about to end.
            let visit = keyboard::visit(agent.runtime_dir.clone(), container).await.ok();
            follow::start(agent, path, directory, visit, outgoing, connection).await
        }
    }
}

async fn attach(
    agent: &Agent,
    viewer: Viewer,
    path: &ContainerPath,
    direction: Direction,
) -> Result<Outlet, Rejection> {
    match agent.ask(OperatorCall::Attach(path.clone(), direction), viewer).await? {
        OperatorReply::Attached(outlet) => Ok(outlet),
        OperatorReply::Refused(refusal) => Err(refusal.into()),
        OperatorReply::Launched | OperatorReply::AlreadyRunning | OperatorReply::Done | OperatorReply::Ended(_) => {
            Err(Rejection::Ending)
        }
    }
}

/// The records of a request that has no end in sight.
struct Records {
    body: Body,
    decoder: Decoder,
    media: MediaType,
}

impl Records {
    /// The next one's content; `None` at the end.
    async fn next(&mut self) -> Result<Option<AttachContainerInput>, Rejection> {
        loop {
            if let Some(record) = self.decoder.next_record()? {
                let call: Call = match self.media {
                    MediaType::Json => decode_json(&record)?,
                    MediaType::Protobuf => decode_proto(&record)?,
                };
                let Command::AttachContainerInput(input) = call.into_command()? else {
                    return Err(Rejection::Unsupported415("Only ATTACH_CONTAINER_INPUT calls can be streamed"));
                };
                return Ok(Some(input));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.decoder.push(data);
                    }
                }
                // Whoever wrote has gone: what came before counts.
                Some(Err(_)) | None => return Ok(None),
            }
        }
    }
}

/// ATTACH_CONTAINER_INPUT, answered when there is no more of it. Only an empty piece is the end of the program's input: somebody else may
/// go on after this connection.
pub(super) async fn input(agent: &Agent, request: Request, media: MediaType) -> Result<Response, Rejection> {
    let viewer = Viewer::of(request.extensions());
    if let Some(patience) = request.extensions().get::<BodyPatience>() {
        patience.lift();
    }
    let mut records = Records { body: request.into_body(), decoder: Decoder::new(RECORD_BYTES_MAX), media };
    let first = records.next().await?.ok_or(Rejection::Bad("Expecting a first record that names the container"))?;
    let (Some(AttachContainerInputType::ContainerId), Some(id)) = (first.r#type, &first.container_id) else {
        return Err(Rejection::Bad("Expecting 'attach_container_input.type' of the first record to be CONTAINER_ID"));
    };
    let path = ContainerPath::from(id);
    match attach(agent, viewer, &path, Direction::Input).await? {
        Outlet::Session => {
            let missing = || Rejection::from(OperatorRefusal::NoContainer(path.clone()));
            let session = agent.sessions.get(&path).ok_or_else(missing)?;
            let mut slot = session.input.try_lock().map_err(|_| Rejection::Attached)?;
            let mut over = session.over.subscribe();
            pass_on(records, &mut slot, async { drop(over.wait_for(|over| *over).await) }).await
        }
        Outlet::Terminal { container, directory: _ } => {
            let (_turn, input) = keyboard::take(agent, container).await?;
            let end = agent.ask(OperatorCall::Wait(path), Viewer::default());
            pass_on(records, &mut Some(input), async { drop(end.await) }).await
        }
        Outlet::Files(_) => Err(OperatorRefusal::NoInput(path).into()),
    }
}

/// Until there are no more records, or what they are for is over.
async fn pass_on(
    mut records: Records,
    slot: &mut Option<Input>,
    over: impl Future<Output = ()>,
) -> Result<Response, Rejection> {
    let mut over = std::pin::pin!(over);
    loop {
        let record = tokio::select! {
            record = records.next() => record?,
            () = &mut over => None,
        };
        let Some(record) = record else { return Ok(StatusCode::OK.into_response()) };
        let (Some(AttachContainerInputType::ProcessIo), Some(io)) = (record.r#type, record.process_io) else {
            return Err(Rejection::Bad("Expecting 'attach_container_input.type' to be PROCESS_IO"));
        };
        let written = tokio::select! {
            written = take(slot, io) => written,
            () = &mut over => return Ok(StatusCode::OK.into_response()),
        };
        written?;
    }
}

async fn take(slot: &mut Option<Input>, io: ProcessIo) -> Result<(), Rejection> {
    match (io.r#type, io.data, io.control) {
        (Some(ProcessIoType::Data), Some(data), _) => {
            if data.r#type != Some(ProcessIoDataType::Stdin) {
                return Err(Rejection::Bad("Expecting 'process_io.data.type' to be STDIN"));
            }
            let piece = data.data.unwrap_or_default();
            if !piece.is_empty() {
                return match slot {
                    Some(input) => input.write(&piece).await.map_err(Rejection::Streams),
                    None => Err(Rejection::Bad("The input has been closed")),
                };
            }
            if let Some(input) = slot.take() {
                *slot = input.end().await.map_err(Rejection::Streams)?;
            }
            Ok(())
        }
        (Some(ProcessIoType::Control), _, Some(control)) => match (control.r#type, control.tty_info, slot) {
            (Some(ProcessIoControlType::TtyInfo), Some(tty), Some(input)) => match &tty.window_size {
                Some(size) => input.resize(size).map_err(Rejection::Streams),
                None => Ok(()),
            },
            (Some(ProcessIoControlType::Heartbeat), _, _) | (Some(ProcessIoControlType::TtyInfo), Some(_), None) => {
                Ok(())
            }
            (Some(ProcessIoControlType::TtyInfo), None, _) | (Some(ProcessIoControlType::Unknown) | None, _, _) => {
                Err(Rejection::Bad("Expecting 'process_io.control' to be a TTY_INFO or a HEARTBEAT"))
            }
        },
        (Some(ProcessIoType::Data | ProcessIoType::Control | ProcessIoType::Unknown) | None, _, _) => {
            Err(Rejection::Bad("Expecting 'process_io' to be DATA or CONTROL"))
        }
    }
}
