//! What a task sees and may do of the machine: by its `ContainerInfo`, and by the isolators that are on.

use attica_core_api::v1::{CapabilityInfo, ContainerInfo, IpcMode, LinuxCapability, LinuxInfo, SeccompInfo};

use super::accept::Refusal;
use crate::isolators::{Isolator, Isolators, SeccompSettings, bits, is_file_name};
use crate::launcher::protocol::{Capabilities, Ipc, Namespaces, Privileges, SeccompProfile, Surroundings};

/// What `/dev/shm` holds of a task that does not say, as with container engines.
const SHM_BYTES: u64 = 64 << 20;

/// `None` when that is everything.
pub(super) fn surroundings(
    isolators: &Isolators,
    container: Option<&ContainerInfo>,
) -> Result<Option<Box<Surroundings>>, Refusal> {
    let none = LinuxInfo::default();
    let linux = container.and_then(|container| container.linux_info.as_ref()).unwrap_or(&none);
    let LinuxInfo {
        capability_info,
        bounding_capabilities,
        effective_capabilities,
        share_pid_namespace,
        seccomp,
        ipc_mode,
        shm_size,
        // Is about what an executor runs in its own container: a task that is started here has cgroups of its own.
        share_cgroups: _,
    } = linux;
    if capability_info.is_some() && effective_capabilities.is_some() {
        return Err(Refusal::LinuxInfo("it has both `capability_info` and `effective_capabilities`"));
    }
    let effective = effective_capabilities.as_ref().or(capability_info.as_ref());
    let namespaces = Namespaces {
        pid: !share_pid_namespace.unwrap_or(!isolators.has(Isolator::PidNamespace)),
        ipc: ipc(isolators, *ipc_mode, *shm_size)?,
        hostname: container.and_then(|container| container.hostname.clone()),
    };
    let privileges = Privileges {
        capabilities: capabilities(isolators, effective, bounding_capabilities.as_ref())?,
        no_new_privileges: isolators.has(Isolator::NoNewPrivileges),
        seccomp: profile(isolators, seccomp.as_ref())?,
    };
    let all = Surroundings { namespaces, privileges, ..Surroundings::default() };
    Ok((all != Surroundings::default()).then(|| Box::new(all)))
}

/// Of a container's surroundings, those of what joins it: the rest it has by that.
pub(super) fn of_part(surroundings: Box<Surroundings>) -> Box<Surroundings> {
    let Surroundings { root: _, mounts: _, namespaces: _, network: _, privileges, working_directory, user } =
        *surroundings;
    Box::new(Surroundings { privileges, working_directory, user, ..Surroundings::default() })
}

fn ipc(isolators: &Isolators, mode: Option<IpcMode>, shm_mb: Option<u32>) -> Result<Option<Ipc>, Refusal> {
    let private = match mode {
        Some(IpcMode::Private) => true,
        Some(IpcMode::ShareParent) => false,
        Some(IpcMode::Unknown) | None => isolators.has(Isolator::IpcNamespace),
    };
    match (private, shm_mb) {
        (false, Some(_)) => Err(Refusal::LinuxInfo("`shm_size` is of a container with the `ipc_mode` PRIVATE only")),
        (false, None) => Ok(None),
        (true, size) => Ok(Some(Ipc { shm_bytes: size.map_or(SHM_BYTES, |size| u64::from(size) << 20) })),
    }
}

/// As in Mesos, each of the two sets is the other where only one is given.
fn capabilities(
    isolators: &Isolators,
    effective: Option<&CapabilityInfo>,
    bounding: Option<&CapabilityInfo>,
) -> Result<Option<Capabilities>, Refusal> {
    let unknown = |info: &&CapabilityInfo| info.capabilities.contains(&LinuxCapability::Unknown);
    if effective.iter().chain(&bounding).any(unknown) {
        return Err(Refusal::LinuxInfo("it has a capability that is not known here"));
    }
    let effective = effective.map(bits).or(isolators.effective);
    let bounding = bounding.map(bits).or(isolators.bounding);
    let (Some(effective), Some(bounding)) = (effective.or(bounding), bounding.or(effective)) else {
        return Ok(None);
    };
    if effective & !bounding != 0 {
        return Err(Refusal::LinuxInfo("it has effective capabilities that are not bounding ones"));
    }
    if isolators.bounding.is_some_and(|allowed| bounding & !allowed != 0) {
        return Err(Refusal::LinuxInfo("it has capabilities that this agent does not grant"));
    }
    Ok(Some(Capabilities { effective, bounding }))
}

