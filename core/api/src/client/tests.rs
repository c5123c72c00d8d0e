//! The client against masters that misbehave in every way a real one can.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{Either, Full};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::service_fn;

use super::*;
use crate::http::stream::{self, StreamBody, StreamLimits, StreamSender};
use crate::http::{Limits, MediaType, RequestBody, Server, read_body};
use crate::scheduler::{Call, CallType, Event};
use crate::v1::{FrameworkId, MasterInfo, OfferId, TaskId, TaskState, TaskStatus};
use crate::{decode_proto, encode_proto, recordio};

const PATIENCE: Duration = Duration::from_secs(20);

/// What a scripted master answers to the next request.
enum Answer {
    /// A stream with this id.
    Stream(&'static str),
    Status(StatusCode, &'static str),
    Redirect(String),
}

/// A master that answers as scripted, and 202 when the script is over.
struct Scripted {
    address: SocketAddr,
    script: Arc<Mutex<VecDeque<Answer>>>,
    streams: mpsc::UnboundedReceiver<StreamSender>,
    calls: mpsc::UnboundedReceiver<(HeaderMap, Call)>,
    _stop: DropGuard,
}

impl Scripted {
    async fn start(script: impl IntoIterator<Item = Answer>) -> Scripted {
        let server = Server::bind(([127, 0, 0, 1], 0).into(), Limits::default()).await.unwrap();
        let address = server.local_address().unwrap();
        let script = Arc::new(Mutex::new(VecDeque::from_iter(script)));
        let (opened, streams) = mpsc::unbounded_channel();
        let (called, calls) = mpsc::unbounded_channel();
        let answers = script.clone();
        let service = service_fn(move |request: Request<RequestBody>| {
            let (answers, opened, called) = (answers.clone(), opened.clone(), called.clone());
            async move {
                let (parts, body) = request.into_parts();
                assert_eq!(parts.headers[header::CONTENT_TYPE], MediaType::Protobuf.as_str());
                let call: Call = decode_proto(&read_body(body).await.unwrap()).unwrap();
                called.send((parts.headers, call)).unwrap();
                let answer = answers.lock().unwrap().pop_front();
                Ok::<_, Infallible>(response(answer, &opened))
            }
        });
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move { server.serve(service, stopped.cancelled()).await });
        Scripted { address, script, streams, calls, _stop: stop.drop_guard() }
    }

    fn then(&self, answer: Answer) {
        self.script.lock().unwrap().push_back(answer);
    }

    fn authority(&self) -> String {
        self.address.to_string()
    }

    /// The next stream that is opened here.
    async fn stream(&mut self) -> StreamSender {
        tokio::time::timeout(PATIENCE, self.streams.recv()).await.unwrap().unwrap()
    }

    /// The next call that arrives here.
    async fn call(&mut self) -> (HeaderMap, Call) {
        tokio::time::timeout(PATIENCE, self.calls.recv()).await.unwrap().unwrap()
    }
}

type Body = Either<StreamBody, Full<Bytes>>;

fn response(answer: Option<Answer>, opened: &mpsc::UnboundedSender<StreamSender>) -> Response<Body> {
    let whole = |status, text: &'static str| {
        let mut response = Response::new(Either::Right(Full::from(text)));
        *response.status_mut() = status;
        response
    };
    match answer {
        None => whole(StatusCode::ACCEPTED, ""),
        Some(Answer::Status(status, text)) => whole(status, text),
        Some(Answer::Redirect(to)) => {
            let mut response = whole(StatusCode::TEMPORARY_REDIRECT, "");
            let location = HeaderValue::try_from(format!("//{to}/api/v1/scheduler")).unwrap();
            response.headers_mut().insert(header::LOCATION, location);
            response
        }
        Some(Answer::Stream(id)) => {
            let limits = StreamLimits { max_pending_bytes: 1 << 20, max_stall: PATIENCE };
            let (sender, body) = stream::channel(limits, None, |_| {});
            opened.send(sender).unwrap();
            let mut response = Response::new(Either::Left(body));
            response.headers_mut().insert(STREAM_ID_HEADER, HeaderValue::from_static(id));
            response
        }
    }
}

fn send(stream: &StreamSender, event: &Event) {
    stream.send(recordio::encode(&encode_proto(event))).unwrap();
}

fn subscribed() -> Event {
    Event::subscribed(FrameworkId::new("f"), 15.0, MasterInfo::default())
}

fn start(masters: Vec<String>) -> (Calls, Signals) {
    let framework = FrameworkInfo { user: "u".into(), name: "n".into(), ..FrameworkInfo::default() };
    let backoff = Backoff { first: Duration::from_millis(1), longest: Duration::from_millis(20) };
    connect(Config { backoff, call_timeout: Duration::from_millis(500), ..Config::new(masters, framework) })
}

async fn next(signals: &mut Signals) -> Option<Signal> {
    tokio::time::timeout(PATIENCE, signals.next()).await.unwrap()
}

/// A connected framework, and its stream.
async fn connected(master: &mut Scripted) -> (Calls, Signals, StreamSender) {
    master.then(Answer::Stream("s1"));
    let (calls, mut signals) = start(vec![master.authority()]);
    let stream = master.stream().await;
    send(&stream, &subscribed());
    assert!(matches!(next(&mut signals).await, Some(Signal::Subscribed { .. })));
    master.call().await;
    (calls, signals, stream)
}

