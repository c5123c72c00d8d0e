use std::collections::BTreeMap;
use std::sync::Arc;

use attica_core_api::Now;

use super::super::deployments::{Conflict, Target};
use super::super::{Effects, Engine, Refusal, Reply};
use crate::model::{RunSpec, RunSpecId, Shape};

impl Engine {
    /// Makes a new generation of the same definition; a deployment then replaces the old instances.
    pub(super) fn restart(
        &mut self,
        now: Now,
        id: &RunSpecId,
        conflict: Conflict,
        out: &mut Effects,
    ) -> Result<Reply, Refusal> {
        let current = self.current_of(id, Shape::App).ok_or_else(|| Refusal::Missing(id.clone()))?;
        let mut restarted = RunSpec::clone(current);
        let version = self.next_version(now, [id]);
        restarted.version = version;
        restarted.last_config_change_at = version;
        restarted.generation = version;
        let targets = vec![Target { id: id.clone(), to: Some(Arc::new(restarted)) }];
        match self.admit(&targets, conflict) {
            Err(refusal) => Err(self.refused(now, id, version, refusal, out)),
            Ok(superseded) => {
                let deployment = self.deploy(now, version, targets, &BTreeMap::new(), superseded, out);
                Ok(Reply::Deployed { version, deployment, created: Vec::new() })
            }
        }
    }
}
