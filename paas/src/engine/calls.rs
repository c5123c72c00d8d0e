//! The calls to the master, as the engine makes them: without the framework's id, which the shell adds.

use std::collections::BTreeSet;

use attica_core_api::scheduler::{
    Accept, Acknowledge, Call, CallType, Decline, Kill, Reconcile, ReconcileTask, Revive, Suppress, UpdateFramework,
};
use attica_core_api::v1::{AgentId, Filters, FrameworkInfo, OfferId, OfferOperation, TaskId};
use bytes::Bytes;

fn of(r#type: CallType) -> Call {
    Call { r#type: Some(r#type), ..Call::default() }
}

/// Declines what is left for so long.
fn filters(refuse_ms: u64) -> Option<Filters> {
    Some(Filters { refuse_seconds: refuse_ms as f64 / 1_000.0 })
}

pub(super) fn accept(offer: OfferId, operations: Vec<OfferOperation>, refuse_rest_ms: u64) -> Call {
    let accept = Accept { offer_ids: vec![offer], operations, filters: filters(refuse_rest_ms) };
    Call { accept: Some(accept), ..of(CallType::Accept) }
}

pub(super) fn decline(offer_ids: Vec<OfferId>, refuse_ms: u64) -> Call {
    Call { decline: Some(Decline { offer_ids, filters: filters(refuse_ms) }), ..of(CallType::Decline) }
}

pub(super) fn kill(task_id: TaskId, agent_id: Option<AgentId>) -> Call {
    // The grace period went with the task's own kill policy.
    Call { kill: Some(Kill { task_id, agent_id, kill_policy: None }), ..of(CallType::Kill) }
}

pub(super) fn acknowledge(agent_id: AgentId, task_id: TaskId, uuid: Bytes) -> Call {
    Call { acknowledge: Some(Acknowledge { agent_id, task_id, uuid }), ..of(CallType::Acknowledge) }
}

pub(super) fn reconcile(tasks: Vec<ReconcileTask>) -> Call {
    Call { reconcile: Some(Reconcile { tasks }), ..of(CallType::Reconcile) }
}

pub(super) fn revive(roles: Vec<String>) -> Call {
    Call { revive: Some(Revive { roles }), ..of(CallType::Revive) }
}

pub(super) fn suppress(roles: Vec<String>) -> Call {
    Call { suppress: Some(Suppress { roles }), ..of(CallType::Suppress) }
}

/// From now on the framework is in these roles. What else is to be said of it, the shell knows.
pub(super) fn update_roles(roles: &BTreeSet<String>, suppressed: &BTreeSet<String>) -> Call {
    let update = UpdateFramework {
        framework_info: FrameworkInfo { roles: roles.iter().cloned().collect(), ..FrameworkInfo::default() },
        suppressed_roles: suppressed.iter().cloned().collect(),
        offer_constraints: None,
    };
    Call { update_framework: Some(update), ..of(CallType::UpdateFramework) }
}
