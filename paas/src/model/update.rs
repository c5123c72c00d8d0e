use std::collections::BTreeMap;

use attica_core_api::resources::Scalar;

use super::{
    Backoff, CommandLine, Constraint, HealthCheck, KillSelection, Placement, PortDefinition, Resources, RunSpec,
    RunSpecId, Unreachable, Upgrade, Version,
};

/// A definition as a request gives it: the fields that it names. Merged with the current version (a partial update) or with the
/// defaults (a creation, a replacement). A named field replaces its old value entirely; everything unnamed is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunSpecUpdate {
    /// `cmd`; beside `args` it is refused.
    pub cmd: Option<String>,
    /// `args`
    pub args: Option<Vec<String>>,
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
    /// `env`
    pub env: Option<BTreeMap<String, String>>,
    /// `labels`
    pub labels: Option<BTreeMap<String, String>>,
    /// `constraints`
    pub constraints: Option<Vec<Constraint>>,
    /// `acceptedResourceRoles`
    pub accepted_resource_roles: Option<Vec<String>>,
    /// `portDefinitions`
    pub ports: Option<Vec<PortDefinition>>,
    /// `requirePorts`
    pub require_ports: Option<bool>,
    /// `healthChecks`
    pub health_checks: Option<Vec<HealthCheck>>,
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
    /// `killSelection`
    pub kill_selection: Option<KillSelection>,
    /// `taskKillGracePeriodSeconds`
    pub kill_grace_period_ms: Option<u64>,
    /// `dependencies`, absolute paths
    pub dependencies: Option<Vec<String>>,
    /// `role`
    pub role: Option<String>,
}
