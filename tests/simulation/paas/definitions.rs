//! What clients want to run: services with health checks and readiness checks, one whose instances stay with their volumes, and a pod.

use std::collections::BTreeMap;

use attica_core_api::Scalar;
use attica_paas::engine::{Definition, GroupDefinition, GroupUpdate, KillMode, RunSpecChange, TaskSelection, Write};
use attica_paas::model::{
    Access, CheckKind, CheckedPort, Container, ContainerKind, DeploymentPolicy, DiskKind, Endpoint, GroupId,
    HealthCheck, InstanceId, IpFamily, OnFailure, PersistentVolume, ReadinessCheck, Residency, RunSpec, RunSpecId,
    RunSpecUpdate, Scheme, TaskLost, Unreachable, Upgrade, Volume, VolumeSource,
};
use attica_paas::validate::{self, Rules};
use serde_json::json;

use crate::random::Random;

/// Under this label the client notes the minimumHealthCapacity that it asked for.
pub(crate) const CAPACITY_LABEL: &str = "asked-capacity";

const SERVICES: [&str; 3] = ["/shop/front", "/shop/back", "/batch"];
const RESIDENT: &str = "/data";
const POD: &str = "/pod";

fn id(path: &str) -> RunSpecId {
    RunSpecId::parse(path).expect("valid")
}

/// Any app, or the pod.
pub(super) fn any_id(random: &mut Random) -> RunSpecId {
    let all = [SERVICES[0], SERVICES[1], SERVICES[2], RESIDENT, POD];
    id(all[random.index(all.len())])
}

pub(super) fn pod() -> RunSpecId {
    id(POD)
}

pub(super) fn shop() -> GroupId {
    GroupId::parse("/shop").expect("valid")
}

/// All services at once.
pub(super) fn all_apps(random: &mut Random) -> Vec<RunSpecChange> {
    let change = |path: &&str| RunSpecChange { id: id(path), to: Definition::Merged(Box::new(any_service(random))) };
    SERVICES.iter().map(change).collect()
}

/// A definition of an app that the simulated agents can run.
pub(super) fn any_update(app: &RunSpecId, random: &mut Random) -> RunSpecUpdate {
    if app.as_str() == RESIDENT { any_resident(random) } else { any_service(random) }
}

/// An app whose instances stay with a volume each. What is kept for them never changes.
fn any_resident(random: &mut Random) -> RunSpecUpdate {
    let persistent =
        PersistentVolume { disk: DiskKind::Root, size_mb: 16, size_max_mb: None, profile: None, paths: Vec::new() };
    let source = VolumeSource::Persistent(persistent);
    let volumes = vec![Volume { container_path: "data".to_owned(), source, access: Access::ReadWrite }];
    let container = Container { kind: ContainerKind::Mesos, image: None, volumes, linux: None };
    let any = any_service(random);
    let minimum_health_capacity = [0.0, 0.5][random.index(2)];
    RunSpecUpdate {
        instances: Some(u32::try_from(random.within(1..3)).expect("few")),
        container: Some(container),
        ports: Some(Vec::new()),
        health_checks: Some(Vec::new()),
        readiness_check: Some(None),
        unreachable: Some(Unreachable::Disabled),
        residency: Some(Residency { relaunch_timeout_ms: 9_000, task_lost: TaskLost::RelaunchAfterTimeout }),
        labels: Some(BTreeMap::from([(CAPACITY_LABEL.to_owned(), minimum_health_capacity.to_string())])),
        upgrade: Some(Upgrade { minimum_health_capacity, maximum_over_capacity: 0.0 }),
        ..any
    }
}

/// A pod of several containers.
fn any_pod(random: &mut Random) -> RunSpec {
    let minimum_health_capacity = [0.0, 0.5, 1.0][random.index(3)];
    let container = |name: &str| json!({"name": name, "exec": {"command": {"shell": "serve"}}, "resources": {"cpus": 0.1, "mem": 32}});
    let containers: Vec<_> = ["a", "b"].iter().map(|name| container(name)).collect();
    let written = json!({
        "id": POD,
        "environment": {"VERSION": random.within(0..4).to_string()},
        "labels": {CAPACITY_LABEL: minimum_health_capacity.to_string()},
        "containers": containers,
        "scaling": {"kind": "fixed", "instances": random.within(0..3)},
        "scheduling": {
            "backoff": {"backoff": 0.2, "backoffFactor": 1.5, "maxLaunchDelay": 2},
            "upgrade": {"minimumHealthCapacity": minimum_health_capacity, "maximumOverCapacity": 0.5},
            "unreachableStrategy": {"inactiveAfterSeconds": 2, "expungeAfterSeconds": 6},
        },
    });
    let written = serde_json::from_value(written).expect("a pod");
    validate::pod(written, &pod(), &Rules::default()).expect("a valid pod")
}

