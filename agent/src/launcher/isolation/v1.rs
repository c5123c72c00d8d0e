//! cgroups v1: one directory per controller and container. Also serves the hybrid layout, whose v2 tree has no
//! controllers.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use attica_core_api::v1::BlkioStatistics;
use cgroups_rs::cpu::CpuController;
use cgroups_rs::hierarchies::V1;
use cgroups_rs::memory::MemController;
use cgroups_rs::pid::PidController;
use cgroups_rs::{Controllers, MaxValue};
use nix::fcntl::{OFlag, openat};
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, mkdirat};

use super::optional::{OptionalHierarchies, mounted};
use super::{
    Controller, Controls, Door, Entry, Isolation, IsolationError, Memory, PERIOD_US, Place, Removal, Subject,
    Throttling, Usage, cgroup_tree, containers_in, pids_in, read_key, read_number, remove_cgroup, send_signal,
    throttling, value_of,
};
use crate::launcher::protocol::{IsolationKind, Limits, MemoryVerdict};

/// Rounds of a kill before the container may not fork any more: only one that forks all the time has to be hindered.
const ROUNDS_UNHINDERED: u32 = 2;

/// The directories that hold the containers' cgroups, one per controller.
#[derive(Debug)]
pub(crate) struct CgroupsV1 {
    cpu: Hierarchy,
    memory: Hierarchy,
    pids: Hierarchy,
    /// Counts cpu time, where it is not mounted together with `cpu`.
    accounting: Option<Hierarchy>,
    /// Where a task that runs as root could hold itself still.
    freezer: Option<PathBuf>,
    optional: OptionalHierarchies,
}

/// What this machine controls besides, if it has what is needed.
pub(super) fn controllers() -> Option<BTreeSet<Controller>> {
    let mounts = V1::new();
    let needed = [Controllers::Cpu, Controllers::Mem, Controllers::Pids];
    let all_there = needed.into_iter().all(|controller| mounts.get_mount_point(controller).is_some());
    all_there.then(|| mounted(&mounts).into_keys().collect())
}

/// The directory of one controller. Open: a path that begins here is a short one, and a launch follows a dozen of them.
#[derive(Debug)]
struct Hierarchy {
    path: PathBuf,
    handle: OwnedFd,
}

impl Hierarchy {
    fn make(path: PathBuf) -> Result<Hierarchy, IsolationError> {
        std::fs::create_dir_all(&path).map_err(IsolationError::file("make", &path))?;
        let handle = File::open(&path).map_err(IsolationError::file("open", &path))?.into();
        Ok(Hierarchy { path, handle })
    }

    fn of(&self, place: &Place) -> PathBuf {
        self.path.join(place.as_str())
    }

    /// Makes the container's cgroup, which may be there already.
    fn create(&self, place: &Place) -> Result<(), IsolationError> {
        match mkdirat(&self.handle, place.as_str(), Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(nix::Error::EEXIST) => Ok(()),
            Err(error) => Err(IsolationError::file("make", &self.of(place))(error.into())),
        }
    }

    fn door(&self, place: &Place) -> Result<Door, IsolationError> {
        // By `tasks` a thread moves itself without the lock over all forks and exits of the machine, which `cgroup.procs` waits
        // some ten milliseconds for.
        let name = Path::new(place.as_str()).join("tasks");
        let opened = openat(self.handle.as_fd(), &name, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty());
        let path = self.path.join(name);
        let file = opened.map_err(|error| IsolationError::file("enter the cgroup by", &path)(error.into()))?;
        Ok(Door { file: file.into(), path })
    }
}

