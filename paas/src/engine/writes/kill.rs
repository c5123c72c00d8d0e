use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use attica_core_api::Now;

use super::super::deployments::{Conflict, Draft, Target};
use super::super::{Cause, Effects, Engine, KillMode, Refusal, Reply, TaskSelection, Terms};
use crate::model::{Condition, Goal, Instance, InstanceId, RunSpec, RunSpecId, Shape, TaskIdentity};

impl Engine {
    /// Kills tasks.
    pub(super) fn kill(
        &mut self,
        now: Now,
        tasks: &TaskSelection,
        mode: KillMode,
        terms: &Terms,
        out: &mut Effects,
    ) -> Result<Reply, Refusal> {
        let instances = self.selected(tasks, mode)?;
        for instance in instances.iter().filter(|_| !terms.dry_run) {
            if mode == KillMode::Wipe {
                self.decommission(now, &instance.id, Goal::Decommissioned, out);
            } else if is_out_of_contact(instance) && instance.reservation.is_none() {
                self.decommission(now, &instance.id, Goal::Stopped, out);
            } else {
                self.sentence(now, Box::new(instance.clone()), Cause::Decided, out);
            }
        }
        Ok(Reply::Killed(instances))
    }

    /// Kills tasks and lowers the number of instances by as many, in one deployment. Tasks that are on their way out already are not
    /// part of that number.
    pub(super) fn draft_scale(&self, now: Now, tasks: &TaskSelection, conflict: Conflict) -> Result<Draft, Refusal> {
        let instances = self.selected(tasks, KillMode::Scale)?;
        let mut counts: BTreeMap<&RunSpecId, u32> = BTreeMap::new();
        for instance in &instances {
            let count = counts.entry(instance.run_spec()).or_default();
            *count += u32::from(instance.goal == Goal::Running);
        }
        let version = self.next_version(now, counts.keys().copied());
        let scaled = |(id, count): (&&RunSpecId, &u32)| {
            let mut scaled = RunSpec::clone(self.current(id)?);
            scaled.version = version;
            scaled.last_scaling_at = version;
            scaled.instances = scaled.instances.saturating_sub(*count);
            Some(Target { id: (*id).clone(), to: Some(Arc::new(scaled)) })
        };
        let targets: Vec<Target> = counts.iter().filter_map(scaled).collect();
        let superseded = self.admit(&targets, conflict)?;
        let layers = self.layers_with(&targets, &BTreeMap::new()).unwrap_or_default();
        let killed = instances.into_iter().map(|instance| instance.id).collect();
        Ok(Draft { targets, layers, superseded, killed, ..Draft::new(version) })
    }

    /// The selected instances that have a task, or of which something is left to wipe.
    pub(super) fn selected(&self, tasks: &TaskSelection, mode: KillMode) -> Result<Vec<Instance>, Refusal> {
        let is_there = |instance: &&Instance| instance.task.is_some() || mode == KillMode::Wipe && is_at_rest(instance);
        let of = |id: &RunSpecId| -> Result<Vec<Instance>, Refusal> {
            let app = self.current_of(id, Shape::App).and_then(|_| self.state.run_specs.get(id));
            let state = app.ok_or_else(|| Refusal::Missing(id.clone()))?;
            Ok(state.instances.values().filter(is_there).cloned().collect())
        };
        match tasks {
            TaskSelection::All { run_spec } => of(run_spec),
            TaskSelection::OnHost { run_spec, host } => {
                let on_host = |instance: &Instance| instance.agent().is_some_and(|agent| agent.hostname == *host);
                Ok(of(run_spec)?.into_iter().filter(on_host).collect())
            }
            TaskSelection::OfPod { run_spec, instances } => {
                let pod = self.current_of(run_spec, Shape::Pod).and_then(|_| self.state.run_specs.get(run_spec));
                let state = pod.ok_or_else(|| Refusal::PodMissing(run_spec.clone()))?;
                let is_named = |instance: &&Instance| instances.contains(&instance.id);
                let selected = state.instances.values().filter(is_there).filter(is_named);
                Ok(selected.cloned().collect())
            }
            TaskSelection::One { run_spec, task } => {
                let is_it = |instance: &Instance| instance.task.is_some() && has_task(instance, task.as_str());
                let one = of(run_spec)?.into_iter().find(is_it);
                Ok(vec![one.ok_or_else(|| Refusal::TaskMissing(task.clone()))?])
            }
            TaskSelection::These(tasks) => {
                let identities = tasks.iter().filter_map(|task| TaskIdentity::parse(task.as_str()).ok());
                let ids: BTreeSet<InstanceId> = identities.map(|identity| identity.instance).collect();
                let named = |instance: &&Instance| tasks.iter().any(|task| has_task(instance, task.as_str()));
                let instances = ids.iter().filter_map(|id| self.state.instance(id));
                Ok(instances.filter(is_there).filter(named).cloned().collect())
            }
        }
    }
}

/// Whether this is its task, or was its latest one.
fn has_task(instance: &Instance, task: &str) -> bool {
    match &instance.task {
        Some(own) => own.has(task),
        None => is_at_rest(instance) && instance.task_identity().to_string() == task,
    }
}

/// Whether nothing of it is left but what is kept for it.
fn is_at_rest(instance: &Instance) -> bool {
    instance.task.is_none() && instance.reservation.is_some() && instance.goal != Goal::Decommissioned
}

fn is_out_of_contact(instance: &Instance) -> bool {
    matches!(instance.condition, Condition::Unreachable | Condition::UnreachableInactive)
}