/// `seen` are instances of it that there are or were.
pub(super) fn any_write_of_pod(random: &mut Random, seen: Vec<InstanceId>, force: bool) -> Write {
    let run_spec = pod();
    match random.within(0..100) {
        0..70 => {
            let to = Definition::Pod(Box::new(any_pod(random)));
            Write::Put { changes: vec![RunSpecChange { id: run_spec, to }], force }
        }
        70..80 => Write::DeletePod { id: run_spec, force },
        _ => {
            let tasks = TaskSelection::OfPod { run_spec, instances: seen };
            Write::Kill { tasks, mode: [KillMode::Replace, KillMode::Wipe][random.index(2)], force }
        }
    }
}

/// The whole group, whose front depends on its back; or so many times its instances.
pub(super) fn any_group(random: &mut Random) -> GroupDefinition {
    if random.percent(30) {
        return GroupDefinition::Scaled([0.5, 1.0, 1.5][random.index(3)]);
    }
    let app = |path: &str| RunSpecId::parse(path).expect("valid");
    let back = Box::new(any_service(random));
    let depending = RunSpecUpdate { dependencies: Some(vec!["/shop/back".to_owned()]), ..any_service(random) };
    let apps = vec![(app("/shop/back"), back), (app("/shop/front"), Box::new(depending))];
    let policy = random.percent(50).then(|| DeploymentPolicy {
        progress_deadline_ms: Some(20_000),
        on_failure: [OnFailure::RollBack, OnFailure::Continue][random.index(2)],
        ..DeploymentPolicy::default()
    });
    let (dependencies, enforce_role) = (None, None);
    let update = GroupUpdate { id: shop(), apps: Some(apps), groups: None, dependencies, enforce_role, policy };
    GroupDefinition::Updated(Box::new(update))
}

/// A definition that the simulated agents can run.
fn any_service(random: &mut Random) -> RunSpecUpdate {
    let minimum_health_capacity = [0.0, 0.5, 0.75, 1.0][random.index(4)];
    let maximum_over_capacity = [0.0, 0.5, 1.0][random.index(3)];
    let unreachable = [
        Unreachable::Disabled,
        Unreachable::After { inactive_ms: 0, expunge_ms: 0 },
        Unreachable::After { inactive_ms: 2_000, expunge_ms: 6_000 },
    ][random.index(3)];
    let health_check = HealthCheck {
        kind: CheckKind::Service,
        endpoint: Endpoint::Tcp,
        port: CheckedPort::Index(0),
        grace_period_ms: random.within(0..4) * 1_000,
        interval_ms: 1_000,
        timeout_ms: 500,
        max_consecutive_failures: 3,
        delay_ms: 0,
        family: IpFamily::V4,
    };
    let checked = random.percent(60);
    let readiness_check = ReadinessCheck {
        name: "ready".to_owned(),
        scheme: Scheme::Http,
        path: "/ready".to_owned(),
        port_name: "default".to_owned(),
        interval_ms: 1_000,
        timeout_ms: 500,
        statuses: vec![200],
        keeps_response: random.percent(50),
    };
    let waits = random.percent(30);
    RunSpecUpdate {
        cmd: Some(format!("serve {}", random.within(0..4))),
        instances: Some(u32::try_from(random.within(1..5)).expect("few")),
        cpus: Scalar::from_thousandths(100).ok(),
        mem: Some(Scalar::units(32)),
        labels: Some(BTreeMap::from([(CAPACITY_LABEL.to_owned(), minimum_health_capacity.to_string())])),
        upgrade: Some(Upgrade { minimum_health_capacity, maximum_over_capacity }),
        health_checks: Some(checked.then_some(health_check).into_iter().collect()),
        readiness_check: Some(waits.then_some(readiness_check)),
        unreachable: Some(unreachable),
        backoff_first_ms: Some(200),
        backoff_factor: Some(1.5),
        backoff_max_ms: Some(2_000),
        ..RunSpecUpdate::default()
    }
}
