use std::collections::BTreeMap;

use attica_core_api::v1::{OfferOperation, Resource};

use crate::placement::{Owner, owner_of};

/// What is reserved on the machines of the tiny master, by their names; piece by piece, as it was asked for.
#[derive(Debug, Default)]
pub(super) struct Kept(BTreeMap<String, Vec<Resource>>);

impl Kept {
    pub(super) fn operate(&mut self, machine: &str, operation: &OfferOperation) {
        let kept = self.0.entry(machine.to_owned()).or_default();
        let mut take = |wanted: &Resource| {
            let found = kept.iter().position(|resource| resource == wanted);
            kept.swap_remove(found.unwrap_or_else(|| panic!("{wanted:?} is not there")));
        };
        operation.destroy.iter().flat_map(|destroy| &destroy.volumes).for_each(&mut take);
        operation.unreserve.iter().flat_map(|unreserve| &unreserve.resources).for_each(|resource| {
            // What a destroyed volume was made of was not kept apart from it.
            if resource.name != "disk" {
                take(resource);
            }
        });
        operation.create.iter().flat_map(|create| &create.volumes).for_each(|volume| {
            take(&Resource { disk: None, ..volume.clone() });
        });
        let made = operation.reserve.iter().flat_map(|reserve| &reserve.resources);
        let created = operation.create.iter().flat_map(|create| &create.volumes);
        kept.extend(made.chain(created).cloned());
    }

    /// What no task uses of it.
    pub(super) fn unused(&self, machine: &str, in_use: &[&Resource]) -> Vec<Resource> {
        let mut unused = self.0.get(machine).cloned().unwrap_or_default();
        for used in in_use {
            if let Some(index) = unused.iter().position(|resource| resource == *used) {
                unused.swap_remove(index);
            }
        }
        unused
    }

    /// For whom something is kept, once for each volume of it, with the machine.
    pub(super) fn volumes(&self) -> Vec<(Owner, String)> {
        let of_machine = |(machine, kept): (&String, &Vec<Resource>)| {
            let volumes = kept.iter().filter(|resource| resource.disk.is_some());
            volumes.map(|volume| (owner_of(volume).unwrap(), machine.clone())).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of_machine).collect()
    }

    /// The machine is gone, and everything on it.
    pub(super) fn lose(&mut self, machine: &str) {
        self.0.remove(machine);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.values().all(Vec::is_empty)
    }
}
