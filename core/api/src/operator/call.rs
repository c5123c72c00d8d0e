//! What operators ask for.

use super::{QuotaConfig, QuotaRequest, Schedule};
use crate::message::{enumeration, message};
use crate::v1::{AgentId, DurationInfo, FrameworkId, MachineId, Resource, Scalar, WeightInfo};

enumeration! {
    /// What is asked for.
    pub enum CallType {
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
        /// Log more for a while.
        SetLoggingLevel "SET_LOGGING_LEVEL" = 6,
        /// A directory.
        ListFiles "LIST_FILES" = 7,
        /// A part of a file.
        ReadFile "READ_FILE" = 8,
        /// Agents, frameworks, executors and tasks.
        GetState "GET_STATE" = 9,
        /// All agents.
        GetAgents "GET_AGENTS" = 10,
        /// All frameworks.
        GetFrameworks "GET_FRAMEWORKS" = 11,
        /// All executors.
        GetExecutors "GET_EXECUTORS" = 12,
        /// All operations.
        GetOperations "GET_OPERATIONS" = 33,
        /// All tasks.
        GetTasks "GET_TASKS" = 13,
        /// All roles.
        GetRoles "GET_ROLES" = 14,
        /// The weights of roles.
        GetWeights "GET_WEIGHTS" = 15,
        /// Change weights.
        UpdateWeights "UPDATE_WEIGHTS" = 16,
        /// The leading master.
        GetMaster "GET_MASTER" = 17,
        /// A stream of what happens.
        Subscribe "SUBSCRIBE" = 18,
        /// Reserve resources.
        ReserveResources "RESERVE_RESOURCES" = 19,
        /// Undo a reservation.
        UnreserveResources "UNRESERVE_RESOURCES" = 20,
        /// Make persistent volumes.
        CreateVolumes "CREATE_VOLUMES" = 21,
        /// Destroy persistent volumes.
        DestroyVolumes "DESTROY_VOLUMES" = 22,
        /// Make a volume bigger.
        GrowVolume "GROW_VOLUME" = 34,
        /// Make a volume smaller.
        ShrinkVolume "SHRINK_VOLUME" = 35,
        /// Where the machines of the schedule stand.
        GetMaintenanceStatus "GET_MAINTENANCE_STATUS" = 23,
        /// The schedule.
        GetMaintenanceSchedule "GET_MAINTENANCE_SCHEDULE" = 24,
        /// Replace the schedule.
        UpdateMaintenanceSchedule "UPDATE_MAINTENANCE_SCHEDULE" = 25,
        /// Machines go down.
        StartMaintenance "START_MAINTENANCE" = 26,
        /// Machines are back.
        StopMaintenance "STOP_MAINTENANCE" = 27,
        /// Kill what runs on an agent, and place nothing there.
        DrainAgent "DRAIN_AGENT" = 37,
        /// Place nothing on an agent.
        DeactivateAgent "DEACTIVATE_AGENT" = 38,
        /// Undo either.
        ReactivateAgent "REACTIVATE_AGENT" = 39,
        /// The quotas of roles.
        GetQuota "GET_QUOTA" = 28,
        /// Change quotas.
        UpdateQuota "UPDATE_QUOTA" = 36,
        /// Set a guarantee, the old way.
        SetQuota "SET_QUOTA" = 29,
        /// Remove a guarantee, the old way.
        RemoveQuota "REMOVE_QUOTA" = 30,
        /// Remove a framework.
        Teardown "TEARDOWN" = 31,
        /// An agent will never be back.
        MarkAgentGone "MARK_AGENT_GONE" = 32,
    }
}

