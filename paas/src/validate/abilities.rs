//! What a definition asks of agents besides resources, and whether one of them can do it. Who waits for resources waits; what no agent can
//! do is refused.
//!
//! Only what a write adds is looked at: what runs already goes on being what it is. An agent that does not say what it can do may be able
//! to do anything.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use attica_core_api::v1::AgentAbilities;
use attica_paas_api::agent::Agent;

use super::{Faults, ROOT};
use crate::engine::GroupUpdate;
use crate::model::{
    Access, CommandLine, Container, ContainerKind, Networks, Pod, PodVolumeSource, PortDefinition, Protocol, RunSpec,
    RunSpecId, RunSpecUpdate, Seccomp, VolumeSource,
};
use crate::placement::BRIDGE;

/// The attribute in which an agent names the key that it opens secrets with.
const SECRETS: &str = "secrets";
/// Options of containers that reach beyond them.
const PRIVILEGED_PARAMETERS: [&str; 3] = ["cap-add", "device", "security-opt"];

/// What a definition asks of agents, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs(Vec<Need>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Need {
    path: String,
    ability: Ability,
    /// Whether a Docker daemon runs the container where there is one.
    docker: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Ability {
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
    /// What `update` adds to `current`, which it is merged with.
    #[must_use]
    pub fn of_update(update: &RunSpecUpdate, current: Option<&RunSpec>) -> Self {
        let app = App {
            container: update.container.as_ref().or(current.and_then(|current| current.container.as_ref())),
            networks: update.networks.as_ref().or(current.map(|current| &current.networks)),
            ports: update.mappings.as_deref().or(current.map(|current| current.ports.as_slice())).unwrap_or_default(),
            user: update.user.as_deref().or(current.and_then(|current| current.user.as_deref())),
            graph: update.graph.is_some() || current.is_some_and(has_graph),
            secrets: update
                .secrets
                .as_ref()
                .map_or(current.is_some_and(|current| !current.secrets.is_empty()), |named| !named.is_empty()),
        };
        app.needs().beyond(current)
    }

    /// What `pod` adds to `current`, which it replaces.
    #[must_use]
    pub fn of_pod(pod: &RunSpec, current: Option<&RunSpec>) -> Self {
        Self::of_run_spec(pod).beyond(current)
    }

    /// What each of the apps that `update` names adds to the current one, with its place in a document in which the group is at `place`.
    pub fn of_group(
        update: &GroupUpdate,
        place: &str,
        current: &impl Fn(&RunSpecId) -> Option<Arc<RunSpec>>,
    ) -> Vec<(String, Self)> {
        let app = |(index, (id, app)): (usize, &(RunSpecId, Box<RunSpecUpdate>))| {
            (format!("{place}/apps({index})"), Self::of_update(app, current(id).as_deref()))
        };
        let apps = update.apps.iter().flatten().enumerate().map(app);
        let groups = update.groups.iter().flatten().enumerate();
        apps.chain(
            groups.flat_map(|(index, group)| Self::of_group(group, &format!("{place}/groups({index})"), current)),
        )
        .collect()
    }

    fn of_run_spec(spec: &RunSpec) -> Self {
        match spec.pod() {
            Some(pod) => of_pod(spec, pod),
            None => App {
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

    fn beyond(mut self, current: Option<&RunSpec>) -> Self {
        if let Some(current) = current.filter(|_| !self.is_empty()) {
            let had = Self::of_run_spec(current);
            let is_new =
                |need: &Need| had.0.iter().all(|old| (&old.ability, old.docker) != (&need.ability, need.docker));
            self.0.retain(is_new);
        }
        self
    }

    /// Whether every agent can do it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Refuses what none of `agents` can do; secrets are sealed with `key`.
    ///
    /// # Errors
    /// What that is, by path.
    pub fn check(&self, agents: &[&Agent], key: Option<&str>) -> Result<(), Faults> {
        if agents.is_empty() || agents.iter().any(|agent| self.0.iter().all(|need| need.is_met(agent, key))) {
            return Ok(());
        }
        let mut faults = Faults::default();
        for need in self.0.iter().filter(|need| !agents.iter().any(|agent| need.is_met(agent, key))) {
            faults.add(&need.path, need.ability.lacking(agents));
        }
        if faults.is_empty() {
            let paths: Vec<&str> = self.0.iter().map(|need| need.path.as_str()).collect();
            faults.add(ROOT, format!("no agent in the cluster can do all of this at once: {}", paths.join(", ")));
        }
        Err(faults)
    }
}

impl Need {
    fn is_met(&self, agent: &Agent, key: Option<&str>) -> bool {
        let Some(can) = &agent.abilities else { return true };
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
                Ability::Secrets => {
                    !by_daemon && key.is_some_and(|key| agent.attributes.get(SECRETS).map(String::as_str) == Some(key))
                }
            }
    }
}

impl Ability {
    /// What to say when no agent has it.
    fn lacking(&self, agents: &[&Agent]) -> String {
        let all = |names: fn(&attica_paas_api::agent::AgentAbilities) -> &[String]| {
            let abilities = agents.iter().filter_map(|agent| agent.abilities.as_ref());
            Names(abilities.flat_map(names).collect())
        };
        match self {
            Self::Image => "no agent in the cluster can run images: none is root, or has a Docker daemon".to_owned(),
            Self::Volume => "no agent in the cluster can mount volumes: none is root".to_owned(),
            Self::HostPath(_) => {
                let shown = all(|can| &can.host_paths);
                format!(
                    "no agent in the cluster shows tasks this path (--host-path-volume-allow-list): there are {shown}"
                )
            }
            Self::Bridge => "no agent in the cluster can give containers networks of their own".to_owned(),
            Self::Network(name) => {
                format!("no agent in the cluster has a network '{name}': there are {}", all(|can| &can.networks))
            }
            Self::SeveralNetworks => "no agent in the cluster can give a container more than one network".to_owned(),
            Self::Datagrams => "no agent in the cluster can map UDP ports".to_owned(),
            Self::Isolation => "no agent in the cluster can isolate containers in this way: none is root".to_owned(),
            Self::Profile(name) => {
                let profiles = all(|can| &can.seccomp_profiles);
                format!(
                    "no agent in the cluster had a profile '{name}' when it started (--seccomp-config-dir): there are {profiles}"
                )
            }
            Self::User(name) => format!("no agent in the cluster can run tasks as '{name}': none is root"),
            Self::Privileged => {
                "no agent in the cluster has a Docker daemon that allows this (--docker-allow-privileged)".to_owned()
            }
            Self::Parameter(key) => {
                format!("no agent in the cluster has a Docker daemon, and without one there is no parameter '{key}'")
            }
            Self::WithoutDaemon => "no agent in the cluster can do this with Docker containers".to_owned(),
            Self::Secrets => "no agent in the cluster has the key of the secrets (--secrets-key-file)".to_owned(),
        }
    }
}

/// Names without repetition, for people.
struct Names<'a>(BTreeSet<&'a String>);

impl fmt::Display for Names<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.is_empty() {
            true => formatter.write_str("none"),
            false => {
                let quoted: Vec<String> = self.0.iter().map(|name| format!("'{name}'")).collect();
                formatter.write_str(&quoted.join(", "))
            }
        }
    }
}

/// An app, as far as it matters.
struct App<'a> {
    container: Option<&'a Container>,
    networks: Option<&'a Networks>,
    ports: &'a [PortDefinition],
    user: Option<&'a str>,
    graph: bool,
    secrets: bool,
}

impl App<'_> {
    fn needs(&self) -> Needs {
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

fn has_graph(spec: &RunSpec) -> bool {
    matches!(spec.command, CommandLine::Graph(_))
}
