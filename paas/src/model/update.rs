use std::collections::BTreeMap;

use attica_core_api::{Scalar, Timestamp};

use super::{
    Artifact, Backoff, Check, CommandLine, Constraint, Container, ContainerKind, DeploymentPolicy, EnvValue, Graph,
    HealthCheck, KillSelection, Limits, Networks, Placement, PortChoice, PortDefinition, PortMapping, Protocol,
    ReadinessCheck, Residency, Resources, RunSpec, RunSpecId, SecretSource, Unreachable, Upgrade, Version,
};

/// A definition as a request gives it: the fields that it names. Merged with the current version (a partial update) or with the
/// defaults (a creation, a replacement). A named field replaces its old value entirely; everything unnamed is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunSpecUpdate {
    /// `cmd`; beside `args` it is refused.
    pub cmd: Option<String>,
    /// `args`
    pub args: Option<Vec<String>>,
    /// `processGraph`; beside either it is refused.
    pub graph: Option<Graph>,
    /// `instances`
    pub instances: Option<u32>,
    /// `user`
    pub user: Option<String>,
    /// `cpus`
    pub cpus: Option<Scalar>,
    /// `mem`
    pub mem: Option<Scalar>,
    /// `disk`
    pub disk: Option<Scalar>,
    /// `gpus`
    pub gpus: Option<Scalar>,
    /// `env`
    pub env: Option<BTreeMap<String, EnvValue>>,
    /// `secrets`
    pub secrets: Option<BTreeMap<String, SecretSource>>,
    /// `labels`
    pub labels: Option<BTreeMap<String, String>>,
    /// `constraints`
    pub constraints: Option<Vec<Constraint>>,
    /// `acceptedResourceRoles`
    pub accepted_resource_roles: Option<Vec<String>>,
    /// `container`, without its port mappings
    pub container: Option<Container>,
    /// `networks`
    pub networks: Option<Networks>,
    /// `fetch`
    pub fetch: Option<Vec<Artifact>>,
    /// `tty`
    pub tty: Option<bool>,
    /// `executor`; none in it: the command executor
    pub executor: Option<Option<String>>,
    /// `executorResources`
    pub executor_resources: Option<Resources>,
    /// `resourceLimits`
    pub limits: Option<Limits>,
    /// `portDefinitions`: of use on the host's network only
    pub ports: Option<Vec<PortDefinition>>,
    /// `container.portMappings`, of use on other networks only; the default ones of a container that names none
    pub mappings: Option<Vec<PortDefinition>>,
    /// `requirePorts`
    pub require_ports: Option<bool>,
    /// `healthChecks`
    pub health_checks: Option<Vec<HealthCheck>>,
    /// `readinessChecks`: one, or none
    pub readiness_check: Option<Option<ReadinessCheck>>,
    /// `check`
    pub check: Option<Check>,
    /// `backoffSeconds`
    pub backoff_first_ms: Option<u64>,
    /// `backoffFactor`
    pub backoff_factor: Option<f64>,
    /// `maxLaunchDelaySeconds`
    pub backoff_max_ms: Option<u64>,
    /// `upgradeStrategy`
    pub upgrade: Option<Upgrade>,
    /// `unreachableStrategy`
    pub unreachable: Option<Unreachable>,
    /// `residency`
    pub residency: Option<Residency>,
    /// `killSelection`
    pub kill_selection: Option<KillSelection>,
    /// `taskKillGracePeriodSeconds`
    pub kill_grace_period_ms: Option<u64>,
    /// `drainTimeoutSeconds`
    pub drain_timeout_ms: Option<u64>,
    /// `drainDelaySeconds`
    pub drain_delay_ms: Option<u64>,
    /// `deployment`
    pub policy: Option<DeploymentPolicy>,
    /// `dependencies`, absolute paths
    pub dependencies: Option<Vec<String>>,
    /// `role`
    pub role: Option<String>,
}

