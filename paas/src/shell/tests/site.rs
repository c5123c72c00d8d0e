//! The whole role over a real database, with a master or without one.

use std::time::Duration;

use attica_core_api::http::{Client, Protocol, ResponseBody};
use attica_core_store::private_postgres::{PrivatePostgres, PrivatePostgresOptions};
use bytes::Bytes;
use clap::Parser;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::{Args, Error, run};

/// Nothing in a test takes longer, however busy the machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

/// A private database and the directory that it lies in.
pub(super) struct Database {
    pub(super) postgres: PrivatePostgres,
    pub(super) directory: TempDir,
}

impl Database {
    pub(super) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let postgres = Self::start_in(&directory).await;
        Self { postgres, directory }
    }

    pub(super) async fn start_in(directory: &TempDir) -> PrivatePostgres {
        let options = PrivatePostgresOptions::for_test(directory.path().join("postgres"));
        PrivatePostgres::start(&options).await.unwrap()
    }
}

/// A running role.
pub(super) struct Site {
    pub(super) address: String,
    pub(super) role: JoinHandle<Result<(), Error>>,
    client: Client,
    stop: Option<oneshot::Sender<()>>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Bytes,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Site {
    /// Starts the role and waits until it answers.
    pub(super) async fn start(database: &Database, master: &str) -> Self {
        Self::start_with(database, master, &[]).await
    }

    /// The same, with further options.
    pub(super) async fn start_with(database: &Database, master: &str, options: &[&str]) -> Self {
        let ready = tempfile::NamedTempFile::new_in(database.directory.path()).unwrap().into_temp_path().to_path_buf();
        let (stop, stopped) = oneshot::channel::<()>();
        let args = arguments(database, master, options, &ready);
        let console = axum::Router::new().route("/ui/", axum::routing::get(|| async { "the console" }));
        let role = tokio::spawn(run(args, console, async move {
            let _ = stopped.await;
        }));
        let address = until("the ready file", async || {
            let address = std::fs::read_to_string(&ready).unwrap_or_default();
            address.ends_with('\n').then(|| address.trim().to_owned())
        });
        let address = address.await;
        Self { address, role, client: Client::new(Protocol::Http1, PATIENCE), stop: Some(stop) }
    }

    /// Starts the role, which is to end by itself.
    pub(super) async fn start_to_end(database: &Database, master: &str, options: &[&str]) -> Result<(), Error> {
        let args = arguments(database, master, options, &database.directory.path().join("never-ready"));
        let role = run(args, axum::Router::new(), std::future::pending());
        tokio::time::timeout(PATIENCE, role).await.expect("it does not end")
    }

    /// Asks the role to stop, and waits for it.
    pub(super) async fn stop(mut self) -> Result<(), Error> {
        self.stop.take().unwrap().send(()).unwrap();
        self.role.await.unwrap()
    }

    pub(super) async fn open(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Response<ResponseBody> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap()));
        let uri = format!("http://{}{path}", self.address).parse().unwrap();
        let body = Bytes::copy_from_slice(body.as_ref());
        self.client.request(method, &uri, headers.collect(), body).await.unwrap()
    }

    pub(super) async fn ask(&self, method: Method, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.ask_with(method, path, &[], body).await
    }

    pub(super) async fn ask_with(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let response = self.open(method, path, headers, body).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: parts.status, headers: parts.headers, bytes, text }
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let answer = self.ask(Method::GET, path, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        answer.json()
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, &body.to_string()).await
    }
}

fn arguments(database: &Database, master: &str, options: &[&str], ready: &std::path::Path) -> Args {
    let (postgres_url, ready) = (database.postgres.url(), ready.to_str().unwrap());
    let usual = ["test", "--listen", "127.0.0.1:0", "--postgres-url", postgres_url, "--master", master];
    Cli::parse_from(usual.into_iter().chain(["--ready-file", ready]).chain(options.iter().copied())).args
}

/// An open event stream.
pub(super) struct Events {
    body: ResponseBody,
    read: String,
}

/// One frame of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) id: Option<i64>,
    pub(super) event_type: String,
    pub(super) data: Value,
}

impl Events {
    pub(super) async fn open(site: &Site, query: &str, headers: &[(&str, &str)]) -> Self {
        let response = site.open(Method::GET, &format!("/v2/events{query}"), headers, "").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body(), read: String::new() }
    }

    /// The next frame; comments are passed over.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, rest)) = self.read.split_once("\n\n") {
                let frame = parse(frame);
                self.read = rest.to_owned();
                match frame {
                    Some(frame) => return Some(frame),
                    None => continue,
                }
            }
            let chunk = tokio::time::timeout(PATIENCE, self.body.frame()).await.expect("no frame in time")?;
            self.read += std::str::from_utf8(&chunk.unwrap().into_data().unwrap()).unwrap();
        }
    }

    /// The frames up to the first of this type, which is the last one.
    pub(super) async fn until(&mut self, event_type: &str) -> Vec<Frame> {
        let mut frames = Vec::new();
        while frames.last().is_none_or(|frame: &Frame| frame.event_type != event_type) {
            frames.push(self.next().await.expect("the stream ended"));
        }
        frames
    }
}

fn parse(frame: &str) -> Option<Frame> {
    let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    Some(Frame {
        id: field("id").map(|id| id.parse().unwrap()),
        event_type: field("event")?.to_owned(),
        data: serde_json::from_str(field("data")?).unwrap(),
    })
}

/// Asks again and again until there is an answer.
pub(super) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{what} did not come in time"))
}
