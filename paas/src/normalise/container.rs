use attica_paas_api::Number;
use attica_paas_api::app::Network;
use attica_paas_api::container::{
    Artifact as ReadArtifact, Container as ReadContainer, ContainerKind as ReadKind, DiskType, DockerContainer,
    DockerCredential, IpcInfo, IpcMode, Limit as ReadLimit, LinuxInfo, Parameter, PersistentVolume as ReadPersistent,
    PortMapping as ReadMapping, ResourceLimits, Seccomp as ReadSeccomp, Volume as ReadVolume, VolumeMode,
};

use super::secret;
use crate::model::{
    Access, Artifact, Container, ContainerKind, DiskKind, Image, Ipc, Limit, Limits, Linux, Networks, PathRule,
    PersistentVolume, PortDefinition, Pull, RunSpec, Seccomp, Volume, VolumeSource,
};

/// What an instance runs in, as clients read it.
pub(super) fn container(container: &Container, spec: &RunSpec) -> ReadContainer {
    ReadContainer {
        kind: Some(match container.kind {
            ContainerKind::Mesos => ReadKind::Mesos,
            ContainerKind::Docker => ReadKind::Docker,
        }),
        docker: container.image.as_ref().map(image),
        port_mappings: (!spec.networks.is_host()).then(|| spec.ports.iter().filter_map(mapping).collect()),
        volumes: container.volumes.iter().map(volume).collect(),
        linux_info: container.linux.as_ref().map(linux),
    }
}

fn image(image: &Image) -> DockerContainer {
    let parameter = |(key, value): &(String, String)| Parameter { key: key.clone(), value: value.clone() };
    DockerContainer {
        image: image.name.clone(),
        force_pull_image: image.pull == Pull::Always,
        privileged: image.privileged,
        parameters: image.parameters.iter().map(parameter).collect(),
        credential: image
            .credential
            .as_ref()
            .map(|account| DockerCredential { principal: account.principal.clone(), secret: account.secret.clone() }),
        pull_config: image.pull_secret.as_deref().map(secret::reference),
        ..DockerContainer::default()
    }
}

fn mapping(port: &PortDefinition) -> Option<ReadMapping> {
    let mapping = port.mapping.as_ref()?;
    Some(ReadMapping {
        container_port: i64::from(mapping.container),
        host_port: mapping.host.map(i64::from),
        service_port: i64::from(port.port),
        protocol: port.protocol.as_str().to_owned(),
        name: port.name.clone(),
        labels: port.labels.clone(),
        network_names: mapping.networks.clone(),
    })
}

fn volume(volume: &Volume) -> ReadVolume {
    let container_path = volume.container_path.clone();
    let mode = Some(match volume.access {
        Access::ReadOnly => VolumeMode::ReadOnly,
        Access::ReadWrite => VolumeMode::ReadWrite,
    });
    match &volume.source {
        VolumeSource::Host(path) => {
            ReadVolume { container_path, host_path: Some(path.clone()), mode, ..ReadVolume::default() }
        }
        VolumeSource::Persistent(volume) => {
            ReadVolume { container_path, persistent: Some(persistent(volume)), mode, ..ReadVolume::default() }
        }
        VolumeSource::Secret(secret) => {
            ReadVolume { container_path, secret: Some(secret.clone()), ..ReadVolume::default() }
        }
    }
}

/// A persistent volume, as clients read it.
pub(super) fn persistent(volume: &PersistentVolume) -> ReadPersistent {
    let constraint = |rule: &PathRule| {
        let (operator, pattern) = match rule {
            PathRule::Like(pattern) => ("LIKE", pattern),
            PathRule::Unlike(pattern) => ("UNLIKE", pattern),
        };
        vec!["path".to_owned(), operator.to_owned(), pattern.clone()]
    };
    ReadPersistent {
        kind: Some(match volume.disk {
            DiskKind::Root => DiskType::Root,
            DiskKind::Path => DiskType::Path,
            DiskKind::Mount => DiskType::Mount,
        }),
        size: i64::from(volume.size_mb),
        max_size: volume.size_max_mb.map(i64::from),
        profile_name: volume.profile.clone(),
        constraints: volume.paths.iter().map(constraint).collect(),
    }
}

pub(super) fn linux(linux: &Linux) -> LinuxInfo {
    LinuxInfo {
        seccomp: linux.seccomp.as_ref().map(|seccomp| match seccomp {
            Seccomp::Unconfined => ReadSeccomp { profile_name: None, unconfined: true },
            Seccomp::Profile(name) => ReadSeccomp { profile_name: Some(name.clone()), unconfined: false },
        }),
        ipc_info: linux.ipc.map(|ipc| match ipc {
            Ipc::Private { shm_mb } => IpcInfo { mode: IpcMode::Private, shm_size: shm_mb.map(i64::from) },
            Ipc::ShareParent => IpcInfo { mode: IpcMode::ShareParent, shm_size: None },
        }),
    }
}

/// The networks of an instance, as clients read them.
pub(super) fn networks(networks: &Networks) -> Vec<Network> {
    match networks {
        Networks::Host => vec![Network::host()],
        Networks::Bridge { labels } => {
            vec![Network { mode: "container/bridge".to_owned(), name: None, labels: labels.clone() }]
        }
        Networks::Container(networks) => networks
            .iter()
            .map(|network| Network {
                mode: "container".to_owned(),
                name: Some(network.name.clone()),
                labels: network.labels.clone(),
            })
            .collect(),
    }
}

/// A file that is fetched, as clients read it.
pub(super) fn artifact(artifact: &Artifact) -> ReadArtifact {
    ReadArtifact {
        uri: artifact.uri.clone(),
        extract: artifact.extract,
        executable: artifact.executable,
        cache: artifact.cache,
        dest_path: artifact.name.clone(),
    }
}

/// Bounds of resources, as clients read them; none when there are none.
pub(super) fn limits(limits: Limits) -> Option<ResourceLimits> {
    let limit = |limit: Limit| match limit {
        Limit::Unlimited => ReadLimit::Unlimited,
        Limit::Amount(amount) => ReadLimit::Amount(Number(amount.to_f64())),
    };
    (!limits.is_empty()).then(|| ResourceLimits { cpus: limits.cpus.map(limit), mem: limits.mem.map(limit) })
}
