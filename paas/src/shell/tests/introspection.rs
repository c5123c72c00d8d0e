//! What the server says about itself, field by field as Marathon does: the same names and types, but for what is listed here with
//! its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::rest::NO_MASTER;
use super::site::{Database, Site};
use crate::validate::tests::shared_data;

/// Members of Marathon's `/v2/info` that are absent here.
const ABSENT: [(&str, &str); 19] = [
    ("/marathon_config/access_control_allow_origin", "it is there when pages of other origins may read"),
    ("/marathon_config/launch_token", "launches are not rationed"),
    ("/marathon_config/launch_token_refresh_interval", "launches are not rationed"),
    ("/marathon_config/leader_proxy_connection_timeout_ms", "a standby's call to the leader ends with the client's"),
    ("/marathon_config/leader_proxy_read_timeout_ms", "a standby's call to the leader ends with the client's"),
    ("/marathon_config/mesos_bridge_name", "agents say what their bridge is called"),
    ("/marathon_config/mesos_heartbeat_failure_threshold", "the master says how often it gives a sign of life"),
    ("/marathon_config/mesos_heartbeat_interval", "the master says how often it gives a sign of life"),
    ("/marathon_config/offer_matching_timeout", "matching goes on the next turn, and gives up nothing"),
    ("/marathon_config/on_elected_prepare_timeout", "a new leader waits for Postgres as long as it takes"),
    ("/marathon_config/reconciliation_initial_delay", "a new leader reconciles at once"),
    ("/marathon_config/scale_apps_initial_delay", "apps are scaled when there is a reason, not at intervals"),
    ("/marathon_config/scale_apps_interval", "apps are scaled when there is a reason, not at intervals"),
    ("/marathon_config/store_cache", "the store is Postgres"),
    ("/marathon_config/task_launch_confirm_timeout", "no launch is confirmed twice: the task's state does"),
    ("/marathon_config/task_lost_expunge_initial_delay", "what is lost is expunged when it is due, not at intervals"),
    ("/marathon_config/task_lost_expunge_interval", "what is lost is expunged when it is due, not at intervals"),
    (
        "/zookeeper_config",
        "its members are there when leaders are elected by ZooKeeper; what is durable lies in Postgres",
    ),
    ("/http_config/https_port", "there is one port"),
];

/// Marathon's metrics, which are all here.
const METRICS: [&str; 42] = [
    "apps.active.gauge",
    "pods.active.gauge",
    "groups.active.gauge",
    "deployments.active.gauge",
    "deployments.counter",
    "deployments.dismissed.counter",
    "instances.running.gauge",
    "instances.staged.gauge",
    "instances.launch-overdue.gauge",
    "instances.inflight-kills.gauge",
    "instances.inflight-kill-attempts.gauge",
    "uptime.gauge.seconds",
    "leadership.duration.gauge.seconds",
    "tasks.launched.counter",
    "mesos.calls.revive.counter",
    "mesos.calls.suppress.counter",
    "mesos.offers.incoming.counter",
    "mesos.offers.declined.counter",
    "mesos.offers.used.counter",
    "mesos.offer-operations.launch.counter",
    "mesos.offer-operations.launch-group.counter",
    "mesos.offer-operations.reserve.counter",
    "mesos.task-updates.task-running.counter",
    "mesos.task-updates.task-failed.counter",
    "mesos.task.oom.memory-limit-exceeded.counter",
    "http.event-streams.active.gauge",
    "http.requests.active.gauge",
    "http.requests.size.counter.bytes",
    "http.responses.size.counter.bytes",
    "http.responses.size.gzipped.counter.bytes",
    "http.responses.event-stream.size.counter.bytes",
    "http.event-streams.responses.size.counter.bytes",
    "http.responses.1xx.rate.meter",
    "http.responses.2xx.rate.meter",
    "http.responses.3xx.rate.meter",
    "http.responses.4xx.rate.meter",
    "http.responses.5xx.rate.meter",
    "http.requests.duration.timer.seconds",
    "http.requests.get.duration.timer.seconds",
    "http.requests.post.duration.timer.seconds",
    "http.requests.put.duration.timer.seconds",
    "http.requests.delete.duration.timer.seconds",
];

