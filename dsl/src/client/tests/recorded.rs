//! A server that gives recorded answers.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::sync::watch;

/// What is answered to one request line.
#[derive(Clone)]
pub(super) enum Recording {
    /// A whole answer.
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: String },
    /// A stream of these bytes, which stays open afterwards. It says nothing before `after` was asked for.
    Stream { after: Option<&'static str>, text: String },
    /// The first ones once each, in their order, the last one for ever.
    Sequence(Vec<Recording>),
}

impl Recording {
    pub(super) fn json(status: u16, body: Value) -> Self {
        Self::Answer { status, headers: vec![("attica-event-id", "70000".to_owned())], body: body.to_string() }
    }

    pub(super) fn ok(body: Value) -> Self {
        Self::json(200, body)
    }

    pub(super) fn redirect(location: String) -> Self {
        Self::Answer { status: 307, headers: vec![("location", location)], body: String::new() }
    }

    /// Events with ids from 70001 on, told after a request line has come.
    pub(super) fn events(after: Option<&'static str>, events: &[Value]) -> Self {
        let frames = events.iter().enumerate().map(|(index, event)| {
            let event_type = event["eventType"].as_str().unwrap();
            format!("id: {}\nevent: {event_type}\ndata: {event}\n\n", 70_001 + index)
        });
        Self::Stream { after, text: frames.collect() }
    }
}

#[derive(Default)]
struct Shelf {
    recordings: Mutex<BTreeMap<String, Recording>>,
    requests: Mutex<Vec<String>>,
    /// What proved who asked, request by request.
    authorizations: Mutex<Vec<Option<String>>>,
    /// Request lines that have come.
    seen: watch::Sender<BTreeSet<String>>,
}

/// The server; it ends with the runtime.
pub(super) struct Recorded {
    shelf: Arc<Shelf>,
    address: std::net::SocketAddr,
}

impl Recorded {
    pub(super) async fn start(recordings: impl IntoIterator<Item = (impl Into<String>, Recording)>) -> Self {
        let shelf = Arc::new(Shelf::default());
        let recordings = recordings.into_iter().map(|(line, recording)| (line.into(), recording)).collect();
        *shelf.recordings.lock().unwrap() = recordings;
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shelf));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { shelf, address }
    }

    pub(super) fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked since the last time: request lines, with their documents.
    pub(super) fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.shelf.requests.lock().unwrap())
    }

    /// What proved who asked, for each request since the last time.
    pub(super) fn take_authorizations(&self) -> Vec<Option<String>> {
        std::mem::take(&mut *self.shelf.authorizations.lock().unwrap())
    }
}

async fn answer(State(shelf): State<Arc<Shelf>>, request: Request<Body>) -> Result<Response, Infallible> {
    let line = format!("{} {}", request.method(), request.uri());
    let authorization = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
    shelf.authorizations.lock().unwrap().push(authorization);
    let resumed = request.headers().get("last-event-id").map(|id| format!(" after {}", id.to_str().unwrap()));
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let document = if body.is_empty() { String::new() } else { format!(" {}", String::from_utf8_lossy(&body)) };
    shelf.requests.lock().unwrap().push(format!("{line}{}{document}", resumed.unwrap_or_default()));
    shelf.seen.send_modify(|seen| seen.extend([line.clone()]));
    let recording = shelf.recordings.lock().unwrap().get_mut(&line).map(next);
    Ok(match recording {
        Some(Recording::Answer { status, headers, body }) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body)).unwrap()
        }
        Some(Recording::Stream { after, text }) => {
            let mut seen = shelf.seen.subscribe();
            let bytes = futures_util::stream::once(async move {
                if let Some(after) = after {
                    seen.wait_for(|seen| seen.contains(after)).await.unwrap();
                }
                Ok::<_, Infallible>(Bytes::from(text))
            });
            Response::new(Body::from_stream(bytes.chain(futures_util::stream::pending())))
        }
        Some(Recording::Sequence(_)) => unreachable!("it was taken from"),
        None => {
            let text = format!(r#"{{"message":"nothing is recorded for {line}"}}"#);
            Response::builder().status(StatusCode::NOT_FOUND).body(Body::from(text)).unwrap()
        }
    })
}

fn next(recording: &mut Recording) -> Recording {
    match recording {
        Recording::Sequence(several) if several.len() > 1 => several.remove(0),
        Recording::Sequence(several) => several[0].clone(),
        single => single.clone(),
    }
}
