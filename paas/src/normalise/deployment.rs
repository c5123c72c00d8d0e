use attica_paas_api::deployment::{
    Action as ReadAction, ActionKind as ReadKind, CurrentAction, Deployment as ReadDeployment,
    EndedDeployment as ReadEnded, Outcome, Step as ReadStep,
};

use super::readiness::{Responses, readiness_results};
use crate::engine::Snapshot;
use crate::model::{Action, ActionKind, Deployment, EndedDeployment, Ending, RunSpecId, Shape, Step, rfc3339};

/// A running deployment as clients read it; `state` has its run specs.
#[must_use]
pub fn deployment(deployment: &Deployment, state: &Snapshot, responses: &Responses) -> ReadDeployment {
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
        current_actions: current.iter().map(|action| current_action(deployment, action, state, responses)).collect(),
        current_step: u32::try_from(deployment.current_step + 1).unwrap_or(u32::MAX),
        total_steps: u32::try_from(deployment.steps.len()).unwrap_or(u32::MAX),
        paused_since: deployment.hold.paused.as_ref().map(|pause| rfc3339(pause.since)),
        paused_because: deployment.hold.paused.as_ref().and_then(|pause| pause.cause.clone()),
        given_up: deployment.hold.given_up.iter().map(|(id, cause)| (id.to_string(), cause.clone())).collect(),
        undoes: deployment.undoes.map(|id| id.to_string()),
        progress: None,
    }
}

/// A deployment that is over, as clients read it.
#[must_use]
pub fn ended(ended: &EndedDeployment) -> ReadEnded {
    let (outcome, replaced_by) = match &ended.ending {
        Ending::Done => (Outcome::Done, None),
        Ending::Cancelled => (Outcome::Cancelled, None),
        Ending::Superseded { by } => (Outcome::Cancelled, Some(by)),
        Ending::RolledBack { by, .. } => (Outcome::RolledBack, Some(by)),
        Ending::Failed { .. } => (Outcome::Failed, None),
    };
    ReadEnded {
        id: ended.id.to_string(),
        version: ended.version.to_string(),
        affected_apps: ended.run_specs.iter().filter(|id| !ended.pods.contains(*id)).map(ToString::to_string).collect(),
        affected_pods: ended.pods.iter().map(ToString::to_string).collect(),
        outcome,
        cause: ended.ending.cause(),
        replaced_by: replaced_by.map(ToString::to_string),
        steps_done: u32::try_from(ended.steps_done).unwrap_or(u32::MAX),
        total_steps: u32::try_from(ended.steps).unwrap_or(u32::MAX),
        began_at: rfc3339(ended.began_at),
        ended_at: rfc3339(ended.ended_at),
    }
}

/// A step as clients read it; `shape_of` tells apps from pods.
pub(super) fn step(step: &Step, shape_of: impl Fn(&RunSpecId) -> Shape) -> ReadStep {
    ReadStep { actions: step.actions.iter().map(|action| action_of(action, shape_of(&action.run_spec))).collect() }
}

fn action(deployment: &Deployment, action: &Action) -> ReadAction {
    action_of(action, deployment.shape_of(&action.run_spec))
}

fn action_of(action: &Action, shape: Shape) -> ReadAction {
    let (app, pod) = names(shape, action);
    ReadAction { action: kind(action.kind, shape), app, pod }
}

fn current_action(deployment: &Deployment, action: &Action, state: &Snapshot, responses: &Responses) -> CurrentAction {
    let shape = deployment.shape_of(&action.run_spec);
    let (app, pod) = names(shape, action);
    let kind = kind(action.kind, shape);
    let results = state.run_specs.get(&action.run_spec).map(|of| readiness_results(of, responses));
    let results = results.unwrap_or_default();
    CurrentAction { action: kind, app, pod, readiness_check_results: results }
}

/// The app or the pod that an action is about.
fn names(shape: Shape, action: &Action) -> (Option<String>, Option<String>) {
    let name = action.run_spec.to_string();
    match shape {
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
