//! Agents that run nothing and survive every leader: they speak the real link, and come back with what they have.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::time::Duration;

use attica_allocator::Role;
use attica_core_api::client::Records;
use attica_core_api::http::{Client, MediaType, Protocol};
use attica_core_api::link::{Call, Event, Register, STREAM_ID_HEADER, StatusUpdate, TaskDigest, TaskReport};
use attica_core_api::v1::{
    AgentId, AgentInfo, FrameworkId, MasterInfo, TaskId, TaskState, TaskStatus, TaskStatusSource,
};
use attica_core_api::zookeeper::{Detector, Ensemble};
use attica_core_api::{encode_proto, resources};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub const RESOURCES: &str = "cpus:1000;mem:1000000";
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two attempts to register.
const PAUSE: Duration = Duration::from_millis(100);
/// After so long without an event the leader is given up.
const SILENCE: Duration = Duration::from_secs(10);

/// All agents, behind one eye on ZooKeeper; they are gone when this is dropped.
pub struct Agents {
    _tasks: JoinSet<()>,
    _detector: Detector,
}

impl Agents {
    pub fn start(ensemble: &Ensemble, count: usize) -> Agents {
        let detector = Detector::start(ensemble.clone());
        let client = Client::new(Protocol::Http2, CALL_TIMEOUT);
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let info = AgentInfo {
                hostname: Ipv4Addr::from(0x7f01_0000 + u32::try_from(number).expect("few")).to_string(),
                resources: resources::parse(RESOURCES, &Role::any()).expect("valid resources"),
                ..AgentInfo::default()
            };
            let agent = Agent {
                client: client.clone(),
                leader: detector.leader(),
                info,
                epoch: 0,
                tasks: BTreeMap::new(),
                unacknowledged: VecDeque::new(),
            };
            tasks.spawn(agent.run());
        }
        Agents { _tasks: tasks, _detector: detector }
    }
}

struct Agent {
    client: Client,
    leader: watch::Receiver<Option<MasterInfo>>,
    info: AgentInfo,
    epoch: u64,
    /// With the state that was reported last, and how often there was something to report.
    tasks: BTreeMap<(FrameworkId, TaskId), (TaskState, u64)>,
    unacknowledged: VecDeque<StatusUpdate>,
}

/// An open stream.
struct Link {
    uri: Uri,
    stream_id: HeaderValue,
    id: AgentId,
}

