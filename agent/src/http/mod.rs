//! What the agent shows over HTTP: its state, its tasks' use of the machine, and their files; and the executor API. Every path is also served beneath
//! `/slave(1)`, and the older ones with `.json` behind them, as clients of Mesos's agent expect.

mod entrance;
mod executor;
mod files;
mod mode;
mod monitor;
mod permit;
pub(crate) mod view;

use std::path::PathBuf;
use std::sync::Arc;

use attica_core_api::auth::Viewer;
use attica_core_api::http::guard::Guard;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{MethodRouter, any, get};
use axum::{Extension, Router};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use self::view::View;
use crate::launcher::isolation::Isolation;
use crate::shell::Message;

/// What the handlers need.
#[derive(Clone)]
pub(crate) struct Agent {
    pub(crate) messages: mpsc::Sender<Message>,
    pub(crate) work_dir: PathBuf,
    /// To look at what tasks use.
    pub(crate) usage: Arc<Box<dyn Isolation>>,
}

impl Agent {
    async fn view(&self) -> Result<Arc<View>, Unavailable> {
        let (answer, view) = oneshot::channel();
        self.messages.send(Message::View(answer)).await.map_err(|_| Unavailable)?;
        view.await.map_err(|_| Unavailable)
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
    let routes: [(&str, MethodRouter<Agent>); 9] = [
        ("/health", get(|| async { StatusCode::OK })),
        ("/version", get(|| async { Json(json!({ "version": env!("CARGO_PKG_VERSION") })) })),
        ("/state", get(state)),
        ("/metrics/snapshot", get(metrics)),
        ("/monitor/statistics", get(monitor::statistics)),
        ("/containers", get(monitor::containers)),
        ("/files/browse", get(files::browse)),
        ("/files/read", get(files::read)),
        ("/files/download", get(files::download)),
    ];
    let mut router = Router::new().route("/files/debug", get(files::debug));
    for (path, handler) in routes {
        for prefix in ["", "/slave(1)"] {
            for suffix in ["", ".json"] {
                router = router.route(&format!("{prefix}{path}{suffix}"), handler.clone());
            }
        }
    }
    for prefix in ["", "/slave(1)"] {
        router = router.route(&format!("{prefix}/api/v1/executor"), any(executor::call));
    }
    router.with_state(agent).layer(axum::middleware::from_fn_with_state(guard, entrance::admit))
}

async fn state(State(agent): State<Agent>, Extension(viewer): Extension<Viewer>) -> Result<Response, Unavailable> {
    Ok(Json(permit::state(&viewer, agent.view().await?.as_ref())).into_response())
}

async fn metrics(State(agent): State<Agent>) -> Result<Response, Unavailable> {
    Ok(Json(&agent.view().await?.metrics).into_response())
}
