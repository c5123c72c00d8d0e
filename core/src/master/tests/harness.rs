//! What the tests run against: a Postgres of their own, masters in this process, agents and schedulers made of HTTP requests.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use attica_allocator::Role;
use attica_core_api::client::{Calls, Config, Records, Signal, Signals};
use attica_core_api::http::{Client, MediaType, Protocol, ResponseBody};
use attica_core_api::link::{self, StatusUpdate, TaskDigest};
use attica_core_api::resources;
use attica_core_api::scheduler::{Event, EventType};
use attica_core_api::v1::{
    AgentId, AgentInfo, CommandInfo, ExecutorId, FrameworkCapability, FrameworkCapabilityType, FrameworkId,
    FrameworkInfo, LaunchOperation, Offer, OfferOperation, OfferOperationType, TaskId, TaskInfo, TaskState, TaskStatus,
    TaskStatusSource,
};
use attica_core_api::{Timestamp, encode_proto};
use attica_core_store::private_postgres::{PrivatePostgres, PrivatePostgresOptions};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, header};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::master::{Args, Error, LogControl, run};

/// Whatever has not happened by then will not happen.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A database, and room for ready files.
pub(super) struct Cluster {
    pub(super) postgres: PrivatePostgres,
    directory: TempDir,
}

/// A running master.
pub(super) struct TestMaster {
    pub(super) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    pub(super) role: JoinHandle<Result<(), Error>>,
}

impl Cluster {
    pub(super) async fn start() -> Cluster {
        let directory = tempfile::tempdir().unwrap();
        let postgres = PrivatePostgres::start(&PrivatePostgresOptions::for_test(directory.path().join("pg"))).await;
        Cluster { postgres: postgres.unwrap(), directory }
    }

    /// Starts a master that is expected to end at once.
    pub(super) async fn try_master(&self, flags: &[&str]) -> Result<(), Error> {
        soon(run(self.args(&[], flags), std::future::pending())).await
    }

    fn args(&self, given: &[&str], flags: &[&str]) -> Args {
        let program = ["master", "--postgres-url", self.postgres.url()];
        let arguments = program.iter().chain(given).chain(flags);
        let args = <Arguments as clap::Parser>::try_parse_from(arguments).unwrap().args;
        Args { log_control: LogControl::new(|_| {}), ..args }
    }

    /// Writes a file, and says where it is.
    pub(super) fn file(&self, name: &str, content: &str) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Starts a master and waits until it answers.
    pub(super) async fn master(&self, flags: &[&str]) -> TestMaster {
        let ready: PathBuf = self.directory.path().join(format!("ready-{}", Uuid::new_v4()));
        let args = self.args(&["--listen", "127.0.0.1:0", "--ready-file", ready.to_str().unwrap()], flags);
        let (stop, stopped) = oneshot::channel::<()>();
        let role = tokio::spawn(run(args, async move { drop(stopped.await) }));
        let address = eventually(async || tokio::fs::read_to_string(&ready).await.ok()).await;
        TestMaster { address: address.trim().parse().unwrap(), stop: Some(stop), role }
    }
}

#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    args: Args,
}

/// Asks again and again until there is an answer.
pub(super) async fn eventually<T>(mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = attempt().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("happens in time")
}

/// Waits for one thing.
pub(super) async fn soon<T>(thing: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, thing).await.expect("happens in time")
}

impl TestMaster {
    pub(super) fn authority(&self) -> String {
        self.address.to_string()
    }

    pub(super) fn uri(&self, path: &str) -> Uri {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    pub(super) async fn get(&self, path: &str) -> Response<ResponseBody> {
        client().get(&self.uri(path), HeaderMap::new()).await.unwrap()
    }

    pub(super) async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        serde_json::from_str(&client().text(response, usize::MAX >> 1).await).unwrap()
    }

    /// The state of every task that `/tasks` lists.
    pub(super) async fn task_states(&self) -> Vec<(String, String)> {
        let tasks = self.json("/tasks?limit=100000&order=asc").await;
        let text = |task: &Value, name: &str| task[name].as_str().unwrap().to_owned();
        tasks["tasks"].as_array().unwrap().iter().map(|task| (text(task, "id"), text(task, "state"))).collect()
    }

