//! Devices of the machine: those that every task may use (`--allowed-devices`), and those that one task has at a time (`--devices`,
//! `--nvidia-gpu-devices`), which are a resource.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;

use crate::launcher::controls::DeviceRule;

/// The resource that Nvidia's devices are, as in Mesos.
pub(crate) const GPUS: &str = "gpus";
/// What whoever has one of Nvidia's devices needs besides, where it is there.
const NVIDIA_SHARED: [&str; 3] = ["/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"];

/// In Mesos's JSON: `{"allowed_devices": [{"device": {"path": "/dev/fuse"}, "access": {"read": true, "write": true}}]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct AllowedDevices {
    allowed_devices: Vec<AllowedDevice>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct AllowedDevice {
    device: Named,
    access: Access,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Named {
    path: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Access {
    read: bool,
    write: bool,
    mknod: bool,
}

/// Devices that are a resource of this name: `lamps=/dev/lamp0,/dev/lamp1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceSet {
    name: String,
    paths: Vec<PathBuf>,
}

impl FromStr for DeviceSet {
    type Err = String;

    fn from_str(text: &str) -> Result<DeviceSet, String> {
        let (name, paths) = text.split_once('=').ok_or("expected NAME=/dev/one,/dev/other")?;
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if name.is_empty() || !name.bytes().all(legal) || ["cpus", "mem", "disk", "ports"].contains(&name) {
            return Err(format!("`{name}` cannot be the name of devices"));
        }
        let paths: Vec<PathBuf> = paths.split(',').map(PathBuf::from).collect();
        match paths.iter().find(|path| !path.is_absolute()) {
            Some(path) => Err(format!("`{}` is no absolute path", path.display())),
            None => Ok(DeviceSet { name: name.to_owned(), paths }),
        }
    }
}

/// A device that has a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) path: PathBuf,
    pub(crate) rule: DeviceRule,
}

/// Devices that are a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Countable {
    /// Each is one task's at a time.
    pub(crate) instances: Vec<Device>,
    /// Whoever has one of them has these as well.
    pub(crate) shared: Vec<Device>,
}

/// All that tasks may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Devices {
    /// Every one of them.
    pub(crate) rules: Vec<DeviceRule>,
    /// By the name of the resource.
    pub(crate) countable: BTreeMap<String, Countable>,
}

impl Devices {
    /// Looks at the devices' files.
    pub(crate) fn find(allowed: &AllowedDevices, sets: &[DeviceSet], nvidia: &[u32]) -> Result<Devices, DeviceError> {
        let mut countable = BTreeMap::<String, Countable>::new();
        for DeviceSet { name, paths } in sets {
            let instances = paths.iter().map(|path| device(path)).collect::<Result<Vec<_>, _>>()?;
            countable.entry(name.clone()).or_default().instances.extend(instances);
        }
        if !nvidia.is_empty() {
            let paths = nvidia.iter().map(|number| PathBuf::from(format!("/dev/nvidia{number}")));
            let shared = NVIDIA_SHARED.iter().map(Path::new).filter(|path| path.exists());
            let gpus = countable.entry(GPUS.to_owned()).or_default();
            gpus.instances.extend(paths.map(|path| device(&path)).collect::<Result<Vec<_>, _>>()?);
            gpus.shared = shared.map(device).collect::<Result<_, _>>()?;
        }
        let all: Vec<&Path> = countable.values().flat_map(|it| &it.instances).map(|it| it.path.as_path()).collect();
        if let Some(twice) =
            all.iter().enumerate().find(|(index, path)| all.iter().skip(index + 1).any(|it| it == *path))
        {
            return Err(DeviceError::Twice(twice.1.to_path_buf()));
        }
        Ok(Devices { rules: allowed.rules()?, countable })
    }
}

fn device(path: &Path) -> Result<Device, DeviceError> {
    let unknown = |source| DeviceError::Unknown { path: path.to_owned(), source };
    Ok(Device { path: path.to_owned(), rule: DeviceRule::of_file(path, true, true, true).map_err(unknown)? })
}

