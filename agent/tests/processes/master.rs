//! A master of the test's own: it speaks the agent link and remembers what it hears.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use attica_core_api::http::stream::{self, StreamLimits, StreamSender};
use attica_core_api::http::{Limits, RequestBody, Server, read_body};
use attica_core_api::link::{
    Acknowledge, Call, CallType, Event, ExecutorExited, Kill, Message, Register, Registered, Run, STREAM_ID_HEADER,
    ShutdownExecutor, StatusUpdate, TaskGroup, TaskReport,
};
use attica_core_api::v1::{ExecutorInfo, FrameworkInfo, KillPolicy, TaskInfo};
use attica_core_api::{decode_proto, encode_proto, recordio};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;

use crate::support::eventually;

pub const FRAMEWORK: &str = "fw-1";
pub const AGENT: &str = "master-S0";

/// Whether statuses are acknowledged as they come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Acknowledging {
    AtOnce,
    Never,
}

/// Whether the master can write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Database {
    There,
    Away,
}

pub struct Heard {
    pub acknowledging: Acknowledging,
    pub epoch: u64,
    pub registrations: Vec<Register>,
    /// The epoch in which each registration was answered.
    pub leads: Vec<u64>,
    pub updates: Vec<StatusUpdate>,
    pub tasks: Vec<Vec<TaskReport>>,
    pub messages: Vec<Message>,
    pub exited: Vec<ExecutorExited>,
    pub heartbeats: usize,
    /// While its database is away it takes no statuses; so many it did not take.
    pub database: Database,
    pub refused: usize,
    stream: Option<(String, StreamSender)>,
    /// Whether the agent has made a call that belongs to the stream: it knows by then that it is registered.
    has_spoken: bool,
    streams: usize,
}

#[derive(Clone)]
pub struct Master {
    pub address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
    runtime: Arc<tokio::runtime::Runtime>,
}

impl Master {
    pub fn start() -> Master {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let heard = Heard {
            acknowledging: Acknowledging::AtOnce,
            epoch: 1,
            registrations: Vec::new(),
            leads: Vec::new(),
            updates: Vec::new(),
            tasks: Vec::new(),
            messages: Vec::new(),
            exited: Vec::new(),
            heartbeats: 0,
            database: Database::There,
            refused: 0,
            stream: None,
            has_spoken: false,
            streams: 0,
        };
        let heard = Arc::new(Mutex::new(heard));
        let server = runtime.block_on(Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), Limits::default())).unwrap();
        let address = server.local_address().unwrap();
        let router: Router = Router::new().route("/api/v1/agent", post(answer)).with_state(heard.clone());
        runtime.spawn(async move {
            server.serve(into_service(router), std::future::pending()).await;
        });
        Master { address, heard, runtime: Arc::new(runtime) }
    }

    pub fn heard<T>(&self, look: impl FnOnce(&mut Heard) -> T) -> T {
        look(&mut self.heard.lock().unwrap())
    }

    pub fn send(&self, event: impl FnOnce(u64) -> Event) {
        self.heard(|heard| heard.send(event));
    }

    pub fn run(&self, tasks: Vec<TaskInfo>) {
        let framework_info =
            FrameworkInfo { name: "test".to_owned(), user: "root".to_owned(), ..FrameworkInfo::default() };
        self.run_for(framework_info, tasks);
    }

    pub fn run_for(&self, framework_info: FrameworkInfo, tasks: Vec<TaskInfo>) {
        let run = Run { framework_id: FRAMEWORK.into(), framework_info, tasks, ..Run::default() };
        self.send(|epoch| Event::run(epoch, run));
    }

    pub fn run_group(&self, executor: ExecutorInfo, tasks: Vec<TaskInfo>) {
        let framework_info =
            FrameworkInfo { name: "test".to_owned(), user: "root".to_owned(), ..FrameworkInfo::default() };
        let task_groups = vec![TaskGroup { executor, tasks }];
        let run = Run { framework_id: FRAMEWORK.into(), framework_info, task_groups, ..Run::default() };
        self.send(|epoch| Event::run(epoch, run));
    }

    pub fn message(&self, executor: &str, data: &'static [u8]) {
        let message =
            Message { framework_id: FRAMEWORK.into(), executor_id: executor.into(), data: Bytes::from_static(data) };
        self.send(|epoch| Event::message(epoch, message));
    }

    pub fn shutdown_executor(&self, executor: &str) {
        let shutdown = ShutdownExecutor { framework_id: FRAMEWORK.into(), executor_id: executor.into() };
        self.send(|epoch| Event::shutdown_executor(epoch, shutdown));
    }

    pub fn kill(&self, task: &str, grace_ms: Option<u64>) {
        let grace_period = grace_ms.map(attica_core_api::v1::DurationInfo::from_milliseconds);
        let kill_policy = grace_ms.map(|_| KillPolicy { grace_period });
        let kill = Kill { framework_id: FRAMEWORK.into(), task_id: task.into(), kill_policy, max_grace_period: None };
        self.send(|epoch| Event::kill(epoch, kill));
    }

    pub fn acknowledge_all(&self) {
        self.heard(|heard| {
            heard.acknowledging = Acknowledging::AtOnce;
            for update in heard.updates.clone() {
                heard.acknowledge(&update);
            }
        });
    }

    /// The agent that is registered is no longer there.
    pub fn part(&self) {
        self.heard(|heard| heard.stream = None);
    }

    /// Waits for so many registrations, the last of them that of an agent which is there and knows of it.
    pub fn await_registration(&self, count: usize) {
        let is_here =
            |heard: &mut Heard| heard.stream.is_some() && heard.has_spoken && heard.registrations.len() >= count;
        eventually("the agent registers", || self.heard(is_here).then_some(()));
    }

    /// The states of a task so far, each update once.
    pub fn states(&self, task: &str) -> Vec<&'static str> {
        let updates: BTreeMap<u64, &'static str> = self.heard(|heard| {
            let of_task = heard.updates.iter().filter(|update| update.status.task_id.as_str() == task);
            of_task.map(|update| (update.sequence, update.status.state.name())).collect()
        });
        updates.into_values().collect()
    }

    /// Waits for the task's first update in this state.
    pub fn await_state(&self, task: &str, state: &str) -> StatusUpdate {
        let found = |heard: &mut Heard| {
            heard
                .updates
                .iter()
                .find(|update| update.status.task_id.as_str() == task && update.status.state.name() == state)
                .cloned()
        };
        eventually(&format!("{task} is {state}"), || self.heard(found))
    }

    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

