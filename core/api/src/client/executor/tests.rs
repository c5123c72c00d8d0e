//! The executor's client against an agent that goes and comes back.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::service_fn;

use super::*;
use crate::executor::{Acknowledged, Event, EventType, Kill, Launch, MessageEvent, Subscribed};
use crate::http::stream::{self, StreamBody, StreamLimits, StreamSender};
use crate::http::{Limits, RequestBody, Server, read_body};
use crate::v1::TaskState;
use crate::{decode_proto, encode_proto, recordio};

const PATIENCE: Duration = Duration::from_secs(20);

type Body = Either<StreamBody, Full<Bytes>>;

/// An agent that takes every call, unless it is told to answer SUBSCRIBE with another status.
struct Scripted {
    address: String,
    subscribe_status: Arc<Mutex<StatusCode>>,
    streams: mpsc::UnboundedReceiver<StreamSender>,
    calls: mpsc::UnboundedReceiver<(HeaderMap, Call)>,
    _stop: DropGuard,
}

impl Scripted {
    async fn start() -> Scripted {
        let server = Server::bind(([127, 0, 0, 1], 0).into(), Limits::default()).await.unwrap();
        let address = server.local_address().unwrap().to_string();
        let subscribe_status = Arc::new(Mutex::new(StatusCode::OK));
        let (opened, streams) = mpsc::unbounded_channel();
        let (called, calls) = mpsc::unbounded_channel();
        let status = subscribe_status.clone();
        let service = service_fn(move |request: Request<RequestBody>| {
            let (status, opened, called) = (*status.lock().unwrap(), opened.clone(), called.clone());
            async move {
                let (parts, body) = request.into_parts();
                assert_eq!(parts.uri.path(), "/api/v1/executor");
                let call: Call = decode_proto(&read_body(body).await.unwrap()).unwrap();
                let is_subscribe = call.r#type == Some(CallType::Subscribe);
                called.send((parts.headers, call)).unwrap();
                Ok::<Response<Body>, Infallible>(match (is_subscribe, status) {
                    (true, StatusCode::OK) => {
                        let limits = StreamLimits { max_pending_bytes: 1 << 20, max_stall: PATIENCE };
                        let (sender, body) = stream::channel(limits, None, |_| {});
                        opened.send(sender).unwrap();
                        Response::new(Either::Left(body))
                    }
                    (true, status) => {
                        Response::builder().status(status).body(Either::Right(Full::from("as told"))).unwrap()
                    }
                    (false, _) => Response::builder().status(202).body(Either::Right(Full::default())).unwrap(),
                })
            }
        });
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move { server.serve(service, stopped.cancelled()).await });
        Scripted { address, subscribe_status, streams, calls, _stop: stop.drop_guard() }
    }

    fn environment(&self, recovery_timeout: Duration) -> Environment {
        Environment {
            agent: self.address.clone(),
            executor_id: ExecutorId::new("e"),
            framework_id: FrameworkId::new("f"),
            token: Some(crate::auth::SecretText::new("secret")),
            authority: None,
            recovery_timeout,
            backoff_max: Duration::from_millis(50),
            shutdown_grace: Duration::from_secs(5),
        }
    }

    async fn stream(&mut self) -> StreamSender {
        tokio::time::timeout(PATIENCE, self.streams.recv()).await.unwrap().unwrap()
    }

    async fn call(&mut self) -> (HeaderMap, Call) {
        tokio::time::timeout(PATIENCE, self.calls.recv()).await.unwrap().unwrap()
    }
}

fn send(stream: &StreamSender, event: Event) {
    stream.send(recordio::encode(&encode_proto(&event))).unwrap();
}

