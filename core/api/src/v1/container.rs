//! Containers: what is asked for, and what runs.

use super::{ContainerId, Image, LinuxInfo, NetworkInfo, Parameter, RLimitInfo, Volume};
use crate::message::{enumeration, message};

enumeration! {
    /// Who makes the container.
    pub enum ContainerType {
        /// The Docker engine.
        Docker "DOCKER" = 1,
        /// The agent itself.
        Mesos "MESOS" = 2,
    }
    /// The network of a Docker container.
    pub enum DockerNetwork {
        /// The host's.
        Host "HOST" = 1,
        /// Docker's bridge.
        Bridge "BRIDGE" = 2,
        /// None.
        None "NONE" = 3,
        /// A network that the user made.
        User "USER" = 4,
    }
}

message! {
    /// A port of the host that leads to one of the container.
    pub struct DockerPortMapping {
        host_port: required u32 = 1,
        container_port: required u32 = 2,
        protocol: optional String = 3,
    }
    /// A container of the Docker engine.
    pub struct DockerInfo {
        image: required String = 1,
        network: default DockerNetwork = 2 (DockerNetwork::Host),
        port_mappings: repeated DockerPortMapping = 3,
        privileged: default bool = 4 (false),
        parameters: repeated Parameter = 5,
        force_pull_image: optional bool = 6,
        volume_driver: optional String = 7,
    }
    /// A container of the agent's own.
    pub struct MesosInfo {
        image: optional Image = 1,
    }
    /// Size of a terminal in characters.
    pub struct WindowSize {
        rows: required u32 = 1,
        columns: required u32 = 2,
    }
    /// Asks for a terminal.
    pub struct TtyInfo {
        window_size: optional WindowSize = 1,
    }
    /// In what kind of container something runs.
    pub struct ContainerInfo {
        r#type: required ContainerType = 1,
        volumes: repeated Volume = 2,
        hostname: optional String = 4,
        docker: optional DockerInfo = 3,
        mesos: optional MesosInfo = 5,
        network_infos: repeated NetworkInfo = 7,
        linux_info: optional LinuxInfo = 8,
        rlimit_info: optional RLimitInfo = 9,
        tty_info: optional TtyInfo = 10,
    }
    /// The traffic class of a container.
    pub struct CgroupNetCls {
        classid: optional u32 = 1,
    }
    /// The control groups of a container.
    pub struct CgroupInfo {
        net_cls: optional CgroupNetCls = 1,
    }
    /// A container that runs: frameworks take its addresses from here.
    pub struct ContainerStatus {
        container_id: optional ContainerId = 4,
        network_infos: repeated NetworkInfo = 1,
        cgroup_info: optional CgroupInfo = 2,
        executor_pid: optional u32 = 3,
    }
}