fn into_service(
    router: Router,
) -> impl tower::Service<
    http::Request<RequestBody>,
    Response = Response,
    Error = std::convert::Infallible,
    Future: Send + 'static,
> + Clone
+ Send
+ 'static {
    router
}

impl Heard {
    fn send(&mut self, event: impl FnOnce(u64) -> Event) {
        let (_, stream) = self.stream.as_ref().expect("an agent is registered");
        let _ended = stream.send(recordio::encode(&encode_proto(&event(self.epoch))));
    }

    fn acknowledge(&mut self, update: &StatusUpdate) {
        let uuid = update.status.uuid.clone().expect("an update has a UUID");
        let acknowledge =
            Acknowledge { framework_id: update.framework_id.clone(), task_id: update.status.task_id.clone(), uuid };
        self.send(|epoch| Event::acknowledge(epoch, acknowledge));
    }

    fn register(&mut self, register: Register) -> Response {
        self.streams += 1;
        let stream_id = format!("stream-{}", self.streams);
        let limits = StreamLimits { max_pending_bytes: 1 << 24, max_stall: Duration::from_secs(60) };
        let (sender, body) = stream::channel(limits, None, |_| {});
        let agent_id = register.agent_info.id.clone().unwrap_or_else(|| AGENT.into());
        self.stream = Some((stream_id.clone(), sender));
        self.has_spoken = false;
        let registered = Registered {
            agent_id,
            master_id: "master".to_owned(),
            heartbeat_ms: 200,
            // On a busy machine nobody is taken for gone who is slow.
            missed_limit: 300,
            digest_matches: true,
        };
        self.send(|epoch| Event::registered(epoch, registered));
        self.registrations.push(register);
        self.leads.push(self.epoch);
        ([(STREAM_ID_HEADER, stream_id)], Body::new(body)).into_response()
    }
}

async fn answer(State(heard): State<Arc<Mutex<Heard>>>, request: Request) -> Response {
    let stream_id = request.headers().get(STREAM_ID_HEADER).map(|id| id.to_str().unwrap().to_owned());
    let body = read_body(request.into_body()).await.unwrap();
    let call: Call = decode_proto(&body).unwrap();
    let mut heard = heard.lock().unwrap();
    if call.r#type != CallType::Register && heard.stream.as_ref().map(|(current, _)| current) != stream_id.as_ref() {
        return StatusCode::CONFLICT.into_response();
    }
    heard.has_spoken |= call.r#type != CallType::Register;
    match call.r#type {
        CallType::Register => return heard.register(call.register.unwrap()),
        CallType::Heartbeat => {
            heard.heartbeats += 1;
            heard.send(Event::heartbeat);
        }
        CallType::Statuses if heard.database == Database::Away => {
            heard.refused += 1;
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        CallType::Statuses => {
            for update in call.statuses.unwrap().updates {
                heard.updates.push(update.clone());
                if heard.acknowledging == Acknowledging::AtOnce {
                    heard.acknowledge(&update);
                }
            }
        }
        CallType::Tasks => heard.tasks.push(call.tasks.unwrap().tasks),
        CallType::OperationStatus => {}
        CallType::Message => heard.messages.push(call.message.unwrap()),
        CallType::ExecutorExited => heard.exited.push(call.executor_exited.unwrap()),
    }
    StatusCode::ACCEPTED.into_response()
}
