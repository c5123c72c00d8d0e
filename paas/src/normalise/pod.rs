use attica_paas_api::Number;
use attica_paas_api::app::{UnreachableDelays, UnreachableStrategy, UpgradeStrategy};
use attica_paas_api::check::{ExecCheck, ExecCommand};
use attica_paas_api::pod::{
    Endpoint as ReadEndpoint, ExecutorResources, Lifecycle, Pod as ReadPod, PodBackoff, PodCheck, PodConstraint,
    PodContainer as ReadContainer, PodExec, PodHealthCheck, PodHttpCheck, PodImage as ReadImage, PodPlacement,
    PodResources, PodScaling, PodScheduling, PodTcpCheck, PodVolume as ReadVolume, VolumeMount, youngest_first,
};

use super::{container, secret};
use crate::model::{
    Access, Check, CheckedPort, CommandLine, Constraint, Endpoint, HealthCheck, KillSelection, Linux, Pod,
    PodContainer, PodEndpoint, PodImage, PodMount, PodVolume, PodVolumeSource, Pull, Question, Resources, RunSpec,
    Scheme, Unreachable,
};

/// A definition as clients read it; none for an app's.
#[must_use]
pub fn pod(spec: &RunSpec) -> Option<ReadPod> {
    let pod = spec.pod()?;
    Some(ReadPod {
        id: spec.id.to_string(),
        version: Some(spec.version.to_string()),
        labels: spec.labels.clone(),
        user: spec.user.clone(),
        environment: secret::environment(&spec.env),
        secrets: secret::declared(&spec.secrets),
        containers: pod.containers.iter().map(|of| container(of, pod)).collect(),
        volumes: pod.volumes.iter().map(volume).collect(),
        networks: container::networks(&spec.networks),
        scaling: Some(PodScaling {
            kind: "fixed".to_owned(),
            instances: spec.instances.into(),
            max_instances: pod.instances_max.map(i64::from),
        }),
        scheduling: Some(scheduling(spec)),
        executor_resources: Some(executor_resources(&pod.executor)),
        role: Some(spec.role.clone()),
        deployment: spec.policy.map(super::policy),
        linux_info: pod.ipc.map(|ipc| container::linux(&Linux { seccomp: None, ipc: Some(ipc) })),
        legacy_shared_cgroups: pod.shared_cgroups,
    })
}

fn container(container: &PodContainer, pod: &Pod) -> ReadContainer {
    let exec = |command: &crate::model::PodCommand| PodExec {
        command: line(&command.line),
        override_entrypoint: command.overrides_entrypoint,
    };
    let grace = container.kill_grace_period_ms.map(seconds);
    ReadContainer {
        name: container.name.clone(),
        exec: container.command.as_ref().map(exec),
        resources: resources(&container.resources),
        resource_limits: container::limits(container.limits),
        endpoints: container.endpoints.iter().map(endpoint).collect(),
        image: container.image.as_ref().map(image),
        environment: secret::environment(&container.env),
        user: container.user.clone(),
        health_check: container.health_check.as_ref().map(|check| health_check(check, pod)),
        check: container.check.as_ref().map(|asked| check(asked, pod)),
        volume_mounts: container.mounts.iter().map(mount).collect(),
        artifacts: container.artifacts.iter().map(container::artifact).collect(),
        labels: container.labels.clone(),
        lifecycle: grace.map(|grace| Lifecycle { kill_grace_period_seconds: Some(grace) }),
        linux_info: container.linux.as_ref().map(container::linux),
        tty: container.tty,
    }
}

/// What an executor needs, as clients read it.
pub(super) fn executor_resources(resources: &Resources) -> ExecutorResources {
    ExecutorResources {
        cpus: Number(resources.cpus.to_f64()),
        mem: Number(resources.mem.to_f64()),
        disk: Number(resources.disk.to_f64()),
    }
}

/// What something of a pod needs, as clients read it.
pub(super) fn resources(resources: &Resources) -> PodResources {
    PodResources {
        cpus: Number(resources.cpus.to_f64()),
        mem: Number(resources.mem.to_f64()),
        disk: Number(resources.disk.to_f64()),
        gpus: Number(resources.gpus.to_f64()),
    }
}

fn line(line: &CommandLine) -> ExecCommand {
    match line {
        CommandLine::Shell(line) => ExecCommand { shell: Some(line.clone()), argv: None },
        CommandLine::Exec(words) => ExecCommand { shell: None, argv: Some(words.clone()) },
        CommandLine::Image | CommandLine::Graph(_) | CommandLine::Pod(_) => ExecCommand { shell: None, argv: None },
    }
}

fn endpoint(endpoint: &PodEndpoint) -> ReadEndpoint {
    ReadEndpoint {
        name: endpoint.name.clone(),
        container_port: endpoint.container_port.map(i64::from),
        host_port: endpoint.host_port.map(i64::from),
        protocol: endpoint.protocols.clone(),
        labels: endpoint.labels.clone(),
        network_names: endpoint.networks.clone(),
    }
}

fn image(image: &PodImage) -> ReadImage {
    ReadImage {
        kind: "DOCKER".to_owned(),
        id: image.name.clone(),
        force_pull: image.pull == Pull::Always,
        pull_config: image.pull_secret.as_deref().map(secret::reference),
        labels: image.labels.clone(),
    }
}

