//! From the master to the agent.

use bytes::Bytes;

use crate::message::{enumeration, message};
use crate::v1::{AgentId, FrameworkId, FrameworkInfo, KillPolicy, TaskId, TaskInfo};

enumeration! {
    /// What an agent is to do.
    pub enum EventType {
        /// Take note of its id: always the first event.
        Registered "REGISTERED" = 1,
        /// List all its tasks.
        ListTasks "LIST_TASKS" = 2,
        /// Run tasks; one that it knows already is left alone.
        Run "RUN" = 3,
        /// Kill a task.
        Kill "KILL" = 4,
        /// Drop a status: the master has committed it. After a terminal one, forget the task.
        Acknowledge "ACKNOWLEDGE" = 5,
        /// Kill everything: the agent is not wanted.
        Shutdown "SHUTDOWN" = 6,
        /// Nothing; the master is alive.
        Heartbeat "HEARTBEAT" = 7,
    }
}

message! {
    /// The link is open.
    pub struct Registered {
        agent_id: required AgentId = 1,
        master_id: required String = 2,
        heartbeat_ms: required u64 = 3,
        /// After as many missed heartbeats either side takes the other for lost.
        missed_limit: required u32 = 4,
        /// Whether the master knows the same tasks in the same states; otherwise LIST_TASKS follows.
        digest_matches: required bool = 5,
    }
    /// Run tasks.
    pub struct Run {
        framework_id: required FrameworkId = 1,
        framework_info: required FrameworkInfo = 2,
        tasks: repeated TaskInfo = 3,
    }
    /// Kill a task.
    pub struct Kill {
        framework_id: required FrameworkId = 1,
        task_id: required TaskId = 2,
        kill_policy: optional KillPolicy = 3,
    }
    /// Drop a status.
    pub struct Acknowledge {
        framework_id: required FrameworkId = 1,
        task_id: required TaskId = 2,
        /// The status's `uuid`, 16 raw bytes.
        uuid: required Bytes = 3,
    }
    /// Kill everything.
    pub struct Shutdown {
        /// Why.
        message: required String = 1,
    }
    /// What the master sends: a type, and the member of that type.
    pub struct Event {
        r#type: required EventType = 1,
        /// The leader's.
        epoch: required u64 = 2,
        registered: optional Registered = 3,
        run: optional Run = 4,
        kill: optional Kill = 5,
        acknowledge: optional Acknowledge = 6,
        shutdown: optional Shutdown = 7,
    }
}

/// One constructor per type of event, so that type and member always agree.
impl Event {
    fn of(r#type: EventType, epoch: u64) -> Self {
        Self { r#type, epoch, ..Self::default() }
    }

    /// REGISTERED.
    pub fn registered(epoch: u64, registered: Registered) -> Self {
        Self { registered: Some(registered), ..Self::of(EventType::Registered, epoch) }
    }

    /// LIST_TASKS.
    pub fn list_tasks(epoch: u64) -> Self {
        Self::of(EventType::ListTasks, epoch)
    }

    /// RUN.
    pub fn run(epoch: u64, run: Run) -> Self {
        Self { run: Some(run), ..Self::of(EventType::Run, epoch) }
    }

    /// KILL.
    pub fn kill(epoch: u64, kill: Kill) -> Self {
        Self { kill: Some(kill), ..Self::of(EventType::Kill, epoch) }
    }

    /// ACKNOWLEDGE.
    pub fn acknowledge(epoch: u64, acknowledge: Acknowledge) -> Self {
        Self { acknowledge: Some(acknowledge), ..Self::of(EventType::Acknowledge, epoch) }
    }

    /// SHUTDOWN.
    pub fn shutdown(epoch: u64, message: impl Into<String>) -> Self {
        Self { shutdown: Some(Shutdown { message: message.into() }), ..Self::of(EventType::Shutdown, epoch) }
    }

    /// HEARTBEAT.
    pub fn heartbeat(epoch: u64) -> Self {
        Self::of(EventType::Heartbeat, epoch)
    }
}
