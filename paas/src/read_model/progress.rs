//! How far each instance is that the current step of a deployment is about.
//!
//! It is put together when it is asked for, from what is rendered of the instances anyway: a deployment of thousands costs nothing more while nobody
//! looks.

use attica_paas_api::deployment::{ActionProgress, InstanceProgress, WaitsFor};

use super::document::Document;
use super::model::{DeploymentView, Views};
use super::view::{AppView, TaskView};
use crate::model::{Condition, Deployment, Goal, Instance, InstanceId, RunSpecId, Shape, Version, rfc3339};
use crate::normalise;

/// What a step makes of one app or pod.
#[derive(Debug)]
pub(super) struct Underway {
    id: RunSpecId,
    shape: Shape,
    /// None: it is removed.
    to: Option<Version>,
}

impl Underway {
    /// Of the current step of a deployment.
    pub(super) fn of(deployment: &Deployment) -> Vec<Self> {
        let actions = deployment.steps.get(deployment.current_step).map(|step| step.actions.as_slice());
        let underway = |id: &RunSpecId| Self {
            id: id.clone(),
            shape: deployment.shape_of(id),
            to: deployment.changes.get(id).and_then(|change| change.to),
        };
        actions.unwrap_or_default().iter().map(|action| underway(&action.run_spec)).collect()
    }

    fn progress(&self, app: Option<&AppView>) -> ActionProgress {
        let goal = app.zip(self.to).and_then(|(app, version)| app.versions.get(&version));
        let is_new = |task: &TaskView| goal.is_some_and(|goal| task.generation == goal.generation);
        let tasks = app.into_iter().flat_map(|app| &app.tasks);
        let instances: Vec<InstanceProgress> =
            tasks.filter_map(|(id, task)| instance(id, task, is_new(task))).collect();
        let serves = |instance: &&InstanceProgress| instance.is_new && instance.waits_for.is_none();
        let (app, pod) = match self.shape {
            Shape::App => (Some(self.id.to_string()), None),
            Shape::Pod => (None, Some(self.id.to_string())),
        };
        ActionProgress {
            app,
            pod,
            wanted: goal.map_or(0, |goal| goal.instances),
            serving: u32::try_from(instances.iter().filter(serves).count()).unwrap_or(u32::MAX),
            instances,
        }
    }
}

fn instance(id: &InstanceId, task: &TaskView, is_new: bool) -> Option<InstanceProgress> {
    let waits_for = match task.waits_for {
        Waiting::Nowhere => return None,
        Waiting::For(what) => Some(what),
        Waiting::ForNothing if is_new => None,
        Waiting::ForNothing => Some(WaitsFor::Turn),
    };
    Some(InstanceProgress {
        id: id.to_string(),
        version: task.version.to_string(),
        is_new,
        condition: task.condition.as_str().to_owned(),
        waits_for,
        since: rfc3339(task.since),
    })
}

/// What an instance waits for by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// Only something is kept for it.
    Nowhere,
    For(WaitsFor),
    /// It serves.
    ForNothing,
}

impl Waiting {
    pub(super) fn of(instance: &Instance) -> Self {
        if instance.goal != Goal::Running || instance.is_sentenced() {
            return if instance.task.is_some() { Self::For(WaitsFor::End) } else { Self::Nowhere };
        }
        match instance.condition {
            Condition::Scheduled => Self::For(WaitsFor::Offer),
            Condition::Provisioned | Condition::Staging | Condition::Starting => Self::For(WaitsFor::Start),
            Condition::Running if instance.is_ready() => Self::ForNothing,
            Condition::Running => {
                let is_checked = instance.task.as_ref().is_some_and(|task| !task.health.is_empty());
                let is_unhealthy = is_checked && instance.healthy() != Some(true);
                Self::For(if is_unhealthy { WaitsFor::Health } else { WaitsFor::Readiness })
            }
            Condition::Unreachable | Condition::UnreachableInactive => Self::For(WaitsFor::Agent),
            Condition::Killing => Self::For(WaitsFor::End),
            Condition::Killed
            | Condition::Finished
            | Condition::Failed
            | Condition::Error
            | Condition::Gone
            | Condition::Dropped
            | Condition::Unknown => Self::For(WaitsFor::Offer),
        }
    }
}

/// A deployment with its `progress`.
pub(super) fn render(deployment: &DeploymentView, views: &Views, out: &mut Document) {
    let progress: Vec<ActionProgress> =
        deployment.current.iter().map(|underway| underway.progress(views.apps.get(&underway.id))).collect();
    // It is an object.
    out.part(&deployment.json.slice(..deployment.json.len() - 1));
    out.text(",\"progress\":");
    out.made(normalise::json(&progress));
    out.text("}");
}

#[cfg(test)]
mod tests {
    use attica_core_api::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::normalise::Responses;
    use crate::tables::tests::{instance, run_spec};

    #[test]
    fn each_instance_says_what_it_waits_for() {
        let new = Version(Timestamp(2_000));
        let mut app = AppView::default();
        app.versions.insert(new, run_spec("/shop/web", 2_000));
        let mut put = |number, condition, is_new: bool, change: fn(&mut Instance)| {
            let mut instance = instance("/shop/web", number, condition);
            if is_new {
                (instance.version, instance.generation) = (new, new);
            }
            change(&mut instance);
            app.tasks.insert(instance.id.clone(), TaskView::new(&instance, None, &Responses::default()));
        };
        let sentenced = |instance: &mut Instance| instance.task.as_mut().unwrap().sentenced_at = Some(Timestamp(9));
        let unhealthy = |instance: &mut Instance| instance.task.as_mut().unwrap().health[0].alive = None;
        let unready = |instance: &mut Instance| instance.task.as_mut().unwrap().readiness = Some(false);
        put(1, Condition::Running, false, |_| {});
        put(2, Condition::Running, false, sentenced);
        put(3, Condition::Scheduled, true, |_| {});
        put(4, Condition::Staging, true, |_| {});
        put(5, Condition::Running, true, unhealthy);
        put(6, Condition::Running, true, unready);
        put(7, Condition::Running, true, |_| {});
        put(8, Condition::Scheduled, false, |instance| instance.goal = Goal::Stopped);
        let underway = |to| Underway { id: RunSpecId::parse("/shop/web").unwrap(), shape: Shape::App, to };
        let told = |progress: &ActionProgress| {
            let waits = |instance: &InstanceProgress| json!([instance.is_new, instance.waits_for]);
            Value::from_iter(progress.instances.iter().map(waits))
        };
        let progress = underway(Some(new)).progress(Some(&app));
        assert_eq!((progress.wanted, progress.serving), (1, 1));
        assert_eq!(
            told(&progress),
            json!([
                [false, "turn"],
                [false, "end"],
                [true, "offer"],
                [true, "start"],
                [true, "health"],
                [true, "readiness"],
                [true, null]
            ])
        );
        let removed = underway(None).progress(Some(&app));
        assert_eq!((removed.wanted, removed.serving, &told(&removed)[6]), (0, 0, &json!([false, "turn"])));
    }
}
