//! What a task runs in, as the agent is told.

use std::path::Path;

use attica_core_api::v1::{
    ContainerInfo, ContainerType, Credential, DockerImage, DockerInfo, DockerNetwork, DockerPortMapping, Image,
    ImageType, IpcMode, LinuxInfo, MesosInfo, NetworkInfo, NetworkPortMapping, Parameter, SandboxPathType,
    SandboxPathVolume, SeccompInfo, Secret, TtyInfo, Volume as WireVolume, VolumeMode, VolumeSource as WireSource,
    VolumeSourceType,
};

use super::secrets;
use super::task_info::{labels, protocols};
use crate::model::{
    Access, Container, ContainerKind, ContainerNetwork, GivenPort, Image as ModelImage, Ipc, Linux, Networks,
    PortDefinition, Pull, RunSpec, Seccomp, Volume, VolumeSource,
};

/// The name of the network behind the machine's address, for containers that the agent makes itself.
pub(super) const BRIDGE: &str = "mesos-bridge";

/// A way from the host into a container.
struct Way<'a> {
    definition: &'a PortDefinition,
    host: u16,
    container: u16,
}

/// The container of a task; none when it runs straight on the machine.
pub(super) fn container(run_spec: &RunSpec, ports: &[GivenPort]) -> Option<ContainerInfo> {
    let wants_terminal = run_spec.tty == Some(true);
    let bare = Container { kind: ContainerKind::Mesos, image: None, volumes: Vec::new(), linux: None };
    let container = match &run_spec.container {
        Some(container) => container,
        None if wants_terminal => &bare,
        None => return None,
    };
    let ways = ways(run_spec, ports);
    let mut info = ContainerInfo {
        r#type: ContainerType::Mesos,
        volumes: container.volumes.iter().filter_map(|of| volume(run_spec, of)).collect(),
        linux_info: container.linux.as_ref().map(linux),
        tty_info: wants_terminal.then(TtyInfo::default),
        ..ContainerInfo::default()
    };
    match (container.kind, &container.image) {
        (ContainerKind::Docker, Some(image)) => {
            info.r#type = ContainerType::Docker;
            info.docker = Some(docker(image, &run_spec.networks, &ways));
            info.network_infos = match &run_spec.networks {
                Networks::Host | Networks::Bridge { .. } => Vec::new(),
                Networks::Container(networks) => networks.iter().map(|network| network_info(network, &[])).collect(),
            };
        }
        (ContainerKind::Docker | ContainerKind::Mesos, image) => {
            info.mesos = Some(MesosInfo { image: image.as_ref().map(|image| mesos_image(run_spec, image)) });
            info.network_infos = networks(run_spec, ports);
        }
    }
    Some(info)
}

/// The networks of a container that the agent makes itself, with the ways into it.
pub(super) fn networks(run_spec: &RunSpec, ports: &[GivenPort]) -> Vec<NetworkInfo> {
    let ways = ways(run_spec, ports);
    match &run_spec.networks {
        Networks::Host => Vec::new(),
        Networks::Bridge { labels } => {
            vec![network_info(&ContainerNetwork { name: BRIDGE.to_owned(), labels: labels.clone() }, &ways)]
        }
        Networks::Container(networks) => networks.iter().map(|network| network_info(network, &ways)).collect(),
    }
}

fn ways<'a>(run_spec: &'a RunSpec, ports: &[GivenPort]) -> Vec<Way<'a>> {
    let mapped = run_spec.ports.iter().zip(ports).filter(|(definition, _)| definition.mapping.is_some());
    mapped
        .filter_map(|(definition, port)| Some(Way { definition, host: port.host?, container: port.container }))
        .collect()
}

