//! What a container may have of the machine beyond cpu time, memory and processes.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::sys::stat::{major, minor};
use serde::{Deserialize, Serialize};

/// What is controlled of a container besides its `Limits`; its default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Controls {
    /// Weight against others where they wait for the same disk, from 1 to 1,000.
    pub io_weight: Option<u16>,
    /// To how many processors it is bound: those to which the fewest others are.
    pub processors: Option<u32>,
    /// The devices that it may use; `None` is all.
    pub devices: Option<Vec<DeviceRule>>,
    /// How many bytes of huge pages it may have, by the kernel's name of their size, as `2MB`; of other sizes none. `None` is any.
    pub huge_pages: Option<BTreeMap<String, u64>>,
}

/// A part of the machine that not every machine's cgroups control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Controller {
    /// Who comes first at a disk.
    Io,
    /// Which processors are used.
    Processors,
    /// Which devices are used.
    Devices,
    /// How many huge pages.
    HugePages,
}

impl Controller {
    /// All of them.
    pub const ALL: [Controller; 4] =
        [Controller::Io, Controller::Processors, Controller::Devices, Controller::HugePages];

    /// The name that the kernel has for it in its unified tree, and Mesos in what follows `cgroups/` where that differs.
    pub fn as_str(self) -> &'static str {
        match self {
            Controller::Io => "io",
            Controller::Processors => "cpuset",
            Controller::Devices => "devices",
            Controller::HugePages => "hugetlb",
        }
    }
}

impl Controls {
    /// What is needed for them.
    pub fn needed(&self) -> impl Iterator<Item = Controller> {
        let Controls { io_weight, processors, devices, huge_pages } = self;
        let needed = [io_weight.is_some(), processors.is_some(), devices.is_some(), huge_pages.is_some()];
        Controller::ALL.into_iter().zip(needed).filter_map(|(controller, needed)| needed.then_some(controller))
    }
}

/// What a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// Of characters.
    Character,
    /// Of blocks.
    Block,
}

/// What may be done with some devices. Displays as the kernel reads it: `c 1:3 rwm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRule {
    /// What they are.
    pub kind: DeviceKind,
    /// Their major number; `None` is any.
    pub major: Option<u32>,
    /// Their minor number; `None` is any.
    pub minor: Option<u32>,
    /// Whether they may be read.
    pub read: bool,
    /// Whether they may be written to.
    pub write: bool,
    /// Whether files may be made that stand for them.
    pub make: bool,
}

impl fmt::Display for DeviceRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: Option<u32>| number.map_or_else(|| "*".to_owned(), |number| number.to_string());
        let kind = match self.kind {
            DeviceKind::Character => 'c',
            DeviceKind::Block => 'b',
        };
        write!(formatter, "{kind} {}:{} ", number(self.major), number(self.minor))?;
        let access = [(self.read, "r"), (self.write, "w"), (self.make, "m")];
        access.into_iter().filter(|(may, _)| *may).try_for_each(|(_, letter)| formatter.write_str(letter))
    }
}

impl DeviceRule {
    /// About the device that the file at `path` stands for.
    pub fn of_file(path: &Path, read: bool, write: bool, make: bool) -> io::Result<DeviceRule> {
        let metadata = std::fs::metadata(path)?;
        let kind = match metadata.file_type() {
            kind if kind.is_char_device() => DeviceKind::Character,
            kind if kind.is_block_device() => DeviceKind::Block,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no device")),
        };
        let number = |number: u64| u32::try_from(number).map_err(io::Error::other);
        let (major, minor) = (number(major(metadata.rdev()))?, number(minor(metadata.rdev()))?);
        Ok(DeviceRule { kind, major: Some(major), minor: Some(minor), read, write, make })
    }

    /// What every container may use: as in Mesos the terminals, the usual devices that hold nothing, and those of tunnels; and files may
    /// be made of all, though not used.
    pub fn usual() -> Vec<DeviceRule> {
        let all = |kind, major, minor| DeviceRule { kind, major, minor, read: true, write: true, make: true };
        let make_only = |kind| DeviceRule { read: false, write: false, ..all(kind, None, None) };
        let numbers = [
            (5, Some(1)),
            (4, Some(0)),
            (4, Some(1)),
            (136, None),
            (5, Some(2)),
            (10, Some(200)),
            (1, Some(3)),
            (1, Some(5)),
            (1, Some(7)),
            (5, Some(0)),
            (1, Some(9)),
            (1, Some(8)),
        ];
        let usual = numbers.map(|(major, minor)| all(DeviceKind::Character, Some(major), minor));
        [make_only(DeviceKind::Character), make_only(DeviceKind::Block)].into_iter().chain(usual).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_written_as_the_kernel_reads_them() {
        let written: Vec<String> = DeviceRule::usual().iter().map(ToString::to_string).collect();
        assert_eq!((written[0].as_str(), written[1].as_str()), ("c *:* m", "b *:* m"));
        assert!(["c 136:* rwm", "c 1:3 rwm"].iter().all(|rule| written.iter().any(|one| one == rule)), "{written:?}");
        let null = DeviceRule::of_file(Path::new("/dev/null"), true, false, false).unwrap();
        assert_eq!(null.to_string(), "c 1:3 r");
        assert!(DeviceRule::of_file(Path::new("/dev"), true, true, true).is_err());
    }

    #[test]
    fn what_is_not_asked_for_needs_nothing() {
        assert_eq!(Controls::default().needed().count(), 0);
        let controls = Controls { processors: Some(1), huge_pages: Some(BTreeMap::new()), ..Controls::default() };
        assert_eq!(controls.needed().collect::<Vec<_>>(), [Controller::Processors, Controller::HugePages]);
    }
}
