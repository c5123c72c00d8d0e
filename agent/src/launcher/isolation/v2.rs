//! The unified cgroups v2 tree.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use attica_core_api::v1::BlkioStatistics;
use cgroups_rs::MaxValue;
use cgroups_rs::cpu::CpuController;
use cgroups_rs::memory::MemController;
use cgroups_rs::pid::PidController;
use nix::sys::signal::Signal;
use nix::sys::statfs::CGROUP2_SUPER_MAGIC;

use super::device_program;
use super::processors::Processors;
use super::settings::{set_huge_pages, set_io_weight, write};
use super::{
    Controller, Controls, Door, Entry, Isolation, IsolationError, Memory, PERIOD_US, Place, Removal, Subject, Usage,
    containers_in, make_directory, pids_in, read_key, read_number, remove_cgroup, send_signal, throttling, value_of,
};
use crate::launcher::protocol::{IsolationKind, Limits, MemoryVerdict};
use crate::launcher::sys;

/// What a container cannot be without.
const NEEDED: [&str; 3] = ["cpu", "memory", "pids"];
/// Of the two schedulers that there are for it.
const IO_WEIGHTS: [&str; 2] = ["io.bfq.weight", "io.weight"];
/// Where the processes of a container are of which a part has limits: it has no name that a container has.
const OWN: &str = "own_processes";
/// How often they are looked for, while they make others.
const MOVES: u32 = 100;

/// The directory that holds the containers' cgroups.
#[derive(Debug)]
pub(crate) struct CgroupsV2 {
    parent: PathBuf,
    controllers: BTreeSet<Controller>,
    processors: Processors,
}

/// What this machine controls besides, if it has what is needed.
pub(super) fn controllers(mount: &Path) -> Option<BTreeSet<Controller>> {
    let offered = std::fs::read_to_string(mount.join("cgroup.controllers")).unwrap_or_default();
    let has = |name: &str| offered.split_ascii_whitespace().any(|one| one == name);
    let optional = Controller::ALL.into_iter().filter(|controller| match controller {
        Controller::Io | Controller::Processors | Controller::HugePages => has(controller.as_str()),
        // No controller, but a program within the kernel that is asked.
        Controller::Devices => asks_programs(mount),
    });
    NEEDED.into_iter().all(has).then(|| optional.collect())
}

/// Whether this is a tree of cgroups of a kernel that asks programs about devices.
fn asks_programs(mount: &Path) -> bool {
    let is_tree = nix::sys::statfs::statfs(mount).is_ok_and(|found| found.filesystem_type() == CGROUP2_SUPER_MAGIC);
    is_tree && sys::load_device_program(&device_program::allowing(&[])).is_ok()
}

impl CgroupsV2 {
    /// Makes the parent and switches the controllers on all the way to it; `None` when the machine does not offer them.
    pub(crate) fn prepare(mount: &Path, parent: &Path) -> Result<Option<CgroupsV2>, IsolationError> {
        let Some(controllers) = controllers(mount) else { return Ok(None) };
        let mut directory = mount.to_owned();
        enable_controllers(&directory, &controllers)?;
        for component in parent {
            directory.push(component);
            make_directory(&directory)?;
            enable_controllers(&directory, &controllers)?;
        }
        let read = |directory: &Path, file: &str| std::fs::read_to_string(directory.join(file)).unwrap_or_default();
        let processors = Processors::of(&read(mount, "cpuset.cpus.effective"));
        let cgroups = CgroupsV2 { parent: directory, controllers, processors };
        for place in containers_in(&cgroups.parent) {
            let bound = read(&cgroups.directory(&place), "cpuset.cpus");
            if !bound.trim().is_empty() {
                cgroups.processors.restore(place, &bound);
            }
        }
        Ok(Some(cgroups))
    }

    /// Lets the parts of a container have limits of their own: controllers are only switched on beneath a cgroup without processes, so
    /// those that are in this one move into one beneath.
    fn open_to_parts(&self, place: &Place) -> Result<(), IsolationError> {
        place.parent().map_or(Ok(()), |whole| self.open_to_parts(&whole))?;
        let directory = self.directory(place);
        let switch = directory.join("cgroup.subtree_control");
        if std::fs::read_to_string(&switch).is_ok_and(|controllers| !controllers.trim().is_empty()) {
            return Ok(());
        }
        let own = directory.join(OWN);
        make_directory(&own)?;
        let mut outcome = Ok(());
        for _ in 0..MOVES {
            let procs = std::fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
            for pid in procs.lines() {
                // One that has ended meanwhile need not move.
                let _ended = std::fs::write(own.join("cgroup.procs"), pid);
            }
            outcome = std::fs::write(&switch, enabling(NEEDED));
            match &outcome {
                // One was made by one that had not moved yet.
                Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {}
                Ok(()) | Err(_) => break,
            }
        }
        outcome.map_err(IsolationError::file("write to", &switch))
    }

