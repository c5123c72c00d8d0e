//! The way to a master that misbehaves.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use attica_core_api::http::stream::{self, StreamBody, StreamLimits, StreamSender};
use attica_core_api::http::{Connection, Limits, MediaType, RequestBody, Security, Server, read_body};
use attica_core_api::scheduler::{Call, CallType, Event, EventType};
use attica_core_api::v1::{FrameworkId, FrameworkInfo, MasterInfo};
use attica_core_api::{decode_proto, encode_proto, recordio};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{Either, Full};
use tokio::sync::mpsc;
use tower::service_fn;

use super::super::link::{MasterLink, Masters};
use super::site::PATIENCE;
use crate::engine::Input;
use crate::http::Metrics;

/// A master that accepts subscriptions, and breaks the connection on REVIVE.
async fn start_master() -> (String, mpsc::UnboundedReceiver<Call>) {
    let server = Server::bind(([127, 0, 0, 1], 0).into(), Limits::default()).await.unwrap();
    let address = server.local_address().unwrap().to_string();
    let (called, calls) = mpsc::unbounded_channel();
    let service = service_fn(move |request: Request<RequestBody>| {
        let called = called.clone();
        async move {
            let (parts, body) = request.into_parts();
            let call: Call = decode_proto(&read_body(body).await.unwrap()).unwrap();
            called.send(call.clone()).unwrap();
            match call.r#type.unwrap() {
                CallType::Subscribe => Ok::<_, Infallible>(subscribed()),
                CallType::Revive => {
                    parts.extensions.get::<Connection>().unwrap().abort();
                    std::future::pending().await
                }
                _ => Ok(Response::builder().status(StatusCode::ACCEPTED).body(Either::Right(Full::default())).unwrap()),
            }
        }
    });
    tokio::spawn(server.serve(service, std::future::pending()));
    (address, calls)
}

fn subscribed() -> Response<Either<StreamBody, Full<Bytes>>> {
    one_event(&Event::subscribed(FrameworkId::from("framework"), 15.0, MasterInfo::default()))
}

fn one_event(event: &Event) -> Response<Either<StreamBody, Full<Bytes>>> {
    let limits = StreamLimits { max_pending_bytes: 1 << 20, max_stall: Duration::from_secs(60) };
    let (events, body): (StreamSender, StreamBody) = stream::channel(limits, None, |_| ());
    events.send(recordio::encode(&encode_proto(event))).unwrap();
    Response::builder()
        .header(header::CONTENT_TYPE, MediaType::Protobuf.as_str())
        .header("Mesos-Stream-Id", "stream")
        .body(Either::Left(body))
        .unwrap()
}

fn call(kind: CallType) -> Call {
    Call { r#type: Some(kind), ..Call::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_may_be_lost_begins_a_new_subscription() {
    let (address, mut calls) = start_master().await;
    let framework = FrameworkInfo { name: "test".into(), ..FrameworkInfo::default() };
    let (inputs, mut seen) = mpsc::channel(16);
    let (link, _refused) = MasterLink::start(
        Masters { detection: vec![address].into(), security: Security::default() },
        framework,
        inputs,
        Arc::new(Metrics::default()),
    );
    let mut next_call = async || tokio::time::timeout(PATIENCE, calls.recv()).await.unwrap().unwrap();
    let mut next_input = async || tokio::time::timeout(PATIENCE, seen.recv()).await.unwrap().unwrap();
    let is_subscribed =
        |input: &Input| matches!(input, Input::Scheduler(event) if event.r#type == Some(EventType::Subscribed));

    assert_eq!(next_call().await.r#type, Some(CallType::Subscribe));
    assert!(is_subscribed(&next_input().await));
    link.send(call(CallType::Suppress));
    let suppress = next_call().await;
    assert_eq!(suppress.r#type, Some(CallType::Suppress));
    assert_eq!(suppress.framework_id, Some(FrameworkId::from("framework")));

    link.send(call(CallType::Revive));
    assert_eq!(next_call().await.r#type, Some(CallType::Revive));
    assert!(matches!(next_input().await, Input::Disconnected));
    let again = next_call().await;
    assert_eq!(again.r#type, Some(CallType::Subscribe));
    assert_eq!(again.framework_id, Some(FrameworkId::from("framework")));
    assert!(is_subscribed(&next_input().await));
}

/// A master that has removed one framework, and takes every other one.
async fn start_forgetful_master() -> String {
    let server = Server::bind(([127, 0, 0, 1], 0).into(), Limits::default()).await.unwrap();
    let address = server.local_address().unwrap().to_string();
    let service = service_fn(move |request: Request<RequestBody>| async move {
        let call: Call = decode_proto(&read_body(request.into_body()).await.unwrap()).unwrap();
        let known = call.framework_id == Some(FrameworkId::from("removed"));
        Ok::<_, Infallible>(if known { one_event(&Event::error("Framework has been removed")) } else { subscribed() })
    });
    tokio::spawn(server.serve(service, std::future::pending()));
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_framework_that_was_removed_registers_anew() {
    let address = start_forgetful_master().await;
    let id = Some(FrameworkId::from("removed"));
    let framework = FrameworkInfo { name: "test".into(), id, ..FrameworkInfo::default() };
    let (inputs, mut seen) = mpsc::channel(16);
    let (_link, _refused) = MasterLink::start(
        Masters { detection: vec![address].into(), security: Security::default() },
        framework,
        inputs,
        Arc::new(Metrics::default()),
    );
    let mut next_input = async || tokio::time::timeout(PATIENCE, seen.recv()).await.unwrap().unwrap();
    assert!(matches!(next_input().await, Input::FrameworkRemoved));
    assert!(matches!(next_input().await, Input::Disconnected));
    match next_input().await {
        Input::Scheduler(event) => {
            assert_eq!(event.subscribed.unwrap().framework_id, FrameworkId::from("framework"));
        }
        other => panic!("{other:?}"),
    }
}
