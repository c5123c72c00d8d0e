//! `--isolation`: what tasks get that do not ask for it, under the names of Mesos's isolators.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::str::FromStr;

use attica_core_api::v1::{CapabilityInfo, LinuxCapability};

use crate::launcher::controls::Controller;

/// What can be switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Isolator {
    /// Process ids of its own, unless a task shares those of the machine by name.
    PidNamespace,
    /// Shared memory of its own, unless a task shares that of the machine by name.
    IpcNamespace,
    /// The agent's own sets of capabilities for tasks that name none.
    Capabilities,
    /// No program gives a task more than it has.
    NoNewPrivileges,
    /// System calls are filtered, unless a task is unconfined by name.
    Seccomp,
    /// What sandboxes hold is measured.
    Disk,
    /// The file system counts what sandboxes hold.
    DiskProjects,
    /// At which ports tasks listen is looked at.
    Ports,
    /// Who has more cpus comes first at a disk.
    Io,
    /// Tasks are bound to as many processors as they have cpus.
    Processors,
    /// Tasks use the usual devices, and those that the agent allows.
    Devices,
    /// Tasks use the huge pages that they have.
    HugePages,
    /// Of these four those that the machine can do.
    AllControllers,
}

impl Isolator {
    /// Those that need a controller that not every machine has.
    const CONTROLLERS: [(Isolator, &str, Controller); 4] = [
        (Isolator::Io, "cgroups/blkio", Controller::Io),
        (Isolator::Processors, "cgroups/cpuset", Controller::Processors),
        (Isolator::Devices, "cgroups/devices", Controller::Devices),
        (Isolator::HugePages, "cgroups/hugetlb", Controller::HugePages),
    ];
}

/// The names. Of some there is nothing to be switched: it is always done.
const NAMES: [(&str, Option<Isolator>); 26] = [
    ("cgroups/all", Some(Isolator::AllControllers)),
    ("cgroups/blkio", Some(Isolator::Io)),
    ("cgroups/cpu", None),
    ("cgroups/cpuset", Some(Isolator::Processors)),
    ("cgroups/devices", Some(Isolator::Devices)),
    ("cgroups/hugetlb", Some(Isolator::HugePages)),
    ("cgroups/mem", None),
    ("cgroups/pids", None),
    ("disk/du", Some(Isolator::Disk)),
    ("disk/xfs", Some(Isolator::DiskProjects)),
    ("filesystem/linux", None),
    ("filesystem/posix", None),
    ("linux/capabilities", Some(Isolator::Capabilities)),
    ("linux/nnp", Some(Isolator::NoNewPrivileges)),
    ("linux/seccomp", Some(Isolator::Seccomp)),
    ("namespaces/ipc", Some(Isolator::IpcNamespace)),
    ("namespaces/pid", Some(Isolator::PidNamespace)),
    ("network/ports", Some(Isolator::Ports)),
    ("posix/cpu", None),
    ("posix/disk", Some(Isolator::Disk)),
    ("posix/mem", None),
    ("posix/rlimits", None),
    ("docker/runtime", None),
    ("volume/host_path", None),
    ("volume/image", None),
    ("volume/sandbox_path", None),
];

/// Mesos's that measure or make what this agent does not.
const NOT_OURS: [&str; 6] =
    ["appc/runtime", "cgroups/net_cls", "cgroups/perf_event", "docker/volume", "network/cni", "network/port_mapping"];

/// Those that are on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Isolators {
    on: BTreeSet<Isolator>,
    /// As sets of the bits of their numbers.
    pub(crate) effective: Option<u64>,
    pub(crate) bounding: Option<u64>,
    pub(crate) seccomp: SeccompSettings,
}

/// Which profiles of system calls there are besides the built-in one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SeccompSettings {
    pub(crate) directory: Option<PathBuf>,
    /// Takes the place of the built-in one.
    pub(crate) usual: Option<String>,
    /// Those that the directory had when the agent started.
    pub(crate) names: Vec<String>,
}

