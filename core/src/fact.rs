//! What the kernel has decided: the durable history, one fact at a time.
//!
//! A fact carries everything that the tables and the read model need, so that both are folds of the facts and of nothing else.
//! Facts are only ever added to: a stored fact must stay readable. The journal holds them as JSON, which people can read too.

use attica_allocator::Role;
use attica_core_api::operator::{QuotaConfig, Schedule};
use attica_core_api::v1::{
    AgentId, AgentInfo, ContainerStatus, ExecutorId, ExecutorInfo, FrameworkId, FrameworkInfo, KillPolicy, MachineId,
    OfferOperation, OperationStatus, Resource, TaskId, TaskInfo, TaskStatus, WeightInfo,
};
use attica_core_api::{Timestamp, encode_json};
use attica_core_store as store;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::snapshot::Service;

/// Goes up when the meaning of a stored field changes; facts of every earlier version stay readable.
const VERSION: i16 = 1;

/// One durable change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// A framework subscribed, for the first time or again. Its failover deadline, if any, is void.
    FrameworkSubscribed {
        /// The framework, its id set.
        info: Box<FrameworkInfo>,
        /// When.
        #[serde(with = "milliseconds")]
        at: Timestamp,
    },
    /// A framework described itself anew.
    FrameworkUpdated {
        /// The framework, its id set.
        info: Box<FrameworkInfo>,
        /// When.
        #[serde(with = "milliseconds")]
        at: Timestamp,
    },
    /// A framework's stream broke. Unless it is back by `deadline`, it is removed and its tasks are killed.
    FrameworkDisconnected {
        /// The framework.
        framework: FrameworkId,
        /// When its `failover_timeout` has passed.
        #[serde(with = "milliseconds")]
        deadline: Timestamp,
        /// When.
        #[serde(with = "milliseconds")]
        at: Timestamp,
    },
    /// A framework was torn down, or its failover deadline passed. Its id is dead; its tasks are to be killed, and its outboxes are void.
    FrameworkRemoved {
        /// The framework.
        framework: FrameworkId,
        /// When.
        #[serde(with = "milliseconds")]
        at: Timestamp,
    },
    /// A removed framework, with all that is left of it, fell off the end of the history.
    FrameworkForgotten {
        /// The framework.
        framework: FrameworkId,
    },
    /// An agent registered, for the first time or again; it is reachable.
    AgentRegistered {
        /// The agent, its id set.
        info: Box<AgentInfo>,
        /// The agent's own version.
        version: String,
        /// The boot of its machine.
        boot_id: String,
        /// When.
        #[serde(with = "milliseconds")]
        at: Timestamp,
    },
    /// An agent was silent for too long.
    AgentUnreachable {
        /// The agent.
        agent: AgentId,
        /// When.
        #[serde(with = "milliseconds")]
        at: Timestamp,
    },
    /// An agent was unreachable for too long, and all its tasks are history.
    AgentForgotten {
        /// The agent.
        agent: AgentId,
    },
    /// An operator decided whether an agent takes part, or a drain has come to its end.
    AgentServiceChanged {
        /// The agent.
        agent: AgentId,
        /// Whether it takes part from now on.
        service: Service,
    },
    /// The maintenance of machines was planned anew, began or ended.
    MaintenanceChanged {
        /// All that is planned.
        schedule: Schedule,
        /// The machines that are down; each is in the schedule as well.
        down: Vec<MachineId>,
    },
    /// A framework launched a task. The task is TASK_STAGING.
    TaskLaunched {
        /// The framework.
        framework: FrameworkId,
        /// The role whose offer was used.
        #[serde(with = "role_name")]
        role: Role,
        /// The task, with its agent, and each resource with its `allocation_info`. A task of a group has its group's executor.
        task: Box<TaskInfo>,
        /// What it has in common with the tasks that are started together with it, if there are any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<String>,
        /// When.
        #[serde(with = "milliseconds")]
        at: Timestamp,
    },
    /// A task's state is now that of `status`. With a `uuid` the status joins the task's outbox.
    TaskUpdated {
        /// The framework.
        framework: FrameworkId,
        /// The status, with its task and agent.
        status: Box<TaskStatus>,
        /// The agent's number of this update (they count up per task); absent when the master itself decided it.
        sequence: Option<u64>,
        /// The container that an earlier status told of, when this one tells of none: whoever asks later is still told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        container: Option<Box<ContainerStatus>>,
    },
    /// A task's agent became unreachable. The task keeps the state that its agent reported last; `status` (TASK_UNREACHABLE, or
    /// TASK_LOST for a framework that is not partition aware) joins its outbox.
    TaskUnreachable {
        /// The framework.
        framework: FrameworkId,
        /// The status, with its task and agent.
        status: Box<TaskStatus>,
    },
    /// A task's agent came back, and the task with it. `status`, with the state that the agent had reported last, joins its outbox.
    TaskReachable {
        /// The framework.
        framework: FrameworkId,
        /// The status, with its task and agent.
        status: Box<TaskStatus>,
    },
    /// The scheduler acknowledged the oldest status in a task's outbox.
    UpdateAcknowledged {
        /// The framework.
        framework: FrameworkId,
        /// The task.
        task: TaskId,
        /// The status's uuid, 16 raw bytes.
        #[serde(with = "hex")]
        uuid: Bytes,
    },
    /// The framework wants a task killed. The kill stands until the task has ended.
    KillRequested {
        /// The framework.
        framework: FrameworkId,
        /// The task.
        task: TaskId,
        /// How, when it differs from the task's own policy.
        kill_policy: Option<KillPolicy>,
    },
    /// A task has ended and everything about it is acknowledged: it is history.
    TaskCompleted {
        /// The framework.
        framework: FrameworkId,
        /// The task.
        task: TaskId,
        /// When.
        #[serde(with = "milliseconds")]
        at: Timestamp,
    },
    /// A completed task fell off the end of the history.
    TaskForgotten {
        /// The framework.
        framework: FrameworkId,
        /// The task.
        task: TaskId,
    },
    /// An operator gave roles these quotas.
    QuotasUpdated {
        /// By role, each once.
        configs: Vec<QuotaConfig>,
    },
    /// An operator took a role's quota away.
    QuotaRemoved {
        /// Whose.
        #[serde(with = "role_name")]
        role: Role,
    },
    /// An operator gave roles these weights.
    WeightsUpdated {
        /// The role is set in each.
        weights: Vec<WeightInfo>,
    },
    /// The first task of an executor was launched: the executor runs, or is going to.
    ExecutorLaunched {
        /// The framework.
        framework: FrameworkId,
        /// The agent.
        agent: AgentId,
        /// The role whose offer was used.
        #[serde(with = "role_name")]
        role: Role,
        /// The executor, with its framework, and each resource with its `allocation_info`.
        executor: Box<ExecutorInfo>,
        /// When.
        #[serde(with = "milliseconds")]
        at: Timestamp,
    },
    /// An executor has ended: what it used itself is free.
    ExecutorEnded {
        /// The framework.
        framework: FrameworkId,
        /// The agent.
        agent: AgentId,
        /// The executor.
        executor: ExecutorId,
    },
    /// What reservations and volumes have been made of the agent's resources while it ran: all of them.
    AgentShaped {
        /// The agent.
        agent: AgentId,
        /// The resources that it has instead of as many of those that it declared.
        resources: Vec<Resource>,
    },
    /// An operation on an agent's resources took effect in the books; its agent has its own part still to do.
    OperationStarted {
        /// The operation.
        #[serde(with = "uuid_text")]
        operation: Uuid,
        /// Whose it is; absent for an operator's.
        framework: Option<FrameworkId>,
        /// Where.
        agent: AgentId,
        /// What.
        info: Box<OfferOperation>,
        /// When.
        #[serde(with = "milliseconds")]
        at: Timestamp,
    },
    /// An operation is over, and its framework has to acknowledge that.
    OperationUpdated {
        /// The operation.
        #[serde(with = "uuid_text")]
        operation: Uuid,
        /// How it ended, with the uuid of the acknowledgement.
        status: Box<OperationStatus>,
    },
    /// An operation is over, and nobody waits to hear of it (any more).
    OperationEnded {
        /// The operation.
        #[serde(with = "uuid_text")]
        operation: Uuid,
    },
}

