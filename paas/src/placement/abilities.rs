//! What a definition asks of agents besides resources, and whether one of them can do it.
//!
//! An agent that does not say what it can do may be able to do anything.

use std::path::Path;

use attica_core_api::v1::AgentAbilities;

use super::container::BRIDGE;
use crate::model::{
    Access, CommandLine, Container, ContainerKind, Networks, Pod, PodVolumeSource, PortDefinition, Protocol, RunSpec,
    Seccomp, VolumeSource,
};

/// Options of containers that reach beyond them.
const PRIVILEGED_PARAMETERS: [&str; 3] = ["cap-add", "device", "security-opt"];

/// What an agent says of itself, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub struct Able<'a> {
    /// What it can do; none: it does not say.
    pub abilities: Option<&'a AgentAbilities>,
    /// The id of the key that it opens secrets with.
    pub key: Option<&'a str>,
}

/// What a definition asks of agents, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs(pub(crate) Vec<Need>);

/// One thing of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) path: String,
    pub(crate) ability: Ability,
    /// Whether a Docker daemon runs the container where there is one.
    pub(crate) docker: bool,
}

/// What an agent can or cannot do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ability {
    Image,
    Volume,
    HostPath(String),
    Bridge,
    Network(String),
    SeveralNetworks,
    Datagrams,
    Isolation,
    Profile(String),
    User(String),
    Privileged,
    Parameter(String),
    /// What a Docker daemon does not do.
    WithoutDaemon,
    Secrets,
}

/// Needs on their way.
struct Asking {
    needs: Vec<Need>,
    docker: bool,
}

impl Needs {
    /// All that it asks.
    #[must_use]
    pub fn of_run_spec(spec: &RunSpec) -> Self {
        match spec.pod() {
            Some(pod) => of_pod(spec, pod),
            None => AppNeeds {
                container: spec.container.as_ref(),
                networks: Some(&spec.networks),
                ports: &spec.ports,
                user: spec.user.as_deref(),
                graph: has_graph(spec),
                secrets: !spec.secrets.is_empty(),
            }
            .needs(),
        }
    }

    /// Whether an agent can do all of it; secrets are sealed with `key`.
    #[must_use]
    pub fn are_met(&self, agent: Able<'_>, key: Option<&str>) -> bool {
        self.0.iter().all(|need| need.is_met(agent, key))
    }
}

impl Need {
    /// Whether an agent can do it; secrets are sealed with `key`.
    pub(crate) fn is_met(&self, agent: Able<'_>, key: Option<&str>) -> bool {
        let Some(can) = agent.abilities else { return true };
        let by_daemon = self.docker && can.daemon;
        (by_daemon || can.launcher)
            && match &self.ability {
                Ability::Image | Ability::Volume => by_daemon || can.mounts,
                Ability::HostPath(path) => {
                    (by_daemon || can.mounts) && can.host_paths.iter().any(|shown| Path::new(path).starts_with(shown))
                }
                Ability::Bridge if self.docker => by_daemon || !can.networks.is_empty(),
                Ability::Bridge => can.networks.iter().any(|network| network == BRIDGE),
                Ability::Network(name) => by_daemon || can.networks.contains(name),
                Ability::SeveralNetworks => false,
                Ability::Datagrams => by_daemon || can.datagrams,
                Ability::Isolation => !by_daemon && can.mounts,
                Ability::Profile(name) => !by_daemon && can.mounts && can.seccomp_profiles.contains(name),
                Ability::User(user) => by_daemon || can.user.as_ref().is_none_or(|own| own == user),
                Ability::Privileged => by_daemon && can.privileged,
                Ability::Parameter(key) => by_daemon || AgentAbilities::PARAMETERS.contains(&key.as_str()),
                Ability::WithoutDaemon => !by_daemon,
                Ability::Secrets => !by_daemon && key.is_some() && agent.key == key,
            }
    }
}

/// What of an app asks for something.
pub(crate) struct AppNeeds<'a> {
    pub(crate) container: Option<&'a Container>,
    pub(crate) networks: Option<&'a Networks>,
    pub(crate) ports: &'a [PortDefinition],
    pub(crate) user: Option<&'a str>,
    pub(crate) graph: bool,
    pub(crate) secrets: bool,
}

