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
            CancelMode::RollBack => Ok(self.roll_back(now, &deployment, out)),
        }
    }

    /// Restores what the deployment's run specs were before. Instances that still run the old configuration stay.
    fn roll_back(&mut self, now: Now, deployment: &Deployment, out: &mut Effects) -> Reply {
        let version = self.next_version(now, deployment.changes.keys());
        let restored =
            |(id, change): (&RunSpecId, &Change)| Target { id: id.clone(), to: self.restored(id, *change, version) };
        let targets: Vec<Target> = deployment.changes.iter().map(restored).collect();
        // The definitions formed no circle before; should they now, through others that changed, order matters less than the way back.
        let layers = self.layers_with(&targets).unwrap_or_default();
        let superseded = BTreeSet::from([deployment.id]);
        let id = self.deploy(now, version, targets, &layers, superseded, out);
        Reply::Deployed { version, deployment: id, created: Vec::new() }
    }

    fn restored(&self, id: &RunSpecId, change: Change, version: Version) -> Option<Arc<RunSpec>> {
        let state = self.state.run_specs.get(id)?;
        let former = state.versions.get(&change.from?)?;
        let current = state.definition().map(Arc::as_ref);
        let mut restored = versioned(RunSpec::clone(former), current, version, true);
        // Removed meanwhile: its instances are of the former generation, if any are left.
        if current.is_none() {
            restored.generation = former.generation;
        }
        Some(Arc::new(restored))
    }
}
