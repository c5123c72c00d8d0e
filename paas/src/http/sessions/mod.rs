//! `/v2/tasks/{task}/exec` and `/attach`: programs that are run within a task, and what these and the task itself write and read.
//!
//! An answer tells, line by line, what is written, and ends the program when it is not read any more. What is written *to* a program comes
//! in requests of its own, since a browser cannot write while it reads an answer. A session is known to the leader that began it, and to
//! nobody after it: its agent is asked in the name of the service layer, so whoever writes to one has to have been told its name.

mod machine;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use attica_core_api::agent::{ProcessIo, ProcessIoDataType, ProcessIoType};
use attica_core_api::http::{Client, Protocol, Security};
use attica_paas_api::session::{Exec, OutputStream, SessionEvent, SessionInput};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{Request, StatusCode, header};
use tokio::sync::mpsc;
use uuid::Uuid;

use self::machine::{Machine, Output, Trouble, container_of, terminal_info};
use super::service::{Leading, Service};
use super::{answer, body, guard, refusal};
use crate::access::Sight;
use crate::normalise;
use crate::validate::Faults;

const LINES: &str = "application/x-ndjson";
/// Sessions at a time.
const SESSIONS_MAX: usize = 1_000;
/// Lines that wait for whoever reads them; then the agent waits.
const WAITING_LINES_MAX: usize = 4;
const COMMAND_BYTES_MAX: usize = 64 << 10;

/// The sessions that this process has begun. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    /// Waits as long as it takes.
    pub(super) client: Client,
    /// By the task, which was judged, and the id of the session.
    open: Arc<Mutex<HashMap<(String, String), Machine>>>,
    /// The containers of tasks that somebody is attached to, so that they need not be looked for with every key.
    attached: Arc<Mutex<HashMap<String, Machine>>>,
}

