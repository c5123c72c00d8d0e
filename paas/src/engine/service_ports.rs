use std::collections::{BTreeMap, BTreeSet};

use crate::model::{PortChoice, PortDefinition, RunSpec};

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

    /// Gives every port definition without a port one of its own: those that the `former` definition had from the pool and that are
    /// no longer named first, then free ones. A restored definition gets another port in place of one that it once had from the pool
    /// and that is somebody else's by now. `taken` are ports that were allocated earlier in the same write; the new ones join them.
    pub(super) fn allocate(
        &self,
        run_spec: &mut RunSpec,
        former: Option<&RunSpec>,
        taken: &mut BTreeSet<u16>,
    ) -> Result<(), Exhausted> {
        let former: BTreeSet<u16> = former.into_iter().flat_map(of_pool).collect();
        for definition in run_spec.ports.iter_mut().filter(|definition| definition.port != 0) {
            let is_available = self.free.contains(&definition.port) && !taken.contains(&definition.port);
            match definition.choice {
                // What a read showed is written back: its port is still the pool's.
                _ if former.contains(&definition.port) => definition.choice = PortChoice::Pool,
                PortChoice::Pool if is_available => drop(taken.insert(definition.port)),
                PortChoice::Pool => definition.port = 0,
                PortChoice::User | PortChoice::Nobody => {}
            }
        }
        let named: BTreeSet<u16> = run_spec.ports.iter().map(|definition| definition.port).collect();
        let unnamed = |port: &u16| !named.contains(port);
        let mut candidates = former.iter().copied().filter(unnamed).chain(self.free.iter().copied().filter(unnamed));
        let wants = |definition: &&mut PortDefinition| definition.port == 0 && definition.choice != PortChoice::Nobody;
        for definition in run_spec.ports.iter_mut().filter(wants) {
            let port = candidates.find(|port| !taken.contains(port)).ok_or(Exhausted)?;
            taken.insert(port);
            definition.port = port;
            definition.choice = PortChoice::Pool;
        }
        Ok(())
    }

    /// A definition is current.
    pub(super) fn add(&mut self, run_spec: &RunSpec) {
        for definition in run_spec.ports.iter().filter(|definition| definition.choice != PortChoice::Nobody) {
            *self.users.entry(definition.port).or_default() += 1;
            self.free.remove(&definition.port);
        }
    }

    /// A definition is no longer current.
    pub(super) fn remove(&mut self, run_spec: &RunSpec) {
        for definition in run_spec.ports.iter().filter(|definition| definition.choice != PortChoice::Nobody) {
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

/// The service ports that a definition has from the pool.
pub(crate) fn of_pool(run_spec: &RunSpec) -> impl Iterator<Item = u16> {
    let from_pool = |definition: &&PortDefinition| definition.choice == PortChoice::Pool;
    run_spec.ports.iter().filter(from_pool).map(|definition| definition.port)
}