    fn control(&self, place: &Place, controls: &Controls) -> Result<(), IsolationError> {
        if let Some(lacking) = controls.needed().find(|needed| !self.controllers.contains(needed)) {
            return Err(IsolationError::Lacking(lacking));
        }
        let directory = self.directory(place);
        let Controls { io_weight, processors, devices, huge_pages } = controls;
        if let Some(rules) = devices {
            let set = || {
                let program = sys::load_device_program(&device_program::allowing(rules))?;
                sys::set_device_program(&File::open(&directory)?, program.as_fd())
            };
            set().map_err(IsolationError::file("choose the devices of", &directory))?;
        }
        if let Some(weight) = io_weight {
            set_io_weight(&directory, &IO_WEIGHTS, *weight)?;
        }
        if let Some(count) = processors {
            write(&directory, "cpuset.cpus", self.processors.bind(place, *count))?;
        }
        huge_pages.as_ref().map_or(Ok(()), |sizes| set_huge_pages(&directory, "max", sizes))
    }

    fn directory(&self, place: &Place) -> PathBuf {
        self.parent.join(place.as_str())
    }
}

fn enabling<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("+{name}")).collect::<Vec<_>>().join(" ")
}

fn enable_controllers(directory: &Path, optional: &BTreeSet<Controller>) -> Result<(), IsolationError> {
    let optional = optional.iter().filter(|controller| **controller != Controller::Devices);
    let names = NEEDED.into_iter().chain(optional.map(|controller| controller.as_str()));
    write(directory, "cgroup.subtree_control", enabling(names))
}

/// The kernel's own mapping of v1 shares [2, 262144] to v2 weights [1, 10000].
fn weight(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9_999 / 262_142
}

impl Isolation for CgroupsV2 {
    fn kind(&self) -> IsolationKind {
        IsolationKind::CgroupsV2
    }

    fn create(
        &self,
        place: &Place,
        limits: Option<&Limits>,
        controls: Option<&Controls>,
    ) -> Result<(), IsolationError> {
        let directory = self.directory(place);
        if let (Some(_), Some(whole)) = (limits, place.parent()) {
            self.open_to_parts(&whole)?;
        }
        make_directory(&directory)?;
        controls.map_or(Ok(()), |controls| self.control(place, controls))?;
        let Some(limits) = limits else { return Ok(()) };
        CpuController::new(directory.clone(), true)
            .set_shares(weight(limits.cpu_shares))
            .map_err(IsolationError::controller("cpu"))?;
        if let Some(quota) = limits.cpu_quota_us {
            let path = directory.join("cpu.max");
            std::fs::write(&path, format!("{quota} {PERIOD_US}")).map_err(IsolationError::file("write to", &path))?;
        }
        let memory_bytes = i64::try_from(limits.memory_bytes).unwrap_or(i64::MAX);
        let memory = MemController::new(directory.clone(), true);
        memory.set_limit(memory_bytes).map_err(IsolationError::controller("memory"))?;
        if let Some(request) = limits.memory_request_bytes {
            let request = i64::try_from(request).unwrap_or(i64::MAX);
            memory.set_soft_limit(request).map_err(IsolationError::controller("soft memory"))?;
        }
        let pids = MaxValue::Value(i64::try_from(limits.pids).unwrap_or(i64::MAX));
        PidController::new(directory, true).set_pid_max(pids).map_err(IsolationError::controller("pids"))
    }

    fn resize(&self, place: &Place, limits: &Limits, controls: Option<&Controls>) -> Result<(), IsolationError> {
        controls.map_or(Ok(()), |controls| self.control(place, controls))?;
        let directory = self.directory(place);
        CpuController::new(directory.clone(), true)
            .set_shares(weight(limits.cpu_shares))
            .map_err(IsolationError::controller("cpu"))?;
        if read_number(&directory.join("memory.max")).is_none_or(|now| now >= limits.memory_bytes) {
            return Ok(());
        }
        let memory_bytes = i64::try_from(limits.memory_bytes).unwrap_or(i64::MAX);
        MemController::new(directory, true).set_limit(memory_bytes).map_err(IsolationError::controller("memory"))
    }

    fn entry(&self, place: &Place, _limits: Option<&Limits>) -> Result<Entry, IsolationError> {
        let path = self.directory(place).join("cgroup.procs");
        let file =
            OpenOptions::new().write(true).open(&path).map_err(IsolationError::file("enter the cgroup by", &path))?;
        Ok(Entry { doors: vec![Door { file, path }], limits: Vec::new() })
    }

