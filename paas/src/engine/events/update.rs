use attica_core_api::Now;
use attica_core_api::v1::{TaskId, TaskState, TaskStatus};

use super::super::pursuit::Pursuit;
use super::super::timers::Timer;
use super::super::{Cause, Effects, Engine, Fact, TaskUpdate, calls};
use crate::model::{
    Answer, Condition, Goal, Instance, IpAddress, ProcessReport, RunSpec, Task, TaskFailure, TaskIdentity, Version,
};

/// What a task's state means.
pub(super) enum Meaning {
    /// The task is there.
    Alive(Condition),
    /// The task is over.
    Ended(Condition),
    /// Nobody knows: its agent is out of contact.
    OutOfContact,
}

/// How far a task has come, or how far all containers of a pod have.
pub(super) struct Progress {
    pub(super) condition: Condition,
    pub(super) state: TaskState,
    /// Whether something of it is new, even if this is as it was.
    pub(super) changed: bool,
}

/// How a task has ended, or the one container of a pod that decides over it.
pub(super) struct Verdict {
    pub(super) condition: Condition,
    pub(super) task: TaskId,
    pub(super) state: TaskState,
    pub(super) message: String,
}

impl Verdict {
    /// What the last status of a task says.
    pub(super) fn of(status: &TaskStatus) -> Self {
        Self {
            condition: ended_as(status.state),
            task: status.task_id.clone(),
            state: status.state,
            message: status.message.clone().unwrap_or_default(),
        }
    }
}

impl Engine {
    /// Takes a status in and acknowledges it. Statuses come again until acknowledged, and in answer to reconciliation; what says
    /// nothing new changes nothing.
    pub(super) fn status_update(&mut self, now: Now, status: TaskStatus, out: &mut Effects) {
        let identity = TaskIdentity::parse(status.task_id.as_str()).ok();
        let known = identity.as_ref().and_then(|identity| self.state.instance(&identity.instance));
        let known = known
            .filter(|instance| instance.task.as_ref().is_some_and(|task| task.has(status.task_id.as_str())))
            .cloned();
        match known {
            Some(instance) => self.task_status(now, instance, &status, out),
            None => self.unknown_task(now, identity, &status, out),
        }
        if let (Some(uuid), Some(agent)) = (status.uuid, status.agent_id) {
            out.calls.push(calls::acknowledge(agent, status.task_id, uuid));
        }
    }

    fn task_status(&mut self, now: Now, instance: Instance, status: &TaskStatus, out: &mut Effects) {
        if instance.task.as_ref().is_some_and(|task| !task.containers.is_empty()) {
            return self.container_status(now, instance, status, out);
        }
        match meaning(status.state) {
            Meaning::Alive(condition) => {
                let progress = Progress { condition, state: status.state, changed: false };
                self.task_alive(now, instance, progress, status, out);
            }
            Meaning::Ended(_) => self.task_ended(now, &instance, Verdict::of(status), status, out),
            Meaning::OutOfContact => self.out_of_contact(now, instance, status, out),
        }
    }

    pub(super) fn task_alive(
        &mut self,
        now: Now,
        mut instance: Instance,
        Progress { condition, state, changed }: Progress,
        status: &TaskStatus,
        out: &mut Effects,
    ) {
        let was_away = matches!(instance.condition, Condition::Unreachable | Condition::UnreachableInactive);
        let id = instance.id.clone();
        let Some(task) = instance.task.as_mut() else { return };
        let addresses = ip_addresses(status);
        let processes = processes(status);
        let progressed = !processes.is_empty() && processes != task.processes;
        if progressed {
            task.processes = processes;
        }
        let advances = was_away || condition > instance.condition;
        let moved = !addresses.is_empty() && addresses != task.ip_addresses;
        let answer = answer(status);
        let answered = answer.is_some() && answer != task.answer;
        if advances || moved || answered || changed {
            task.answer = answer.or(task.answer);
            if !addresses.is_empty() {
                task.ip_addresses = addresses;
            }
            if advances && let Some(kept) = instance.reservation.as_mut() {
                kept.confirmed = true;
            }
            if advances {
                task.state = state;
                task.unreachable_since = None;
                instance.condition = condition;
            }
            if condition == Condition::Running && task.started_at.is_none() {
                task.started_at = Some(now.wall);
            }
            let cause = Cause::Updated(task_update(task, instance.version, status));
            self.record(now, Fact::InstanceChanged { instance: Box::new(instance), cause }, out);
        } else if progressed {
            self.record(now, Fact::InstanceChanged { instance: Box::new(instance), cause: Cause::Progressed }, out);
        }
        self.health(now, &id, status, out);
    }

