//! What is measured: `/metrics/snapshot`, GET_METRICS and, for Prometheus, `/metrics`.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use attica_core_api::Timestamp;
use attica_core_api::v1::TaskState;
use serde_json::{Map, Value, json};

use super::view::{Description, Moment, allocated, scalar};
use crate::machine;
use crate::supervisor::{Phase, Standing, Supervisor};

/// Figures that only grow.
const COUNTERS: [&str; 22] = [
    "containerizer/fetcher/task_fetches_failed",
    "containerizer/fetcher/task_fetches_succeeded",
    "containerizer/mesos/container_destroy_errors",
    "containerizer/mesos/provisioner/bind/remove_rootfs_errors",
    "containerizer/mesos/provisioner/remove_container_errors",
    "gc/path_removals_failed",
    "gc/path_removals_succeeded",
    "resource_provider_manager/events/disconnect",
    "resource_provider_manager/events/subscribe",
    "slave/container_launch_errors",
    "slave/executors_preempted",
    "slave/executors_terminated",
    "slave/invalid_framework_messages",
    "slave/invalid_status_updates",
    "slave/recovery_errors",
    "slave/tasks_failed",
    "slave/tasks_finished",
    "slave/tasks_gone",
    "slave/tasks_killed",
    "slave/tasks_lost",
    "slave/valid_framework_messages",
    "slave/valid_status_updates",
];

/// What Mesos counts and what cannot happen here: roots are put together by overlayfs and go with their namespaces, there are no resource
/// providers, and nothing is offered that could be taken back. Dashboards ask for the names.
const NEVER: [&str; 5] = [
    "containerizer/mesos/provisioner/bind/remove_rootfs_errors",
    "resource_provider_manager/events/disconnect",
    "resource_provider_manager/events/subscribe",
    "resource_provider_manager/subscribed",
    "slave/executors_preempted",
];

/// All figures, under Mesos's names.
pub(super) fn collect(supervisor: &Supervisor, description: &Description, moment: Moment<'_>) -> Map<String, Value> {
    let mut metrics = Map::new();
    let mut put = |name: &str, value: f64| metrics.insert(name.to_owned(), json!(value));
    let now = Timestamp::from(std::time::SystemTime::now());
    put("slave/registered", f64::from(u8::from(supervisor.is_registered())));
    put("slave/uptime_secs", now.seconds() - description.started_at.seconds());
    put("slave/recovery_errors", description.recovery_errors as f64);
    put("slave/recovery_time_secs", description.recovery_seconds);
    put("slave/executor_directory_max_allowed_age_secs", moment.retention.as_secs_f64());
    let count = |figure: &AtomicU64| figure.load(Ordering::Relaxed) as f64;
    put("gc/path_removals_failed", count(&description.removals.failed));
    put("gc/path_removals_pending", count(&description.removals.pending));
    put("gc/path_removals_succeeded", count(&description.removals.succeeded));
    if let Some(quotas) = &description.quotas {
        let (all, free) = quotas.numbers();
        put("containerizer/mesos/disk/project_ids_total", all as f64);
        put("containerizer/mesos/disk/project_ids_free", free as f64);
    }
    of_containers(supervisor, description, &mut put);
    for name in NEVER {
        put(name, 0.0);
    }
    of_tasks(supervisor, &mut put);
    of_resources(supervisor, description, &mut put);
    of_machine(&mut put);
    metrics
}

fn of_containers(supervisor: &Supervisor, description: &Description, put: &mut impl FnMut(&str, f64) -> Option<Value>) {
    let fetched = description.fetcher.figures();
    let roots_left = description.roots_left.load(Ordering::Relaxed);
    for (name, value) in [
        ("containerizer/fetcher/cache_size_total_bytes", fetched.cache_capacity_bytes),
        ("containerizer/fetcher/cache_size_used_bytes", fetched.cache_used_bytes),
        ("containerizer/fetcher/task_fetches_failed", fetched.failed),
        ("containerizer/fetcher/task_fetches_succeeded", fetched.succeeded),
        ("containerizer/mesos/container_destroy_errors", supervisor.counters().container_destroy_errors),
        ("containerizer/mesos/provisioner/remove_container_errors", roots_left),
    ] {
        put(name, value as f64);
    }
}

