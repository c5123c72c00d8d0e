//! From the agent to the master.

use bytes::Bytes;

use super::{Message, TaskDigest};
use crate::message::{enumeration, message};
use crate::v1::{AgentId, AgentInfo, ExecutorId, FrameworkId, OperationState, TaskId, TaskState, TaskStatus};

enumeration! {
    /// What an agent has to say.
    pub enum CallType {
        /// It is there; opens the stream.
        Register "REGISTER" = 1,
        /// It is alive.
        Heartbeat "HEARTBEAT" = 2,
        /// Tasks have new statuses.
        Statuses "STATUSES" = 3,
        /// All its tasks; answers LIST_TASKS.
        Tasks "TASKS" = 4,
        /// An executor has data for its framework. Sent once: messages are delivered at best effort.
        Message "MESSAGE" = 5,
        /// An executor's process has ended. Sent once: its tasks' statuses are what counts.
        ExecutorExited "EXECUTOR_EXITED" = 6,
        /// An operation is done, or cannot be done; answers OPERATION.
        OperationStatus "OPERATION_STATUS" = 7,
    }
}

message! {
    /// An agent introduces itself.
    pub struct Register {
        /// With its id when it has one from an earlier registration.
        agent_info: required AgentInfo = 1,
        /// Of the program.
        version: required String = 2,
        /// Tells whether the machine was restarted since.
        boot_id: required String = 3,
        /// The highest epoch it has seen.
        epoch: required u64 = 4,
        /// [`TaskDigest`] over its tasks, 16 bytes, little endian.
        task_digest: required Bytes = 5,
        task_count: required u32 = 6,
        /// Whether it kept its checkpoints: without them it knows nothing of earlier tasks.
        checkpointed: required bool = 7,
        /// The agent it was before, of which nothing runs any more: its machine was restarted, and it is no longer what it was.
        replaces: optional AgentId = 8,
        /// The executors that live. One that the master knows, and that has no task left, is taken for ended when it is not among
        /// them: that it ended may not have been heard.
        executors: repeated ExecutorReport = 9,
    }
    /// An executor that lives.
    pub struct ExecutorReport {
        framework_id: required FrameworkId = 1,
        executor_id: required ExecutorId = 2,
    }
    /// A task's new status. The agent sends it again until ACKNOWLEDGE.
    pub struct StatusUpdate {
        framework_id: required FrameworkId = 1,
        status: required TaskStatus = 2,
        /// Counts the updates of this task from 1 up, without gaps, and survives the agent's restart: it tells the master a
        /// repetition, which it only acknowledges again, from news.
        sequence: required u64 = 3,
    }
    /// New statuses, in order for each task.
    pub struct Statuses {
        updates: repeated StatusUpdate = 1,
    }
    /// A task that the agent knows.
    pub struct TaskReport {
        framework_id: required FrameworkId = 1,
        task_id: required TaskId = 2,
        state: required TaskState = 3,
        /// Absent when the task has not got that far.
        latest_status: optional TaskStatus = 4,
    }
    /// All tasks that are not terminal and acknowledged.
    pub struct Tasks {
        tasks: repeated TaskReport = 1,
    }
    /// An executor's process has ended.
    pub struct ExecutorExited {
        framework_id: required FrameworkId = 1,
        executor_id: required ExecutorId = 2,
        /// As wait(2) tells it: the exit status times 256, or the number of the signal. Absent when it was not learnt.
        status: optional i32 = 3,
    }
    /// What became of an operation.
    pub struct OperationStatus {
        /// As in OPERATION.
        uuid: required Bytes = 1,
        /// OPERATION_FINISHED; anything else means that it could not be done.
        state: required OperationState = 2,
        /// Why not.
        message: optional String = 3,
    }
    /// What an agent sends: a type, and the member of that type.
    pub struct Call {
        r#type: required CallType = 1,
        /// Absent only in REGISTER of a new agent.
        agent_id: optional AgentId = 2,
        /// The epoch of the leader that the call is meant for; in REGISTER the highest it has seen.
        epoch: required u64 = 3,
        register: optional Register = 4,
        statuses: optional Statuses = 5,
        tasks: optional Tasks = 6,
        message: optional Message = 7,
        executor_exited: optional ExecutorExited = 8,
        operation_status: optional OperationStatus = 9,
    }
}

impl Register {
    /// The digest, or `None` when the field has another length than a digest.
    pub fn digest(&self) -> Option<TaskDigest> {
        TaskDigest::from_bytes(&self.task_digest)
    }
}

/// One constructor per type of call, so that type and member always agree.
impl Call {
    /// REGISTER.
    pub fn register(register: Register) -> Self {
        Self {
            r#type: CallType::Register,
            agent_id: register.agent_info.id.clone(),
            epoch: register.epoch,
            register: Some(register),
            ..Self::default()
        }
    }

    /// HEARTBEAT.
    pub fn heartbeat(agent_id: AgentId, epoch: u64) -> Self {
        Self { r#type: CallType::Heartbeat, agent_id: Some(agent_id), epoch, ..Self::default() }
    }

    /// STATUSES.
    pub fn statuses(agent_id: AgentId, epoch: u64, updates: Vec<StatusUpdate>) -> Self {
        Self {
            r#type: CallType::Statuses,
            agent_id: Some(agent_id),
            epoch,
            statuses: Some(Statuses { updates }),
            ..Self::default()
        }
    }

    /// TASKS.
    pub fn tasks(agent_id: AgentId, epoch: u64, tasks: Vec<TaskReport>) -> Self {
        Self {
            r#type: CallType::Tasks,
            agent_id: Some(agent_id),
            epoch,
            tasks: Some(Tasks { tasks }),
            ..Self::default()
        }
    }

    /// MESSAGE.
    pub fn message(agent_id: AgentId, epoch: u64, message: Message) -> Self {
        Self { r#type: CallType::Message, agent_id: Some(agent_id), epoch, message: Some(message), ..Self::default() }
    }

    /// EXECUTOR_EXITED.
    pub fn executor_exited(agent_id: AgentId, epoch: u64, exited: ExecutorExited) -> Self {
        Self {
            r#type: CallType::ExecutorExited,
            agent_id: Some(agent_id),
            epoch,
            executor_exited: Some(exited),
            ..Self::default()
        }
    }

    /// OPERATION_STATUS.
    pub fn operation_status(agent_id: AgentId, epoch: u64, status: OperationStatus) -> Self {
        Self {
            r#type: CallType::OperationStatus,
            agent_id: Some(agent_id),
            epoch,
            operation_status: Some(status),
            ..Self::default()
        }
    }
}
