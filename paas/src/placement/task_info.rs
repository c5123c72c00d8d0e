use std::collections::BTreeMap;

use attica_core_api::v1::{
    self, CheckCommand, CheckHttp, CheckTcp, CheckType, CommandInfo, CommandUri, DiscoveryInfo, DurationInfo,
    HealthCheckType, HttpCheckInfo, HttpLifecycle, KillPolicy, Label, Labels, LogRotation, NetworkProtocol, Port,
    Ports, ProcessInfo, ProcessLogger, ProcessOrder, Resource, TaskId, TaskInfo, TcpCheckInfo, Visibility,
};

use super::container;
use super::environment::{Surroundings, environment};
use crate::model::{
    Agent, Artifact, Check, CheckKind, CheckedPort, CommandLine, Endpoint, GivenPort, Graph, GraphProcess, HealthCheck,
    IpFamily, Limit, Limits, PortDefinition, Protocol, Question, Rotation, RunSpec, Scheme,
};

/// The task that the master is asked to launch, with these ports of the host.
#[must_use]
pub fn task_info(
    run_spec: &RunSpec,
    surroundings: &Surroundings,
    task_id: &TaskId,
    agent: &Agent,
    host_ports: &[u16],
    resources: Vec<Resource>,
) -> TaskInfo {
    let ports = run_spec.given_ports(host_ports);
    let ports = ports.as_slice();
    let of_kind = |kind: CheckKind| {
        let checks = run_spec.health_checks.iter().filter(move |check| check.kind == kind);
        checks.filter_map(|check| health_check(check, ports, surroundings))
    };
    // Answers to the last one say whether the task is ready.
    let health_checks = of_kind(CheckKind::Service).chain(readiness_check(run_spec, ports)).collect();
    let kill_policy = run_spec
        .kill_grace_period_ms
        .map(|grace_period_ms| KillPolicy { grace_period: Some(DurationInfo::from_milliseconds(grace_period_ms)) });
    TaskInfo {
        name: run_spec.id.reversed(),
        task_id: task_id.clone(),
        agent_id: agent.id.clone(),
        resources,
        command: Some(command(run_spec, surroundings, task_id, agent, ports)),
        health_check: of_kind(CheckKind::Agent).next(),
        container: container::container(run_spec, ports).map(Box::new),
        limits: limits(&run_spec.limits),
        check: run_spec.check.as_ref().and_then(|check| self::check(check, ports)),
        kill_policy,
        labels: labels(&run_spec.labels),
        discovery: Some(discovery(run_spec, ports)),
        health_checks,
        processes: processes(run_spec, ports),
        ..TaskInfo::default()
    }
}

/// Upper bounds by the name of the resource. Mesos writes infinity for none.
pub(super) fn limits(limits: &Limits) -> BTreeMap<String, v1::Scalar> {
    let limits = [("cpus", limits.cpus), ("mem", limits.mem)];
    let amount = |limit| match limit {
        Limit::Unlimited => f64::INFINITY,
        Limit::Amount(amount) => attica_core_api::Scalar::to_f64(amount),
    };
    let limit = |(name, limit): (&str, Option<Limit>)| Some((name.to_owned(), v1::Scalar { value: amount(limit?) }));
    limits.into_iter().filter_map(limit).collect()
}

fn command(
    run_spec: &RunSpec,
    surroundings: &Surroundings,
    task_id: &TaskId,
    agent: &Agent,
    ports: &[GivenPort],
) -> CommandInfo {
    let has_image = run_spec.container.as_ref().is_some_and(|container| container.image.is_some());
    let (shell, value, arguments) = match &run_spec.command {
        // The program is the image's, and these are its arguments.
        CommandLine::Exec(words) if has_image => (false, None, words.clone()),
        line => words(line),
    };
    CommandInfo {
        uris: run_spec.fetch.iter().map(uri).collect(),
        environment: Some(environment(run_spec, surroundings, task_id, agent, ports)),
        shell,
        value,
        arguments,
        user: run_spec.user.clone(),
    }
}

pub(super) fn uri(artifact: &Artifact) -> CommandUri {
    CommandUri {
        value: artifact.uri.clone(),
        executable: Some(artifact.executable),
        extract: artifact.extract,
        cache: Some(artifact.cache),
        output_file: artifact.name.clone(),
    }
}

fn processes(run_spec: &RunSpec, ports: &[GivenPort]) -> Option<Box<v1::ProcessGraph>> {
    match &run_spec.command {
        CommandLine::Graph(graph) => {
            process_graph(graph, |index| Some(ports.get(usize::try_from(index).ok()?)?.container)).map(Box::new)
        }
        CommandLine::Shell(_) | CommandLine::Exec(_) | CommandLine::Image | CommandLine::Pod(_) => None,
    }
}

