//! After a restart: tasks as they were written down, brought together with what the launcher has.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use attica_core_api::link::TaskDigest;
use attica_core_api::v1::{AgentId, TaskState, TaskStatusReason, TaskStatusSource};
use attica_core_api::{Entropy, Now};

use super::health::Health;
use super::identity::{Identity, Incompatible, identify};
use super::kill::Kill;
use super::network::Attachments;
use super::task::{News, Phase, Task};
use super::updates::is_final;
use super::{Config, Counters, Duty, Effect, ExecutorKey, LauncherState, Link, Owner, Supervisor, TaskKey};
use crate::checkpoint::{AgentRecord, ExecutorHistory, History, Lost, Past, TaskEntry, TaskHistory, TaskRecord};
use crate::daemon::Containerizer;
use crate::launcher::protocol::{ContainerId, ContainerReport, Ending, Exit, MemoryVerdict, Request, Stage};

impl Supervisor {
    /// Begins with what was written down. After a restart of the machine nothing of it runs, which is said of each task; by the master
    /// if the agent is another one for it from now on. What is `lost` ends, and its frameworks hear why.
    pub(crate) fn recover(
        now: Now,
        config: Config,
        entropy: Entropy,
        past: Past,
        (found, lost): (Vec<History>, Vec<Lost>),
        out: &mut Vec<Effect>,
    ) -> Result<Supervisor, Incompatible> {
        let (executors, tasks) = sorted(found);
        let ran_as = tasks.iter().map(|history| &history.record.task.agent_id);
        let ran_as: Vec<AgentId> =
            ran_as.chain(executors.iter().map(|history| &history.record.agent_id)).cloned().collect();
        let identity = identify(&past, &config, &ran_as)?;
        let agent = match past {
            Past::Known(agent) => Some(*agent),
            Past::None | Past::Damaged => None,
        };
        let rebooted = agent.as_ref().is_some_and(|agent| agent.boot_id != config.boot_id);
        let (agent_id, replaces) = match &identity {
            Identity::Same(agent_id) => (agent_id.clone(), None),
            Identity::New { replaces } => (None, Some(replaces.clone())),
        };
        let mut supervisor = Supervisor {
            attachments: Attachments::new(&config),
            config,
            epoch: agent.as_ref().map_or(0, |agent| agent.epoch),
            recorded: agent.clone(),
            agent_id,
            replaces,
            link: Link::Down,
            launcher: LauncherState::Unknown,
            daemon: LauncherState::Unknown,
            duty: Duty::Serve,
            last_words: None,
            tasks: BTreeMap::new(),
            executors: BTreeMap::new(),
            streams: HashMap::new(),
            by_container: HashMap::new(),
            wakes: BTreeSet::new(),
            executor_wakes: BTreeSet::new(),
            check_runs: BTreeMap::new(),
            check_wakes: BTreeSet::new(),
            contained: BTreeMap::new(),
            waiting: HashMap::new(),
            digest: TaskDigest::default(),
            completed: VecDeque::new(),
            counters: Counters::default(),
            entropy,
        };
        match identity {
            Identity::Same(_) => {
                executors.into_iter().for_each(|history| supervisor.restore_executor(now, history));
                tasks.into_iter().for_each(|history| supervisor.restore(now, history, out));
                lost.into_iter().for_each(|lost| supervisor.lost_by_damage(now, lost, out));
            }
            Identity::New { .. } => {
                out.extend(executors.into_iter().map(|history| Effect::RemoveExecutor(history.record.container)));
                out.extend(tasks.into_iter().map(|history| Effect::RemoveTask(history.record.container)));
            }
        }
        if rebooted {
            let alive = |task: &&Task| task.phase != Phase::Ended;
            let keys: Vec<TaskKey> = supervisor.tasks.values().filter(alive).map(|task| task.key.clone()).collect();
            for key in keys {
                supervisor.lost_by_reboot(now, &key, out);
            }
            supervisor.executors_lost_by_reboot(out);
            // What is started from now on is of this boot, and is not lost by the one that was.
            let boot_id = supervisor.config.boot_id.clone();
            supervisor.record_identity(agent.map(|agent| AgentRecord { boot_id, ..agent }), out);
        }
        supervisor.end_orphans(now, out);
        Ok(supervisor)
    }

