//! Agents that run nothing: they speak the real link, all over one HTTP/2 connection, and report every task as running at once.

#![allow(dead_code, reason = "every benchmark uses a part of it")]

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use attica_allocator::Role;
use attica_core_api::client::Records;
use attica_core_api::http::{Client, MediaType, Protocol};
use attica_core_api::link::{Call, Event, Register, Registered, StatusUpdate, TaskDigest};
use attica_core_api::v1::{AgentInfo, FrameworkId, TaskId, TaskInfo, TaskState, TaskStatus, TaskStatusSource};
use attica_core_api::{encode_proto, resources};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use tokio::task::JoinSet;

const STREAM_ID: HeaderName = HeaderName::from_static("attica-stream-id");
const PATIENCE: Duration = Duration::from_secs(60);

/// Registered agents; they are gone when this is dropped.
pub(crate) struct SimulatedAgents {
    _tasks: JoinSet<()>,
    reports: Arc<Mutex<Reports>>,
}

/// The latest tasks that were reported, running or killed, with the moment just before that was sent.
#[derive(Default)]
struct Reports {
    latest: Vec<(TaskId, Instant)>,
}

impl SimulatedAgents {
    /// Registers `count` agents with these resources each; returns when the master has taken all of them in.
    pub(crate) async fn register(master: &str, count: usize, resources: &str) -> SimulatedAgents {
        Self::register_as(master, count, resources, "").await
    }

    /// The same of agents with these attributes.
    pub(crate) async fn register_as(master: &str, count: usize, resources: &str, attributes: &str) -> SimulatedAgents {
        let client = Client::new(Protocol::Http2, PATIENCE);
        let uri: Uri = format!("http://{master}/api/v1/agent").parse().expect("an address");
        let reports = Arc::<Mutex<Reports>>::default();
        let mut tasks = JoinSet::new();
        let mut registered = JoinSet::new();
        for number in 0..count {
            let agent = Agent {
                client: client.clone(),
                uri: uri.clone(),
                info: info(number, resources, attributes),
                reports: Arc::clone(&reports),
            };
            let (ready, is_ready) = tokio::sync::oneshot::channel();
            tasks.spawn(agent.run(ready));
            registered.spawn(is_ready);
        }
        while let Some(ready) = registered.join_next().await {
            ready.expect("no panic").expect("every agent is taken in");
        }
        SimulatedAgents { _tasks: tasks, reports }
    }

    /// When the only task of this name was reported last, if it was among the latest report.
    pub(crate) fn reported(&self, name: &str) -> Option<Instant> {
        let reports = self.reports.lock().expect("no panic");
        let of_name = |(task, _): &&(TaskId, Instant)| task.as_str().split(".instance-").next() == Some(name);
        reports.latest.iter().find(of_name).map(|(_, at)| *at)
    }
}

fn info(number: usize, text: &str, attributes: &str) -> AgentInfo {
    AgentInfo {
        hostname: Ipv4Addr::from(0x7f01_0000 + u32::try_from(number).expect("few")).to_string(),
        resources: resources::parse(text, &Role::any()).expect("valid resources"),
        attributes: resources::parse_attributes(attributes).expect("valid attributes"),
        ..AgentInfo::default()
    }
}

struct Agent {
    client: Client,
    uri: Uri,
    info: AgentInfo,
    reports: Arc<Mutex<Reports>>,
}

/// What calls after REGISTER carry.
struct Link {
    stream_id: HeaderValue,
    registered: Registered,
    epoch: u64,
}

impl Agent {
    async fn run(self, ready: tokio::sync::oneshot::Sender<()>) {
        let register = Register {
            agent_info: self.info.clone(),
            version: "simulated".into(),
            boot_id: "simulated".into(),
            task_digest: TaskDigest::default().to_bytes(),
            ..Register::default()
        };
        let response =
            self.client.post(&self.uri, headers(None), body(&Call::register(register))).await.expect("an answer");
        assert!(response.status().is_success(), "REGISTER: {}", response.status());
        let stream_id = response.headers().get(STREAM_ID).expect("a stream id").clone();
        let mut events = Records::<Event>::new(response.into_body(), MediaType::Protobuf);
        let first = events.next(PATIENCE).await.expect("a stream").expect("an event");
        let registered = first.registered.expect("REGISTERED comes first");
        let link = Arc::new(Link { stream_id, registered, epoch: first.epoch });
        let agent = Arc::new(self);
        let _ = ready.send(());
        let mut heartbeat = tokio::time::interval(Duration::from_millis(link.registered.heartbeat_ms));
        loop {
            tokio::select! {
                _ = heartbeat.tick() => {
                    let call = Call::heartbeat(link.registered.agent_id.clone(), link.epoch);
                    agent.post(&link, &call).await;
                }
                event = events.next(PATIENCE) => {
                    let Ok(Some(event)) = event else { return };
                    if let Some(run) = event.run {
                        agent.report(&link, &run.framework_id, &run.tasks).await;
                    }
                    if let Some(kill) = event.kill {
                        let update = agent.update(&link, &kill.framework_id, &kill.task_id, TaskState::Killed);
                        agent.reports.lock().expect("no panic").latest = vec![(kill.task_id, Instant::now())];
                        agent.send(&link, vec![update]).await;
                    }
                }
            }
        }
    }

    async fn report(&self, link: &Link, framework: &FrameworkId, tasks: &[TaskInfo]) {
        let running = |task: &TaskInfo| self.update(link, framework, &task.task_id, TaskState::Running);
        let now = Instant::now();
        self.reports.lock().expect("no panic").latest = tasks.iter().map(|task| (task.task_id.clone(), now)).collect();
        self.send(link, tasks.iter().map(running).collect()).await;
    }

    /// A task's first update is RUNNING, its second and last KILLED.
    fn update(&self, link: &Link, framework: &FrameworkId, task: &TaskId, state: TaskState) -> StatusUpdate {
        let sequence = if state == TaskState::Running { 1 } else { 2 };
        let name = format!("{task}/{sequence}");
        let status = TaskStatus {
            task_id: task.clone(),
            state,
            source: Some(TaskStatusSource::Executor),
            agent_id: Some(link.registered.agent_id.clone()),
            timestamp: Some(0.0),
            uuid: Some(Bytes::copy_from_slice(
                uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()).as_bytes(),
            )),
            ..TaskStatus::default()
        };
        StatusUpdate { framework_id: framework.clone(), status, sequence }
    }

    async fn send(&self, link: &Link, updates: Vec<StatusUpdate>) {
        self.post(link, &Call::statuses(link.registered.agent_id.clone(), link.epoch, updates)).await;
    }

    async fn post(&self, link: &Link, call: &Call) {
        let answer = self.client.post(&self.uri, headers(Some(&link.stream_id)), body(call)).await;
        assert!(answer.is_ok_and(|answer| answer.status().is_success()), "a call is taken");
    }
}

fn headers(stream_id: Option<&HeaderValue>) -> HeaderMap {
    let media = MediaType::Protobuf.header_value();
    let mut headers = HeaderMap::from_iter([(header::CONTENT_TYPE, media.clone()), (header::ACCEPT, media)]);
    if let Some(stream_id) = stream_id {
        headers.insert(STREAM_ID, stream_id.clone());
    }
    headers
}

fn body(call: &Call) -> Bytes {
    Bytes::from(encode_proto(call))
}
