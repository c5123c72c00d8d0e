//! `/monitor/statistics` and `/containers`: what running tasks use.

use attica_core_api::auth::Viewer;
use axum::Extension;
use axum::extract::State;
use axum::response::Json;
use serde_json::{Map, Value, json};

use super::view::Running;
use super::{Agent, Unavailable, permit};
use crate::launcher::isolation::{Place, Usage};

const MICROSECONDS: f64 = 1e6;

pub(super) async fn statistics(State(agent): State<Agent>) -> Result<Json<Value>, Unavailable> {
    let view = agent.view().await?;
    let entry = |running: &Running| {
        json!({
            "executor_id": running.executor_id,
            "executor_name": running.name,
            "framework_id": running.framework_id,
            "source": running.executor_id,
            "statistics": figures(&agent, running),
        })
    };
    Ok(Json(view.running.iter().map(entry).collect()))
}

pub(super) async fn containers(
    State(agent): State<Agent>,
    Extension(viewer): Extension<Viewer>,
) -> Result<Json<Value>, Unavailable> {
    let view = agent.view().await?;
    let seen = view.running.iter().filter(|running| permit::sees_container(&viewer, &view, running));
    let entry = |running: &Running| {
        json!({
            "container_id": running.container.as_str(),
            "executor_id": running.executor_id,
            "executor_name": running.name,
            "framework_id": running.framework_id,
            "source": running.executor_id,
            "statistics": figures(&agent, running),
            "status": { "container_id": { "value": running.container.as_str() }, "executor_pid": running.pid },
        })
    };
    Ok(Json(seen.map(entry).collect()))
}

/// What cannot be told is left out.
fn figures(agent: &Agent, running: &Running) -> Value {
    let Usage { cpu_user_us, cpu_system_us, memory_bytes, pids } = agent.usage.usage(&Place::of(&running.container));
    let now = attica_core_api::Timestamp::from(std::time::SystemTime::now());
    let figures = [
        ("timestamp", Some(json!(now.seconds()))),
        ("cpus_limit", Some(json!(running.cpus))),
        ("mem_limit_bytes", Some(json!(running.memory_bytes))),
        ("cpus_user_time_secs", cpu_user_us.map(|time| json!(time as f64 / MICROSECONDS))),
        ("cpus_system_time_secs", cpu_system_us.map(|time| json!(time as f64 / MICROSECONDS))),
        ("mem_rss_bytes", memory_bytes.map(|bytes| json!(bytes))),
        ("processes", pids.map(|pids| json!(pids))),
    ];
    let known: Map<String, Value> =
        figures.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    Value::Object(known)
}