impl CgroupsV1 {
    /// Makes the parent directories; `None` when a controller that is needed is not mounted.
    pub(crate) fn prepare(parent: &Path) -> Result<Option<CgroupsV1>, IsolationError> {
        let mounts = V1::new();
        let place = |controller| mounts.get_mount_point(controller).map(|mount| mount.join(parent));
        let (Some(cpu), Some(memory), Some(pids)) =
            (place(Controllers::Cpu), place(Controllers::Mem), place(Controllers::Pids))
        else {
            return Ok(None);
        };
        let accounting = place(Controllers::CpuAcct).filter(|path| *path != cpu);
        let memory = Hierarchy::make(memory)?;
        // What parts use counts for the whole: the only way there is since Linux 5.11, which does not want to be told, and a choice
        // before that as long as there is nothing beneath.
        let _always_so = std::fs::write(memory.path.join("memory.use_hierarchy"), "1");
        Ok(Some(CgroupsV1 {
            cpu: Hierarchy::make(cpu)?,
            memory,
            pids: Hierarchy::make(pids)?,
            accounting: accounting.map(Hierarchy::make).transpose()?,
            freezer: mounts.get_mount_point(Controllers::Freezer),
            optional: OptionalHierarchies::find(&mounts, parent),
        }))
    }

    /// The one that gives the processor last: a process that has only a small part of it begins sooner if it moves there late.
    fn hierarchies(&self) -> impl Iterator<Item = &Hierarchy> {
        let others = [&self.memory, &self.pids].into_iter().chain(self.accounting.as_ref());
        others.chain(std::iter::once(&self.cpu))
    }

    fn throttling(&self, place: &Place) -> Option<Throttling> {
        let cgroup = self.cpu.of(place);
        // Without a quota it is negative.
        read_number(&cgroup.join("cpu.cfs_quota_us"))?;
        let text = std::fs::read_to_string(cgroup.join("cpu.stat")).ok()?;
        let nanoseconds = value_of(&text, "throttled_time");
        throttling(&text, nanoseconds.map(|nanoseconds| nanoseconds / 1_000))
    }

    /// In a frozen cgroup SIGKILL waits, and a task that runs as root may have frozen itself.
    fn thaw(&self, pids: &[i32]) {
        let Some(mount) = &self.freezer else { return };
        let place = |pid: &str| freezer_cgroup(&std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?);
        let Some(ours) = place("self") else { return };
        for theirs in pids.iter().filter_map(|pid| place(&pid.to_string())) {
            // What holds the launcher as well is somebody else's to thaw.
            for cgroup in theirs.ancestors().take_while(|cgroup| !ours.starts_with(cgroup)) {
                let state = mount.join(cgroup.strip_prefix("/").unwrap_or(cgroup)).join("freezer.state");
                if let Err(error) = std::fs::write(&state, "THAWED")
                    && error.kind() != io::ErrorKind::NotFound
                {
                    tracing::warn!(cgroup = %cgroup.display(), %error, "a cgroup cannot be thawed");
                }
            }
        }
    }
}

/// What the files of a cgroup of v1 tell, as Mesos reads them.
fn memory_in(cgroup: &Path) -> Memory {
    let text = std::fs::read_to_string(cgroup.join("memory.stat")).unwrap_or_default();
    let number = |file: &str| read_number(&cgroup.join(file));
    Memory {
        total: number("memory.usage_in_bytes"),
        anonymous: value_of(&text, "total_rss"),
        cache: value_of(&text, "total_cache"),
        mapped: value_of(&text, "total_mapped_file"),
        swap: value_of(&text, "total_swap"),
        unevictable: value_of(&text, "total_unevictable"),
        kernel: number("memory.kmem.usage_in_bytes"),
        sockets: number("memory.kmem.tcp.usage_in_bytes"),
    }
}

/// Of the lines of `/proc/<pid>/cgroup`, `number:controllers:path`, the path of the freezer's.
fn freezer_cgroup(lines: &str) -> Option<PathBuf> {
    lines.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        controllers.split(',').any(|controller| controller == "freezer").then(|| PathBuf::from(path))
    })
}

impl Isolation for CgroupsV1 {
    fn kind(&self) -> IsolationKind {
        IsolationKind::CgroupsV1
    }

