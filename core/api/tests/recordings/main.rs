//! The wire types against what a real Mesos and its clients said to each other.
//!
//! `tests/data` holds a few exchanges; the complete recordings are read too where `ATTICA_SHARED` (or `../shared` beside the
//! repository) has them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "all of it is a test")]

mod transcript;

use std::path::{Path, PathBuf};

use attica_core_api::scheduler::{self, Command};
use attica_core_api::{decode_json, decode_proto, encode_json, encode_proto, executor, message::Message};
use base64::Engine as _;
use serde_json::Value;

use transcript::{Exchange, Transcript};

fn own(name: &str) -> Transcript {
    Transcript::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name))
}

/// A complete recording, unless it is not there.
fn shared(name: &str) -> Option<Transcript> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let path = std::env::var_os("ATTICA_SHARED").map_or_else(beside, PathBuf::from).join("data/mesos").join(name);
    if path.exists() {
        return Some(Transcript::read(&path));
    }
    println!("skipped: there is no {}", path.display());
    None
}

/// Mesos writes the same JSON as we do, byte by byte, save the last digit of some doubles (it writes another decimal number that
/// stands for the same double).
fn check_event<T: Message + PartialEq + std::fmt::Debug + serde::Serialize>(recorded: &str) {
    let event: T = decode_json(recorded.as_bytes()).unwrap_or_else(|error| panic!("{recorded}: {error}"));
    let same_digits = serde_json::from_str::<Value>(recorded).unwrap().to_string();
    assert_eq!(String::from_utf8(encode_json(&event)).unwrap(), same_digits);
    assert_eq!(decode_proto::<T>(&encode_proto(&event)).unwrap(), event);
}

/// Clients write more spaces, fewer defaults, and numbers in their own way.
fn check_request<T: Message + PartialEq + std::fmt::Debug + serde::Serialize>(recorded: &str) -> T {
    let call: T = decode_json(recorded.as_bytes()).unwrap_or_else(|error| panic!("{recorded}: {error}"));
    let written = encode_json(&call);
    assert_eq!(decode_json::<T>(&written).unwrap(), call);
    assert_eq!(decode_proto::<T>(&encode_proto(&call)).unwrap(), call);
    assert_contains(&serde_json::from_slice(&written).unwrap(), &serde_json::from_str(recorded).unwrap());
    call
}

/// Everything that was in the recorded document is in ours. Empty lists are left out; so is the member `foo`, with which the
/// recording tries an unknown field.
fn assert_contains(ours: &Value, recorded: &Value) {
    match (ours, recorded) {
        (Value::Object(ours), Value::Object(recorded)) => {
            for (name, value) in recorded.iter().filter(|(name, _)| *name != "foo") {
                match ours.get(name) {
                    Some(ours) => assert_contains(ours, value),
                    None => assert_eq!(value, &Value::Array(vec![]), "{name} is lost"),
                }
            }
        }
        (Value::Array(ours), Value::Array(recorded)) => {
            assert_eq!(ours.len(), recorded.len());
            ours.iter().zip(recorded).for_each(|(ours, recorded)| assert_contains(ours, recorded));
        }
        (Value::Number(ours), Value::Number(recorded)) => {
            assert_eq!(ours.as_f64(), recorded.as_f64())
        }
        _ => assert_eq!(ours, recorded),
    }
}

/// What the HTTP layer answers to a body that is no valid call.
fn refusal(body: &str) -> Result<Command, String> {
    let call: scheduler::Call = decode_json(body.as_bytes()).map_err(|error| error.to_string())?;
    let (_, command) = call.into_command().map_err(|error| error.to_string())?;
    Ok(command)
}