fn docker(image: &ModelImage, networks: &Networks, ways: &[Way<'_>]) -> DockerInfo {
    let mappings = ways.iter().flat_map(|way| {
        protocols(way.definition.protocol).iter().map(|protocol| DockerPortMapping {
            host_port: u32::from(way.host),
            container_port: u32::from(way.container),
            protocol: Some((*protocol).to_owned()),
        })
    });
    DockerInfo {
        image: image.name.clone(),
        network: match networks {
            Networks::Host => DockerNetwork::Host,
            Networks::Bridge { .. } => DockerNetwork::Bridge,
            Networks::Container(_) => DockerNetwork::User,
        },
        port_mappings: mappings.collect(),
        privileged: image.privileged,
        parameters: image
            .parameters
            .iter()
            .map(|(key, value)| Parameter { key: key.clone(), value: value.clone() })
            .collect(),
        force_pull_image: Some(image.pull == Pull::Always),
        volume_driver: None,
    }
}

fn mesos_image(run_spec: &RunSpec, image: &ModelImage) -> Image {
    let credential = image
        .credential
        .as_ref()
        .map(|account| Credential { principal: account.principal.clone(), secret: account.secret.clone() });
    let config = image.pull_secret.as_ref().and_then(|name| secrets::named(run_spec, name));
    pulled(&image.name, image.pull, credential, config)
}

/// An image for a container that the agent makes itself.
pub(super) fn pulled(name: &str, pull: Pull, credential: Option<Credential>, config: Option<Secret>) -> Image {
    Image {
        r#type: ImageType::Docker,
        appc: None,
        docker: Some(DockerImage { name: name.to_owned(), credential, config }),
        cached: pull == Pull::Missing,
    }
}

/// A network, with the ways that are for it.
fn network_info(network: &ContainerNetwork, ways: &[Way<'_>]) -> NetworkInfo {
    let is_for_it = |way: &&Way<'_>| {
        let names = way.definition.mapping.as_ref().map(|mapping| mapping.networks.as_slice()).unwrap_or_default();
        names.is_empty() || names.contains(&network.name)
    };
    let mappings = ways.iter().filter(is_for_it).flat_map(|way| {
        protocols(way.definition.protocol).iter().map(|protocol| NetworkPortMapping {
            host_port: u32::from(way.host),
            container_port: u32::from(way.container),
            protocol: Some((*protocol).to_owned()),
        })
    });
    NetworkInfo {
        name: Some(network.name.clone()),
        labels: labels(&network.labels),
        port_mappings: mappings.collect(),
        ..NetworkInfo::default()
    }
}

/// None for what comes with the resources of the task, and when it names a secret that the run spec does not have, which the border
/// refuses.
fn volume(run_spec: &RunSpec, volume: &Volume) -> Option<WireVolume> {
    // What does not begin at the machine's root begins in the sandbox.
    let (host_path, source) = match &volume.source {
        VolumeSource::Persistent(_) => return None,
        VolumeSource::Secret(name) => return secrets::volume(run_spec, name, &volume.container_path),
        VolumeSource::Host(path) if Path::new(path).is_absolute() => (Some(path.clone()), None),
        VolumeSource::Host(path) => {
            let path = SandboxPathVolume { r#type: Some(SandboxPathType::Itself), path: path.clone() };
            let r#type = Some(VolumeSourceType::SandboxPath);
            (None, Some(WireSource { r#type, sandbox_path: Some(path), ..WireSource::default() }))
        }
    };
    Some(WireVolume {
        mode: match volume.access {
            Access::ReadOnly => VolumeMode::ReadOnly,
            Access::ReadWrite => VolumeMode::ReadWrite,
        },
        container_path: volume.container_path.clone(),
        host_path,
        source,
        ..WireVolume::default()
    })
}

pub(super) fn linux(linux: &Linux) -> LinuxInfo {
    let seccomp = linux.seccomp.as_ref().map(|seccomp| match seccomp {
        Seccomp::Unconfined => SeccompInfo { profile_name: None, unconfined: Some(true) },
        Seccomp::Profile(name) => SeccompInfo { profile_name: Some(name.clone()), unconfined: None },
    });
    let (ipc_mode, shm_size) = match linux.ipc {
        None => (None, None),
        Some(Ipc::Private { shm_mb }) => (Some(IpcMode::Private), shm_mb),
        Some(Ipc::ShareParent) => (Some(IpcMode::ShareParent), None),
    };
    LinuxInfo { seccomp, ipc_mode, shm_size, ..LinuxInfo::default() }
}
