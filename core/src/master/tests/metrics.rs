//! The names of a real Mesos's metrics: all of them are here, but for those that the list below gives a reason for.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::Value;

use super::harness::{Cluster, client, eventually};
use super::lists::populate;
use super::recordings::shared;

/// Names, with `*` for what they begin or end with, and why they are not here.
const ABSENT: [(&str, &str); 28] = [
    ("allocator/event_queue_dispatches", "there is no queue in front of the allocator"),
    ("allocator/mesos/event_queue_dispatches", "the same"),
    ("allocator/mesos/allocation_run_latency_ms*", "runs are not queued: they follow what caused them"),
    ("allocator/mesos/offer_filters/*", "refusals are kept by agent and not counted by role"),
    ("master/dropped_messages", "a message of the old driver protocol, which is not spoken"),
    ("master/messages_authenticate", "the same"),
    ("master/messages_deactivate_framework", "the same"),
    ("master/event_queue_dispatches", "there is one queue, whose length is event_queue_messages"),
    ("master/event_queue_http_requests", "the same"),
    ("master/http_cache_hits", "nothing is kept of an answer as a whole"),
    ("*/events/heartbeat", "heartbeats are made by the streams, which know no framework"),
    ("*/tasks/active/task_unknown", "no task is ever in this state: it answers questions"),
    ("master/invalid_status_updates", "a repeated or foreign update is acknowledged like any other"),
    ("master/invalid_status_update_acknowledgements", "what acknowledges nothing has no effect, and is not told apart"),
    ("master/invalid_executor_to_framework_messages", "messages are passed on or dropped without an account of them"),
    ("master/invalid_framework_to_executor_messages", "the same"),
    ("master/valid_executor_to_framework_messages", "the same"),
    ("master/valid_framework_to_executor_messages", "the same"),
    ("master/invalid_operation_status_update*", "what comes again has no effect, and is not told apart"),
    ("master/valid_operation_status_update*", "the same"),
    ("master/messages_unregister_slave", "an agent that ends for good says so by registering as another"),
    ("master/messages_update_slave", "an agent that changes registers again"),
    ("master/recovery_slave_removals", "agents that do not come back in time count as unhealthy"),
    ("master/slave_removals/reason_registered", "an agent that comes as another is no removal"),
    ("master/slave_shutdowns_*", "agents that come back late are taken in, not shut down"),
    ("registrar/log/*", "what is durable is in Postgres"),
    ("registrar/queued_operations", "the same"),
    ("registrar/registry_size_bytes", "the same"),
];

fn reason(name: &str) -> Option<&'static str> {
    let matches = |pattern: &str| match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => name.ends_with(end),
        (None, Some(beginning)) => name.starts_with(beginning),
        (None, None) => name == pattern,
    };
    ABSENT.iter().find(|(pattern, _)| matches(pattern)).map(|(_, reason)| *reason)
}

#[tokio::test]
async fn every_name_of_mesos_is_there_or_missing_for_a_reason() {
    let Some(recording) = shared("data/mesos/master-metrics-snapshot.json") else { return };
    let recorded: BTreeMap<String, Value> = serde_json::from_str(&recording).unwrap();
    let cluster = Cluster::start().await;
    let master = cluster.master(&[]).await;
    let (framework, _agent) = populate(&master).await;
    // The first commit is measured once it is delivered.
    let ours = eventually(async || {
        let metrics = master.json("/metrics/snapshot").await;
        metrics.get("registrar/state_store_ms").is_some().then_some(metrics)
    })
    .await;
    let here = format!("master/frameworks/ops/{}", framework.id);
    let mut used = 0;
    for name in recorded.keys() {
        let renamed = match name.strip_prefix("master/frameworks/opfw/") {
            Some(rest) => format!("{here}/{}", rest.split_once('/').unwrap().1),
            None => name.clone(),
        };
        match (ours.get(&renamed), reason(&renamed)) {
            (Some(value), None) => assert!(value.is_f64(), "{renamed}: {value}"),
            (None, Some(_)) => used += 1,
            (None, None) => panic!("{renamed} is missing"),
            (Some(_), Some(reason)) => panic!("{renamed} is here, although {reason}"),
        }
    }
    assert!(used >= ABSENT.len(), "every reason is needed");
    for (name, value) in [
        ("master/tasks_running", 1.0),
        ("master/tasks_finished", 2.0),
        ("allocator/mesos/resources/cpus/total", 1000.0),
        ("allocator/mesos/quota/roles/ops/resources/cpus/consumed", 0.5),
        ("allocator/mesos/quota/roles//resources/cpus/consumed", 0.5),
        ("allocator/mesos/roles/ops/shares/dominant", 1.0),
    ] {
        assert_eq!(ours[name], value, "{name}");
    }
    for (name, value) in [
        ("calls/accept", 1.0),
        ("calls/subscribe", 1.0),
        ("calls/acknowledge", 5.0),
        ("operations/launch", 1.0),
        ("events/update", 5.0),
        ("offers/accepted", 1.0),
        ("subscribed", 1.0),
        ("tasks/active/task_running", 1.0),
        ("tasks/terminal/task_finished", 2.0),
        ("roles/ops/suppressed", 0.0),
    ] {
        assert_eq!(ours[&format!("{here}/{name}")], value, "{name}");
    }
    let response = master.get("/metrics").await;
    assert_eq!(response.status(), StatusCode::OK);
    let text = client().text(response, 1 << 20).await;
    let sample = format!(
        "attica_master_framework_tasks_active_task_running{{framework=\"ops\",framework_id=\"{}\"}} 1",
        framework.id
    );
    assert!(text.contains(&sample), "{text}");
    master.stop().await;
}

#[tokio::test]
async fn frameworks_can_be_left_out() {
    let cluster = Cluster::start().await;
    let master = cluster.master(&["--publish-per-framework-metrics", "false"]).await;
    let _framework = master.framework("ops").await;
    let metrics = master.json("/metrics/snapshot").await;
    assert_eq!(metrics["master/frameworks_connected"], 1.0);
    let of_frameworks = metrics.as_object().unwrap().keys().find(|name| name.starts_with("master/frameworks/"));
    assert_eq!(of_frameworks, None);
    master.stop().await;
}
