use std::collections::BTreeMap;

use attica_core_api::Now;

use super::super::deployments::{Conflict, Target};
use super::super::{Effects, Engine, Fact, Origin, Refusal, Reply};
use crate::model::{RunSpecId, Shape};

impl Engine {
    /// Removes a run spec; a deployment then kills its instances.
    pub(super) fn delete(
        &mut self,
        now: Now,
        id: RunSpecId,
        conflict: Conflict,
        out: &mut Effects,
    ) -> Result<Reply, Refusal> {
        match self.current_of(&id, Shape::App) {
            Some(_) => self.remove(now, id, conflict, out),
            None => Err(Refusal::Missing(id)),
        }
    }

    /// Removes a pod in the same way, which subscribers are told of.
    pub(super) fn delete_pod(
        &mut self,
        now: Now,
        id: RunSpecId,
        conflict: Conflict,
        origin: &Origin,
        out: &mut Effects,
    ) -> Result<Reply, Refusal> {
        if self.current_of(&id, Shape::Pod).is_none() {
            return Err(Refusal::PodMissing(id));
        }
        self.admit(&[Target { id: id.clone(), to: None }], conflict)?;
        let Origin { client_ip, uri } = origin.clone();
        self.record(now, Fact::PodRemovalRequested { client_ip, uri, id: id.clone() }, out);
        self.remove(now, id, conflict, out)
    }

    fn remove(&mut self, now: Now, id: RunSpecId, conflict: Conflict, out: &mut Effects) -> Result<Reply, Refusal> {
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
