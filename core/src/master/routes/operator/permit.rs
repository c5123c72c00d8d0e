//! Whether an operator may make a call.
//!
//! Calls that show something are answered: what the caller may not see is left out of the answer, as in Mesos
//! ([`Concealment`](crate::master::view::Concealment)).

use attica_core_api::auth::{Action, Viewer};
use attica_core_api::operator::Command;

use crate::auth::Needed;
use crate::master::leader::Leader;
use crate::master::routes::answer::Rejection;
use crate::master::routes::entrance::forbidden;

/// An error is the answer.
pub(in crate::master::routes) fn check(viewer: &Viewer, leader: &Leader, command: &Command) -> Result<(), Rejection> {
    let may = viewer.is_unrestricted() || needed(leader, command).iter().all(|needed| needed.is_granted(viewer));
    if may { Ok(()) } else { Err(forbidden()) }
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
