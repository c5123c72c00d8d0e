//! Pods: a written definition is a whole one, so everything about it is judged here.

use std::collections::{BTreeMap, BTreeSet};

use attica_core_api::{Scalar, Timestamp};
use attica_paas_api::container::{LinuxInfo, ResourceLimits};
use attica_paas_api::pod::{
    Pod as Written, PodConstraint, PodContainer as WrittenContainer, PodImage as WrittenImage, PodResources,
    PodScaling, PodScheduling, PodVolume as WrittenVolume, VolumeMount,
};
use attica_paas_api::{Number, update::EnvironmentValue};

use super::networks::Deprecated;
use super::{
    Faults, Rules, command, constraint, container, executor, fetch, limits, networks, numbers, placement, pod_checks,
};
use super::{persistent, pod_endpoints, secrets, strategy, text};
use crate::model::{
    Access, Backoff, CommandLine, EnvValue, Ipc, KillSelection, Limit, Limits, Networks, Placement, Pod, PodCommand,
    PodContainer, PodImage, PodMount, PodVolume, PodVolumeSource, Pull, Residency, Resources, RunSpec, RunSpecId,
    Unreachable, Upgrade, Version, is_container_name,
};

/// Reads the definition of `id`. Its versions are the engine's to give, and so is its role when none is written, which leaves it empty.
///
/// # Errors
/// Every fault that was found, by path.
pub fn pod(written: Written, id: &RunSpecId, rules: &Rules) -> Result<RunSpec, Faults> {
    let mut faults = Faults::default();
    let none = Deprecated { docker: None, ip_address: None };
    // With networks that are refused, endpoints are judged as those of containers.
    let refused = if written.networks.is_empty() { Networks::Host } else { Networks::Container(Vec::new()) };
    let networks = networks::networks(Some(written.networks), &none, rules, &mut faults).unwrap_or(refused);
    let containers = containers(written.containers, id, &networks, &mut faults);
    let volumes = volumes(written.volumes, &containers, &mut faults);
    let ipc = written.linux_info.and_then(|linux| ipc(linux, &containers, &mut faults));
    let executor = executor::resources(written.executor_resources.unwrap_or_default(), &mut faults);
    let (instances, instances_max) = scaling(written.scaling, &mut faults);
    if written.legacy_shared_cgroups == Some(true) {
        for (index, _) in containers.iter().enumerate().filter(|(_, container)| !container.limits.is_empty()) {
            let path = format!("/containers({index})/resourceLimits");
            faults.add(path, "resourceLimits cannot be defined if legacySharedCgroups is enabled");
        }
    }
    let is_persistent = |volume: &PodVolume| matches!(volume.source, PodVolumeSource::Persistent(_));
    // What pods say nothing of is as it is for apps.
    let residency = volumes.iter().any(is_persistent).then(Residency::default);
    let scheduling = scheduling(written.scheduling.unwrap_or_default(), residency, &mut faults);
    let policy = super::policy::policy(written.deployment, "", &mut faults);
    let user = command::user(written.user, &mut faults);
    let env = environment("/environment", written.environment, &mut faults);
    let secrets = secrets::declared(Some(written.secrets), &mut faults).unwrap_or_default();
    let labels = text::labels("/labels", Some(written.labels), &mut faults).unwrap_or_default();
    let shared_cgroups = written.legacy_shared_cgroups;
    let pod = Pod { containers, volumes, executor, instances_max, shared_cgroups, ipc };
    let unborn = Version(Timestamp(0));
    let run_spec = RunSpec {
        id: id.clone(),
        version: unborn,
        last_scaling_at: unborn,
        last_config_change_at: unborn,
        generation: unborn,
        instances,
        user,
        container: None,
        fetch: Vec::new(),
        tty: None,
        executor: None,
        executor_resources: None,
        resources: pod.resources(),
        limits: Limits::default(),
        env,
        secrets,
        labels,
        ports: pod.ports(&networks),
        networks,
        require_ports: false,
        health_checks: Vec::new(),
        readiness_check: None,
        check: None,
        kill_grace_period_ms: None,
        drain_timeout_ms: None,
        drain_delay_ms: None,
        policy,
        dependencies: Vec::new(),
        role: written.role.unwrap_or_default(),
        command: CommandLine::Pod(Box::new(pod)),
        placement: scheduling.placement,
        backoff: scheduling.backoff,
        upgrade: scheduling.upgrade,
        unreachable: scheduling.unreachable,
        residency,
        kill_selection: scheduling.kill_selection,
    };
    faults.into_result(run_spec)
}