    fn create(
        &self,
        place: &Place,
        limits: Option<&Limits>,
        controls: Option<&Controls>,
    ) -> Result<(), IsolationError> {
        self.hierarchies().try_for_each(|hierarchy| hierarchy.create(place))?;
        controls.map_or(Ok(()), |controls| self.optional.create(place, controls))?;
        let Some(limits) = limits else { return Ok(()) };
        CpuController::new(self.cpu.of(place), false)
            .set_shares(limits.cpu_shares)
            .map_err(IsolationError::controller("cpu"))?;
        if let Some(quota) = limits.cpu_quota_us {
            CpuController::new(self.cpu.of(place), false)
                .set_cfs_quota_and_period(Some(i64::try_from(quota).unwrap_or(i64::MAX)), Some(PERIOD_US))
                .map_err(IsolationError::controller("cpu quota"))?;
        }
        let memory_bytes = i64::try_from(limits.memory_bytes).unwrap_or(i64::MAX);
        let memory = MemController::new(self.memory.of(place), false);
        memory.set_limit(memory_bytes).map_err(IsolationError::controller("memory"))?;
        if let Some(request) = limits.memory_request_bytes {
            let request = i64::try_from(request).unwrap_or(i64::MAX);
            memory.set_soft_limit(request).map_err(IsolationError::controller("soft memory"))?;
        }
        let pids = MaxValue::Value(i64::try_from(limits.pids).unwrap_or(i64::MAX));
        PidController::new(self.pids.of(place), false).set_pid_max(pids).map_err(IsolationError::controller("pids"))
    }

    fn resize(&self, place: &Place, limits: &Limits, controls: Option<&Controls>) -> Result<(), IsolationError> {
        controls.map_or(Ok(()), |controls| self.optional.adjust(place, controls))?;
        CpuController::new(self.cpu.of(place), false)
            .set_shares(limits.cpu_shares)
            .map_err(IsolationError::controller("cpu"))?;
        let memory = self.memory.of(place);
        if read_number(&memory.join("memory.limit_in_bytes")).is_some_and(|now| now >= limits.memory_bytes) {
            return Ok(());
        }
        let memory_bytes = i64::try_from(limits.memory_bytes).unwrap_or(i64::MAX);
        MemController::new(memory, false).set_limit(memory_bytes).map_err(IsolationError::controller("memory"))
    }

    fn entry(&self, place: &Place, _limits: Option<&Limits>) -> Result<Entry, IsolationError> {
        let own = self.hierarchies().map(|hierarchy| hierarchy.door(place));
        let doors = self.optional.doors(place).chain(own).collect::<Result<_, _>>()?;
        Ok(Entry { doors, limits: Vec::new() })
    }

    /// Of all controllers: a process that runs as root may have left some of its cgroups.
    fn processes(&self, subject: Subject<'_>) -> Vec<i32> {
        let own = self.hierarchies().map(|hierarchy| hierarchy.of(subject.place));
        let all = own.chain(self.optional.directories(subject.place));
        let mut pids: Vec<i32> = all.flat_map(|directory| pids_in(&directory)).collect();
        pids.sort_unstable();
        pids.dedup();
        pids
    }

    fn kill(&self, subject: Subject<'_>) {
        let mut killed = Vec::new();
        for _ in 0..ROUNDS_UNHINDERED {
            // What was killed forks no more.
            let found = self.processes(subject);
            let survivors: Vec<i32> = found.iter().filter(|pid| !killed.contains(*pid)).copied().collect();
            if survivors.is_empty() {
                return;
            }
            send_signal(&survivors, Signal::SIGKILL);
            self.thaw(&survivors);
            killed = found;
        }
        // Whoever goes on without has that many processes fewer to fork from with each round.
        let _not_hindered = PidController::new(self.pids.of(subject.place), false).set_pid_max(MaxValue::Value(0));
        let survivors = self.processes(subject);
        send_signal(&survivors, Signal::SIGKILL);
        self.thaw(&survivors);
    }

    fn remove(&self, subject: Subject<'_>) -> Result<Removal, IsolationError> {
        for hierarchy in self.hierarchies() {
            if remove_cgroup(&hierarchy.of(subject.place))? == Removal::Occupied {
                return Ok(Removal::Occupied);
            }
        }
        self.optional.remove(subject.place)
    }

