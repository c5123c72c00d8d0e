//! Every status of the scheduler API, in the order of its checks: whatever is wrong first decides, whatever else is wrong.

use attica_core_api::scheduler::{Call, CallType};
use attica_core_api::v1::FrameworkId;
use attica_core_api::{encode_json, encode_proto};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::harness::{Cluster, TestMaster, client, framework_info, soon};
use super::recordings::Stream;

const JSON: (&str, &str) = ("content-type", "application/json");
const PROTO: (&str, &str) = ("content-type", "application/x-protobuf");

struct Case<'a> {
    what: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    body: Bytes,
    status: u16,
    text: &'a str,
}

fn case<'a>(
    what: &'a str,
    headers: &[(&'a str, &'a str)],
    body: impl Into<Bytes>,
    status: u16,
    text: &'a str,
) -> Case<'a> {
    Case { what, headers: headers.to_vec(), body: body.into(), status, text }
}

async fn post(master: &TestMaster, headers: &[(&str, &str)], body: Bytes) -> (u16, String) {
    let header = |(name, value): &(&str, &str)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::try_from(*value).unwrap())
    };
    let headers: HeaderMap = headers.iter().map(header).collect();
    let uri = master.uri("/api/v1/scheduler");
    let response = soon(client().request(Method::POST, &uri, headers, body)).await.unwrap();
    let status = response.status().as_u16();
    (status, client().text(response, 1 << 20).await)
}

