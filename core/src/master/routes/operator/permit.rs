//! Whether an operator may make a call.
//!
//! Mesos leaves out of an answer what its caller may not see. Here that is so for the lists (`/state` and its kin); calls that show
//! as much are answered only to those from whom nothing of it is kept.

use attica_core_api::auth::{Action, Viewer};
use attica_core_api::operator::Command;

use crate::auth::Needed;
use crate::master::leader::Leader;
use crate::master::routes::answer::Rejection;
use crate::master::routes::entrance::forbidden;

/// An error is the answer.
pub(in crate::master::routes) fn check(viewer: &Viewer, leader: &Leader, command: &Command) -> Result<(), Rejection> {
    let may = viewer.is_unrestricted()
        || (shown(command).iter().all(|action| viewer.may_all(*action))
            && needed(leader, command).iter().all(|needed| needed.is_granted(viewer)));
    if may { Ok(()) } else { Err(forbidden()) }
}

/// What a call shows.
fn shown(command: &Command) -> &'static [Action] {
    match command {
        Command::GetState | Command::Subscribe => {
            &[Action::ViewFramework, Action::ViewTask, Action::ViewExecutor, Action::ViewRole]
        }
        Command::GetFrameworks => &[Action::ViewFramework],
        Command::GetExecutors => &[Action::ViewFramework, Action::ViewExecutor],
        Command::GetTasks => &[Action::ViewFramework, Action::ViewTask],
        Command::GetAgents | Command::GetOperations | Command::GetRoles | Command::GetWeights => &[Action::ViewRole],
        Command::GetQuota => &[Action::GetQuota],
        Command::GetMaintenanceStatus => &[Action::GetMaintenanceStatus],
        Command::GetMaintenanceSchedule => &[Action::GetMaintenanceSchedule],
        Command::GetHealth
        | Command::GetVersion
        | Command::GetMetrics(_)
        | Command::GetLoggingLevel
        | Command::GetMaster
        | Command::GetFlags
        | Command::ListFiles(_)
        | Command::ReadFile(_)
        | Command::SetLoggingLevel(_)
        | Command::UpdateWeights(_)
        | Command::ReserveResources(_)
        | Command::UnreserveResources(_)
        | Command::CreateVolumes(_)
        | Command::DestroyVolumes(_)
        | Command::GrowVolume(_)
        | Command::ShrinkVolume(_)
        | Command::UpdateMaintenanceSchedule(_)
        | Command::StartMaintenance(_)
        | Command::StopMaintenance(_)
        | Command::DrainAgent(_)
        | Command::DeactivateAgent(_)
        | Command::ReactivateAgent(_)
        | Command::MarkAgentGone(_)
        | Command::UpdateQuota(_)
        | Command::SetQuota(_)
        | Command::RemoveQuota(_)
        | Command::Teardown(_) => &[],
    }
}

/// What a call needs.
fn needed(leader: &Leader, command: &Command) -> Vec<Needed> {
    let any = |action| vec![Needed::any(action)];
    let roles = |action, roles: &mut dyn Iterator<Item = &String>| {
        roles.map(|role| Needed::on(action, role.as_str())).collect::<Vec<_>>()
    };
    match command {
        Command::GetHealth
        | Command::GetVersion
        | Command::GetMetrics(_)
        | Command::GetLoggingLevel
        | Command::GetMaster
        | Command::GetState
        | Command::GetAgents
        | Command::GetFrameworks
        | Command::GetExecutors
        | Command::GetOperations
        | Command::GetTasks
        | Command::GetRoles
        | Command::GetWeights
        | Command::GetQuota
        | Command::GetMaintenanceStatus
        | Command::GetMaintenanceSchedule
        | Command::Subscribe => Vec::new(),
        Command::GetFlags => any(Action::ViewFlags),
        // The only files of a master are its logs.
        Command::ListFiles(_) | Command::ReadFile(_) => any(Action::AccessMesosLog),
        Command::SetLoggingLevel(_) => any(Action::SetLogLevel),
        Command::UpdateWeights(call) => {
            roles(Action::UpdateWeight, &mut call.weight_infos.iter().filter_map(|info| info.role.as_ref()))
        }
        Command::ReserveResources(call) => Needed::reserve(&call.source, &call.resources),
        Command::UnreserveResources(call) => Needed::unreserve(&call.resources),
        Command::CreateVolumes(call) => Needed::create(&call.volumes),
        Command::DestroyVolumes(call) => Needed::destroy(&call.volumes),
        Command::GrowVolume(call) => vec![Needed::resize(&call.volume)],
        Command::ShrinkVolume(call) => vec![Needed::resize(&call.volume)],
        Command::UpdateMaintenanceSchedule(_) => any(Action::UpdateMaintenanceSchedule),
        Command::StartMaintenance(_) => any(Action::StartMaintenance),
        Command::StopMaintenance(_) => any(Action::StopMaintenance),
        Command::DrainAgent(_) => any(Action::DrainAgent),
        Command::DeactivateAgent(_) => any(Action::DeactivateAgent),
        Command::ReactivateAgent(_) => any(Action::ReactivateAgent),
        Command::MarkAgentGone(_) => any(Action::MarkAgentGone),
        Command::UpdateQuota(call) => {
            roles(Action::UpdateQuota, &mut call.quota_configs.iter().map(|config| &config.role))
        }
        Command::SetQuota(call) => roles(Action::UpdateQuota, &mut call.quota_request.role.iter()),
        Command::RemoveQuota(call) => roles(Action::UpdateQuota, &mut std::iter::once(&call.role)),
        // Of an unknown framework nothing is refused: that it is unknown is answered.
        Command::Teardown(call) => match leader.model.principal_of(&call.framework_id) {
            Some(principal) => vec![Needed::on(Action::TeardownFramework, principal.unwrap_or_default())],
            None => Vec::new(),
        },
    }
}
