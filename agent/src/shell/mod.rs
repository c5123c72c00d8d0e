//! Everything around the supervisor: it feeds inputs in, does what comes out, and keeps the time.

mod connections;
mod executors;
mod launcher_link;
mod master_link;
mod operators;
mod preparation;
mod prober;
mod reaper;
mod roots;
mod settings;
mod startup;
mod suppliers;
mod watcher;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use attica_core_api::link::{Operation, OperationStatus, Register, StatusUpdate};
use attica_core_api::v1::OperationState;
use attica_core_api::{Now, Tick, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use self::connections::Connections;
use self::executors::Executors;
pub(crate) use self::executors::{Called, Stream};
use self::launcher_link::Place;
use self::master_link::{MasterLink, Outgoing};
pub(crate) use self::operators::OperatorCalled;
use self::operators::Operators;
use self::roots::Roots;
pub use self::startup::{Error, run};
use self::suppliers::Suppliers;
use crate::checkpoint::{CheckpointError, Checkpoints};
use crate::contained::{ContainedFiles, ContainedRecord, Progress};
use crate::daemon::Order;
use crate::http::view::{self, View};
use crate::launcher::process;
use crate::launcher::protocol::{ContainerId, ContainerReport, IsolationKind, LaunchSpec, Reply, Request};
use crate::quota::ProjectQuotas;
use crate::rotation::Output;
use crate::sandbox::{self, Collected, DirectoryLink};
use crate::supervisor::{Effect, Input, OperatorCall, Supervisor, Suspect};
use crate::usage::Removals;
use crate::volumes;

/// Messages that wait for the loop; whoever sends more waits.
const MAX_MESSAGES: usize = 4_096;
/// Messages that are dealt with before their effects are done.
const MAX_BATCH: usize = 256;
/// How often old sandboxes are looked for.
const COLLECT_INTERVAL: Duration = Duration::from_secs(60);

/// What a task was given so short a time ago, it may not be known to use yet.
const PRUNE_RETENTION: Duration = Duration::from_secs(5);

/// What reaches the loop.
pub(crate) enum Message {
    /// For the supervisor.
    Input(Input),
    /// A launcher is there.
    LauncherOpened { requests: mpsc::UnboundedSender<Request>, hello: Reply },
    /// The launcher is gone.
    LauncherClosed,
    /// The Docker daemon is there, and has these containers.
    DaemonOpened { orders: mpsc::UnboundedSender<Order>, reports: Vec<ContainerReport> },
    /// It is gone.
    DaemonClosed,
    /// A network is there, or `Err` is why it is not.
    Connected { container: ContainerId, outcome: Result<(), String> },
    /// The link wants to register, with a new channel for calls.
    Register { master: String, calls: mpsc::UnboundedSender<Outgoing>, answer: oneshot::Sender<Register> },
    /// An executor has made a call, and waits for the answer.
    ExecutorCalled(Box<Called>),
    /// An operator wants something of a container, and waits for the answer.
    OperatorCalled(Box<OperatorCalled>),
    /// Somebody wants to look at what runs.
    Suspects(oneshot::Sender<Vec<Suspect>>),
    /// Somebody wants to look at what they write.
    Outputs(oneshot::Sender<Vec<Output>>),
    /// Images that nobody uses are to go, except these.
    PruneImages { except: Vec<String>, done: oneshot::Sender<()> },
    /// Somebody wants to see the agent's state.
    View(oneshot::Sender<Arc<View>>),
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Tasks go on.
    Stopped,
    /// The launcher ends, too.
    Finished,
}

/// What is to be launched, with the links that its sandbox gets.
struct Launch {
    spec: LaunchSpec,
    links: Vec<DirectoryLink>,
}

/// What is left when the loop has ended.
struct Ended {
    end: End,
    messages: mpsc::Receiver<Message>,
    networks: Option<Connections>,
}

/// Owns the supervisor and does what it wants done.
struct Shell {
    supervisor: Supervisor,
    checkpoints: Checkpoints,
    started: Instant,
    description: view::Description,
    isolation: Option<IsolationKind>,
    work_dir: PathBuf,
    retention: Duration,
    launcher: Option<mpsc::UnboundedSender<Request>>,
    daemon: Option<mpsc::UnboundedSender<Order>>,
    /// What the Docker daemon runs: of that it is asked, and not the launcher.
    with_daemon: HashSet<ContainerId>,
    master: Option<mpsc::UnboundedSender<Outgoing>>,
    /// The host of the master that it last registered with, or tried to.
    master_host: Option<String>,
    prober: mpsc::UnboundedSender<prober::Order>,
    executors: Executors,
    operators: Operators,
    contained: ContainedFiles,
    suppliers: Suppliers,
    /// `None`: this machine cannot give containers networks of their own.
    networks: Option<Connections>,
    roots: Roots,
    /// `None`: the file system does not count what sandboxes hold.
    quotas: Option<Arc<ProjectQuotas>>,
    removals: Arc<Removals>,
    /// Tasks of which the checkpoint lacks something. Until the master has the end of such a task, the launcher keeps it.
    incomplete: HashSet<ContainerId>,
    /// Tasks that were not written down and must not start.
    unprepared: HashSet<ContainerId>,
    /// Not sent yet.
    updates: Vec<StatusUpdate>,
    /// What followed from doing effects.
    aftermath: Vec<Input>,
}

impl Shell {
    fn now(&self) -> Now {
        let tick = Tick(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX));
        Now { tick, wall: Timestamp::from(std::time::SystemTime::now()) }
    }

    /// Works until the agent is to end, or until `stop` is dropped. Writes files: it wants a thread of its own.
    async fn run(
        mut self,
        mut messages: mpsc::Receiver<Message>,
        stop: oneshot::Receiver<std::convert::Infallible>,
    ) -> Ended {
        let end = self.work(&mut messages, stop).await;
        Ended { end, messages, networks: self.networks }
    }

    async fn work(
        &mut self,
        messages: &mut mpsc::Receiver<Message>,
        mut stop: oneshot::Receiver<std::convert::Infallible>,
    ) -> End {
        let mut batch = Vec::new();
        let mut collect = tokio::time::interval(COLLECT_INTERVAL);
        loop {
            let wake = self.supervisor.next_wake().map(|tick| self.started + Duration::from_millis(tick.0));
            tokio::select! {
                count = messages.recv_many(&mut batch, MAX_BATCH) => if count == 0 { return End::Stopped },
                () = sleep_until(wake) => batch.push(Message::Input(Input::Tick)),
                _ = collect.tick() => self.collect_sandboxes(),
                Err(_dropped) = &mut stop => return End::Stopped,
            }
            if let Some(end) = self.deal_with(&mut batch) {
                return end;
            }
        }
    }

    fn deal_with(&mut self, batch: &mut Vec<Message>) -> Option<End> {
        let mut effects = Vec::new();
        for message in batch.drain(..) {
            // Other messages change whom effects reach, or tell what has to be written down before.
            if !matches!(message, Message::Input(_))
                && let Some(end) = self.do_all(&mut effects)
            {
                return Some(end);
            }
            match message {
                Message::Input(input) => self.supervisor.apply(self.now(), input, &mut effects),
                Message::LauncherOpened { requests, hello } => {
                    if let Reply::Hello { isolation, .. } = &hello {
                        self.isolation = Some(*isolation);
                    }
                    self.launcher = Some(requests);
                    self.supervisor.apply(self.now(), Input::Launcher(hello), &mut effects);
                }
                Message::LauncherClosed => {
                    self.launcher = None;
                    self.supervisor.apply(self.now(), Input::LauncherClosed, &mut effects);
                }
                Message::DaemonOpened { orders, reports } => {
                    self.daemon = Some(orders);
                    self.with_daemon.extend(reports.iter().map(|report| report.container.clone()));
                    self.supervisor.apply(self.now(), Input::Daemon(reports), &mut effects);
                }
                Message::DaemonClosed => {
                    self.daemon = None;
                    self.supervisor.apply(self.now(), Input::DaemonClosed, &mut effects);
                }
                Message::Register { master, calls, answer } => {
                    self.master = Some(calls);
                    self.master_host = Some(master);
                    // The link has given up waiting: it will ask again.
                    let _gone = answer.send(self.supervisor.registration(env!("CARGO_PKG_VERSION")));
                }
                Message::ExecutorCalled(called) => {
                    let input = self.executors.called(*called);
                    self.supervisor.apply(self.now(), input, &mut effects);
                }
                Message::Connected { container, outcome } => self.connected(&container, outcome),
                Message::OperatorCalled(called) => {
                    if matches!(called.call, OperatorCall::Wait(_)) {
                        let forsaken = Input::Forsaken(self.operators.forsaken());
                        self.supervisor.apply(self.now(), forsaken, &mut effects);
                    }
                    let input = self.operators.called(*called);
                    self.supervisor.apply(self.now(), input, &mut effects);
                }
                Message::Suspects(answer) => {
                    // Whoever asked has gone.
                    let _gone = answer.send(self.supervisor.suspects());
                }
                Message::Outputs(answer) => {
                    let _gone = answer.send(self.supervisor.outputs());
                }
                Message::PruneImages { except, done } => {
                    self.suppliers.collect_images(PRUNE_RETENTION, self.layers_in_use(), except, Some(done));
                }
                Message::View(answer) => {
                    let moment = view::Moment {
                        isolation: self.isolation,
                        master: self.master_host.as_deref(),
                        retention: self.retention_now(),
                    };
                    let view = view::render(&self.supervisor, &self.description, moment);
                    let _gone = answer.send(Arc::new(view));
                }
            }
        }
        self.do_all(&mut effects)
    }

    fn do_all(&mut self, effects: &mut Vec<Effect>) -> Option<End> {
        loop {
            self.write_down(effects);
            for effect in effects.drain(..) {
                if effect == Effect::Exit {
                    self.ask(Request::Stop);
                    return Some(End::Finished);
                }
                self.perform(effect);
            }
            self.send_updates();
            if self.aftermath.is_empty() {
                return None;
            }
            for input in std::mem::take(&mut self.aftermath) {
                self.supervisor.apply(self.now(), input, effects);
            }
        }
    }

    /// Writes down what the tasks are to be remembered by, all at once and before anything else is done: whatever is done may rely on it.
    fn write_down(&mut self, effects: &[Effect]) {
        let (mut begun, mut changed) = (Vec::new(), Vec::new());
        for effect in effects {
            match effect {
                Effect::CreateTask(record) => {
                    self.checkpoints.begin(record);
                    begun.push(&record.container);
                }
                Effect::AppendTask(container, entry) => {
                    self.checkpoints.add(container, entry);
                    changed.push(container);
                }
                Effect::RemoveTask(container) | Effect::RemoveExecutor(container) => {
                    self.checkpoints.forget(container);
                    changed.push(container);
                }
                Effect::CreateExecutor(record) => {
                    self.checkpoints.begin_executor(record);
                    begun.push(&record.container);
                }
                Effect::AppendExecutor(container, entry) => {
                    self.checkpoints.add_to_executor(container, entry);
                    changed.push(container);
                }
                Effect::StoreAgent(_)
                | Effect::RemoveAgent
                | Effect::Fetch(_)
                | Effect::FetchContained(..)
                | Effect::StopFetch(_)
                | Effect::Connect(..)
                | Effect::Disconnect(_)
                | Effect::Launch(..)
                | Effect::LaunchInDaemon(_)
                | Effect::Execute(_)
                | Effect::Ask(_)
                | Effect::Send(_)
                | Effect::Operate(_)
                | Effect::ListTasks(_)
                | Effect::Watch(..)
                | Effect::Plead(..)
                | Effect::Unwatch(_)
                | Effect::CloseLink { .. }
                | Effect::Answer(..)
                | Effect::AnswerOperator(..)
                | Effect::StoreContained(_)
                | Effect::RemoveContained(_)
                | Effect::LaunchContained(..)
                | Effect::Signal(..)
                | Effect::DiscardSandbox(_)
                | Effect::LeaveSandbox(_)
                | Effect::Tell(..)
                | Effect::CloseStream(_)
                | Effect::SendMessage(_)
                | Effect::SendExited(_)
                | Effect::Exit => {}
            }
        }
        if begun.is_empty() && changed.is_empty() {
            return;
        }
        let outcome = self.checkpoints.write(self.supervisor.histories());
        if let Err(error) = &outcome {
            let error = crate::error_chain(error);
            let unprepared =
                |container: &ContainerId| Input::NotPrepared { container: container.clone(), error: error.clone() };
            self.aftermath.extend(begun.iter().copied().map(unprepared));
            self.unprepared.extend(begun.into_iter().cloned());
            self.incomplete.extend(changed.into_iter().cloned());
        }
        complain(outcome);
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::StoreAgent(record) => complain(self.checkpoints.store_agent(&record)),
            Effect::RemoveAgent => complain(self.checkpoints.remove_agent()),
            // See `write_down`.
            Effect::CreateTask(_) | Effect::AppendTask(..) | Effect::CreateExecutor(_) | Effect::AppendExecutor(..) => {
            }
            Effect::RemoveTask(container) | Effect::RemoveExecutor(container) => {
                self.roots.release(&container);
                if self.incomplete.remove(&container) {
                    self.ask(Request::Forget(vec![container]));
                }
            }
            Effect::Fetch(order) => self.fetch(*order),
            Effect::FetchContained(order, premises) => self.fetch_contained(*order, &premises),
            Effect::StopFetch(container) => self.suppliers.stop(&container),
            Effect::Connect(container, attachment) => {
                if let Some(networks) = &mut self.networks {
                    networks.connect(container, *attachment);
                }
            }
            Effect::Disconnect(container) => {
                if let Some(networks) = &mut self.networks {
                    networks.disconnect(container);
                }
            }
            Effect::Launch(spec, links) => self.launch(Launch { spec: *spec, links }),
            Effect::LaunchInDaemon(spec) => self.launch_in_daemon(spec),
            Effect::Execute(exec) => {
                self.with_daemon.insert(exec.run.clone());
                self.ask_daemon(Order::Exec(exec));
            }
            Effect::Ask(Request::Forget(ended))
                if ended.iter().any(|container| self.incomplete.contains(container)) => {}
            Effect::Ask(request) => {
                match &request {
                    Request::Forget(ended) => ended.iter().for_each(|container| self.roots.release(container)),
                    Request::Resize(container, ..) => self.resize_sandbox(container),
                    Request::Hello { .. }
                    | Request::Launch(_)
                    | Request::Terminate(_)
                    | Request::Destroy(_)
                    | Request::Stop => {}
                }
                self.ask(request);
            }
            Effect::Send(update) => self.updates.push(*update),
            Effect::Operate(operation) => self.operate(*operation),
            Effect::ListTasks(tasks) => {
                self.send_updates();
                self.tell_master(Outgoing::Tasks(tasks));
            }
            Effect::CloseLink { reason } => {
                self.send_updates();
                self.tell_master(Outgoing::Close { reason });
            }
            Effect::Answer(reply, outcome) => self.executors.answer(reply, outcome),
            Effect::AnswerOperator(reply, outcome) => self.operators.answer(reply, *outcome),
            Effect::StoreContained(record) => self.store_contained(&record),
            Effect::RemoveContained(container) => {
                self.roots.release(&container);
                if let Err(error) = self.contained.remove(&container) {
                    tracing::warn!(%container, %error, "the record of an operator's container stays");
                }
            }
            Effect::LaunchContained(spec, premises) => self.launch_contained(*spec, &premises),
            Effect::Signal(process, signal) => {
                if let Err(error) = process::send(process, signal) {
                    tracing::warn!(pid = process.pid, signal, %error, "a signal is not sent");
                }
            }
            Effect::DiscardSandbox(path) => {
                if let Err(error) = sandbox::discard(&path) {
                    tracing::warn!(path = %path.display(), %error, "a sandbox is not removed");
                }
            }
            Effect::LeaveSandbox(run) => match sandbox::mark_ended(&run) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!(path = %run.display(), %error, "a sandbox may be removed early");
                }
                Ok(()) | Err(_) => {}
            },
            Effect::Tell(stream, event) => self.executors.tell(stream, &event),
            Effect::CloseStream(stream) => self.executors.close(stream),
            Effect::SendMessage(message) => {
                self.send_updates();
                self.tell_master(Outgoing::Message(message));
            }
            Effect::SendExited(exited) => {
                self.send_updates();
                self.tell_master(Outgoing::Exited(exited));
            }
            Effect::Watch(container, place, probes) => self.order(prober::Order::Watch(container, place, probes)),
            Effect::Plead(container, plea, target) => self.order(prober::Order::Plead(container, plea, target)),
            Effect::Unwatch(container) => self.order(prober::Order::Unwatch(container)),
            Effect::Exit => {}
        }
    }

    fn operate(&self, operation: Operation) {
        let outcome = volumes::operate(&self.work_dir, &operation.info);
        let status = match outcome {
            Ok(()) => OperationStatus { uuid: operation.uuid, state: OperationState::Finished, message: None },
            Err(error) => OperationStatus {
                uuid: operation.uuid,
                state: OperationState::Failed,
                message: Some(crate::error_chain(&error)),
            },
        };
        self.tell_master(Outgoing::Operation(status));
    }

    // A channel whose receiver is gone belongs to a connection that has just ended: that is on its way as a message, and
    // the next connection begins with everything that is not settled.

    fn ask(&mut self, request: Request) {
        let of_daemon = match &request {
            Request::Terminate(container) | Request::Destroy(container) | Request::Resize(container, ..) => {
                self.with_daemon.contains(container)
            }
            Request::Forget(containers) => {
                let (ours, others): (Vec<_>, Vec<_>) =
                    containers.iter().cloned().partition(|container| self.with_daemon.remove(container));
                if !ours.is_empty() {
                    self.ask_daemon(Order::Ask(Request::Forget(ours)));
                }
                if others.is_empty() {
                    return;
                }
                return self.ask_launcher(Request::Forget(others));
            }
            Request::Hello { .. } | Request::Launch(_) | Request::Stop => false,
        };
        if of_daemon { self.ask_daemon(Order::Ask(request)) } else { self.ask_launcher(request) }
    }

    fn ask_daemon(&self, order: Order) {
        if let Some(daemon) = &self.daemon {
            let _ended = daemon.send(order);
        }
    }

    fn ask_launcher(&self, request: Request) {
        if let Some(launcher) = &self.launcher {
            let _ended = launcher.send(request);
        }
    }

    /// Sends what is new together: the master commits it together.
    fn send_updates(&mut self) {
        if !self.updates.is_empty() {
            let updates = std::mem::take(&mut self.updates);
            self.tell_master(Outgoing::Updates(updates));
        }
    }

    fn tell_master(&self, outgoing: Outgoing) {
        if let Some(master) = &self.master {
            let _ended = master.send(outgoing);
        }
    }

    fn order(&self, order: prober::Order) {
        let _ended = self.prober.send(order);
    }

    /// How long sandboxes are kept as full as the disk is.
    fn retention_now(&self) -> Duration {
        sandbox::retention(self.retention, sandbox::disk_used(&self.work_dir).unwrap_or(0.0))
    }

    fn layers_in_use(&self) -> HashSet<PathBuf> {
        let of_tasks = self.supervisor.tasks().filter_map(|task| task.image.as_deref());
        let of_executors = self.supervisor.executors().filter_map(|executor| executor.image.as_deref());
        let lasts = |record: &&ContainedRecord| !matches!(record.progress, Progress::Ended(_));
        let of_operators = self.supervisor.contained().filter(lasts).filter_map(|record| record.image.as_deref());
        of_tasks.chain(of_executors).chain(of_operators).flat_map(|image| image.layers.iter().cloned()).collect()
    }

    fn collect_sandboxes(&self) {
        let work_dir = self.work_dir.clone();
        let of_tasks = self.supervisor.tasks().map(|task| task.run_directory(&self.work_dir));
        let of_executors = self.supervisor.executors().map(|executor| executor.sandbox(&self.work_dir));
        let in_use: HashSet<PathBuf> = of_tasks.chain(of_executors).collect();
        let retention = self.retention_now();
        self.suppliers.collect_images(retention, self.layers_in_use(), Vec::new(), None);
        let (quotas, removals) = (self.quotas.clone(), self.removals.clone());
        tokio::task::spawn_blocking(move || {
            let Collected { removed, failed, kept } =
                sandbox::collect(&work_dir, retention, &|run| in_use.contains(run));
            removals.count(removed, failed, kept);
            if removed > 0 {
                tracing::info!(removed, "removed old sandboxes");
            }
            if let Some(quotas) = quotas {
                quotas.release_gone();
            }
        });
    }
}

async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// The task goes on without: after a restart of the agent the master hears some of it again.
fn complain(outcome: Result<(), CheckpointError>) {
    if let Err(error) = outcome {
        tracing::error!(error = &error as &dyn std::error::Error, "a checkpoint was not written");
    }
}