impl store::Fact for Fact {
    fn kind(&self) -> &'static str {
        match self {
            Self::FrameworkSubscribed { .. } => "framework_subscribed",
            Self::FrameworkUpdated { .. } => "framework_updated",
            Self::FrameworkDisconnected { .. } => "framework_disconnected",
            Self::FrameworkRemoved { .. } => "framework_removed",
            Self::FrameworkForgotten { .. } => "framework_forgotten",
            Self::AgentRegistered { .. } => "agent_registered",
            Self::AgentUnreachable { .. } => "agent_unreachable",
            Self::AgentForgotten { .. } => "agent_forgotten",
            Self::AgentServiceChanged { .. } => "agent_service_changed",
            Self::MaintenanceChanged { .. } => "maintenance_changed",
            Self::TaskLaunched { .. } => "task_launched",
            Self::TaskUpdated { .. } => "task_updated",
            Self::TaskUnreachable { .. } => "task_unreachable",
            Self::TaskReachable { .. } => "task_reachable",
            Self::UpdateAcknowledged { .. } => "update_acknowledged",
            Self::KillRequested { .. } => "kill_requested",
            Self::TaskCompleted { .. } => "task_completed",
            Self::TaskForgotten { .. } => "task_forgotten",
            Self::QuotasUpdated { .. } => "quotas_updated",
            Self::QuotaRemoved { .. } => "quota_removed",
            Self::WeightsUpdated { .. } => "weights_updated",
            Self::ExecutorLaunched { .. } => "executor_launched",
            Self::ExecutorEnded { .. } => "executor_ended",
            Self::AgentShaped { .. } => "agent_shaped",
            Self::OperationStarted { .. } => "operation_started",
            Self::OperationUpdated { .. } => "operation_updated",
            Self::OperationEnded { .. } => "operation_ended",
        }
    }

    fn version(&self) -> i16 {
        VERSION
    }

    fn encode(&self) -> Vec<u8> {
        encode_json(self)
    }
}

impl Fact {
    /// Reads a fact back from its encoding.
    ///
    /// # Errors
    /// When another program wrote it.
    pub fn decode(payload: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(payload)
    }
}

pub(crate) mod milliseconds {
    use attica_core_api::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(time.0)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp)
    }
}

mod role_name {
    use attica_allocator::Role;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(role: &Role, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(role.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Role, D::Error> {
        Role::new(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

mod hex {
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{bytes:x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        let byte = |place: usize| text.get(place..place + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(byte).collect();
        bytes.map(Bytes::from).ok_or_else(|| de::Error::custom("expected pairs of hexadecimal digits"))
    }
}

mod uuid_text {
    use serde::{Deserialize, Deserializer, Serializer, de};
    use uuid::Uuid;

    pub(super) fn serialize<S: Serializer>(uuid: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(uuid)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
