//! What an instance runs in.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use attica_paas_api::container::{
    Container as Written, ContainerKind as WrittenKind, DockerContainer, IpAddressRequest, IpcInfo, IpcMode, LinuxInfo,
    PortMapping as WrittenMapping, Seccomp as WrittenSeccomp, Volume as WrittenVolume, VolumeMode,
};

use super::networks::Deprecated;
use super::{Faults, ROOT, limits, persistent, ports, text};
use crate::model::{
    Access, Container, ContainerKind, Image, Ipc, Linux, PortDefinition, Pull, RegistryAccount, Seccomp, Volume,
    VolumeSource, default_mappings,
};

/// A container, and its ports.
#[derive(Default)]
pub(super) struct Read {
    pub(super) container: Option<Container>,
    pub(super) mappings: Option<Vec<PortDefinition>>,
}

/// How the networks were written before there was a field for them.
pub(super) fn deprecated_networks<'a>(
    container: Option<&'a Written>,
    ip_address: Option<&'a IpAddressRequest>,
) -> Deprecated<'a> {
    let docker = container.and_then(|container| container.docker.as_ref()?.network.as_deref());
    Deprecated { docker, ip_address }
}

pub(super) fn read(
    written: Option<Written>,
    ip_address: Option<IpAddressRequest>,
    tty: Option<bool>,
    faults: &mut Faults,
) -> Read {
    // Whoever asks for an address asks for a container.
    let Some(mut written) = written.or_else(|| ip_address.as_ref().map(|_| Written::default())) else {
        return Read::default();
    };
    let kind = match (written.kind, &written.docker) {
        (Some(WrittenKind::Docker), _) | (None, Some(_)) => ContainerKind::Docker,
        (Some(WrittenKind::Mesos), _) | (None, None) => ContainerKind::Mesos,
    };
    if kind == ContainerKind::Docker && tty == Some(true) {
        faults.add("/tty", "only a container of type MESOS can have a terminal");
    }
    let mappings = mappings(&mut written, kind, ip_address, faults);
    let image = match (kind, written.docker) {
        (_, Some(docker)) => image(kind, docker, faults),
        (ContainerKind::Docker, None) => {
            faults.add("/container/docker", "a container of type DOCKER needs an image");
            None
        }
        (ContainerKind::Mesos, None) => None,
    };
    let linux = written.linux_info.and_then(|linux| self::linux(kind, linux, faults));
    let rooted = image.is_some() || kind == ContainerKind::Docker;
    let container = Container { kind, image, volumes: volumes(written.volumes, rooted, faults), linux };
    Read { container: Some(container), mappings }
}

/// The ports that are mapped. A container that says nothing about them has one.
fn mappings(
    written: &mut Written,
    kind: ContainerKind,
    ip_address: Option<IpAddressRequest>,
    faults: &mut Faults,
) -> Option<Vec<PortDefinition>> {
    let mut mappings = written.port_mappings.take();
    if let Some(older) = written.docker.as_mut().and_then(|docker| docker.port_mappings.take()) {
        match &mappings {
            Some(mappings) if !mappings.is_empty() && !older.is_empty() => {
                faults.add(ROOT, "cannot specify both portMappings and docker.portMappings");
            }
            Some(mappings) if !mappings.is_empty() => {}
            Some(_) | None => mappings = Some(older),
        }
    }
    let discovered = ip_address.and_then(|address| address.discovery).map(|discovery| discovery.ports);
    if let Some(discovered) = discovered.filter(|ports| !ports.is_empty()) {
        if kind == ContainerKind::Docker {
            faults.add(ROOT, "ipAddress.discovery.ports do not apply for container type DOCKER");
        }
        if mappings.as_ref().is_some_and(|mappings| !mappings.is_empty()) {
            faults.add(ROOT, "container.portMappings and ipAddress.discovery.ports must not both be set");
        }
        mappings = Some(
            discovered
                .into_iter()
                .map(|port| WrittenMapping {
                    container_port: port.number,
                    host_port: None,
                    service_port: 0,
                    protocol: port.protocol,
                    name: Some(port.name),
                    labels: port.labels,
                    network_names: Vec::new(),
                })
                .collect(),
        );
    }
    Some(mappings.map_or_else(default_mappings, |mappings| ports::mappings(mappings, faults)))
}