fn profile(isolators: &Isolators, seccomp: Option<&SeccompInfo>) -> Result<Option<SeccompProfile>, Refusal> {
    let usual = || match &isolators.seccomp {
        SeccompSettings { directory: Some(directory), usual: Some(name), .. } => {
            SeccompProfile::File(directory.join(name))
        }
        SeccompSettings { .. } => SeccompProfile::Usual,
    };
    let Some(SeccompInfo { profile_name, unconfined }) = seccomp else {
        return Ok(isolators.has(Isolator::Seccomp).then(usual));
    };
    match (profile_name, *unconfined == Some(true), &isolators.seccomp.directory) {
        (Some(_), true, _) => Err(Refusal::LinuxInfo("its `seccomp` is `unconfined`, and names a profile")),
        (None, true, _) => Ok(None),
        (None, false, _) => Ok(Some(usual())),
        (Some(_), false, None) => {
            Err(Refusal::LinuxInfo("it names a profile of system calls, and this agent has no --seccomp-config-dir"))
        }
        (Some(name), false, Some(_)) if !is_file_name(name) => {
            Err(Refusal::LinuxInfo("the name of its profile of system calls cannot be a file's"))
        }
        (Some(name), false, Some(directory)) => Ok(Some(SeccompProfile::File(directory.join(name)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(isolation: &str, linux: LinuxInfo) -> Result<Surroundings, String> {
        let container = ContainerInfo { linux_info: Some(linux), ..ContainerInfo::default() };
        let made = surroundings(&isolation.parse().unwrap(), Some(&container));
        made.map(|made| made.map(|made| *made).unwrap_or_default()).map_err(|refusal| refusal.to_string())
    }

    fn capable(capabilities: &[LinuxCapability]) -> Option<CapabilityInfo> {
        Some(CapabilityInfo { capabilities: capabilities.to_vec() })
    }

    #[test]
    fn a_task_gets_what_it_asks_for_and_what_is_on() {
        let linux = LinuxInfo::default;
        assert_eq!(of("", linux()), Ok(Surroundings::default()));
        assert!(of("namespaces/pid", linux()).unwrap().namespaces.pid);
        assert!(of("", LinuxInfo { share_pid_namespace: Some(false), ..linux() }).unwrap().namespaces.pid);
        let shared = LinuxInfo { share_pid_namespace: Some(true), ..linux() };
        assert!(!of("namespaces/pid", shared).unwrap().namespaces.pid);
        let private = LinuxInfo { ipc_mode: Some(IpcMode::Private), shm_size: Some(3), ..linux() };
        assert_eq!(of("", private).unwrap().namespaces.ipc, Some(Ipc { shm_bytes: 3 << 20 }));
        let shared = LinuxInfo { ipc_mode: Some(IpcMode::ShareParent), ..linux() };
        assert_eq!(of("namespaces/ipc", shared).unwrap().namespaces.ipc, None);
        assert!(of("", LinuxInfo { shm_size: Some(3), ..linux() }).unwrap_err().contains("shm_size"));
        assert_eq!(of("linux/seccomp", linux()).unwrap().privileges.seccomp, Some(SeccompProfile::Usual));
        let unconfined = SeccompInfo { unconfined: Some(true), ..SeccompInfo::default() };
        let unconfined = LinuxInfo { seccomp: Some(unconfined), ..linux() };
        assert_eq!(of("linux/seccomp", unconfined).unwrap().privileges.seccomp, None);
        let named = SeccompInfo { profile_name: Some("own".to_owned()), ..SeccompInfo::default() };
        let named = LinuxInfo { seccomp: Some(named), ..linux() };
        assert!(of("", named.clone()).unwrap_err().contains("--seccomp-config-dir"));
        let settings = SeccompSettings {
            directory: Some("/etc/profiles".into()),
            usual: Some("usual.json".to_owned()),
            names: Vec::new(),
        };
        let isolators = "linux/seccomp".parse::<Isolators>().unwrap().with_seccomp(settings).unwrap();
        let profile = |linux: Option<LinuxInfo>| {
            let container = ContainerInfo { linux_info: linux, ..ContainerInfo::default() };
            surroundings(&isolators, Some(&container)).map(|made| made.unwrap().privileges.seccomp.unwrap())
        };
        assert_eq!(profile(Some(named)).unwrap(), SeccompProfile::File("/etc/profiles/own".into()));
        assert_eq!(profile(None).unwrap(), SeccompProfile::File("/etc/profiles/usual.json".into()));
        let escaping = SeccompInfo { profile_name: Some("../shadow".to_owned()), ..SeccompInfo::default() };
        let escaping = profile(Some(LinuxInfo { seccomp: Some(escaping), ..linux() }));
        assert!(escaping.unwrap_err().to_string().contains("cannot be a file's"));
        let both = SeccompInfo { profile_name: Some("own".to_owned()), unconfined: Some(true) };
        assert!(profile(Some(LinuxInfo { seccomp: Some(both), ..linux() })).is_err());
        assert!(of("linux/nnp", linux()).unwrap().privileges.no_new_privileges);
    }

    #[test]
    fn effective_capabilities_are_bounding_ones_and_what_the_agent_grants() {
        let kill = 1 << 5;
        let given = LinuxInfo { effective_capabilities: capable(&[LinuxCapability::Kill]), ..LinuxInfo::default() };
        let both = Some(Capabilities { effective: kill, bounding: kill });
        assert_eq!(of("", given.clone()).unwrap().privileges.capabilities, both);
        let old = LinuxInfo { capability_info: capable(&[LinuxCapability::Kill]), ..LinuxInfo::default() };
        assert_eq!(of("", old.clone()).unwrap().privileges.capabilities, both);
        let twice = LinuxInfo { capability_info: old.capability_info, ..given.clone() };
        assert!(of("", twice).unwrap_err().contains("both"));
        let outside = LinuxInfo { bounding_capabilities: capable(&[LinuxCapability::Chown]), ..given };
        assert!(of("", outside).unwrap_err().contains("not bounding"));
        let unknown = LinuxInfo { bounding_capabilities: capable(&[LinuxCapability::Unknown]), ..LinuxInfo::default() };
        assert!(of("", unknown).unwrap_err().contains("not known"));
        let isolators: Isolators = "linux/capabilities".parse().unwrap();
        let isolators = isolators.with_capabilities(None, capable(&[LinuxCapability::Kill]).as_ref()).unwrap();
        let of_agent = surroundings(&isolators, None).unwrap().unwrap();
        assert_eq!(of_agent.privileges.capabilities, both);
        let more = LinuxInfo { bounding_capabilities: capable(&[LinuxCapability::Chown]), ..LinuxInfo::default() };
        let more = ContainerInfo { linux_info: Some(more), ..ContainerInfo::default() };
        assert!(surroundings(&isolators, Some(&more)).unwrap_err().to_string().contains("does not grant"));
    }
}