    /// A graceful end.
    pub(super) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        soon(&mut self.role).await.unwrap().unwrap();
    }

    /// The end of a process that was killed: nothing is written any more, the lease is not given back.
    pub(super) async fn kill(mut self) {
        self.role.abort();
        let _ = soon(&mut self.role).await;
    }

    /// Subscribes a framework that knows everything.
    pub(super) async fn framework(&self, name: &str) -> TestFramework {
        TestFramework::subscribe(vec![self.authority()], framework_info(name)).await
    }

    /// Registers an agent with these resources.
    pub(super) async fn agent(&self, resources: &str) -> TestAgent {
        TestAgent::register(self, agent_info(resources)).await
    }
}

pub(super) fn client() -> Client {
    Client::new(Protocol::Http1, PATIENCE)
}

pub(super) fn framework_info(name: &str) -> FrameworkInfo {
    let capabilities = [FrameworkCapabilityType::MultiRole, FrameworkCapabilityType::PartitionAware];
    FrameworkInfo {
        user: "root".to_owned(),
        name: name.to_owned(),
        roles: vec![name.to_owned()],
        failover_timeout: 600.0,
        capabilities: capabilities.map(|kind| FrameworkCapability { r#type: Some(kind) }).to_vec(),
        ..FrameworkInfo::default()
    }
}

fn agent_info(resources: &str) -> AgentInfo {
    AgentInfo {
        hostname: "127.0.0.1".to_owned(),
        resources: resources::parse(resources, &Role::any()).unwrap(),
        attributes: resources::parse_attributes("rack:r1;zone:z1").unwrap(),
        ..AgentInfo::default()
    }
}

/// A framework made of the public client library.
pub(super) struct TestFramework {
    pub(super) id: FrameworkId,
    pub(super) calls: Calls,
    pub(super) signals: Signals,
}

impl TestFramework {
    pub(super) async fn subscribe(masters: Vec<String>, info: FrameworkInfo) -> TestFramework {
        let (calls, mut signals) = attica_core_api::client::connect(Config::new(masters, info));
        match soon(signals.next()).await {
            Some(Signal::Subscribed { framework_id, .. }) => TestFramework { id: framework_id, calls, signals },
            other => panic!("expected SUBSCRIBED, got {other:?}"),
        }
    }

    /// The next event of this type; others are passed over.
    pub(super) async fn event(&mut self, kind: EventType) -> Event {
        let found = async {
            loop {
                match self.signals.next().await {
                    Some(Signal::Event(event)) if event.r#type == Some(kind) => return *event,
                    Some(Signal::Event(_)) => {}
                    other => panic!("expected {kind}, got {other:?}"),
                }
            }
        };
        soon(found).await
    }

    pub(super) async fn offer(&mut self) -> Offer {
        self.event(EventType::Offers).await.offers.unwrap().offers.remove(0)
    }

    pub(super) async fn status(&mut self) -> TaskStatus {
        self.event(EventType::Update).await.update.unwrap().status
    }

    /// Launches tasks of half a cpu each on an offer.
    pub(super) async fn launch(&self, offer: &Offer, names: &[&str]) {
        let tasks = names.iter().map(|name| task(name, &offer.agent_id)).collect();
        let launch = OfferOperation {
            r#type: Some(OfferOperationType::Launch),
            launch: Some(LaunchOperation { task_infos: tasks }),
            ..OfferOperation::default()
        };
        soon(self.calls.accept(vec![offer.id.clone()], vec![launch], None)).await.unwrap();
    }
}

fn task(name: &str, agent: &AgentId) -> TaskInfo {
    TaskInfo {
        name: name.to_owned(),
        task_id: TaskId::new(name),
        agent_id: agent.clone(),
        resources: resources::parse("cpus:0.5;mem:64", &Role::any()).unwrap(),
        command: Some(CommandInfo { value: Some("true".to_owned()), ..CommandInfo::default() }),
        ..TaskInfo::default()
    }
}

/// An agent made of requests: it says what it is told to say.
pub(super) struct TestAgent {
    pub(super) id: AgentId,
    pub(super) epoch: u64,
    info: AgentInfo,
    master: Uri,
    stream_id: HeaderValue,
    pub(super) events: Records<link::Event>,
    /// The number of the last update of each task.
    sequences: HashMap<String, u64>,
}

impl TestAgent {
    async fn register(master: &TestMaster, info: AgentInfo) -> TestAgent {
        let digest = TaskDigest::default();
        let call = link::Call::register(link::Register {
            agent_info: info.clone(),
            version: "test".to_owned(),
            boot_id: "boot".to_owned(),
            epoch: 0,
            task_digest: digest.to_bytes(),
            task_count: 0,
            checkpointed: true,
            replaces: None,
            executors: Vec::new(),
        });
        let uri = master.uri("/api/v1/agent");
        let response = post_link(&uri, None, &call).await;
        assert_eq!(response.status(), StatusCode::OK);
        let stream_id = response.headers()[link::STREAM_ID_HEADER].clone();
        let mut events = Records::new(response.into_body(), MediaType::Protobuf);
        let event: link::Event = soon(events.next(PATIENCE)).await.unwrap().unwrap();
        let registered = event.registered.unwrap();
        let (id, epoch) = (registered.agent_id, event.epoch);
        let info = AgentInfo { id: Some(id.clone()), ..info };
        let mut agent = TestAgent { id, epoch, info, master: uri, stream_id, events, sequences: HashMap::new() };
        if !registered.digest_matches {
            agent.event(link::EventType::ListTasks).await;
            assert_eq!(agent.post(link::Call::tasks(agent.id.clone(), epoch, Vec::new())).await, StatusCode::ACCEPTED);
        }
        agent
    }

    /// Registers again, with the id it has, at this or another master.
    pub(super) async fn register_again(&self, master: &TestMaster) -> TestAgent {
        TestAgent::register(master, self.info.clone()).await
    }

    pub(super) async fn post(&self, call: link::Call) -> StatusCode {
        post_link(&self.master, Some(&self.stream_id), &call).await.status()
    }

    /// The next event of this type; others are passed over.
    pub(super) async fn event(&mut self, kind: link::EventType) -> link::Event {
        let found = async {
            loop {
                let event = self.events.next(PATIENCE).await.unwrap().expect("the stream goes on");
                if event.r#type == kind {
                    return event;
                }
            }
        };
        soon(found).await
    }

    /// Reports a state of a task.
    pub(super) async fn report(&mut self, framework: &FrameworkId, task: &str, state: TaskState) -> StatusCode {
        let update = self.update(framework, task, state);
        self.post(link::Call::statuses(self.id.clone(), self.epoch, vec![update])).await
    }

    pub(super) fn update(&mut self, framework: &FrameworkId, task: &str, state: TaskState) -> StatusUpdate {
        let sequence = self.sequences.entry(task.to_owned()).or_default();
        *sequence += 1;
        StatusUpdate {
            framework_id: framework.clone(),
            sequence: *sequence,
            status: TaskStatus {
                task_id: TaskId::new(task),
                state,
                source: Some(TaskStatusSource::Executor),
                agent_id: Some(self.id.clone()),
                executor_id: Some(ExecutorId::new(task)),
                timestamp: Some(Timestamp(1_700_000_000_000).seconds()),
                uuid: Some(Bytes::copy_from_slice(Uuid::new_v4().as_bytes())),
                ..TaskStatus::default()
            },
        }
    }
}

async fn post_link(uri: &Uri, stream_id: Option<&HeaderValue>, call: &link::Call) -> Response<ResponseBody> {
    let mut headers = HeaderMap::from_iter([(header::CONTENT_TYPE, MediaType::Protobuf.header_value())]);
    if let Some(stream_id) = stream_id {
        headers.insert(link::STREAM_ID_HEADER, stream_id.clone());
    }
    soon(client().post(uri, headers, encode_proto(call).into())).await.unwrap()
}