    fn memory_verdict(&self, place: &Place) -> MemoryVerdict {
        let directory = self.memory.of(place);
        // Counted where the process was, if that was in a cgroup of the task's own.
        let killed =
            |cgroup: PathBuf| read_key(&cgroup.join("memory.oom_control"), "oom_kill").is_some_and(|count| count > 0);
        match cgroup_tree(&directory).into_iter().any(killed) {
            false => MemoryVerdict::WithinLimit,
            true => {
                let limit = |directory: PathBuf| {
                    let limit = read_number(&directory.join("memory.limit_in_bytes"))?;
                    Some((limit, read_number(&directory.join("memory.max_usage_in_bytes")).unwrap_or(0)))
                };
                let whole = std::iter::successors(Some(place.clone()), Place::parent);
                let tightest = whole.filter_map(|place| limit(self.memory.of(&place))).min();
                let (limit_bytes, peak_bytes) = tightest.unwrap_or_default();
                MemoryVerdict::OutOfMemory { limit_bytes, peak_bytes }
            }
        }
    }

    fn usage(&self, Subject { place, leader: _ }: Subject<'_>) -> Usage {
        let accounting = self.accounting.as_ref().unwrap_or(&self.cpu).of(place);
        let nanoseconds = |file| read_number(&accounting.join(file)).map(|value: u64| value / 1_000);
        Usage {
            cpu_user_us: nanoseconds("cpuacct.usage_user"),
            cpu_system_us: nanoseconds("cpuacct.usage_sys"),
            throttling: self.throttling(place),
            memory: memory_in(&self.memory.of(place)),
            pids: read_number(&self.pids.of(place).join("pids.current")),
        }
    }

    fn block_io(&self, place: &Place) -> Option<BlkioStatistics> {
        super::block_io::of_v1(&self.optional.own(Controller::Io, place)?)
    }

    fn containers(&self) -> Vec<Place> {
        let own = self.hierarchies().flat_map(|hierarchy| containers_in(&hierarchy.path));
        let mut found: Vec<Place> = own.chain(self.optional.containers()).collect();
        found.sort();
        found.dedup();
        found
    }

    fn close(&self) {
        let own = self.hierarchies().map(|hierarchy| hierarchy.path.clone());
        for instance in own.chain(self.optional.parents()) {
            // Fails while another container or agent uses it, which is then the one to remove it.
            let _in_use =
                std::fs::remove_dir(&instance).and_then(|()| instance.parent().map_or(Ok(()), std::fs::remove_dir));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_by_what_it_is_for() {
        let cgroup = tempfile::tempdir().unwrap();
        assert_eq!(memory_in(cgroup.path()), Memory::default());
        let write = |file: &str, text: &str| std::fs::write(cgroup.path().join(file), text).unwrap();
        write("memory.usage_in_bytes", "100\n");
        write("memory.kmem.usage_in_bytes", "7\n");
        write("memory.kmem.tcp.usage_in_bytes", "0\n");
        write(
            "memory.stat",
            "cache 1\nrss 2\ntotal_cache 30\ntotal_rss 60\ntotal_rss_huge 5\ntotal_mapped_file 9\ntotal_swap 4\n\
             total_unevictable 3\n",
        );
        let expected = Memory {
            total: Some(100),
            anonymous: Some(60),
            cache: Some(30),
            mapped: Some(9),
            swap: Some(4),
            unevictable: Some(3),
            kernel: Some(7),
            sockets: Some(0),
        };
        assert_eq!(memory_in(cgroup.path()), expected);
    }

    #[test]
    fn the_freezer_is_found_among_the_hierarchies() {
        let lines = "12:cpuset:/a\n9:net_cls,freezer:/b/c\n1:name=systemd:/freezer\n0::/d\n";
        assert_eq!(freezer_cgroup(lines), Some(PathBuf::from("/b/c")));
        assert_eq!(freezer_cgroup("1:name=systemd:/freezer\n0::/freezer\n"), None);
    }
}
