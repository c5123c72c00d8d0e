//! `--allowed-devices`: what tasks may use of the machine's devices beyond the usual ones.

use std::path::PathBuf;

use serde::Deserialize;

use crate::launcher::controls::DeviceRule;

/// In Mesos's JSON: `{"allowed_devices": [{"device": {"path": "/dev/fuse"}, "access": {"read": true, "write": true}}]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct AllowedDevices {
    allowed_devices: Vec<AllowedDevice>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct AllowedDevice {
    device: Device,
    access: Access,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Device {
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

/// A device that tasks cannot be allowed to use.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// Nothing was said of what may be done with it.
    #[error("nothing may be done with the device {0}: its `access` says neither `read`, nor `write`, nor `mknod`")]
    NoAccess(PathBuf),
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
        let rule =
            |AllowedDevice { device: Device { path }, access: Access { read, write, mknod } }: &AllowedDevice| {
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
