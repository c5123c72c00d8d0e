//! One task, from RUN until its last update is acknowledged.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use attica_core_api::message::Nested;
use attica_core_api::v1::{
    AgentId, ContainerId as WireContainerId, ContainerStatus, DurationInfo, ExecutorId, ExecutorInfo,
    FrameworkCapabilityType, FrameworkId, FrameworkInfo, Resource, TaskInfo, TaskState, TaskStatus, TaskStatusReason,
    TaskStatusSource,
};
use attica_core_api::{Entropy, Now, Tick, decode_proto, encode_proto};
use bytes::Bytes;
use uuid::Uuid;

use super::graph::Graph;
use super::health::Health;
use super::kill::Kill;
use super::secret::Holder;
use super::supply::Supply;
use super::updates::Updates;
use super::volume::Beholder;
use super::{Config, ExecutorKey, LauncherState, Link, TaskKey};
use crate::checkpoint::{GroupRecord, TaskEntry, TaskHistory, TaskRecord, TaskStanding};
use crate::contained::ContainerPath;
use crate::daemon::Containerizer;
use crate::image::Provisioned;
use crate::launcher::protocol::{ContainerId, Process};
use crate::network::Attachment;

/// Updates of an executor that are remembered, to tell a repetition: more than one that behaves has under way.
const MAX_HEARD: usize = 128;

/// How far a task has come. It moves downwards only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The launcher is to start it, or does so.
    Launching,
    /// Its program runs.
    Running,
    /// Nothing of it runs.
    Ended,
}

/// See the module's text.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) key: TaskKey,
    pub(crate) framework: Arc<FrameworkInfo>,
    pub(crate) info: Arc<TaskInfo>,
    /// Names this run of the task. What it runs in, unless an executor runs it.
    pub(crate) container: ContainerId,
    /// The container of the executor that runs it.
    pub(crate) executor: Option<ContainerId>,
    /// Durable. Who runs its container.
    pub(crate) containerizer: Containerizer,
    /// What it was launched together with.
    pub(crate) group: Option<Arc<GroupRecord>>,
    pub(crate) phase: Phase,
    /// Whether it has what it needs to be started.
    pub(super) supply: Supply,
    /// Durable. What its root is made of, once that is known.
    pub(crate) image: Option<Box<Provisioned>>,
    /// Durable: those that are its own.
    pub(crate) devices: Vec<PathBuf>,
    /// Its first process, once it was started.
    pub(crate) process: Option<Process>,
    /// The latest state an update was made for; STAGING before the first.
    pub(crate) state: TaskState,
    /// When it began to run, in seconds since 1970.
    pub(crate) running_since: Option<f64>,
    /// When it is to have ended.
    pub(super) complete_by: Option<Tick>,
    pub(super) kill: Option<Kill>,
    pub(super) updates: Updates,
    /// The latest status of each state it has been in, oldest first, as far as this life of the agent knows. In protobuf: they are there
    /// to be shown, which is rare, and take a fifth of the memory.
    statuses: Vec<(TaskState, Box<[u8]>)>,
    pub(super) health: Health,
    /// Of a task that is more than a command.
    pub(super) graph: Option<Box<Graph>>,
    /// The latest updates of its executor, oldest first: it may repeat them.
    pub(super) heard: VecDeque<Uuid>,
    /// Durable, unless it is its executor's: the network that it is in, if that is not the machine's.
    pub(crate) network: Option<Box<Attachment>>,
    /// Its entry in the supervisor's `wakes`.
    pub(super) wake: Option<Tick>,
}

/// What a status update says beyond what the task knows itself.
#[derive(Clone, Debug)]
pub(super) struct News {
    pub(super) state: TaskState,
    pub(super) source: TaskStatusSource,
    pub(super) reason: Option<TaskStatusReason>,
    pub(super) message: Option<String>,
}

impl News {
    pub(super) fn of(state: TaskState) -> News {
        News { state, source: TaskStatusSource::Executor, reason: None, message: None }
    }
}

impl Task {
    pub(super) fn has_capability(&self, capability: FrameworkCapabilityType) -> bool {
        self.framework.has_capability(capability)
    }

