use std::collections::{BTreeMap, BTreeSet};

use crate::model::RunSpec;

/// The service ports of all current definitions, and the pool from which ports are allocated.
#[derive(Debug)]
pub(super) struct ServicePorts {
    /// Ports of the pool that no current definition names.
    free: BTreeSet<u16>,
    /// How many definitions name a port. Ports that users choose may be named more than once.
    users: BTreeMap<u16, u32>,
    first: u16,
    last: u16,
}

/// Every port of the pool is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exhausted;

impl ServicePorts {
    pub(super) fn new(first: u16, last: u16) -> Self {
        Self { free: (first..=last).collect(), users: BTreeMap::new(), first, last }
    }

    /// Gives every port definition without a port one of its own: those of the `former` definition that are no longer named first,
    /// then free ones. `taken` are ports that were allocated earlier in the same write; the new ones join them.
    pub(super) fn allocate(
        &self,
        run_spec: &mut RunSpec,
        former: Option<&RunSpec>,
        taken: &mut BTreeSet<u16>,
    ) -> Result<(), Exhausted> {
        let named: BTreeSet<u16> = run_spec.ports.iter().map(|definition| definition.port).collect();
        let mut former = former
            .into_iter()
            .flat_map(|former| former.ports.iter().map(|definition| definition.port))
            .filter(|port| !named.contains(port) && self.in_pool(*port));
        let mut free = self.free.iter().copied().filter(|port| !named.contains(port));
        for definition in run_spec.ports.iter_mut().filter(|definition| definition.port == 0) {
            let port = former.by_ref().chain(free.by_ref()).find(|port| !taken.contains(port)).ok_or(Exhausted)?;
            taken.insert(port);
            definition.port = port;
        }
        Ok(())
    }

    /// A definition is current.
    pub(super) fn add(&mut self, run_spec: &RunSpec) {
        for definition in &run_spec.ports {
            *self.users.entry(definition.port).or_default() += 1;
            self.free.remove(&definition.port);
        }
    }

    /// A definition is no longer current.
    pub(super) fn remove(&mut self, run_spec: &RunSpec) {
        for definition in &run_spec.ports {
            let users = self.users.get_mut(&definition.port);
            assert!(users.is_some(), "service port {} of {} was never counted", definition.port, run_spec.id);
            if users.is_some_and(|users| {
                *users -= 1;
                *users == 0
            }) {
                self.users.remove(&definition.port);
                if self.in_pool(definition.port) {
                    self.free.insert(definition.port);
                }
            }
        }
    }

    fn in_pool(&self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}
