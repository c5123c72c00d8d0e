//! What operators are answered.

use bytes::Bytes;

use super::{ClusterStatus, QuotaStatus, Schedule};
use crate::message::{enumeration, message};
use crate::scheduler::OfferConstraints;
use crate::v1::{
    AgentCapability, AgentId, AgentInfo, DrainInfo, ExecutorInfo, FileInfo, Flag, FrameworkInfo, InverseOffer,
    MasterInfo, Metric, Offer, Operation, Resource, Role, Task, TimeInfo, VersionInfo, WeightInfo,
};

enumeration! {
    /// What is answered; calls that change something are answered without a body.
    pub enum ResponseType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Whether the master is well.
        GetHealth "GET_HEALTH" = 1,
        /// What the master was started with.
        GetFlags "GET_FLAGS" = 2,
        /// What the master was built from.
        GetVersion "GET_VERSION" = 3,
        /// All that is measured.
        GetMetrics "GET_METRICS" = 4,
        /// How much is logged.
        GetLoggingLevel "GET_LOGGING_LEVEL" = 5,
        /// A directory.
        ListFiles "LIST_FILES" = 6,
        /// A part of a file.
        ReadFile "READ_FILE" = 7,
        /// Agents, frameworks, executors and tasks.
        GetState "GET_STATE" = 8,
        /// All agents.
        GetAgents "GET_AGENTS" = 9,
        /// All frameworks.
        GetFrameworks "GET_FRAMEWORKS" = 10,
        /// All executors.
        GetExecutors "GET_EXECUTORS" = 11,
        /// All operations.
        GetOperations "GET_OPERATIONS" = 19,
        /// All tasks.
        GetTasks "GET_TASKS" = 12,
        /// All roles.
        GetRoles "GET_ROLES" = 13,
        /// The weights of roles.
        GetWeights "GET_WEIGHTS" = 14,
        /// The leading master.
        GetMaster "GET_MASTER" = 15,
        /// Where the machines of the schedule stand.
        GetMaintenanceStatus "GET_MAINTENANCE_STATUS" = 16,
        /// The schedule.
        GetMaintenanceSchedule "GET_MAINTENANCE_SCHEDULE" = 17,
        /// The quotas of roles.
        GetQuota "GET_QUOTA" = 18,
    }
}

message! {
    /// Whether the master is well.
    pub struct GetHealth {
        healthy: required bool = 1,
    }
    /// What the master was started with.
    pub struct GetFlags {
        flags: repeated Flag = 1,
    }
    /// What the master was built from.
    pub struct GetVersion {
        version_info: required VersionInfo = 1,
    }
    /// All that is measured.
    pub struct GetMetrics {
        metrics: repeated Metric = 1,
    }
    /// How much is logged.
    pub struct GetLoggingLevel {
        level: required u32 = 1,
    }
    /// A directory.
    pub struct ListFiles {
        file_infos: repeated FileInfo = 1,
    }
    /// A part of a file.
    pub struct ReadFile {
        /// Of the whole file.
        size: required u64 = 1,
        data: required Bytes = 2,
    }
    /// Agents, frameworks, executors and tasks.
    pub struct GetState {
        get_tasks: optional GetTasks = 1,
        get_executors: optional GetExecutors = 2,
        get_frameworks: optional GetFrameworks = 3,
        get_agents: optional GetAgents = 4,
    }
    /// An agent as it is now.
    pub struct Agent {
        agent_info: required AgentInfo = 1,
        /// Whether it is there and takes part.
        active: required bool = 2,
        /// Whether an operator took it out.
        deactivated: optional bool = 12,
        version: required String = 3,
        pid: optional String = 4,
        registered_time: optional TimeInfo = 5,
        reregistered_time: optional TimeInfo = 6,
        total_resources: repeated Resource = 7,
        allocated_resources: repeated Resource = 8,
        offered_resources: repeated Resource = 9,
        capabilities: repeated AgentCapability = 10,
        drain_info: optional DrainInfo = 13,
        estimated_drain_start_time: optional TimeInfo = 14,
    }
    /// All agents.
    pub struct GetAgents {
        agents: repeated Agent = 1,
        /// Known from the last leader, and not yet heard of.
        recovered_agents: repeated AgentInfo = 2,
    }
    /// A framework as it is now.
    pub struct Framework {
        framework_info: required FrameworkInfo = 1,
        active: required bool = 2,
        connected: required bool = 3,
        /// Known from the last leader, and not yet heard of.
        recovered: required bool = 11,
        registered_time: optional TimeInfo = 4,
        reregistered_time: optional TimeInfo = 5,
        unregistered_time: optional TimeInfo = 6,
        offers: repeated Offer = 7,
        inverse_offers: repeated InverseOffer = 8,
        allocated_resources: repeated Resource = 9,
        offered_resources: repeated Resource = 10,
        offer_constraints: optional OfferConstraints = 12,
    }
    /// All frameworks.
    pub struct GetFrameworks {
        frameworks: repeated Framework = 1,
        completed_frameworks: repeated Framework = 2,
    }
    /// An executor and where it runs.
    pub struct Executor {
        executor_info: required ExecutorInfo = 1,
        agent_id: required AgentId = 2,
    }
    /// All executors.
    pub struct GetExecutors {
        executors: repeated Executor = 1,
    }
    /// All operations.
    pub struct GetOperations {
        operations: repeated Operation = 1,
    }
    /// All tasks.
    pub struct GetTasks {
        tasks: repeated Task = 2,
        unreachable_tasks: repeated Task = 5,
        completed_tasks: repeated Task = 3,
    }
    /// All roles.
    pub struct GetRoles {
        roles: repeated Role = 1,
    }
    /// The weights of roles.
    pub struct GetWeights {
        weight_infos: repeated WeightInfo = 1,
    }
    /// The leading master.
    pub struct GetMaster {
        master_info: optional MasterInfo = 1,
        /// Seconds since 1970.
        start_time: optional f64 = 2,
        /// Seconds since 1970.
        elected_time: optional f64 = 3,
    }
    /// Where the machines of the schedule stand.
    pub struct GetMaintenanceStatus {
        status: required ClusterStatus = 1,
    }
    /// The schedule.
    pub struct GetMaintenanceSchedule {
        schedule: required Schedule = 1,
    }
    /// The quotas of roles.
    pub struct GetQuota {
        status: required QuotaStatus = 1,
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
        get_agents: optional GetAgents = 10,
        get_frameworks: optional GetFrameworks = 11,
        get_executors: optional GetExecutors = 12,
        get_operations: optional GetOperations = 20,
        get_tasks: optional GetTasks = 13,
        get_roles: optional GetRoles = 14,
        get_weights: optional GetWeights = 15,
        get_master: optional GetMaster = 16,
        get_maintenance_status: optional GetMaintenanceStatus = 17,
        get_maintenance_schedule: optional GetMaintenanceSchedule = 18,
        get_quota: optional GetQuota = 19,
    }
}
