//! cgroups v1: one directory per controller and container. Also serves the hybrid layout, whose v2 tree has no
//! controllers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cgroups_rs::cpu::CpuController;
use cgroups_rs::hierarchies::V1;
use cgroups_rs::memory::MemController;
use cgroups_rs::pid::PidController;
use cgroups_rs::{Controllers, MaxValue};
use nix::sys::signal::Signal;

use super::{
    Entry, Isolation, IsolationError, Removal, Subject, Usage, cgroup_tree, containers_in, make_directory, pids_in,
    read_key, read_number, remove_cgroup, send_signal,
};
use crate::launcher::protocol::{ContainerId, IsolationKind, Limits, MemoryVerdict};

/// Times the freezer is asked whether it is done, a tenth of a millisecond apart, before the kill goes on without.
const FREEZE_ATTEMPTS: u32 = 20;
/// Rounds of a kill before the container is frozen: only one that forks all the time has to be, and it stops the machine for a moment.
const ROUNDS_UNFROZEN: u32 = 2;

/// The directories that hold the containers' cgroups, one per controller.
#[derive(Debug)]
pub(crate) struct CgroupsV1 {
    cpu: PathBuf,
    memory: PathBuf,
    pids: PathBuf,
    /// Holds a container still while it is killed.
    freezer: PathBuf,
    /// Counts cpu time, where it is not mounted together with `cpu`.
    accounting: Option<PathBuf>,
}

impl CgroupsV1 {
    /// Makes the parent directories; `None` when a controller that is needed is not mounted.
    pub(crate) fn prepare(parent: &Path) -> Result<Option<CgroupsV1>, IsolationError> {
        let mounts = V1::new();
        let place = |controller| mounts.get_mount_point(controller).map(|mount| mount.join(parent));
        let (Some(cpu), Some(memory), Some(pids), Some(freezer)) =
            (place(Controllers::Cpu), place(Controllers::Mem), place(Controllers::Pids), place(Controllers::Freezer))
        else {
            return Ok(None);
        };
        let accounting = place(Controllers::CpuAcct).filter(|path| *path != cpu);
        let cgroups = CgroupsV1 { cpu, memory, pids, freezer, accounting };
        for path in cgroups.parents() {
            std::fs::create_dir_all(path).map_err(IsolationError::file("make", path))?;
        }
        Ok(Some(cgroups))
    }

    /// The one that gives the processor last: a process that has only a small part of it begins sooner if it moves there late.
    fn parents(&self) -> impl Iterator<Item = &PathBuf> {
        let others = [&self.memory, &self.pids, &self.freezer].into_iter().chain(self.accounting.as_ref());
        others.chain(std::iter::once(&self.cpu))
    }

    fn freeze(&self, freezer: &Path) -> bool {
        let state = freezer.join("freezer.state");
        if std::fs::write(&state, "FROZEN").is_err() {
            return false;
        }
        (0..FREEZE_ATTEMPTS).any(|_| {
            let frozen = std::fs::read_to_string(&state).is_ok_and(|state| state.trim() == "FROZEN");
            if !frozen {
                std::thread::sleep(Duration::from_micros(100));
            }
            frozen
        })
    }
}

/// In a frozen cgroup SIGKILL waits; a task that runs as root may have frozen itself.
fn thaw(freezer: &Path) {
    for cgroup in cgroup_tree(freezer) {
        if let Err(error) = std::fs::write(cgroup.join("freezer.state"), "THAWED")
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(cgroup = %cgroup.display(), %error, "a cgroup cannot be thawed");
        }
    }
}

impl Isolation for CgroupsV1 {
    fn kind(&self) -> IsolationKind {
        IsolationKind::CgroupsV1
    }

    fn create(&self, container: &ContainerId, limits: &Limits) -> Result<(), IsolationError> {
        for parent in self.parents() {
            make_directory(&parent.join(container.as_str()))?;
        }
        let directory = |parent: &Path| parent.join(container.as_str());
        CpuController::new(directory(&self.cpu), false)
            .set_shares(limits.cpu_shares)
            .map_err(IsolationError::controller("cpu"))?;
        let memory_bytes = i64::try_from(limits.memory_bytes).unwrap_or(i64::MAX);
        MemController::new(directory(&self.memory), false)
            .set_limit(memory_bytes)
            .map_err(IsolationError::controller("memory"))?;
        let pids = MaxValue::Value(i64::try_from(limits.pids).unwrap_or(i64::MAX));
        PidController::new(directory(&self.pids), false).set_pid_max(pids).map_err(IsolationError::controller("pids"))
    }