/// Whom the containers share memory with that do not say so themselves. As in Marathon, the rest of `linuxInfo` is theirs alone.
fn ipc(written: LinuxInfo, containers: &[PodContainer], faults: &mut Faults) -> Option<Ipc> {
    if written.seccomp.is_some() {
        faults.add("/linuxInfo/seccomp", "Seccomp configuration on executor level is not supported");
    }
    let ipc = container::own_linux("/linuxInfo", LinuxInfo { seccomp: None, ..written }, faults)?.ipc;
    let is_private = |ipc: Option<Ipc>| matches!(ipc, Some(Ipc::Private { .. }));
    let own = |container: &PodContainer| container.linux.as_ref().and_then(|linux| linux.ipc);
    if is_private(ipc) && containers.iter().filter(|container| !is_private(own(container))).count() > 1 {
        let error = "memory that several containers share with nobody else is not supported: all but one have to say PRIVATE themselves";
        faults.add("/linuxInfo/ipcInfo/mode", error);
    }
    ipc
}

fn containers(
    written: Vec<WrittenContainer>,
    id: &RunSpecId,
    networks: &Networks,
    faults: &mut Faults,
) -> Vec<PodContainer> {
    if written.is_empty() {
        faults.add("/containers", "must not be empty");
    }
    if written.len() > limits::CONTAINERS_MAX {
        faults.add("/containers", format!("must not have more than {} items", limits::CONTAINERS_MAX));
    }
    let mut names = BTreeSet::new();
    if !written.iter().all(|container| names.insert(container.name.as_str())) {
        faults.add("/containers", "container names must be unique");
    }
    pod_endpoints::check_unique(&written, networks, faults);
    let endpoints: Vec<String> =
        written.iter().flat_map(|container| &container.endpoints).map(|endpoint| endpoint.name.clone()).collect();
    let containers = written.into_iter().enumerate();
    containers
        .filter_map(|(index, written)| {
            container(&format!("/containers({index})"), written, id, networks, &endpoints, faults)
        })
        .collect()
}

fn container(
    path: &str,
    written: WrittenContainer,
    id: &RunSpecId,
    networks: &Networks,
    endpoints: &[String],
    faults: &mut Faults,
) -> Option<PodContainer> {
    check_name(&format!("{path}/name"), &written.name, id, faults);
    let command = match written.exec {
        None if written.image.is_none() => {
            faults.add(path, "needs exec, or an image that says what to run");
            None
        }
        None => None,
        Some(exec) => pod_checks::line(&format!("{path}/exec/command"), exec.command, faults)
            .map(|line| PodCommand { line, overrides_entrypoint: exec.override_entrypoint }),
    };
    let resources = resources(&format!("{path}/resources"), written.resources, faults);
    let grace = written.lifecycle.and_then(|lifecycle| lifecycle.kill_grace_period_seconds);
    let linux =
        |linux: LinuxInfo, faults: &mut Faults| container::own_linux(&format!("{path}/linuxInfo"), linux, faults);
    let mounts = mounts(path, written.volume_mounts, written.image.is_some(), faults);
    Some(PodContainer {
        command,
        limits: resource_limits(&format!("{path}/resourceLimits"), written.resource_limits, &resources, faults),
        resources,
        endpoints: pod_endpoints::endpoints(path, written.endpoints, networks, faults),
        image: written.image.and_then(|image| self::image(&format!("{path}/image"), image, faults)),
        env: environment(&format!("{path}/environment"), written.environment, faults),
        user: written.user.and_then(|user| command::user(Some(user), faults)),
        health_check: written
            .health_check
            .and_then(|check| pod_checks::health_check(&format!("{path}/healthCheck"), check, endpoints, faults)),
        check: written.check.and_then(|check| pod_checks::check(&format!("{path}/check"), check, endpoints, faults)),
        mounts,
        artifacts: fetch::checked(&format!("{path}/artifacts"), written.artifacts, faults),
        labels: text::labels(&format!("{path}/labels"), Some(written.labels), faults).unwrap_or_default(),
        linux: written.linux_info.and_then(|written| linux(written, faults)),
        tty: written.tty,
        kill_grace_period_ms: numbers::milliseconds(&format!("{path}/lifecycle/killGracePeriodSeconds"), grace, faults),
        name: written.name,
    })
}

/// A container's name is part of the ids of its tasks, which have a limit.
fn check_name(path: &str, name: &str, id: &RunSpecId, faults: &mut Faults) {
    if !is_container_name(name) {
        faults.add(path, "must fully match regular expression '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', in 63 characters");
    }
    // An app's tasks have `_app` in the place of the name.
    let most = RunSpecId::LENGTH_MAX + "_app".len();
    if id.as_str().len() + name.len() > most {
        faults.add(path, format!("must not be longer than {most} characters together with the pod's id"));
    }
}

