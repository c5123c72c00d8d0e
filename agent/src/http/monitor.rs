//! `/monitor/statistics`, `/containers` and GET_CONTAINERS: what runs, and what it uses.

use attica_core_api::agent::{Container, GetContainersCall};
use attica_core_api::auth::Viewer;
use attica_core_api::v1::{ContainerStatus, ResourceStatistics};
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Json;
use serde::Deserialize;
use serde_json::{Value, json};

use super::view::{Of, Running, View, Whose};
use super::{Agent, Unavailable, permit};
use crate::daemon::Containerizer;
use crate::daemon::client::CpuUsage;
use crate::launcher::isolation::{Subject, Usage};

const MICROSECONDS: f64 = 1e6;

pub(super) async fn statistics(State(agent): State<Agent>) -> Result<Json<Value>, Unavailable> {
    let view = agent.view().await?;
    let mut entries = Vec::new();
    for running in view.running.iter().filter(|running| running.whose == Whose::Frameworks) {
        let Some(Of { framework_id, executor_id, executor_name }) = &running.of else { continue };
        entries.push(json!({
            "executor_id": executor_id.as_str(),
            "executor_name": executor_name,
            "framework_id": framework_id.as_str(),
            "source": executor_id.as_str(),
            "statistics": measure(&agent, running).await,
        }));
    }
    Ok(Json(entries.into()))
}

/// Which containers are wanted besides those of tasks and executors.
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
        if let Some(Of { framework_id, executor_id, executor_name }) = &running.of {
            entry["executor_id"] = json!(executor_id.as_str());
            entry["executor_name"] = json!(executor_name);
            entry["framework_id"] = json!(framework_id.as_str());
            entry["source"] = json!(executor_id.as_str());
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
        Whose::Frameworks => true,
        Whose::Nested => which.show_nested,
        Whose::Standalone => which.show_standalone,
    };
    view.running.iter().filter(wanted).filter(move |running| permit::sees_container(viewer, running))
}

fn status(running: &Running) -> ContainerStatus {
    ContainerStatus {
        container_id: Some(running.path.to_wire()),
        executor_pid: u32::try_from(running.pid).ok(),
        ..ContainerStatus::default()
    }
}

/// What cannot be told is left out. Without limits of their own cpus and memory are limited to what was asked for, which is what tools
/// divide what is used by.
async fn measure(agent: &Agent, running: &Running) -> ResourceStatistics {
    let place = &running.place;
    let (usage, processes, blkio_statistics) = match running.containerizer {
        Containerizer::Launcher => {
            let subject = Subject { place, leader: Some(running.pid) };
            let processes = agent.usage.process_count(subject);
            (agent.usage.usage(subject), u32::try_from(processes).ok(), agent.usage.block_io(place))
        }
        Containerizer::Daemon => (told_by_daemon(agent, running).await, None, None),
    };
    let Usage { cpu_user_us, cpu_system_us, memory_bytes, pids } = usage;
    let seconds = |time: u64| time as f64 / MICROSECONDS;
    let allowance = running.allowance.as_ref();
    ResourceStatistics {
        timestamp: attica_core_api::Timestamp::from(std::time::SystemTime::now()).seconds(),
        processes,
        threads: pids.and_then(|pids| u32::try_from(pids).ok()),
        cpus_user_time_secs: cpu_user_us.map(seconds),
        cpus_system_time_secs: cpu_system_us.map(seconds),
        cpus_limit: allowance.map(|allowance| allowance.cpus_limit.unwrap_or(allowance.cpus)),
        cpus_soft_limit: allowance.map(|allowance| allowance.cpus),
        mem_limit_bytes: allowance.map(|allowance| allowance.memory_limit_bytes.unwrap_or(allowance.memory_bytes)),
        mem_soft_limit_bytes: allowance.map(|allowance| allowance.memory_bytes),
        mem_rss_bytes: memory_bytes,
        disk_limit_bytes: allowance.and_then(|allowance| allowance.disk_bytes),
        disk_used_bytes: place.container().and_then(|container| agent.disk_usage.of(&container)),
        blkio_statistics,
    }
}

/// Nothing, when the daemon does not answer.
async fn told_by_daemon(agent: &Agent, running: &Running) -> Usage {
    let container = running.place.container();
    let (Some(daemon), Some(container)) = (&agent.daemon, &container) else { return Usage::default() };
    let Ok(stats) = daemon.stats(container).await else { return Usage::default() };
    let CpuUsage { usage_in_kernelmode, usage_in_usermode } = stats.cpu_stats.cpu_usage;
    Usage {
        cpu_user_us: Some(usage_in_usermode / 1_000),
        cpu_system_us: Some(usage_in_kernelmode / 1_000),
        memory_bytes: stats.memory_stats.usage,
        pids: stats.pids_stats.current,
    }
}
