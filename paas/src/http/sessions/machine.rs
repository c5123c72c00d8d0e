//! What is asked of the agent that a task is on, through its operator API.

use attica_core_api::agent::{
    AttachContainerInput, AttachContainerInputType, AttachContainerOutput, Call, CallType,
    LaunchNestedContainerSession, ProcessIo, RemoveContainer, Response as Answer, WaitContainerCall,
};
use attica_core_api::http::{Client, ClientError, MediaType, ResponseBody};
use attica_core_api::message::Nested;
use attica_core_api::recordio::{self, Decoder};
use attica_core_api::v1::{
    CommandInfo, ContainerId, ContainerInfo, ContainerType, Environment, FrameworkId, TaskId, TtyInfo, Variable,
    WindowSize,
};
use attica_core_api::{decode_json, decode_proto, encode_proto};
use attica_paas_api::session::{Exec, TerminalSize};
use axum::response::Response as HttpResponse;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Uri, header};
use http_body_util::BodyExt;

use super::super::answer;

const RECORDIO: HeaderValue = HeaderValue::from_static("application/recordio");
const MESSAGE_ACCEPT: HeaderName = HeaderName::from_static("message-accept");
const MESSAGE_CONTENT_TYPE: HeaderName = HeaderName::from_static("message-content-type");
/// More than an agent writes into a record.
const RECORD_BYTES_MAX: usize = 1 << 20;
/// More than the tasks of one machine.
const TASKS_BYTES_MAX: usize = 256 << 20;
/// A sentence.
const REFUSAL_BYTES_MAX: usize = 4 << 10;

/// Why an agent does not do what it is asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// It says no.
    #[error("{text}")]
    Refused { status: StatusCode, text: String },
    /// It does not answer.
    #[error("its agent does not answer: {0}")]
    Silent(#[from] ClientError),
    /// It does not know the task, or not yet.
    #[error("its agent says that it does not run")]
    NotRunning,
    /// It says what no agent says.
    #[error("its agent's answer is not one")]
    Unreadable,
}

impl Trouble {
    /// What the client is told; `task` begins the sentence.
    pub(super) fn answer(self, what: &str) -> HttpResponse {
        let status = match &self {
            Trouble::Refused { status: status @ (StatusCode::FORBIDDEN | StatusCode::CONFLICT), .. } => *status,
            Trouble::Refused { status: StatusCode::NOT_FOUND, .. } | Trouble::NotRunning => StatusCode::NOT_FOUND,
            // What cannot be started, or is not done in that container.
            Trouble::Refused { status: StatusCode::BAD_REQUEST | StatusCode::INTERNAL_SERVER_ERROR, .. } => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Trouble::Refused { .. } | Trouble::Silent(_) | Trouble::Unreadable => StatusCode::BAD_GATEWAY,
        };
        answer::message(status, format!("{what}: {self}"))
    }
}

/// A container, and the agent that it is on.
#[derive(Clone)]
pub(super) struct Machine {
    /// Without a time-out: programs take what is written to them when they like.
    pub(super) client: Client,
    pub(super) uri: Uri,
    pub(super) container: ContainerId,
}