/// A framework with an open stream: its id, its stream's id, and the stream.
async fn subscribe(master: &TestMaster, name: &str) -> (String, String, Stream) {
    let info = String::from_utf8(encode_json(&framework_info(name))).unwrap();
    let body = format!(r#"{{"type":"SUBSCRIBE","subscribe":{{"framework_info":{info}}}}}"#);
    let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let uri = master.uri("/api/v1/scheduler");
    let response = soon(client().request(Method::POST, &uri, headers, body.into())).await.unwrap();
    let stream_id = response.headers()["mesos-stream-id"].to_str().unwrap().to_owned();
    let mut stream = Stream::new(response);
    let first: serde_json::Value = serde_json::from_str(&stream.next().await.unwrap()).unwrap();
    (first["subscribed"]["framework_id"]["value"].as_str().unwrap().to_owned(), stream_id, stream)
}

#[tokio::test]
async fn each_status_has_its_place() {
    let cluster = Cluster::start().await;
    let master = cluster.master(&[]).await;
    let (framework, stream_id, stream) = subscribe(&master, "here").await;
    let (gone, gone_stream, gone_events) = subscribe(&master, "gone").await;
    drop(gone_events);
    let ours = ("mesos-stream-id", stream_id.as_str());
    let call = |kind: &str, framework: &str, more: &str| {
        format!(r#"{{"type":"{kind}","framework_id":{{"value":"{framework}"}}{more}}}"#)
    };
    let of_proto = |kind| {
        let framework_id = Some(FrameworkId::new(framework.as_str()));
        encode_proto(&Call { framework_id, r#type: Some(kind), ..Call::default() })
    };
    let update = |info: &str| {
        call("UPDATE_FRAMEWORK", &framework, &format!(r#","update_framework":{{"framework_info":{info}}}"#))
    };
    let info = |user: &str| {
        format!(
            r#"{{"id":{{"value":"{framework}"}},"user":"{user}","name":"here","roles":["here"],"capabilities":[{{"type":"MULTI_ROLE"}}]}}"#
        )
    };
    let invalid = "Failed to validate scheduler::Call: ";
    let subscribe_body = r#"{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n"}}}"#.to_owned();
    let cases = [
        case("no media type comes first", &[], "{", 400, "Expecting 'Content-Type' to be present"),
        case("another media type", &[("content-type", "text/html")], "{", 415, "Expecting 'Content-Type' of"),
        case("not JSON", &[JSON], "{", 400, "Failed to parse body into JSON: "),
        case("not a call", &[JSON], r#"{"type":1}"#, 400, "Failed to convert JSON into Call protobuf: "),
        case("not protobuf", &[PROTO], "\u{7f}\u{7f}", 400, "Failed to parse body into Call protobuf"),
        case("no type", &[JSON], r#"{"framework_id":{"value":"f"}}"#, 400, invalid),
        case(
            "type before framework",
            &[JSON],
            "{}",
            400,
            "Failed to validate scheduler::Call: Expecting 'type' to be present",
        ),
        case(
            "no framework",
            &[JSON],
            r#"{"type":"KILL"}"#,
            400,
            "Failed to validate scheduler::Call: Expecting 'framework_id' to be present",
        ),
        case(
            "framework before member",
            &[JSON],
            call("KILL", "f", ""),
            400,
            "Failed to validate scheduler::Call: Expecting 'kill' to be present",
        ),
        case("a type that there is not is none", &[JSON], call("FOO", "f", ""), 400, invalid),
        case("UNKNOWN of nobody", &[JSON], r#"{"type":"UNKNOWN"}"#, 400, invalid),
        case("UNKNOWN of an unknown framework", &[JSON], call("UNKNOWN", "f", ""), 400, "Framework cannot be found"),
        case(
            "UNKNOWN without a stream",
            &[JSON],
            call("UNKNOWN", &framework, ""),
            400,
            "All non-subscribe calls should include the 'Mesos-Stream-Id' header",
        ),
        case("UNKNOWN", &[JSON, ours], call("UNKNOWN", &framework, ""), 501, "501 Not Implemented."),
        case("UNKNOWN in protobuf", &[PROTO, ours], of_proto(CallType::Unknown), 501, "501 Not Implemented."),
        case(
            "a bad uuid",
            &[JSON],
            call(
                "ACKNOWLEDGE",
                "f",
                r#","acknowledge":{"agent_id":{"value":"a"},"task_id":{"value":"t"},"uuid":"AA=="}"#,
            ),
            400,
            "Failed to validate scheduler::Call: Not a valid UUID",
        ),
        case(
            "nothing acceptable",
            &[JSON, ("accept", "text/html")],
            subscribe_body.clone(),
            406,
            "Expecting 'Accept' to allow",
        ),
        case(
            "nothing acceptable before a stream that should not be there",
            &[JSON, ours, ("accept", "text/html")],
            subscribe_body.clone(),
            406,
            "Expecting 'Accept' to allow",
        ),
        case(
            "a stream that should not be there",
            &[JSON, ours],
            subscribe_body.clone(),
            400,
            "Subscribe calls should not include the 'Mesos-Stream-Id' header",
        ),
        case(
            "no end without a stream",
            &[JSON],
            call("TEARDOWN", &framework, ""),
            400,
            "All non-subscribe calls should include the 'Mesos-Stream-Id' header",
        ),
        case("unknown framework before stream", &[JSON], call("REVIVE", "f", ""), 400, "Framework cannot be found"),
        case(
            "no stream before wrong stream",
            &[JSON],
            call("REVIVE", &framework, ""),
            400,
            "All non-subscribe calls should include the 'Mesos-Stream-Id' header",
        ),
        case(
            "a wrong stream",
            &[JSON, ("mesos-stream-id", "x")],
            call("REVIVE", &framework, ""),
            400,
            "The stream ID 'x' included in this request didn't match",
        ),
        case("taken", &[JSON, ours], call("REVIVE", &framework, ""), 202, ""),
        case("taken in protobuf", &[PROTO, ours], of_proto(CallType::Suppress), 202, ""),
        case(
            "taken for what is not there",
            &[JSON, ours],
            call("SHUTDOWN", &framework, r#","shutdown":{"executor_id":{"value":"e"},"agent_id":{"value":"a"}}"#),
            202,
            "",
        ),
        case("described anew", &[JSON, ours], update(&info("root")), 200, ""),
        case(
            "described wrongly",
            &[JSON, ours],
            update(&info("other")),
            400,
            "Updating 'FrameworkInfo.user' is unsupported",
        ),
    ];
    for Case { what, headers, body, status, text } in cases {
        let (found, answer) = post(&master, &headers, body).await;
        assert_eq!(found, status, "{what}: {answer}");
        assert!(answer.starts_with(text) && answer.is_empty() == text.is_empty(), "{what}: {answer}");
    }
    assert_eq!(master.get("/api/v1/scheduler").await.status(), StatusCode::METHOD_NOT_ALLOWED);
    // Only once the master has seen that the stream is gone.
    let revive = call("REVIVE", &gone, "");
    let refused = super::harness::eventually(async || {
        let answer = post(&master, &[JSON, ("mesos-stream-id", &gone_stream)], revive.clone().into()).await;
        (answer.0 != 202).then_some(answer)
    });
    let refused = refused.await;
    assert_eq!((refused.0, refused.1.as_str()), (403, "Framework is not subscribed"));
    drop(stream);
    master.stop().await;
}