/// A graph as agents take it, given what number a port has. None when that is none, which the border refuses.
#[must_use]
pub fn process_graph(graph: &Graph, port: impl Fn(u32) -> Option<u16>) -> Option<v1::ProcessGraph> {
    let process = |process: &GraphProcess| ProcessInfo {
        name: process.name.clone(),
        command_line: process.line.clone(),
        max_failures: process.max_failures,
        daemon: process.daemon,
        ephemeral: process.ephemeral,
        r#final: process.last,
        min_duration_seconds: seconds(process.min_duration_ms),
        logger: Some(ProcessLogger {
            destination: process.output.into(),
            rotation: process.rotation.map(|Rotation { size_bytes, backups }| LogRotation { size_bytes, backups }),
        }),
    };
    let lifecycle = match &graph.lifecycle {
        None => None,
        Some(lifecycle) => Some(HttpLifecycle {
            port: port(lifecycle.port_index)?.into(),
            graceful_shutdown_path: lifecycle.graceful_path.clone(),
            shutdown_path: lifecycle.final_path.clone(),
            graceful_shutdown_wait_seconds: seconds(lifecycle.graceful_wait_ms),
            shutdown_wait_seconds: seconds(lifecycle.final_wait_ms),
        }),
    };
    Some(v1::ProcessGraph {
        processes: graph.processes.iter().map(process).collect(),
        orders: graph.orders.iter().map(|order| ProcessOrder { order: order.clone() }).collect(),
        max_failures: graph.max_failures,
        max_concurrency: graph.max_concurrency,
        finalization_wait_seconds: seconds(graph.finalization_wait_ms),
        lifecycle,
    })
}

/// How the task is found: by its reversed path, which is a host name, and its ports.
fn discovery(run_spec: &RunSpec, ports: &[GivenPort]) -> DiscoveryInfo {
    let ports = run_spec.ports.iter().zip(ports).flat_map(|(definition, port)| discovery_ports(definition, *port));
    DiscoveryInfo {
        visibility: Visibility::Framework,
        name: Some(run_spec.id.reversed()),
        ports: Some(Ports { ports: ports.collect() }),
        ..DiscoveryInfo::default()
    }
}

pub(super) fn discovery_ports(definition: &PortDefinition, port: GivenPort) -> Vec<Port> {
    let mut of_port = definition.labels.clone();
    let (number, scope) = match port.host {
        Some(host) => (host, "host"),
        None => (port.container, "container"),
    };
    of_port.insert("network-scope".to_owned(), scope.to_owned());
    let port = |protocol: &&str| Port {
        number: u32::from(number),
        name: definition.name.clone(),
        protocol: Some((*protocol).to_owned()),
        visibility: None,
        labels: labels(&of_port),
    };
    protocols(definition.protocol).iter().map(port).collect()
}

/// Each by itself.
pub(super) fn protocols(protocol: Protocol) -> &'static [&'static str] {
    match protocol {
        Protocol::Tcp => &["tcp"],
        Protocol::Udp => &["udp"],
        Protocol::UdpTcp => &["udp", "tcp"],
    }
}

pub(super) fn labels(labels: &BTreeMap<String, String>) -> Option<Labels> {
    let label = |(key, value): (&String, &String)| Label { key: key.clone(), value: Some(value.clone()) };
    (!labels.is_empty()).then(|| Labels { labels: labels.iter().map(label).collect() })
}

/// A check without a consequence as the agent makes it, from within the networks of the task. None when it names a port that the task does
/// not have, which the border refuses.
pub(super) fn check(check: &Check, ports: &[GivenPort]) -> Option<v1::CheckInfo> {
    let port = |index: u32| Some(u32::from(ports.get(usize::try_from(index).ok()?)?.container));
    let mut info = v1::CheckInfo {
        delay_seconds: seconds(check.delay_ms),
        interval_seconds: seconds(check.interval_ms),
        timeout_seconds: seconds(check.timeout_ms),
        ..v1::CheckInfo::default()
    };
    match &check.question {
        Question::Http { port_index, path } => {
            info.r#type = Some(CheckType::Http);
            info.http = Some(CheckHttp { port: port(*port_index)?, path: path.clone() });
        }
        Question::Tcp { port_index } => {
            info.r#type = Some(CheckType::Tcp);
            info.tcp = Some(CheckTcp { port: port(*port_index)? });
        }
        Question::Command(line) => {
            let (shell, value, arguments) = words(line);
            let command = CommandInfo { shell, value, arguments, ..CommandInfo::default() };
            info.r#type = Some(CheckType::Command);
            info.command = Some(CheckCommand { command });
        }
    }
    Some(info)
}

