//! Marathon's event frames: a pure function of a fact, what it happened to, and when.

mod deployments;
mod fields;
mod instances;

use attica_core_api::Timestamp;

use super::{Border, Fact, Frame, Snapshot};
use crate::access::Scope;
use crate::model::{CallbackUrl, Deployment, DeploymentId, Ending, RunSpec, RunSpecId, Shape};
use fields::Fields;

/// Tells those who route requests that an instance is about to be killed. Not one of Marathon's: only for those who ask for it.
pub const INSTANCE_DRAINING: &str = "instance_draining";

/// A deployment does nothing until it is resumed. Not one of Marathon's, either; nor are the next two.
pub const DEPLOYMENT_PAUSED: &str = "deployment_paused";
/// A deployment goes on.
pub const DEPLOYMENT_RESUMED: &str = "deployment_resumed";
/// A deployment no longer waits for one of its apps.
pub const DEPLOYMENT_GAVE_UP: &str = "deployment_gave_up";

/// The frames that a fact means to subscribers, in order. `before` is the state that the fact is about to change.
#[must_use]
pub fn frames(fact: &Fact, before: &Snapshot, at: Timestamp, border: &Border) -> Vec<Frame> {
    let mut frames = rendered(fact, before, at, border);
    if let Fact::GroupChanged { groups, .. } = fact {
        for (frame, group) in frames.iter_mut().zip(groups) {
            frame.scope = Scope::of_all([group.as_str()]);
        }
    } else if let Some((last, others)) = frames.split_last_mut() {
        last.scope = scope(fact, before);
        others.iter_mut().for_each(|frame| frame.scope = last.scope.clone());
    }
    frames
}

/// Who asked for what: as Marathon tells it, without the query.
fn asked(client_ip: &str, uri: &str) -> Fields {
    let path = uri.split_once('?').map_or(uri, |(path, _)| path);
    Fields::new().text("clientIp", client_ip).text("uri", path)
}

fn rendered(fact: &Fact, before: &Snapshot, at: Timestamp, border: &Border) -> Vec<Frame> {
    match fact {
        Fact::Subscribed { framework_id, master, again: false } => {
            let fields = Fields::new().text("frameworkId", framework_id.as_str()).text("master", master);
            vec![fields.frame("scheduler_registered_event", at)]
        }
        Fact::Subscribed { master, again: true, .. } => {
            vec![Fields::new().text("master", master).frame("scheduler_reregistered_event", at)]
        }
        Fact::Disconnected => vec![Fields::new().frame("scheduler_disconnected_event", at)],
        Fact::Requested { client_ip, uri, run_spec } if run_spec.shape() == Shape::Pod => {
            let known = before.run_specs.get(&run_spec.id).and_then(super::RunSpecState::definition);
            let event_type = if known.is_some() { "pod_updated_event" } else { "pod_created_event" };
            vec![asked(client_ip, uri).frame(event_type, at)]
        }
        Fact::PodRemovalRequested { client_ip, uri, id: _ } => {
            vec![asked(client_ip, uri).frame("pod_deleted_event", at)]
        }
        Fact::Requested { client_ip, uri, run_spec } => {
            let definition = (border.render_run_spec)(run_spec);
            let fields = asked(client_ip, uri).json("appDefinition", &definition);
            vec![fields.frame("api_post_event", at)]
        }
        Fact::ChangeRefused { group, version, reason } => {
            let fields =
                Fields::new().text("groupId", group).text("version", &version.to_string()).text("reason", reason);
            vec![fields.frame("group_change_failed", at)]
        }
        Fact::GroupChanged { groups, version } => {
            let fields = |group: &String| Fields::new().text("groupId", group).text("version", &version.to_string());
            groups.iter().map(|group| fields(group).frame("group_change_success", at)).collect()
        }
        Fact::RunSpecStored { run_spec, .. } => health_checks(run_spec, before, at, border),
        Fact::RunSpecRemoved { id, .. } => {
            let former = before.run_specs.get(id).and_then(super::RunSpecState::definition);
            former.into_iter().flat_map(|former| &former.health_checks).map(|_| check_removed(id, at)).collect()
        }
        Fact::DeploymentStarted { deployment } => deployments::step_begun(deployment, at).into_iter().collect(),
        Fact::DeploymentStepDone { id, step } => {
            deployment(before, *id).map_or_else(Vec::new, |deployment| deployments::step_done(deployment, *step, at))
        }
        Fact::DeploymentHeld { deployment: held } => {
            let before = deployment(before, held.id);
            before.and_then(|before| deployments::held(before, &held.hold, at)).into_iter().collect()
        }
        Fact::DeploymentEnded { id, ending, .. } => ended(before, *id, ending, at),
        Fact::InstanceChanged { instance, cause } => instances::changed(instance, cause, before, at, border),
        Fact::TaskEnded { id, condition, update, next, .. } => {
            instances::task_ended(id, *condition, update, next.as_deref(), before, at)
        }
        Fact::InstanceForgotten { id, condition } => instances::forgotten(id, *condition, before, at),
        Fact::UnknownTaskEnded { id, condition } => {
            let fields = Fields::new()
                .text("instanceId", &id.to_string())
                .text("runSpecId", id.run_spec.as_str())
                .text("condition", condition.as_str());
            vec![fields.frame("unknown_instance_terminated_event", at)]
        }
        Fact::CallbackAdded { client_ip, url, .. } => vec![callback_changed("subscribe_event", client_ip, url, at)],
        Fact::CallbackRemoved { client_ip, url } => vec![callback_changed("unsubscribe_event", client_ip, url, at)],
        Fact::FrameworkForgotten
        | Fact::RunSpecForgotten { .. }
        | Fact::GroupStored { .. }
        | Fact::GroupForgotten { .. }
        | Fact::HistoryShortened { .. }
        | Fact::DelayChanged { .. }
        | Fact::ConsumerJoined { .. }
        | Fact::ConsumerLeft { .. }
        | Fact::UserStored { .. }
        | Fact::UserRemoved { .. }
        | Fact::SessionBegan { .. }
        | Fact::SessionsEnded { .. }
        | Fact::Audited { .. }
        | Fact::CallbackReached { .. }
        | Fact::SecretKept { .. }
        | Fact::SecretRemoved { .. } => Vec::new(),
    }
}

