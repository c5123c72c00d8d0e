//! RUN and what follows from it: tasks are taken, refused, started.

use std::sync::Arc;

use attica_core_api::Now;
use attica_core_api::link::Run;
use attica_core_api::v1::{
    CommandInfo, FrameworkCapabilityType, FrameworkInfo, TaskInfo, TaskState, TaskStatusReason, TaskStatusSource,
};

use super::accept::{self, Plan};
use super::health::Health;
use super::image::Rooted;
use super::limitation::disk_bytes;
use super::supply::{FetchOrder, Supply, wanted};
use super::task::{News, Phase, Task};
use super::volume::Beholder;
use super::{Duty, Effect, LauncherState, Owner, Supervisor, TaskKey, container, device, executor, network};
use crate::checkpoint::{GroupRecord, TaskRecord};
use crate::daemon::Containerizer;
use crate::image::Provisioned;
use crate::launcher::protocol::{ContainerId, LaunchSpec, Process, Request};

impl Supervisor {
    /// RUN. A task that is known already is left alone.
    pub(super) fn run(&mut self, now: Now, run: Run, out: &mut Vec<Effect>) {
        let mut info = run.framework_info;
        info.id = Some(run.framework_id.clone());
        let framework = Arc::new(info);
        for info in run.tasks {
            let info = executor::completed(info, &run.framework_id, &self.config.defaults);
            let key = TaskKey { framework_id: run.framework_id.clone(), task_id: info.task_id.clone() };
            if !self.tasks.contains_key(&key) {
                self.take(now, key, framework.clone(), info, out);
            }
        }
        for group in run.task_groups {
            self.run_group(now, &framework, group, out);
        }
        self.launch_executors(now, out);
    }

    fn take(&mut self, now: Now, key: TaskKey, framework: Arc<FrameworkInfo>, info: TaskInfo, out: &mut Vec<Effect>) {
        let has_executor = info.executor.is_some();
        self.note(&key, framework, info, None, out);
        match self.duty {
            Duty::Serve if has_executor => self.hand_over(now, &key, out),
            Duty::Serve => self.launch(now, &key, out),
            Duty::Drain | Duty::Dismissed | Duty::Over => {
                self.never_started(now, &key, "The agent is about to end", TaskStatusReason::AgentDraining, out)
            }
        }
    }

    /// From now on the task is known.
    pub(super) fn note(
        &mut self,
        key: &TaskKey,
        framework: Arc<FrameworkInfo>,
        mut info: TaskInfo,
        group: Option<Arc<GroupRecord>>,
        out: &mut Vec<Effect>,
    ) {
        // Tasks are many and stay long: what was reserved while this one was read is given back.
        info.resources.shrink_to_fit();
        let info = Arc::new(info);
        let container = ContainerId::from_uuid(self.entropy.uuid());
        let executor = self.executor_for(&framework, key, &info, out);
        let containerizer = self.config.containerizers.of(&info, executor.is_some() || group.is_some());
        let record = TaskRecord::new(
            container.clone(),
            key.framework_id.clone(),
            framework.clone(),
            info.clone(),
            executor.clone(),
            group.clone(),
        )
        .run_by(containerizer);
        out.push(Effect::CreateTask(Box::new(record)));
        let framework_id = key.framework_id.clone();
        let mut task = Task::new(framework_id, framework, info, container, executor, group, Health::default());
        task.containerizer = containerizer;
        self.insert(task);
    }

    pub(super) fn insert(&mut self, task: Task) {
        self.digest.add(&task.key.framework_id, &task.key.task_id, task.state);
        self.by_container.insert(task.container.clone(), Owner::Task(task.key.clone()));
        self.tasks.insert(task.key.clone(), task);
    }

