//! The part of the daemon's API that is needed, over its socket. Paths without a version: every daemon then speaks its own, and what is used
//! here has not changed since 2020.

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::UnixStream;

use super::spec::{Create, Exec};
use super::{LABEL, PREFIX, name};
use crate::launcher::protocol::ContainerId;

/// The longest answer that is read whole.
const MAX_ANSWER_BYTES: usize = 16 << 20;
/// How long the daemon may take to begin an answer, unless it is to wait for something.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the daemon does not do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DaemonError {
    #[error("the Docker daemon at {socket} cannot be reached")]
    Connect {
        socket: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the connection to the Docker daemon broke")]
    Broken(#[from] hyper::Error),
    #[error("what the Docker daemon says breaks off, or is too long")]
    BrokenOff(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the Docker daemon refuses: {message}")]
    Refused { status: StatusCode, message: String },
    #[error("what the Docker daemon says cannot be read")]
    Unreadable(#[from] serde_json::Error),
    #[error("the Docker daemon does not answer")]
    Silent,
    #[error("the request to the Docker daemon cannot be made")]
    Request(#[from] http::Error),
    #[error("what a container writes cannot be kept")]
    Output(#[source] io::Error),
}

impl DaemonError {
    /// Whether there is no such thing, or no such thing any more.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, DaemonError::Refused { status: StatusCode::NOT_FOUND, .. })
    }

    /// Whether the daemon has answered, and would answer something else.
    pub(crate) fn is_answer(&self) -> bool {
        matches!(self, DaemonError::Refused { .. })
    }
}

/// Speaks to the daemon behind a socket.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    socket: PathBuf,
}

/// What the daemon tells of a container.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Inspected {
    name: String,
    pub(crate) state: State,
    pub(crate) config: Config,
    #[serde(default)]
    mounts: Vec<MountPoint>,
    #[serde(default)]
    network_settings: NetworkSettings,
    #[serde(default)]
    host_config: HostLimits,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct State {
    pub(crate) status: String,
    pub(crate) pid: i32,
    pub(crate) exit_code: i32,
    #[serde(rename = "OOMKilled", default)]
    pub(crate) out_of_memory: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Config {
    pub(crate) stop_signal: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MountPoint {
    #[serde(default)]
    source: PathBuf,
    destination: PathBuf,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkSettings {
    #[serde(default)]
    networks: std::collections::BTreeMap<String, Endpoint>,
}

#[derive(Debug, Default, Deserialize)]
struct Endpoint {
    #[serde(rename = "IPAddress", default)]
    address: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HostLimits {
    #[serde(default)]
    memory: u64,
}

impl Inspected {
    /// Ours, if it is named as ours are.
    pub(crate) fn container(&self) -> Option<ContainerId> {
        ContainerId::new(self.name.trim_start_matches('/').strip_prefix(PREFIX)?).ok()
    }

    /// Where what is mounted at `target` is on the machine.
    pub(crate) fn mounted_at(&self, target: &Path) -> Option<&Path> {
        self.mounts.iter().find(|mount| mount.destination == target).map(|mount| mount.source.as_path())
    }

    /// In a network of its own.
    pub(crate) fn address(&self) -> Option<Ipv4Addr> {
        self.network_settings.networks.values().find_map(|endpoint| endpoint.address.parse().ok())
    }

    pub(crate) fn memory_limit(&self) -> u64 {
        self.host_config.memory
    }
}

/// What a container uses.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Stats {
    pub(crate) cpu_stats: CpuStats,
    pub(crate) memory_stats: MemoryStats,
    pub(crate) pids_stats: PidsStats,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CpuStats {
    pub(crate) cpu_usage: CpuUsage,
}

/// In nanoseconds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CpuUsage {
    pub(crate) usage_in_kernelmode: u64,
    pub(crate) usage_in_usermode: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct MemoryStats {
    pub(crate) usage: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PidsStats {
    pub(crate) current: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Made {
    id: String,
}

/// What became of a command in a container.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Executed {
    pub(crate) exit_code: Option<i32>,
    pub(crate) pid: i32,
}

impl Client {
    pub(crate) fn new(socket: PathBuf) -> Client {
        Client { socket }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<hyper::Response<Incoming>, DaemonError> {
        let connect = |source| DaemonError::Connect { socket: self.socket.clone(), source };
        let stream = UnixStream::connect(&self.socket).await.map_err(connect)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the answer.
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "docker");
        let mut bytes = Bytes::new();
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json");
            bytes = serde_json::to_vec(body)?.into();
        }
        let response = sender.send_request(request.body(Full::new(bytes))?).await?;
        if response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED {
            return Ok(response);
        }
        let status = response.status();
        let text = whole(response).await?;
        let told =
            serde_json::from_slice::<Value>(&text).ok().and_then(|value| Some(value["message"].as_str()?.to_owned()));
        Err(DaemonError::Refused {
            status,
            message: told.unwrap_or_else(|| String::from_utf8_lossy(&text).into_owned()),
        })
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Bytes, DaemonError> {
        let answered = async { whole(self.send(method, path, body).await?).await };
        tokio::time::timeout(PATIENCE, answered).await.map_err(|_| DaemonError::Silent)?
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, DaemonError> {
        Ok(serde_json::from_slice(&self.call(Method::GET, path, None).await?)?)
    }

    pub(crate) async fn ping(&self) -> Result<(), DaemonError> {
        self.call(Method::GET, "/_ping", None).await.map(drop)
    }

    /// Ends with the daemon.
    pub(crate) async fn await_end(&self) -> DaemonError {
        let nothing = filters(&json!({ "container": [uuid::Uuid::new_v4().to_string()] }));
        match self.send(Method::GET, &format!("/events?filters={nothing}"), None).await {
            Err(error) => error,
            Ok(mut events) => loop {
                match events.body_mut().frame().await {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return error.into(),
                    None => return DaemonError::BrokenOff("it ends".into()),
                }
            },
        }
    }

    /// Sees to it that an image is there. `fresh`: its registry is asked even if it is.
    pub(crate) async fn pull(&self, image: &str, fresh: bool, auth: Option<&str>) -> Result<(), DaemonError> {
        if !fresh {
            match self.call(Method::GET, &format!("/images/{}/json", path(image)), None).await {
                Err(error) if error.is_missing() => {}
                outcome => return outcome.map(drop),
            }
        }
        // Without a tag every version that there is would be pulled.
        let last = image.rsplit('/').next().unwrap_or_default();
        let tag = if last.contains([':', '@']) { "" } else { "latest" };
        let connect = |source| DaemonError::Connect { socket: self.socket.clone(), source };
        let stream = UnixStream::connect(&self.socket).await.map_err(connect)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let uri = format!("/images/create?fromImage={}&tag={tag}", query(image));
        let mut request = Request::post(uri).header(header::HOST, "docker");
        if let Some(auth) = auth {
            request = request.header("X-Registry-Auth", auth);
        }
        let response = sender.send_request(request.body(Full::new(Bytes::new()))?).await?;
        let status = response.status();
        let text = whole(response).await?;
        let told = text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        let member = if status.is_success() { "error" } else { "message" };
        let failed = told.filter_map(|line| Some(line[member].as_str()?.to_owned())).next();
        match (status.is_success(), failed) {
            (true, None) => Ok(()),
            (_, message) => Err(DaemonError::Refused { status, message: message.unwrap_or_default() }),
        }
    }

    pub(crate) async fn create(&self, container: &ContainerId, create: &Create) -> Result<(), DaemonError> {
        let body = serde_json::to_value(create)?;
        self.call(Method::POST, &format!("/containers/create?name={}", name(container)), Some(&body)).await.map(drop)
    }

    pub(crate) async fn start(&self, container: &ContainerId) -> Result<(), DaemonError> {
        self.call(Method::POST, &format!("/containers/{}/start", name(container)), None).await.map(drop)
    }

    pub(crate) async fn kill(&self, container: &ContainerId, signal: &str) -> Result<(), DaemonError> {
        let path = format!("/containers/{}/kill?signal={}", name(container), query(signal));
        self.call(Method::POST, &path, None).await.map(drop)
    }

    /// With what it has written and its anonymous volumes; whatever it does.
    pub(crate) async fn remove(&self, container: &ContainerId) -> Result<(), DaemonError> {
        match self.call(Method::DELETE, &format!("/containers/{}?force=1&v=1", name(container)), None).await {
            Err(error) if !error.is_missing() => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    pub(crate) async fn inspect(&self, container: &ContainerId) -> Result<Inspected, DaemonError> {
        self.ask(&format!("/containers/{}/json", name(container))).await
    }

    /// All that bear this label of ours.
    pub(crate) async fn list(&self, owner: &str) -> Result<Vec<Inspected>, DaemonError> {
        let ours = filters(&json!({ "label": [format!("{LABEL}={owner}")] }));
        let listed: Vec<Made> = self.ask(&format!("/containers/json?all=1&filters={ours}")).await?;
        let mut containers = Vec::new();
        for Made { id } in listed {
            match self.ask(&format!("/containers/{id}/json")).await {
                Ok(container) => containers.push(container),
                Err(error) if error.is_missing() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(containers)
    }

    /// Waits until it has ended.
    pub(crate) async fn wait(&self, container: &ContainerId) -> Result<(), DaemonError> {
        let response = self.send(Method::POST, &format!("/containers/{}/wait", name(container)), None).await?;
        whole(response).await.map(drop)
    }

    /// All that it has written and will write, in the form that [`super::logs`] reads.
    pub(crate) async fn logs(&self, container: &ContainerId) -> Result<Incoming, DaemonError> {
        let path = format!("/containers/{}/logs?follow=1&stdout=1&stderr=1", name(container));
        Ok(self.send(Method::GET, &path, None).await?.into_body())
    }

    pub(crate) async fn stats(&self, container: &ContainerId) -> Result<Stats, DaemonError> {
        self.ask(&format!("/containers/{}/stats?stream=false&one-shot=true", name(container))).await
    }

    /// Makes a command ready to be run; returns its id.
    pub(crate) async fn prepare(&self, exec: &Exec) -> Result<String, DaemonError> {
        let environment: Vec<String> = exec.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let body = json!({ "AttachStdout": true, "AttachStderr": true, "Cmd": exec.argv, "Env": environment });
        let path = format!("/containers/{}/exec", name(&exec.container));
        let made: Made = serde_json::from_slice(&self.call(Method::POST, &path, Some(&body)).await?)?;
        Ok(made.id)
    }

    /// Runs it; what it writes.
    pub(crate) async fn execute(&self, exec: &str) -> Result<Incoming, DaemonError> {
        let body = json!({ "Detach": false, "Tty": false });
        Ok(self.send(Method::POST, &format!("/exec/{exec}/start"), Some(&body)).await?.into_body())
    }

    pub(crate) async fn executed(&self, exec: &str) -> Result<Executed, DaemonError> {
        self.ask(&format!("/exec/{exec}/json")).await
    }
}

async fn whole(response: hyper::Response<Incoming>) -> Result<Bytes, DaemonError> {
    let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
    Ok(body.map_err(DaemonError::BrokenOff)?.to_bytes())
}

fn filters(filters: &Value) -> String {
    query(&filters.to_string())
}

/// A value in a query.
fn query(text: &str) -> String {
    encoded(text, "-._~")
}

/// A part of a path; an image's name may have several.
fn path(text: &str) -> String {
    encoded(text, "-._~/:@")
}

fn encoded(text: &str, plain: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match char::from(byte) {
            character if character.is_ascii_alphanumeric() || plain.contains(character) => encoded.push(character),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
