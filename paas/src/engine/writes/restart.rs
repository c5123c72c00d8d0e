use std::sync::Arc;

use attica_core_api::Now;

use super::super::deployments::{Conflict, Draft, Target};
use super::super::{Engine, Refusal};
use crate::model::{RunSpec, RunSpecId, Shape};

impl Engine {
    /// Makes a new generation of the same definition; a deployment then replaces the old instances.
    pub(super) fn draft_restart(&self, now: Now, id: &RunSpecId, conflict: Conflict) -> Result<Draft, Refusal> {
        let current = self.current_of(id, Shape::App).ok_or_else(|| Refusal::Missing(id.clone()))?;
        let mut restarted = RunSpec::clone(current);
        let version = self.next_version(now, [id]);
        restarted.version = version;
        restarted.last_config_change_at = version;
        restarted.generation = version;
        let targets = vec![Target { id: id.clone(), to: Some(Arc::new(restarted)) }];
        let superseded = self.admit(&targets, conflict)?;
        Ok(Draft { targets, superseded, ..Draft::new(version) })
    }
}