fn image(kind: ContainerKind, docker: DockerContainer, faults: &mut Faults) -> Option<Image> {
    check_image_name("/container/docker/image", &docker.image, faults);
    if docker.parameters.len() > limits::ENTRIES_MAX {
        let error = format!("must not have more than {} items", limits::ENTRIES_MAX);
        faults.add("/container/docker/parameters", error);
    }
    for (index, parameter) in docker.parameters.iter().enumerate() {
        let path = format!("/container/docker/parameters({index})");
        text::check(&path, &parameter.key, limits::NAME_LENGTH_MAX, faults);
        text::check(&path, &parameter.value, limits::VALUE_LENGTH_MAX, faults);
    }
    if kind == ContainerKind::Docker && docker.pull_config.is_some() {
        faults.add("/container/docker/pullConfig", "pullConfig is not supported with Docker containerizer");
    } else if docker.pull_config.is_some() && docker.credential.is_some() {
        faults.add("/container/docker/credential", "must not be given together with a pullConfig");
    }
    match kind {
        ContainerKind::Docker if docker.credential.is_some() => {
            faults.add("/container/docker/credential", "only a container of type MESOS has a credential");
        }
        ContainerKind::Docker => {}
        ContainerKind::Mesos => {
            if !docker.parameters.is_empty() {
                faults.add("/container/docker/parameters", "only a container of type DOCKER has parameters");
            }
            if docker.privileged {
                faults.add("/container/docker/privileged", "only a container of type DOCKER can be privileged");
            }
        }
    }
    Some(Image {
        name: docker.image,
        pull: if docker.force_pull_image { Pull::Always } else { Pull::Missing },
        privileged: docker.privileged,
        parameters: docker.parameters.into_iter().map(|parameter| (parameter.key, parameter.value)).collect(),
        credential: docker
            .credential
            .map(|account| RegistryAccount { principal: account.principal, secret: account.secret }),
        pull_secret: docker.pull_config.map(|config| config.secret),
    })
}

pub(super) fn check_image_name(path: &str, name: &str, faults: &mut Faults) {
    text::check(path, name, limits::PATH_LENGTH_MAX, faults);
    if name.is_empty() {
        faults.add(path, "must not be empty");
    } else if name.contains(char::is_whitespace) {
        faults.add(path, "must not contain spaces");
    }
}

/// Where a container sees a volume: beneath its sandbox or, where it is `rooted` in an image, beneath the image's root.
pub(super) fn check_place(path: &str, place: &str, rooted: bool, faults: &mut Faults) {
    text::check(path, place, limits::PATH_LENGTH_MAX, faults);
    let place = Path::new(place);
    let beneath = place.strip_prefix("/").unwrap_or(place);
    if place.as_os_str().is_empty() {
        faults.add(path, "must not be empty");
    } else if beneath.as_os_str().is_empty() || !beneath.components().all(|part| matches!(part, Component::Normal(_))) {
        faults.add(path, "must lead to a place beneath the root or the sandbox, without '.' and '..'");
    } else if place.is_absolute() && !rooted {
        faults.add(path, "must be relative: without an image the container has no root of its own");
    }
}

/// What is mounted where something else is would hide it.
pub(super) fn check_distinct<'a>(path: &str, places: impl Iterator<Item = &'a str>, faults: &mut Faults) {
    let mut seen = BTreeSet::new();
    for place in places {
        if !place.is_empty() && !seen.insert(Path::new(place).components().collect::<PathBuf>()) {
            faults.add(path, format!("must not have two volumes at '{place}'"));
        }
    }
}

fn volumes(written: Vec<WrittenVolume>, rooted: bool, faults: &mut Faults) -> Vec<Volume> {
    if written.len() > limits::VOLUMES_MAX {
        faults.add("/container/volumes", format!("must not have more than {} items", limits::VOLUMES_MAX));
    }
    check_distinct("/container/volumes", written.iter().map(|volume| volume.container_path.as_str()), faults);
    let volumes = written.into_iter().enumerate();
    let volume = |(index, written)| volume(&format!("/container/volumes({index})"), written, rooted, faults);
    volumes.filter_map(volume).collect()
}

