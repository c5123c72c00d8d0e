//! What can be found out about this machine.

use std::path::Path;

use attica_core_api::Role;
use attica_core_api::resources::{InvalidResource, TextError, from_wire, parse};
use attica_core_api::v1::{Range, Ranges, Resource, Scalar, ValueType};

use crate::devices::{DeviceError, Devices};

const BYTES_PER_MEGABYTE: u64 = 1 << 20;
/// Left to the system, in megabytes; of less than the double, a half is.
const MEMORY_RESERVE: u64 = 1_024;
/// As above, of disk.
const DISK_RESERVE: u64 = 5 * 1_024;
/// When nothing can be found out, as in Mesos.
const MEMORY_FALLBACK: u64 = 1_024;
const DISK_FALLBACK: u64 = 10 * 1_024;
const PORTS: (u64, u64) = (31_000, 32_000);

/// What the machine has, in megabytes where not cpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) cpus: u64,
    pub(crate) memory_total: Option<u64>,
    pub(crate) disk_total: Option<u64>,
}

/// Resources that cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum ResourcesError {
    /// The text is malformed.
    #[error("--resources cannot be read")]
    Text(#[from] TextError),
    /// A resource is not valid.
    #[error("--resources names an impossible resource")]
    Invalid(#[from] InvalidResource),
}

impl Machine {
    /// Looks at the machine; `work_dir` tells which disk.
    pub(crate) fn detect(work_dir: &Path) -> Machine {
        let cpus = std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u64);
        let disk_total = nix::sys::statvfs::statvfs(work_dir)
            .ok()
            .map(|disk| disk.blocks().saturating_mul(disk.fragment_size()) / BYTES_PER_MEGABYTE);
        Machine { cpus, memory_total: memory("MemTotal:").map(|bytes| bytes / BYTES_PER_MEGABYTE), disk_total }
    }
}

/// A line of `/proc/meminfo`, in bytes.
pub(crate) fn memory(key: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1_024)
}

/// How many processes wanted to run over the last 1, 5 and 15 minutes; empty when that cannot be told.
pub(crate) fn load() -> Vec<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_ascii_whitespace().take(3).filter_map(|word| word.parse().ok()).collect()
}

/// Names this boot of the machine.
pub(crate) fn boot_id() -> std::io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// The resources of `text`, completed by what the machine has.
pub(crate) fn resources(text: &str, machine: Machine) -> Result<Vec<Resource>, ResourcesError> {
    let mut resources = if text.trim().is_empty() { Vec::new() } else { parse(text, &Role::any())? };
    from_wire(&resources)?;
    let detected = [
        scalar("cpus", machine.cpus),
        scalar("mem", machine.memory_total.map_or(MEMORY_FALLBACK, |total| without_reserve(total, MEMORY_RESERVE))),
        scalar("disk", machine.disk_total.map_or(DISK_FALLBACK, |total| without_reserve(total, DISK_RESERVE))),
        ports(),
    ];
    for resource in detected {
        if resources.iter().all(|given| given.name != resource.name) {
            resources.push(resource);
        }
    }
    Ok(resources)
}

/// With a resource for each kind of devices, which `resources` may name as well.
pub(crate) fn with_devices(mut resources: Vec<Resource>, devices: &Devices) -> Result<Vec<Resource>, DeviceError> {
    for (name, countable) in &devices.countable {
        let found = countable.instances.len();
        let given: Vec<f64> = resources
            .iter()
            .filter(|resource| resource.name == *name)
            .filter_map(|resource| Some(resource.scalar.as_ref()?.value))
            .collect();
        match given.iter().sum::<f64>() {
            _ if given.is_empty() => resources.push(scalar(name, found as u64)),
            given if given == found as f64 => {}
            given => return Err(DeviceError::Count { name: name.clone(), given, found }),
        }
    }
    Ok(resources)
}

fn without_reserve(total: u64, reserve: u64) -> u64 {
    if total < 2 * reserve { total / 2 } else { total - reserve }
}

fn scalar(name: &str, value: u64) -> Resource {
    Resource {
        name: name.to_owned(),
        r#type: ValueType::Scalar,
        scalar: Some(Scalar { value: value as f64 }),
        ..Resource::default()
    }
}

fn ports() -> Resource {
    let range = vec![Range { begin: PORTS.0, end: PORTS.1 }];
    Resource {
        name: "ports".to_owned(),
        r#type: ValueType::Ranges,
        ranges: Some(Ranges { range }),
        ..Resource::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str, machine: Machine) -> Vec<(String, f64)> {
        let resources = resources(text, machine).unwrap();
        resources.iter().filter_map(|resource| Some((resource.name.clone(), resource.scalar.as_ref()?.value))).collect()
    }

    #[test]
    fn what_is_not_given_is_detected_as_mesos_does() {
        let large = Machine { cpus: 8, memory_total: Some(24_000), disk_total: Some(100_000) };
        assert_eq!(
            values("", large),
            [("cpus".to_owned(), 8.0), ("mem".to_owned(), 22_976.0), ("disk".to_owned(), 94_880.0)]
        );
        let small = Machine { cpus: 1, memory_total: Some(1_500), disk_total: Some(9_000) };
        assert_eq!(
            values("", small),
            [("cpus".to_owned(), 1.0), ("mem".to_owned(), 750.0), ("disk".to_owned(), 4_500.0)]
        );
        let unknown = Machine { cpus: 2, memory_total: None, disk_total: None };
        assert_eq!(
            values("cpus:0.5;disk:7", unknown),
            [("cpus".to_owned(), 0.5), ("disk".to_owned(), 7.0), ("mem".to_owned(), 1_024.0)]
        );
        assert!(
            resources("ports:[1-2]", unknown).unwrap().iter().filter(|resource| resource.name == "ports").count() == 1
        );
        assert!(matches!(resources("cpus", unknown), Err(ResourcesError::Text(_))));
    }
}
