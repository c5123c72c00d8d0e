//! The unified cgroups v2 tree.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use cgroups_rs::MaxValue;
use cgroups_rs::cpu::CpuController;
use cgroups_rs::memory::MemController;
use cgroups_rs::pid::PidController;
use nix::sys::signal::Signal;

use super::{
    Door, Entry, Isolation, IsolationError, PERIOD_US, Place, Removal, Subject, Usage, containers_in, make_directory,
    pids_in, read_key, read_number, remove_cgroup, send_signal,
};
use crate::launcher::protocol::{IsolationKind, Limits, MemoryVerdict};

/// The directory that holds the containers' cgroups.
#[derive(Debug)]
pub(crate) struct CgroupsV2 {
    parent: PathBuf,
}

impl CgroupsV2 {
    /// Makes the parent and switches the controllers on all the way to it; `None` when the machine does not offer them.
    pub(crate) fn prepare(mount: &Path, parent: &Path) -> Result<Option<CgroupsV2>, IsolationError> {
        let offered = std::fs::read_to_string(mount.join("cgroup.controllers")).unwrap_or_default();
        if !["cpu", "memory", "pids"]
            .iter()
            .all(|needed| offered.split_ascii_whitespace().any(|controller| controller == *needed))
        {
            return Ok(None);
        }
        let mut directory = mount.to_owned();
        enable_controllers(&directory)?;
        for component in parent {
            directory.push(component);
            make_directory(&directory)?;
            enable_controllers(&directory)?;
        }
        Ok(Some(CgroupsV2 { parent: directory }))
    }

    fn directory(&self, place: &Place) -> PathBuf {
        self.parent.join(place.as_str())
    }
}

fn enable_controllers(directory: &Path) -> Result<(), IsolationError> {
    let path = directory.join("cgroup.subtree_control");
    std::fs::write(&path, "+cpu +memory +pids").map_err(IsolationError::file("write to", &path))
}

/// The kernel's own mapping of v1 shares [2, 262144] to v2 weights [1, 10000].
fn weight(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9_999 / 262_142
}

impl Isolation for CgroupsV2 {
    fn kind(&self) -> IsolationKind {
        IsolationKind::CgroupsV2
    }

    fn create(&self, place: &Place, limits: Option<&Limits>) -> Result<(), IsolationError> {
        let directory = self.directory(place);
        make_directory(&directory)?;
        let limits = match (limits, place.parent()) {
            (None, _) => return Ok(()),
            // Controllers are only switched on beneath a cgroup without processes of its own.
            (Some(_), Some(_)) => return Err(IsolationError::LimitsOfPart),
            (Some(limits), None) => limits,
        };
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

    fn resize(&self, place: &Place, limits: &Limits) -> Result<(), IsolationError> {
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
        remove_cgroup(&self.directory(subject.place))
    }

    /// A part has no such files, what it uses counts for the whole: of several parts that end by a signal any may have been meant.
    fn memory_verdict(&self, place: &Place) -> MemoryVerdict {
        let whole = std::iter::successors(Some(place.clone()), Place::parent).map(|place| self.directory(&place));
        let mut events =
            whole.filter_map(|directory| Some((read_key(&directory.join("memory.events"), "oom_kill")?, directory)));
        match events.next() {
            None | Some((0, _)) => MemoryVerdict::WithinLimit,
            Some((_, directory)) => MemoryVerdict::OutOfMemory {
                limit_bytes: read_number(&directory.join("memory.max")).unwrap_or(0),
                peak_bytes: read_number(&directory.join("memory.peak")).unwrap_or(0),
            },
        }
    }

    fn usage(&self, place: &Place) -> Usage {
        let directory = self.directory(place);
        let cpu = directory.join("cpu.stat");
        Usage {
            cpu_user_us: read_key(&cpu, "user_usec"),
            cpu_system_us: read_key(&cpu, "system_usec"),
            memory_bytes: read_key(&directory.join("memory.stat"), "anon"),
            pids: read_number(&directory.join("pids.current")),
        }
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
            assert_eq!(read(&format!("{directory}cgroup.subtree_control")), "+cpu +memory +pids");
        }
        let container = Place::parse("c1").unwrap();
        let limits = Limits {
            cpu_shares: 2_048,
            memory_bytes: 64 << 20,
            pids: 10,
            cpu_quota_us: None,
            memory_request_bytes: None,
        };
        cgroups.create(&container, Some(&limits)).unwrap();
        assert_eq!(read("attica/one/c1/cpu.weight"), "79");
        assert_eq!(read("attica/one/c1/memory.max"), (64 << 20).to_string());
        let burst = Place::parse("burst").unwrap();
        let limits_of_burst = Limits { cpu_quota_us: Some(150_000), memory_request_bytes: Some(32 << 20), ..limits };
        cgroups.create(&burst, Some(&limits_of_burst)).unwrap();
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
            cgroups.resize(&container, &resized).unwrap();
            assert_eq!(read("attica/one/c1/memory.max"), (memory_bytes << 20).to_string(), "it is only raised");
        }
        assert_eq!(read("attica/one/c1/cpu.weight"), "10000");
        cgroups.create(&container, Some(&limits)).unwrap();
        let part = container.part(&ContainerId::new("p").unwrap());
        cgroups.create(&part, None).unwrap();
        assert!(matches!(cgroups.create(&part, Some(&limits)), Err(IsolationError::LimitsOfPart)));
        std::fs::create_dir(mount.path().join("attica/one/c1/somebody-elses")).unwrap();
        assert_eq!(cgroups.containers(), [container.clone(), part]);
        assert_eq!(cgroups.memory_verdict(&container), MemoryVerdict::WithinLimit);
        std::fs::write(mount.path().join("attica/one/c1/memory.events"), "max 7\noom 1\noom_kill 1\n").unwrap();
        std::fs::write(mount.path().join("attica/one/c1/memory.peak"), "67108864\n").unwrap();
        let verdict = MemoryVerdict::OutOfMemory { limit_bytes: 64 << 20, peak_bytes: 64 << 20 };
        assert_eq!(cgroups.memory_verdict(&container), verdict);
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
