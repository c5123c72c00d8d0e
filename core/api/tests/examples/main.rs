//! The examples, run as anybody would run them.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::convert::Infallible;
use std::process::Stdio;
use std::time::Duration;

use attica_core_api::executor::{Acknowledged, Call, CallType, Event, EventType, Kill, Launch, Subscribed};
use attica_core_api::http::stream::{self, StreamBody, StreamLimits, StreamSender};
use attica_core_api::http::{Limits, RequestBody, Server, read_body};
use attica_core_api::v1::{TaskInfo, TaskState};
use attica_core_api::{decode_proto, encode_proto, recordio};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Either, Full};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tower::service_fn;

/// Building the example takes the most of it.
const PATIENCE: Duration = Duration::from_secs(300);

/// An agent with one executor, whose calls are shown to the test.
async fn agent() -> (String, mpsc::UnboundedReceiver<StreamSender>, mpsc::UnboundedReceiver<Call>) {
    let server = Server::bind(([127, 0, 0, 1], 0).into(), Limits::default()).await.unwrap();
    let address = server.local_address().unwrap().to_string();
    let (opened, streams) = mpsc::unbounded_channel();
    let (called, calls) = mpsc::unbounded_channel();
    let service = service_fn(move |request: Request<RequestBody>| {
        let (opened, called) = (opened.clone(), called.clone());
        async move {
            let call: Call = decode_proto(&read_body(request.into_body()).await.unwrap()).unwrap();
            let body: Either<StreamBody, Full<Bytes>> = if call.r#type == Some(CallType::Subscribe) {
                let limits = StreamLimits { max_pending_bytes: 1 << 20, max_stall: PATIENCE };
                let (sender, body) = stream::channel(limits, None, |_| {});
                opened.send(sender).unwrap();
                Either::Left(body)
            } else {
                Either::Right(Full::default())
            };
            called.send(call).unwrap();
            Ok::<_, Infallible>(Response::new(body))
        }
    });
    tokio::spawn(server.serve(service, std::future::pending()));
    (address, streams, calls)
}

fn example(name: &str) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--offline", "-p", "attica-core-api", "--example", name]);
    command.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn soon<T>(thing: impl Future<Output = Option<T>>) -> T {
    tokio::time::timeout(PATIENCE, thing).await.expect("happens in time").expect("goes on")
}

fn send(stream: &StreamSender, event: Event) {
    stream.send(recordio::encode(&encode_proto(&event))).unwrap();
}

fn launch(id: &str, script: &str) -> Event {
    let task = TaskInfo { task_id: id.into(), data: Some(script.to_owned().into()), ..TaskInfo::default() };
    Event { r#type: Some(EventType::Launch), launch: Some(Launch { task }), ..Event::default() }
}

#[tokio::test]
async fn the_executor_runs_what_it_is_told_and_ends_when_it_is_told() {
    let (address, mut streams, mut calls) = agent().await;
    let mut process: Child = example("executor")
        .env("MESOS_AGENT_ENDPOINT", &address)
        .env("MESOS_EXECUTOR_ID", "example")
        .env("MESOS_FRAMEWORK_ID", "f-0000")
        .spawn()
        .expect("cargo runs");
    let stream = soon(streams.recv()).await;
    assert_eq!(soon(calls.recv()).await.executor_id.as_str(), "example");
    let subscribed = Subscribed::default();
    send(&stream, Event { r#type: Some(EventType::Subscribed), subscribed: Some(subscribed), ..Event::default() });

    let update = async |calls: &mut mpsc::UnboundedReceiver<Call>| {
        let status = soon(calls.recv()).await.update.expect("an update").status;
        let acknowledged = Acknowledged { task_id: status.task_id.clone(), uuid: status.uuid.expect("a uuid") };
        let kind = Some(EventType::Acknowledged);
        send(&stream, Event { r#type: kind, acknowledged: Some(acknowledged), ..Event::default() });
        (status.task_id.as_str().to_owned(), status.state)
    };
    for (id, script, end) in [("good", "true", TaskState::Finished), ("bad", "exit 3", TaskState::Failed)] {
        send(&stream, launch(id, script));
        assert_eq!(update(&mut calls).await, (id.to_owned(), TaskState::Running));
        assert_eq!(update(&mut calls).await, (id.to_owned(), end));
    }
    send(&stream, launch("long", "exec sleep 1000"));
    assert_eq!(update(&mut calls).await, ("long".to_owned(), TaskState::Running));
    let kill = Kill { task_id: "long".into(), kill_policy: None };
    send(&stream, Event { r#type: Some(EventType::Kill), kill: Some(kill), ..Event::default() });
    assert_eq!(update(&mut calls).await, ("long".to_owned(), TaskState::Killed));

    send(&stream, Event { r#type: Some(EventType::Shutdown), ..Event::default() });
    let status = tokio::time::timeout(PATIENCE, process.wait()).await.expect("ends").expect("ours");
    assert!(status.success(), "{status}");
}
