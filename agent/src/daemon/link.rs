//! The agent's end of the daemon: what it has at the beginning, what becomes of it, and what is asked of it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::client::{Client, DaemonError, Inspected};
use super::spec::{DaemonSpec, Exec};
use super::{Order, logs};
use crate::launcher::process;
use crate::launcher::protocol::{
    ContainerId, ContainerReport, Ending, Exit, MemoryVerdict, Process, Reply, Request, SANDBOX, Stage,
};
use crate::shell::Message;
use crate::supervisor::Input;

/// Pause before a daemon that has gone is looked for again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// What Docker sends when neither image nor task say otherwise.
const STOP_SIGNAL: &str = "SIGTERM";

/// Works with the daemon until the agent has nothing more to ask.
#[derive(Clone)]
pub(crate) struct Link {
    client: Client,
    /// Whose containers are ours.
    owner: String,
    messages: mpsc::Sender<Message>,
    /// Commands in containers, by the names of their runs.
    runs: Arc<Mutex<HashMap<ContainerId, Run>>>,
}

/// A command on its way.
struct Run {
    /// The daemon's name for it, once it has one.
    exec: Option<String>,
    work: Option<AbortHandle>,
}

/// A container that was there before.
struct Found {
    report: ContainerReport,
    sandbox: Option<PathBuf>,
}

/// How a connection ended.
enum End {
    /// The agent asks for nothing more.
    Over,
    /// The daemon has gone.
    Lost(DaemonError),
}

impl Link {
    pub(crate) fn new(client: Client, owner: String, messages: mpsc::Sender<Message>) -> Link {
        Link { client, owner, messages, runs: Arc::default() }
    }