impl AppNeeds<'_> {
    pub(crate) fn needs(&self) -> Needs {
        let image = self.container.and_then(|container| container.image.as_ref());
        let is_docker = |container: &Container| container.kind == ContainerKind::Docker && image.is_some();
        let docker = self.container.is_some_and(is_docker);
        let mut asking = Asking { needs: Vec::new(), docker };
        if let Some(image) = image {
            asking.add("/container/docker/image", Ability::Image);
            if image.privileged {
                asking.add("/container/docker/privileged", Ability::Privileged);
            }
            for (index, (key, value)) in image.parameters.iter().enumerate() {
                let path = format!("/container/docker/parameters({index})");
                let key = key.trim_start_matches('-');
                let reaches_out = PRIVILEGED_PARAMETERS.contains(&key) || key == "privileged" && value == "true";
                asking.add(path, if reaches_out { Ability::Privileged } else { Ability::Parameter(key.to_owned()) });
            }
        }
        for (index, volume) in self.container.iter().flat_map(|container| &container.volumes).enumerate() {
            let path = format!("/container/volumes({index})");
            match &volume.source {
                VolumeSource::Host(host) if Path::new(host).is_absolute() => {
                    asking.add(path + "/hostPath", Ability::HostPath(host.clone()));
                }
                VolumeSource::Secret(_) => asking.add(path + "/secret", Ability::Volume),
                VolumeSource::Host(_) | VolumeSource::Persistent(_) if volume.access == Access::ReadOnly => {
                    asking.add(path + "/mode", Ability::Volume);
                }
                VolumeSource::Host(_) | VolumeSource::Persistent(_) => {}
            }
        }
        if let Some(linux) = self.container.and_then(|container| container.linux.as_ref()) {
            asking.add_linux("/container", linux);
        }
        if let Some(networks) = self.networks {
            asking.add_networks(networks);
            for (index, port) in self.ports.iter().enumerate() {
                asking.add_port(&format!("/container/portMappings({index})/protocol"), port, networks);
            }
        }
        asking.add_user("/user", self.user);
        if self.graph && docker {
            asking.add("/processGraph", Ability::WithoutDaemon);
        }
        asking.add_secrets(self.secrets);
        Needs(asking.needs)
    }
}

fn of_pod(spec: &RunSpec, pod: &Pod) -> Needs {
    let mut asking = Asking { needs: Vec::new(), docker: false };
    asking.add_networks(&spec.networks);
    asking.add_user("/user", spec.user.as_deref());
    asking.add_secrets(!spec.secrets.is_empty());
    for (index, volume) in pod.volumes.iter().enumerate() {
        let path = format!("/volumes({index})");
        match &volume.source {
            PodVolumeSource::Host(host) => asking.add(path + "/host", Ability::HostPath(host.clone())),
            PodVolumeSource::Secret(_) => asking.add(path + "/secret", Ability::Volume),
            PodVolumeSource::Ephemeral | PodVolumeSource::Persistent(_) => {}
        }
    }
    for (index, container) in pod.containers.iter().enumerate() {
        let path = format!("/containers({index})");
        if container.image.is_some() {
            asking.add(format!("{path}/image"), Ability::Image);
        }
        asking.add_user(&format!("{path}/user"), container.user.as_deref());
        if let Some(linux) = &container.linux {
            asking.add_linux(&path, linux);
        }
        for (index, _) in
            container.mounts.iter().enumerate().filter(|(_, mount)| mount.access == Some(Access::ReadOnly))
        {
            asking.add(format!("{path}/volumeMounts({index})/readOnly"), Ability::Volume);
        }
    }
    let places = pod.containers.iter().enumerate().flat_map(|(container, of_it)| {
        (0..of_it.endpoints.len())
            .map(move |endpoint| format!("/containers({container})/endpoints({endpoint})/protocol"))
    });
    // Its ports are its endpoints, in their order.
    for (path, port) in places.zip(&spec.ports) {
        asking.add_port(&path, port, &spec.networks);
    }
    Needs(asking.needs)
}

impl Asking {
    fn add(&mut self, path: impl Into<String>, ability: Ability) {
        self.needs.push(Need { path: path.into(), ability, docker: self.docker });
    }

    fn add_networks(&mut self, networks: &Networks) {
        match networks {
            Networks::Host => {}
            Networks::Bridge { .. } => self.add("/networks(0)", Ability::Bridge),
            Networks::Container(networks) => {
                for (index, network) in networks.iter().enumerate() {
                    self.add(format!("/networks({index})/name"), Ability::Network(network.name.clone()));
                }
                if networks.len() > 1 {
                    self.add("/networks", Ability::SeveralNetworks);
                }
            }
        }
    }

    /// On a bridge every port is mapped, whether that is written or not.
    fn add_port(&mut self, path: &str, port: &PortDefinition, networks: &Networks) {
        let is_mapped = match networks {
            Networks::Host => false,
            Networks::Bridge { .. } => true,
            Networks::Container(_) => port.mapping.as_ref().is_some_and(|mapping| mapping.host.is_some()),
        };
        match port.protocol {
            Protocol::Udp | Protocol::UdpTcp if is_mapped => self.add(path, Ability::Datagrams),
            Protocol::Udp | Protocol::UdpTcp | Protocol::Tcp => {}
        }
    }

    fn add_linux(&mut self, around: &str, linux: &crate::model::Linux) {
        match &linux.seccomp {
            Some(Seccomp::Profile(name)) => {
                self.add(format!("{around}/linuxInfo/seccomp/profileName"), Ability::Profile(name.clone()));
            }
            Some(Seccomp::Unconfined) | None => {}
        }
        self.add(format!("{around}/linuxInfo"), Ability::Isolation);
    }

    fn add_user(&mut self, path: &str, user: Option<&str>) {
        if let Some(user) = user {
            self.add(path, Ability::User(user.to_owned()));
        }
    }

    fn add_secrets(&mut self, asked: bool) {
        if asked {
            self.add("/secrets", Ability::Secrets);
        }
    }
}

/// Whether it is more than one process.
pub(crate) fn has_graph(spec: &RunSpec) -> bool {
    matches!(spec.command, CommandLine::Graph(_))
}