impl RunSpecUpdate {
    /// The definition that follows from `current` (or from the defaults), without regard to versions: the caller gives those.
    /// Its service ports may be 0.
    ///
    /// # Errors
    /// [`NoCommand`] when neither the update nor `current` says what to run, and there is no image either, or both `cmd` and `args` are
    /// named.
    pub fn apply(&self, current: Option<&RunSpec>, id: &RunSpecId, role: &str) -> Result<RunSpec, NoCommand> {
        let command = self.command(current.map(|current| &current.command))?;
        let mut merged = current.cloned().unwrap_or_else(|| default_run_spec(id, command.clone(), role));
        merged.command = command;
        self.set_surroundings(&mut merged);
        let has_image = merged.container.as_ref().is_some_and(|container| container.image.is_some());
        if merged.command == CommandLine::Image && !has_image {
            return Err(NoCommand);
        }
        self.set_command_environment(&mut merged);
        self.set_placement(&mut merged);
        self.set_residency(&mut merged, current.is_some_and(RunSpec::is_resident));
        self.set_lifecycle(&mut merged);
        Ok(merged)
    }

    fn command(&self, current: Option<&CommandLine>) -> Result<CommandLine, NoCommand> {
        match (&self.cmd, &self.args, &self.graph) {
            (Some(line), None, None) => Ok(CommandLine::Shell(line.clone())),
            (None, Some(words), None) => Ok(CommandLine::Exec(words.clone())),
            (None, None, Some(graph)) => Ok(CommandLine::Graph(Box::new(graph.clone()))),
            (None, None, None) => Ok(current.cloned().unwrap_or(CommandLine::Image)),
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => Err(NoCommand),
        }
    }

    fn set_surroundings(&self, merged: &mut RunSpec) {
        let was_host = merged.networks.is_host();
        set_optional(&mut merged.container, &self.container);
        set(&mut merged.networks, &self.networks);
        set(&mut merged.fetch, &self.fetch);
        set_optional(&mut merged.tty, &self.tty);
        set(&mut merged.executor, &self.executor);
        set_optional(&mut merged.executor_resources, &self.executor_resources);
        set(&mut merged.limits, &self.limits);
        if merged.networks.is_host() {
            match &self.ports {
                Some(ports) => merged.ports.clone_from(ports),
                None if was_host => {}
                None => merged.ports = vec![default_port(None)],
            }
            set(&mut merged.require_ports, &self.require_ports);
            return;
        }
        merged.container.get_or_insert_with(bare_container);
        merged.require_ports = false;
        match &self.mappings {
            Some(mappings) => merged.ports.clone_from(mappings),
            None if was_host => merged.ports = default_mappings(),
            None => {}
        }
        // Definitions for another network count as ports all the same.
        let wanted = self.ports.as_ref().map_or(0, Vec::len).max(merged.ports.len());
        merged.ports.resize_with(wanted, || PortDefinition { name: None, ..default_port(Some(UNMAPPED)) });
        if let Networks::Bridge { .. } = merged.networks {
            for mapping in merged.ports.iter_mut().filter_map(|port| port.mapping.as_mut()) {
                mapping.host = mapping.host.or(Some(0));
            }
        }
    }

    fn set_command_environment(&self, merged: &mut RunSpec) {
        set_optional(&mut merged.user, &self.user);
        set(&mut merged.resources.cpus, &self.cpus);
        set(&mut merged.resources.mem, &self.mem);
        set(&mut merged.resources.disk, &self.disk);
        set(&mut merged.resources.gpus, &self.gpus);
        set(&mut merged.env, &self.env);
        set(&mut merged.secrets, &self.secrets);
        set(&mut merged.labels, &self.labels);
        set(&mut merged.health_checks, &self.health_checks);
        set(&mut merged.readiness_check, &self.readiness_check);
        set_optional(&mut merged.check, &self.check);
    }

    fn set_placement(&self, merged: &mut RunSpec) {
        set(&mut merged.instances, &self.instances);
        set(&mut merged.placement.constraints, &self.constraints);
        set(&mut merged.placement.accepted_resource_roles, &self.accepted_resource_roles);
        set(&mut merged.dependencies, &self.dependencies);
        set(&mut merged.role, &self.role);
    }

