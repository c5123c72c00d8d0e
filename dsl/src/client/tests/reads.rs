use expect_test::expect_file;
use serde_json::json;

use super::answers::{
    BEFORE, CHANGED_AT, at_rest, definition, deployment, deployment_with_progress, half_way, pod, queue, task, with,
};
use super::recorded::{Recorded, Recording};
use super::{Run, block_on, transcript};
use crate::terminal::{Colour, Reader};

const LIST: &str = "GET /v2/apps?embed=apps.counts&embed=apps.deployments";

async fn server() -> Recorded {
    let apps = json!({"apps": [
        at_rest("/a", 0, BEFORE), half_way(), at_rest("/tools/cron", 1, BEFORE),
        with(at_rest("/tools/plain", 2, BEFORE), json!({"healthChecks": [], "tasksRunning": 1, "tasksHealthy": 0})),
    ]});
    Recorded::start([
        (LIST, Recording::ok(apps)),
        ("GET /v2/apps?embed=apps.counts&embed=apps.deployments&id=none", Recording::ok(json!({"apps": []}))),
        ("GET /v2/apps?embed=apps.counts&embed=apps.deployments&label=a%20in%20%28x%29", Recording::ok(json!({"apps": []}))),
        ("GET /v2/apps/shop/web", Recording::ok(json!({"app": half_way()}))),
        ("GET /v2/apps/shop/web/tasks", Recording::ok(json!({"tasks": half_way()["tasks"]}))),
        ("GET /v2/apps/shop/web/versions", Recording::ok(json!({"versions": [CHANGED_AT, BEFORE]}))),
        ("GET /v2/apps/shop/web/versions/2026-03-01T11%3A59%3A30.000Z", Recording::ok(definition("/shop/web", 2, CHANGED_AT))),
        (
            "GET /v2/apps/shop/web/versions/2026-03-01T10%3A00%3A00.000Z",
            Recording::ok(with(definition("/shop/web", 1, BEFORE), json!({"env": {"MODE": "slow"}, "user": "nobody"}))),
        ),
        ("GET /v2/pods::status", Recording::ok(json!([pod()]))),
        ("GET /v2/pods/shop/pod::status", Recording::ok(pod())),
        ("GET /v2/pods/shop/pod::versions", Recording::ok(json!([CHANGED_AT, BEFORE]))),
        ("GET /v2/tasks", Recording::ok(json!({"tasks": [
            task(1, "/shop/web", CHANGED_AT, json!({})),
            task(4, "/tools/cron", BEFORE, json!({"state": "TASK_STAGING", "startedAt": null, "healthCheckResults": [], "ports": []})),
        ]}))),
        ("GET /v2/deployments", Recording::ok(json!([deployment()]))),
        ("GET /v2/deployments?embed=progress", Recording::ok(json!([deployment_with_progress()]))),
        ("GET /v2/queue?embed=conditions&embed=nearestFits", Recording::ok(queue())),
        ("GET /v2/agents", Recording::ok(json!({"agents": [
            {
                "id": "A-S0", "hostname": "127.0.0.1", "address": "127.0.0.1:5051", "attributes": {"rack": "r1", "zone": "a"},
                "active": true, "resources": {"cpus": 2, "mem": 1024, "disk": 10000, "gpus": 0, "ports": "[31000-31099]"},
                "used": {"cpus": 0.30000000000000004, "mem": 96, "disk": 0, "gpus": 0, "ports": "[]"},
                "registeredTime": BEFORE, "version": "0.1.0",
            },
            {
                "id": "A-S1", "hostname": "127.0.0.2", "address": "127.0.0.2:5052", "attributes": {}, "active": false,
                "resources": {"cpus": 2, "mem": 1024, "disk": 10000, "gpus": 0, "ports": "[31000-31099]"},
                "used": {"cpus": 2, "mem": 96, "disk": 0, "gpus": 0, "ports": "[]"}, "registeredTime": BEFORE, "version": "0.1.0",
            },
        ]}))),
    ])
    .await
}

const READS: &[&[&str]] = &[
    &["app", "list"],
    &["app", "list", "none"],
    &["app", "list", "--label", "a in (x)"],
    &["app", "show", "shop/web"],
    &["app", "versions", "/shop/web"],
    &["app", "versions", "/shop/web", "--diff", "1", "0"],
    &["app", "versions", "/shop/web", "--diff", "0", "0"],
    &["app", "versions", "/shop/web", "--diff", "0", "2"],
    &["pod", "list"],
    &["pod", "show", "shop/pod"],
    &["pod", "versions", "/shop/pod"],
    &["task", "list"],
    &["task", "list", "/shop/web"],
    &["deployment", "list"],
    &["deployment", "show"],
    &["queue"],
    &["agent", "list"],
];

#[test]
fn tables_for_a_program() {
    block_on(async {
        let text = transcript(Run::default(), &server().await, READS).await;
        expect_file!["snapshots/reads.txt"].assert_eq(&text);
    });
}

#[test]
fn tables_for_a_narrow_terminal() {
    block_on(async {
        let run = Run { reader: Reader::Terminal { columns: 60 }, ..Run::default() };
        let text = transcript(run, &server().await, READS).await;
        expect_file!["snapshots/reads_narrow.txt"].assert_eq(&text);
    });
}

#[test]
fn colours_on_a_terminal() {
    block_on(async {
        let run = Run { reader: Reader::Terminal { columns: 100 }, colour: Colour::Shown, ..Run::default() };
        let text = transcript(run, &server().await, &[&["app", "list"], &["app", "show", "/shop/web"]]).await;
        expect_file!["snapshots/reads_coloured.txt"].assert_eq(&text.replace('\u{1b}', "␛"));
    });
}

#[test]
fn json_is_what_the_server_said() {
    block_on(async {
        let server = Recorded::start([
            (
                "GET /v2/queue?embed=conditions&embed=nearestFits",
                Recording::ok(json!({"queue": [], "later": {"b": 1, "a": [1.5, "\u{9b}31m"]}})),
            ),
            ("GET /v2/deployments", Recording::ok(json!([]))),
        ])
        .await;
        let lines: &[&[&str]] =
            &[&["queue", "--json"], &["--json", "deployment", "list"], &["deployment", "list", "--json"]];
        expect_file!["snapshots/json.txt"].assert_eq(&transcript(Run::default(), &server, lines).await);
    });
}

#[test]
fn what_is_empty_is_told_beside_the_answer() {
    block_on(async {
        let server = Recorded::start([
            (LIST, Recording::ok(json!({"apps": []}))),
            ("GET /v2/tasks", Recording::ok(json!({"tasks": []}))),
            ("GET /v2/queue?embed=conditions&embed=nearestFits", Recording::ok(json!({"queue": []}))),
            ("GET /v2/deployments", Recording::ok(json!([]))),
            ("GET /v2/agents", Recording::ok(json!({"agents": []}))),
        ])
        .await;
        let lines: &[&[&str]] =
            &[&["app", "list"], &["task", "list"], &["queue"], &["deployment", "list"], &["agent", "list"]];
        expect_file!["snapshots/empty.txt"].assert_eq(&transcript(Run::default(), &server, lines).await);
    });
}