/// The container of a task: within that of a group, if it is in one. `client` has a time-out.
///
/// # Errors
/// [`Trouble::NotRunning`] when there is none at this moment.
pub(super) async fn container_of(
    client: &Client,
    uri: &Uri,
    framework: &FrameworkId,
    task: &TaskId,
) -> Result<ContainerId, Trouble> {
    let call = Call { r#type: Some(CallType::GetTasks), ..Call::default() };
    let response = send(client, uri, plain(), encode_proto(&call).into()).await?;
    let text = client.text(response, TASKS_BYTES_MAX).await;
    let answer: Answer = decode_json(text.as_bytes()).map_err(|_| Trouble::Unreadable)?;
    let tasks = answer.get_tasks.ok_or(Trouble::Unreadable)?.launched_tasks;
    let found = tasks.into_iter().find(|known| known.task_id == *task && known.framework_id == *framework);
    let statuses = found.ok_or(Trouble::NotRunning)?.statuses;
    statuses.into_iter().rev().find_map(|status| status.container_status?.container_id).ok_or(Trouble::NotRunning)
}

/// Messages in protobuf, answers in JSON.
fn plain() -> HeaderMap {
    HeaderMap::from_iter([
        (header::CONTENT_TYPE, MediaType::Protobuf.header_value()),
        (header::ACCEPT, MediaType::Json.header_value()),
    ])
}

async fn send(client: &Client, uri: &Uri, headers: HeaderMap, body: Bytes) -> Result<Response<ResponseBody>, Trouble> {
    let response = client.post(uri, headers, body).await?;
    match response.status() {
        StatusCode::OK => Ok(response),
        status => Err(Trouble::Refused { status, text: client.text(response, REFUSAL_BYTES_MAX).await }),
    }
}

impl Machine {
    /// A container within this one.
    pub(super) fn within(&self, name: &str) -> Machine {
        let parent = Some(Nested(Box::new(self.container.clone())));
        Machine { container: ContainerId { value: name.to_owned(), parent }, ..self.clone() }
    }

    /// Runs a program in this container, which is within one that runs, until what it writes is not read any more.
    pub(super) async fn launch(&self, exec: Exec) -> Result<Output, Trouble> {
        let Exec { command, environment, terminal } = exec;
        let variable = |(name, value)| Variable { name, value: Some(value), ..Variable::default() };
        let command = CommandInfo {
            shell: false,
            value: command.first().cloned(),
            arguments: command,
            environment: Some(Environment { variables: environment.into_iter().map(variable).collect() }),
            ..CommandInfo::default()
        };
        let container = terminal.map(|size| {
            let tty_info = Some(terminal_info(size));
            Box::new(ContainerInfo { r#type: ContainerType::Mesos, tty_info, ..ContainerInfo::default() })
        });
        let container_id = self.container.clone();
        let launch = LaunchNestedContainerSession { container_id, command: Some(command), container };
        self.stream(Call {
            r#type: Some(CallType::LaunchNestedContainerSession),
            launch_nested_container_session: Some(launch),
            ..Call::default()
        })
        .await
    }

    /// What it writes from now on.
    pub(super) async fn output(&self) -> Result<Output, Trouble> {
        let attach = AttachContainerOutput { container_id: self.container.clone() };
        self.stream(Call {
            r#type: Some(CallType::AttachContainerOutput),
            attach_container_output: Some(attach),
            ..Call::default()
        })
        .await
    }

    async fn stream(&self, call: Call) -> Result<Output, Trouble> {
        let headers = HeaderMap::from_iter([
            (header::CONTENT_TYPE, MediaType::Protobuf.header_value()),
            (header::ACCEPT, RECORDIO),
            (MESSAGE_ACCEPT, MediaType::Protobuf.header_value()),
        ]);
        let response = send(&self.client, &self.uri, headers, encode_proto(&call).into()).await?;
        Ok(Output { body: response.into_body(), decoder: Decoder::new(RECORD_BYTES_MAX) })
    }

    /// Writes to it, and waits until that is taken.
    pub(super) async fn write(&self, pieces: Vec<ProcessIo>) -> Result<(), Trouble> {
        let whom = AttachContainerInput {
            r#type: Some(AttachContainerInputType::ContainerId),
            container_id: Some(self.container.clone()),
            process_io: None,
        };
        let what = pieces.into_iter().map(|piece| AttachContainerInput {
            r#type: Some(AttachContainerInputType::ProcessIo),
            container_id: None,
            process_io: Some(piece),
        });
        let mut body = Vec::new();
        for input in std::iter::once(whom).chain(what) {
            let call = Call {
                r#type: Some(CallType::AttachContainerInput),
                attach_container_input: Some(input),
                ..Call::default()
            };
            body.extend_from_slice(&recordio::encode(&encode_proto(&call)));
        }
        let headers = HeaderMap::from_iter([
            (header::CONTENT_TYPE, RECORDIO),
            (MESSAGE_CONTENT_TYPE, MediaType::Protobuf.header_value()),
        ]);
        send(&self.client, &self.uri, headers, body.into()).await.map(drop)
    }

    /// How it ended, as wait(2) has it, once it has; nothing when nobody knows.
    pub(super) async fn wait(self) -> Option<i32> {
        let wait = WaitContainerCall { container_id: self.container };
        let call = Call { r#type: Some(CallType::WaitContainer), wait_container: Some(wait), ..Call::default() };
        let response = send(&self.client, &self.uri, plain(), encode_proto(&call).into()).await.ok()?;
        let text = self.client.text(response, REFUSAL_BYTES_MAX).await;
        decode_json::<Answer>(text.as_bytes()).ok()?.wait_container?.exit_status
    }

    /// Has the agent forget it. When that fails, the agent forgets it with what it is within.
    pub(super) async fn remove(self) {
        let remove = RemoveContainer { container_id: self.container };
        let call = Call { r#type: Some(CallType::RemoveContainer), remove_container: Some(remove), ..Call::default() };
        if let Err(error) = send(&self.client, &self.uri, plain(), encode_proto(&call).into()).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "an agent keeps a session that is over");
        }
    }
}

pub(super) fn terminal_info(size: TerminalSize) -> TtyInfo {
    let TerminalSize { rows, columns } = size;
    TtyInfo { window_size: Some(WindowSize { rows: rows.into(), columns: columns.into() }) }
}

/// What a container writes.
pub(super) struct Output {
    body: ResponseBody,
    decoder: Decoder,
}

impl Output {
    /// The next record; nothing at the end, and when the connection broke. What it says may be waited for again after it was given up.
    pub(super) async fn next(&mut self) -> Option<ProcessIo> {
        loop {
            if let Some(record) = self.decoder.next_record().ok()? {
                return decode_proto(&record).ok();
            }
            let frame = self.body.frame().await?.ok()?;
            if let Some(data) = frame.data_ref() {
                self.decoder.push(data);
            }
        }
    }
}