impl Sessions {
    /// None yet; agents are asked with this proof of who asks.
    #[must_use]
    pub fn new(security: &Security) -> Self {
        let client = Client::secured(Protocol::Http1, Duration::MAX, security.clone());
        Self { client, open: Arc::default(), attached: Arc::default() }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<(String, String), Machine>> {
        // Nothing panics while it holds the lock.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As above.
    fn attached(&self) -> MutexGuard<'_, HashMap<String, Machine>> {
        self.attached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a program.
pub(super) async fn exec(service: &Service, leading: &Leading, task: &str, request: Request<Body>) -> Response {
    let sight = guard::proven(&request).caller.sight();
    let exec: Exec = match body::document(request.into_body()).await {
        Ok(exec) => exec,
        Err(refused) => return refused,
    };
    if let Err(faults) = check(&exec) {
        return refusal::invalid(faults);
    }
    if service.sessions.open().len() >= SESSIONS_MAX {
        return answer::unavailable(format!("{SESSIONS_MAX} sessions are open already"));
    }
    let whole = match find(service, leading, sight, task).await {
        Ok(whole) => whole,
        Err(refused) => return refused,
    };
    let session = Uuid::new_v4().to_string();
    let machine = whole.within(&session);
    let program = exec.command.first().cloned().unwrap_or_default();
    let output = match machine.launch(exec).await {
        Ok(output) => output,
        Err(trouble) => return trouble.answer(&format!("'{program}' was not run in task '{task}'")),
    };
    let sessions = service.sessions.clone();
    let name = (task.to_owned(), session.clone());
    sessions.open().insert(name.clone(), machine.clone());
    let (lines, answer) = lines();
    tokio::spawn(async move {
        let ended = tokio::spawn(machine.clone().wait());
        let begun = lines.send(line(&SessionEvent::Started { session })).await;
        if begun.is_ok() {
            relay(output, &lines).await;
        } else {
            // Which ends it.
            drop(output);
        }
        let outcome = ended.await.ok().flatten();
        sessions.open().remove(&name);
        machine.remove().await;
        // Whoever has gone does not want to know.
        let _told = lines.send(line(&ending(outcome))).await;
    });
    answer
}

/// Tells what a task writes.
pub(super) async fn attach(service: &Service, leading: &Leading, sight: Sight, task: &str) -> Response {
    let machine = match find(service, leading, sight, task).await {
        Ok(machine) => machine,
        Err(refused) => return refused,
    };
    let output = match machine.output().await {
        Ok(output) => output,
        Err(trouble) => return trouble.answer(&format!("What task '{task}' writes cannot be read now")),
    };
    let (lines, answer) = lines();
    let (sessions, name) = (service.sessions.clone(), task.to_owned());
    sessions.attached().insert(name.clone(), machine.clone());
    tokio::spawn(async move {
        let ended = tokio::spawn(machine.wait());
        relay(output, &lines).await;
        sessions.attached().remove(&name);
        if lines.is_closed() {
            return ended.abort();
        }
        let outcome = ended.await.ok().flatten();
        let _told = lines.send(line(&ending(outcome))).await;
    });
    answer
}

/// Writes to a program.
pub(super) async fn input(service: &Service, task: String, session: String, request: Request<Body>) -> Response {
    let name = (task, session);
    let machine = service.sessions.open().get(&name).cloned();
    match machine {
        Some(machine) => write(&machine, request).await,
        None => answer::message(StatusCode::NOT_FOUND, format!("Session '{}' is over", name.1)),
    }
}

/// Writes to the terminal of a task.
pub(super) async fn attach_input(service: &Service, leading: &Leading, task: &str, request: Request<Body>) -> Response {
    let known = service.sessions.attached().get(task).cloned();
    let machine = match known {
        Some(machine) => machine,
        None => match find(service, leading, guard::proven(&request).caller.sight(), task).await {
            Ok(machine) => machine,
            Err(refused) => return refused,
        },
    };
    write(&machine, request).await
}

async fn write(machine: &Machine, request: Request<Body>) -> Response {
    let SessionInput { terminal, data, end } = match body::document(request.into_body()).await {
        Ok(input) => input,
        Err(refused) => return refused,
    };
    let Ok(data) = data.map(|data| BASE64.decode(data)).transpose() else {
        return refusal::invalid(Faults::one("/data", "is not base64"));
    };
    let resized = terminal.map(|size| ProcessIo::resize(terminal_info(size)));
    let written = |data: Vec<u8>| ProcessIo::piece(ProcessIoDataType::Stdin, data.into());
    // An empty piece is the end.
    let data = data.filter(|data| !data.is_empty()).map(written);
    let end = end.then(|| written(Vec::new()));
    match machine.write([resized, data, end].into_iter().flatten().collect()).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(trouble) => trouble.answer("It was not written"),
    }
}

fn check(exec: &Exec) -> Result<(), Faults> {
    let mut faults = Faults::default();
    if exec.command.first().is_none_or(String::is_empty) {
        faults.add("/command", "must begin with the name of a program");
    }
    let bytes: usize = exec.command.iter().map(String::len).sum();
    if bytes > COMMAND_BYTES_MAX {
        faults.add("/command", format!("must not be longer than {COMMAND_BYTES_MAX} bytes"));
    }
    if exec.command.iter().any(|word| word.contains('\0')) {
        faults.add("/command", "must not contain a zero byte");
    }
    for (name, value) in &exec.environment {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            faults.add("/environment", "names must not be empty nor contain '=', and nothing a zero byte");
        }
    }
    faults.into_result(())
}

/// The container of a task.
async fn find(service: &Service, leading: &Leading, sight: Sight, task: &str) -> Result<Machine, Response> {
    let sandbox = leading.model.seen_by(sight).sandbox(task).zip(leading.model.framework_id());
    let Some((sandbox, framework)) = sandbox else {
        return Err(answer::message(StatusCode::NOT_FOUND, format!("Task '{task}' does not exist")));
    };
    let agents = service.agents.list().await.map_err(|error| error.answer())?;
    let failed = |trouble: Trouble| trouble.answer(&format!("Task '{task}' cannot be reached"));
    let agent = agents.iter().find(|agent| agent.id == sandbox.agent.as_str());
    let agent = agent.ok_or_else(|| failed(Trouble::NotRunning))?;
    let uri = service.agent_client.uri(&agent.address, "/api/v1").ok_or_else(|| failed(Trouble::Unreadable))?;
    let container = container_of(&service.agent_client, &uri, &framework, &sandbox.task).await.map_err(failed)?;
    Ok(Machine { client: service.sessions.client.clone(), uri, container })
}

/// The answer that consists of lines yet to come.
fn lines() -> (mpsc::Sender<Bytes>, Response) {
    let (sender, mut receiver) = mpsc::channel(WAITING_LINES_MAX);
    let lines = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
    let lines = futures_util::StreamExt::map(lines, Ok::<Bytes, std::convert::Infallible>);
    (sender, ([(header::CONTENT_TYPE, LINES)], Body::from_stream(lines)).into_response())
}

fn line(event: &SessionEvent) -> Bytes {
    let mut line = normalise::json(event);
    line.push('\n');
    line.into()
}

/// Tells what is written until nothing more is, or nobody listens. What writes has ended, or is ended, then.
async fn relay(mut output: Output, lines: &mpsc::Sender<Bytes>) {
    loop {
        let io = tokio::select! {
            io = output.next() => io,
            () = lines.closed() => None,
        };
        let Some(io) = io else { return };
        if lines.send(line(&event(io))).await.is_err() {
            return;
        }
    }
}

fn event(io: ProcessIo) -> SessionEvent {
    let Some(data) = io.data.filter(|_| io.r#type == Some(ProcessIoType::Data)) else { return SessionEvent::Alive };
    let stream = match data.r#type {
        Some(ProcessIoDataType::Stderr) => OutputStream::Stderr,
        Some(ProcessIoDataType::Stdout | ProcessIoDataType::Stdin | ProcessIoDataType::Unknown) | None => {
            OutputStream::Stdout
        }
    };
    SessionEvent::Output { stream, data: BASE64.encode(data.data.unwrap_or_default()) }
}

/// From what wait(2) tells.
fn ending(status: Option<i32>) -> SessionEvent {
    let [exit_status, signal] = status.map_or([None, None], |status| {
        let part = |shift: i32, mask: i32| u8::try_from((status >> shift) & mask).ok();
        match part(0, 0x7f) {
            None | Some(0) => [part(8, 0xff), None],
            signal => [None, signal],
        }
    });
    SessionEvent::Ended { exit_status, signal }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn an_end_is_told_as_the_system_tells_it() {
        let of = |exit_status, signal| SessionEvent::Ended { exit_status, signal };
        for (status, expected) in [
            (Some(0), of(Some(0), None)),
            (Some(255 << 8), of(Some(255), None)),
            (Some(9), of(None, Some(9))),
            // With a core file.
            (Some(0x80 | 11), of(None, Some(11))),
            (None, of(None, None)),
        ] {
            assert_eq!(ending(status), expected, "{status:?}");
        }
    }

    #[test]
    fn what_is_written_is_told_apart() {
        let piece = |kind| event(ProcessIo::piece(kind, "x".into()));
        let output = |stream| SessionEvent::Output { stream, data: "eA==".to_owned() };
        assert_eq!(piece(ProcessIoDataType::Stdout), output(OutputStream::Stdout));
        assert_eq!(piece(ProcessIoDataType::Stderr), output(OutputStream::Stderr));
        assert_eq!(event(ProcessIo::heartbeat(1)), SessionEvent::Alive);
        assert_eq!(line(&SessionEvent::Alive), "{\"type\":\"alive\"}\n");
    }

    #[test]
    fn what_cannot_be_run_is_refused_before_anybody_is_asked() {
        let exec = |command: &[&str], name: &str, value: &str| Exec {
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            environment: BTreeMap::from([(name.to_owned(), value.to_owned())]),
            terminal: None,
        };
        assert!(check(&exec(&["sh", "-c", ""], "TERM", "")).is_ok());
        for wrong in [
            exec(&[], "A", "b"),
            exec(&[""], "A", "b"),
            exec(&["a", "b\0"], "A", "b"),
            exec(&["a"], "", "b"),
            exec(&["a"], "A=", "b"),
            exec(&["a"], "A", "\0"),
            exec(&["a", &"x".repeat(COMMAND_BYTES_MAX)], "A", "b"),
        ] {
            assert!(check(&wrong).is_err(), "{wrong:?}");
        }
    }
}