fn event(kind: EventType) -> Event {
    Event { r#type: Some(kind), ..Event::default() }
}

async fn next(signals: &mut Signals) -> Option<Signal> {
    tokio::time::timeout(PATIENCE, signals.next()).await.unwrap()
}

fn status(task: &str, state: TaskState) -> TaskStatus {
    TaskStatus { task_id: task.into(), state, ..TaskStatus::default() }
}

#[tokio::test]
async fn what_the_agent_may_have_missed_goes_with_the_next_subscription() {
    let mut agent = Scripted::start().await;
    let (executor, mut signals) = connect(agent.environment(Duration::from_secs(60)));
    let (headers, subscribe) = agent.call().await;
    assert_eq!(headers["authorization"], "Bearer secret");
    assert_eq!(subscribe.subscribe, Some(Subscribe::default()));
    let stream = agent.stream().await;
    send(&stream, Event { subscribed: Some(Subscribed::default()), ..event(EventType::Subscribed) });
    assert!(matches!(next(&mut signals).await, Some(Signal::Subscribed(_))));
    for id in ["a", "b"] {
        let task = TaskInfo { task_id: id.into(), ..TaskInfo::default() };
        send(&stream, Event { launch: Some(Launch { task }), ..event(EventType::Launch) });
        assert!(matches!(next(&mut signals).await, Some(Signal::Launch(task)) if task.task_id.as_str() == id));
    }
    executor.update(status("a", TaskState::Running));
    let (_, sent) = agent.call().await;
    let sent = sent.update.unwrap().status;
    assert_eq!((sent.source, sent.executor_id), (Some(TaskStatusSource::Executor), Some("e".into())));
    let uuid = sent.uuid.unwrap();
    send(
        &stream,
        Event { acknowledged: Some(Acknowledged { task_id: "a".into(), uuid }), ..event(EventType::Acknowledged) },
    );
    send(&stream, Event { message: Some(MessageEvent { data: "hi".into() }), ..event(EventType::Message) });
    assert!(matches!(next(&mut signals).await, Some(Signal::Message(data)) if data == "hi"));
    executor.message("ho");
    assert_eq!(agent.call().await.1.message.unwrap().data, "ho");

    stream.finish();
    assert!(matches!(next(&mut signals).await, Some(Signal::Disconnected)));
    executor.update(status("a", TaskState::Finished));
    // Whether it was said before the new stream or on it: nothing is missing, and nothing that was acknowledged is there.
    let mut known = Vec::new();
    let (mut tasks, mut streams) = (Vec::new(), 0);
    while known.is_empty() || streams == 0 {
        let (_, call) = agent.call().await;
        if let Some(subscribe) = call.subscribe {
            streams += 1;
            tasks = subscribe.unacknowledged_tasks;
            known.extend(subscribe.unacknowledged_updates);
        }
        known.extend(call.update);
    }
    assert!(known.iter().all(|update| update.status.state == TaskState::Finished), "{known:?}");
    assert_eq!(tasks.iter().map(|task| task.task_id.as_str()).collect::<Vec<_>>(), ["b"]);

    let stream = agent.stream().await;
    let kill = Kill { task_id: "b".into(), kill_policy: None };
    send(&stream, Event { kill: Some(kill), ..event(EventType::Kill) });
    assert!(matches!(next(&mut signals).await, Some(Signal::Kill { task_id, .. }) if task_id.as_str() == "b"));
    send(&stream, event(EventType::Shutdown));
    assert!(matches!(next(&mut signals).await, Some(Signal::Shutdown { .. })));
    assert!(next(&mut signals).await.is_none());
}

#[tokio::test]
async fn an_agent_that_does_not_come_back_ends_its_executor() {
    let mut agent = Scripted::start().await;
    let (_executor, mut signals) = connect(agent.environment(Duration::ZERO));
    let stream = agent.stream().await;
    send(&stream, Event { subscribed: Some(Subscribed::default()), ..event(EventType::Subscribed) });
    assert!(matches!(next(&mut signals).await, Some(Signal::Subscribed(_))));
    drop(agent);
    stream.finish();
    assert!(matches!(next(&mut signals).await, Some(Signal::Disconnected)));
    assert!(matches!(next(&mut signals).await, Some(Signal::Shutdown { .. })));
    assert!(next(&mut signals).await.is_none());
}

#[tokio::test]
async fn an_agent_that_recovers_is_waited_for_and_one_that_refuses_is_not() {
    let mut agent = Scripted::start().await;
    *agent.subscribe_status.lock().unwrap() = StatusCode::SERVICE_UNAVAILABLE;
    let (_executor, mut signals) = connect(agent.environment(Duration::from_secs(60)));
    agent.call().await;
    agent.call().await;
    *agent.subscribe_status.lock().unwrap() = StatusCode::BAD_REQUEST;
    match next(&mut signals).await {
        Some(Signal::Shutdown { reason }) => assert!(reason.contains("400") && reason.contains("as told"), "{reason}"),
        other => panic!("expected an end, got {other:?}"),
    }
}
