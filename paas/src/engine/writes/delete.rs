use std::collections::BTreeMap;

use attica_core_api::Now;

use super::super::deployments::{Conflict, Target};
use super::super::{Effects, Engine, Refusal, Reply};
use crate::model::RunSpecId;

impl Engine {
    /// Removes a run spec; a deployment then kills its instances.
    pub(super) fn delete(
        &mut self,
        now: Now,
        id: RunSpecId,
        conflict: Conflict,
        out: &mut Effects,
    ) -> Result<Reply, Refusal> {
        if self.current(&id).is_none() {
            return Err(Refusal::Missing(id));
        }
        let version = self.next_version(now, [&id]);
        let targets = vec![Target { id: id.clone(), to: None }];
        match self.admit(&targets, conflict) {
            Err(refusal) => Err(self.refused(now, &id, version, refusal, out)),
            Ok(superseded) => {
                let deployment = self.deploy(now, version, targets, &BTreeMap::new(), superseded, out);
                Ok(Reply::Deployed { version, deployment, created: Vec::new() })
            }
        }
    }
}