    fn restore(&mut self, now: Now, history: TaskHistory, out: &mut Vec<Effect>) {
        let TaskHistory { record, entries } = history;
        let health = Health::new(now, &record.task);
        let TaskRecord { format: _, container, framework_id, framework, task, executor, group, containerizer } = record;
        let mut task = Task::new(framework_id, framework, task, container, executor, group, health);
        task.containerizer = containerizer;
        for entry in entries {
            match entry {
                TaskEntry::Update(update) => {
                    task.state = update.status.state;
                    if update.status.state == TaskState::Running && task.running_since.is_none() {
                        task.running_since = update.status.timestamp;
                    }
                    task.health.restore(&update.status);
                    task.remember(&update.status);
                    if let (Some(_), Some(uuid)) = (&task.executor, &update.status.uuid) {
                        task.hear(uuid);
                    }
                    task.updates.restore(*update);
                }
                TaskEntry::Acknowledged(uuid) => drop(task.updates.acknowledge(&uuid)),
                TaskEntry::Attached(attachment) => task.network = Some(attachment),
                TaskEntry::Devices(devices) => task.devices = devices,
                TaskEntry::Provisioned(image) => task.image = Some(image),
                TaskEntry::Killing { cause, grace_ms } => task.kill = Some(Kill::restored(cause, grace_ms)),
                TaskEntry::Process { place, standing } => {
                    if let Some(graph) = &mut task.graph {
                        graph.walk.restore_process(now, place, *standing);
                    }
                }
                TaskEntry::Stage(standing) => {
                    if let Some(graph) = &mut task.graph {
                        graph.walk.restore_stage(now, standing);
                    }
                }
                TaskEntry::Standing(standing) => {
                    task.state = standing.state;
                    task.running_since = standing.running_since;
                    task.health.stand(standing.checks);
                    task.updates.stand(standing.updates);
                    task.heard = standing.heard.into();
                }
            }
        }
        if is_final(task.state) {
            task.phase = Phase::Ended;
        } else if let Some(executor) = task.executor_key().and_then(|key| self.executors.get_mut(&key)) {
            task.phase = if task.updates.made() > 0 { Phase::Running } else { Phase::Launching };
            executor.tasks.insert(task.key.clone());
            task.network = executor.network.clone();
        }
        // An executor's network is its own, and a daemon's the daemon's.
        if let (Some(network), None, Phase::Launching | Phase::Running) = (&task.network, &task.executor, task.phase)
            && task.containerizer == Containerizer::Launcher
        {
            self.attachments.restore(task.run(), network);
        }
        let elapsed = task.running_since.map_or(0.0, |since| now.wall.seconds() - since);
        task.health.resume(now, elapsed);
        if task.running_since.is_some() {
            task.limit_completion(now, (elapsed.max(0.0) * 1_000.0) as u64);
        }
        let key = task.key.clone();
        let over = task.phase == Phase::Ended && task.updates.is_empty();
        if task.phase != Phase::Ended {
            let runs = task.graph.iter().flat_map(|graph| graph.walk.standings().enumerate());
            for (place, container) in runs.filter_map(|(place, standing)| Some((place, standing.container.clone()?))) {
                self.by_container.insert(container, Owner::Process(key.clone(), place));
            }
        }
        self.insert(task);
        if over {
            self.forget(&key, out);
        }
    }

    /// What runs of it the launcher is told to end like all that is no task's.
    fn lost_by_damage(&mut self, now: Now, Lost { record, why }: Lost, out: &mut Vec<Effect>) {
        let key = TaskKey { framework_id: record.framework_id.clone(), task_id: record.task.task_id.clone() };
        if self.tasks.contains_key(&key) {
            return;
        }
        let health = Health::new(now, &record.task);
        out.push(Effect::CreateTask(Box::new(record.clone())));
        let TaskRecord { format: _, container, framework_id, framework, task, executor, group, containerizer } = record;
        let mut task = Task::new(framework_id, framework, task, container, executor, group, health);
        (task.containerizer, task.phase) = (containerizer, Phase::Ended);
        self.insert(task);
        // The master says TASK_LOST of it to whoever does not know this state.
        let (state, reason) = (TaskState::Gone, Some(TaskStatusReason::ExecutorTerminated));
        let message = Some(format!("The agent's record of the task was damaged, and the task ended for that: {why}"));
        self.update(now, &key, News { state, source: TaskStatusSource::Agent, reason, message }, out);
    }

    /// The launcher tells what it has: after its start, after the agent's, or after the connection broke.
    pub(super) fn reconcile(&mut self, now: Now, containers: Vec<ContainerReport>, out: &mut Vec<Effect>) {
        self.launcher = LauncherState::Ready;
        let known: BTreeSet<ContainerId> = containers.iter().map(|report| report.container.clone()).collect();
        self.forget_checks(Containerizer::Launcher, |container| known.contains(container));
        self.forget_asked_of_processes();
        // Before anything new is begun, of which the launcher cannot know.
        self.processes_missed(now, |container| known.contains(container), out);
        for report in containers {
            match self.by_container.get(&report.container).cloned() {
                Some(Owner::Task(key)) => self.reunite(now, &key, report, out),
                Some(Owner::Executor(key)) => self.reunite_executor(now, &key, report, out),
                Some(Owner::Process(key, place)) => {
                    self.reunite_process(now, (&key, place), &report.container, report.stage, out);
                }
                Some(Owner::Check) => match report.stage {
                    Stage::Failing => {}
                    Stage::Running => self.check_runs_on(&report.container, out),
                    Stage::Ended(ending) => self.check_ended(now, &report.container, ending, out),
                },
                Some(Owner::Contained(path)) => self.reunite_contained(&path, report, out),
                None => disown(report, out),
            }
        }
        self.contained_missed(|container| known.contains(container), out);
        let missing: Vec<TaskKey> = self
            .tasks
            .values()
            .filter(|task| task.phase != Phase::Ended && task.executor.is_none() && !known.contains(&task.container))
            .filter(|task| task.containerizer == Containerizer::Launcher)
            .map(|task| task.key.clone())
            .collect();
        for key in missing {
            self.missed(now, &key, out);
        }
        let missing = self.executors.values().filter(|executor| !known.contains(&executor.container));
        let missing: Vec<ExecutorKey> = missing.map(|executor| executor.key.clone()).collect();
        for key in missing {
            self.executor_missed(now, &key, out);
        }
    }

