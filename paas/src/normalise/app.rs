use attica_paas_api::Number;
use attica_paas_api::app::{
    App, KillSelection as ReadKillSelection, PortDefinition as ReadPort, Residency as ReadResidency, TaskLostBehavior,
    UnreachableDelays, UnreachableStrategy, UpgradeStrategy, VersionInfo,
};
use attica_paas_api::health::{CheckCommand, HealthCheck as ReadCheck, HealthCheckProtocol};

use super::{check, container, process, readiness, secret};
use crate::model::{
    CheckKind, CheckedPort, CommandLine, Constraint, Endpoint, HealthCheck, IpFamily, KillSelection, PortDefinition,
    Residency, RunSpec, Scheme, TaskLost, Unreachable,
};

/// A definition as clients read it.
#[must_use]
pub fn app(spec: &RunSpec) -> App {
    let (cmd, args, process_graph) = match &spec.command {
        CommandLine::Shell(line) => (Some(line.clone()), None, None),
        CommandLine::Exec(arguments) => (None, Some(arguments.clone()), None),
        CommandLine::Graph(graph) => (None, None, Some(process::graph(graph))),
        CommandLine::Image | CommandLine::Pod(_) => (None, None, None),
    };
    let roles = &spec.placement.accepted_resource_roles;
    App {
        id: spec.id.to_string(),
        cmd,
        args,
        process_graph,
        user: spec.user.clone(),
        container: spec.container.as_ref().map(|container| container::container(container, spec)),
        env: secret::environment(&spec.env),
        secrets: secret::declared(&spec.secrets),
        instances: spec.instances,
        cpus: Number(spec.resources.cpus.to_f64()),
        mem: Number(spec.resources.mem.to_f64()),
        disk: Number(spec.resources.disk.to_f64()),
        gpus: Number(spec.resources.gpus.to_f64()),
        resource_limits: container::limits(spec.limits),
        fetch: spec.fetch.iter().map(container::artifact).collect(),
        tty: spec.tty,
        executor: spec.executor.clone().unwrap_or_default(),
        executor_resources: spec.executor_resources.as_ref().map(super::pod::executor_resources),
        constraints: spec.placement.constraints.iter().map(constraint).collect(),
        accepted_resource_roles: (!roles.is_empty()).then(|| roles.clone()),
        role: spec.role.clone(),
        networks: container::networks(&spec.networks),
        port_definitions: spec.networks.is_host().then(|| spec.ports.iter().map(port).collect()),
        require_ports: spec.require_ports,
        health_checks: spec.health_checks.iter().map(health_check).collect(),
        check: spec.check.as_ref().map(check::check),
        readiness_checks: spec.readiness_check.iter().map(readiness::readiness_check).collect(),
        dependencies: spec.dependencies.clone(),
        upgrade_strategy: UpgradeStrategy {
            minimum_health_capacity: Number(spec.upgrade.minimum_health_capacity),
            maximum_over_capacity: Number(spec.upgrade.maximum_over_capacity),
        },
        kill_selection: match spec.kill_selection {
            KillSelection::YoungestFirst => ReadKillSelection::YoungestFirst,
            KillSelection::OldestFirst => ReadKillSelection::OldestFirst,
        },
        unreachable_strategy: unreachable(spec.unreachable),
        residency: spec.residency.map(residency),
        task_kill_grace_period_seconds: spec.kill_grace_period_ms.map(whole_seconds),
        drain_timeout_seconds: spec.drain_timeout_ms.map(whole_seconds),
        drain_delay_seconds: spec.drain_delay_ms.map(whole_seconds),
        deployment: spec.policy.map(super::policy),
        labels: spec.labels.clone(),
        backoff_seconds: seconds(spec.backoff.first_ms),
        backoff_factor: Number(spec.backoff.factor),
        max_launch_delay_seconds: seconds(spec.backoff.max_ms),
        version: spec.version.to_string(),
        version_info: VersionInfo {
            last_scaling_at: spec.last_scaling_at.to_string(),
            last_config_change_at: spec.last_config_change_at.to_string(),
        },
    }
}

fn constraint(constraint: &Constraint) -> Vec<String> {
    let mut parts = vec![constraint.field.to_string(), constraint.operator.name().to_owned()];
    parts.extend(constraint.operator.value());
    parts
}

