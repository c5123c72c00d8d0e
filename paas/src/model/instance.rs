use std::collections::BTreeMap;
use std::sync::Arc;

use attica_core_api::Timestamp;
use attica_core_api::v1::{AgentId, TaskId, TaskState};
use serde::{Deserialize, Serialize};

use super::{
    Answer, FieldName, HealthState, InstanceId, ProcessReport, Reservation, RunSpecId, TaskIdentity, Version, serial,
};

/// One place of a run spec, and the task that fills it now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// The version that its task runs or will run.
    pub version: Version,
    /// The [`generation`](super::RunSpec::generation) of that version.
    pub generation: Version,
    /// What it is to become.
    pub goal: Goal,
    /// Where it stands.
    pub condition: Condition,
    /// The number of its latest task; 0 before the first.
    pub incarnation: u32,
    /// Since when it waits for an offer, or last did.
    #[serde(with = "serial::milliseconds")]
    pub scheduled_at: Timestamp,
    /// Its task; none exactly while it is [`Condition::Scheduled`].
    pub task: Option<Task>,
    /// What is kept for it, whether its task runs or not; none when its run spec has no persistent volumes, or before the first task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<Box<Reservation>>,
}

/// What an instance is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Goal {
    /// It should run: when its task ends, another one is launched.
    Running,
    /// It should rest: when its task ends, what is kept for it stays, until it is wanted again. Only with a reservation.
    Stopped,
    /// It is on its way out: when its task ends and nothing is kept for it any more, it is forgotten.
    Decommissioned,
}

/// Where an instance stands. The names are those of `instance_changed_event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Condition {
    /// It waits for an offer.
    Scheduled,
    /// An offer was found and the decision is durable; the launch may be on its way.
    Provisioned,
    /// The master knows the task.
    Staging,
    /// The agent starts it.
    Starting,
    /// It runs.
    Running,
    /// Its agent is gone; it may come back.
    Unreachable,
    /// Its agent is gone for so long that a replacement was scheduled.
    UnreachableInactive,
    /// The agent is killing it.
    Killing,
    /// Ended: killed.
    Killed,
    /// Ended by itself with success.
    Finished,
    /// Ended by itself with a failure.
    Failed,
    /// Ended: could not be launched.
    Error,
    /// Ended: with its agent.
    Gone,
    /// Ended: never reached its agent.
    Dropped,
    /// Ended, or never was: the master does not know it.
    Unknown,
}

impl Condition {
    /// How events write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "Scheduled",
            Self::Provisioned => "Provisioned",
            Self::Staging => "Staging",
            Self::Starting => "Starting",
            Self::Running => "Running",
            Self::Unreachable => "Unreachable",
            Self::UnreachableInactive => "UnreachableInactive",
            Self::Killing => "Killing",
            Self::Killed => "Killed",
            Self::Finished => "Finished",
            Self::Failed => "Failed",
            Self::Error => "Error",
            Self::Gone => "Gone",
            Self::Dropped => "Dropped",
            Self::Unknown => "Unknown",
        }
    }
}

/// One attempt of an instance to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its id; of a pod's: that of the executor which holds its containers together.
    pub id: TaskId,
    /// Where it runs.
    pub agent: Arc<Agent>,
    /// Its host ports, in the order of the run spec's port definitions.
    pub ports: Vec<u16>,
    /// The latest state that the master reported; `TASK_STAGING` from the launch on.
    pub state: TaskState,
    /// When it was launched.
    #[serde(with = "serial::milliseconds")]
    pub staged_at: Timestamp,
    /// When it was first reported running.
    #[serde(with = "serial::milliseconds::optional")]
    pub started_at: Option<Timestamp>,
    /// Since when its agent is unreachable.
    #[serde(with = "serial::milliseconds::optional")]
    pub unreachable_since: Option<Timestamp>,
    /// When its kill was decided; its kill is asked for until it has ended.
    #[serde(with = "serial::milliseconds::optional")]
    pub sentenced_at: Option<Timestamp>,
    /// Its addresses, as reported.
    pub ip_addresses: Vec<IpAddress>,
    /// What its health checks say, in their order.
    pub health: Vec<HealthState>,
    /// Whether it has said that it is ready, if it is asked; once it has, it stays so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness: Option<bool>,
    /// What its check without a consequence found last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// Whether its agent was told to leave it alive however unhealthy it finds it, because only so many may be killed in a minute.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spared: bool,
    /// How its processes fare, if it is more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<ProcessReport>,
    /// Of a pod: its containers, each a task of its own to the master. The state above is then that of all together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<ContainerTask>,
}

/// The task of one container of a pod.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerTask {
    /// The container.
    pub name: String,
    /// The task's id.
    pub id: TaskId,
    /// The latest state that the master reported.
    pub state: TaskState,
    /// Since when it is in that state.
    #[serde(with = "serial::milliseconds")]
    pub since: Timestamp,
    /// What the agent said last.
    pub message: String,
    /// What the agent calls its container, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
    /// What its check without a consequence found last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

