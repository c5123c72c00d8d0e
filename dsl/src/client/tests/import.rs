use expect_test::expect_file;
use serde_json::{Value, json};

use super::answers::{BEFORE, began, with};
use super::recorded::{Recorded, Recording};
use super::{Run, block_on, quoted};

/// An app as it is read.
fn app(id: &str, instances: u32) -> Value {
    json!({"id": id, "cmd": "serve", "instances": instances, "version": BEFORE, "versionInfo": {}, "tasksRunning": instances})
}

/// What a Marathon of before roles and of after pods says: a group of two apps that another one depends on, and a pod.
fn root() -> Value {
    json!({"id": "/", "version": BEFORE, "dependencies": [], "apps": [], "pods": [], "groups": [
        {"id": "/shop", "version": BEFORE, "dependencies": [], "apps": [], "enforceRole": true, "groups": [
            {"id": "/shop/back", "version": BEFORE, "dependencies": [], "groups": [],
                "apps": [with(app("/shop/back/db", 1), json!({"residency": {"taskLostBehavior": "WAIT_FOREVER"}}))]},
            {"id": "/shop/front", "version": BEFORE, "dependencies": ["/shop/back"], "groups": [],
                "apps": [app("/shop/front/web", 2)]},
        ]},
        {"id": "/tools", "version": BEFORE, "dependencies": [], "groups": [], "apps": [app("/tools/cron", 1)]},
    ]})
}

fn pods() -> Value {
    json!([{"id": "/shop/pod", "version": BEFORE, "scaling": {"kind": "fixed", "instances": 2},
        "containers": [{"name": "a", "exec": {"command": {"shell": "true"}}, "resources": {"cpus": 0.1, "mem": 32}}]}])
}

async fn marathon() -> Recorded {
    Recorded::start([
        ("GET /v2/info", Recording::ok(json!({"name": "marathon", "version": "1.8.232", "elected": true}))),
        ("GET /v2/groups?embed=group.groups&embed=group.apps", Recording::ok(root())),
        ("GET /v2/pods", Recording::ok(pods())),
    ])
    .await
}

/// A server that has one group and an app in it already, and one app of its own beside it.
async fn here(forecasts: Vec<Recording>) -> Recorded {
    let root = json!({"id": "/", "version": BEFORE, "dependencies": [], "apps": [], "pods": [], "groups": [
        {"id": "/other", "version": BEFORE, "dependencies": [], "apps": [app("/other/web", 1)], "groups": []},
        {"id": "/tools", "version": BEFORE, "dependencies": [], "groups": [],
            "apps": [app("/tools/cron", 1), app("/tools/own", 1)]},
    ]});
    Recorded::start([
        (
            "GET /v2/groups?embed=group.groups&embed=group.apps",
            Recording::Answer { status: 200, headers: vec![("etag", "\"v+1\"".to_owned())], body: root.to_string() },
        ),
        ("GET /v2/pods", Recording::ok(json!([]))),
        ("PUT /v2/groups?dryRun=true", Recording::Sequence(forecasts)),
        ("PUT /v2/pods/shop/pod?dryRun=true", Recording::ok(created_pod())),
        ("PUT /v2/groups?force=false", Recording::ok(began())),
        (
            "PUT /v2/pods/shop/pod?force=false",
            Recording::Answer {
                status: 200,
                headers: vec![("marathon-deployment-id", "of-the-pod".to_owned())],
                body: "{}".to_owned(),
            },
        ),
    ])
    .await
}

fn created_pod() -> Value {
    json!({"version": BEFORE, "steps": [], "changes": [{"pod": "/shop/pod", "change": "create", "differences": []}]})
}

fn refused() -> Recording {
    Recording::json(
        422,
        json!({"message": "Object is not valid", "details": [
        {"path": "/groups(0)/groups(0)/apps(0)/residency", "errors": ["persistent volumes are not supported yet"]}]}),
    )
}

fn forecast() -> Recording {
    let changes = json!([{"app": "/shop/front/web", "change": "create", "differences": []}]);
    Recording::ok(json!({"version": BEFORE, "steps": [], "changes": changes}))
}

async fn transcript(here: &Recorded, marathon: &Recorded, lines: &[&[&str]]) -> String {
    let mut transcript = String::new();
    let source = marathon.address();
    for words in lines {
        let address = here.address();
        let whole = [&["--addr", &address, "import", "marathon", &source], *words].concat();
        let outcome = Run::default().command(&whole, |_| None).await;
        let shown: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        transcript.push_str(&format!("$ attica import marathon URL {}\n", shown.join(" ")));
        for request in here.take_requests() {
            transcript.push_str(&format!("> {request}\n"));
        }
        transcript.push_str(&outcome.out.replace(&source, "http://marathon"));
        outcome
            .err
            .replace(&source, "http://marathon")
            .lines()
            .for_each(|line| transcript.push_str(&format!("! {line}\n")));
        transcript.push_str(&format!("exit status {}\n\n", outcome.status));
    }
    transcript
}

#[test]
fn everything_is_looked_at_before_anything_is_written() {
    block_on(async {
        let marathon = marathon().await;
        let here =
            here(vec![refused(), forecast(), refused(), forecast(), refused(), forecast(), forecast(), forecast()])
                .await;
        let lines: &[&[&str]] = &[
            &["--dry-run"],
            &["--yes"],
            &["--yes", "--without-refused", "--no-wait"],
            &["--only", "/tools", "--dry-run", "--json"],
            &["--only", "shop/front", "--scale-to-zero", "--dry-run"],
            &["--only", "/nothing"],
        ];
        let text = transcript(&here, &marathon, lines).await;
        expect_file!["snapshots/import.txt"].assert_eq(&text);
        assert!(
            marathon.take_requests().iter().all(|request| request.starts_with("GET ")),
            "the other cluster is only read"
        );
    });
}

#[test]
fn what_proves_who_asks_is_told_to_the_named_cluster_alone() {
    block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (user, token, wrong) = (file("user", "me:secret\n"), file("token", "abc\n"), file("wrong", "me"));
        let other = marathon().await;
        let redirecting =
            Recorded::start([("GET /v2/info", Recording::redirect(format!("{}/v2/info", other.address())))]).await;
        let here = here(vec![forecast()]).await;
        let asked = async |marathon: &Recorded, option: &str, file: &str| {
            let words =
                ["--addr", &here.address(), "import", "marathon", &marathon.address(), "--dry-run", option, file];
            Run::default().command(&words, |_| None).await
        };
        for (option, file) in [("--user-file", &user), ("--token-file", &token)] {
            let outcome = asked(&redirecting, option, file).await;
            assert_ne!(outcome.status, 0);
            assert_eq!(other.take_requests(), Vec::<String>::new());
            assert!(!outcome.err.contains("secret") && !outcome.err.contains("abc"), "{}", outcome.err);
        }
        assert_eq!(asked(&other, "--user-file", &user).await.status, 0);
        assert_eq!(asked(&other, "--token-file", &token).await.status, 0);
        let authorizations: Vec<_> = other.take_authorizations().into_iter().flatten().collect();
        assert_eq!(authorizations, [["Basic bWU6c2VjcmV0"; 3], ["token=abc"; 3]].concat());
        let outcome = asked(&other, "--user-file", &wrong).await;
        assert_eq!((outcome.status, outcome.err.contains("expected NAME:PASSWORD")), (2, true), "{}", outcome.err);
    });
}