/// Who may read the frames of a fact.
fn scope(fact: &Fact, before: &Snapshot) -> Scope {
    match fact {
        Fact::Requested { run_spec, .. } | Fact::RunSpecStored { run_spec, .. } => Scope::of(&run_spec.id),
        Fact::PodRemovalRequested { id, .. }
        | Fact::RunSpecRemoved { id, .. }
        | Fact::RunSpecForgotten { id }
        | Fact::DelayChanged { id, .. } => Scope::of(id),
        Fact::InstanceChanged { instance, .. } => Scope::of(instance.run_spec()),
        Fact::TaskEnded { id, .. } | Fact::InstanceForgotten { id, .. } | Fact::UnknownTaskEnded { id, .. } => {
            Scope::of(&id.run_spec)
        }
        Fact::DeploymentStarted { deployment } => deployment.scope(),
        Fact::DeploymentHeld { deployment } => deployment.scope(),
        Fact::DeploymentStepDone { id, .. } | Fact::DeploymentEnded { id, .. } => {
            deployment(before, *id).map_or(Scope::Unknown, Deployment::scope)
        }
        Fact::ChangeRefused { group, .. } => Scope::of_all([group.as_str()]),
        Fact::GroupChanged { groups, .. } => Scope::of_all(groups.iter().map(String::as_str)),
        Fact::GroupStored { id, .. } | Fact::GroupForgotten { id } => Scope::of_all([id.as_str()]),
        Fact::SecretKept { path, .. } | Fact::SecretRemoved { path } => Scope::of_all([path.as_str()]),
        Fact::Subscribed { .. }
        | Fact::FrameworkForgotten
        | Fact::Disconnected
        | Fact::HistoryShortened { .. }
        | Fact::ConsumerJoined { .. }
        | Fact::ConsumerLeft { .. } => Scope::Everybody,
        Fact::UserStored { .. }
        | Fact::UserRemoved { .. }
        | Fact::SessionBegan { .. }
        | Fact::SessionsEnded { .. }
        | Fact::Audited { .. }
        | Fact::CallbackAdded { .. }
        | Fact::CallbackRemoved { .. }
        | Fact::CallbackReached { .. } => Scope::Unknown,
    }
}

fn deployment(before: &Snapshot, id: DeploymentId) -> Option<&Deployment> {
    before.deployments.get(&id)
}

fn ended(before: &Snapshot, id: DeploymentId, ending: &Ending, at: Timestamp) -> Vec<Frame> {
    let Some(deployment) = deployment(before, id) else { return Vec::new() };
    match ending.cause() {
        None => vec![deployments::succeeded(deployment, at)],
        Some(cause) => vec![deployments::failed(deployment, &cause, at)],
    }
}

/// Checks that a new version brings are announced, and so is that an old version's are gone.
fn health_checks(run_spec: &RunSpec, before: &Snapshot, at: Timestamp, border: &Border) -> Vec<Frame> {
    let former = before.run_specs.get(&run_spec.id).and_then(super::RunSpecState::definition);
    let former = former.map_or(&[][..], |former| &former.health_checks);
    let removed = former.iter().filter(|check| !run_spec.health_checks.contains(check));
    let removed = removed.map(|_| check_removed(&run_spec.id, at));
    let added = run_spec.health_checks.iter().filter(|check| !former.contains(check)).map(|check| {
        let fields = Fields::new().text("appId", run_spec.id.as_str()).text("version", &run_spec.version.to_string());
        fields.json("healthCheck", &(border.render_health_check)(check)).frame("add_health_check_event", at)
    });
    removed.chain(added).collect()
}

fn callback_changed(event_type: &'static str, client_ip: &str, url: &CallbackUrl, at: Timestamp) -> Frame {
    Fields::new().text("clientIp", client_ip).text("callbackUrl", url.as_str()).frame(event_type, at)
}

fn check_removed(id: &RunSpecId, at: Timestamp) -> Frame {
    Fields::new().text("appId", id.as_str()).frame("remove_health_check_event", at)
}
