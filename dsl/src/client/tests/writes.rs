use expect_test::expect_file;
use serde_json::json;

use super::answers::{BEFORE, CHANGED_AT, DEPLOYMENT, at_rest, began, definition, deployment, forecast, pod, with};
use super::recorded::{Recorded, Recording};
use super::{Run, block_on, transcript};

async fn server() -> Recorded {
    Recorded::start([
        ("GET /v2/apps/shop/web", Recording::ok(json!({"app": at_rest("/shop/web", 2, BEFORE)}))),
        (
            "GET /v2/apps",
            Recording::ok(json!({"apps": [at_rest("/shop/web", 2, BEFORE), at_rest("/tools/cron", 1, BEFORE)]})),
        ),
        (
            "GET /v2/apps/shop/web/versions/old",
            Recording::ok(with(definition("/shop/web", 1, CHANGED_AT), json!({"cmd": null, "args": ["serve"]}))),
        ),
        ("PATCH /v2/apps/shop/web?force=false", Recording::ok(began())),
        ("PATCH /v2/apps/shop/web?force=false&dryRun=true", Recording::ok(forecast())),
        ("POST /v2/apps?force=false", Recording::json(201, with(began(), json!({"id": "/new"})))),
        ("POST /v2/apps/shop/web/restart?force=true", Recording::ok(began())),
        ("DELETE /v2/apps/shop/web?force=false", Recording::ok(began())),
        (
            "DELETE /v2/pods/shop/pod?force=false",
            Recording::Answer {
                status: 202,
                headers: vec![("marathon-deployment-id", DEPLOYMENT.to_owned())],
                body: String::new(),
            },
        ),
        ("GET /v2/pods/shop/pod::status", Recording::ok(pod())),
        ("DELETE /v2/pods/shop/pod::instances", Recording::ok(json!([{"id": "a"}, {"id": "b"}]))),
        ("DELETE /v2/pods/shop/pod::instances?wipe=true", Recording::ok(json!([{"id": "a"}]))),
        ("GET /v2/deployments", Recording::ok(json!([deployment()]))),
        ("DELETE /v2/deployments/5d9a0001-0000-4000-8000-000000000001?force=false", Recording::ok(began())),
        (
            "DELETE /v2/deployments/5d9a0001-0000-4000-8000-000000000001?force=true",
            Recording::Answer { status: 202, headers: vec![], body: String::new() },
        ),
        ("GET /v2/tasks", Recording::ok(json!({"tasks": at_rest("/shop/web", 2, BEFORE)["tasks"]}))),
        (
            "POST /v2/tasks/delete?force=false&scale=false",
            Recording::ok(json!({"tasks": at_rest("/shop/web", 1, BEFORE)["tasks"]})),
        ),
        ("POST /v2/tasks/delete?force=false&scale=true", Recording::ok(began())),
    ])
    .await
}

#[test]
fn changes_are_asked_for_as_the_api_wants_them() {
    let lines: &[&[&str]] = &[
        &["app", "add", "--no-wait", "id=/new", "cmd=true", "instances=2", "env.A=1", "healthChecks[0].path=/"],
        &["app", "scale", "shop/web", "5", "--no-wait"],
        &["app", "scale", "shop/web", "5", "--no-wait", "--json"],
        &["app", "scale", "shop/web", "5", "--dry-run"],
        &["app", "scale", "shop/web", "5", "--dry-run", "--no-wait"],
        &["app", "restart", "/shop/web", "--force", "--no-wait"],
        &["app", "remove", "/shop/web", "--no-wait"],
        &["pod", "remove", "/shop/pod", "--no-wait"],
        &["pod", "remove", "/shop/pod", "--no-wait", "--json"],
        &["pod", "kill", "/shop/pod", "a", "b"],
        &["pod", "kill", "--wipe", "/shop/pod", "a"],
        &["pod", "kill", "/shop/pod"],
        &["deployment", "rollback", "5d9a", "--no-wait"],
        &["deployment", "rollback", DEPLOYMENT, "--stop"],
        &["task", "kill", "--", "-000000000001"],
        &["task", "kill", "--scale", "--no-wait", "--", "-000000000001", "-000000000002"],
        &["task", "kill", "instance"],
        &["task", "kill", "nothing"],
    ];
    block_on(async {
        let text = transcript(Run::default(), &server().await, lines).await;
        expect_file!["snapshots/writes.txt"].assert_eq(&text);
    });
}

#[test]
fn an_update_shows_what_it_changes() {
    let lines: &[&[&str]] = &[
        &["app", "update", "shop/web", "instances=5", "env.MODE=fast", "env.OLD-", "labels.a.b=c", "--dry-run"],
        &[
            "app",
            "update",
            "shop/web",
            "healthChecks[0].intervalSeconds=10",
            "healthChecks[1]={\"protocol\":\"TCP\"}",
            "--dry-run",
        ],
        &[
            "app",
            "update",
            "shop/web",
            "cmd=true",
            "portDefinitions=[{\"name\":\"http\"},{\"name\":\"admin\"}]",
            "--dry-run",
        ],
        &["app", "update", "shop/web", "version=old", "--dry-run"],
        &["app", "update", "shop/web", "instances=2", "cpus=0.10"],
        &["app", "update", "shop/web", "instances=2", "--json"],
        &["app", "update", "shop/web", "instances=3", "--dry-run", "--json"],
        &["app", "update", "shop/web", "instances=3", "--no-wait"],
    ];
    block_on(async {
        let text = transcript(Run::default(), &server().await, lines).await;
        expect_file!["snapshots/updates.txt"].assert_eq(&text);
    });
}