    /// Who sees its volumes.
    pub(super) fn beholder(&self, work_dir: &Path) -> Beholder<'_> {
        Beholder {
            holder: Holder::Task(&self.info.task_id),
            container: self.info.container.as_deref(),
            resources: &self.info.resources,
            sandbox: self.sandbox(work_dir),
            shared: self.run_directory(work_dir),
            shared_volumes: self.shared_resources(),
        }
    }

    /// What is given to the executor of the agent's own that runs it, if one does: for all tasks of that.
    pub(super) fn shared_resources(&self) -> &[Resource] {
        let group = self.group.as_ref().filter(|group| group.run.is_some());
        group.map(|group| group.executor.resources.as_slice()).unwrap_or_default()
    }

    /// A task that nothing has happened to yet.
    pub(super) fn new(
        framework_id: FrameworkId,
        framework: Arc<FrameworkInfo>,
        info: Arc<TaskInfo>,
        container: ContainerId,
        executor: Option<ContainerId>,
        group: Option<Arc<GroupRecord>>,
        health: Health,
    ) -> Task {
        Task {
            key: TaskKey { framework_id, task_id: info.task_id.clone() },
            framework,
            graph: Graph::of(&info),
            info,
            container,
            executor,
            containerizer: Containerizer::default(),
            group,
            phase: Phase::Launching,
            supply: Supply::Missing,
            image: None,
            devices: Vec::new(),
            process: None,
            state: TaskState::Staging,
            running_since: None,
            complete_by: None,
            kill: None,
            updates: Updates::default(),
            statuses: Vec::new(),
            health,
            heard: VecDeque::new(),
            network: None,
            wake: None,
        }
    }

    /// The latest status of each state it has been in, oldest first.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = TaskStatus> {
        self.statuses.iter().filter_map(|(_, status)| decode_proto(status).ok())
    }

    /// To be shown: of each state the latest status.
    pub(super) fn remember(&mut self, status: &TaskStatus) {
        self.statuses.retain(|(earlier, _)| *earlier != status.state);
        self.statuses.push((status.state, encode_proto(status).into()));
    }

    /// Where its files are.
    pub(crate) fn sandbox(&self, work_dir: &Path) -> PathBuf {
        let run = self.run_directory(work_dir);
        if self.own_run().is_some() { run.join("containers").join(self.container.as_str()) } else { run }
    }

    /// Where the files of its executor are, with its own in or beneath it.
    pub(crate) fn run_directory(&self, work_dir: &Path) -> PathBuf {
        let (agent_id, framework_id) = (&self.info.agent_id, &self.key.framework_id);
        sandbox(work_dir, agent_id, framework_id, self.executor_id().as_str(), self.run())
    }

    /// The container of its executor, or what stands for it.
    pub(crate) fn run(&self) -> &ContainerId {
        self.executor.as_ref().or(self.own_run()).unwrap_or(&self.container)
    }

    /// Its container, as operators name it.
    pub(crate) fn path(&self) -> ContainerPath {
        match self.own_run() {
            Some(run) => ContainerPath::root(run.as_str()).within(self.container.as_str()),
            None => ContainerPath::root(self.run().as_str()),
        }
    }

    /// What stands for the container of the agent's own executor, if that runs it.
    pub(crate) fn own_run(&self) -> Option<&ContainerId> {
        self.group.as_ref()?.run.as_ref()
    }

    /// The executor of the agent's own that runs it, if one does.
    pub(super) fn own_executor(&self) -> Option<ExecutorKey> {
        self.own_run()?;
        Some(ExecutorKey { framework_id: self.key.framework_id.clone(), executor_id: self.executor_id() })
    }

    /// Of the executor that the framework named for it, if it did.
    pub(crate) fn executor_info(&self) -> Option<&ExecutorInfo> {
        self.info.executor.as_deref().or(self.group.as_ref().map(|group| &group.executor))
    }

    /// Its executor; a command has one of its own, as in Mesos, that bears its name.
    pub(crate) fn executor_id(&self) -> ExecutorId {
        match self.executor_info() {
            Some(executor) => executor.executor_id.clone(),
            None => self.key.task_id.as_str().into(),
        }
    }

    /// The executor that runs it, if one does.
    pub(super) fn executor_key(&self) -> Option<ExecutorKey> {
        self.executor.as_ref()?;
        Some(ExecutorKey { framework_id: self.key.framework_id.clone(), executor_id: self.executor_id() })
    }

    /// Takes note of an update of its executor; false when it is a repetition.
    pub(super) fn hear(&mut self, uuid: &[u8]) -> bool {
        let Ok(uuid) = Uuid::from_slice(uuid) else { return false };
        if self.heard.contains(&uuid) {
            return false;
        }
        if self.heard.len() == MAX_HEARD {
            self.heard.pop_front();
        }
        self.heard.push_back(uuid);
        true
    }

    /// All that is to be known of it after a restart.
    pub(crate) fn history(&self) -> TaskHistory {
        let record = TaskRecord::new(
            self.container.clone(),
            self.key.framework_id.clone(),
            self.framework.clone(),
            self.info.clone(),
            self.executor.clone(),
            self.group.clone(),
        )
        .run_by(self.containerizer);
        let standing = TaskStanding {
            state: self.state,
            updates: self.updates.made(),
            running_since: self.running_since,
            checks: self.health.standings(),
            heard: self.heard.iter().copied().collect(),
        };
        let pending = self.updates.pending().cloned().map(|update| TaskEntry::Update(Box::new(update)));
        let standing = TaskEntry::Standing(Box::new(standing));
        // An executor's network is in the executor's history.
        let network = self.network.clone().filter(|_| self.executor.is_none());
        let attached = network.map(TaskEntry::Attached);
        let image = self.image.clone().map(TaskEntry::Provisioned);
        let graph = self.graph.iter().flat_map(|graph| graph.entries());
        let kill = self.kill.as_ref().map(Kill::entry);
        let devices = (!self.devices.is_empty()).then(|| TaskEntry::Devices(self.devices.clone()));
        let entries = pending.chain(kill).chain(attached).chain(image).chain(devices).chain(graph).chain([standing]);
        TaskHistory { record, entries: entries.collect() }
    }

    /// When something is due.
    pub(super) fn next_wake(&self, link: Link, launcher: LauncherState) -> Option<Tick> {
        let resend = match link {
            Link::Up => self.updates.resend_at(),
            Link::Down => None,
        };
        let own = match (&self.kill, self.phase) {
            (_, Phase::Ended) => None,
            (Some(kill), Phase::Launching | Phase::Running) => kill.deadline(),
            (None, Phase::Launching | Phase::Running) => self.complete_by,
        };
        let graph = match self.phase {
            Phase::Running => self.graph.as_ref().and_then(|graph| graph.next_wake(launcher)),
            Phase::Launching | Phase::Ended => None,
        };
        own.into_iter().chain(resend).chain(graph).min()
    }

    /// It runs since `elapsed_ms` ago.
    pub(super) fn limit_completion(&mut self, now: Now, elapsed_ms: u64) {
        let limit_ms = self.info.max_completion_time.as_ref().and_then(DurationInfo::milliseconds);
        // An executor limits its tasks itself.
        let limit_ms = limit_ms.filter(|_| self.executor.is_none());
        self.complete_by = limit_ms.map(|limit_ms| now.tick.after(limit_ms.saturating_sub(elapsed_ms)));
    }

    /// Whether it has taken as long as it may.
    pub(super) fn time_is_over(&self, now: Now) -> bool {
        self.kill.is_none() && self.phase == Phase::Running && self.complete_by.is_some_and(|tick| tick <= now.tick)
    }

    /// A status with a new UUID.
    pub(super) fn status(&self, now: Now, config: &Config, entropy: &mut Entropy, news: News) -> TaskStatus {
        let executor_id = match (news.source, &self.executor) {
            (TaskStatusSource::Executor, _) | (TaskStatusSource::Agent, Some(_)) => Some(self.executor_id()),
            (TaskStatusSource::Agent, None) | (TaskStatusSource::Master, _) => None,
        };
        TaskStatus {
            task_id: self.key.task_id.clone(),
            state: news.state,
            message: news.message,
            source: Some(news.source),
            reason: news.reason,
            agent_id: Some(self.info.agent_id.clone()),
            executor_id,
            timestamp: Some(now.wall.seconds()),
            uuid: Some(Bytes::copy_from_slice(entropy.uuid().as_bytes())),
            healthy: self.health.verdict(),
            container_status: Some(self.container_status(config)),
            health_results: self.health.results(),
            processes: self.process_statuses().unwrap_or_default(),
            // As in Mesos: what is about to run has nothing to be checked.
            check_status: self.health.check_status().filter(|_| news.state != TaskState::Starting),
            ..TaskStatus::default()
        }
    }

    pub(super) fn container_status(&self, config: &Config) -> ContainerStatus {
        let named = |container: &ContainerId| WireContainerId { value: container.as_str().to_owned(), parent: None };
        let container_id = match (&self.executor, self.own_run()) {
            (Some(container), _) => named(container),
            (None, Some(run)) => {
                WireContainerId { parent: Some(Nested(Box::new(named(run)))), ..named(&self.container) }
            }
            (None, None) => named(&self.container),
        };
        let process = self.process.filter(|process| *process != Process::NONE);
        let executor_pid = process.and_then(|process| u32::try_from(process.pid).ok());
        ContainerStatus {
            container_id: Some(container_id),
            network_infos: vec![self.network_info(config)],
            cgroup_info: None,
            executor_pid,
        }
    }
}

/// `<work_dir>/slaves/<agent>/frameworks/<framework>/executors/<executor>/runs/<container>`, as in Mesos.
pub(crate) fn sandbox(
    work_dir: &Path,
    agent_id: &AgentId,
    framework_id: &FrameworkId,
    executor_id: &str,
    container: &ContainerId,
) -> PathBuf {
    let mut path = work_dir.join("slaves");
    let parts =
        [agent_id.as_str(), "frameworks", framework_id.as_str(), "executors", executor_id, "runs", container.as_str()];
    path.extend(parts);
    path
}