/// Whether it names a file of a directory, and none elsewhere.
pub(crate) fn is_file_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0'])
}

/// What cannot be switched on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IsolatorsError {
    #[error("there is no isolator `{0}`")]
    Unknown(String),
    #[error("Mesos's isolator `{0}` is none of this agent's")]
    NotOurs(&'static str),
    #[error("the isolator of `{0}` needs root")]
    NeedsRoot(&'static str),
    #[error("the isolator of `{0}` needs a controller of cgroups that this machine lacks")]
    Lacking(&'static str),
    #[error("of `disk/du` and `disk/xfs` one measures what sandboxes hold, not both")]
    TwoOfDisk,
    #[error("--seccomp-profile-name has to name a file of the directory --seccomp-config-dir")]
    ProfileName,
    #[error("--effective-capabilities contains some that --bounding-capabilities does not")]
    OutOfBounds,
}

impl FromStr for Isolators {
    type Err = IsolatorsError;

    fn from_str(text: &str) -> Result<Isolators, IsolatorsError> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let known = |name: &str| {
            let found = NAMES.iter().find(|(known, _)| *known == name);
            let not_ours = || NOT_OURS.iter().find(|known| **known == name).map(|known| IsolatorsError::NotOurs(known));
            found
                .map(|(_, isolator)| *isolator)
                .ok_or_else(|| not_ours().unwrap_or_else(|| IsolatorsError::Unknown(name.to_owned())))
        };
        let on = names.map(known).collect::<Result<Vec<_>, _>>()?;
        let isolators = Isolators { on: on.into_iter().flatten().collect(), ..Isolators::default() };
        match isolators.has(Isolator::Disk) && isolators.has(Isolator::DiskProjects) {
            true => Err(IsolatorsError::TwoOfDisk),
            false => Ok(isolators),
        }
    }
}

impl Isolators {
    pub(crate) fn has(&self, isolator: Isolator) -> bool {
        self.on.contains(&isolator)
    }

    /// With the capabilities that tasks have, if the isolator of these is on.
    pub(crate) fn with_capabilities(
        self,
        effective: Option<&CapabilityInfo>,
        bounding: Option<&CapabilityInfo>,
    ) -> Result<Isolators, IsolatorsError> {
        if !self.has(Isolator::Capabilities) {
            return Ok(self);
        }
        let (effective, bounding) = (effective.map(bits), bounding.map(bits));
        match (effective, bounding) {
            (Some(effective), Some(bounding)) if effective & !bounding != 0 => Err(IsolatorsError::OutOfBounds),
            (Some(_) | None, Some(_) | None) => Ok(Isolators { effective, bounding, ..self }),
        }
    }

    /// With profiles of system calls of the agent's own.
    pub(crate) fn with_seccomp(self, seccomp: SeccompSettings) -> Result<Isolators, IsolatorsError> {
        match &seccomp.usual {
            Some(name) if !is_file_name(name) || seccomp.directory.is_none() => Err(IsolatorsError::ProfileName),
            Some(_) | None => Ok(Isolators { seccomp, ..self }),
        }
    }

    /// On a machine that has these: what needs another one cannot be done.
    pub(crate) fn on_machine(mut self, controllers: &BTreeSet<Controller>) -> Result<Isolators, IsolatorsError> {
        for (isolator, name, controller) in Isolator::CONTROLLERS {
            match controllers.contains(&controller) {
                true if self.has(Isolator::AllControllers) => drop(self.on.insert(isolator)),
                false if self.has(isolator) => return Err(IsolatorsError::Lacking(name)),
                true | false => {}
            }
        }
        Ok(self)
    }

    /// Whether an agent that is not root can do it.
    pub(crate) fn check_without_root(&self) -> Result<(), IsolatorsError> {
        let needs_root = |isolator: &Isolator| match isolator {
            Isolator::PidNamespace => Some("namespaces/pid"),
            Isolator::IpcNamespace => Some("namespaces/ipc"),
            Isolator::Capabilities => Some("linux/capabilities"),
            Isolator::Seccomp => Some("linux/seccomp"),
            Isolator::DiskProjects => Some("disk/xfs"),
            Isolator::NoNewPrivileges | Isolator::Disk | Isolator::Ports => None,
            // See [`Isolators::on_machine`].
            Isolator::Io
            | Isolator::Processors
            | Isolator::Devices
            | Isolator::HugePages
            | Isolator::AllControllers => None,
        };
        self.on.iter().find_map(needs_root).map_or(Ok(()), |name| Err(IsolatorsError::NeedsRoot(name)))
    }
}

/// The set of the kernel's numbers of these capabilities.
pub(crate) fn bits(info: &CapabilityInfo) -> u64 {
    let bit = |capability: &LinuxCapability| {
        // Mesos counts from a thousand, so that 0 can mean that nothing was said.
        let number = u32::try_from(capability.number() - 1_000).ok();
        number.and_then(|number| 1_u64.checked_shl(number)).unwrap_or(0)
    };
    info.capabilities.iter().map(bit).fold(0, |all, bit| all | bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn isolators_have_mesoss_names() {
        let parsed: Isolators = "cgroups/cpu, namespaces/pid,linux/nnp,,disk/du".parse().unwrap();
        let on = [Isolator::PidNamespace, Isolator::NoNewPrivileges, Isolator::Disk];
        assert_eq!(parsed.on, BTreeSet::from(on));
        assert!(parsed.check_without_root().is_err());
        assert!("linux/nnp,network/ports".parse::<Isolators>().unwrap().check_without_root().is_ok());
        assert!(matches!("disk/du,disk/xfs".parse::<Isolators>(), Err(IsolatorsError::TwoOfDisk)));
        assert!(
            matches!("cgroups/cpus".parse::<Isolators>(), Err(IsolatorsError::Unknown(name)) if name == "cgroups/cpus")
        );
        assert!(matches!("cgroups/net_cls".parse::<Isolators>(), Err(IsolatorsError::NotOurs("cgroups/net_cls"))));
        assert_eq!("".parse::<Isolators>().unwrap(), Isolators::default());
    }

    #[test]
    fn what_the_machine_lacks_cannot_be_switched_on() {
        let on = |names: &str, has: &[Controller]| {
            names.parse::<Isolators>().unwrap().on_machine(&has.iter().copied().collect()).map(|found| found.on)
        };
        let all = on("cgroups/all", &[Controller::Io, Controller::Devices]).unwrap();
        assert_eq!(all, BTreeSet::from([Isolator::Io, Isolator::Devices, Isolator::AllControllers]));
        assert!(on("cgroups/cpuset,cgroups/blkio", &[Controller::Io, Controller::Processors]).is_ok());
        let refused = on("cgroups/hugetlb", &[Controller::Io]);
        assert!(matches!(refused, Err(IsolatorsError::Lacking("cgroups/hugetlb"))));
    }

    #[test]
    fn capabilities_are_the_bits_of_the_kernels_numbers() {
        let info = |capabilities: &[LinuxCapability]| CapabilityInfo { capabilities: capabilities.to_vec() };
        let (kill, net) = (info(&[LinuxCapability::Kill]), info(&[LinuxCapability::Kill, LinuxCapability::NetRaw]));
        assert_eq!(bits(&net), 1 << 5 | 1 << 13);
        assert_eq!(bits(&info(&[LinuxCapability::Unknown])), 0);
        let isolators = || "linux/capabilities".parse::<Isolators>().unwrap();
        assert!(isolators().with_capabilities(Some(&net), Some(&kill)).is_err());
        let set = isolators().with_capabilities(Some(&kill), Some(&net)).unwrap();
        assert_eq!((set.effective, set.bounding), (Some(1 << 5), Some(1 << 5 | 1 << 13)));
        assert_eq!(Isolators::default().with_capabilities(Some(&kill), None).unwrap().effective, None, "it is off");
    }
}
