//! The states of a task, and the updates that tell of them.

use bytes::Bytes;

use super::{
    AgentId, CheckStatusInfo, ContainerStatus, ExecutorId, HealthResult, Labels, ProcessStatus, Resource, TaskId,
    TimeInfo,
};
use crate::message::{enumeration, message};

enumeration! {
    /// The state of a task.
    pub enum TaskState {
        /// Accepted by the master, not heard of since.
        Staging "TASK_STAGING" = 6,
        /// Being started by its executor.
        Starting "TASK_STARTING" = 0,
        /// Running.
        Running "TASK_RUNNING" = 1,
        /// Being killed.
        Killing "TASK_KILLING" = 8,
        /// Ended by itself with success.
        Finished "TASK_FINISHED" = 2,
        /// Ended by itself without success.
        Failed "TASK_FAILED" = 3,
        /// Killed on request.
        Killed "TASK_KILLED" = 4,
        /// Never started: its description was refused.
        Error "TASK_ERROR" = 7,
        /// Lost; what frameworks without PARTITION_AWARE see instead of the five below.
        Lost "TASK_LOST" = 5,
        /// Never started: its agent was lost, or restarted.
        Dropped "TASK_DROPPED" = 9,
        /// Its agent does not answer; it may be running still.
        Unreachable "TASK_UNREACHABLE" = 10,
        /// Its agent runs, it does not.
        Gone "TASK_GONE" = 11,
        /// An operator has declared its agent gone for good.
        GoneByOperator "TASK_GONE_BY_OPERATOR" = 12,
        /// The master has never heard of it, or has forgotten.
        Unknown "TASK_UNKNOWN" = 13,
    }
    /// Who made a status.
    pub enum TaskStatusSource {
        /// The master.
        Master "SOURCE_MASTER" = 0,
        /// The agent.
        Agent "SOURCE_AGENT" = 1,
        /// The executor.
        Executor "SOURCE_EXECUTOR" = 2,
    }
    /// Why a task is in its state.
    pub enum TaskStatusReason {
        /// The executor of a command task failed.
        CommandExecutorFailed "REASON_COMMAND_EXECUTOR_FAILED" = 0,
        /// The container could not be started.
        ContainerLaunchFailed "REASON_CONTAINER_LAUNCH_FAILED" = 21,
        /// The container reached a limit.
        ContainerLimitation "REASON_CONTAINER_LIMITATION" = 19,
        /// The container used too much disk.
        ContainerLimitationDisk "REASON_CONTAINER_LIMITATION_DISK" = 20,
        /// The container used too much memory.
        ContainerLimitationMemory "REASON_CONTAINER_LIMITATION_MEMORY" = 8,
        /// Its resources were taken back.
        ContainerPreempted "REASON_CONTAINER_PREEMPTED" = 17,
        /// The container could not be given its new resources.
        ContainerUpdateFailed "REASON_CONTAINER_UPDATE_FAILED" = 22,
        /// It ran for longer than it was to.
        MaxCompletionTimeReached "REASON_MAX_COMPLETION_TIME_REACHED" = 33,
        /// The executor did not register in time.
        ExecutorRegistrationTimeout "REASON_EXECUTOR_REGISTRATION_TIMEOUT" = 23,
        /// The executor did not register again in time.
        ExecutorReregistrationTimeout "REASON_EXECUTOR_REREGISTRATION_TIMEOUT" = 24,
        /// The executor ended.
        ExecutorTerminated "REASON_EXECUTOR_TERMINATED" = 1,
        /// The executor is not registered.
        ExecutorUnregistered "REASON_EXECUTOR_UNREGISTERED" = 2,
        /// The framework was removed.
        FrameworkRemoved "REASON_FRAMEWORK_REMOVED" = 3,
        /// The garbage collector stood in the way.
        GcError "REASON_GC_ERROR" = 4,
        /// Unused.
        InvalidFrameworkId "REASON_INVALID_FRAMEWORKID" = 5,
        /// The offers are not, or no longer, valid.
        InvalidOffers "REASON_INVALID_OFFERS" = 6,
        /// The switchboard for input and output ended.
        IoSwitchboardExited "REASON_IO_SWITCHBOARD_EXITED" = 27,
        /// The master is away.
        MasterDisconnected "REASON_MASTER_DISCONNECTED" = 7,
        /// The framework asked.
        Reconciliation "REASON_RECONCILIATION" = 9,
        /// The agent does not have the resources.
        ResourcesUnknown "REASON_RESOURCES_UNKNOWN" = 18,
        /// The agent's connection is lost.
        AgentDisconnected "REASON_AGENT_DISCONNECTED" = 10,
        /// The agent is being drained.
        AgentDraining "REASON_AGENT_DRAINING" = 34,
        /// The agent was removed.
        AgentRemoved "REASON_AGENT_REMOVED" = 11,
        /// The agent was removed by an operator.
        AgentRemovedByOperator "REASON_AGENT_REMOVED_BY_OPERATOR" = 31,
        /// The agent came back.
        AgentReregistered "REASON_AGENT_REREGISTERED" = 32,
        /// The agent was restarted.
        AgentRestarted "REASON_AGENT_RESTARTED" = 12,
        /// The agent is not known.
        AgentUnknown "REASON_AGENT_UNKNOWN" = 13,
        /// It was killed before it was started.
        TaskKilledDuringLaunch "REASON_TASK_KILLED_DURING_LAUNCH" = 30,
        /// A check has a new result.
        TaskCheckStatusUpdated "REASON_TASK_CHECK_STATUS_UPDATED" = 28,
        /// A health check has a new result.
        TaskHealthCheckStatusUpdated "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED" = 29,
        /// The description of the group is not valid.
        TaskGroupInvalid "REASON_TASK_GROUP_INVALID" = 25,
        /// The group is not allowed.
        TaskGroupUnauthorized "REASON_TASK_GROUP_UNAUTHORIZED" = 26,
        /// Its description is not valid.
        TaskInvalid "REASON_TASK_INVALID" = 14,
        /// It is not allowed.
        TaskUnauthorized "REASON_TASK_UNAUTHORIZED" = 15,
        /// Unused.
        TaskUnknown "REASON_TASK_UNKNOWN" = 16,
    }
}

