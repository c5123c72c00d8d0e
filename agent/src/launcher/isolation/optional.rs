//! cgroups v1 hierarchies in which only those containers have a cgroup that are controlled by it. A part is in that of the whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cgroups_rs::Controllers;
use cgroups_rs::hierarchies::V1;

use super::processors::Processors;
use super::settings::{set_huge_pages, set_io_weight, write};
use super::{Door, IsolationError, Place, Removal, containers_in, make_directory, remove_cgroup};
use crate::launcher::controls::{Controller, Controls};

/// Of the two schedulers that there have been for it.
const IO_WEIGHTS: [&str; 2] = ["blkio.bfq.weight", "blkio.weight"];
/// What a new cgroup of processors is without, and nothing can run in one without.
const PLACES: [&str; 2] = ["cpuset.cpus", "cpuset.mems"];

/// Those of them that this machine has.
#[derive(Debug)]
pub(super) struct OptionalHierarchies {
    hierarchies: BTreeMap<Controller, Optional>,
    processors: Processors,
}

#[derive(Debug)]
struct Optional {
    mount: PathBuf,
    /// The directory of the containers' cgroups, as seen from there. It may not be there.
    parent: PathBuf,
    /// The containers that have a cgroup here.
    members: Mutex<BTreeSet<Place>>,
}

/// Where this machine has them.
pub(super) fn mounted(mounts: &V1) -> BTreeMap<Controller, PathBuf> {
    let mounted = |controller: Controller| {
        let mount = mounts.get_mount_point(match controller {
            Controller::Io => Controllers::BlkIo,
            Controller::Processors => Controllers::CpuSet,
            Controller::Devices => Controllers::Devices,
            Controller::HugePages => Controllers::HugeTlb,
        })?;
        // Only a cgroup beneath has the weight itself.
        let weighs = || mount.join("blkio.bfq.io_serviced").exists() || mount.join("blkio.weight").exists();
        (controller != Controller::Io || weighs()).then_some((controller, mount))
    };
    Controller::ALL.into_iter().filter_map(mounted).collect()
}

impl OptionalHierarchies {
    /// Makes nothing yet.
    pub(super) fn find(mounts: &V1, parent: &Path) -> OptionalHierarchies {
        let optional = |mount: PathBuf| {
            let members = containers_in(&mount.join(parent)).into_iter().filter(|place| place.parent().is_none());
            Optional { members: Mutex::new(members.collect()), mount, parent: parent.to_owned() }
        };
        let hierarchies: BTreeMap<Controller, Optional> =
            mounted(mounts).into_iter().map(|(controller, mount)| (controller, optional(mount))).collect();
        let read = |path: PathBuf| std::fs::read_to_string(path).unwrap_or_default();
        let of_processors = hierarchies.get(&Controller::Processors);
        let processors =
            of_processors.map(|it| Processors::of(&read(it.mount.join("cpuset.cpus")))).unwrap_or_default();
        for (hierarchy, place) in
            of_processors.iter().flat_map(|it| it.members().clone().into_iter().map(move |one| (it, one)))
        {
            let bound = read(hierarchy.of(&place).join("cpuset.cpus"));
            processors.restore(place, &bound);
        }
        OptionalHierarchies { hierarchies, processors }
    }

    /// Makes what these controls of a container need.
    pub(super) fn create(&self, place: &Place, controls: &Controls) -> Result<(), IsolationError> {
        for controller in controls.needed() {
            let hierarchy = self.hierarchies.get(&controller).ok_or(IsolationError::Lacking(controller))?;
            hierarchy.prepare(controller)?;
            make_directory(&hierarchy.of(place))?;
            hierarchy.members().insert(place.clone());
            match controller {
                Controller::Devices => write(&hierarchy.of(place), "devices.deny", "a")?,
                Controller::Processors => take_over(&hierarchy.of(place), "cpuset.mems")?,
                Controller::Io | Controller::HugePages => {}
            }
        }
        self.adjust(place, controls)
    }

