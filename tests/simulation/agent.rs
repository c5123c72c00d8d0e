//! An agent: a daemon that may die, processes that go on without it, and a disk that both survive.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use attica_core::kernel::Reply;
use attica_core_api::link::{self, EventType, StatusUpdate, TaskDigest, TaskReport};
use attica_core_api::resources;
use attica_core_api::v1::{
    AgentId, AgentInfo, ExecutorId, ExecutorInfo, FrameworkId, HealthResult, OfferOperation, OperationState, Resource,
    TaskId, TaskInfo, TaskState, TaskStatus, TaskStatusSource,
};

use crate::network::{Body, Node};
use crate::random::Random;
use crate::rules::{Epochs, Rules};
use crate::world::{Out, Timer};

/// How often the daemon looks after its processes and its link.
const TICK_MS: u64 = 300;
const HEARTBEAT_MS: u64 = 2_000;
/// A master that says nothing for so long is gone.
const SILENCE_MS: u64 = 8_000;
/// How often what is not acknowledged is said again.
const REPEAT_MS: u64 = 2_000;
/// What every agent has.
pub(crate) const RESOURCES: &str = "cpus:4;mem:4096;disk:1000;ports:[31000-31019]";

/// Names a task across frameworks.
pub(crate) type TaskName = (FrameworkId, TaskId);

/// One agent.
pub(crate) struct Agent {
    index: usize,
    /// Whether the daemon runs.
    pub(crate) up: bool,
    pub(crate) disk: Disk,
    pub(crate) link: Option<Link>,
    links: u64,
    target: usize,
    retry_at: u64,
    boot: u64,
    /// The executors that had something to do when that was last looked at.
    living: BTreeSet<(FrameworkId, ExecutorId)>,
}

/// What survives the daemon.
#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) id: Option<AgentId>,
    /// The highest epoch seen.
    pub(crate) epoch: u64,
    pub(crate) tasks: BTreeMap<TaskName, AgentTask>,
    /// The directories of persistent volumes.
    pub(crate) volumes: BTreeSet<String>,
}

/// A task on its agent.
pub(crate) struct AgentTask {
    pub(crate) info: TaskInfo,
    pub(crate) state: TaskState,
    /// Whether there is a process.
    pub(crate) alive: bool,
    /// Of a task that was started with others: their executor, which is none but the agent.
    executor: Option<Box<ExecutorInfo>>,
    kill: bool,
    sequence: u64,
    /// What the master has not acknowledged, oldest first.
    pub(crate) pending: VecDeque<StatusUpdate>,
    /// Whether something in `pending` has not been said on this link.
    fresh: bool,
    /// What the last probe found, for a task with health checks of its framework's.
    probe: Probe,
}

/// The result of a health check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    Never,
    Healthy,
    /// So many times in a row.
    Unhealthy(u32),
}

/// The connection to a master.
pub(crate) struct Link {
    pub(crate) name: String,
    pub(crate) master: usize,
    epoch: u64,
    /// Set when the master has answered.
    pub(crate) registered_at: Option<u64>,
    opened_at: u64,
    heard_at: u64,
    said_at: u64,
    repeated_at: u64,
}

/// An order that an agent carried out.
pub(crate) struct Obeyed {
    pub(crate) epoch: u64,
    /// The highest epoch that the agent had seen by then.
    pub(crate) highest: u64,
    pub(crate) started: Vec<TaskName>,
    /// Persistent volumes whose data is gone.
    pub(crate) destroyed: Vec<String>,
}

impl Agent {
    pub(crate) fn new(index: usize) -> Self {
        Self {
            index,
            up: true,
            disk: Disk::default(),
            link: None,
            links: 0,
            target: index,
            retry_at: 0,
            boot: 1,
            living: BTreeSet::new(),
        }
    }

    fn node(&self) -> Node {
        Node::Agent(self.index)
    }

