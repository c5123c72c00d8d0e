use attica_core_api::Timestamp;

use super::super::Frame;
use super::fields::Fields;
use super::{DEPLOYMENT_GAVE_UP, DEPLOYMENT_PAUSED, DEPLOYMENT_RESUMED};
use crate::model::{ActionKind, Deployment, Hold, Pause, Shape, Step};

/// A deployment begins with its first step.
pub(super) fn step_begun(deployment: &Deployment, at: Timestamp) -> Option<Frame> {
    deployment.steps.first().map(|step| of_step(deployment, step, "deployment_info", at))
}

/// A step is done, and the next one begins.
pub(super) fn step_done(deployment: &Deployment, index: usize, at: Timestamp) -> Vec<Frame> {
    let done = deployment.steps.get(index);
    let stopped = done.into_iter().flat_map(|step| &step.actions).filter(|action| action.kind == ActionKind::Stop);
    let stopped = stopped.filter(|action| deployment.shape_of(&action.run_spec) == Shape::App);
    let terminated =
        stopped.map(|action| Fields::new().text("appId", action.run_spec.as_str()).frame("app_terminated_event", at));
    let success = done.map(|step| of_step(deployment, step, "deployment_step_success", at));
    let next = deployment.steps.get(index + 1).map(|step| of_step(deployment, step, "deployment_info", at));
    terminated.chain(success).chain(next).collect()
}

/// What keeps it from going its way has changed.
pub(super) fn held(deployment: &Deployment, hold: &Hold, at: Timestamp) -> Option<Frame> {
    let before = &deployment.hold;
    let frame = |event_type| with_plan(deployment).frame(event_type, at);
    let new = hold.given_up.iter().find(|(id, _)| !before.given_up.contains_key(*id));
    if let Some((id, cause)) = new {
        let fields = with_plan(deployment).text("appId", id.as_str()).text("reason", cause);
        return Some(fields.frame(DEPLOYMENT_GAVE_UP, at));
    }
    match (&before.paused, &hold.paused) {
        (None, Some(Pause { cause: Some(cause), .. })) => {
            Some(with_plan(deployment).text("reason", cause).frame(DEPLOYMENT_PAUSED, at))
        }
        (None, Some(Pause { cause: None, .. })) => Some(frame(DEPLOYMENT_PAUSED)),
        (Some(_), None) => Some(frame(DEPLOYMENT_RESUMED)),
        (None, None) | (Some(_), Some(_)) => None,
    }
}

/// All steps are done.
pub(super) fn succeeded(deployment: &Deployment, at: Timestamp) -> Frame {
    with_plan(deployment).frame("deployment_success", at)
}

/// It was ended before it was done.
pub(super) fn failed(deployment: &Deployment, reason: &str, at: Timestamp) -> Frame {
    with_plan(deployment).text("reason", reason).frame("deployment_failed", at)
}

fn with_plan(deployment: &Deployment) -> Fields {
    Fields::new().text("id", &deployment.id.to_string()).json("plan", &plan(deployment))
}

fn of_step(deployment: &Deployment, current: &Step, event_type: &'static str, at: Timestamp) -> Frame {
    Fields::new().json("plan", &plan(deployment)).json("currentStep", &step(deployment, current)).frame(event_type, at)
}

/// A plan in its light form.
fn plan(deployment: &Deployment) -> String {
    let steps: Vec<String> = deployment.steps.iter().map(|of_plan| step(deployment, of_plan)).collect();
    Fields::new()
        .text("id", &deployment.id.to_string())
        .json("steps", &format!("[{}]", steps.join(",")))
        .text("version", &deployment.version.to_string())
        .object()
}

fn step(deployment: &Deployment, step: &Step) -> String {
    let actions = step.actions.iter().map(|action| {
        let shape = deployment.shape_of(&action.run_spec);
        let member = match shape {
            Shape::App => "app",
            Shape::Pod => "pod",
        };
        Fields::new().text("action", action.kind.name(shape)).text(member, action.run_spec.as_str()).object()
    });
    Fields::new().json("actions", &format!("[{}]", actions.collect::<Vec<_>>().join(","))).object()
}
