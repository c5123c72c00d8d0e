//! `/monitor/statistics`, `/containers` and GET_CONTAINERS: what runs, and what it uses.

use attica_core_api::agent::Container;
use attica_core_api::auth::Viewer;
use attica_core_api::v1::{ContainerId as WireContainerId, ContainerStatus, ResourceStatistics};
use axum::Extension;
use axum::extract::State;
use axum::response::Json;
use serde_json::{Value, json};

use super::view::{Of, Running, View};
use super::{Agent, Unavailable, permit};
use crate::launcher::isolation::{Place, Subject, Usage};

const MICROSECONDS: f64 = 1e6;

pub(super) async fn statistics(State(agent): State<Agent>) -> Result<Json<Value>, Unavailable> {
    let view = agent.view().await?;
    let entry = |running: &Running| {
        let Of { framework_id, executor_id, executor_name } = &running.of;
        json!({
            "executor_id": executor_id.as_str(),
            "executor_name": executor_name,
            "framework_id": framework_id.as_str(),
            "source": executor_id.as_str(),
            "statistics": measure(&agent, running),
        })
    };
    Ok(Json(view.running.iter().map(entry).collect()))
}

pub(super) async fn containers(
    State(agent): State<Agent>,
    Extension(viewer): Extension<Viewer>,
) -> Result<Json<Value>, Unavailable> {
    let view = agent.view().await?;
    let entry = |running: &Running| {
        let Of { framework_id, executor_id, executor_name } = &running.of;
        json!({
            "container_id": running.container.as_str(),
            "executor_id": executor_id.as_str(),
            "executor_name": executor_name,
            "framework_id": framework_id.as_str(),
            "source": executor_id.as_str(),
            "statistics": measure(&agent, running),
            "status": status(running),
        })
    };
    Ok(Json(seen(&viewer, &view).map(entry).collect()))
}

/// GET_CONTAINERS
pub(super) fn messages(agent: &Agent, viewer: &Viewer, view: &View) -> Vec<Container> {
    let message = |running: &Running| Container {
        framework_id: Some(running.of.framework_id.clone()),
        executor_id: Some(running.of.executor_id.clone()),
        executor_name: Some(running.of.executor_name.clone()),
        container_id: container_id(running),
        container_status: Some(status(running)),
        resource_statistics: Some(measure(agent, running)),
    };
    seen(viewer, view).map(message).collect()
}

fn seen<'a>(viewer: &'a Viewer, view: &'a View) -> impl Iterator<Item = &'a Running> {
    view.running.iter().filter(move |running| permit::sees_container(viewer, view, running))
}

fn container_id(running: &Running) -> WireContainerId {
    WireContainerId { value: running.container.as_str().to_owned(), parent: None }
}

fn status(running: &Running) -> ContainerStatus {
    ContainerStatus {
        container_id: Some(container_id(running)),
        executor_pid: u32::try_from(running.pid).ok(),
        ..ContainerStatus::default()
    }
}

/// What cannot be told is left out. Without limits of their own cpus and memory are limited to what was asked for, which is what tools
/// divide what is used by.
fn measure(agent: &Agent, running: &Running) -> ResourceStatistics {
    let place = Place::of(&running.container);
    let Usage { cpu_user_us, cpu_system_us, memory_bytes, pids } = agent.usage.usage(&place);
    let processes = agent.usage.processes(Subject { place: &place, leader: Some(running.pid) }).len();
    let seconds = |time: u64| time as f64 / MICROSECONDS;
    let allowance = &running.allowance;
    ResourceStatistics {
        timestamp: attica_core_api::Timestamp::from(std::time::SystemTime::now()).seconds(),
        processes: u32::try_from(processes).ok(),
        threads: pids.and_then(|pids| u32::try_from(pids).ok()),
        cpus_user_time_secs: cpu_user_us.map(seconds),
        cpus_system_time_secs: cpu_system_us.map(seconds),
        cpus_limit: Some(allowance.cpus_limit.unwrap_or(allowance.cpus)),
        cpus_soft_limit: Some(allowance.cpus),
        mem_limit_bytes: Some(allowance.memory_limit_bytes.unwrap_or(allowance.memory_bytes)),
        mem_soft_limit_bytes: Some(allowance.memory_bytes),
        mem_rss_bytes: memory_bytes,
        disk_limit_bytes: allowance.disk_bytes,
        disk_used_bytes: None,
    }
}