#[tokio::test]
async fn redirects_and_unavailable_masters_lead_to_the_leader() {
    let mut leader = Scripted::start([Answer::Stream("s1")]).await;
    let unavailable = Scripted::start([Answer::Status(StatusCode::SERVICE_UNAVAILABLE, "No leader elected")]).await;
    let standby = Scripted::start([Answer::Redirect(leader.authority())]).await;
    // Nobody listens on port 9 of the loopback address.
    let masters = vec!["127.0.0.1:9".to_owned(), unavailable.authority(), standby.authority()];
    let (calls, mut signals) = start(masters);
    send(&leader.stream().await, &subscribed());
    match next(&mut signals).await {
        Some(Signal::Subscribed { framework_id, .. }) => assert_eq!(framework_id.as_str(), "f"),
        other => panic!("{other:?}"),
    }
    assert_eq!(calls.framework_id().unwrap().as_str(), "f");
}

#[tokio::test]
async fn calls_carry_the_stream_and_the_framework() {
    let mut master = Scripted::start([]).await;
    let (calls, _signals, _stream) = connected(&mut master).await;
    calls.decline(vec![OfferId::new("o")], None).await.unwrap();
    let (headers, call) = master.call().await;
    assert_eq!(headers[STREAM_ID_HEADER], "s1");
    assert_eq!((call.r#type, call.framework_id), (Some(CallType::Decline), Some(FrameworkId::new("f"))));
    // A status that needs no acknowledgement gets none.
    calls.acknowledge(&TaskStatus::default()).await.unwrap();
    let uuid = Some(Bytes::from_static(&[7; 16]));
    let status = TaskStatus {
        task_id: TaskId::new("t"),
        agent_id: Some("a".into()),
        uuid,
        state: TaskState::Running,
        ..TaskStatus::default()
    };
    calls.acknowledge(&status).await.unwrap();
    assert_eq!(master.call().await.1.r#type, Some(CallType::Acknowledge));
}

#[tokio::test]
async fn a_call_is_repeated_while_the_master_is_unavailable_and_not_when_it_refuses() {
    let mut master = Scripted::start([]).await;
    let (calls, _signals, _stream) = connected(&mut master).await;
    master.then(Answer::Status(StatusCode::SERVICE_UNAVAILABLE, "later"));
    calls.revive(Vec::new()).await.unwrap();
    master.then(Answer::Status(StatusCode::BAD_REQUEST, "no"));
    match calls.revive(Vec::new()).await {
        Err(CallError::Refused { status, text }) => {
            assert_eq!((status, text.as_str()), (StatusCode::BAD_REQUEST, "no"))
        }
        other => panic!("{other:?}"),
    }
    for _ in 0..100 {
        master.then(Answer::Status(StatusCode::SERVICE_UNAVAILABLE, "later"));
    }
    assert!(matches!(calls.revive(Vec::new()).await, Err(CallError::Unavailable { text }) if text == "later"));
}

#[tokio::test]
async fn a_broken_stream_is_opened_again_under_the_same_id() {
    let mut master = Scripted::start([]).await;
    let (calls, mut signals, stream) = connected(&mut master).await;
    send(&stream, &Event::rescind(OfferId::new("o")));
    assert!(matches!(next(&mut signals).await, Some(Signal::Event(event)) if event.rescind.is_some()));
    master.then(Answer::Stream("s2"));
    stream.finish();
    assert!(matches!(next(&mut signals).await, Some(Signal::Disconnected(Disconnection::Closed))));
    assert!(matches!(calls.revive(Vec::new()).await, Err(CallError::NotSubscribed)));
    let again = master.stream().await;
    let (headers, call) = master.call().await;
    assert!(!headers.contains_key(STREAM_ID_HEADER));
    assert_eq!(call.framework_id, Some(FrameworkId::new("f")));
    assert_eq!(call.subscribe.unwrap().framework_info.id, Some(FrameworkId::new("f")));
    send(&again, &subscribed());
    assert!(matches!(next(&mut signals).await, Some(Signal::Subscribed { .. })));
    calls.revive(Vec::new()).await.unwrap();
    assert_eq!(master.call().await.0[STREAM_ID_HEADER], "s2");
}

#[tokio::test]
async fn a_refusal_is_the_end() {
    let mut master = Scripted::start([]).await;
    let (_calls, mut signals, stream) = connected(&mut master).await;
    send(&stream, &Event::error("Framework failed over"));
    match next(&mut signals).await {
        Some(Signal::Refused { text }) => assert_eq!(text, "Framework failed over"),
        other => panic!("{other:?}"),
    }
    assert!(next(&mut signals).await.is_none());

    let master = Scripted::start([Answer::Status(StatusCode::UNAUTHORIZED, "who are you?")]).await;
    let (_calls, mut signals) = start(vec![master.authority()]);
    assert!(matches!(next(&mut signals).await, Some(Signal::Refused { text }) if text == "who are you?"));
}

#[tokio::test]
async fn damaged_streams_are_given_up() {
    for damage in ["x", "0\n", "3\n\u{ff}\u{ff}"] {
        let mut master = Scripted::start([]).await;
        let (_calls, mut signals, stream) = connected(&mut master).await;
        stream.send(Bytes::from(damage)).unwrap();
        match next(&mut signals).await {
            Some(Signal::Disconnected(Disconnection::Stream(_))) => {}
            other => panic!("{damage:?}: {other:?}"),
        }
    }
}

#[test]
fn silence_is_measured_in_missed_heartbeats() {
    let told = |seconds| Event::subscribed(FrameworkId::new("f"), seconds, MasterInfo::default()).subscribed.unwrap();
    assert_eq!(subscription::silence_limit(&told(15.0)), Duration::from_millis(37_500));
    assert_eq!(subscription::silence_limit(&told(0.1)), Duration::from_secs(5));
    assert_eq!(subscription::silence_limit(&told(f64::NAN)), Duration::from_millis(37_500));
}