/// An address of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpAddress {
    /// The address.
    pub address: String,
    /// `IPv4` or `IPv6`.
    pub protocol: String,
}

/// The agent of a task, as its offer described it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// Its host name.
    pub hostname: String,
    /// Its attributes as text, in the form in which constraints compare them.
    pub attributes: BTreeMap<String, String>,
    /// Where it stands, if it says so: the region and the zone of its fault domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
}

/// A fault domain: what fails together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// The region.
    pub region: String,
    /// The zone in it.
    pub zone: String,
}

/// The latest failure of a task of a run spec.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskFailure {
    /// The task.
    pub task: TaskId,
    /// Its last state.
    pub state: TaskState,
    /// What the agent said.
    pub message: String,
    /// Where it ran.
    pub agent: Arc<Agent>,
    /// The version it ran.
    pub version: Version,
    /// When.
    #[serde(with = "serial::milliseconds")]
    pub at: Timestamp,
    /// When it began to run, or was launched if it never did.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serial::milliseconds::optional")]
    pub began_at: Option<Timestamp>,
}

impl Task {
    /// What the master is asked about, or asked to kill: what is not over of it.
    pub fn living(&self) -> impl Iterator<Item = &TaskId> {
        let own = self.containers.is_empty().then_some(&self.id);
        own.into_iter()
            .chain(self.containers.iter().filter(|container| !container.is_over()).map(|container| &container.id))
    }

    /// Whether this id is its own, or that of one of its containers.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.id.as_str() == id || self.containers.iter().any(|container| container.id.as_str() == id)
    }
}

impl ContainerTask {
    /// Whether it has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self.state {
            TaskState::Staging
            | TaskState::Starting
            | TaskState::Running
            | TaskState::Killing
            | TaskState::Unreachable => false,
            TaskState::Finished
            | TaskState::Failed
            | TaskState::Killed
            | TaskState::Error
            | TaskState::Dropped
            | TaskState::Lost
            | TaskState::Gone
            | TaskState::GoneByOperator
            | TaskState::Unknown => true,
        }
    }
}

impl Agent {
    /// The value of a field that constraints name. Who stands in no fault domain may tell its region and zone as attributes.
    #[must_use]
    pub fn field(&self, field: &FieldName) -> Option<&str> {
        match field {
            FieldName::Hostname { .. } => Some(&self.hostname),
            FieldName::Region => {
                self.domain.as_ref().map_or_else(|| self.attribute("region"), |domain| Some(&domain.region))
            }
            FieldName::Zone => self.domain.as_ref().map_or_else(|| self.attribute("zone"), |domain| Some(&domain.zone)),
            FieldName::Attribute(name) => self.attribute(name),
        }
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

impl Instance {
    /// Whose instance it is.
    #[must_use]
    pub fn run_spec(&self) -> &RunSpecId {
        &self.id.run_spec
    }

    /// Where it is, or will be again.
    #[must_use]
    pub fn agent(&self) -> Option<&Arc<Agent>> {
        let kept = self.reservation.as_ref().map(|reservation| &reservation.agent);
        self.task.as_ref().map(|task| &task.agent).or(kept)
    }

    /// Whether nothing of it is left but what is kept for it, and nobody needs that any more.
    #[must_use]
    pub fn is_to_be_released(&self) -> bool {
        self.goal == Goal::Decommissioned && self.task.is_none() && self.reservation.is_some()
    }

    /// The identity of its latest task.
    #[must_use]
    pub fn task_identity(&self) -> TaskIdentity {
        TaskIdentity { instance: self.id.clone(), container: None, incarnation: self.incarnation }
    }

    /// The verdict of its health checks together: false as soon as one says so, true when all do, none while one is missing or
    /// there are none.
    #[must_use]
    pub fn healthy(&self) -> Option<bool> {
        let health = &self.task.as_ref()?.health;
        if health.iter().any(|state| state.alive == Some(false)) {
            return Some(false);
        }
        (!health.is_empty() && health.iter().all(|state| state.alive == Some(true))).then_some(true)
    }

    /// True when it serves: running, not about to be killed, and healthy and ready as far as it is asked.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let unchecked = || self.task.as_ref().is_some_and(|task| task.health.is_empty());
        let unready = self.task.as_ref().is_some_and(|task| task.readiness == Some(false));
        self.goal == Goal::Running
            && self.condition == Condition::Running
            && !self.is_sentenced()
            && !unready
            && (self.healthy() == Some(true) || unchecked())
    }

    /// Since when it serves without a break; none while it does not.
    #[must_use]
    pub fn serving_since(&self) -> Option<Timestamp> {
        let task = self.task.as_ref().filter(|_| self.is_ready())?;
        let healthy = task.health.iter().filter_map(|state| state.last_success).max();
        task.started_at.max(healthy)
    }

    /// True when the kill of its task was decided.
    #[must_use]
    pub fn is_sentenced(&self) -> bool {
        self.task.as_ref().is_some_and(|task| task.sentenced_at.is_some())
    }
}
