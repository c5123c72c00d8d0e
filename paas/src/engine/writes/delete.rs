use attica_core_api::Now;

use super::super::deployments::{Conflict, Draft, Target};
use super::super::{Engine, Refusal};
use crate::model::{RunSpecId, Shape};

impl Engine {
    /// Removes an app; a deployment then kills its instances.
    pub(super) fn draft_delete(&self, now: Now, id: &RunSpecId, conflict: Conflict) -> Result<Draft, Refusal> {
        match self.current_of(id, Shape::App) {
            Some(_) => self.draft_removal(now, id, conflict),
            None => Err(Refusal::Missing(id.clone())),
        }
    }

    /// Removes a pod in the same way, which subscribers are told of.
    pub(super) fn draft_pod_removal(&self, now: Now, id: &RunSpecId, conflict: Conflict) -> Result<Draft, Refusal> {
        match self.current_of(id, Shape::Pod) {
            Some(_) => Ok(Draft { removed_pod: Some(id.clone()), ..self.draft_removal(now, id, conflict)? }),
            None => Err(Refusal::PodMissing(id.clone())),
        }
    }

    fn draft_removal(&self, now: Now, id: &RunSpecId, conflict: Conflict) -> Result<Draft, Refusal> {
        let targets = vec![Target { id: id.clone(), to: None }];
        let superseded = self.admit(&targets, conflict)?;
        Ok(Draft { targets, superseded, ..Draft::new(self.next_version(now, [id])) })
    }
}
