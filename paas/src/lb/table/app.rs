use std::collections::BTreeMap;
use std::sync::Arc;

use attica_core_api::v1::TaskState;

use super::Backend;
use crate::events::EventId;
use crate::model::{RunSpecId, TaskIdentity};

/// An app, as far as routing needs it, with its instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its id.
    pub id: RunSpecId,
    /// The version that this definition is.
    pub version: Arc<str>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its ports, in the order of the instances' host ports.
    pub ports: Vec<ServicePort>,
    /// Whether instances listen on the service ports themselves.
    pub host_ports: HostPorts,
    /// Whether this version has health checks.
    pub checks: Checks,
    /// Its instances that have a task.
    pub instances: Vec<Instance>,
}

/// A port of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// The service port; none where the app has none assigned.
    pub number: Option<u16>,
    /// What is spoken below HTTP.
    pub transport: Transport,
    /// Whether an HTTP check says that HTTP is spoken.
    pub speaks_http: bool,
}

/// What a port carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP, perhaps among others.
    Tcp,
    /// UDP alone, which is not balanced.
    Udp,
}

/// Where instances listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostPorts {
    /// On ports that they were given.
    Assigned,
    /// On the service ports (`requirePorts`).
    Required,
}

/// Whether health is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checks {
    /// No checks: whatever runs serves.
    None,
    /// Only what is known to be healthy serves.
    Some,
}

/// The task of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The task; it names the instance.
    pub task: TaskIdentity,
    /// The version that it runs.
    pub version: Arc<str>,
    /// Its state.
    pub state: TaskState,
    /// Name or address of its machine.
    pub host: Arc<str>,
    /// Its host ports.
    pub ports: Vec<u16>,
    /// Whether all its checks pass; none before they have said so or otherwise.
    pub healthy: Option<bool>,
}

/// An instance as the table keeps it.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    instance: Instance,
    /// Whether its version has checks, as far as that is known.
    checks: Checks,
    drain: Drain,
    /// One for each of its ports.
    pub(super) backends: Vec<Arc<Backend>>,
}

/// Whether the kill of an instance waits until it has no more requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drain {
    /// Yes, or its kill is under way already.
    Open,
    /// No: it is about to be killed. Everything up to this event came before that was said.
    Since(EventId),
}

impl Kept {
    pub(super) fn new(instance: Instance, checks: Checks) -> Self {
        let backend = |port: &u16| {
            Arc::new(Backend { task: instance.task.clone(), host: Arc::clone(&instance.host), port: *port })
        };
        let backends = instance.ports.iter().map(backend).collect();
        Self { instance, checks, drain: Drain::Open, backends }
    }

    /// Takes over what was known of the same task before: its drain, that it is being killed, backends that did not move, and the checks
    /// of a version that is not `current`.
    pub(super) fn succeed(mut self, former: Option<&Kept>, current: &str) -> Self {
        let Some(former) = former.filter(|former| former.instance.task == self.instance.task) else { return self };
        self.drain = former.drain;
        // It may have been on its way up when its kill was decided.
        if former.instance.state == TaskState::Killing && !is_over(self.instance.state) {
            self.instance.state = TaskState::Killing;
        }
        if former.instance.host == self.instance.host && former.instance.ports == self.instance.ports {
            self.backends.clone_from(&former.backends);
        }
        if *self.instance.version != *current {
            self.checks = former.checks;
        }
        self
    }

    pub(super) fn task(&self) -> &TaskIdentity {
        &self.instance.task
    }

    pub(super) fn healthy(&self) -> Option<bool> {
        self.instance.healthy
    }

    pub(super) fn set_healthy(&mut self, healthy: Option<bool>) {
        self.instance.healthy = healthy;
    }

    pub(super) fn start_draining(&mut self, before: EventId) {
        self.instance.state = TaskState::Killing;
        if self.drain == Drain::Open {
            self.drain = Drain::Since(before);
        }
    }

    /// Its kill is under way: nobody waits for a drain any more.
    pub(super) fn end_drain(&mut self) {
        self.drain = Drain::Open;
    }

    /// What may be acknowledged while it has requests in progress.
    pub(super) fn draining(&self) -> Option<EventId> {
        match self.drain {
            Drain::Since(before) => Some(before),
            Drain::Open => None,
        }
    }

    /// Whether it gets requests.
    pub(super) fn serves(&self) -> bool {
        let is_fit = self.instance.healthy.unwrap_or(self.checks == Checks::None);
        is_fit && is_up(self.instance.state)
    }
}

/// Whether a task of this state may be running. One whose agent is out of the master's reach may well be within ours.
pub(super) fn is_up(state: TaskState) -> bool {
    match state {
        TaskState::Running | TaskState::Lost | TaskState::Unreachable => true,
        TaskState::Staging
        | TaskState::Starting
        | TaskState::Killing
        | TaskState::Finished
        | TaskState::Failed
        | TaskState::Killed
        | TaskState::Error
        | TaskState::Dropped
        | TaskState::Gone
        | TaskState::GoneByOperator
        | TaskState::Unknown => false,
    }
}

/// Whether a task of this state has ended.
pub(super) fn is_over(state: TaskState) -> bool {
    match state {
        TaskState::Staging
        | TaskState::Starting
        | TaskState::Running
        | TaskState::Killing
        | TaskState::Lost
        | TaskState::Unreachable => false,
        TaskState::Finished
        | TaskState::Failed
        | TaskState::Killed
        | TaskState::Error
        | TaskState::Dropped
        | TaskState::Gone
        | TaskState::GoneByOperator
        | TaskState::Unknown => true,
    }
}
