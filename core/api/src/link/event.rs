//! From the master to the agent.

use bytes::Bytes;

use super::Message;
use crate::message::{enumeration, message};
use crate::v1::{
    AgentId, DurationInfo, ExecutorId, ExecutorInfo, FrameworkId, FrameworkInfo, KillPolicy, OfferOperation, TaskId,
    TaskInfo,
};

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
        /// The framework has data for one of its executors; dropped when that is not there.
        Message "MESSAGE" = 8,
        /// Shut one executor down, and its tasks with it.
        ShutdownExecutor "SHUTDOWN_EXECUTOR" = 9,
        /// Do the agent's part of an operation. Doing it twice is the same as doing it once, and it is sent again until answered.
        Operation "OPERATION" = 10,
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
        /// One that it knows a task of already is left alone.
        task_groups: repeated TaskGroup = 4,
    }
    /// Tasks that are started together, by one executor, or not at all.
    pub struct TaskGroup {
        executor: required ExecutorInfo = 1,
        /// Without an executor of their own.
        tasks: repeated TaskInfo = 2,
    }
    /// Kill a task.
    pub struct Kill {
        framework_id: required FrameworkId = 1,
        task_id: required TaskId = 2,
        kill_policy: optional KillPolicy = 3,
        /// What the task gets at most between SIGTERM and SIGKILL, whatever its policy says: its agent drains.
        max_grace_period: optional DurationInfo = 4,
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
    /// Shut one executor down.
    pub struct ShutdownExecutor {
        framework_id: required FrameworkId = 1,
        executor_id: required ExecutorId = 2,
    }
    /// Do the agent's part of an operation: directories of volumes are made, and destroyed with what is in them. Which resources are
    /// reserved, and what volumes there are, the master alone keeps.
    pub struct Operation {
        /// Names the operation in the answer, 16 raw bytes.
        uuid: required Bytes = 1,
        info: required OfferOperation = 2,
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
        message: optional Message = 8,
        shutdown_executor: optional ShutdownExecutor = 9,
        operation: optional Box<Operation> = 10,
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

    /// MESSAGE.
    pub fn message(epoch: u64, message: Message) -> Self {
        Self { message: Some(message), ..Self::of(EventType::Message, epoch) }
    }

    /// SHUTDOWN_EXECUTOR.
    pub fn shutdown_executor(epoch: u64, shutdown: ShutdownExecutor) -> Self {
        Self { shutdown_executor: Some(shutdown), ..Self::of(EventType::ShutdownExecutor, epoch) }
    }

    /// OPERATION.
    pub fn operation(epoch: u64, operation: Operation) -> Self {
        Self { operation: Some(Box::new(operation)), ..Self::of(EventType::Operation, epoch) }
    }
}
