use attica_core_api::secrets::KeyId;

use crate::engine::{AcceptedByDefault, Changes, EnforcedByDefault, Violation};
use crate::model::{HealthCheck, RunSpec};
use crate::placement::GpuScheduling;

/// The fixed settings of an engine.
#[derive(Clone, Debug)]
pub struct Config {
    /// The role in which run specs run that name none; the framework is always subscribed in it.
    pub role: String,
    /// What of an offer a run spec takes that does not say so.
    pub accepted_by_default: AcceptedByDefault,
    /// Whether what needs no GPU is placed beside some, if it does not say.
    pub gpu_scheduling: GpuScheduling,
    /// Which groups enforce their role when nobody says whether they do.
    pub enforced_by_default: EnforcedByDefault,
    /// What the names of generated variables begin with, unless they begin with MESOS_ or MARATHON_ anyway.
    pub variable_prefix: String,
    /// Who the framework is to the master, which is written on what it reserves; none: the master does not ask.
    pub principal: Option<String>,
    /// Service ports are allocated from here …
    pub service_port_first: u16,
    /// … to here, both included.
    pub service_port_last: u16,
    /// So many deployments may run.
    pub running_deployments_max: usize,
    /// No more apps are made once there are so many; none: as many as are asked for.
    pub apps_max: Option<usize>,
    /// So many instances are launched from one offer at most.
    pub instances_per_offer_max: usize,
    /// So many pairs of run spec and offer are looked at in one go; run specs that were not reached come first the next time.
    pub matches_max: usize,
    /// An offer that is of no use is declined for so long.
    pub decline_ms: u64,
    /// Offers are asked for again at most this often.
    pub revive_interval_ms: u64,
    /// A task that is not running so long after its launch is killed.
    pub launch_timeout_ms: u64,
    /// What was reserved together with a launch that failed should be offered after so long, or it is given up.
    pub reservation_timeout_ms: u64,
    /// So many kills are in flight at once.
    pub kills_in_flight_max: usize,
    /// An unconfirmed kill is repeated after so long.
    pub kill_retry_ms: u64,
    /// Machines are left alone so long before their maintenance.
    pub draining_ms: u64,
    /// All tasks are reconciled with the master this often.
    pub reconcile_interval_ms: u64,
    /// So many versions are kept of each run spec, beside those in use.
    pub versions_max: usize,
    /// So many removed run specs, and so many removed groups, are remembered.
    pub departed_max: usize,
    /// So many consumers of the event stream may be waited for.
    pub consumers_max: usize,
    /// A consumer that is silent for so long is waited for no longer.
    pub consumer_lease_ms: u64,
    /// So many secrets may be kept.
    pub secrets_max: usize,
    /// What secrets are sealed with; none: there can be none.
    pub secrets_key: Option<KeyId>,
    /// What the border contributes.
    pub border: Border,
}

/// The pure functions that the border with the world of JSON contributes: the engine merges and renders, but knows no JSON.
#[derive(Clone, Copy, Debug)]
pub struct Border {
    /// The rules for a whole definition, applied after an update is merged.
    pub validate: fn(&RunSpec) -> Result<(), Vec<Violation>>,
    /// The rules for a change from one definition to another.
    pub validate_change: fn(&RunSpec, &RunSpec) -> Result<(), Vec<Violation>>,
    /// A definition as one line of JSON, for events.
    pub render_run_spec: fn(&RunSpec) -> String,
    /// A health check as one line of JSON, for events.
    pub render_health_check: fn(&HealthCheck) -> String,
    /// What a write changes, as one line of JSON, for what is written down of it.
    pub render_changes: fn(&Changes) -> String,
}

impl Config {
    /// Marathon's defaults, except where ours are quicker.
    #[must_use]
    pub fn new(border: Border) -> Self {
        Self {
            role: "*".to_owned(),
            accepted_by_default: AcceptedByDefault::Any,
            gpu_scheduling: GpuScheduling::Restricted,
            enforced_by_default: EnforcedByDefault::Off,
            variable_prefix: String::new(),
            principal: None,
            service_port_first: 10_000,
            service_port_last: 20_000,
            running_deployments_max: 100,
            apps_max: None,
            instances_per_offer_max: 200,
            matches_max: 200_000,
            decline_ms: 120_000,
            revive_interval_ms: 50,
            launch_timeout_ms: 300_000,
            reservation_timeout_ms: 20_000,
            kills_in_flight_max: 100,
            kill_retry_ms: 30_000,
            draining_ms: 0,
            reconcile_interval_ms: 600_000,
            versions_max: 50,
            departed_max: 1_000,
            consumers_max: 64,
            consumer_lease_ms: 15_000,
            secrets_max: 10_000,
            secrets_key: None,
            border,
        }
    }
}