/// A device that tasks cannot be allowed to use.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// Nothing was said of what may be done with it.
    #[error("nothing may be done with the device {0}: its `access` says neither `read`, nor `write`, nor `mknod`")]
    NoAccess(PathBuf),
    /// It would be two tasks'.
    #[error("the device {0} is named twice")]
    Twice(PathBuf),
    /// Nothing keeps others from using it.
    #[error("devices are given to one task at a time with the isolator `cgroups/devices` only: --isolation")]
    NotIsolated,
    /// There are more or fewer of them.
    #[error("--resources has {given} `{name}`, and there are {found} devices of that name")]
    Count {
        /// The resource.
        name: String,
        /// How many were told.
        given: f64,
        /// How many are there.
        found: usize,
    },
    /// It is none, or is not there.
    #[error("cannot tell which device {path} is")]
    Unknown {
        /// Its file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
}

impl AllowedDevices {
    /// What tasks may do with devices; looks at their files.
    pub(crate) fn rules(&self) -> Result<Vec<DeviceRule>, DeviceError> {
        let rule = |AllowedDevice { device: Named { path }, access: Access { read, write, mknod } }: &AllowedDevice| {
            if !(*read || *write || *mknod) {
                return Err(DeviceError::NoAccess(path.clone()));
            }
            let unknown = |source| DeviceError::Unknown { path: path.clone(), source };
            DeviceRule::of_file(path, *read, *write, *mknod).map_err(unknown)
        };
        let own = self.allowed_devices.iter().map(rule).collect::<Result<Vec<_>, _>>()?;
        Ok(DeviceRule::usual().into_iter().chain(own).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_counted_once() {
        let set = |text: &str| text.parse::<DeviceSet>();
        let devices = |sets: &[&str]| {
            let sets: Vec<DeviceSet> = sets.iter().map(|text| set(text).unwrap()).collect();
            Devices::find(&AllowedDevices::default(), &sets, &[])
        };
        let found = devices(&["a=/dev/null,/dev/zero", "b=/dev/full"]).unwrap();
        let paths: Vec<&Path> = found.countable["a"].instances.iter().map(|it| it.path.as_path()).collect();
        assert_eq!(paths, [Path::new("/dev/null"), Path::new("/dev/zero")]);
        assert_eq!(found.countable["b"].instances[0].rule.to_string(), "c 1:7 rwm");
        assert!(matches!(devices(&["a=/dev/null", "b=/dev/null"]), Err(DeviceError::Twice(_))));
        assert!(matches!(devices(&["a=/no/such/device"]), Err(DeviceError::Unknown { .. })));
        for wrong in ["a", "=/dev/null", "a b=/dev/null", "cpus=/dev/null", "a=dev/null"] {
            assert!(set(wrong).is_err(), "{wrong}");
        }
    }

    fn rules(json: &str) -> Result<Vec<DeviceRule>, DeviceError> {
        serde_json::from_str::<AllowedDevices>(json).unwrap().rules()
    }

    #[test]
    fn devices_are_allowed_in_mesoss_words() {
        let one = |path: &str, access: &str| {
            format!(r#"{{"allowed_devices": [{{"device": {{"path": "{path}"}}, "access": {{{access}}}}}]}}"#)
        };
        let allowed = rules(&one("/dev/zero", r#""read": true, "write": false"#)).unwrap();
        assert_eq!(allowed.last().unwrap().to_string(), "c 1:5 r");
        assert_eq!(allowed.len(), DeviceRule::usual().len() + 1);
        assert!(matches!(rules(&one("/dev/zero", r#""read": false"#)), Err(DeviceError::NoAccess(_))));
        assert!(matches!(rules(&one("/etc", r#""read": true"#)), Err(DeviceError::Unknown { .. })));
        assert!(serde_json::from_str::<AllowedDevices>("{}").is_err());
    }
}