/// Whether a shell runs it, what is run, and with which arguments.
pub(super) fn words(line: &CommandLine) -> (bool, Option<String>, Vec<String>) {
    match line {
        CommandLine::Shell(line) => (true, Some(line.clone()), Vec::new()),
        CommandLine::Exec(words) => (false, words.first().cloned(), words.clone()),
        CommandLine::Image => (false, None, Vec::new()),
        // What runs are its processes, in this environment.
        CommandLine::Graph(_) => (true, None, Vec::new()),
        // Each of its containers has a command of its own.
        CommandLine::Pod(_) => (false, None, Vec::new()),
    }
}

/// A health check as the agent makes it, from within the networks of the task. None when it names a port that the task does not have,
/// which the border refuses.
pub(super) fn health_check(
    check: &HealthCheck,
    ports: &[GivenPort],
    surroundings: &Surroundings,
) -> Option<v1::HealthCheck> {
    let port = match check.port {
        CheckedPort::Number(port) => Some(port),
        CheckedPort::Index(index) => Some(ports.get(usize::try_from(index).ok()?)?.container),
        CheckedPort::None => None,
    };
    let port = port.map(u32::from);
    let protocol = match check.family {
        IpFamily::V4 => NetworkProtocol::Ipv4,
        IpFamily::V6 => NetworkProtocol::Ipv6,
    };
    let (mut http, mut tcp, mut command) = (None, None, None);
    let r#type = match &check.endpoint {
        Endpoint::Http { scheme, path, ignore_1xx } => {
            let scheme = match scheme {
                Scheme::Http => "http",
                Scheme::Https => "https",
            };
            http = Some(HttpCheckInfo {
                protocol,
                scheme: Some(scheme.to_owned()),
                port: port?,
                path: Some(path.clone().unwrap_or_else(|| "/".to_owned())),
                statuses: Vec::new(),
                ignore_1xx: ignore_1xx.then_some(true),
                keep_response: None,
            });
            HealthCheckType::Http
        }
        Endpoint::Tcp => {
            tcp = Some(TcpCheckInfo { protocol, port: port? });
            HealthCheckType::Tcp
        }
        Endpoint::Command(value) => {
            command = Some(CommandInfo { value: Some(value.clone()), ..CommandInfo::default() });
            HealthCheckType::Command
        }
        Endpoint::Program(words) => {
            let (value, arguments) = (words.first().cloned(), words.clone());
            command = Some(CommandInfo { shell: false, value, arguments, ..CommandInfo::default() });
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
        consecutive_failures: match surroundings.spares_unhealthy {
            true => u32::MAX,
            false => check.max_consecutive_failures,
        },
        grace_period_seconds: seconds(check.grace_period_ms),
        r#type: Some(r#type),
        command,
        http,
        tcp,
    })
}

/// The readiness check as the agent makes it: as a health check whose verdict has no consequence there. None when it names a port that the
/// task does not have, which the border refuses.
fn readiness_check(run_spec: &RunSpec, ports: &[GivenPort]) -> Option<v1::HealthCheck> {
    let check = run_spec.readiness_check.as_ref()?;
    let named = |definition: &&PortDefinition| definition.name.as_ref() == Some(&check.port_name);
    let port = run_spec.ports.iter().zip(ports).find(|(definition, _)| named(definition)).map(|(_, port)| port)?;
    let scheme = match check.scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    let silent = v1::HealthCheck::default();
    Some(v1::HealthCheck {
        delay_seconds: 0.0,
        interval_seconds: seconds(check.interval_ms),
        timeout_seconds: seconds(check.timeout_ms),
        r#type: Some(HealthCheckType::Http),
        http: Some(HttpCheckInfo {
            protocol: NetworkProtocol::Ipv4,
            scheme: Some(scheme.to_owned()),
            port: port.container.into(),
            path: Some(check.path.clone()),
            statuses: check.statuses.iter().map(|status| u32::from(*status)).collect(),
            ignore_1xx: None,
            keep_response: check.keeps_response.then_some(true),
        }),
        // Failures in the grace period are not told, but what is answered is to be.
        grace_period_seconds: if check.keeps_response { 0.0 } else { silent.grace_period_seconds },
        ..silent
    })
}

fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1_000.0
}
