//! Volumes in containers.

use super::{Image, Parameters, Secret};
use crate::message::{enumeration, message};

enumeration! {
    /// How mounts spread between host and container.
    pub enum MountPropagationMode {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// From the host into the container.
        HostToContainer "HOST_TO_CONTAINER" = 1,
        /// Both ways.
        Bidirectional "BIDIRECTIONAL" = 2,
    }
    /// Whether a volume can be written to.
    pub enum VolumeMode {
        /// Read and write.
        ReadWrite "RW" = 1,
        /// Read only.
        ReadOnly "RO" = 2,
    }
    /// Where a volume comes from.
    pub enum VolumeSourceType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// A Docker volume driver.
        DockerVolume "DOCKER_VOLUME" = 1,
        /// A path on the host.
        HostPath "HOST_PATH" = 4,
        /// A path in a sandbox.
        SandboxPath "SANDBOX_PATH" = 2,
        /// A secret.
        Secret "SECRET" = 3,
        /// A volume of the container storage interface; its parameters are not part of these types.
        CsiVolume "CSI_VOLUME" = 5,
    }
    /// Whose sandbox.
    pub enum SandboxPathType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// The container's own.
        Itself "SELF" = 1,
        /// That of the parent container.
        Parent "PARENT" = 2,
    }
}

message! {
    /// How mounts spread between host and container.
    pub struct MountPropagation {
        mode: optional MountPropagationMode = 1,
    }
    /// A volume of a Docker volume driver.
    pub struct DockerVolume {
        driver: optional String = 1,
        name: required String = 2,
        driver_options: optional Parameters = 3,
    }
    /// A path on the host.
    pub struct HostPathVolume {
        path: required String = 1,
        mount_propagation: optional MountPropagation = 2,
    }
    /// A path in a sandbox.
    pub struct SandboxPathVolume {
        r#type: optional SandboxPathType = 1,
        path: required String = 2,
    }
    /// Where a volume comes from.
    pub struct VolumeSource {
        r#type: optional VolumeSourceType = 1,
        docker_volume: optional DockerVolume = 2,
        host_path: optional HostPathVolume = 5,
        sandbox_path: optional SandboxPathVolume = 3,
        secret: optional Secret = 4,
    }
    /// Something mounted into a container.
    pub struct Volume {
        mode: required VolumeMode = 3,
        container_path: required String = 1,
        host_path: optional String = 2,
        image: optional Image = 4,
        source: optional VolumeSource = 5,
    }
}