    /// Ends a task that this agent will not start, though another may.
    pub(super) fn never_started(
        &mut self,
        now: Now,
        key: &TaskKey,
        message: &str,
        reason: TaskStatusReason,
        out: &mut Vec<Effect>,
    ) {
        let Some(task) = self.tasks.get_mut(key) else { return };
        task.phase = Phase::Ended;
        let aware = task.has_capability(FrameworkCapabilityType::PartitionAware);
        let state = if aware { TaskState::Dropped } else { TaskState::Lost };
        self.update(
            now,
            key,
            News { state, source: TaskStatusSource::Agent, reason: Some(reason), message: Some(message.to_owned()) },
            out,
        );
    }

    /// Asks the launcher to start the task, if the launcher is there; otherwise that comes when it is.
    pub(super) fn launch(&mut self, now: Now, key: &TaskKey, out: &mut Vec<Effect>) {
        let Some(task) = self.tasks.get(key) else { return };
        if task.containerizer == Containerizer::Daemon {
            return self.launch_in_daemon(now, key, out);
        }
        let plan = match accept::plan(
            &self.config,
            &task.framework,
            &task.info,
            task.own_executor().is_some(),
            task.image.as_deref(),
        ) {
            Ok(plan) => plan,
            Err(refusal) => return self.refuse(now, key, refusal.to_string(), out),
        };
        let beholder = task.beholder(&self.config.work_dir);
        let links = beholder.links(&self.config.work_dir);
        let links = match task.supply {
            Supply::UnderWay => return,
            // They were made with the sandbox.
            Supply::Here => Vec::new(),
            Supply::Missing => match wanted(task.info.command.as_ref()) {
                Err(error) => return self.refuse(now, key, error.to_string(), out),
                Ok(items) if items.is_empty() && plan.rooted.is_none() => links,
                Ok(items) => {
                    let sandbox = task.sandbox(&self.config.work_dir);
                    let (container, user) = (task.container.clone(), plan.user);
                    let image = plan.rooted.map(|rooted| rooted.wish);
                    let show = beholder.show();
                    let containerizer = Containerizer::Launcher;
                    let disk_bytes = disk_bytes(&task.info.resources);
                    let order =
                        FetchOrder { container, items, image, containerizer, sandbox, links, show, user, disk_bytes };
                    out.push(Effect::Fetch(Box::new(order)));
                    return self.supply_is_under_way(key);
                }
            },
        };
        match self.launcher {
            LauncherState::Ready => {
                let ready = self.assign_devices(key, out).and_then(|()| Ok(self.attach_task(key, out)?));
                if let Err(refusal) = ready {
                    return self.refuse(now, key, refusal.to_string(), out);
                }
                let Some(task) = self.tasks.get(key) else { return };
                out.push(Effect::Launch(Box::new(self.launch_spec(task, plan)), links));
            }
            LauncherState::Unknown => {}
        }
    }

    pub(super) fn supply_is_under_way(&mut self, key: &TaskKey) {
        if let Some(task) = self.tasks.get_mut(key) {
            task.supply = Supply::UnderWay;
        }
    }

    fn launch_spec(&self, task: &Task, plan: Plan) -> LaunchSpec {
        let directory = task.sandbox(&self.config.work_dir);
        let environment = accept::environment(&self.config, task, &directory);
        let mut spec = LaunchSpec {
            container: task.container.clone(),
            parent: None,
            argv: plan.argv,
            program: plan.program,
            shortcut: plan.shortcut,
            environment,
            secrets: plan.secrets,
            user: plan.user,
            directory,
            limits: Some(plan.limits),
            controls: plan.controls,
            rlimits: container::rlimits(task.info.container.as_deref()),
            surroundings: plan.surroundings,
            streams: container::streams(task.info.container.as_deref()),
        };
        let root = plan.rooted.as_ref().zip(task.image.as_deref());
        self.furnish(&mut spec, &task.beholder(&self.config.work_dir), root, task.info.command.as_ref());
        device::equip(&mut spec, &self.config.devices, &task.devices);
        // Last: in a root of its own the network's files are mounted.
        spec.surroundings =
            network::surround(&self.config, task.run(), task.network.as_deref(), spec.surroundings.take());
        spec
    }

