//! From a written definition to the fields of a run spec that it names, or to a list of what is wrong with it and where.
//!
//! Everything that can be judged without the current version is judged here; all faults are found, not only the first. What depends
//! on the merged definition (one of `cmd` and `args`, indexes into the ports) is judged by the engine, which alone knows it. What no agent
//! of the cluster can do is found by comparing what a definition [`Needs`](crate::placement::Needs) with what agents told of themselves.

mod abilities;
mod check;
mod command;
mod constraint;
mod container;
mod dependencies;
mod executor;
mod faults;
mod fetch;
mod group;
mod health;
mod legacy;
pub mod limits;
mod merged;
mod networks;
mod numbers;
mod persistent;
mod placement;
mod pod;
mod pod_checks;
mod pod_endpoints;
mod policy;
mod ports;
mod process;
mod readiness;
mod resident;
mod secrets;
mod strategy;
mod text;
mod unsupported;

#[cfg(test)]
pub(crate) mod tests;

use attica_paas_api::AppUpdate;

use crate::model::{RunSpecId, RunSpecUpdate, Version};

pub use faults::{Faults, ROOT};
pub use group::{GroupIntent, group};
pub use merged::whole;
pub use pod::pod;
pub use resident::change;

/// What a definition is read by besides itself.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The container network of who names none, if there is one.
    pub network: Option<String>,
}

/// What a written definition asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Intent {
    /// To become like this.
    Update(Box<RunSpecUpdate>),
    /// To return to an earlier version.
    Rollback(Version),
}

/// Reads the definition of `id` that was written as `app`.
///
/// # Errors
/// Every fault that was found, by path.
pub fn intent(app: AppUpdate, id: &RunSpecId, rules: &Rules) -> Result<Intent, Faults> {
    match rollback(&app) {
        Rollback::To(written) => match Version::parse(&written) {
            Some(version) => Ok(Intent::Rollback(version)),
            None => Err(Faults::one("/version", "is not a time such as 2015-06-12T23:03:31.512Z")),
        },
        Rollback::Contradicted => {
            Err(Faults::one("/version", "The 'version' field may only be combined with the 'id' field."))
        }
        Rollback::No => update(app, id, rules).map(|update| Intent::Update(Box::new(update))),
    }
}

/// Reads the definition of `id`; its `version` is ignored.
///
/// # Errors
/// Every fault that was found, by path.
pub fn update(app: AppUpdate, id: &RunSpecId, rules: &Rules) -> Result<RunSpecUpdate, Faults> {
    let mut faults = Faults::default();
    unsupported::refuse(&app, &mut faults);
    let ports = legacy::ports(app.ports, app.port_definitions, &mut faults);
    let fetch = legacy::artifacts(app.uris, app.fetch, &mut faults);
    let deprecated = container::deprecated_networks(app.container.as_ref(), app.ip_address.as_ref());
    let networks = networks::networks(app.networks, &deprecated, rules, &mut faults);
    let container = container::read(app.container, app.ip_address, app.tty, &mut faults);
    let upgrade_strategy = strategy::written(app.upgrade_strategy, app.labels.as_ref());
    let update = RunSpecUpdate {
        cmd: command::shell(app.cmd, &mut faults),
        args: command::arguments(app.args, &mut faults),
        graph: process::graph(app.process_graph, &mut faults),
        user: command::user(app.user, &mut faults),
        instances: numbers::count("/instances", app.instances, limits::INSTANCES_MAX, &mut faults),
        cpus: numbers::quantity("/cpus", app.cpus, 0.001, &mut faults),
        mem: numbers::quantity("/mem", app.mem, 0.0, &mut faults),
        disk: numbers::quantity("/disk", app.disk, 0.0, &mut faults),
        gpus: numbers::whole("/gpus", app.gpus, &mut faults),
        limits: numbers::limits("/resourceLimits", app.resource_limits, &mut faults),
        networks,
        container: container.container,
        mappings: container.mappings,
        fetch: fetch::artifacts(fetch, &mut faults),
        tty: app.tty,
        executor: executor::path(app.executor, &mut faults),
        executor_resources: app.executor_resources.map(|written| executor::resources(written, &mut faults)),
        env: text::environment("/env", app.env, &mut faults),
        secrets: secrets::declared(app.secrets, &mut faults),
        labels: text::labels("/labels", app.labels, &mut faults),
        constraints: constraint::constraints(app.constraints, &mut faults),
        accepted_resource_roles: placement::accepted_roles(
            "/acceptedResourceRoles",
            app.accepted_resource_roles,
            &mut faults,
        ),
        ports: ports::definitions(ports, &mut faults),
        require_ports: app.require_ports,
        health_checks: health::checks(app.health_checks, &mut faults),
        readiness_check: readiness::check(app.readiness_checks, &mut faults),
        check: check::check(app.check, &mut faults),
        backoff_first_ms: numbers::milliseconds("/backoffSeconds", app.backoff_seconds, &mut faults),
        backoff_factor: numbers::at_least("/backoffFactor", app.backoff_factor, 1.0, &mut faults),
        backoff_max_ms: numbers::milliseconds("/maxLaunchDelaySeconds", app.max_launch_delay_seconds, &mut faults),
        upgrade: strategy::upgrade("/upgradeStrategy", upgrade_strategy, &mut faults),
        unreachable: strategy::unreachable("/unreachableStrategy", app.unreachable_strategy, &mut faults),
        residency: persistent::residency(app.residency, &mut faults),
        kill_selection: strategy::kill_selection(app.kill_selection),
        kill_grace_period_ms: numbers::seconds(
            "/taskKillGracePeriodSeconds",
            app.task_kill_grace_period_seconds,
            &mut faults,
        ),
        drain_timeout_ms: numbers::drain_seconds("/drainTimeoutSeconds", app.drain_timeout_seconds, &mut faults),
        drain_delay_ms: numbers::drain_seconds("/drainDelaySeconds", app.drain_delay_seconds, &mut faults),
        policy: policy::policy(app.deployment, "", &mut faults),
        dependencies: dependencies::absolute(app.dependencies, id, &mut faults),
        role: app.role,
    };
    faults.into_result(update)
}

enum Rollback {
    To(String),
    /// A version beside other fields of somebody's own making: it cannot be obeyed, and not be ignored either.
    Contradicted,
    /// No version, or a document that a read returned.
    No,
}

fn rollback(app: &AppUpdate) -> Rollback {
    let Some(version) = &app.version else { return Rollback::No };
    let alone = AppUpdate { id: app.id.clone(), version: Some(version.clone()), ..AppUpdate::default() };
    if *app == alone {
        Rollback::To(version.clone())
    } else if app.version_info.is_some() {
        Rollback::No
    } else {
        Rollback::Contradicted
    }
}