    /// A task is over, by its own fault or not.
    pub(super) fn task_ended(
        &mut self,
        now: Now,
        instance: &Instance,
        verdict: Verdict,
        status: &TaskStatus,
        out: &mut Effects,
    ) {
        let condition = verdict.condition;
        self.end_task(now, instance, verdict, status, out);
        if is_its_fault(instance, condition) && !instance.is_sentenced() {
            let failed = self.running_definition(instance);
            failed.into_iter().for_each(|failed| self.slow_down(now, &failed, out));
        }
    }

    /// The instance of a task that is over waits again, or is gone with it.
    pub(super) fn end_task(
        &mut self,
        now: Now,
        instance: &Instance,
        verdict: Verdict,
        status: &TaskStatus,
        out: &mut Effects,
    ) {
        let Some(task) = &instance.task else { return };
        let (condition, state) = (verdict.condition, verdict.state);
        self.kill_over(&instance.id);
        let failure = failure(instance, task, verdict, now).filter(|_| !instance.is_sentenced());
        let next = self.afterwards(now, instance, state);
        if next.as_ref().is_some_and(|next| next.reservation.is_some()) {
            self.timers.set(now.tick, Timer::Reservation(instance.id.clone()));
        }
        let update = task_update(task, instance.version, status);
        self.record(now, Fact::TaskEnded { id: instance.id.clone(), condition, update, failure, next }, out);
    }

    /// An instance after its task: launched again, or at rest with what is kept for it; none: it is gone.
    fn afterwards(&self, now: Now, instance: &Instance, ended_as: TaskState) -> Option<Box<Instance>> {
        // What an operator has given up never comes back.
        let reservation = instance.reservation.clone().filter(|_| ended_as != TaskState::GoneByOperator);
        let goal = match instance.goal {
            Goal::Running if self.is_launched_again(instance) => Goal::Running,
            Goal::Running if self.pursuit(instance.run_spec()) == Pursuit::Nothing => Goal::Decommissioned,
            Goal::Running | Goal::Stopped => Goal::Stopped,
            Goal::Decommissioned => Goal::Decommissioned,
        };
        let stays = goal == Goal::Running || reservation.is_some();
        let condition = Condition::Scheduled;
        let next = Instance { goal, condition, scheduled_at: now.wall, task: None, reservation, ..instance.clone() };
        stays.then(|| Box::new(next))
    }

    fn is_launched_again(&self, instance: &Instance) -> bool {
        let wanted = match self.pursuit(instance.run_spec()) {
            Pursuit::Keep { .. } => true,
            Pursuit::Replace(definition) => definition.generation == instance.generation,
            Pursuit::Nothing => false,
        };
        wanted && instance.goal == Goal::Running && instance.condition != Condition::UnreachableInactive
    }

    pub(super) fn out_of_contact(&mut self, now: Now, mut instance: Instance, status: &TaskStatus, out: &mut Effects) {
        let id = instance.id.clone();
        if instance.goal == Goal::Decommissioned && instance.reservation.is_none() {
            // Nobody is there to confirm its kill; should it come back, it is unknown, and killed for that.
            return self.forget(now, id, Condition::Gone, out);
        }
        if let Some(task) = instance.task.as_mut()
            && task.unreachable_since.is_none()
        {
            task.unreachable_since = Some(now.wall);
            task.state = status.state;
            instance.condition = Condition::Unreachable;
            let cause = Cause::Updated(task_update(task, instance.version, status));
            self.record(now, Fact::InstanceChanged { instance: Box::new(instance), cause }, out);
            self.timers.set(now.tick, Timer::Reservation(id.clone()));
            self.timers.set(now.tick, Timer::Unreachable(id));
        }
    }

    /// A task that belongs to no instance: one of an instance that was given up, or left over. It is killed.
    fn unknown_task(&mut self, now: Now, identity: Option<TaskIdentity>, status: &TaskStatus, out: &mut Effects) {
        match (meaning(status.state), identity) {
            (Meaning::Alive(_), _) => out.calls.push(calls::kill(status.task_id.clone(), status.agent_id.clone())),
            (Meaning::Ended(condition), Some(identity)) if status.uuid.is_some() => {
                self.record(now, Fact::UnknownTaskEnded { id: identity.instance, condition }, out);
            }
            (Meaning::Ended(_) | Meaning::OutOfContact, _) => {}
        }
    }
}