fn of_tasks(supervisor: &Supervisor, put: &mut impl FnMut(&str, f64) -> Option<Value>) {
    let count = |state: TaskState| supervisor.tasks().filter(|task| task.state == state).count() as f64;
    put("slave/tasks_staging", count(TaskState::Staging));
    put("slave/tasks_starting", count(TaskState::Starting));
    put("slave/tasks_running", count(TaskState::Running));
    put("slave/tasks_killing", count(TaskState::Killing));
    // A command's own executor, of which there is no process, is as far as its task.
    let tasks = |phase| supervisor.tasks().filter(|task| task.executor.is_none() && task.phase == phase).count();
    let executors = |standing| supervisor.executors().filter(|executor| executor.standing() == standing).count();
    put("slave/executors_registering", (executors(Standing::Registering) + tasks(Phase::Launching)) as f64);
    put("slave/executors_running", (executors(Standing::Running) + tasks(Phase::Running)) as f64);
    put("slave/executors_terminating", executors(Standing::Terminating) as f64);
    let living = supervisor.tasks().filter(|task| task.phase != Phase::Ended).map(|task| &task.key.framework_id);
    let of_executors = supervisor.executors().map(|executor| &executor.key.framework_id);
    let frameworks: std::collections::BTreeSet<_> = living.chain(of_executors).collect();
    put("slave/frameworks_active", frameworks.len() as f64);
    let counters = supervisor.counters();
    for (name, value) in [
        ("slave/container_launch_errors", counters.container_launch_errors),
        ("slave/executors_terminated", counters.executors_terminated),
        ("slave/invalid_framework_messages", counters.invalid_framework_messages),
        ("slave/invalid_status_updates", counters.invalid_status_updates),
        ("slave/tasks_failed", counters.tasks_failed),
        ("slave/tasks_finished", counters.tasks_finished),
        ("slave/tasks_gone", counters.tasks_gone),
        ("slave/tasks_killed", counters.tasks_killed),
        ("slave/tasks_lost", counters.tasks_lost),
        ("slave/valid_framework_messages", counters.valid_framework_messages),
        ("slave/valid_status_updates", counters.valid_status_updates),
    ] {
        put(name, value as f64);
    }
}

fn of_resources(supervisor: &Supervisor, description: &Description, put: &mut impl FnMut(&str, f64) -> Option<Value>) {
    let allocated = allocated(supervisor);
    for name in ["cpus", "mem", "disk", "gpus"] {
        let (total, used) = (scalar(&description.info.resources, name), scalar(&allocated, name));
        put(&format!("slave/{name}_total"), total);
        put(&format!("slave/{name}_used"), used);
        put(&format!("slave/{name}_percent"), if total > 0.0 { used / total } else { 0.0 });
        // Nothing is offered that could be taken back.
        for figure in ["total", "used", "percent"] {
            put(&format!("slave/{name}_revocable_{figure}"), 0.0);
        }
    }
}

fn of_machine(put: &mut impl FnMut(&str, f64) -> Option<Value>) {
    put("system/cpus_total", std::thread::available_parallelism().map_or(1.0, |cpus| cpus.get() as f64));
    for (name, key) in [("system/mem_total_bytes", "MemTotal:"), ("system/mem_free_bytes", "MemAvailable:")] {
        if let Some(bytes) = machine::memory(key) {
            put(name, bytes as f64);
        }
    }
    for (name, value) in ["system/load_1min", "system/load_5min", "system/load_15min"].into_iter().zip(machine::load())
    {
        put(name, value);
    }
}

/// `slave/tasks_running` becomes `attica_slave_tasks_running`.
pub(super) fn prometheus_text(metrics: &Map<String, Value>) -> String {
    let mut text = String::new();
    for (name, value) in metrics {
        let kind = if COUNTERS.contains(&name.as_str()) { "counter" } else { "gauge" };
        let name = format!("attica_{name}").replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        let value = value.as_f64().unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# TYPE {name} {kind}\n{name} {value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_for_prometheus() {
        let metrics = Map::from_iter([
            ("slave/tasks_failed".to_owned(), json!(2.0)),
            ("system/load_1min".to_owned(), json!(0.5)),
        ]);
        let expected = "# TYPE attica_slave_tasks_failed counter\nattica_slave_tasks_failed 2\n\
            # TYPE attica_system_load_1min gauge\nattica_system_load_1min 0.5\n";
        assert_eq!(prometheus_text(&metrics), expected);
    }
}