    /// With the first persistent volume, what is said of replacement and of agents out of contact is said anew.
    fn set_residency(&self, merged: &mut RunSpec, was_resident: bool) {
        match !merged.persistent_volumes().is_empty() {
            true => {
                merged.residency = Some(self.residency.or(merged.residency).unwrap_or_default());
                if !was_resident {
                    merged.upgrade = Upgrade::RESIDENT;
                    merged.unreachable = Unreachable::Disabled;
                }
            }
            // Without a volume there is nothing to stay with, which the border says.
            false => merged.residency = self.residency,
        }
    }

    fn set_lifecycle(&self, merged: &mut RunSpec) {
        set(&mut merged.backoff.first_ms, &self.backoff_first_ms);
        set(&mut merged.backoff.factor, &self.backoff_factor);
        set(&mut merged.backoff.max_ms, &self.backoff_max_ms);
        set(&mut merged.upgrade, &self.upgrade);
        set(&mut merged.unreachable, &self.unreachable);
        set(&mut merged.kill_selection, &self.kill_selection);
        set_optional(&mut merged.kill_grace_period_ms, &self.kill_grace_period_ms);
        set_optional(&mut merged.drain_timeout_ms, &self.drain_timeout_ms);
        set_optional(&mut merged.drain_delay_ms, &self.drain_delay_ms);
        set_optional(&mut merged.policy, &self.policy);
    }
}

/// Nothing says what to run, or two things do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'.")]
pub struct NoCommand;

fn set<T: Clone>(field: &mut T, named: &Option<T>) {
    if let Some(value) = named {
        field.clone_from(value);
    }
}

fn set_optional<T: Clone>(field: &mut Option<T>, named: &Option<T>) {
    if named.is_some() {
        field.clone_from(named);
    }
}

const UNMAPPED: PortMapping = PortMapping { container: 0, host: None, networks: Vec::new() };

/// The ports of a container that names none.
#[must_use]
pub(crate) fn default_mappings() -> Vec<PortDefinition> {
    vec![default_port(Some(UNMAPPED))]
}

fn default_port(mapping: Option<PortMapping>) -> PortDefinition {
    PortDefinition {
        port: 0,
        choice: PortChoice::User,
        name: Some("default".to_owned()),
        protocol: Protocol::Tcp,
        labels: BTreeMap::new(),
        mapping,
    }
}

/// What is needed to be on another network than the host's.
fn bare_container() -> Container {
    Container { kind: ContainerKind::Mesos, image: None, volumes: Vec::new(), linux: None }
}

/// What is run when nothing else is said (Marathon's defaults).
fn default_run_spec(id: &RunSpecId, command: CommandLine, role: &str) -> RunSpec {
    let unborn = Version(Timestamp(0));
    RunSpec {
        id: id.clone(),
        version: unborn,
        last_scaling_at: unborn,
        last_config_change_at: unborn,
        generation: unborn,
        instances: 1,
        command,
        user: None,
        container: None,
        networks: Networks::Host,
        fetch: Vec::new(),
        tty: None,
        executor: None,
        executor_resources: None,
        limits: Limits::default(),
        resources: Resources { cpus: Scalar::units(1), mem: Scalar::units(128), ..Resources::NONE },
        env: BTreeMap::new(),
        secrets: BTreeMap::new(),
        labels: BTreeMap::new(),
        placement: Placement::default(),
        ports: vec![default_port(None)],
        require_ports: false,
        health_checks: Vec::new(),
        readiness_check: None,
        check: None,
        backoff: Backoff { first_ms: 1_000, factor: 1.15, max_ms: 300_000 },
        upgrade: Upgrade::DEFAULT,
        unreachable: Unreachable::DEFAULT,
        residency: None,
        kill_selection: KillSelection::YoungestFirst,
        kill_grace_period_ms: None,
        drain_timeout_ms: None,
        drain_delay_ms: None,
        policy: None,
        dependencies: Vec::new(),
        role: role.to_owned(),
    }
}