/// The endpoint that a check names.
fn named(pod: &Pod, index: u32) -> String {
    let found = pod.endpoints().nth(usize::try_from(index).unwrap_or(usize::MAX));
    found.map(|(_, endpoint)| endpoint.name.clone()).unwrap_or_default()
}

fn health_check(check: &HealthCheck, pod: &Pod) -> PodHealthCheck {
    let whole_seconds = |milliseconds: u64| i64::try_from(milliseconds / 1000).unwrap_or(i64::MAX);
    let endpoint = match check.port {
        CheckedPort::Index(index) => named(pod, index),
        CheckedPort::Number(_) | CheckedPort::None => String::new(),
    };
    let mut read = PodHealthCheck {
        http: None,
        tcp: None,
        exec: None,
        grace_period_seconds: whole_seconds(check.grace_period_ms),
        interval_seconds: whole_seconds(check.interval_ms),
        max_consecutive_failures: check.max_consecutive_failures.into(),
        timeout_seconds: whole_seconds(check.timeout_ms),
        delay_seconds: whole_seconds(check.delay_ms),
    };
    let exec = |command: ExecCommand| Some(ExecCheck { command });
    match &check.endpoint {
        Endpoint::Http { scheme, path, .. } => {
            let scheme = match scheme {
                Scheme::Http => "HTTP",
                Scheme::Https => "HTTPS",
            };
            read.http = Some(PodHttpCheck { endpoint, path: path.clone(), scheme: Some(scheme.to_owned()) });
        }
        Endpoint::Tcp => read.tcp = Some(PodTcpCheck { endpoint }),
        Endpoint::Command(line) => read.exec = exec(ExecCommand { shell: Some(line.clone()), argv: None }),
        Endpoint::Program(words) => read.exec = exec(ExecCommand { shell: None, argv: Some(words.clone()) }),
    }
    read
}

fn check(check: &Check, pod: &Pod) -> PodCheck {
    let whole_seconds = |milliseconds: u64| i64::try_from(milliseconds / 1000).unwrap_or(i64::MAX);
    let mut read = PodCheck {
        http: None,
        tcp: None,
        exec: None,
        interval_seconds: whole_seconds(check.interval_ms),
        timeout_seconds: whole_seconds(check.timeout_ms),
        delay_seconds: whole_seconds(check.delay_ms),
    };
    match &check.question {
        Question::Http { port_index, path } => {
            let (endpoint, scheme) = (named(pod, *port_index), Some("HTTP".to_owned()));
            read.http = Some(PodHttpCheck { endpoint, path: path.clone(), scheme });
        }
        Question::Tcp { port_index } => read.tcp = Some(PodTcpCheck { endpoint: named(pod, *port_index) }),
        Question::Command(asked) => read.exec = Some(ExecCheck { command: line(asked) }),
    }
    read
}

fn mount(mount: &PodMount) -> VolumeMount {
    VolumeMount {
        name: mount.volume.clone(),
        mount_path: mount.path.clone(),
        read_only: mount.access.map(|access| access == Access::ReadOnly),
    }
}

fn volume(volume: &PodVolume) -> ReadVolume {
    let read = ReadVolume { name: volume.name.clone(), ..ReadVolume::default() };
    match &volume.source {
        PodVolumeSource::Ephemeral => read,
        PodVolumeSource::Host(path) => ReadVolume { host: Some(path.clone()), ..read },
        PodVolumeSource::Persistent(volume) => ReadVolume { persistent: Some(container::persistent(volume)), ..read },
        PodVolumeSource::Secret(secret) => ReadVolume { secret: Some(secret.clone()), ..read },
    }
}

fn scheduling(spec: &RunSpec) -> PodScheduling {
    PodScheduling {
        backoff: PodBackoff {
            backoff: seconds(spec.backoff.first_ms),
            backoff_factor: Number(spec.backoff.factor),
            max_launch_delay: seconds(spec.backoff.max_ms),
        },
        upgrade: Some(UpgradeStrategy {
            minimum_health_capacity: Number(spec.upgrade.minimum_health_capacity),
            maximum_over_capacity: Number(spec.upgrade.maximum_over_capacity),
        }),
        placement: PodPlacement {
            constraints: spec.placement.constraints.iter().map(constraint).collect(),
            accepted_resource_roles: spec.placement.accepted_resource_roles.clone(),
        },
        kill_selection: match spec.kill_selection {
            KillSelection::YoungestFirst => youngest_first(),
            KillSelection::OldestFirst => "OLDEST_FIRST".to_owned(),
        },
        unreachable_strategy: Some(match spec.unreachable {
            Unreachable::Disabled => UnreachableStrategy::Disabled,
            Unreachable::After { inactive_ms, expunge_ms } => UnreachableStrategy::After(UnreachableDelays {
                inactive_after_seconds: i64::try_from(inactive_ms / 1000).unwrap_or(i64::MAX),
                expunge_after_seconds: i64::try_from(expunge_ms / 1000).unwrap_or(i64::MAX),
            }),
        }),
    }
}

fn constraint(constraint: &Constraint) -> PodConstraint {
    PodConstraint {
        field_name: constraint.field.to_string(),
        operator: constraint.operator.name().to_owned(),
        value: constraint.operator.value(),
    }
}

fn seconds(milliseconds: u64) -> Number {
    Number(milliseconds as f64 / 1000.0)
}
