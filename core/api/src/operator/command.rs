//! Calls as the master knows them: complete by construction.

use thiserror::Error;

use super::{
    Call, CallType, CreateVolumes, DeactivateAgent, DestroyVolumes, DrainAgent, GetMetricsCall, GrowVolume,
    ListFilesCall, MarkAgentGone, ReactivateAgent, ReadFileCall, RemoveQuota, ReserveResources, SetLoggingLevel,
    SetQuota, ShrinkVolume, StartMaintenance, StopMaintenance, Teardown, UnreserveResources, UpdateMaintenanceSchedule,
    UpdateQuota, UpdateWeights,
};

/// A call that is of its type's shape but breaks a rule. `Display` is the text of the response, word for word.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Invalid {
    /// A member that the type demands is absent (400).
    #[error("Failed to validate master::Call: Expecting '{0}' to be present")]
    Absent(&'static str),
    /// The type is UNKNOWN (501).
    #[error("Received 'UNKNOWN' call")]
    UnknownType,
}

/// What an operator wants; the variants are explained at [`CallType`].
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// GET_HEALTH.
    GetHealth,
    /// GET_FLAGS.
    GetFlags,
    /// GET_VERSION.
    GetVersion,
    /// GET_METRICS.
    GetMetrics(GetMetricsCall),
    /// GET_LOGGING_LEVEL.
    GetLoggingLevel,
    /// SET_LOGGING_LEVEL.
    SetLoggingLevel(SetLoggingLevel),
    /// LIST_FILES.
    ListFiles(ListFilesCall),
    /// READ_FILE.
    ReadFile(ReadFileCall),
    /// GET_STATE.
    GetState,
    /// GET_AGENTS.
    GetAgents,
    /// GET_FRAMEWORKS.
    GetFrameworks,
    /// GET_EXECUTORS.
    GetExecutors,
    /// GET_OPERATIONS.
    GetOperations,
    /// GET_TASKS.
    GetTasks,
    /// GET_ROLES.
    GetRoles,
    /// GET_WEIGHTS.
    GetWeights,
    /// UPDATE_WEIGHTS.
    UpdateWeights(UpdateWeights),
    /// GET_MASTER.
    GetMaster,
    /// SUBSCRIBE.
    Subscribe,
    /// RESERVE_RESOURCES.
    ReserveResources(ReserveResources),
    /// UNRESERVE_RESOURCES.
    UnreserveResources(UnreserveResources),
    /// CREATE_VOLUMES.
    CreateVolumes(CreateVolumes),
    /// DESTROY_VOLUMES.
    DestroyVolumes(DestroyVolumes),
    /// GROW_VOLUME.
    GrowVolume(Box<GrowVolume>),
    /// SHRINK_VOLUME.
    ShrinkVolume(Box<ShrinkVolume>),
    /// GET_MAINTENANCE_STATUS.
    GetMaintenanceStatus,
    /// GET_MAINTENANCE_SCHEDULE.
    GetMaintenanceSchedule,
    /// UPDATE_MAINTENANCE_SCHEDULE.
    UpdateMaintenanceSchedule(UpdateMaintenanceSchedule),
    /// START_MAINTENANCE.
    StartMaintenance(StartMaintenance),
    /// STOP_MAINTENANCE.
    StopMaintenance(StopMaintenance),
    /// DRAIN_AGENT.
    DrainAgent(DrainAgent),
    /// DEACTIVATE_AGENT.
    DeactivateAgent(DeactivateAgent),
    /// REACTIVATE_AGENT.
    ReactivateAgent(ReactivateAgent),
    /// GET_QUOTA.
    GetQuota,
    /// UPDATE_QUOTA.
    UpdateQuota(UpdateQuota),
    /// SET_QUOTA.
    SetQuota(SetQuota),
    /// REMOVE_QUOTA.
    RemoveQuota(RemoveQuota),
    /// TEARDOWN.
    Teardown(Teardown),
    /// MARK_AGENT_GONE.
    MarkAgentGone(MarkAgentGone),
}

