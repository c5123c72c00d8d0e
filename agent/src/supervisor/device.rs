//! Devices that one task, or one executor with its tasks, has at a time.

use std::collections::BTreeSet;
use std::path::PathBuf;

use attica_core_api::v1::Resource;

use super::accept::Refusal;
use super::task::Phase;
use super::{Config, Effect, ExecutorKey, Supervisor, TaskKey};
use crate::checkpoint::{ExecutorEntry, TaskEntry};
use crate::devices::{Device, Devices, GPUS};
use crate::launcher::protocol::{Access, LaunchSpec, Mount, MountKind};

/// How many of a kind there are among `resources`.
fn amount(resources: &[Resource], name: &str) -> f64 {
    let of_name = resources.iter().filter(|resource| resource.name == name);
    of_name.filter_map(|resource| Some(resource.scalar.as_ref()?.value)).sum()
}

/// Whether a task can have the devices that are among its resources.
pub(super) fn check(config: &Config, resources: &[Resource]) -> Result<(), Refusal> {
    let Devices { countable, .. } = &config.devices;
    if amount(resources, GPUS) > 0.0 && !countable.contains_key(GPUS) {
        return Err(Refusal::NoDevices(GPUS.to_owned()));
    }
    match countable.keys().find(|name| amount(resources, name).fract() != 0.0) {
        Some(name) => Err(Refusal::PartOfDevice(name.clone())),
        None => Ok(()),
    }
}

/// Whether there are devices among `resources`, where nobody can be given them.
pub(super) fn check_none(config: &Config, resources: &[Resource]) -> Result<(), Refusal> {
    let names = config.devices.countable.keys().map(String::as_str).chain([GPUS]);
    match names.into_iter().find(|name| amount(resources, name) > 0.0) {
        Some(name) => Err(Refusal::DevicesElsewhere(name.to_owned())),
        None => Ok(()),
    }
}

impl Supervisor {
    /// Sees to it that a task that is about to be launched has its devices; which ones is written down.
    pub(super) fn assign_devices(&mut self, key: &TaskKey, out: &mut Vec<Effect>) -> Result<(), Refusal> {
        let Some(task) = self.tasks.get(key).filter(|task| task.devices.is_empty()) else { return Ok(()) };
        let assigned = self.free_devices(&task.info.resources)?;
        if let Some(task) = self.tasks.get_mut(key).filter(|_| !assigned.is_empty()) {
            task.devices.clone_from(&assigned);
            out.push(Effect::AppendTask(task.container.clone(), TaskEntry::Devices(assigned)));
        }
        Ok(())
    }

    /// As above, an executor: those of its first tasks and its own.
    pub(super) fn assign_executors_devices(&mut self, key: &ExecutorKey, out: &mut Vec<Effect>) -> Result<(), Refusal> {
        let Some(executor) = self.executors.get(key).filter(|executor| executor.devices.is_empty()) else {
            return Ok(());
        };
        let assigned = self.free_devices(&self.resources_of(executor))?;
        if let Some(executor) = self.executors.get_mut(key).filter(|_| !assigned.is_empty()) {
            executor.devices.clone_from(&assigned);
            out.push(Effect::AppendExecutor(executor.container.clone(), ExecutorEntry::Devices(assigned)));
        }
        Ok(())
    }

    /// As many as there are among `resources`, of those that nobody has.
    fn free_devices(&self, resources: &[Resource]) -> Result<Vec<PathBuf>, Refusal> {
        let mut assigned = Vec::new();
        for (name, countable) in &self.config.devices.countable {
            let wanted = amount(resources, name) as usize;
            if wanted == 0 {
                // Most tasks want none, and looking at all others for each would take longer than all else.
                continue;
            }
            let of_tasks = self.tasks.values().filter(|task| task.phase != Phase::Ended).flat_map(|task| &task.devices);
            let of_executors = self.executors.values().flat_map(|executor| &executor.devices);
            let taken: BTreeSet<&PathBuf> = of_tasks.chain(of_executors).collect();
            let free = countable.instances.iter().map(|device| &device.path).filter(|path| !taken.contains(path));
            let given: Vec<PathBuf> = free.take(wanted).cloned().collect();
            if given.len() < wanted {
                return Err(Refusal::NoDevices(name.clone()));
            }
            assigned.extend(given);
        }
        Ok(assigned)
    }
}

/// Lets a container use the devices that it was given; where it has a root of its own, they are put there.
pub(super) fn equip(spec: &mut LaunchSpec, devices: &Devices, assigned: &[PathBuf]) {
    let has = |device: &&Device| assigned.contains(&device.path);
    let own = devices.countable.values().flat_map(|countable| {
        let instances: Vec<&Device> = countable.instances.iter().filter(has).collect();
        let shared = countable.shared.iter().filter(|_| !instances.is_empty()).collect::<Vec<_>>();
        instances.into_iter().chain(shared)
    });
    for Device { path, rule } in own {
        if let Some(rules) = spec.controls.as_mut().and_then(|controls| controls.devices.as_mut()) {
            rules.push(*rule);
        }
        if let Some(surroundings) = spec.surroundings.as_mut().filter(|it| it.root.is_some()) {
            let kind = MountKind::Bind(path.clone());
            surroundings.mounts.push(Mount { kind, target: path.clone(), access: Access::ReadWrite });
        }
    }
}
