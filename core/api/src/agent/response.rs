//! What operators are answered by an agent.

use crate::message::{enumeration, message};
use crate::operator::{
    GetFlags, GetHealth, GetLoggingLevel, GetMetrics, GetOperations, GetVersion, ListFiles, ReadFile,
};
use crate::v1::{
    AgentInfo, ContainerId, ContainerStatus, DrainConfig, ExecutorId, ExecutorInfo, FrameworkId, FrameworkInfo,
    ResourceStatistics, Task, TaskResourceLimitation, TaskState, TaskStatusReason, TimeInfo,
};

enumeration! {
    /// What is answered; calls that change something are answered without a body.
    pub enum ResponseType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Whether the agent is well.
        GetHealth "GET_HEALTH" = 1,
        /// What the agent was started with.
        GetFlags "GET_FLAGS" = 2,
        /// What the agent was built from.
        GetVersion "GET_VERSION" = 3,
        /// All that is measured.
        GetMetrics "GET_METRICS" = 4,
        /// How much is logged.
        GetLoggingLevel "GET_LOGGING_LEVEL" = 5,
        /// A directory.
        ListFiles "LIST_FILES" = 6,
        /// A part of a file.
        ReadFile "READ_FILE" = 7,
        /// Frameworks, executors and tasks.
        GetState "GET_STATE" = 8,
        /// What runs, and what it uses.
        GetContainers "GET_CONTAINERS" = 9,
        /// All frameworks.
        GetFrameworks "GET_FRAMEWORKS" = 10,
        /// All executors.
        GetExecutors "GET_EXECUTORS" = 11,
        /// Operations under way.
        GetOperations "GET_OPERATIONS" = 17,
        /// All tasks.
        GetTasks "GET_TASKS" = 12,
        /// The agent itself.
        GetAgent "GET_AGENT" = 14,
        /// All resource providers.
        GetResourceProviders "GET_RESOURCE_PROVIDERS" = 16,
        /// How a container ended, asked for in the old form.
        WaitNestedContainer "WAIT_NESTED_CONTAINER" = 13,
        /// How a container ended.
        WaitContainer "WAIT_CONTAINER" = 15,
    }
}

message! {
    /// Frameworks, executors and tasks.
    pub struct GetState {
        get_tasks: optional GetTasks = 1,
        get_executors: optional GetExecutors = 2,
        get_frameworks: optional GetFrameworks = 3,
    }
    /// What runs, and what it uses.
    pub struct Container {
        framework_id: optional FrameworkId = 1,
        executor_id: optional ExecutorId = 2,
        executor_name: optional String = 3,
        container_id: required ContainerId = 4,
        container_status: optional ContainerStatus = 5,
        resource_statistics: optional ResourceStatistics = 6,
    }
    /// All that runs.
    pub struct GetContainers {
        containers: repeated Container = 1,
    }
    /// A framework.
    pub struct Framework {
        framework_info: required FrameworkInfo = 1,
    }
    /// All frameworks.
    pub struct GetFrameworks {
        frameworks: repeated Framework = 1,
        completed_frameworks: repeated Framework = 2,
    }
    /// An executor.
    pub struct Executor {
        executor_info: required ExecutorInfo = 1,
    }
    /// All executors.
    pub struct GetExecutors {
        executors: repeated Executor = 1,
        completed_executors: repeated Executor = 2,
    }
    /// All tasks.
    pub struct GetTasks {
        /// Not yet looked at.
        pending_tasks: repeated Task = 1,
        /// Waiting for their executor.
        queued_tasks: repeated Task = 2,
        /// Running.
        launched_tasks: repeated Task = 3,
        /// Ended, and not all of their updates are acknowledged.
        terminated_tasks: repeated Task = 4,
        /// Ended.
        completed_tasks: repeated Task = 5,
    }
    /// The agent itself.
    pub struct GetAgent {
        agent_info: optional AgentInfo = 1,
        /// Set while it is being drained.
        drain_config: optional DrainConfig = 2,
        estimated_drain_start_time: optional TimeInfo = 3,
    }
    /// All resource providers: there are none.
    pub struct GetResourceProviders {}
    /// How a container ended.
    pub struct WaitContainer {
        /// As wait(2) has it.
        exit_status: optional i32 = 1,
        state: optional TaskState = 2,
        reason: optional TaskStatusReason = 3,
        limitation: optional TaskResourceLimitation = 4,
        message: optional String = 5,
    }
    /// What an operator is answered: a type, and the member of that type.
    pub struct Response {
        r#type: optional ResponseType = 1,
        get_health: optional GetHealth = 2,
        get_flags: optional GetFlags = 3,
        get_version: optional GetVersion = 4,
        get_metrics: optional GetMetrics = 5,
        get_logging_level: optional GetLoggingLevel = 6,
        list_files: optional ListFiles = 7,
        read_file: optional ReadFile = 8,
        get_state: optional GetState = 9,
        get_containers: optional GetContainers = 10,
        get_frameworks: optional GetFrameworks = 11,
        get_executors: optional GetExecutors = 12,
        get_operations: optional GetOperations = 18,
        get_tasks: optional GetTasks = 13,
        get_agent: optional GetAgent = 15,
        get_resource_providers: optional GetResourceProviders = 17,
        wait_nested_container: optional WaitContainer = 14,
        wait_container: optional WaitContainer = 16,
    }
}
