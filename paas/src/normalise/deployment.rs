use attica_paas_api::deployment::{
    Action as ReadAction, ActionKind as ReadKind, CurrentAction, Deployment as ReadDeployment, Step as ReadStep,
};

use crate::model::{Action, ActionKind, Deployment};

/// A running deployment as clients read it.
#[must_use]
pub fn deployment(deployment: &Deployment) -> ReadDeployment {
    let current = deployment.steps.get(deployment.current_step).map(|step| step.actions.as_slice()).unwrap_or_default();
    ReadDeployment {
        id: deployment.id.to_string(),
        version: deployment.version.to_string(),
        affected_apps: deployment.changes.keys().map(ToString::to_string).collect(),
        affected_pods: Vec::new(),
        steps: deployment
            .steps
            .iter()
            .map(|step| ReadStep { actions: step.actions.iter().map(action).collect() })
            .collect(),
        current_actions: current.iter().map(current_action).collect(),
        current_step: u32::try_from(deployment.current_step + 1).unwrap_or(u32::MAX),
        total_steps: u32::try_from(deployment.steps.len()).unwrap_or(u32::MAX),
    }
}

fn action(action: &Action) -> ReadAction {
    ReadAction { action: kind(action.kind), app: action.run_spec.to_string() }
}

fn current_action(action: &Action) -> CurrentAction {
    CurrentAction { action: kind(action.kind), app: action.run_spec.to_string(), readiness_check_results: [] }
}

fn kind(kind: ActionKind) -> ReadKind {
    match kind {
        ActionKind::Start => ReadKind::StartApplication,
        ActionKind::Stop => ReadKind::StopApplication,
        ActionKind::Scale => ReadKind::ScaleApplication,
        ActionKind::Restart => ReadKind::RestartApplication,
    }
}
