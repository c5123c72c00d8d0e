//! Tasks that take more than they were given of what the kernel does not limit: they are looked at from time to time.

use std::collections::BTreeSet;
use std::path::PathBuf;

use attica_core_api::Now;
use attica_core_api::v1::{
    Range, Ranges, Resource, Scalar, TaskResourceLimitation, TaskState, TaskStatusReason, TaskStatusSource, ValueType,
};
use serde::{Deserialize, Serialize};

use super::task::{News, Phase, Task};
use super::{Effect, Executor, Owner, Supervisor};
use crate::checkpoint::KillCause;
use crate::image;
use crate::launcher::protocol::{ContainerId, Process};
use crate::volumes;

const BYTES_PER_MEGABYTE: u64 = 1 << 20;

/// What a task has taken that is not its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Excess {
    /// Its sandbox, and what it has written into its root, is more than its `disk`.
    Disk { used_bytes: u64, limit_bytes: u64 },
    /// One of its persistent volumes holds more than its size.
    Volume { used_bytes: u64, limit_bytes: u64 },
    /// It listens at a port that is not among its `ports`.
    Port(u16),
}

/// A task, or an executor with its tasks, to be looked at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Suspect {
    pub(crate) container: ContainerId,
    pub(crate) process: Process,
    pub(crate) sandbox: PathBuf,
    /// Where what it writes into the root of its image is; without one, nothing is there.
    pub(crate) root: PathBuf,
    /// Its persistent volumes, with what they may hold, in bytes.
    pub(crate) volumes: Vec<(PathBuf, u64)>,
    /// What its sandbox and its root may hold; `None` when it has nothing said of that.
    pub(crate) disk_bytes: Option<u64>,
    pub(crate) ports: BTreeSet<u16>,
}

impl Supervisor {
    /// Every executor of a framework's own that runs, with its tasks, and every task that runs without one.
    pub(crate) fn suspects(&self) -> Vec<Suspect> {
        let runs = |task: &&Task| task.phase == Phase::Running && task.kill.is_none() && task.executor.is_none();
        let tasks = self.tasks.values().filter(runs).filter_map(|task| self.suspect(task));
        let executors = self.executors.values().filter(|executor| executor.end.is_none());
        tasks.chain(executors.filter_map(|executor| self.suspected_executor(executor))).collect()
    }

    fn suspected_executor(&self, executor: &Executor) -> Option<Suspect> {
        let (work_dir, resources) = (&self.config.work_dir, self.resources_of(executor));
        Some(Suspect {
            container: executor.container.clone(),
            process: executor.process?,
            sandbox: executor.sandbox(work_dir),
            root: image::writable(work_dir, &executor.container),
            volumes: volumes::sizes(work_dir, &resources).unwrap_or_default(),
            disk_bytes: disk_bytes(&resources),
            ports: ports(&resources),
        })
    }

    fn suspect(&self, task: &Task) -> Option<Suspect> {
        // The tasks of a group share what they have, as in Mesos.
        let run = task.run();
        let group = task.group.as_ref().map(|_| self.tasks.values().filter(|other| other.run() == run));
        let ports = group.into_iter().flatten().chain([task]).flat_map(|task| ports(&task.info.resources)).collect();
        Some(Suspect {
            container: task.container.clone(),
            process: task.process?,
            sandbox: task.sandbox(&self.config.work_dir),
            root: image::writable(&self.config.work_dir, &task.container),
            // A name that is wrong was refused when they were made.
            volumes: volumes::sizes(&self.config.work_dir, &task.info.resources).unwrap_or_default(),
            disk_bytes: disk_bytes(&task.info.resources),
            ports,
        })
    }

    /// A task, or an executor, has taken more than it was given: as in Mesos it ends at once.
    pub(super) fn exceeded(&mut self, now: Now, container: &ContainerId, excess: Excess, out: &mut Vec<Effect>) {
        if let Some(Owner::Executor(key)) = self.by_container.get(container).cloned() {
            self.executor_exceeded(&key, excess, out);
        } else if let Some(key) = self.key_of(container) {
            self.kill(now, &key, KillCause::Exceeded(excess), 0, out);
        }
    }
}

/// Of the sandbox: volumes have a size of their own.
pub(crate) fn disk_bytes(resources: &[Resource]) -> Option<u64> {
    let own = |resource: &&Resource| {
        let elsewhere = |disk: &attica_core_api::v1::DiskInfo| disk.persistence.is_some() || disk.source.is_some();
        resource.name == "disk" && !resource.disk.as_deref().is_some_and(elsewhere)
    };
    let megabytes: Vec<f64> =
        resources.iter().filter(own).filter_map(|resource| Some(resource.scalar.as_ref()?.value)).collect();
    (!megabytes.is_empty()).then(|| (megabytes.iter().sum::<f64>() * BYTES_PER_MEGABYTE as f64) as u64)
}

fn ports(resources: &[Resource]) -> BTreeSet<u16> {
    let number = |port: u64| u16::try_from(port).ok();
    let of_ports = resources.iter().filter(|resource| resource.name == "ports");
    let ranges = of_ports.filter_map(|resource| resource.ranges.as_ref()).flat_map(|ranges| &ranges.range);
    ranges.flat_map(|range| (range.begin..=range.end.min(u64::from(u16::MAX))).filter_map(number)).collect()
}

/// How a task ends that was killed for it.
pub(super) fn verdict(excess: Excess) -> News {
    let (reason, message) = reason(excess);
    News { state: TaskState::Failed, source: TaskStatusSource::Agent, reason: Some(reason), message: Some(message) }
}

/// Why, for frameworks and for people.
pub(super) fn reason(excess: Excess) -> (TaskStatusReason, String) {
    let megabytes = |bytes: u64| format!("{}MB", bytes / BYTES_PER_MEGABYTE);
    match excess {
        Excess::Disk { used_bytes, limit_bytes } => (
            TaskStatusReason::ContainerLimitationDisk,
            format!("Disk usage ({}) exceeds quota ({})", megabytes(used_bytes), megabytes(limit_bytes)),
        ),
        Excess::Volume { used_bytes, limit_bytes } => (
            TaskStatusReason::ContainerLimitationDisk,
            format!(
                "Disk usage ({}) of a persistent volume exceeds its size ({})",
                megabytes(used_bytes),
                megabytes(limit_bytes)
            ),
        ),
        Excess::Port(port) => (
            TaskStatusReason::ContainerLimitation,
            format!("Container is listening on unallocated port(s): [{port}-{port}]"),
        ),
    }
}

/// What of its resources was the limit.
pub(super) fn limitation(excess: Excess) -> TaskResourceLimitation {
    let resource = match excess {
        Excess::Disk { limit_bytes, .. } | Excess::Volume { limit_bytes, .. } => Resource {
            name: "disk".to_owned(),
            r#type: ValueType::Scalar,
            scalar: Some(Scalar { value: limit_bytes as f64 / BYTES_PER_MEGABYTE as f64 }),
            ..Resource::default()
        },
        Excess::Port(port) => Resource {
            name: "ports".to_owned(),
            r#type: ValueType::Ranges,
            ranges: Some(Ranges { range: vec![Range { begin: u64::from(port), end: u64::from(port) }] }),
            ..Resource::default()
        },
    };
    TaskResourceLimitation { resources: vec![resource] }
}
