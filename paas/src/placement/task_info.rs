use std::collections::BTreeMap;

use attica_core_api::v1::{
    self, CommandInfo, DiscoveryInfo, DurationInfo, HealthCheckType, HttpCheckInfo, KillPolicy, Label, Labels,
    NetworkProtocol, Port, Ports, Resource, TaskId, TaskInfo, TcpCheckInfo, Visibility,
};

use super::environment::environment;
use crate::model::{
    Agent, CheckKind, CheckedPort, CommandLine, Endpoint, HealthCheck, PortDefinition, Protocol, RunSpec, Scheme,
};

/// The task that the master is asked to launch.
#[must_use]
pub fn task_info(
    run_spec: &RunSpec,
    task_id: &TaskId,
    agent: &Agent,
    ports: &[u16],
    resources: Vec<Resource>,
) -> TaskInfo {
    let of_kind = |kind: CheckKind| {
        let checks = run_spec.health_checks.iter().filter(move |check| check.kind == kind);
        checks.filter_map(|check| health_check(check, ports))
    };
    let health_checks = of_kind(CheckKind::Service).collect();
    let kill_policy = run_spec
        .kill_grace_period_ms
        .map(|grace_period_ms| KillPolicy { grace_period: Some(DurationInfo::from_milliseconds(grace_period_ms)) });
    TaskInfo {
        name: run_spec.id.reversed(),
        task_id: task_id.clone(),
        agent_id: agent.id.clone(),
        resources,
        command: Some(command(run_spec, task_id, agent, ports)),
        health_check: of_kind(CheckKind::Agent).next(),
        kill_policy,
        labels: labels(&run_spec.labels),
        discovery: Some(discovery(run_spec, ports)),
        health_checks,
        ..TaskInfo::default()
    }
}

fn command(run_spec: &RunSpec, task_id: &TaskId, agent: &Agent, ports: &[u16]) -> CommandInfo {
    let (shell, value, arguments) = match &run_spec.command {
        CommandLine::Shell(line) => (true, Some(line.clone()), Vec::new()),
        CommandLine::Exec(words) => (false, words.first().cloned(), words.clone()),
    };
    CommandInfo {
        uris: Vec::new(),
        environment: Some(environment(run_spec, task_id, agent, ports)),
        shell,
        value,
        arguments,
        user: run_spec.user.clone(),
    }
}

/// How the task is found: by its reversed path, which is a host name, and its ports.
fn discovery(run_spec: &RunSpec, ports: &[u16]) -> DiscoveryInfo {
    let ports = run_spec.ports.iter().zip(ports).flat_map(|(definition, number)| discovery_ports(definition, *number));
    DiscoveryInfo {
        visibility: Visibility::Framework,
        name: Some(run_spec.id.reversed()),
        ports: Some(Ports { ports: ports.collect() }),
        ..DiscoveryInfo::default()
    }
}

fn discovery_ports(definition: &PortDefinition, number: u16) -> Vec<Port> {
    let protocols: &[&str] = match definition.protocol {
        Protocol::Tcp => &["tcp"],
        Protocol::Udp => &["udp"],
        Protocol::UdpTcp => &["udp", "tcp"],
    };
    let mut of_port = definition.labels.clone();
    of_port.insert("network-scope".to_owned(), "host".to_owned());
    let port = |protocol: &&str| Port {
        number: u32::from(number),
        name: definition.name.clone(),
        protocol: Some((*protocol).to_owned()),
        visibility: None,
        labels: labels(&of_port),
    };
    protocols.iter().map(port).collect()
}

fn labels(labels: &BTreeMap<String, String>) -> Option<Labels> {
    let label = |(key, value): (&String, &String)| Label { key: key.clone(), value: Some(value.clone()) };
    (!labels.is_empty()).then(|| Labels { labels: labels.iter().map(label).collect() })
}

/// A health check as the agent makes it. None when it names a port that the task does not have, which the border refuses.
fn health_check(check: &HealthCheck, ports: &[u16]) -> Option<v1::HealthCheck> {
    let port = match check.port {
        CheckedPort::Number(port) => Some(port),
        CheckedPort::Index(index) => Some(*ports.get(usize::try_from(index).ok()?)?),
        CheckedPort::None => None,
    };
    let port = port.map(u32::from);
    let (mut http, mut tcp, mut command) = (None, None, None);
    let r#type = match &check.endpoint {
        Endpoint::Http { scheme, path, .. } => {
            let scheme = match scheme {
                Scheme::Http => "http",
                Scheme::Https => "https",
            };
            http = Some(HttpCheckInfo {
                protocol: NetworkProtocol::Ipv4,
                scheme: Some(scheme.to_owned()),
                port: port?,
                path: Some(path.clone().unwrap_or_else(|| "/".to_owned())),
                statuses: Vec::new(),
            });
            HealthCheckType::Http
        }
        Endpoint::Tcp => {
            tcp = Some(TcpCheckInfo { protocol: NetworkProtocol::Ipv4, port: port? });
            HealthCheckType::Tcp
        }
        Endpoint::Command(value) => {
            command = Some(CommandInfo { value: Some(value.clone()), ..CommandInfo::default() });
            HealthCheckType::Command
        }
    };
    let delay_ms = match check.kind {
        CheckKind::Agent => check.delay_ms,
        // Marathon's own checks begin after an interval, but soon.
        CheckKind::Service => check.interval_ms.min(5_000),
    };
    Some(v1::HealthCheck {
        delay_seconds: seconds(delay_ms),
        interval_seconds: seconds(check.interval_ms),
        timeout_seconds: seconds(check.timeout_ms),
        consecutive_failures: check.max_consecutive_failures,
        grace_period_seconds: seconds(check.grace_period_ms),
        r#type: Some(r#type),
        command,
        http,
        tcp,
    })
}

fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1_000.0
}