    fn processes(&self, subject: Subject<'_>) -> Vec<i32> {
        pids_in(&self.directory(subject.place))
    }

    fn kill(&self, subject: Subject<'_>) {
        // `cgroup.kill` came with Linux 5.14; before that, rounds over the list of processes converge.
        if std::fs::write(self.directory(subject.place).join("cgroup.kill"), "1").is_err() {
            send_signal(&self.processes(subject), Signal::SIGKILL);
        }
    }

    fn remove(&self, subject: Subject<'_>) -> Result<Removal, IsolationError> {
        let removal = remove_cgroup(&self.directory(subject.place))?;
        if removal == Removal::Removed {
            self.processors.release(subject.place);
        }
        Ok(removal)
    }

    /// A part has such files where one of the parts has limits. Elsewhere what it uses counts for the whole: of several parts that end by a
    /// signal any may have been meant.
    fn memory_verdict(&self, place: &Place) -> MemoryVerdict {
        let whole = || std::iter::successors(Some(place.clone()), Place::parent).map(|place| self.directory(&place));
        let killed = whole().find_map(|directory| read_key(&directory.join("memory.events"), "oom_kill"));
        if killed.unwrap_or(0) == 0 {
            return MemoryVerdict::WithinLimit;
        }
        let limit = |directory: PathBuf| {
            let limit = read_number(&directory.join("memory.max"))?;
            Some((limit, read_number(&directory.join("memory.peak")).unwrap_or(0)))
        };
        let (limit_bytes, peak_bytes) = whole().filter_map(limit).min().unwrap_or_default();
        MemoryVerdict::OutOfMemory { limit_bytes, peak_bytes }
    }

    fn usage(&self, subject: Subject<'_>) -> Usage {
        let directory = self.directory(subject.place);
        let read = |file: &str| std::fs::read_to_string(directory.join(file)).unwrap_or_default();
        let number = |file: &str| read_number(&directory.join(file));
        let (cpu, memory) = (read("cpu.stat"), read("memory.stat"));
        let has_quota = read("cpu.max").starts_with(|first: char| first.is_ascii_digit());
        Usage {
            cpu_user_us: value_of(&cpu, "user_usec"),
            cpu_system_us: value_of(&cpu, "system_usec"),
            throttling: throttling(&cpu, value_of(&cpu, "throttled_usec")).filter(|_| has_quota),
            memory: Memory {
                total: number("memory.current"),
                anonymous: value_of(&memory, "anon"),
                cache: value_of(&memory, "file"),
                mapped: value_of(&memory, "file_mapped"),
                swap: number("memory.swap.current"),
                unevictable: value_of(&memory, "unevictable"),
                kernel: value_of(&memory, "kernel"),
                sockets: value_of(&memory, "sock"),
            },
            pids: number("pids.current"),
        }
    }

    fn block_io(&self, place: &Place) -> Option<BlkioStatistics> {
        super::block_io::of_v2(&self.directory(place))
    }

    fn containers(&self) -> Vec<Place> {
        containers_in(&self.parent)
    }