    pub(crate) fn tick(
        &mut self,
        now: u64,
        masters: usize,
        random: &mut Random,
        rules: Rules,
        calm: bool,
        out: &mut Out,
    ) {
        out.timers.push((TICK_MS + random.within(0..40), Timer::Tick));
        if !self.up {
            return;
        }
        self.look_after_processes(random, calm);
        self.look_after_groups(out);
        match &self.link {
            None if self.retry_at <= now => self.register(now, masters, random, rules, out),
            None => {}
            Some(link) if link.heard_at + SILENCE_MS <= now => self.hang_up(now, random, out),
            Some(link) if link.registered_at.is_none() && link.opened_at + 3_000 <= now => {
                self.hang_up(now, random, out)
            }
            Some(_) => self.report(now, out),
        }
    }

    fn look_after_processes(&mut self, random: &mut Random, calm: bool) {
        for ((framework, _), task) in &mut self.disk.tasks {
            let next = match task.state {
                TaskState::Staging => Some(TaskState::Starting),
                TaskState::Starting if random.percent(50) => Some(TaskState::Running),
                TaskState::Running | TaskState::Killing if !task.alive => Some(TaskState::Failed),
                TaskState::Starting | TaskState::Running if task.kill => Some(TaskState::Killing),
                TaskState::Killing if random.percent(40) => Some(TaskState::Killed),
                TaskState::Running if !calm && random.percent(1) => Some(TaskState::Finished),
                TaskState::Running if !calm && random.percent(1) => Some(TaskState::Running),
                _ => None,
            };
            if let Some(state) = next {
                task.change(framework, state, random);
            } else {
                task.probe(framework, random, calm);
            }
        }
    }

    /// When a task ends otherwise than by finishing, those that were started with it are killed.
    fn look_after_groups(&mut self, out: &mut Out) {
        let group =
            |(framework, _): &TaskName, task: &AgentTask| Some((framework.clone(), task.executor.clone()?.executor_id));
        let ended = |task: &AgentTask| task.state.is_terminal() && task.state != TaskState::Finished;
        let failed: BTreeSet<_> = self
            .disk
            .tasks
            .iter()
            .filter(|(_, task)| ended(task))
            .filter_map(|(name, task)| group(name, task))
            .collect();
        for (name, task) in &mut self.disk.tasks {
            task.kill |= group(name, task).is_some_and(|group| failed.contains(&group));
        }
        let living = self.executors();
        let over: Vec<_> = std::mem::replace(&mut self.living, living.clone()).into_iter().collect();
        let over = over.into_iter().filter(|executor| !living.contains(executor));
        let (Some(link), Some(id)) = (&self.link, self.disk.id.clone()) else { return };
        let (name, master, epoch) = (link.name.clone(), link.master, link.epoch);
        for (framework_id, executor_id) in over {
            let exited = link::ExecutorExited { framework_id, executor_id, status: Some(0) };
            self.call(&name, master, link::Call::executor_exited(id.clone(), epoch, exited), out);
        }
    }

    /// The executors that have something to do.
    fn executors(&self) -> BTreeSet<(FrameworkId, ExecutorId)> {
        let living = self.disk.tasks.iter().filter(|(_, task)| !task.state.is_terminal());
        living
            .filter_map(|((framework, _), task)| Some((framework.clone(), task.executor.as_ref()?.executor_id.clone())))
            .collect()
    }

    fn register(&mut self, now: u64, masters: usize, random: &mut Random, rules: Rules, out: &mut Out) {
        self.target = (self.target + 1) % masters;
        self.links += 1;
        let name = format!("link-{}-{}", self.index, self.links);
        let register = link::Register {
            agent_info: AgentInfo {
                id: self.disk.id.clone(),
                hostname: format!("10.0.0.{}", self.index + 1),
                resources: resources::parse(RESOURCES, &attica_allocator::Role::any()).expect("resources"),
                ..AgentInfo::default()
            },
            version: "1.0.0".to_owned(),
            boot_id: self.boot.to_string(),
            epoch: if rules.epochs == Epochs::Checked { self.disk.epoch } else { 0 },
            task_digest: self.digest().to_bytes(),
            task_count: u32::try_from(self.disk.tasks.len()).expect("few"),
            checkpointed: true,
            replaces: None,
            executors: self
                .executors()
                .into_iter()
                .map(|(framework_id, executor_id)| link::ExecutorReport { framework_id, executor_id })
                .collect(),
        };
        let link = Link {
            name: name.clone(),
            master: self.target,
            epoch: 0,
            registered_at: None,
            opened_at: now,
            heard_at: now,
            said_at: now,
            repeated_at: now,
        };
        self.link = Some(link);
        self.retry_at = now + random.within(200..1_000);
        self.call(&name, self.target, link::Call::register(register), out);
    }