message! {
    /// All that is measured.
    pub struct GetMetricsCall {
        timeout: optional DurationInfo = 1,
    }
    /// Log more for a while.
    pub struct SetLoggingLevel {
        level: required u32 = 1,
        duration: required DurationInfo = 2,
    }
    /// A directory.
    pub struct ListFilesCall {
        path: required String = 1,
    }
    /// A part of a file.
    pub struct ReadFileCall {
        path: required String = 1,
        offset: required u64 = 2,
        /// Absent: to its end.
        length: optional u64 = 3,
    }
    /// Change weights.
    pub struct UpdateWeights {
        weight_infos: repeated WeightInfo = 1,
    }
    /// Reserve resources.
    pub struct ReserveResources {
        agent_id: required AgentId = 1,
        /// What is reserved at present, when a reservation is changed.
        source: repeated Resource = 3,
        resources: repeated Resource = 2,
    }
    /// Undo a reservation.
    pub struct UnreserveResources {
        agent_id: required AgentId = 1,
        resources: repeated Resource = 2,
    }
    /// Make persistent volumes.
    pub struct CreateVolumes {
        agent_id: required AgentId = 1,
        volumes: repeated Resource = 2,
    }
    /// Destroy persistent volumes.
    pub struct DestroyVolumes {
        agent_id: required AgentId = 1,
        volumes: repeated Resource = 2,
    }
    /// Make a volume bigger.
    pub struct GrowVolume {
        agent_id: optional AgentId = 1,
        volume: required Resource = 2,
        addition: required Resource = 3,
    }
    /// Make a volume smaller.
    pub struct ShrinkVolume {
        agent_id: optional AgentId = 1,
        volume: required Resource = 2,
        subtract: required Scalar = 3,
    }
    /// Replace the schedule.
    pub struct UpdateMaintenanceSchedule {
        schedule: required Schedule = 1,
    }
    /// Machines go down.
    pub struct StartMaintenance {
        machines: repeated MachineId = 1,
    }
    /// Machines are back.
    pub struct StopMaintenance {
        machines: repeated MachineId = 1,
    }
    /// A length of time, as `google.protobuf.Duration` has it.
    pub struct GoogleDuration {
        seconds: optional i64 = 1,
        nanos: optional i32 = 2,
    }
    /// Kill what runs on an agent, and place nothing there.
    pub struct DrainAgent {
        agent_id: required AgentId = 1,
        /// What every task gets at most between SIGTERM and SIGKILL. Absent: as long as its own policy says.
        max_grace_period: optional GoogleDuration = 2,
        /// Whether the agent is gone for good once nothing runs on it.
        mark_gone: default bool = 3 (false),
    }
    /// Place nothing on an agent.
    pub struct DeactivateAgent {
        agent_id: required AgentId = 1,
    }
    /// Undo that, or a drain.
    pub struct ReactivateAgent {
        agent_id: required AgentId = 1,
    }
    /// Change quotas: all of them, or none.
    pub struct UpdateQuota {
        /// Whether limits may be below what is in use, and guarantees beyond the cluster.
        force: optional bool = 1,
        quota_configs: repeated QuotaConfig = 2,
    }
    /// Set a guarantee, the old way: it is the limit as well.
    pub struct SetQuota {
        quota_request: required QuotaRequest = 1,
    }
    /// Remove a guarantee, the old way.
    pub struct RemoveQuota {
        role: required String = 1,
    }
    /// Remove a framework.
    pub struct Teardown {
        framework_id: required FrameworkId = 1,
    }
    /// An agent will never be back.
    pub struct MarkAgentGone {
        agent_id: required AgentId = 1,
    }
    /// What an operator sends: a type, and the member of that type.
    pub struct Call {
        r#type: optional CallType = 1,
        get_metrics: optional GetMetricsCall = 2,
        set_logging_level: optional SetLoggingLevel = 3,
        list_files: optional ListFilesCall = 4,
        read_file: optional ReadFileCall = 5,
        update_weights: optional UpdateWeights = 6,
        reserve_resources: optional ReserveResources = 7,
        unreserve_resources: optional UnreserveResources = 8,
        create_volumes: optional CreateVolumes = 9,
        destroy_volumes: optional DestroyVolumes = 10,
        grow_volume: optional GrowVolume = 18,
        shrink_volume: optional ShrinkVolume = 19,
        update_maintenance_schedule: optional UpdateMaintenanceSchedule = 11,
        start_maintenance: optional StartMaintenance = 12,
        stop_maintenance: optional StopMaintenance = 13,
        drain_agent: optional DrainAgent = 21,
        deactivate_agent: optional DeactivateAgent = 22,
        reactivate_agent: optional ReactivateAgent = 23,
        update_quota: optional UpdateQuota = 20,
        teardown: optional Teardown = 16,
        mark_agent_gone: optional MarkAgentGone = 17,
        set_quota: optional SetQuota = 14,
        remove_quota: optional RemoveQuota = 15,
    }
}

impl GoogleDuration {
    /// The length in milliseconds; `None` when it is negative.
    pub fn milliseconds(&self) -> Option<u64> {
        let nanoseconds = i128::from(self.seconds.unwrap_or(0)) * 1_000_000_000 + i128::from(self.nanos.unwrap_or(0));
        u64::try_from(nanoseconds.div_euclid(1_000_000)).ok()
    }
}
