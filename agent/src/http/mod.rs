//! What the agent shows over HTTP: its state, its tasks' use of the machine, and their files; the operator API, and the executor API.
//! Every path is also served beneath `/slave(1)`, and the older ones with `.json` behind them, as clients of Mesos's agent expect.

mod entrance;
mod executor;
mod files;
mod lists;
mod metrics;
mod mode;
mod monitor;
mod operator;
mod permit;
mod running;
mod script;
pub(crate) mod view;

use std::path::PathBuf;
use std::sync::Arc;

use attica_core_api::auth::{Action, Object, Viewer};
use attica_core_api::http::guard::Guard;
use attica_core_api::logging::Logging;
use attica_core_api::{MESOS_VERSION, parse_duration};
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{MethodRouter, any, get};
use axum::{Extension, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

pub(crate) use self::operator::{Keyboards, Sessions};
use self::view::View;
use crate::daemon::client::Client;
use crate::launcher::isolation::Isolation;
use crate::machine;
use crate::shell::{Message, OperatorCalled};
use crate::supervisor::{OperatorCall, OperatorReply};
use crate::usage::DiskUsage;

/// What the handlers need.
#[derive(Clone)]
pub(crate) struct Agent {
    pub(crate) messages: mpsc::Sender<Message>,
    pub(crate) work_dir: PathBuf,
    /// To look at what tasks use.
    pub(crate) usage: Arc<dyn Isolation>,
    pub(crate) disk_usage: Arc<DiskUsage>,
    /// What uses it with a Docker daemon, that tells.
    pub(crate) daemon: Option<Client>,
    pub(crate) logging: Arc<Logging>,
    /// Where the launcher works, and where the ends of streams are while they have names.
    pub(crate) runtime_dir: PathBuf,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) keyboards: Arc<Keyboards>,
}

impl Agent {
    async fn view(&self) -> Result<Arc<View>, Unavailable> {
        let (answer, view) = oneshot::channel();
        self.messages.send(Message::View(answer)).await.map_err(|_| Unavailable)?;
        view.await.map_err(|_| Unavailable)
    }

    /// What becomes of an operator's call about a container.
    async fn ask(&self, call: OperatorCall, viewer: Viewer) -> Result<OperatorReply, Unavailable> {
        let (answer, answered) = oneshot::channel();
        let called = OperatorCalled { call, viewer, answer };
        self.messages.send(Message::OperatorCalled(Box::new(called))).await.map_err(|_| Unavailable)?;
        answered.await.map_err(|_| Unavailable)
    }
}

/// The agent is about to end.
struct Unavailable;

impl IntoResponse for Unavailable {
    fn into_response(self) -> Response {
        (StatusCode::SERVICE_UNAVAILABLE, "The agent is about to end\n").into_response()
    }
}

/// All routes.
pub(crate) fn router(agent: Agent, guard: Guard) -> Router {
    let routes: [(&str, MethodRouter<Agent>); 11] = [
        ("/health", get(|| async { StatusCode::OK })),
        ("/version", get(version)),
        ("/state", get(state)),
        ("/flags", get(flags)),
        ("/metrics/snapshot", get(snapshot)),
        ("/system/stats", get(system)),
        ("/monitor/statistics", get(monitor::statistics)),
        ("/containers", get(monitor::containers)),
        ("/files/browse", get(files::browse)),
        ("/files/read", get(files::read)),
        ("/files/download", get(files::download)),
    ];
    let mut router = Router::new()
        .route("/files/debug", get(files::debug))
        .route("/metrics", get(prometheus))
        .route("/logging/toggle", get(logging_level));
    for (path, handler) in routes {
        for prefix in ["", "/slave(1)"] {
            for suffix in ["", ".json"] {
                router = router.route(&format!("{prefix}{path}{suffix}"), handler.clone());
            }
        }
    }
    for prefix in ["", "/slave(1)"] {
        router = router.route(&format!("{prefix}/api/v1/executor"), any(executor::call));
        router = router.route(&format!("{prefix}/api/v1"), any(operator::call));
    }
    let router = router.with_state(agent).layer(axum::middleware::from_fn(script::wrap));
    router.layer(axum::middleware::from_fn_with_state(guard, entrance::admit))
}

async fn state(State(agent): State<Agent>, Extension(viewer): Extension<Viewer>) -> Result<Response, Unavailable> {
    Ok(Json(permit::state(&viewer, agent.view().await?.as_ref())).into_response())
}

async fn version() -> Json<Value> {
    Json(json!({ "version": MESOS_VERSION, "attica_version": env!("CARGO_PKG_VERSION") }))
}

async fn flags(State(agent): State<Agent>, Extension(viewer): Extension<Viewer>) -> Result<Response, Unavailable> {
    if !viewer.may(Action::ViewFlags, Object::Any) {
        return Ok((StatusCode::FORBIDDEN, "403 Forbidden.").into_response());
    }
    Ok(Json(json!({ "flags": agent.view().await?.flags })).into_response())
}

/// What may be said of it.
#[derive(Deserialize)]
struct Limit {
    /// How long it may take; nothing here ever takes long.
    timeout: Option<String>,
}

async fn snapshot(State(agent): State<Agent>, Query(limit): Query<Limit>) -> Result<Response, Unavailable> {
    if let Some(timeout) = limit.timeout
        && let Err(error) = parse_duration(&timeout)
    {
        let text = format!("Invalid timeout '{timeout}': {error}.\n");
        return Ok((StatusCode::BAD_REQUEST, text).into_response());
    }
    Ok(Json(&agent.view().await?.metrics).into_response())
}

async fn prometheus(State(agent): State<Agent>) -> Result<Response, Unavailable> {
    let text = metrics::prometheus_text(&agent.view().await?.metrics);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// The machine that this agent runs on. Not a name of Mesos's metrics: the same figures in another form.
async fn system() -> Json<Value> {
    let mut figures = json!({ "cpus_total": std::thread::available_parallelism().map_or(1, usize::from) });
    for (name, value) in ["avg_load_1min", "avg_load_5min", "avg_load_15min"].into_iter().zip(machine::load()) {
        figures[name] = json!(value);
    }
    for (name, key) in [("mem_total_bytes", "MemTotal:"), ("mem_free_bytes", "MemFree:")] {
        if let Some(bytes) = machine::memory(key) {
            figures[name] = json!(bytes);
        }
    }
    Json(figures)
}

/// How much is logged. It is set by SET_LOGGING_LEVEL.
async fn logging_level(State(agent): State<Agent>) -> String {
    format!("{}\n", agent.logging.level())
}