    fn digest(&self) -> TaskDigest {
        let mut digest = TaskDigest::default();
        self.disk.tasks.iter().for_each(|((framework, id), task)| digest.add(framework, id, task.state));
        digest
    }

    fn call(&self, link: &str, master: usize, call: link::Call, out: &mut Out) {
        let body = Body::AgentCall { link: link.to_owned(), call: Box::new(call) };
        // Registration opens the connection that events come back on; the other calls are made one after the other beside it.
        out.send(self.node(), Node::Master(master), &format!("{link}-calls"), body);
    }

    /// Sends what is new, repeats what is not acknowledged, and gives a sign of life.
    fn report(&mut self, now: u64, out: &mut Out) {
        let (Some(link), Some(id)) = (&mut self.link, self.disk.id.clone()) else { return };
        if link.registered_at.is_none() {
            return;
        }
        let repeat = link.repeated_at + REPEAT_MS <= now;
        let mut updates = Vec::new();
        for task in self.disk.tasks.values_mut().filter(|task| repeat || task.fresh) {
            task.fresh = false;
            updates.extend(task.pending.iter().cloned());
        }
        let (name, master, epoch) = (link.name.clone(), link.master, link.epoch);
        let silent = link.said_at + HEARTBEAT_MS <= now;
        if silent {
            link.said_at = now;
        }
        if !updates.is_empty() {
            link.repeated_at = now;
            self.call(&name, master, link::Call::statuses(id.clone(), epoch, updates), out);
        }
        if silent {
            self.call(&name, master, link::Call::heartbeat(id, epoch), out);
        }
    }

    pub(crate) fn hang_up(&mut self, now: u64, random: &mut Random, out: &mut Out) {
        if let Some(link) = self.link.take() {
            out.close(self.node(), Node::Master(link.master), &link.name);
            self.retry_at = now + random.within(50..1_500);
        }
    }

    pub(crate) fn closed(&mut self, now: u64, connection: &str, random: &mut Random) {
        if self.link.as_ref().is_some_and(|link| link.name == connection) {
            self.link = None;
            self.retry_at = now + random.within(50..1_000);
        }
    }

    pub(crate) fn answered(&mut self, now: u64, link: &str, reply: &Reply, random: &mut Random, out: &mut Out) {
        let current = self.link.as_ref().is_some_and(|current| current.name == link);
        if current && *reply != Reply::Accepted {
            self.hang_up(now, random, out);
        }
    }