    fn resize(&self, container: &ContainerId, limits: &Limits) -> Result<(), IsolationError> {
        CpuController::new(self.cpu.join(container.as_str()), false)
            .set_shares(limits.cpu_shares)
            .map_err(IsolationError::controller("cpu"))?;
        let memory = self.memory.join(container.as_str());
        if read_number(&memory.join("memory.limit_in_bytes")).is_some_and(|now| now >= limits.memory_bytes) {
            return Ok(());
        }
        let memory_bytes = i64::try_from(limits.memory_bytes).unwrap_or(i64::MAX);
        MemController::new(memory, false).set_limit(memory_bytes).map_err(IsolationError::controller("memory"))
    }

    fn entry(&self, container: &ContainerId, _limits: &Limits) -> Entry {
        // By `tasks` a thread moves itself without the lock over all forks and exits of the machine, which `cgroup.procs` waits
        // some ten milliseconds for.
        let membership = self.parents().map(|parent| parent.join(container.as_str()).join("tasks")).collect();
        Entry { membership, limits: Vec::new() }
    }

    /// Of all controllers: a process that runs as root may have left some of its cgroups.
    fn processes(&self, subject: Subject<'_>) -> Vec<i32> {
        let mut pids: Vec<i32> =
            self.parents().flat_map(|parent| pids_in(&parent.join(subject.container.as_str()))).collect();
        pids.sort_unstable();
        pids.dedup();
        pids
    }

    fn kill(&self, subject: Subject<'_>) {
        let freezer = self.freezer.join(subject.container.as_str());
        let mut killed = Vec::new();
        for _ in 0..ROUNDS_UNFROZEN {
            // What was killed forks no more.
            let found = self.processes(subject);
            let survivors: Vec<i32> = found.iter().filter(|pid| !killed.contains(*pid)).copied().collect();
            if survivors.is_empty() {
                return thaw(&freezer);
            }
            send_signal(&survivors, Signal::SIGKILL);
            killed = found;
        }
        self.freeze(&freezer);
        send_signal(&self.processes(subject), Signal::SIGKILL);
        thaw(&freezer);
    }

    fn remove(&self, subject: Subject<'_>) -> Result<Removal, IsolationError> {
        for parent in self.parents() {
            if remove_cgroup(&parent.join(subject.container.as_str()))? == Removal::Occupied {
                return Ok(Removal::Occupied);
            }
        }
        Ok(Removal::Removed)
    }

    fn memory_verdict(&self, container: &ContainerId) -> MemoryVerdict {
        let directory = self.memory.join(container.as_str());
        // Counted where the process was, if that was in a cgroup of the task's own.
        let killed =
            |cgroup: PathBuf| read_key(&cgroup.join("memory.oom_control"), "oom_kill").is_some_and(|count| count > 0);
        match cgroup_tree(&directory).into_iter().any(killed) {
            false => MemoryVerdict::WithinLimit,
            true => MemoryVerdict::OutOfMemory {
                limit_bytes: read_number(&directory.join("memory.limit_in_bytes")).unwrap_or(0),
                peak_bytes: read_number(&directory.join("memory.max_usage_in_bytes")).unwrap_or(0),
            },
        }
    }

    fn usage(&self, container: &ContainerId) -> Usage {
        let accounting = self.accounting.as_ref().unwrap_or(&self.cpu).join(container.as_str());
        let nanoseconds = |file| read_number(&accounting.join(file)).map(|value: u64| value / 1_000);
        Usage {
            cpu_user_us: nanoseconds("cpuacct.usage_user"),
            cpu_system_us: nanoseconds("cpuacct.usage_sys"),
            memory_bytes: read_key(&self.memory.join(container.as_str()).join("memory.stat"), "total_rss"),
            pids: read_number(&self.pids.join(container.as_str()).join("pids.current")),
        }
    }

    fn containers(&self) -> Vec<ContainerId> {
        let mut found: Vec<ContainerId> = self.parents().flat_map(|parent| containers_in(parent)).collect();
        found.sort();
        found.dedup();
        found
    }

    fn close(&self) {
        for instance in self.parents() {
            // Fails while another container or agent uses it, which is then the one to remove it.
            let _in_use =
                std::fs::remove_dir(instance).and_then(|()| instance.parent().map_or(Ok(()), std::fs::remove_dir));
        }
    }
}