pub(super) fn resources(path: &str, written: PodResources, faults: &mut Faults) -> Resources {
    let gpus = numbers::whole(&format!("{path}/gpus"), Some(written.gpus), faults).unwrap_or(Scalar::ZERO);
    let mut quantity = |name: &str, value: Number, least: f64| {
        numbers::quantity(&format!("{path}/{name}"), Some(value), least, faults).unwrap_or(Scalar::ZERO)
    };
    Resources {
        cpus: quantity("cpus", written.cpus, 0.001),
        mem: quantity("mem", written.mem, 0.0),
        disk: quantity("disk", written.disk, 0.0),
        gpus,
    }
}

fn resource_limits(path: &str, written: Option<ResourceLimits>, needs: &Resources, faults: &mut Faults) -> Limits {
    let limits = numbers::limits(path, written, faults).unwrap_or_default();
    for (name, limit, need) in [("cpus", limits.cpus, needs.cpus), ("mem", limits.mem, needs.mem)] {
        if let Some(Limit::Amount(amount)) = limit
            && amount < need
        {
            let error =
                format!("resource limit must be greater than or equal to requested resource ({})", need.to_f64());
            faults.add(format!("{path}/{name}"), error);
        }
    }
    limits
}

fn image(path: &str, written: WrittenImage, faults: &mut Faults) -> Option<PodImage> {
    if written.kind != "DOCKER" {
        faults.add(format!("{path}/kind"), "must be DOCKER");
    }
    container::check_image_name(&format!("{path}/id"), &written.id, faults);
    Some(PodImage {
        name: written.id,
        pull: if written.force_pull { Pull::Always } else { Pull::Missing },
        pull_secret: written.pull_config.map(|config| config.secret),
        labels: text::labels(&format!("{path}/labels"), Some(written.labels), faults)?,
    })
}

/// Variables, by the rule that Marathon has for their names in pods.
fn environment(
    path: &str,
    written: BTreeMap<String, EnvironmentValue>,
    faults: &mut Faults,
) -> BTreeMap<String, EnvValue> {
    const NAME_LENGTH_MAX: usize = 254;
    let is_name = |name: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        name.len() <= NAME_LENGTH_MAX
            && name.bytes().all(allowed)
            && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
    };
    for name in written.keys().filter(|name| !is_name(name)) {
        faults.add(
            format!("{path}/{name}"),
            "must fully match regular expression '^[a-zA-Z_][a-zA-Z0-9_]*$', in 254 characters",
        );
    }
    text::environment(path, Some(written), faults).unwrap_or_default()
}

fn mounts(path: &str, written: Vec<VolumeMount>, rooted: bool, faults: &mut Faults) -> Vec<PodMount> {
    let path = format!("{path}/volumeMounts");
    container::check_distinct(&path, written.iter().map(|mount| mount.mount_path.as_str()), faults);
    for (index, mount) in written.iter().enumerate() {
        container::check_place(&format!("{path}({index})/mountPath"), &mount.mount_path, rooted, faults);
    }
    let access = |read_only: bool| if read_only { Access::ReadOnly } else { Access::ReadWrite };
    let mount = |mount: VolumeMount| PodMount {
        volume: mount.name,
        path: mount.mount_path,
        access: mount.read_only.map(access),
    };
    written.into_iter().map(mount).collect()
}

fn volumes(written: Vec<WrittenVolume>, containers: &[PodContainer], faults: &mut Faults) -> Vec<PodVolume> {
    if written.len() > limits::VOLUMES_MAX {
        faults.add("/volumes", format!("must not have more than {} items", limits::VOLUMES_MAX));
    }
    let mut names = BTreeSet::new();
    if !written.iter().all(|volume| names.insert(volume.name.as_str())) {
        faults.add("/volumes", "volume names must be unique");
    }
    for (container, mounts) in containers.iter().map(|container| &container.mounts).enumerate() {
        for (index, _) in mounts.iter().enumerate().filter(|(_, mount)| !names.contains(mount.volume.as_str())) {
            let path = format!("/containers({container})/volumeMounts({index})/name");
            faults.add(path, "Referenced Volume in VolumeMount should exist");
        }
    }
    for (index, volume) in written.iter().enumerate() {
        let path = format!("/volumes({index})");
        let is_mounted = |container: &PodContainer| container.mounts.iter().any(|mount| mount.volume == volume.name);
        if !containers.iter().any(is_mounted) {
            faults.add(&path, "volume must be referenced by at least one container");
        }
        if !is_container_name(&volume.name) {
            faults.add(format!("{path}/name"), "must fully match regular expression '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'");
        }
        if let Some(host) = &volume.host {
            text::check(&format!("{path}/host"), host, limits::PATH_LENGTH_MAX, faults);
            if !host.starts_with('/') {
                faults.add(format!("{path}/host"), "must be an absolute path");
            }
        }
        let sources = [volume.host.is_some(), volume.persistent.is_some(), volume.secret.is_some()];
        if sources.into_iter().filter(|given| *given).count() > 1 {
            faults.add(&path, "is either a path of the machine, a persistent volume or a secret");
        }
    }
    for (container, mounts) in containers.iter().map(|container| &container.mounts).enumerate() {
        let is_secret = |name: &str| written.iter().any(|volume| volume.name == name && volume.secret.is_some());
        let writable = |mount: &PodMount| mount.access == Some(Access::ReadWrite) && is_secret(&mount.volume);
        for (index, _) in mounts.iter().enumerate().filter(|(_, mount)| writable(mount)) {
            let path = format!("/containers({container})/volumeMounts({index})/readOnly");
            faults.add(path, "a volume with a secret can only be read");
        }
    }
    let mut volumes = Vec::with_capacity(written.len());
    for (index, volume) in written.into_iter().enumerate() {
        let source = match (volume.host, volume.persistent, volume.secret) {
            (None, None, None) => PodVolumeSource::Ephemeral,
            (Some(host), None, None) => PodVolumeSource::Host(host),
            (None, None, Some(secret)) => PodVolumeSource::Secret(secret),
            (None, Some(written), None) => {
                match persistent::volume(&format!("/volumes({index})/persistent"), written, faults) {
                    Some(persistent) => PodVolumeSource::Persistent(persistent),
                    None => continue,
                }
            }
            // Which is a fault already.
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => continue,
        };
        volumes.push(PodVolume { name: volume.name, source });
    }
    volumes
}