impl TaskState {
    /// Whether nothing can follow: the task has ended and its agent says so.
    ///
    /// LOST, UNREACHABLE, GONE_BY_OPERATOR and UNKNOWN are not among them: such a task may still turn out to be running.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Finished | Self::Failed | Self::Killed | Self::Error | Self::Dropped | Self::Gone => true,
            Self::Staging | Self::Starting | Self::Running | Self::Killing => false,
            Self::Lost | Self::Unreachable | Self::GoneByOperator | Self::Unknown => false,
        }
    }
}

message! {
    /// Which resources a task exceeded.
    pub struct TaskResourceLimitation {
        resources: repeated Resource = 1,
    }
    /// The state of a task at some point in time.
    pub struct TaskStatus {
        task_id: required TaskId = 1,
        state: required TaskState = 2,
        message: optional String = 4,
        source: optional TaskStatusSource = 9,
        reason: optional TaskStatusReason = 10,
        data: optional Bytes = 3,
        agent_id: optional AgentId = 5,
        executor_id: optional ExecutorId = 7,
        /// Seconds since 1970.
        timestamp: optional f64 = 6,
        /// 16 raw bytes; set when the status has to be acknowledged.
        uuid: optional Bytes = 11,
        healthy: optional bool = 8,
        check_status: optional CheckStatusInfo = 15,
        labels: optional Labels = 12,
        container_status: optional ContainerStatus = 13,
        unreachable_time: optional TimeInfo = 14,
        limitation: optional TaskResourceLimitation = 16,
        /// Ours: what was found in `TaskInfo.health_checks`, one entry for each check that has a result.
        health_results: repeated HealthResult = 1001,
        /// Ours: how each process of `TaskInfo.processes` fares.
        processes: repeated ProcessStatus = 1002,
    }
}
