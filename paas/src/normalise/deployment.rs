use attica_paas_api::deployment::{
    Action as ReadAction, ActionKind as ReadKind, CurrentAction, Deployment as ReadDeployment, Step as ReadStep,
};

use super::readiness::readiness_results;
use crate::engine::Snapshot;
use crate::model::{Action, ActionKind, Deployment, Shape};

/// A running deployment as clients read it; `state` has its run specs.
#[must_use]
pub fn deployment(deployment: &Deployment, state: &Snapshot) -> ReadDeployment {
    let affected = |shape: Shape| {
        let of_shape = deployment.changes.keys().filter(|id| deployment.shape_of(id) == shape);
        of_shape.map(ToString::to_string).collect()
    };
    let action = |action: &Action| self::action(deployment, action);
    let current = deployment.steps.get(deployment.current_step).map(|step| step.actions.as_slice()).unwrap_or_default();
    ReadDeployment {
        id: deployment.id.to_string(),
        version: deployment.version.to_string(),
        affected_apps: affected(Shape::App),
        affected_pods: affected(Shape::Pod),
        steps: deployment
            .steps
            .iter()
            .map(|step| ReadStep { actions: step.actions.iter().map(action).collect() })
            .collect(),
        current_actions: current.iter().map(|action| current_action(deployment, action, state)).collect(),
        current_step: u32::try_from(deployment.current_step + 1).unwrap_or(u32::MAX),
        total_steps: u32::try_from(deployment.steps.len()).unwrap_or(u32::MAX),
    }
}

fn action(deployment: &Deployment, action: &Action) -> ReadAction {
    let (app, pod) = names(deployment, action);
    ReadAction { action: kind(action.kind, deployment.shape_of(&action.run_spec)), app, pod }
}

fn current_action(deployment: &Deployment, action: &Action, state: &Snapshot) -> CurrentAction {
    let (app, pod) = names(deployment, action);
    let kind = kind(action.kind, deployment.shape_of(&action.run_spec));
    let results = state.run_specs.get(&action.run_spec).map(readiness_results).unwrap_or_default();
    CurrentAction { action: kind, app, pod, readiness_check_results: results }
}

/// The app or the pod that an action is about.
fn names(deployment: &Deployment, action: &Action) -> (Option<String>, Option<String>) {
    let name = action.run_spec.to_string();
    match deployment.shape_of(&action.run_spec) {
        Shape::App => (Some(name), None),
        Shape::Pod => (None, Some(name)),
    }
}

fn kind(kind: ActionKind, shape: Shape) -> ReadKind {
    match (kind, shape) {
        (ActionKind::Start, Shape::App) => ReadKind::StartApplication,
        (ActionKind::Stop, Shape::App) => ReadKind::StopApplication,
        (ActionKind::Scale, Shape::App) => ReadKind::ScaleApplication,
        (ActionKind::Restart, Shape::App) => ReadKind::RestartApplication,
        (ActionKind::Start, Shape::Pod) => ReadKind::StartPod,
        (ActionKind::Stop, Shape::Pod) => ReadKind::StopPod,
        (ActionKind::Scale, Shape::Pod) => ReadKind::ScalePod,
        (ActionKind::Restart, Shape::Pod) => ReadKind::RestartPod,
    }
}