fn scaling(written: Option<PodScaling>, faults: &mut Faults) -> (u32, Option<u32>) {
    let Some(PodScaling { kind, instances, max_instances }) = written else { return (1, None) };
    if kind != "fixed" {
        faults.add("/scaling/kind", "Not a fixed scaling policy");
    }
    let instances = numbers::count("/scaling/instances", Some(instances), limits::INSTANCES_MAX, faults);
    (instances.unwrap_or_default(), numbers::count("/scaling/maxInstances", max_instances, u32::MAX, faults))
}

struct Scheduling {
    placement: Placement,
    backoff: Backoff,
    upgrade: Upgrade,
    unreachable: Unreachable,
    kill_selection: KillSelection,
}

fn scheduling(written: PodScheduling, residency: Option<Residency>, faults: &mut Faults) -> Scheduling {
    let path = "/scheduling";
    let mut milliseconds = |name: &str, value: Number| {
        numbers::milliseconds(&format!("{path}/backoff/{name}"), Some(value), faults).unwrap_or_default()
    };
    let first_ms = milliseconds("backoff", written.backoff.backoff);
    let max_ms = milliseconds("maxLaunchDelay", written.backoff.max_launch_delay);
    let factor = Some(written.backoff.backoff_factor);
    let factor = numbers::at_least(&format!("{path}/backoff/backoffFactor"), factor, 1.0, faults);
    let upgrade = strategy::upgrade(&format!("{path}/upgrade"), written.upgrade, faults);
    let unreachable =
        strategy::unreachable(&format!("{path}/unreachableStrategy"), written.unreachable_strategy, faults);
    let (default_upgrade, default_unreachable) = match residency {
        Some(_) => (Upgrade::RESIDENT, Unreachable::Disabled),
        None => (Upgrade::DEFAULT, Unreachable::DEFAULT),
    };
    let roles = written.placement.accepted_resource_roles;
    let accepted = format!("{path}/placement/acceptedResourceRoles");
    // Early clients write an empty list for any role.
    let roles = Some(roles).filter(|roles| !roles.is_empty());
    let placement = Placement {
        constraints: constraint::objects(
            &format!("{path}/placement/constraints"),
            written.placement.constraints.into_iter().map(parts).collect(),
            faults,
        ),
        accepted_resource_roles: placement::accepted_roles(&accepted, roles, faults).unwrap_or_default(),
    };
    Scheduling {
        placement,
        backoff: Backoff { first_ms, factor: factor.unwrap_or(1.0), max_ms },
        upgrade: upgrade.unwrap_or(default_upgrade),
        unreachable: unreachable.unwrap_or(default_unreachable),
        kill_selection: kill_selection(&format!("{path}/killSelection"), &written.kill_selection, faults),
    }
}

fn parts(written: PodConstraint) -> Vec<String> {
    [Some(written.field_name), Some(written.operator), written.value].into_iter().flatten().collect()
}

/// In any case: published definitions write it in several.
fn kill_selection(path: &str, written: &str, faults: &mut Faults) -> KillSelection {
    if written.eq_ignore_ascii_case("OLDEST_FIRST") {
        return KillSelection::OldestFirst;
    }
    if !written.eq_ignore_ascii_case("YOUNGEST_FIRST") {
        faults.add(path, "must be one of YOUNGEST_FIRST, OLDEST_FIRST");
    }
    KillSelection::YoungestFirst
}
