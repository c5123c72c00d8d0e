//! Refusing what no agent can do. Who waits for resources waits.
//!
//! Only what a write adds is looked at: what runs already goes on being what it is.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use attica_core_api::v1::AgentAbilities;

use super::{Faults, ROOT};
use crate::engine::GroupUpdate;
use crate::model::{RunSpec, RunSpecId, RunSpecUpdate};
use crate::placement::{Ability, Able, AppNeeds, Need, Needs, has_graph};

impl Needs {
    /// What `update` adds to `current`, which it is merged with.
    #[must_use]
    pub fn of_update(update: &RunSpecUpdate, current: Option<&RunSpec>) -> Self {
        let app = AppNeeds {
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
    pub fn check(&self, agents: &[Able<'_>], key: Option<&str>) -> Result<(), Faults> {
        if agents.is_empty() || agents.iter().any(|agent| self.are_met(*agent, key)) {
            return Ok(());
        }
        let mut faults = Faults::default();
        for need in self.0.iter().filter(|need| !agents.iter().any(|agent| need.is_met(*agent, key))) {
            faults.add(&need.path, need.ability.lacking(agents));
        }
        if faults.is_empty() {
            let paths: Vec<&str> = self.0.iter().map(|need| need.path.as_str()).collect();
            faults.add(ROOT, format!("no agent in the cluster can do all of this at once: {}", paths.join(", ")));
        }
        Err(faults)
    }
}

impl Ability {
    /// What to say when no agent has it.
    fn lacking(&self, agents: &[Able<'_>]) -> String {
        let all = |names: fn(&AgentAbilities) -> &[String]| {
            let abilities = agents.iter().filter_map(|agent| agent.abilities);
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