/// Those of its metrics that are not, with the reason.
const NO_METRICS: [(&str, &str); 3] = [
    ("jvm.memory.heap.used.gauge.bytes", "there is no such machine here"),
    ("persistence.gc.runs.counter", "old versions go in the transaction that brings the new one"),
    ("mesos.task.oom.memory-limit-unfulfillable.counter", "no agent ends a task that stays within its limit"),
];

/// The places in a document, with the names of their types.
fn places(at: &str, value: &Value, found: &mut BTreeMap<String, &'static str>) {
    let kind = match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| places(&format!("{at}/{name}"), member, found));
            "object"
        }
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "boolean",
        Value::Null => "null",
    };
    found.insert(at.to_owned(), kind);
}

#[tokio::test(flavor = "multi_thread")]
async fn info_leader_ping_and_metrics_have_the_names_and_types_of_marathons() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    let mut ours = BTreeMap::new();
    places("", &site.get("/v2/info").await, &mut ours);
    if let Some(data) = shared_data() {
        let text = std::fs::read_to_string(data.join("rest-api-examples/info.json")).unwrap();
        let mut theirs = BTreeMap::new();
        places("", &serde_json::from_str(&text).unwrap(), &mut theirs);
        let is_absent =
            |place: &str| ABSENT.iter().any(|(absent, _)| place == *absent || place.starts_with(&format!("{absent}/")));
        for (place, kind) in &theirs {
            match ours.get(place) {
                // Null: what is not set, and the id before the first registration.
                Some(ours) => assert!(ours == kind || *ours == "null", "{place}: {ours} in place of {kind}"),
                None => assert!(is_absent(place), "{place} is missing"),
            }
        }
        // Marathon has had it since the example was made.
        let later = |place: &str| place == "/marathon_config/new_group_enforce_role";
        let more: Vec<&String> = ours.keys().filter(|place| !theirs.contains_key(*place) && !later(place)).collect();
        assert!(more.is_empty(), "Marathon has no {more:?}");
        for (absent, reason) in ABSENT.iter().filter(|(absent, _)| *absent != "/zookeeper_config") {
            assert!(!ours.contains_key(*absent) && theirs.contains_key(*absent), "{absent} ({reason})");
        }
    }
    assert_eq!(site.get("/v2/leader").await.as_object().unwrap().keys().collect::<Vec<_>>(), ["leader"]);
    let ping = site.ask(Method::GET, "/ping", "").await;
    assert_eq!(
        (ping.status, ping.text.as_str(), ping.header("content-type")),
        (StatusCode::OK, "pong", "text/plain;charset=utf-8")
    );

    let metrics = site.get("/metrics").await;
    let kinds: BTreeSet<&str> = metrics.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(kinds, ["version", "counters", "gauges", "histograms", "meters", "timers"].into());
    let text = site.ask(Method::GET, "/metrics/prometheus", "").await.text;
    let rates = ["count", "m1_rate", "m5_rate", "m15_rate", "mean_rate"];
    let durations = ["min", "mean", "max", "p50", "p75", "p95", "p98", "p99", "p999", "stddev"];
    for name in METRICS {
        let [written, flat] = [format!("marathon.{name}"), format!("marathon_{}", name.replace(['.', '-'], "_"))];
        let is = |kind: &str| name.split('.').any(|part| part == kind);
        let (kind, members, line) = match () {
            () if is("gauge") => ("gauges", vec!["value"], format!("\n{flat} ")),
            () if is("counter") => ("counters", vec!["count"], format!("\n{flat} ")),
            () if is("meter") => ("meters", rates.to_vec(), format!("\n{flat}_m1_rate ")),
            () => ("timers", [&rates[..], &durations].concat(), format!("\n{flat}{{quantile=\"0.999\"}} ")),
        };
        for member in members {
            let value = &metrics[kind][&written][member];
            assert!(value.is_number(), "{written}/{member}: {value}");
        }
        assert!(text.contains(&line), "{written} for Prometheus");
    }
    for (name, reason) in NO_METRICS {
        assert!(!text.contains(&format!("marathon_{}", name.replace(['.', '-'], "_"))), "{name} ({reason})");
    }
    // They count.
    let of = |metrics: &Value, kind: &str, name: &str, member: &str| {
        metrics[kind][&format!("marathon.{name}")][member].as_f64().unwrap()
    };
    let app = json!({"id": "/counted", "cmd": "true", "labels": {"padding": "x".repeat(2_000)}});
    let created = site.post("/v2/apps", app.clone()).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    let packed = site.open(Method::GET, "/v2/apps", &[("accept-encoding", "gzip")], "").await;
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let later = site.get("/metrics").await;
    let more = |kind: &str, name: &str, member: &str| of(&later, kind, name, member) - of(&metrics, kind, name, member);
    assert_eq!(more("counters", "deployments.counter", "count"), 1.0);
    assert_eq!(more("timers", "http.requests.post.duration.timer.seconds", "count"), 1.0);
    assert_eq!(more("meters", "http.responses.2xx.rate.meter", "count"), 4.0);
    assert_eq!(more("counters", "http.requests.size.counter.bytes", "count"), app.to_string().len() as f64);
    assert!(more("counters", "http.responses.size.counter.bytes", "count") > 2_000.0);
    let packed = more("counters", "http.responses.size.gzipped.counter.bytes", "count");
    assert!(packed > 0.0 && packed < 2_000.0, "{packed}");
    assert!(of(&later, "timers", "http.requests.post.duration.timer.seconds", "max") > 0.0);
    assert_eq!(of(&later, "gauges", "http.requests.active.gauge", "value"), 1.0);
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_logged_is_told_and_there_are_no_plugins() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    assert_eq!(site.get("/v2/plugins").await, json!({"plugins": []}));
    assert!(site.get("/logging").await["ROOT"].is_string());
    let debug = json!({"level": "debug", "logger": "attica_paas::engine", "durationSeconds": 1});
    let alone = site.post("/logging", debug.clone()).await;
    assert_eq!(alone.status, StatusCode::CONFLICT, "the log of a test is nobody's: {}", alone.text);
    for (wrong, status, place) in [
        (json!({"level": "debug", "logger": "mesosphere.marathon"}), 422, "/logger"),
        (json!({"level": "loud", "logger": "ROOT"}), 422, "/level"),
        (json!({"logger": "ROOT"}), 422, "/level"),
    ] {
        let answer = site.post("/logging", wrong.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{wrong}: {}", answer.text);
        assert_eq!(answer.json()["details"][0]["path"], place, "{wrong}: {}", answer.text);
    }
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_told_and_nothing_that_proves_who_somebody_is() {
    let database = Database::start().await;
    let admin = database.directory.path().join("admin.json");
    std::fs::write(&admin, r#"{"principal": "root", "secret": "hunter2"}"#).unwrap();
    std::fs::set_permissions(&admin, std::fs::Permissions::from_mode(0o600)).unwrap();
    let options =
        ["--require-sign-in", "--admin-file", admin.to_str().unwrap(), "--max-apps", "7", "--kill-chunk-size", "3"];
    let more = [
        "--default-accepted-resource-roles",
        "*",
        "--access-control-allow-origin",
        "https://a:1",
        "--trusted-proxy",
        "10.0.0.1",
    ];
    let site = Site::start_with(&database, NO_MASTER, &[&options[..], &more[..]].concat()).await;
    let root = ("authorization", "Basic cm9vdDpodW50ZXIy");
    let told = site.ask_with(Method::GET, "/config", &[root], "").await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.text);
    for (name, value) in [
        ("max_apps", json!(7)),
        ("kill_chunk_size", json!(3)),
        ("accepted_resource_roles_default_behavior", json!("unreserved")),
        ("gpu_scheduling_behavior", json!("restricted")),
        ("new_group_enforce_role", json!("off")),
        ("access_control_allow_origin", json!(["https://a:1"])),
        ("trusted_proxy", json!(["10.0.0.1"])),
        ("require_sign_in", json!(true)),
        ("advertise", json!(site.address)),
        ("framework_name", json!("marathon")),
        ("max_running_deployments", json!(100)),
    ] {
        assert_eq!(told.json()[name], value, "{name}");
    }
    for secret in ["hunter2", "root", "admin.json", database.postgres.url()] {
        assert!(!told.text.contains(secret), "{secret}: {}", told.text);
    }
    assert_eq!(site.ask(Method::GET, "/config", "").await.status, StatusCode::UNAUTHORIZED);
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_marathon_had_pages_there_is_something_to_read_or_word_of_it() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    for (path, leads_to) in [
        ("/help", "/v2/openapi.json"),
        ("/api-console", "/v2/openapi.json"),
        ("/api-console/", "/v2/openapi.json"),
        ("/api-console/index.html", "/v2/openapi.json"),
        ("//ui/", "/ui/"),
        ("//", "/ui/"),
    ] {
        let answer = site.ask(Method::GET, path, "").await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::FOUND, leads_to), "{path}");
        assert_eq!(site.ask(Method::GET, leads_to, "").await.status, StatusCode::OK, "{path}");
    }
    let asked = site.ask(Method::OPTIONS, "/v2/apps", "").await;
    assert_eq!((asked.status, asked.header("allow")), (StatusCode::OK, "GET, HEAD, POST, PUT, PATCH, OPTIONS"));
    assert_eq!(site.ask(Method::OPTIONS, "/v2/nothing", "").await.status, StatusCode::NOT_FOUND);
    let raml = site.ask(Method::GET, "/public/api/v2/apps.raml", "").await;
    assert_eq!(raml.status, StatusCode::NOT_FOUND);
    assert!(raml.json()["message"].as_str().unwrap().contains("/v2/openapi.json"), "{}", raml.text);
    let pod = site.ask(Method::GET, "/v2/pods/UPPER", "").await;
    assert_eq!(
        (pod.status, pod.json()["message"].as_str().unwrap()),
        (StatusCode::NOT_FOUND, "Pod '/UPPER' does not exist")
    );
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_answer_carries_the_same_headers() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    for (method, path) in [
        (Method::GET, "/ping"),
        (Method::GET, "/v2/apps"),
        (Method::POST, "/v2/apps"),
        (Method::GET, "/v2/nothing"),
        (Method::DELETE, "/v2/apps"),
        (Method::GET, "/v2/events"),
        (Method::GET, "/ui/"),
        (Method::POST, "/ui/"),
        (Method::GET, "//"),
    ] {
        let answer = site.open(method.clone(), path, &[], "").await;
        for (name, value) in [
            ("x-marathon-leader", format!("http://{}", site.address).as_str()),
            ("x-frame-options", "DENY"),
            ("x-xss-protection", "1; mode=block"),
            ("x-content-type-options", "nosniff"),
            ("pragma", "no-cache"),
            ("expires", "0"),
        ] {
            assert_eq!(
                answer.headers().get(name).map(|value| value.to_str().unwrap()),
                Some(value),
                "{method} {path}: {name}"
            );
        }
        let caching = answer.headers()["cache-control"].to_str().unwrap();
        assert!(caching.starts_with("no-cache"), "{method} {path}: {caching}");
    }
    site.stop().await.unwrap();
}