    /// Carries an event out, if it comes from whom the agent obeys.
    pub(crate) fn obey(
        &mut self,
        now: u64,
        link: &str,
        event: link::Event,
        rules: Rules,
        random: &mut Random,
        out: &mut Out,
    ) -> Option<Obeyed> {
        let current = self.link.as_ref().is_some_and(|current| current.name == link);
        let highest = self.disk.epoch;
        if rules.epochs == Epochs::Checked {
            if !current {
                return None;
            }
            if event.epoch < highest {
                self.hang_up(now, random, out);
                return None;
            }
        }
        self.disk.epoch = highest.max(event.epoch);
        if let Some(link) = self.link.as_mut().filter(|_| current) {
            link.heard_at = now;
            link.epoch = event.epoch;
        }
        let epoch = event.epoch;
        let (mut started, mut destroyed) = (Vec::new(), Vec::new());
        match event.r#type {
            EventType::Registered => self.registered(now, &event.registered?),
            EventType::ListTasks => self.list_tasks(out),
            EventType::Run => started = self.run(event.run?),
            EventType::Kill => {
                let kill = event.kill?;
                if let Some(task) = self.disk.tasks.get_mut(&(kill.framework_id, kill.task_id)) {
                    task.kill = true;
                }
            }
            EventType::Acknowledge => self.acknowledged(&event.acknowledge?),
            EventType::Shutdown => self.disk.tasks.values_mut().for_each(|task| task.kill = true),
            EventType::Operation => destroyed = self.operate(event.operation.as_deref()?, out),
            EventType::ShutdownExecutor => self.shut_down(&event.shutdown_executor?),
            // No framework here has executors of its own.
            EventType::Message | EventType::Heartbeat => return None,
        }
        Some(Obeyed { epoch, highest, started, destroyed })
    }

    fn registered(&mut self, now: u64, registered: &link::Registered) {
        self.disk.id = Some(registered.agent_id.clone());
        if let Some(link) = &mut self.link {
            link.registered_at = Some(now);
        }
        self.disk.tasks.values_mut().for_each(|task| task.fresh = !task.pending.is_empty());
    }

    /// Makes and removes the directories of volumes.
    fn operate(&mut self, operation: &link::Operation, out: &mut Out) -> Vec<String> {
        let OfferOperation { create, destroy, .. } = &operation.info;
        self.disk.volumes.extend(create.iter().flat_map(|create| volumes_of(&create.volumes)));
        let named = destroy.iter().flat_map(|destroy| volumes_of(&destroy.volumes));
        let destroyed = named.filter(|volume| self.disk.volumes.remove(volume)).collect();
        self.done(operation, out);
        destroyed
    }

    fn shut_down(&mut self, shutdown: &link::ShutdownExecutor) {
        for ((framework, _), task) in &mut self.disk.tasks {
            let of_it = task.executor.as_ref().is_some_and(|executor| executor.executor_id == shutdown.executor_id);
            task.kill |= of_it && *framework == shutdown.framework_id;
        }
    }

    fn done(&mut self, operation: &link::Operation, out: &mut Out) {
        let (Some(link), Some(id)) = (&self.link, self.disk.id.clone()) else { return };
        let status =
            link::OperationStatus { uuid: operation.uuid.clone(), state: OperationState::Finished, message: None };
        let (name, master, epoch) = (link.name.clone(), link.master, link.epoch);
        self.call(&name, master, link::Call::operation_status(id, epoch, status), out);
    }

    fn list_tasks(&mut self, out: &mut Out) {
        let (Some(link), Some(id)) = (&self.link, self.disk.id.clone()) else { return };
        let report = |((framework, id), task): (&TaskName, &AgentTask)| TaskReport {
            framework_id: framework.clone(),
            task_id: id.clone(),
            state: task.state,
            latest_status: None,
        };
        let tasks = self.disk.tasks.iter().map(report).collect();
        let (name, master, epoch) = (link.name.clone(), link.master, link.epoch);
        self.call(&name, master, link::Call::tasks(id, epoch, tasks), out);
    }

    fn run(&mut self, run: link::Run) -> Vec<TaskName> {
        let mut started = Vec::new();
        let alone = run.tasks.into_iter().map(|task| (None, vec![task]));
        let together = run.task_groups.into_iter().map(|group| (Some(Box::new(group.executor)), group.tasks));
        for (executor, tasks) in alone.chain(together) {
            let name = |info: &TaskInfo| (run.framework_id.clone(), info.task_id.clone());
            if !tasks.iter().any(|info| self.disk.tasks.contains_key(&name(info))) {
                started.extend(tasks.into_iter().map(|info| self.start(name(&info), info, executor.clone())));
            }
        }
        started
    }

    fn start(&mut self, name: TaskName, info: TaskInfo, executor: Option<Box<ExecutorInfo>>) -> TaskName {
        let task = AgentTask {
            info,
            executor,
            state: TaskState::Staging,
            alive: true,
            kill: false,
            sequence: 0,
            pending: VecDeque::new(),
            fresh: false,
            probe: Probe::Never,
        };
        // A volume that is not there yet is made for who uses it.
        self.disk.volumes.extend(task.volumes());
        self.disk.tasks.insert(name.clone(), task);
        name
    }

    fn acknowledged(&mut self, acknowledge: &link::Acknowledge) {
        let name = (acknowledge.framework_id.clone(), acknowledge.task_id.clone());
        let Some(task) = self.disk.tasks.get_mut(&name) else { return };
        task.pending.retain(|update| update.status.uuid.as_ref() != Some(&acknowledge.uuid));
        if task.pending.is_empty() && task.state.is_terminal() {
            self.disk.tasks.remove(&name);
        }
    }

    /// The daemon dies; its processes do not notice.
    pub(crate) fn crash(&mut self, out: &mut Out) {
        self.up = false;
        if let Some(link) = self.link.take() {
            out.close(self.node(), Node::Master(link.master), &link.name);
        }
    }

    pub(crate) fn restart(&mut self) {
        self.up = true;
    }

    /// The machine restarts: the processes are gone, the disk is not.
    pub(crate) fn reboot(&mut self) {
        self.boot += 1;
        self.disk.tasks.values_mut().for_each(|task| task.alive = false);
    }

    /// The machine comes back with an empty disk.
    pub(crate) fn lose_disk(&mut self) {
        self.boot += 1;
        self.disk = Disk::default();
    }
}