pub(super) fn meaning(state: TaskState) -> Meaning {
    match state {
        TaskState::Staging => Meaning::Alive(Condition::Staging),
        TaskState::Starting => Meaning::Alive(Condition::Starting),
        TaskState::Running => Meaning::Alive(Condition::Running),
        TaskState::Killing => Meaning::Alive(Condition::Killing),
        TaskState::Finished => Meaning::Ended(Condition::Finished),
        TaskState::Failed => Meaning::Ended(Condition::Failed),
        TaskState::Killed => Meaning::Ended(Condition::Killed),
        TaskState::Error => Meaning::Ended(Condition::Error),
        TaskState::Dropped => Meaning::Ended(Condition::Dropped),
        TaskState::Lost | TaskState::Gone | TaskState::GoneByOperator => Meaning::Ended(Condition::Gone),
        TaskState::Unknown => Meaning::Ended(Condition::Unknown),
        TaskState::Unreachable => Meaning::OutOfContact,
    }
}

/// What a state is in which a task ends.
pub(super) fn ended_as(state: TaskState) -> Condition {
    match meaning(state) {
        Meaning::Ended(condition) => condition,
        Meaning::Alive(_) | Meaning::OutOfContact => unreachable!("{state:?} is not the end of a task"),
    }
}

fn task_update(task: &Task, version: Version, status: &TaskStatus) -> TaskUpdate {
    let message = status.message.clone().unwrap_or_default();
    TaskUpdate {
        ip_addresses: task.ip_addresses.clone(),
        ..TaskUpdate::of(task, &status.task_id, version, status.state, message)
    }
}

/// The record of a failure; ending well, or being killed, is none.
fn failure(instance: &Instance, task: &Task, verdict: Verdict, now: Now) -> Option<Box<TaskFailure>> {
    let failed = !matches!(verdict.condition, Condition::Finished | Condition::Killed);
    failed.then(|| {
        Box::new(TaskFailure {
            task: verdict.task,
            state: verdict.state,
            message: verdict.message,
            agent: std::sync::Arc::clone(&task.agent),
            version: instance.version,
            at: now.wall,
            began_at: Some(task.started_at.unwrap_or(task.staged_at)),
        })
    })
}

/// What a check without a consequence has found, if it has found anything.
pub(super) fn answer(status: &TaskStatus) -> Option<Answer> {
    let found = status.check_status.as_ref()?;
    let http = found.http.as_ref().and_then(|http| http.status_code).map(Answer::Http);
    let tcp = found.tcp.as_ref().and_then(|tcp| tcp.succeeded).map(Answer::Tcp);
    let command = found.command.as_ref().and_then(|command| command.exit_code).map(Answer::Command);
    http.or(tcp).or(command)
}

fn processes(status: &TaskStatus) -> Vec<ProcessReport> {
    let report = |process: &attica_core_api::v1::ProcessStatus| ProcessReport {
        name: process.name.clone(),
        state: process.state,
        runs: process.runs,
        failures: process.failures,
        exit_code: process.exit_code,
        signal: process.signal,
        message: process.message.clone(),
    };
    status.processes.iter().map(report).collect()
}

fn ip_addresses(status: &TaskStatus) -> Vec<IpAddress> {
    let networks = status.container_status.iter().flat_map(|status| &status.network_infos);
    let addresses = networks.flat_map(|network| &network.ip_addresses);
    let address = |address: &attica_core_api::v1::IpAddress| {
        let protocol = match address.protocol {
            attica_core_api::v1::NetworkProtocol::Ipv4 => "IPv4",
            attica_core_api::v1::NetworkProtocol::Ipv6 => "IPv6",
        };
        Some(IpAddress { address: address.ip_address.clone()?, protocol: protocol.to_owned() })
    };
    addresses.filter_map(address).collect()
}

impl Engine {
    /// The definition whose task an instance runs.
    pub(in super::super) fn running_definition(&self, instance: &Instance) -> Option<std::sync::Arc<RunSpec>> {
        self.state.run_specs.get(instance.run_spec())?.versions.get(&instance.version).cloned()
    }
}

/// False for the end of a task that says nothing about what it runs.
fn is_its_fault(instance: &Instance, condition: Condition) -> bool {
    match condition {
        Condition::Killed => false,
        // Its launch never arrived.
        Condition::Gone | Condition::Dropped | Condition::Unknown => instance.condition != Condition::Provisioned,
        Condition::Finished
        | Condition::Failed
        | Condition::Error
        | Condition::Scheduled
        | Condition::Provisioned
        | Condition::Staging
        | Condition::Starting
        | Condition::Running
        | Condition::Unreachable
        | Condition::UnreachableInactive
        | Condition::Killing => true,
    }
}