    /// As above, for the Docker daemon.
    pub(super) fn reconcile_daemon(&mut self, now: Now, containers: Vec<ContainerReport>, out: &mut Vec<Effect>) {
        self.daemon = LauncherState::Ready;
        let known: BTreeSet<ContainerId> = containers.iter().map(|report| report.container.clone()).collect();
        self.forget_checks(Containerizer::Daemon, |container| known.contains(container));
        for report in containers {
            match self.key_of(&report.container) {
                Some(key) => self.reunite(now, &key, report, out),
                None => disown(report, out),
            }
        }
        let is_missing = |task: &&Task| {
            let own = task.containerizer == Containerizer::Daemon;
            own && task.phase != Phase::Ended && !known.contains(&task.container)
        };
        let missing: Vec<TaskKey> = self.tasks.values().filter(is_missing).map(|task| task.key.clone()).collect();
        for key in missing {
            self.missed(now, &key, out);
        }
    }

    fn executors_lost_by_reboot(&mut self, out: &mut Vec<Effect>) {
        for executor in std::mem::take(&mut self.executors).into_values() {
            self.by_container.remove(&executor.container);
            out.push(Effect::LeaveSandbox(executor.sandbox(&self.config.work_dir)));
            out.push(Effect::RemoveExecutor(executor.container));
        }
        self.executor_wakes.clear();
    }

    /// Of the executor of such a task no record can be used: the launcher is told to end what it does not know of.
    fn end_orphans(&mut self, now: Now, out: &mut Vec<Effect>) {
        let orphaned = |task: &&Task| {
            let owner = task.executor_key().filter(|_| task.phase != Phase::Ended);
            owner.is_some_and(|owner| !self.executors.contains_key(&owner))
        };
        let keys: Vec<TaskKey> = self.tasks.values().filter(orphaned).map(|task| task.key.clone()).collect();
        for key in keys {
            let message = "The agent's record of its executor was damaged";
            self.never_started(now, &key, message, TaskStatusReason::ExecutorTerminated, out);
        }
    }

    fn reunite(&mut self, now: Now, key: &TaskKey, report: ContainerReport, out: &mut Vec<Effect>) {
        let Some(task) = self.tasks.get_mut(key) else { return };
        match (task.phase, task.running_since, report.stage) {
            (Phase::Ended, _, _) => disown(report, out),
            // It may have to be killed, and counts as killed only when nothing is left of it.
            (Phase::Launching | Phase::Running, _, Stage::Failing) => {}
            (Phase::Launching | Phase::Running, None, Stage::Running) => {
                self.started(now, &report.container, report.process, out);
            }
            (Phase::Launching | Phase::Running, Some(_), Stage::Running) => {
                task.phase = Phase::Running;
                task.process = Some(report.process);
                self.oversee(now, key, out);
            }
            (Phase::Launching | Phase::Running, None, Stage::Ended(ending)) => {
                self.started(now, &report.container, report.process, out);
                self.ended(now, &report.container, ending, out);
            }
            (Phase::Launching | Phase::Running, Some(_), Stage::Ended(ending)) => {
                task.process = Some(report.process);
                self.ended(now, &report.container, ending, out);
            }
        }
    }

    /// The launcher does not know a task that has not ended: it never began, or all trace of it is lost.
    fn missed(&mut self, now: Now, key: &TaskKey, out: &mut Vec<Effect>) {
        let Some(task) = self.tasks.get(key) else { return };
        if task.running_since.is_some() {
            let container = task.container.clone();
            self.ended(now, &container, Ending { exit: Exit::Unknown, memory: MemoryVerdict::WithinLimit }, out);
        } else if task.kill.is_some() {
            self.killed_before_launch(now, key, out);
        } else {
            self.launch(now, key, out);
        }
    }
}

/// A container of no task ends.
fn disown(report: ContainerReport, out: &mut Vec<Effect>) {
    out.push(Effect::Ask(match report.stage {
        Stage::Ended(_) => return out.push(forget(report.container)),
        Stage::Failing | Stage::Running => Request::Destroy(report.container),
    }));
}

/// The launcher may forget how a container ended.
pub(super) fn forget(container: ContainerId) -> Effect {
    Effect::Ask(Request::Forget(vec![container]))
}

/// Executors, and tasks: those of an executor are restored after it.
fn sorted(found: Vec<History>) -> (Vec<ExecutorHistory>, Vec<TaskHistory>) {
    let (mut executors, mut tasks) = (Vec::new(), Vec::new());
    for history in found {
        match history {
            History::Executor(executor) => executors.push(*executor),
            History::Task(task) => tasks.push(*task),
        }
    }
    (executors, tasks)
}