fn port(port: &PortDefinition) -> ReadPort {
    ReadPort {
        port: i64::from(port.port),
        protocol: port.protocol.as_str().to_owned(),
        name: port.name.clone(),
        labels: port.labels.clone(),
    }
}

/// A health check as clients read it.
#[must_use]
pub fn health_check(check: &HealthCheck) -> ReadCheck {
    let (path, ignore_http_1xx) = match &check.endpoint {
        Endpoint::Http { path, ignore_1xx, .. } => {
            // As in Marathon only where the verdict is the service's.
            let told = (check.kind == CheckKind::Service || *ignore_1xx).then_some(*ignore_1xx);
            (Some(path.clone().unwrap_or_else(|| "/".to_owned())), told)
        }
        Endpoint::Tcp | Endpoint::Command(_) | Endpoint::Program(_) => (None, None),
    };
    let command = match &check.endpoint {
        Endpoint::Command(value) => Some(CheckCommand { value: value.clone() }),
        Endpoint::Program(words) => Some(CheckCommand { value: words.join(" ") }),
        Endpoint::Http { .. } | Endpoint::Tcp => None,
    };
    let (port_index, port) = match check.port {
        CheckedPort::Index(index) => (Some(i64::from(index)), None),
        CheckedPort::Number(number) => (None, Some(i64::from(number))),
        CheckedPort::None => (None, None),
    };
    ReadCheck {
        protocol: protocol(check),
        path,
        port_index,
        port,
        command,
        grace_period_seconds: whole_seconds(check.grace_period_ms),
        interval_seconds: whole_seconds(check.interval_ms),
        timeout_seconds: whole_seconds(check.timeout_ms),
        max_consecutive_failures: i64::from(check.max_consecutive_failures),
        delay_seconds: whole_seconds(check.delay_ms),
        ignore_http_1xx,
        ip_protocol: Some(if check.family == IpFamily::V6 { "IPv6" } else { "IPv4" }.to_owned()),
    }
}

fn protocol(check: &HealthCheck) -> HealthCheckProtocol {
    match (check.kind, &check.endpoint) {
        (CheckKind::Service, Endpoint::Http { scheme: Scheme::Http, .. }) => HealthCheckProtocol::Http,
        (CheckKind::Service, Endpoint::Http { scheme: Scheme::Https, .. }) => HealthCheckProtocol::Https,
        (CheckKind::Service, Endpoint::Tcp) => HealthCheckProtocol::Tcp,
        (CheckKind::Agent, Endpoint::Http { scheme: Scheme::Http, .. }) => HealthCheckProtocol::MesosHttp,
        (CheckKind::Agent, Endpoint::Http { scheme: Scheme::Https, .. }) => HealthCheckProtocol::MesosHttps,
        (CheckKind::Agent, Endpoint::Tcp) => HealthCheckProtocol::MesosTcp,
        (CheckKind::Service | CheckKind::Agent, Endpoint::Command(_) | Endpoint::Program(_)) => {
            HealthCheckProtocol::Command
        }
    }
}

fn unreachable(strategy: Unreachable) -> UnreachableStrategy {
    match strategy {
        Unreachable::Disabled => UnreachableStrategy::Disabled,
        Unreachable::After { inactive_ms, expunge_ms } => UnreachableStrategy::After(UnreachableDelays {
            inactive_after_seconds: whole_seconds(inactive_ms),
            expunge_after_seconds: whole_seconds(expunge_ms),
        }),
    }
}

fn residency(residency: Residency) -> ReadResidency {
    ReadResidency {
        relaunch_escalation_timeout_seconds: whole_seconds(residency.relaunch_timeout_ms),
        task_lost_behavior: match residency.task_lost {
            TaskLost::WaitForever => TaskLostBehavior::WaitForever,
            TaskLost::RelaunchAfterTimeout => TaskLostBehavior::RelaunchAfterTimeout,
        },
    }
}

fn seconds(milliseconds: u64) -> Number {
    Number(milliseconds as f64 / 1000.0)
}

/// Delays that were written in whole seconds are stored in milliseconds.
pub(super) fn whole_seconds(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds / 1000).unwrap_or(i64::MAX)
}