    fn close(&self) {
        // Fails while another container or agent uses it, which is then the one to remove it.
        let _in_use =
            std::fs::remove_dir(&self.parent).and_then(|()| self.parent.parent().map_or(Ok(()), std::fs::remove_dir));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Throttling;
    use super::*;
    use crate::launcher::protocol::ContainerId;

    /// Plain files in the place of the kernel's: what is written where, and what is made of what is read.
    #[test]
    fn the_unified_tree_is_written_and_read_as_the_kernel_lays_it_out() {
        let mount = tempfile::tempdir().unwrap();
        let parent = Path::new("attica/one");
        assert!(CgroupsV2::prepare(mount.path(), parent).unwrap().is_none());
        std::fs::write(mount.path().join("cgroup.controllers"), "cpuset cpu io memory hugetlb pids\n").unwrap();
        let cgroups = CgroupsV2::prepare(mount.path(), parent).unwrap().unwrap();
        let read = |path: &str| std::fs::read_to_string(mount.path().join(path)).unwrap();
        for directory in ["", "attica/", "attica/one/"] {
            let switched_on = "+cpu +memory +pids +io +cpuset +hugetlb";
            assert_eq!(read(&format!("{directory}cgroup.subtree_control")), switched_on);
        }
        let container = Place::parse("c1").unwrap();
        let limits = Limits {
            cpu_shares: 2_048,
            memory_bytes: 64 << 20,
            pids: 10,
            cpu_quota_us: None,
            memory_request_bytes: None,
        };
        cgroups.create(&container, Some(&limits), None).unwrap();
        assert_eq!(read("attica/one/c1/cpu.weight"), "79");
        assert_eq!(read("attica/one/c1/memory.max"), (64 << 20).to_string());
        let burst = Place::parse("burst").unwrap();
        let limits_of_burst = Limits { cpu_quota_us: Some(150_000), memory_request_bytes: Some(32 << 20), ..limits };
        cgroups.create(&burst, Some(&limits_of_burst), None).unwrap();
        assert_eq!(read("attica/one/burst/cpu.max"), "150000 100000");
        assert_eq!(read("attica/one/burst/memory.low"), (32 << 20).to_string());
        std::fs::remove_dir_all(mount.path().join("attica/one/burst")).unwrap();
        assert_eq!(read("attica/one/c1/pids.max"), "10");
        for (wanted, memory_bytes) in [(32, 64), (96, 96)] {
            let resized = Limits {
                cpu_shares: 262_144,
                memory_bytes: wanted << 20,
                pids: 10,
                cpu_quota_us: None,
                memory_request_bytes: None,
            };
            cgroups.resize(&container, &resized, None).unwrap();
            assert_eq!(read("attica/one/c1/memory.max"), (memory_bytes << 20).to_string(), "it is only raised");
        }
        assert_eq!(read("attica/one/c1/cpu.weight"), "10000");
        cgroups.create(&container, Some(&limits), None).unwrap();
        let part = container.part(&ContainerId::new("p").unwrap());
        std::fs::write(mount.path().join("attica/one/c1/cgroup.procs"), "7\n").unwrap();
        cgroups.create(&part, None, None).unwrap();
        assert!(!mount.path().join("attica/one/c1/cgroup.subtree_control").exists());
        cgroups.create(&part, Some(&limits), None).unwrap();
        assert_eq!(read("attica/one/c1/own_processes/cgroup.procs"), "7");
        assert_eq!(read("attica/one/c1/cgroup.subtree_control"), "+cpu +memory +pids");
        assert_eq!(read("attica/one/c1/part_p/memory.max"), (64 << 20).to_string());
        let devices = Controls { devices: Some(Vec::new()), ..Controls::default() };
        let refused = cgroups.create(&burst, None, Some(&devices));
        assert!(matches!(refused, Err(IsolationError::Lacking(Controller::Devices))));
        std::fs::remove_dir(mount.path().join("attica/one/burst")).unwrap();
        std::fs::create_dir(mount.path().join("attica/one/c1/somebody-elses")).unwrap();
        assert_eq!(cgroups.containers(), [container.clone(), part]);
        assert_eq!(cgroups.memory_verdict(&container), MemoryVerdict::WithinLimit);
        std::fs::write(mount.path().join("attica/one/c1/memory.events"), "max 7\noom 1\noom_kill 1\n").unwrap();
        std::fs::write(mount.path().join("attica/one/c1/memory.peak"), "67108864\n").unwrap();
        let verdict = MemoryVerdict::OutOfMemory { limit_bytes: 64 << 20, peak_bytes: 64 << 20 };
        assert_eq!(cgroups.memory_verdict(&container), verdict);
        let write =
            |file: &str, text: &str| std::fs::write(mount.path().join("attica/one/c1").join(file), text).unwrap();
        let used = || cgroups.usage(Subject { place: &container, leader: None });
        write("cpu.stat", "user_usec 5\nsystem_usec 6\nnr_periods 7\nnr_throttled 3\nthrottled_usec 900\n");
        write("memory.stat", "anon 60\nfile 30\nkernel 7\nsock 2\nfile_mapped 9\nunevictable 3\n");
        write("memory.current", "100\n");
        write("memory.swap.current", "4\n");
        assert_eq!((used().cpu_user_us, used().throttling), (Some(5), None), "nothing holds it back");
        write("cpu.max", "150000 100000\n");
        assert_eq!(used().throttling, Some(Throttling { periods: 7, throttled: 3, throttled_us: 900 }));
        let memory = Memory {
            total: Some(100),
            anonymous: Some(60),
            cache: Some(30),
            mapped: Some(9),
            swap: Some(4),
            unevictable: Some(3),
            kernel: Some(7),
            sockets: Some(2),
        };
        assert_eq!(used().memory, memory);
        cgroups.kill(Subject { place: &container, leader: None });
        assert_eq!(read("attica/one/c1/cgroup.kill"), "1");
    }

    #[test]
    fn weights_span_the_range_of_shares() {
        assert_eq!(weight(0), 1);
        assert_eq!(weight(2), 1);
        assert_eq!(weight(1024), 39);
        assert_eq!(weight(262_144), 10_000);
        assert_eq!(weight(u64::MAX), 10_000);
    }
}
