//! `/monitor/statistics`, `/containers` and GET_CONTAINERS: what runs, and what it uses.

use attica_core_api::agent::{Container, GetContainersCall};
use attica_core_api::auth::Viewer;
use attica_core_api::v1::{ContainerStatus, ResourceStatistics};
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Json;
use serde::Deserialize;
use serde_json::{Value, json};

use super::running::{Of, Part, Running, Whose};
use super::view::View;
use super::{Agent, Unavailable, permit};
use crate::daemon::Containerizer;
use crate::daemon::client::CpuUsage;
use crate::launcher::isolation::{Memory, Place, Subject, Usage, sum};

const MICROSECONDS: f64 = 1e6;

pub(super) async fn statistics(State(agent): State<Agent>) -> Result<Json<Value>, Unavailable> {
    let view = agent.view().await?;
    let mut entries = Vec::new();
    for running in view.running.iter().filter(|running| running.whose == Whose::Executors) {
        let Some(Of { framework_id, executor_id, executor_name, source }) = &running.of else { continue };
        entries.push(json!({
            "executor_id": executor_id.as_str(),
            "executor_name": executor_name,
            "framework_id": framework_id.as_str(),
            "source": source,
            "statistics": measure(&agent, running).await,
        }));
    }
    Ok(Json(entries.into()))
}

/// Which containers are wanted besides those of executors.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Which {
    show_nested: bool,
    show_standalone: bool,
}

pub(super) async fn containers(
    State(agent): State<Agent>,
    Extension(viewer): Extension<Viewer>,
    Query(which): Query<Which>,
) -> Result<Json<Value>, Unavailable> {
    let view = agent.view().await?;
    let mut entries = Vec::new();
    for running in seen(&viewer, &view, &which) {
        let mut entry = json!({
            "container_id": running.path.to_string(),
            "statistics": measure(&agent, running).await,
            "status": status(running),
        });
        if let Some(Of { framework_id, executor_id, executor_name, source }) = &running.of {
            entry["executor_id"] = json!(executor_id.as_str());
            entry["executor_name"] = json!(executor_name);
            entry["framework_id"] = json!(framework_id.as_str());
            entry["source"] = json!(source);
        }
        entries.push(entry);
    }
    Ok(Json(entries.into()))
}

/// GET_CONTAINERS
pub(super) async fn messages(agent: &Agent, viewer: &Viewer, view: &View, call: &GetContainersCall) -> Vec<Container> {
    let which = Which {
        show_nested: call.show_nested.unwrap_or(false),
        show_standalone: call.show_standalone.unwrap_or(false),
    };
    let mut messages = Vec::new();
    for running in seen(viewer, view, &which) {
        messages.push(Container {
            framework_id: running.of.as_ref().map(|of| of.framework_id.clone()),
            executor_id: running.of.as_ref().map(|of| of.executor_id.clone()),
            executor_name: running.of.as_ref().map(|of| of.executor_name.clone()).filter(|name| !name.is_empty()),
            container_id: running.path.to_wire(),
            container_status: Some(status(running)),
            resource_statistics: Some(measure(agent, running).await),
        });
    }
    messages
}

fn seen<'a>(viewer: &'a Viewer, view: &'a View, which: &'a Which) -> impl Iterator<Item = &'a Running> {
    let wanted = |running: &&Running| match running.whose {
        Whose::Executors => true,
        Whose::Nested => which.show_nested,
        Whose::Standalone => which.show_standalone,
    };
    view.running.iter().filter(wanted).filter(move |running| permit::sees_container(viewer, running))
}

fn status(running: &Running) -> ContainerStatus {
    ContainerStatus {
        container_id: Some(running.path.to_wire()),
        executor_pid: running.pid.and_then(|pid| u32::try_from(pid).ok()),
        ..ContainerStatus::default()
    }
}