    /// What is mounted for a container, and the image that is its root.
    pub(super) fn furnish(
        &self,
        spec: &mut LaunchSpec,
        beholder: &Beholder<'_>,
        root: Option<(&Rooted, &Provisioned)>,
        command: Option<&CommandInfo>,
    ) {
        let mounts = beholder.mounts(&self.config);
        if !mounts.is_empty() {
            spec.surroundings.get_or_insert_default().mounts.extend(mounts);
        }
        if let (Some((rooted, image)), Some(command)) = (root, command) {
            let directory = crate::image::writable(&self.config.work_dir, &spec.container);
            rooted.surround(spec, image, command, &directory);
        }
    }

    pub(super) fn refuse(&mut self, now: Now, key: &TaskKey, message: String, out: &mut Vec<Effect>) {
        let Some(task) = self.tasks.get_mut(key) else { return };
        task.phase = Phase::Ended;
        let reason = Some(TaskStatusReason::ContainerLaunchFailed);
        self.update(
            now,
            key,
            News { state: TaskState::Failed, source: TaskStatusSource::Agent, reason, message: Some(message) },
            out,
        );
    }

    /// The task could not be started.
    pub(super) fn launch_failed(&mut self, now: Now, container: &ContainerId, error: String, out: &mut Vec<Effect>) {
        match self.by_container.get(container).cloned() {
            Some(Owner::Executor(executor)) => {
                self.counters.container_launch_errors += 1;
                let message = format!("Failed to launch container: {error}");
                return self.executor_not_launched(now, &executor, &message, out);
            }
            Some(Owner::Process(key, place)) => return self.process_not_started(now, &key, place, error, out),
            Some(Owner::Check) => return self.check_not_started(now, container, &error, out),
            Some(Owner::Contained(path)) => return self.contained_not_started(&path, &error, out),
            Some(Owner::Task(_)) | None => {}
        }
        let Some(key) = self.key_of(container) else { return };
        if self.tasks.get(&key).is_some_and(|task| task.phase == Phase::Launching) {
            self.counters.container_launch_errors += 1;
            self.refuse(now, &key, format!("Failed to launch container: {error}"), out);
        }
    }

    /// The task's program runs.
    pub(super) fn started(&mut self, now: Now, container: &ContainerId, process: Process, out: &mut Vec<Effect>) {
        let Some(key) = self.key_of(container).filter(|key| self.is_wanted(key)) else {
            // Killed or lost sight of while it was being started.
            out.push(Effect::Ask(Request::Destroy(container.clone())));
            return;
        };
        let Some(task) = self.tasks.get_mut(&key).filter(|task| task.phase == Phase::Launching) else { return };
        task.phase = Phase::Running;
        task.process = Some(process);
        task.running_since = Some(now.wall.seconds());
        task.health = Health::new(now, &task.info);
        task.limit_completion(now, 0);
        self.update(now, &key, News::of(TaskState::Starting), out);
        self.update(now, &key, News::of(TaskState::Running), out);
        self.processes_told(now, &key);
        self.oversee(now, &key, out);
    }

    fn is_wanted(&self, key: &TaskKey) -> bool {
        self.tasks.get(key).is_some_and(|task| task.phase != Phase::Ended)
    }

    /// What a running task needs: to be killed when that was asked for meanwhile, else to be watched.
    pub(super) fn oversee(&mut self, now: Now, key: &TaskKey, out: &mut Vec<Effect>) {
        let Some(task) = self.tasks.get_mut(key) else { return };
        if task.kill.is_some() {
            task.repeat_kill(now, out);
        } else if let probes @ [_, ..] = task.health.probes().as_slice() {
            out.push(Effect::Watch(task.container.clone(), task.place(&self.config), probes.to_vec()));
        }
        self.resume_graph(now, key, out);
    }
}
