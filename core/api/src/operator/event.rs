//! What subscribed operators are told.

use super::{Agent, Framework, GetState};
use crate::message::{enumeration, message};
use crate::v1::{AgentId, FrameworkId, FrameworkInfo, Task, TaskState, TaskStatus};

enumeration! {
    /// What has happened.
    pub enum EventType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// The stream is open: always the first event.
        Subscribed "SUBSCRIBED" = 1,
        /// There is a new task.
        TaskAdded "TASK_ADDED" = 2,
        /// A task has a new status.
        TaskUpdated "TASK_UPDATED" = 3,
        /// There is a new agent, or one is back.
        AgentAdded "AGENT_ADDED" = 4,
        /// An agent is unreachable or gone.
        AgentRemoved "AGENT_REMOVED" = 5,
        /// There is a new framework.
        FrameworkAdded "FRAMEWORK_ADDED" = 6,
        /// A framework has changed.
        FrameworkUpdated "FRAMEWORK_UPDATED" = 7,
        /// A framework is gone for good.
        FrameworkRemoved "FRAMEWORK_REMOVED" = 8,
        /// Nothing has happened, and the connection is alive.
        Heartbeat "HEARTBEAT" = 9,
    }
}

message! {
    /// The stream is open.
    pub struct Subscribed {
        get_state: optional GetState = 1,
        heartbeat_interval_seconds: optional f64 = 2,
    }
    /// There is a new task.
    pub struct TaskAdded {
        task: required Task = 1,
    }
    /// A task has a new status.
    pub struct TaskUpdated {
        framework_id: required FrameworkId = 1,
        status: required TaskStatus = 2,
        /// The latest state known.
        state: required TaskState = 3,
    }
    /// There is a new framework.
    pub struct FrameworkAdded {
        framework: required Framework = 1,
    }
    /// A framework has changed.
    pub struct FrameworkUpdated {
        framework: required Framework = 1,
    }
    /// A framework is gone for good.
    pub struct FrameworkRemoved {
        framework_info: required FrameworkInfo = 1,
    }
    /// There is a new agent, or one is back.
    pub struct AgentAdded {
        agent: required Agent = 1,
    }
    /// An agent is unreachable or gone.
    pub struct AgentRemoved {
        agent_id: required AgentId = 1,
    }
    /// What the master tells: a type, and the member of that type.
    pub struct Event {
        r#type: optional EventType = 1,
        subscribed: optional Subscribed = 2,
        task_added: optional Box<TaskAdded> = 3,
        task_updated: optional Box<TaskUpdated> = 4,
        agent_added: optional Box<AgentAdded> = 5,
        agent_removed: optional AgentRemoved = 6,
        framework_added: optional Box<FrameworkAdded> = 7,
        framework_updated: optional Box<FrameworkUpdated> = 8,
        framework_removed: optional Box<FrameworkRemoved> = 9,
    }
}

/// One constructor per type of event, so that type and member always agree.
impl Event {
    fn of(r#type: EventType) -> Self {
        Self { r#type: Some(r#type), ..Self::default() }
    }

    /// TASK_ADDED.
    pub fn task_added(task: Task) -> Self {
        Self { task_added: Some(Box::new(TaskAdded { task })), ..Self::of(EventType::TaskAdded) }
    }

    /// TASK_UPDATED.
    pub fn task_updated(task_updated: TaskUpdated) -> Self {
        Self { task_updated: Some(Box::new(task_updated)), ..Self::of(EventType::TaskUpdated) }
    }

    /// AGENT_ADDED.
    pub fn agent_added(agent: Agent) -> Self {
        Self { agent_added: Some(Box::new(AgentAdded { agent })), ..Self::of(EventType::AgentAdded) }
    }

    /// AGENT_REMOVED.
    pub fn agent_removed(agent_id: AgentId) -> Self {
        Self { agent_removed: Some(AgentRemoved { agent_id }), ..Self::of(EventType::AgentRemoved) }
    }

    /// FRAMEWORK_ADDED.
    pub fn framework_added(framework: Framework) -> Self {
        Self { framework_added: Some(Box::new(FrameworkAdded { framework })), ..Self::of(EventType::FrameworkAdded) }
    }

    /// FRAMEWORK_UPDATED.
    pub fn framework_updated(framework: Framework) -> Self {
        let updated = Some(Box::new(FrameworkUpdated { framework }));
        Self { framework_updated: updated, ..Self::of(EventType::FrameworkUpdated) }
    }

    /// FRAMEWORK_REMOVED.
    pub fn framework_removed(framework_info: FrameworkInfo) -> Self {
        let removed = Some(Box::new(FrameworkRemoved { framework_info }));
        Self { framework_removed: removed, ..Self::of(EventType::FrameworkRemoved) }
    }

    /// HEARTBEAT.
    pub fn heartbeat() -> Self {
        Self::of(EventType::Heartbeat)
    }
}
