use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use attica_core_api::Now;

use super::super::deployments::{Draft, Target};
use super::super::{Effects, Engine, Fact, Refusal, Reply, Terms};
use super::put::versioned;
use crate::model::{Change, DeploymentId, Ending, Group, GroupId, Pause, RunSpec, RunSpecId, Version};

impl Engine {
    /// Ends a deployment where it stands.
    pub(super) fn cancel(
        &mut self,
        now: Now,
        id: DeploymentId,
        terms: &Terms,
        out: &mut Effects,
    ) -> Result<Reply, Refusal> {
        if !self.state.deployments.contains_key(&id) {
            return Err(Refusal::DeploymentMissing(id));
        }
        if !terms.dry_run {
            self.end_deployment(now, id, Ending::Cancelled, out);
        }
        Ok(Reply::Cancelled)
    }

    /// Has a deployment do nothing, or go on.
    pub(super) fn hold(
        &mut self,
        now: Now,
        id: DeploymentId,
        paused: bool,
        terms: &Terms,
        out: &mut Effects,
    ) -> Result<Reply, Refusal> {
        let deployment = self.state.deployments.get(&id).ok_or(Refusal::DeploymentMissing(id))?;
        let mut held = Box::new(deployment.clone());
        let version = held.version;
        if held.hold.paused.is_some() != paused && !terms.dry_run {
            held.hold.paused = paused.then_some(Pause { since: now.wall, cause: None });
            self.record(now, Fact::DeploymentHeld { deployment: held }, out);
        }
        Ok(Reply::Deployed { version, deployment: id, created: Vec::new() })
    }

    /// Restores what the deployment's run specs and groups were before. Instances that still run the old configuration stay.
    pub(in super::super) fn draft_roll_back(&self, now: Now, id: DeploymentId) -> Result<Draft, Refusal> {
        let deployment = self.state.deployments.get(&id).ok_or(Refusal::DeploymentMissing(id))?;
        let version = self.next_version(now, deployment.changes.keys());
        let mut taken = BTreeSet::new();
        let mut targets = Vec::with_capacity(deployment.changes.len());
        for (id, change) in &deployment.changes {
            targets.push(Target { id: id.clone(), to: self.restored(id, *change, version, &mut taken)? });
        }
        let group_before = |id: &GroupId, change: &Change| self.state.groups.get(id)?.at(change.from?).cloned();
        let mut groups: BTreeMap<GroupId, Option<Group>> =
            deployment.groups.iter().map(|(id, change)| (id.clone(), group_before(id, change))).collect();
        groups.retain(|id, to| self.state.group(id) != to.as_ref());
        // The definitions formed no circle before; should they now, through others that changed, order matters less than the way back.
        let layers = self.layers_with(&targets, &groups).unwrap_or_default();
        let superseded = BTreeSet::from([deployment.id]);
        Ok(Draft { targets, groups, layers, superseded, ..Draft::new(version) })
    }

    fn restored(
        &self,
        id: &RunSpecId,
        change: Change,
        version: Version,
        taken: &mut BTreeSet<u16>,
    ) -> Result<Option<Arc<RunSpec>>, Refusal> {
        let state = self.state.run_specs.get(id);
        let former = state.zip(change.from).and_then(|(state, from)| state.versions.get(&from));
        let Some(former) = former else { return Ok(None) };
        let current = self.current(id).map(Arc::as_ref);
        let mut restored = RunSpec::clone(former);
        self.give_ports(&mut restored, current, taken)?;
        let mut restored = versioned(restored, current, version, true);
        // Removed meanwhile: its instances are of the former generation, if any are left.
        if current.is_none() {
            restored.generation = former.generation;
        }
        Ok(Some(Arc::new(restored)))
    }
}
