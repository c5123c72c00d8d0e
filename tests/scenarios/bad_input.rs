//! What people and programs send by mistake or malice: a documented answer, and nothing changes.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::harness::Cluster;

/// Sends bytes as they are; the status of the answer and its body.
fn raw(address: &str, request: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("the role listens");
    // A server may answer and close before it has read everything.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    (status, body)
}

fn post(address: &str, path: &str, body: &str) -> (u16, String) {
    post_to("localhost", address, path, body)
}

fn post_to(host: &str, address: &str, path: &str, body: &str) -> (u16, String) {
    let head = "content-type: application/json\r\nconnection: close";
    let length = body.len();
    let request = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}");
    raw(address, request.as_bytes())
}

#[test]
fn is_answered_with_a_reason_and_changes_nothing() {
    let mut cluster = Cluster::start();
    let paas = cluster.url().trim_start_matches("http://").to_owned();
    let master = cluster.address("master");
    let huge = format!(r#"{{"id":"/huge","cmd":"{}"}}"#, "x".repeat(10 << 20));
    let deep = "[".repeat(100_000);
    let cases: &[(&str, u16)] = &[
        ("{", 400),
        ("[1,2", 400),
        ("null", 422),
        (&deep, 400),
        (&huge, 413),
        (r#"{"cmd":"true"}"#, 422),
        (r#"{"id":"/a","cmd":"true","instances":"many"}"#, 422),
        (r#"{"id":"/a","cmd":"true","instances":-1}"#, 422),
        (r#"{"id":"/a","cmd":"true","cpus":-1}"#, 422),
        (r#"{"id":"/a","cmd":"true","mem":1e400}"#, 400),
        (r#"{"id":"/A b","cmd":"true"}"#, 422),
        (r#"{"id":"/a/../b","cmd":"true"}"#, 422),
        (r#"{"id":"/","cmd":"true"}"#, 422),
        (r#"{"id":"/a"}"#, 422),
        (r#"{"id":"/a","cmd":"true","args":["x"]}"#, 422),
        (r#"{"id":"/a","cmd":"true","constraints":[["hostname","NEAR"]]}"#, 422),
        (r#"{"id":"/a","cmd":"true","constraints":[["hostname","LIKE","("]]}"#, 422),
        (r#"{"id":"/a","cmd":"true","container":{"type":"DOCKER","docker":{}}}"#, 422),
        (r#"{"id":"/a","cmd":"true","no_such_field":1}"#, 422),
        // No agent can do it.
        (r#"{"id":"/a","cmd":"true","networks":[{"mode":"container","name":"nope"}]}"#, 422),
        (
            r#"{"id":"/a","cmd":"true","container":{"type":"DOCKER","docker":{"image":"busybox","privileged":true}}}"#,
            422,
        ),
        (
            r#"{"id":"/a","container":{"type":"MESOS","linuxInfo":{"seccomp":{"profileName":"nope"}}},"cmd":"true"}"#,
            422,
        ),
        (
            r#"{"id":"/a","cmd":"true","container":{"type":"MESOS","volumes":[{"containerPath":"d","hostPath":"/etc","mode":"RW"}]}}"#,
            422,
        ),
    ];
    let mut wrong = Vec::new();
    for (body, wanted) in cases {
        let shown: String = body.chars().take(80).collect();
        let (status, answer) = post(&paas, "/v2/apps", body);
        let message = serde_json::from_str::<Value>(&answer).is_ok_and(|answer| answer["message"].is_string());
        if status != *wanted || !message {
            wrong.push(format!("{shown}: {status} instead of {wanted}: {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // What a page says whose name leads to this machine all of a sudden.
    let (status, answer) = post_to("rebound.example", &paas, "/v2/apps", r#"{"id":"/a","cmd":"true"}"#);
    assert_eq!(status, 421, "{answer}");
    for body in ["{", "[]", r#"{"type":"FOO"}"#, r#"{"type":"ACCEPT"}"#, &deep] {
        let (status, answer) = post(&master, "/api/v1/scheduler", body);
        assert_eq!(status, 400, "{answer}");
        assert!(!answer.is_empty());
    }
    let (status, _) = raw(&master, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    assert!(status == 0 || status == 400, "TLS on a plain port: {status}");

    assert_eq!(cluster.get("/v2/apps").1["apps"], json!([]), "nothing changed");
    for role in ["master", "paas", "agent-1"] {
        let restarts = cluster.log_tail().matches(&format!("{role} ended with")).count();
        assert_eq!(restarts, 0, "{role} did not die of it");
    }
    cluster.stop_up();
}
