//! Executors begin with their first task, and end with their container.

use attica_core_api::Now;
use attica_core_api::auth::Claims;
use attica_core_api::executor::Event;
use attica_core_api::link::ExecutorExited;
use attica_core_api::v1::{Resource, TaskInfo, TaskState, TaskStatusReason, TaskStatusSource};

use super::{Contact, Executor, ExecutorKey, Proof, Step};
use crate::checkpoint::{EndCause, ExecutorEntry, ExecutorHistory, ExecutorRecord};
use crate::contained::ContainerPath;
use crate::daemon::Containerizer;
use crate::launcher::protocol::{
    ContainerId, ContainerReport, Ending, Exit, LaunchSpec, MemoryVerdict, Process, Request, Stage,
};
use crate::supervisor::limitation::disk_bytes;
use crate::supervisor::supply::{FetchOrder, Supply, wanted};
use crate::supervisor::task::{News, Phase};
use crate::supervisor::{
    Effect, LauncherState, Owner, Supervisor, TaskKey, accept, container, controls, device, ending, limitation,
    network, recovery,
};

/// Who an executor is, under the names that Mesos gives these claims.
fn claims(executor: &ExecutorKey, container: &ContainerId) -> Claims {
    let ExecutorKey { framework_id, executor_id } = executor;
    let claims = [("fid", framework_id.as_str()), ("eid", executor_id.as_str()), ("cid", container.as_str())];
    claims.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

impl Supervisor {
    /// Sees to it that the executor of a new task has it, or gets it as soon as it subscribes. One of a group comes with its group.
    pub(in crate::supervisor) fn hand_over(&mut self, now: Now, key: &TaskKey, out: &mut Vec<Effect>) {
        let Some((owner, info)) = self.tasks.get(key).and_then(|task| Some((task.executor_key()?, task.info.clone())))
        else {
            return;
        };
        let has_begun = self.executors.get(&owner).is_some_and(Executor::has_begun);
        if let Err(refusal) = accept::check_executors_task(&self.config, &info, has_begun) {
            self.refuse(now, key, refusal.to_string(), out);
            return self.end_if_idle(now, &owner, out);
        }
        let Some(executor) = self.executors.get_mut(&owner) else { return };
        if executor.end.is_some() {
            let reason = TaskStatusReason::ExecutorTerminated;
            return self.never_started(now, key, "Executor terminating", reason, out);
        }
        executor.tasks.insert(key.clone());
        if let Some(task) = self.tasks.get_mut(key) {
            task.network = executor.network.clone();
        }
        if executor.asked || executor.started {
            self.resize(&owner, out);
        }
        let grouped = self.tasks.get(key).is_some_and(|task| task.group.is_some());
        if let Some(Executor { contact: Contact::Subscribed(stream), .. }) = self.executors.get(&owner)
            && !grouped
        {
            out.push(Effect::Tell(*stream, Box::new(Event::launch(info.as_ref().clone()))));
        }
    }

    /// The container of the executor that a new task names, which begins if it is not there.
    pub(in crate::supervisor) fn executor_for(
        &mut self,
        framework: &std::sync::Arc<attica_core_api::v1::FrameworkInfo>,
        key: &TaskKey,
        info: &TaskInfo,
        out: &mut Vec<Effect>,
    ) -> Option<ContainerId> {
        let executor = info.executor.as_deref()?;
        let owner = ExecutorKey { framework_id: key.framework_id.clone(), executor_id: executor.executor_id.clone() };
        if let Some(known) = self.executors.get(&owner) {
            return Some(known.container.clone());
        }
        let container = ContainerId::from_uuid(self.entropy.uuid());
        let token = match &self.config.proof {
            Proof::NotAsked => None,
            Proof::Token(signing) => Some(signing.sign(&claims(&owner, &container))),
        };
        let record = ExecutorRecord::new(
            container.clone(),
            key.framework_id.clone(),
            framework.as_ref().clone(),
            info.agent_id.clone(),
            executor.clone(),
            token,
        );
        out.push(Effect::CreateExecutor(Box::new(record.clone())));
        self.by_container.insert(container.clone(), Owner::Executor(owner.clone()));
        self.executors.insert(owner, Executor::from_record(record));
        Some(container)
    }

    /// Asks the launcher to start those that were not started yet, if the launcher is there; otherwise that comes when it is.
    pub(in crate::supervisor) fn launch_executors(&mut self, now: Now, out: &mut Vec<Effect>) {
        let idle = |executor: &&Executor| !executor.started && !executor.asked;
        let keys: Vec<ExecutorKey> =
            self.executors.values().filter(idle).map(|executor| executor.key.clone()).collect();
        for key in keys {
            self.launch_executor(now, &key, out);
        }
    }

    pub(in crate::supervisor) fn launch_executor(&mut self, now: Now, key: &ExecutorKey, out: &mut Vec<Effect>) {
        let Some(executor) = self.executors.get(key) else { return };
        if executor.end.is_some() || executor.tasks.is_empty() {
            return self.executor_over(now, key, None, out);
        }
        let resources = self.resources_of(executor);
        let image = executor.image.as_deref();
        let plan = match accept::executor_plan(&self.config, &executor.framework, &executor.info, &resources, image) {
            Ok(plan) => plan,
            Err(refusal) => return self.executor_not_launched(now, key, &refusal.to_string(), out),
        };
        let directory = executor.sandbox(&self.config.work_dir);
        let beholder = executor.beholder(&resources, &self.config.work_dir);
        let links = beholder.links(&self.config.work_dir);
        let show = beholder.show();
        let links = match executor.supply {
            Supply::UnderWay => return,
            // They were made with the sandbox.
            Supply::Here => Vec::new(),
            Supply::Missing => match wanted(executor.info.command.as_ref()) {
                Err(error) => return self.executor_not_launched(now, key, &error.to_string(), out),
                Ok(items) if items.is_empty() && plan.rooted.is_none() => links,
                Ok(items) => {
                    let (container, user) = (executor.container.clone(), plan.user);
                    let image = plan.rooted.map(|rooted| rooted.wish);
                    let containerizer = Containerizer::Launcher;
                    let (sandbox, disk_bytes) = (directory, disk_bytes(&resources));
                    let order =
                        FetchOrder { container, items, image, containerizer, sandbox, links, show, user, disk_bytes };
                    out.push(Effect::Fetch(Box::new(order)));
                    if let Some(executor) = self.executors.get_mut(key) {
                        executor.supply = Supply::UnderWay;
                    }
                    return;
                }
            },
        };
        if self.launcher == LauncherState::Unknown {
            return;
        }
        let ready = self.assign_executors_devices(key, out).and_then(|()| Ok(self.attach_executor(key, out)?));
        if let Err(refusal) = ready {
            return self.executor_not_launched(now, key, &refusal.to_string(), out);
        }
        let Some(executor) = self.executors.get(key) else { return };
        let environment = accept::executor_environment(&self.config, executor, &directory);
        let mut spec = LaunchSpec {
            container: executor.container.clone(),
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
            rlimits: container::rlimits(executor.info.container.as_deref()),
            surroundings: plan.surroundings,
            streams: container::streams(executor.info.container.as_deref()),
        };
        let root = plan.rooted.as_ref().zip(executor.image.as_deref());
        let beholder = executor.beholder(&resources, &self.config.work_dir);
        self.furnish(&mut spec, &beholder, root, executor.info.command.as_ref());
        device::equip(&mut spec, &self.config.devices, &executor.devices);
        // Last: in a root of its own the network's files are mounted.
        let surroundings = spec.surroundings.take();
        spec.surroundings =
            network::surround(&self.config, &executor.container, executor.network.as_deref(), surroundings);
        out.push(Effect::Launch(Box::new(spec), links));
        if let Some(executor) = self.executors.get_mut(key) {
            executor.asked = true;
        }
    }

    /// Of the executor and all its tasks together: what its container may use.
    pub(in crate::supervisor) fn resources_of(&self, executor: &Executor) -> Vec<Resource> {
        let tasks = executor.tasks.iter().filter_map(|key| self.tasks.get(key));
        executor.info.resources.iter().chain(tasks.flat_map(|task| &task.info.resources)).cloned().collect()
    }

    /// Its tasks have changed.
    pub(in crate::supervisor) fn resize(&self, key: &ExecutorKey, out: &mut Vec<Effect>) {
        let Some(executor) = self.executors.get(key) else { return };
        let resources = self.resources_of(executor);
        let limits = accept::limits(&self.config, &resources);
        match limits.and_then(|limits| Ok((limits, controls::of(&self.config, &resources, None)?))) {
            Ok((limits, controls)) => {
                out.push(Effect::Ask(Request::Resize(executor.container.clone(), limits, controls)))
            }
            Err(error) => tracing::error!(executor = %key.executor_id, %error, "an executor keeps its limits"),
        }
    }

    /// An executor without a task that was never told of one is not needed.
    pub(in crate::supervisor) fn end_if_idle(&mut self, now: Now, key: &ExecutorKey, out: &mut Vec<Effect>) {
        let Some(executor) = self.executors.get(key).filter(|executor| executor.tasks.is_empty()) else { return };
        match executor.contact {
            Contact::Awaited { .. } => self.end_executor(now, key, EndCause::Shutdown, out),
            Contact::Subscribed(_) | Contact::Away => {}
        }
    }

    /// The launcher could not start it.
    pub(in crate::supervisor) fn executor_not_launched(
        &mut self,
        now: Now,
        key: &ExecutorKey,
        message: &str,
        out: &mut Vec<Effect>,
    ) {
        let tasks = self.executors.get(key).map(|executor| executor.tasks.clone()).unwrap_or_default();
        for task in tasks {
            self.refuse(now, &task, message.to_owned(), out);
        }
        self.executor_over(now, key, None, out);
    }

    /// Its program runs.
    pub(in crate::supervisor) fn executor_started(
        &mut self,
        now: Now,
        key: &ExecutorKey,
        process: Process,
        out: &mut Vec<Effect>,
    ) {
        let registration_ms = self.config.executors.registration_ms;
        let Some(executor) = self.executors.get_mut(key) else { return };
        executor.process = Some(process);
        if !executor.started {
            executor.started = true;
            match &mut executor.contact {
                Contact::Awaited { deadline } => *deadline = Some(now.tick.after(registration_ms)),
                // It was quicker than the launcher's word that it runs.
                Contact::Subscribed(_) | Contact::Away => {}
            }
            out.push(Effect::AppendExecutor(executor.container.clone(), ExecutorEntry::Started));
        }
        if let Some(end) = &mut executor.end {
            end.step = Step::Destroying;
            out.push(Effect::Ask(Request::Destroy(executor.container.clone())));
        }
        self.schedule_executor(key);
    }

    /// Its container has ended and nothing of it is left.
    pub(in crate::supervisor) fn executor_ended(
        &mut self,
        now: Now,
        key: &ExecutorKey,
        ending: Ending,
        out: &mut Vec<Effect>,
    ) {
        let Some(executor) = self.executors.get(key) else { return };
        let cause = executor.end.map(|end| end.cause);
        let container = executor.container.clone();
        for task in executor.tasks.clone() {
            self.task_lost_its_executor(now, &task, cause, ending, out);
        }
        self.executor_over(now, key, Some(ending.exit), out);
        self.answer_waiting(&container, ending, out);
        self.whole_over(&ContainerPath::root(container.as_str()), out);
    }

    fn task_lost_its_executor(
        &mut self,
        now: Now,
        key: &TaskKey,
        cause: Option<EndCause>,
        ending: Ending,
        out: &mut Vec<Effect>,
    ) {
        let timing = self.config.executors;
        let Some(task) = self.tasks.get_mut(key).filter(|task| task.phase != Phase::Ended) else { return };
        task.phase = Phase::Ended;
        let within = |what: &str, ms| format!("Executor did not {what} within {}", accept::duration(ms));
        let (reason, message) = match (cause, ending.memory) {
            (Some(EndCause::NotRegistered), _) => {
                (TaskStatusReason::ExecutorRegistrationTimeout, within("register", timing.registration_ms))
            }
            (Some(EndCause::NotReregistered), _) => {
                (TaskStatusReason::ExecutorReregistrationTimeout, within("reregister", timing.reregistration_ms))
            }
            (Some(EndCause::Exceeded(excess)), _) => limitation::reason(excess),
            (_, MemoryVerdict::OutOfMemory { .. }) => {
                (TaskStatusReason::ContainerLimitationMemory, ending::memory_message(ending.memory))
            }
            (Some(EndCause::Shutdown), MemoryVerdict::WithinLimit) => {
                (TaskStatusReason::ExecutorTerminated, "Executor was shut down".to_owned())
            }
            (None, MemoryVerdict::WithinLimit) => {
                let text = format!("Abnormal executor termination: {}", ending::describe(ending.exit));
                (TaskStatusReason::ExecutorTerminated, text)
            }
        };
        let news = News {
            state: TaskState::Failed,
            source: TaskStatusSource::Agent,
            reason: Some(reason),
            message: Some(message),
        };
        let mut status = task.status(now, &self.config, &mut self.entropy, news);
        match cause {
            Some(EndCause::Exceeded(excess)) => status.limitation = Some(limitation::limitation(excess)),
            Some(EndCause::Shutdown | EndCause::NotRegistered | EndCause::NotReregistered) | None => {
                if reason == TaskStatusReason::ContainerLimitationMemory {
                    status.limitation = Some(ending::limitation(ending.memory));
                }
            }
        }
        self.update_with(now, key, status, out);
    }

    /// Nothing of it is left, or ever was: `exit` of its program, if that ran.
    pub(super) fn executor_over(&mut self, now: Now, key: &ExecutorKey, exit: Option<Exit>, out: &mut Vec<Effect>) {
        let Some(executor) = self.executors.remove(key) else { return };
        for task in &executor.tasks {
            // It never ran.
            if self.tasks.get(task).is_some_and(|task| task.phase != Phase::Ended) {
                self.killed_before_launch(now, task, out);
            }
        }
        if let Some(wake) = executor.wake {
            self.executor_wakes.remove(&(wake, key.clone()));
        }
        self.by_container.remove(&executor.container);
        self.attachments.release(&executor.container, out);
        if let Contact::Subscribed(stream) = executor.contact {
            self.streams.remove(&stream);
            out.push(Effect::CloseStream(stream));
        }
        out.push(Effect::LeaveSandbox(executor.sandbox(&self.config.work_dir)));
        out.push(Effect::RemoveExecutor(executor.container));
        if let Some(exit) = exit {
            self.counters.executors_terminated += 1;
            let exited = ExecutorExited {
                framework_id: key.framework_id.clone(),
                executor_id: key.executor_id.clone(),
                status: wait_status(exit),
            };
            out.push(Effect::SendExited(Box::new(exited)));
        }
    }

    /// As found in a checkpoint.
    pub(in crate::supervisor) fn restore_executor(&mut self, now: Now, history: ExecutorHistory) {
        let mut executor = Executor::from_record(history.record);
        for entry in history.entries {
            match entry {
                ExecutorEntry::Started => {
                    executor.started = true;
                    executor.registered_before = true;
                    let deadline = now.tick.after(self.config.executors.reregistration_ms);
                    executor.contact = Contact::Awaited { deadline: Some(deadline) };
                }
                ExecutorEntry::Attached(attachment) => {
                    self.attachments.restore(&executor.container, &attachment);
                    executor.network = Some(attachment);
                }
                ExecutorEntry::Provisioned(image) => executor.image = Some(image),
                ExecutorEntry::Devices(devices) => executor.devices = devices,
                ExecutorEntry::Ending(cause) => {
                    executor.end = Some(super::End { cause, step: Step::Waiting });
                }
            }
        }
        let key = executor.key.clone();
        self.by_container.insert(executor.container.clone(), Owner::Executor(key.clone()));
        self.executors.insert(key.clone(), executor);
        self.schedule_executor(&key);
    }

    /// What the launcher has of it.
    pub(in crate::supervisor) fn reunite_executor(
        &mut self,
        now: Now,
        key: &ExecutorKey,
        report: ContainerReport,
        out: &mut Vec<Effect>,
    ) {
        match report.stage {
            Stage::Failing => {}
            Stage::Running => {
                self.executor_started(now, key, report.process, out);
                // The launcher was not told of tasks that came or went while it was away.
                self.resize(key, out);
            }
            Stage::Ended(ending) => {
                self.executor_started(now, key, report.process, out);
                self.executor_ended(now, key, ending, out);
                out.push(recovery::forget(report.container));
            }
        }
    }

    /// The launcher knows nothing of it.
    pub(in crate::supervisor) fn executor_missed(&mut self, now: Now, key: &ExecutorKey, out: &mut Vec<Effect>) {
        let Some(executor) = self.executors.get_mut(key) else { return };
        executor.asked = false;
        if executor.started {
            let ending = Ending { exit: Exit::Unknown, memory: MemoryVerdict::WithinLimit };
            self.executor_ended(now, key, ending, out);
        } else {
            self.launch_executor(now, key, out);
        }
    }
}

/// As wait(2) has it.
pub(in crate::supervisor) fn wait_status(exit: Exit) -> Option<i32> {
    match exit {
        Exit::Code(code) => Some((code & 0xff) << 8),
        Exit::Signal(signal) => Some(signal),
        Exit::Unknown => None,
    }
}