impl Agent {
    async fn run(mut self) {
        loop {
            // Whatever broke: the leader is looked for again.
            let _ = self.serve().await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Registers with the leader and obeys it until the link breaks.
    async fn serve(&mut self) -> Option<()> {
        let leader = self.leader.wait_for(Option::is_some).await.ok()?.clone()?;
        let ip = leader.address?.ip?;
        let uri: Uri = format!("http://{ip}:{}/api/v1/agent", leader.port).parse().ok()?;
        let mut digest = TaskDigest::default();
        for ((framework, task), (state, _)) in &self.tasks {
            digest.add(framework, task, *state);
        }
        let register = Register {
            agent_info: self.info.clone(),
            version: "simulated".into(),
            boot_id: "simulated".into(),
            epoch: self.epoch,
            task_digest: digest.to_bytes(),
            task_count: u32::try_from(self.tasks.len()).expect("few"),
            checkpointed: true,
            replaces: None,
            executors: Vec::new(),
        };
        let response = self.client.post(&uri, headers(None), body(&Call::register(register))).await.ok()?;
        if response.status() != StatusCode::OK {
            return None;
        }
        let stream_id = response.headers().get(STREAM_ID_HEADER)?.clone();
        let mut events = Records::<Event>::new(response.into_body(), MediaType::Protobuf);
        let first = events.next(SILENCE).await.ok()??;
        let registered = first.registered.clone()?;
        assert!(first.epoch >= self.epoch, "epoch {} after {}: a deposed leader speaks", first.epoch, self.epoch);
        self.epoch = first.epoch;
        self.info.id = Some(registered.agent_id.clone());
        let link = Link { uri, stream_id, id: registered.agent_id };
        self.send_unacknowledged(&link).await?;
        let mut heartbeat = tokio::time::interval(Duration::from_millis(registered.heartbeat_ms));
        let mut leader = self.leader.clone();
        leader.mark_unchanged();
        loop {
            tokio::select! {
                event = events.next(SILENCE) => self.obey(&link, event.ok()??).await?,
                _ = heartbeat.tick() => self.post(&link, &Call::heartbeat(link.id.clone(), self.epoch)).await?,
                changed = leader.changed() => changed.ok()?,
            }
            // Another leader: come to it. None at the moment: wait and see.
            let named = leader.borrow_and_update().as_ref().map(|leader| leader.port);
            if named.is_some_and(|port| link.uri.port_u16().map(u32::from) != Some(port)) {
                return None;
            }
        }
    }

    async fn obey(&mut self, link: &Link, event: Event) -> Option<()> {
        assert!(event.epoch >= self.epoch, "epoch {} after {}: a deposed leader commands", event.epoch, self.epoch);
        if let Some(run) = event.run {
            for task in run.tasks {
                let key = (run.framework_id.clone(), task.task_id);
                if !self.tasks.contains_key(&key) {
                    self.change(key, TaskState::Running);
                }
            }
            self.send_unacknowledged(link).await?;
        }
        if let Some(kill) = event.kill {
            let key = (kill.framework_id, kill.task_id);
            if self.tasks.get(&key).is_some_and(|(state, _)| *state == TaskState::Running) {
                self.change(key, TaskState::Killed);
                self.send_unacknowledged(link).await?;
            }
        }
        if let Some(acknowledge) = event.acknowledge {
            self.unacknowledged.retain(|update| update.status.uuid.as_ref() != Some(&acknowledge.uuid));
            let key = (acknowledge.framework_id, acknowledge.task_id);
            let pending = self.unacknowledged.iter().any(|update| update.status.task_id == key.1);
            if !pending && self.tasks.get(&key).is_some_and(|(state, _)| *state == TaskState::Killed) {
                self.tasks.remove(&key);
            }
        }
        if event.r#type == attica_core_api::link::EventType::ListTasks {
            let report = |((framework, task), (state, _)): (&(FrameworkId, TaskId), &(TaskState, u64))| TaskReport {
                framework_id: framework.clone(),
                task_id: task.clone(),
                state: *state,
                latest_status: None,
            };
            let tasks = self.tasks.iter().map(report).collect();
            self.post(link, &Call::tasks(link.id.clone(), self.epoch, tasks)).await?;
        }
        assert!(event.shutdown.is_none(), "the agent is wanted");
        Some(())
    }

    fn change(&mut self, key: (FrameworkId, TaskId), state: TaskState) {
        let entry = self.tasks.entry(key.clone()).or_insert((state, 0));
        entry.0 = state;
        entry.1 += 1;
        let name = format!("{}/{}", key.1, entry.1);
        let uuid = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes());
        let status = TaskStatus {
            task_id: key.1,
            state,
            source: Some(TaskStatusSource::Executor),
            agent_id: self.info.id.clone(),
            timestamp: Some(0.0),
            uuid: Some(Bytes::copy_from_slice(uuid.as_bytes())),
            ..TaskStatus::default()
        };
        self.unacknowledged.push_back(StatusUpdate { framework_id: key.0, status, sequence: entry.1 });
    }

    async fn send_unacknowledged(&self, link: &Link) -> Option<()> {
        if self.unacknowledged.is_empty() {
            return Some(());
        }
        let updates = self.unacknowledged.iter().cloned().collect();
        self.post(link, &Call::statuses(link.id.clone(), self.epoch, updates)).await
    }

    async fn post(&self, link: &Link, call: &Call) -> Option<()> {
        let response = self.client.post(&link.uri, headers(Some(&link.stream_id)), body(call)).await.ok()?;
        response.status().is_success().then_some(())
    }
}

fn headers(stream_id: Option<&HeaderValue>) -> HeaderMap {
    let media = MediaType::Protobuf.header_value();
    let mut headers = HeaderMap::from_iter([(header::CONTENT_TYPE, media.clone()), (header::ACCEPT, media)]);
    if let Some(stream_id) = stream_id {
        headers.insert(STREAM_ID_HEADER, stream_id.clone());
    }
    headers
}

fn body(call: &Call) -> Bytes {
    Bytes::from(encode_proto(call))
}