/// Checks events and calls; returns how many of the calls were refused, each with the recorded text.
fn check_scheduler(transcript: &Transcript) -> usize {
    for event in transcript.events() {
        check_event::<scheduler::Event>(event);
    }
    let mut refused = 0;
    for Exchange { title, request, response } in transcript.exchanges("/api/v1/scheduler") {
        match refusal(request) {
            Err(text) => {
                assert_eq!(text, response, "{title}");
                refused += 1;
            }
            // Accepted, or refused for other reasons: headers, or the framework's state.
            Ok(_) => {
                check_request::<scheduler::Call>(request);
                assert!(!response.starts_with("Failed to"), "{title}: {response}");
            }
        }
    }
    refused
}

#[test]
fn scheduler_session() {
    let own = own("scheduler-session.txt");
    assert!(own.events().len() >= 10 && own.exchanges("/api/v1/scheduler").len() >= 10);
    // An acknowledgement whose uuid is an object.
    assert_eq!(check_scheduler(&own), 1);
    for (name, refused) in [("scheduler-v1-json-session.txt", 3), ("scheduler-v1-heartbeats.txt", 0)] {
        shared(name).iter().for_each(|complete| assert_eq!(check_scheduler(complete), refused, "{name}"));
    }
}

fn check_executor_session(transcript: &Transcript) {
    for event in transcript.events() {
        check_event::<executor::Event>(event);
    }
    for Exchange { request, .. } in transcript.exchanges("/api/v1/executor") {
        check_request::<executor::Call>(request);
    }
}

#[test]
fn executor_session() {
    let own = own("executor-session.txt");
    assert!(own.events().len() >= 5 && own.exchanges("/api/v1/executor").len() >= 5);
    check_executor_session(&own);
    shared("executor-v1-json-session.txt").iter().for_each(check_executor_session);
}

#[test]
fn scheduler_errors() {
    assert_eq!(check_scheduler(&own("scheduler-errors.txt")), 12);
    shared("scheduler-v1-errors.txt").iter().for_each(|complete| assert_eq!(check_scheduler(complete), 12));
}

fn check_protobuf(transcript: &Transcript) {
    for event in transcript.events() {
        // The text form comes first, the bytes are in the last paragraph.
        let base64 = event.lines().next_back().unwrap_or_default();
        let bytes = base64::engine::general_purpose::STANDARD.decode(base64).unwrap();
        let event: scheduler::Event = decode_proto(&bytes).unwrap();
        let written = encode_proto(&event);
        assert_eq!(written.len(), bytes.len(), "nothing is lost, nothing added");
        assert_eq!(decode_proto::<scheduler::Event>(&written).unwrap(), event);
        assert_eq!(decode_json::<scheduler::Event>(&encode_json(&event)).unwrap(), event);
    }
}

#[test]
fn scheduler_protobuf() {
    let own = own("scheduler-protobuf.txt");
    assert_eq!(own.events().len(), 3);
    check_protobuf(&own);
    shared("scheduler-v1-protobuf-session.txt").iter().for_each(check_protobuf);
}

/// The bodies that a client wrote with Mesos's own protobuf library.
#[test]
fn scheduler_protobuf_requests() {
    let subscribe = b"\x10\x01\x1a\x14\x0a\x12\x0a\x04root\x12\x02pbR\x02\x08\x06b\x02pb";
    let subscribe: scheduler::Call = decode_proto(subscribe).unwrap();
    let expected = r#"{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"pb","failover_timeout":0.0,"checkpoint":false,"roles":["pb"],"capabilities":[{"type":"MULTI_ROLE"}]}}}"#;
    assert_eq!(String::from_utf8(encode_json(&subscribe)).unwrap(), expected);

    let teardown = b"\x0a\x2b\x0a\x29dd9cb2f6-ab80-4ecd-8f25-0589dcae5bdc-0003\x10\x02";
    let call: scheduler::Call = decode_proto(teardown).unwrap();
    assert_eq!(encode_proto(&call), teardown);
    let (framework_id, command) = call.into_command().unwrap();
    assert_eq!(framework_id, Some("dd9cb2f6-ab80-4ecd-8f25-0589dcae5bdc-0003".into()));
    assert_eq!(command, Command::Teardown);
}