impl Call {
    /// Checks the rules that need no knowledge of the cluster, and gives the typed command.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn into_command(self) -> Result<Command, Invalid> {
        let command = match self.r#type.ok_or(Invalid::Absent("type"))? {
            CallType::Unknown => return Err(Invalid::UnknownType),
            CallType::GetHealth => Command::GetHealth,
            CallType::GetFlags => Command::GetFlags,
            CallType::GetVersion => Command::GetVersion,
            CallType::GetMetrics => Command::GetMetrics(present("get_metrics", self.get_metrics)?),
            CallType::GetLoggingLevel => Command::GetLoggingLevel,
            CallType::SetLoggingLevel => {
                Command::SetLoggingLevel(present("set_logging_level", self.set_logging_level)?)
            }
            CallType::ListFiles => Command::ListFiles(present("list_files", self.list_files)?),
            CallType::ReadFile => Command::ReadFile(present("read_file", self.read_file)?),
            CallType::GetState => Command::GetState,
            CallType::GetAgents => Command::GetAgents,
            CallType::GetFrameworks => Command::GetFrameworks,
            CallType::GetExecutors => Command::GetExecutors,
            CallType::GetOperations => Command::GetOperations,
            CallType::GetTasks => Command::GetTasks,
            CallType::GetRoles => Command::GetRoles,
            CallType::GetWeights => Command::GetWeights,
            CallType::UpdateWeights => Command::UpdateWeights(present("update_weights", self.update_weights)?),
            CallType::GetMaster => Command::GetMaster,
            CallType::Subscribe => Command::Subscribe,
            CallType::ReserveResources => {
                Command::ReserveResources(present("reserve_resources", self.reserve_resources)?)
            }
            CallType::UnreserveResources => {
                Command::UnreserveResources(present("unreserve_resources", self.unreserve_resources)?)
            }
            CallType::CreateVolumes => Command::CreateVolumes(present("create_volumes", self.create_volumes)?),
            CallType::DestroyVolumes => Command::DestroyVolumes(present("destroy_volumes", self.destroy_volumes)?),
            CallType::GrowVolume => Command::GrowVolume(present("grow_volume", self.grow_volume)?.into()),
            CallType::ShrinkVolume => Command::ShrinkVolume(present("shrink_volume", self.shrink_volume)?.into()),
            CallType::GetMaintenanceStatus => Command::GetMaintenanceStatus,
            CallType::GetMaintenanceSchedule => Command::GetMaintenanceSchedule,
            CallType::UpdateMaintenanceSchedule => Command::UpdateMaintenanceSchedule(present(
                "update_maintenance_schedule",
                self.update_maintenance_schedule,
            )?),
            CallType::StartMaintenance => {
                Command::StartMaintenance(present("start_maintenance", self.start_maintenance)?)
            }
            CallType::StopMaintenance => Command::StopMaintenance(present("stop_maintenance", self.stop_maintenance)?),
            CallType::DrainAgent => Command::DrainAgent(present("drain_agent", self.drain_agent)?),
            CallType::DeactivateAgent => Command::DeactivateAgent(present("deactivate_agent", self.deactivate_agent)?),
            CallType::ReactivateAgent => Command::ReactivateAgent(present("reactivate_agent", self.reactivate_agent)?),
            CallType::GetQuota => Command::GetQuota,
            CallType::UpdateQuota => Command::UpdateQuota(present("update_quota", self.update_quota)?),
            CallType::SetQuota => Command::SetQuota(present("set_quota", self.set_quota)?),
            CallType::RemoveQuota => Command::RemoveQuota(present("remove_quota", self.remove_quota)?),
            CallType::Teardown => Command::Teardown(present("teardown", self.teardown)?),
            CallType::MarkAgentGone => Command::MarkAgentGone(present("mark_agent_gone", self.mark_agent_gone)?),
        };
        Ok(command)
    }
}

fn present<T>(name: &'static str, member: Option<T>) -> Result<T, Invalid> {
    member.ok_or(Invalid::Absent(name))
}