    /// Changes what is controlled of a container already. Devices only come to those that it may use.
    pub(super) fn adjust(&self, place: &Place, controls: &Controls) -> Result<(), IsolationError> {
        let Controls { io_weight, processors, devices, huge_pages } = controls;
        let own = |controller| Some(self.hierarchies.get(&controller).filter(|it| it.has(place))?.of(place));
        if let (Some(directory), Some(weight)) = (own(Controller::Io), io_weight) {
            set_io_weight(&directory, &IO_WEIGHTS, *weight)?;
        }
        if let (Some(directory), Some(count)) = (own(Controller::Processors), processors) {
            write(&directory, "cpuset.cpus", self.processors.bind(place, *count))?;
        }
        if let (Some(directory), Some(rules)) = (own(Controller::Devices), devices) {
            rules.iter().try_for_each(|rule| write(&directory, "devices.allow", rule.to_string()))?;
        }
        match (own(Controller::HugePages), huge_pages) {
            (Some(directory), Some(sizes)) => set_huge_pages(&directory, "limit_in_bytes", sizes),
            (Some(_) | None, _) => Ok(()),
        }
    }

    /// Into the cgroups here of a container, or of what it is a part of.
    pub(super) fn doors(&self, place: &Place) -> impl Iterator<Item = Result<Door, IsolationError>> {
        self.directories(&place.whole()).map(|directory| {
            let path = directory.join("tasks");
            let opened = OpenOptions::new().write(true).open(&path);
            let file = opened.map_err(IsolationError::file("enter the cgroup by", &path))?;
            Ok(Door { file, path })
        })
    }

    /// The cgroup of a container here. It may not be there: other processes make containers as well.
    pub(super) fn own(&self, controller: Controller, place: &Place) -> Option<PathBuf> {
        self.hierarchies.get(&controller).map(|it| it.of(place))
    }

    /// The cgroups that a container has here itself.
    pub(super) fn directories(&self, place: &Place) -> impl Iterator<Item = PathBuf> + use<> {
        let own = self.hierarchies.values().filter(|it| it.has(place)).map(|it| it.of(place));
        own.collect::<Vec<_>>().into_iter()
    }

    pub(super) fn remove(&self, place: &Place) -> Result<Removal, IsolationError> {
        for hierarchy in self.hierarchies.values().filter(|it| it.has(place)) {
            if remove_cgroup(&hierarchy.of(place))? == Removal::Occupied {
                return Ok(Removal::Occupied);
            }
            hierarchy.members().remove(place);
        }
        self.processors.release(place);
        Ok(Removal::Removed)
    }

    pub(super) fn containers(&self) -> Vec<Place> {
        self.hierarchies.values().flat_map(|it| it.members().clone()).collect()
    }

    /// The directories of all containers.
    pub(super) fn parents(&self) -> impl Iterator<Item = PathBuf> {
        self.hierarchies.values().map(|it| it.mount.join(&it.parent))
    }
}

impl Optional {
    fn of(&self, place: &Place) -> PathBuf {
        self.mount.join(&self.parent).join(place.as_str())
    }

    fn has(&self, place: &Place) -> bool {
        self.members().contains(place)
    }

    /// What a thread that panicked left is whole: nothing here can.
    fn members(&self) -> MutexGuard<'_, BTreeSet<Place>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the directory of all containers.
    fn prepare(&self, controller: Controller) -> Result<(), IsolationError> {
        let mut directory = self.mount.clone();
        for component in &self.parent {
            directory.push(component);
            make_directory(&directory)?;
            if controller == Controller::Processors {
                PLACES.iter().try_for_each(|file| take_over(&directory, file))?;
            }
        }
        Ok(())
    }
}

/// A cgroup that has nothing said of it has what the one above has.
fn take_over(directory: &Path, file: &str) -> Result<(), IsolationError> {
    let read = |path: PathBuf| std::fs::read_to_string(&path).map_err(IsolationError::file("read", &path));
    let above = directory.parent().unwrap_or(directory);
    match read(directory.join(file))?.trim() {
        "" => write(directory, file, read(above.join(file))?.trim()),
        _ => Ok(()),
    }
}