    pub(crate) async fn run(self) {
        let mut known_away = false;
        loop {
            match self.converse().await {
                End::Over => return,
                End::Lost(error) => {
                    if !known_away {
                        tracing::warn!(error = &error as &dyn std::error::Error, "the Docker daemon is away");
                    }
                    known_away = !matches!(error, DaemonError::Broken(_) | DaemonError::BrokenOff(_));
                }
            }
            self.lock().clear();
            if self.messages.send(Message::DaemonClosed).await.is_err() {
                return;
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    async fn converse(&self) -> End {
        let found = match self.begin().await {
            Ok(found) => found,
            Err(error) => return End::Lost(error),
        };
        let reports = found.iter().map(|found| found.report.clone()).collect();
        let (orders, mut queue) = mpsc::unbounded_channel();
        if self.messages.send(Message::DaemonOpened { orders, reports }).await.is_err() {
            return End::Over;
        }
        let mut work = Work::default();
        for Found { report, sandbox } in found {
            work.lasting.spawn(self.clone().attend(report.container, sandbox));
        }
        let gone = self.client.await_end();
        tokio::pin!(gone);
        loop {
            tokio::select! {
                error = &mut gone => return End::Lost(error),
                order = queue.recv() => match order {
                    Some(order) => self.obey(order, &mut work),
                    None => break,
                },
                Some(_) = work.lasting.join_next() => {}
                Some(_) = work.brief.join_next() => {}
            }
        }
        // What was asked last is still done: containers are removed.
        while work.brief.join_next().await.is_some() {}
        End::Over
    }

    /// What the daemon has of ours. What was made and never started is removed: it is made again.
    async fn begin(&self) -> Result<Vec<Found>, DaemonError> {
        self.client.ping().await?;
        let mut all = Vec::new();
        for found in self.client.list(&self.owner).await? {
            let Some(container) = found.container() else { continue };
            if found.state.status == "created" {
                self.client.remove(&container).await?;
                continue;
            }
            // Even of one that has ended the end follows: once all that it has written is here.
            let report = ContainerReport { container, process: first_process(&found), stage: Stage::Running };
            all.push(Found { report, sandbox: sandbox(&found) });
        }
        Ok(all)
    }

    fn obey(&self, order: Order, work: &mut Work) {
        let link = self.clone();
        match order {
            Order::Launch(spec) => drop(work.lasting.spawn(link.launch(*spec))),
            Order::Exec(exec) => {
                let run = exec.run.clone();
                // Before it begins: it may be over at once.
                self.lock().insert(run.clone(), Run { exec: None, work: None });
                let handle = work.lasting.spawn(link.execute(*exec));
                if let Some(known) = self.lock().get_mut(&run) {
                    known.work = Some(handle);
                }
            }
            Order::Ask(Request::Terminate(container)) => {
                work.brief.spawn(link.signal(container, None));
            }
            Order::Ask(Request::Destroy(container)) => match self.lock().remove(&container) {
                Some(run) => drop(work.brief.spawn(link.end_run(container, run))),
                None => drop(work.brief.spawn(link.signal(container, Some("SIGKILL")))),
            },
            Order::Ask(Request::Forget(containers)) => {
                for container in containers {
                    work.brief.spawn(self.clone().forget(container));
                }
            }
            // Of what the launcher alone is asked.
            Order::Ask(Request::Hello { .. } | Request::Launch(_) | Request::Resize(..) | Request::Stop) => {}
        }
    }

    async fn launch(self, spec: DaemonSpec) {
        let container = spec.container.clone();
        let started = async {
            self.client.create(&container, &spec.create).await?;
            self.client.start(&container).await?;
            self.client.inspect(&container).await
        };
        match started.await {
            Ok(found) => {
                let address = found.address();
                self.tell(Input::Located { container: container.clone(), address }).await;
                let process = first_process(&found);
                self.tell(Input::Launcher(Reply::Started { container: container.clone(), process })).await;
                self.attend(container, sandbox(&found)).await;
            }
            // What comes of it is seen when the daemon is there again.
            Err(error) if !error.is_answer() => self.complain("start", &container, &error),
            Err(error) => {
                if let Err(error) = self.client.remove(&container).await {
                    self.complain("remove", &container, &error);
                }
                let error = crate::error_chain(&error);
                self.tell(Input::Launcher(Reply::LaunchFailed { container, error })).await;
            }
        }
    }

    /// Follows a container until it has ended and all that it has written is in its sandbox.
    async fn attend(self, container: ContainerId, sandbox: Option<PathBuf>) {
        let written = async {
            let Some(sandbox) = sandbox else { return Ok(()) };
            match self.client.logs(&container).await {
                Ok(stream) => logs::keep(stream, &sandbox).await,
                Err(error) => Err(error),
            }
        };
        let (ended, written) = tokio::join!(self.client.wait(&container), written);
        if let Err(error) = written {
            self.complain("read the output of", &container, &error);
        }
        let ending = match ended {
            Ok(()) => self.client.inspect(&container).await.map(|found| ending(&found)),
            Err(error) => Err(error),
        };
        match ending {
            Ok(ending) => self.tell(Input::Launcher(Reply::Ended { container, ending })).await,
            Err(error) if error.is_missing() => {
                let ending = Ending { exit: Exit::Unknown, memory: MemoryVerdict::WithinLimit };
                self.tell(Input::Launcher(Reply::Ended { container, ending })).await;
            }
            Err(error) => self.complain("wait for", &container, &error),
        }
    }

    async fn execute(self, exec: Exec) {
        let container = exec.run.clone();
        let outcome = async {
            let id = self.client.prepare(&exec).await?;
            if let Some(run) = self.lock().get_mut(&container) {
                run.exec = Some(id.clone());
            }
            let mut output = self.client.execute(&id).await?;
            // It is nobody's, but whoever writes would wait.
            while http_body_util::BodyExt::frame(&mut output).await.is_some() {}
            self.client.executed(&id).await
        };
        let outcome = outcome.await;
        // Otherwise it was ended meanwhile, and that was told.
        if self.lock().remove(&container).is_none() {
            return;
        }
        let reply = match outcome {
            Ok(executed) => {
                let exit = executed.exit_code.map_or(Exit::Unknown, Exit::Code);
                Reply::Ended { container, ending: Ending { exit, memory: MemoryVerdict::WithinLimit } }
            }
            Err(error) => Reply::LaunchFailed { container, error: crate::error_chain(&error) },
        };
        self.tell(Input::Launcher(reply)).await;
    }

    /// Kills a command in a container; there is no call for that.
    async fn end_run(self, container: ContainerId, run: Run) {
        if let Some(exec) = &run.exec
            && let Ok(executed) = self.client.executed(exec).await
            && executed.exit_code.is_none()
            && executed.pid > 0
        {
            let _ended_meanwhile = kill(Pid::from_raw(executed.pid), Signal::SIGKILL);
        }
        if let Some(work) = run.work {
            work.abort();
        }
        let ending = Ending { exit: Exit::Signal(libc::SIGKILL), memory: MemoryVerdict::WithinLimit };
        self.tell(Input::Launcher(Reply::Ended { container, ending })).await;
    }

    /// `None`: what the image or the task wants to be stopped with.
    async fn signal(self, container: ContainerId, signal: Option<&'static str>) {
        let sent = async {
            let signal = match signal {
                Some(signal) => signal.to_owned(),
                None => self.client.inspect(&container).await?.config.stop_signal.unwrap_or(STOP_SIGNAL.to_owned()),
            };
            self.client.kill(&container, &signal).await
        };
        match sent.await {
            // It has ended meanwhile.
            Err(DaemonError::Refused { status: http::StatusCode::CONFLICT | http::StatusCode::NOT_FOUND, .. })
            | Ok(()) => {}
            Err(error) => self.complain("signal", &container, &error),
        }
    }

    async fn forget(self, container: ContainerId) {
        if let Err(error) = self.client.remove(&container).await {
            self.complain("remove", &container, &error);
        }
    }

    async fn tell(&self, input: Input) {
        // Nobody listens any more when the agent ends.
        let _ended = self.messages.send(Message::Input(input)).await;
    }

    fn complain(&self, action: &str, container: &ContainerId, error: &DaemonError) {
        tracing::warn!(%container, error = error as &dyn std::error::Error, "the Docker daemon cannot {action} it");
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ContainerId, Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is being done. It ends with the connection.
#[derive(Default)]
struct Work {
    /// Until a container ends.
    lasting: JoinSet<()>,
    /// Not for long.
    brief: JoinSet<()>,
}

fn first_process(found: &Inspected) -> Process {
    let running = found.state.pid > 0;
    running.then(|| process::identify(found.state.pid)).flatten().unwrap_or(Process::NONE)
}

/// Where the sandbox is that it sees.
fn sandbox(found: &Inspected) -> Option<PathBuf> {
    found.mounted_at(SANDBOX.as_ref()).map(PathBuf::from)
}

fn ending(found: &Inspected) -> Ending {
    let limit_bytes = found.memory_limit();
    let memory = match found.state.out_of_memory {
        // The daemon does not tell how much it was.
        true => MemoryVerdict::OutOfMemory { limit_bytes, peak_bytes: limit_bytes },
        false => MemoryVerdict::WithinLimit,
    };
    Ending { exit: Exit::Code(found.state.exit_code), memory }
}
