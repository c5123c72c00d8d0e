//! What the server says about itself, field by field as Marathon does: the same names and types, but for what is listed here with
//! its reason.

use std::collections::{BTreeMap, BTreeSet};

use http::{Method, StatusCode};
use serde_json::Value;

use super::rest::NO_MASTER;
use super::site::{Database, Site};
use crate::validate::tests::shared_data;

/// Members of Marathon's `/v2/info` that are absent here.
const ABSENT: [(&str, &str); 19] = [
    ("/marathon_config/access_control_allow_origin", "pages of other origins may not call"),
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

/// What Marathon's metrics are called, and what is said instead.
const METRICS: [(&str, Said); 26] = [
    ("apps.active.gauge", Said::TheSame),
    ("pods.active.gauge", Said::TheSame),
    ("groups.active.gauge", Said::TheSame),
    ("deployments.active.gauge", Said::TheSame),
    ("instances.running.gauge", Said::TheSame),
    ("instances.staged.gauge", Said::TheSame),
    ("uptime.gauge.seconds", Said::TheSame),
    ("leadership.duration.gauge.seconds", Said::TheSame),
    ("mesos.calls.revive.counter", Said::TheSame),
    ("mesos.calls.suppress.counter", Said::TheSame),
    ("mesos.offers.incoming.counter", Said::TheSame),
    ("mesos.offers.declined.counter", Said::TheSame),
    ("mesos.offers.used.counter", Said::TheSame),
    // Counters, of which whoever reads them makes rates over the time that he likes.
    ("http.responses.1xx.rate.meter", Said::As("http.responses.1xx.counter")),
    ("http.responses.2xx.rate.meter", Said::As("http.responses.2xx.counter")),
    ("http.responses.3xx.rate.meter", Said::As("http.responses.3xx.counter")),
    ("http.responses.4xx.rate.meter", Said::As("http.responses.4xx.counter")),
    ("http.responses.5xx.rate.meter", Said::As("http.responses.5xx.counter")),
    // Requests are counted; there are no reservoirs of samples.
    ("http.requests.get.duration.timer.seconds", Said::As("http.requests.get.counter")),
    ("http.requests.post.duration.timer.seconds", Said::As("http.requests.post.counter")),
    ("http.requests.put.duration.timer.seconds", Said::As("http.requests.put.counter")),
    ("http.requests.delete.duration.timer.seconds", Said::As("http.requests.delete.counter")),
    // One figure for all states: the tasks themselves tell in which they are.
    ("mesos.task-updates.task-running.counter", Said::As("mesos.task-updates.counter")),
    ("mesos.task-updates.task-failed.counter", Said::As("mesos.task-updates.counter")),
    // There is no such machine here.
    ("jvm.memory.heap.used.gauge.bytes", Said::Nowhere),
    // Old versions go in the transaction that brings the new one.
    ("persistence.gc.runs.counter", Said::Nowhere),
];

#[derive(Clone, Copy)]
enum Said {
    TheSame,
    As(&'static str),
    Nowhere,
}

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
        let more: Vec<&String> = ours.keys().filter(|place| !theirs.contains_key(*place)).collect();
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
    for (name, said) in METRICS {
        let ours = match said {
            Said::TheSame => name,
            Said::As(ours) => ours,
            Said::Nowhere => continue,
        };
        let written = format!("marathon.{ours}");
        let value = match ours.contains(".gauge") {
            true => &metrics["gauges"][&written]["value"],
            false => &metrics["counters"][&written]["count"],
        };
        assert!(value.is_number(), "{written}: {value}");
        assert!(text.contains(&format!("\n{} ", written.replace(['.', '-'], "_"))), "{written} for Prometheus");
    }
    for (name, _) in METRICS.iter().filter(|(_, said)| matches!(said, Said::Nowhere | Said::As(_))) {
        assert!(!text.contains(&format!("marathon_{} ", name.replace(['.', '-'], "_"))), "{name}");
    }
    site.stop().await.unwrap();
}
