//! The package `mesos.v1.executor`: what executors and their agent say to each other.

mod command;

use bytes::Bytes;

pub use self::command::{Command, Invalid, check_status};

use crate::message::{enumeration, message};
use crate::v1::{
    AgentInfo, ContainerId, ExecutorId, ExecutorInfo, FrameworkId, FrameworkInfo, KillPolicy, TaskGroupInfo, TaskId,
    TaskInfo, TaskStatus,
};

enumeration! {
    /// What an executor wants.
    pub enum CallType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Open the stream of events.
        Subscribe "SUBSCRIBE" = 1,
        /// Tell a task's status.
        Update "UPDATE" = 2,
        /// Send data to the framework.
        Message "MESSAGE" = 3,
        /// Nothing; the executor is alive.
        Heartbeat "HEARTBEAT" = 4,
    }
    /// What has happened.
    pub enum EventType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// The stream is open: always the first event.
        Subscribed "SUBSCRIBED" = 1,
        /// Start a task.
        Launch "LAUNCH" = 2,
        /// Start tasks together.
        LaunchGroup "LAUNCH_GROUP" = 8,
        /// Kill a task.
        Kill "KILL" = 3,
        /// The agent keeps the status; the executor may forget it.
        Acknowledged "ACKNOWLEDGED" = 4,
        /// The framework has sent data.
        Message "MESSAGE" = 5,
        /// The executor is refused.
        Error "ERROR" = 6,
        /// Kill everything and end.
        Shutdown "SHUTDOWN" = 7,
        /// Nothing has happened, and the connection is alive.
        Heartbeat "HEARTBEAT" = 9,
    }
}

message! {
    /// Open the stream of events; tells what the agent may have missed while it was away.
    pub struct Subscribe {
        unacknowledged_tasks: repeated TaskInfo = 1,
        unacknowledged_updates: repeated Update = 2,
    }
    /// A task's status.
    pub struct Update {
        status: required TaskStatus = 1,
    }
    /// Data for the framework.
    pub struct MessageCall {
        data: required Bytes = 2,
    }
    /// What an executor sends: a type, and the member of that type.
    pub struct Call {
        executor_id: required ExecutorId = 1,
        framework_id: required FrameworkId = 2,
        r#type: optional CallType = 3,
        subscribe: optional Subscribe = 4,
        update: optional Update = 5,
        message: optional MessageCall = 6,
    }
    /// The stream is open.
    pub struct Subscribed {
        executor_info: required ExecutorInfo = 1,
        framework_info: required FrameworkInfo = 2,
        agent_info: required AgentInfo = 3,
        container_id: optional ContainerId = 4,
    }
    /// Start a task.
    pub struct Launch {
        task: required TaskInfo = 1,
    }
    /// Start tasks together.
    pub struct LaunchGroup {
        task_group: required TaskGroupInfo = 1,
    }
    /// Kill a task.
    pub struct Kill {
        task_id: required TaskId = 1,
        kill_policy: optional KillPolicy = 2,
    }
    /// The agent keeps the status.
    pub struct Acknowledged {
        task_id: required TaskId = 1,
        uuid: required Bytes = 2,
    }
    /// Data from the framework.
    pub struct MessageEvent {
        data: required Bytes = 1,
    }
    /// The executor is refused.
    pub struct Error {
        message: required String = 1,
    }
    /// What the agent sends: a type, and the member of that type.
    pub struct Event {
        r#type: optional EventType = 1,
        subscribed: optional Subscribed = 2,
        acknowledged: optional Acknowledged = 3,
        launch: optional Launch = 4,
        launch_group: optional LaunchGroup = 8,
        kill: optional Kill = 5,
        message: optional MessageEvent = 6,
        error: optional Error = 7,
    }
}

/// One constructor per type of call, so that type and member always agree.
impl Call {
    fn of(framework_id: FrameworkId, executor_id: ExecutorId, r#type: CallType) -> Self {
        Self { executor_id, framework_id, r#type: Some(r#type), ..Self::default() }
    }

    /// SUBSCRIBE.
    pub fn subscribe(framework_id: FrameworkId, executor_id: ExecutorId, subscribe: Subscribe) -> Self {
        Self { subscribe: Some(subscribe), ..Self::of(framework_id, executor_id, CallType::Subscribe) }
    }

    /// UPDATE.
    pub fn update(framework_id: FrameworkId, executor_id: ExecutorId, status: TaskStatus) -> Self {
        Self { update: Some(Update { status }), ..Self::of(framework_id, executor_id, CallType::Update) }
    }

    /// MESSAGE.
    pub fn message(framework_id: FrameworkId, executor_id: ExecutorId, data: Bytes) -> Self {
        Self { message: Some(MessageCall { data }), ..Self::of(framework_id, executor_id, CallType::Message) }
    }
}

/// One constructor per type of event, so that type and member always agree.
impl Event {
    fn of(r#type: EventType) -> Self {
        Self { r#type: Some(r#type), ..Self::default() }
    }

    /// SUBSCRIBED.
    pub fn subscribed(subscribed: Subscribed) -> Self {
        Self { subscribed: Some(subscribed), ..Self::of(EventType::Subscribed) }
    }

    /// LAUNCH.
    pub fn launch(task: TaskInfo) -> Self {
        Self { launch: Some(Launch { task }), ..Self::of(EventType::Launch) }
    }

    /// LAUNCH_GROUP.
    pub fn launch_group(task_group: TaskGroupInfo) -> Self {
        Self { launch_group: Some(LaunchGroup { task_group }), ..Self::of(EventType::LaunchGroup) }
    }

    /// KILL.
    pub fn kill(task_id: TaskId, kill_policy: Option<KillPolicy>) -> Self {
        Self { kill: Some(Kill { task_id, kill_policy }), ..Self::of(EventType::Kill) }
    }

    /// ACKNOWLEDGED.
    pub fn acknowledged(task_id: TaskId, uuid: Bytes) -> Self {
        Self { acknowledged: Some(Acknowledged { task_id, uuid }), ..Self::of(EventType::Acknowledged) }
    }

    /// MESSAGE.
    pub fn message(data: Bytes) -> Self {
        Self { message: Some(MessageEvent { data }), ..Self::of(EventType::Message) }
    }

    /// SHUTDOWN.
    pub fn shutdown() -> Self {
        Self::of(EventType::Shutdown)
    }

    /// HEARTBEAT.
    pub fn heartbeat() -> Self {
        Self::of(EventType::Heartbeat)
    }
}
