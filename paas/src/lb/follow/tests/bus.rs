//! A service layer that says what a test tells it to say.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use attica_core_api::http::{Limits, Server};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// What is said, and what was heard.
#[derive(Default)]
pub(super) struct Script {
    /// The event as of which reads are.
    pub(super) position: i64,
    pub(super) apps: Vec<Value>,
    /// Paths that were asked for, with `Last-Event-ID` where it was sent.
    pub(super) asked: Vec<String>,
    pub(super) acknowledged: Vec<(String, i64)>,
    pub(super) traffic: Vec<Value>,
    /// Where the leader is, if not here.
    pub(super) leader: Option<String>,
    stream: Option<mpsc::UnboundedSender<Bytes>>,
}

/// A running service layer of this kind.
pub(super) struct Bus {
    pub(super) script: Arc<Mutex<Script>>,
    pub(super) address: SocketAddr,
    _stop: DropGuard,
}

impl Bus {
    pub(super) async fn start() -> Self {
        let script = Arc::new(Mutex::new(Script { position: 10, ..Script::default() }));
        let router = Router::new()
            .route("/v2/apps", get(apps))
            .route("/v2/apps/{*id}", get(one_app))
            .route("/v2/events", get(events))
            .route("/v2/events/ack", post(acknowledge))
            .route("/v2/traffic", post(traffic))
            .with_state(Arc::clone(&script));
        let limits = Limits { shutdown_grace: Duration::ZERO, ..Limits::default() };
        let server = Server::bind(([127, 0, 0, 1], 0).into(), limits).await.unwrap();
        let address = server.local_address().unwrap();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move { server.serve(router, stopped.cancelled()).await });
        Self { script, address, _stop: stop.drop_guard() }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends an event on the stream that was opened last.
    pub(super) fn send(&self, id: i64, event_type: &str, data: &Value) {
        self.send_text(&format!("id: {id}\nevent: {event_type}\ndata: {data}\n\n"));
    }

    pub(super) fn send_text(&self, text: &str) {
        let script = self.script.lock().unwrap();
        script.stream.as_ref().expect("a stream").send(Bytes::from(text.to_owned())).expect("it is listened to");
    }

    /// Ends the stream.
    pub(super) fn cut(&self) {
        self.script.lock().unwrap().stream = None;
    }

    /// How often this path was asked for.
    pub(super) fn asked(&self, path: &str) -> usize {
        self.script.lock().unwrap().asked.iter().filter(|asked| *asked == path).count()
    }

    pub(super) fn acknowledged(&self) -> i64 {
        self.script.lock().unwrap().acknowledged.last().map_or(0, |(_, position)| *position)
    }
}

type Shared = State<Arc<Mutex<Script>>>;

async fn apps(State(script): Shared, uri: Uri) -> Response {
    let mut script = script.lock().unwrap();
    script.asked.push(uri.to_string());
    ([("attica-event-id", script.position.to_string())], Json(json!({"apps": script.apps}))).into_response()
}

async fn one_app(State(script): Shared, Path(id): Path<String>, uri: Uri) -> Response {
    let mut script = script.lock().unwrap();
    script.asked.push(uri.to_string());
    let id = format!("/{}", id.trim_start_matches('/'));
    let app = script.apps.iter().find(|app| app["id"] == id);
    let position = [("attica-event-id", script.position.to_string())];
    match app {
        Some(app) => (position, Json(json!({"app": app}))).into_response(),
        None => (StatusCode::NOT_FOUND, position, Json(json!({"message": "no such app"}))).into_response(),
    }
}

async fn events(State(script): Shared, headers: HeaderMap, uri: Uri) -> Response {
    let mut script = script.lock().unwrap();
    if let Some(leader) = &script.leader {
        return (StatusCode::FOUND, [("location", format!("{leader}{uri}"))]).into_response();
    }
    let last = headers.get("last-event-id").map_or("", |id| id.to_str().unwrap());
    script.asked.push(format!("{uri} {last}"));
    let (sender, receiver) = mpsc::unbounded_channel();
    script.stream = Some(sender);
    let body = stream::unfold(receiver, |mut receiver| async move {
        let next: Option<Bytes> = receiver.recv().await;
        next.map(|bytes| (Ok::<_, std::io::Error>(bytes), receiver))
    });
    ([("content-type", "text/event-stream")], Body::from_stream(body)).into_response()
}

async fn acknowledge(State(script): Shared, Json(document): Json<Value>) -> StatusCode {
    let (name, position) = (document["name"].as_str().unwrap(), document["position"].as_i64().unwrap());
    script.lock().unwrap().acknowledged.push((name.to_owned(), position));
    StatusCode::NO_CONTENT
}

async fn traffic(State(script): Shared, Json(document): Json<Value>) -> StatusCode {
    script.lock().unwrap().traffic.push(document);
    StatusCode::NO_CONTENT
}