/// What cannot be told is left out; what was done with devices of blocks is told of each part by itself. Without limits of their own cpus
/// and memory are limited to what was asked for, which is what tools divide what is used by.
async fn measure(agent: &Agent, running: &Running) -> ResourceStatistics {
    let (mut usage, mut processes, mut disk_used_bytes) = (Usage::default(), None, None);
    for Part { place, pid } in &running.parts {
        let of_part = match running.containerizer {
            Containerizer::Launcher => {
                let subject = Subject { place, leader: Some(*pid) };
                processes = sum(processes, u64::try_from(agent.usage.process_count(subject)).ok());
                agent.usage.usage(subject)
            }
            Containerizer::Daemon => told_by_daemon(agent, place).await,
        };
        usage = usage.and(of_part);
        let on_disk = place.container().and_then(|container| agent.disk_usage.of(&container));
        disk_used_bytes = sum(disk_used_bytes, on_disk);
    }
    let blkio_statistics = match (running.containerizer, &running.parts[..]) {
        (Containerizer::Launcher, [Part { place, .. }]) => agent.usage.block_io(place),
        (Containerizer::Launcher, _) | (Containerizer::Daemon, _) => None,
    };
    let Usage { cpu_user_us, cpu_system_us, throttling, memory, pids } = usage;
    let Memory { total, anonymous, cache, mapped, swap, unevictable, kernel, sockets } = memory;
    let seconds = |time: u64| time as f64 / MICROSECONDS;
    let count = |number: u64| u32::try_from(number).ok();
    let allowance = running.allowance.as_ref();
    ResourceStatistics {
        timestamp: attica_core_api::Timestamp::from(std::time::SystemTime::now()).seconds(),
        processes: processes.and_then(count),
        threads: pids.and_then(count),
        cpus_user_time_secs: cpu_user_us.map(seconds),
        cpus_system_time_secs: cpu_system_us.map(seconds),
        cpus_limit: allowance.map(|allowance| allowance.cpus_limit.unwrap_or(allowance.cpus)),
        cpus_soft_limit: allowance.map(|allowance| allowance.cpus),
        cpus_nr_periods: throttling.and_then(|throttling| count(throttling.periods)),
        cpus_nr_throttled: throttling.and_then(|throttling| count(throttling.throttled)),
        cpus_throttled_time_secs: throttling.map(|throttling| seconds(throttling.throttled_us)),
        mem_total_bytes: total,
        mem_kmem_usage_bytes: kernel,
        mem_kmem_tcp_usage_bytes: sockets,
        mem_limit_bytes: allowance.map(|allowance| allowance.memory_limit_bytes.unwrap_or(allowance.memory_bytes)),
        mem_soft_limit_bytes: allowance.map(|allowance| allowance.memory_bytes),
        mem_file_bytes: cache,
        mem_anon_bytes: anonymous,
        mem_cache_bytes: cache,
        mem_rss_bytes: anonymous,
        mem_mapped_file_bytes: mapped,
        mem_swap_bytes: swap,
        mem_unevictable_bytes: unevictable,
        disk_limit_bytes: allowance.and_then(|allowance| allowance.disk_bytes),
        disk_used_bytes,
        blkio_statistics,
    }
}

/// Nothing, when the daemon does not answer.
async fn told_by_daemon(agent: &Agent, place: &Place) -> Usage {
    let container = place.container();
    let (Some(daemon), Some(container)) = (&agent.daemon, &container) else { return Usage::default() };
    let Ok(stats) = daemon.stats(container).await else { return Usage::default() };
    let CpuUsage { usage_in_kernelmode, usage_in_usermode } = stats.cpu_stats.cpu_usage;
    Usage {
        cpu_user_us: Some(usage_in_usermode / 1_000),
        cpu_system_us: Some(usage_in_kernelmode / 1_000),
        throttling: None,
        memory: Memory { anonymous: stats.memory_stats.usage, ..Memory::default() },
        pids: stats.pids_stats.current,
    }
}
