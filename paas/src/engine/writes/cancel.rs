use std::collections::BTreeSet;
use std::sync::Arc;

use attica_core_api::Now;

use super::super::deployments::Target;
use super::super::{CancelMode, Effects, Engine, Fact, Refusal, Reply};
use super::put::versioned;
use crate::model::{Change, Deployment, DeploymentId, Ending, RunSpec, RunSpecId, Version};

impl Engine {
    /// Ends a deployment where it stands, or begins one that undoes it.
    pub(super) fn cancel(
        &mut self,
        now: Now,
        id: DeploymentId,
        mode: CancelMode,
        out: &mut Effects,
    ) -> Result<Reply, Refusal> {
        let deployment = self.state.deployments.get(&id).ok_or(Refusal::DeploymentMissing(id))?.clone();
        match mode {
            CancelMode::Leave => {
                self.record(now, Fact::DeploymentEnded { id, ending: Ending::Cancelled }, out);
                Ok(Reply::Cancelled)
            }
            CancelMode::RollBack => self.roll_back(now, &deployment, out),
        }
    }

    /// Restores what the deployment's run specs were before. Instances that still run the old configuration stay.
    fn roll_back(&mut self, now: Now, deployment: &Deployment, out: &mut Effects) -> Result<Reply, Refusal> {
        let version = self.next_version(now, deployment.changes.keys());
        let mut taken = BTreeSet::new();
        let mut targets = Vec::with_capacity(deployment.changes.len());
        for (id, change) in &deployment.changes {
            targets.push(Target { id: id.clone(), to: self.restored(id, *change, version, &mut taken)? });
        }
        // The definitions formed no circle before; should they now, through others that changed, order matters less than the way back.
        let layers = self.layers_with(&targets).unwrap_or_default();
        let superseded = BTreeSet::from([deployment.id]);
        let id = self.deploy(now, version, targets, &layers, superseded, out);
        Ok(Reply::Deployed { version, deployment: id, created: Vec::new() })
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