/// The persistent volumes among resources.
fn volumes_of(resources: &[Resource]) -> impl Iterator<Item = String> {
    resources.iter().filter_map(|resource| Some(resource.disk.as_ref()?.persistence.as_ref()?.id.clone()))
}

impl AgentTask {
    /// What it uses; what is its group's, all of it use.
    pub(crate) fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.info.resources.iter().chain(self.executor.iter().flat_map(|executor| &executor.resources))
    }

    /// The persistent volumes that it sees.
    pub(crate) fn volumes(&self) -> Vec<String> {
        self.resources().flat_map(|resource| volumes_of(std::slice::from_ref(resource)).collect::<Vec<_>>()).collect()
    }

    /// Its executor, when it was started with others.
    pub(crate) fn executor(&self) -> Option<&ExecutorInfo> {
        self.executor.as_deref()
    }

    /// Reports each change and each failure of a health check whose verdict the framework takes.
    fn probe(&mut self, framework: &FrameworkId, random: &mut Random, calm: bool) {
        if self.state != TaskState::Running || self.info.health_checks.is_empty() {
            return;
        }
        let flaps = !calm && random.percent(4);
        self.probe = match self.probe {
            Probe::Healthy if !flaps => return,
            Probe::Never | Probe::Unhealthy(_) if calm || random.percent(50) => Probe::Healthy,
            Probe::Never | Probe::Healthy => Probe::Unhealthy(1),
            Probe::Unhealthy(failures) => Probe::Unhealthy(failures + 1),
        };
        let consecutive_failures = match self.probe {
            Probe::Never | Probe::Healthy => 0,
            Probe::Unhealthy(failures) => failures,
        };
        self.change(framework, TaskState::Running, random);
        let healthy = self.probe == Probe::Healthy;
        let indices = 0..u32::try_from(self.info.health_checks.len()).expect("few");
        let result = |index| HealthResult { index, healthy, consecutive_failures, ..HealthResult::default() };
        self.pending
            .back_mut()
            .into_iter()
            .for_each(|update| update.status.health_results.extend(indices.clone().map(result)));
    }

    fn change(&mut self, framework: &FrameworkId, state: TaskState, random: &mut Random) {
        self.state = state;
        if state.is_terminal() {
            self.alive = false;
        }
        self.sequence += 1;
        let status = TaskStatus {
            task_id: self.info.task_id.clone(),
            state,
            source: Some(TaskStatusSource::Executor),
            uuid: Some(random.seed().to_be_bytes().to_vec().into()),
            ..TaskStatus::default()
        };
        self.fresh = true;
        self.pending.push_back(StatusUpdate { framework_id: framework.clone(), status, sequence: self.sequence });
    }
}
