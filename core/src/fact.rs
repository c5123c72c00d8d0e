//! What the kernel has decided: the durable history, one fact at a time.
//!
//! A fact carries everything that the tables and the read model need, so that both are folds of the facts and of nothing else.
//! Facts are only ever added to: a stored fact must stay readable.

use attica_allocator::Role;
use attica_core_api::Timestamp;
use attica_core_api::v1::{AgentId, AgentInfo, FrameworkId, FrameworkInfo, KillPolicy, TaskId, TaskInfo, TaskStatus};

/// One durable change.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A framework subscribed, for the first time or again. Its failover deadline, if any, is void.
    FrameworkSubscribed {
        /// The framework, its id set.
        info: Box<FrameworkInfo>,
        /// When.
        at: Timestamp,
    },
    /// A framework's stream broke. Unless it is back by `deadline`, it is removed and its tasks are killed.
    FrameworkDisconnected {
        /// The framework.
        framework: FrameworkId,
        /// When its `failover_timeout` has passed.
        deadline: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// A framework was torn down, or its failover deadline passed. Its id is dead; its tasks are to be killed.
    FrameworkRemoved {
        /// The framework.
        framework: FrameworkId,
        /// When.
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
        at: Timestamp,
    },
    /// An agent was silent for too long.
    AgentUnreachable {
        /// The agent.
        agent: AgentId,
        /// When.
        at: Timestamp,
    },
    /// A framework launched a task. The task is TASK_STAGING.
    TaskLaunched {
        /// The framework.
        framework: FrameworkId,
        /// The role whose offer was used.
        role: Role,
        /// The task, with its agent, and each resource with its `allocation_info`.
        task: Box<TaskInfo>,
        /// When.
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
        /// The status's uuid.
        uuid: Vec<u8>,
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
        at: Timestamp,
    },
    /// A completed task fell off the end of the history.
    TaskForgotten {
        /// The framework.
        framework: FrameworkId,
        /// The task.
        task: TaskId,
    },
}