#[test]
fn a_document_that_was_read_can_be_handed_in_again() {
    block_on(async {
        let server = server().await;
        let read = at_rest("/shop/web", 2, BEFORE).to_string();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("web.json");
        std::fs::write(&file, &read).unwrap();
        let words = ["app", "update", "shop/web", file.to_str().unwrap()];
        let outcome = Run::default().command(&[&["--addr", &server.address()], &words[..]].concat(), |_| None).await;
        assert_eq!((outcome.status, outcome.err.as_str()), (0, "/shop/web is like this already: nothing to change\n"));
    });
}

#[test]
fn what_is_handed_in_wrongly_is_told_with_its_place() {
    let lines: &[&[&str]] = &[
        &["app", "update", "shop/web"],
        &["app", "update", "shop/web", "instances"],
        &["app", "update", "shop/web", "instances=1", "web.json"],
        &["app", "update", "shop/web", "constraints=[["],
        &["app", "update", "shop/web", "healthChecks[=1"],
        &["app", "update", "shop/web", "healthChecks[3].path=/"],
        &["app", "update", "shop/web", "healthChecks.path=/"],
        &["app", "update", "shop/web", "env.NONE-"],
        &["app", "update", "shop/web", "user-"],
        &["app", "add", "cmd=true"],
        &["app", "add", "/nowhere/web.json"],
        &["app", "scale", "shop/web", "-1"],
        &["app", "show", "/"],
        &["task", "log", "x", "--json"],
    ];
    block_on(async {
        let mut text = transcript(Run::default(), &server().await, lines).await;
        for input in ["{\"id\": \"/web\",\n  \"cmd\": true\n  \"cpus\": 1}", "{\"id\"", "[]", "7", ""] {
            text.push_str(&format!("<<< {input}\n"));
            text.push_str(&transcript(Run { input, ..Run::default() }, &server().await, &[&["app", "add", "-"]]).await);
        }
        expect_file!["snapshots/mistakes.txt"].assert_eq(&text);
    });
}

#[test]
fn refusals_say_what_was_wrong_where_and_what_to_do() {
    let invalid = json!({"message": "Object is not valid", "details": [
        {"path": "/healthChecks(0)/portIndex", "errors": ["Health check port indices must address an element of the ports array."]},
        {"path": "/id", "errors": ["error.path.missing"]},
        {"path": "/cpus", "errors": ["got -1, expected 0.001 or more", "is odd"]},
    ]});
    let locked = json!({"message": "App is locked by one or more deployments.", "deployments": [{"id": DEPLOYMENT}]});
    let lines: &[&[&str]] = &[
        &["app", "add", "id=/bad", "--no-wait"],
        &["app", "restart", "/locked", "--no-wait"],
        &["app", "show", "/shop/wbe"],
        &["app", "show", "/web"],
        &["app", "show", "/something/else"],
        &["app", "scale", "/proxy", "1", "--no-wait"],
        &["queue"],
        &["deployment", "rollback", "nothing"],
    ];
    block_on(async {
        let missing = |id: &str| Recording::json(404, json!({"message": format!("App '{id}' does not exist")}));
        let server = Recorded::start([
            ("POST /v2/apps?force=false", Recording::json(422, invalid)),
            ("POST /v2/apps/locked/restart?force=false", Recording::json(409, locked)),
            ("GET /v2/apps/shop/wbe", missing("/shop/wbe")),
            ("GET /v2/apps/web", missing("/web")),
            ("GET /v2/apps/something/else", missing("/something/else")),
            (
                "GET /v2/apps",
                Recording::ok(json!({"apps": [at_rest("/shop/web", 2, BEFORE), at_rest("/tools/cron", 1, BEFORE)]})),
            ),
            (
                "PATCH /v2/apps/proxy?force=false",
                Recording::Answer { status: 502, headers: vec![], body: "<html>Bad gateway</html>".to_owned() },
            ),
            (
                "GET /v2/queue?embed=conditions&embed=nearestFits",
                Recording::Answer { status: 200, headers: vec![], body: "<html>Welcome</html>".to_owned() },
            ),
            ("GET /v2/deployments", Recording::ok(json!([]))),
        ])
        .await;
        let mut text = transcript(Run::default(), &server, lines).await;
        let input = "{\n  \"id\": \"/bad\",\n  \"healthChecks\": [\n    {\"portIndex\": 7}\n  ],\n  \"cpus\": -1\n}\n";
        let run = Run { input, ..Run::default() };
        text.push_str(&format!("<<< {input}"));
        text.push_str(&transcript(run, &server, &[&["app", "add", "-", "--no-wait"]]).await);
        expect_file!["snapshots/refusals.txt"].assert_eq(&text);
    });
}