fn volume(path: &str, written: WrittenVolume, rooted: bool, faults: &mut Faults) -> Option<Volume> {
    let later = [("external", "external volumes are not supported yet", written.external.is_some())];
    let mut refused = false;
    for (field, error, _) in later.into_iter().filter(|(_, _, asked)| *asked) {
        faults.add(format!("{path}/{field}"), error);
        refused = true;
    }
    if refused {
        return None;
    }
    if let Some(persistent) = written.persistent {
        persistent::check_name(&format!("{path}/containerPath"), &written.container_path, faults);
        if written.mode == Some(VolumeMode::ReadOnly) {
            faults.add(format!("{path}/mode"), "got RO, expected RW");
        }
        if written.host_path.is_some() {
            faults.add(format!("{path}/hostPath"), "a persistent volume is not a path of the machine");
        }
        if written.secret.is_some() {
            faults.add(format!("{path}/secret"), "a persistent volume holds no secret");
        }
        let persistent = persistent::volume(&format!("{path}/persistent"), persistent, faults)?;
        let source = VolumeSource::Persistent(persistent);
        return Some(Volume { container_path: written.container_path, source, access: Access::ReadWrite });
    }
    check_place(&format!("{path}/containerPath"), &written.container_path, rooted, faults);
    if let Some(secret) = written.secret {
        if written.host_path.is_some() || written.mode == Some(VolumeMode::ReadWrite) {
            faults.add(path, "a volume with a secret has no hostPath, and can only be read");
        }
        let source = VolumeSource::Secret(secret);
        return Some(Volume { container_path: written.container_path, source, access: Access::ReadOnly });
    }
    let Some(host_path) = written.host_path.filter(|path| !path.is_empty()) else {
        faults.add(format!("{path}/hostPath"), "must not be empty");
        return None;
    };
    text::check(&format!("{path}/hostPath"), &host_path, limits::PATH_LENGTH_MAX, faults);
    let access = match written.mode {
        Some(VolumeMode::ReadOnly) => Access::ReadOnly,
        Some(VolumeMode::ReadWrite) => Access::ReadWrite,
        None => {
            faults.add(format!("{path}/mode"), "must be one of RO, RW");
            return None;
        }
    };
    Some(Volume { container_path: written.container_path, source: VolumeSource::Host(host_path), access })
}

fn linux(kind: ContainerKind, written: LinuxInfo, faults: &mut Faults) -> Option<Linux> {
    let path = "/container/linuxInfo";
    if kind == ContainerKind::Docker {
        faults.add(path, "only a container of type MESOS has linuxInfo");
        return None;
    }
    own_linux(path, written, faults)
}

/// What Linux grants and denies a container that the agent makes itself.
pub(super) fn own_linux(path: &str, written: LinuxInfo, faults: &mut Faults) -> Option<Linux> {
    let seccomp = match written.seccomp {
        None => None,
        Some(WrittenSeccomp { profile_name: None, unconfined: true }) => Some(Seccomp::Unconfined),
        Some(WrittenSeccomp { profile_name: Some(name), unconfined: false }) if !name.is_empty() => {
            text::check(&format!("{path}/seccomp/profileName"), &name, limits::NAME_LENGTH_MAX, faults);
            Some(Seccomp::Profile(name))
        }
        Some(_) => {
            faults.add(format!("{path}/seccomp"), "needs either a profileName, or unconfined");
            None
        }
    };
    let ipc = match written.ipc_info {
        None => None,
        Some(IpcInfo { mode: IpcMode::Private, shm_size: None }) => Some(Ipc::Private { shm_mb: None }),
        Some(IpcInfo { mode: IpcMode::Private, shm_size: Some(size) }) => match u32::try_from(size) {
            Ok(size) if size > 0 => Some(Ipc::Private { shm_mb: Some(size) }),
            Ok(_) | Err(_) => {
                faults
                    .add(format!("{path}/ipcInfo/shmSize"), format!("got {size}, expected between 1 and {}", u32::MAX));
                None
            }
        },
        Some(IpcInfo { mode: IpcMode::ShareParent, shm_size: None }) => Some(Ipc::ShareParent),
        Some(IpcInfo { mode: IpcMode::ShareParent, shm_size: Some(_) }) => {
            faults.add(format!("{path}/ipcInfo/shmSize"), "only with mode PRIVATE there is a size to choose");
            None
        }
    };
    Some(Linux { seccomp, ipc })
}
