//! What the unmodified marathon-lb asks, and what it looks at in the answers.

use http::Method;
use serde_json::{Value, json};

use super::cluster::{running_task, with_history};
use super::rest::NO_MASTER;
use super::site::{Events, Site};

/// It follows these events, and reads the list after each burst of them.
const EVENTS: &str = "?plan-format=light&event_type=api_post_event&event_type=health_status_changed_event&event_type=status_update_event";
const HEADERS: [(&str, &str); 3] =
    [("accept", "text/event-stream"), ("cache-control", "no-cache"), ("user-agent", "PycURL/7.43.0.6 libcurl/7.74.0")];

/// Looks a member up as `app.get(name, {})` does: only a member that is absent is passed over.
fn get<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object.as_object().expect("only objects are looked into").get(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn marathon_lb_finds_everything_that_it_looks_at() {
    let database = with_history().await;
    let site = Site::start(&database, NO_MASTER).await;
    let mut events = Events::open(&site, EVENTS, &HEADERS).await;
    let list = site.ask_with(Method::GET, "/v2/apps?embed=apps.tasks", &[("accept", "application/json")], "").await;
    let list = list.json();
    for app in list["apps"].as_array().unwrap() {
        // utils.get_app_networking_mode and get_app_port_mappings look into these without asking whether they are null.
        for path in
            [&["container", "docker", "network"][..], &["container", "portMappings"], &["ipAddress", "discovery"]]
        {
            let mut object = Some(app);
            for name in path {
                object = object.and_then(|object| get(object, name));
            }
            assert_eq!(object, None);
        }
        assert_eq!(app["networks"], json!([{"mode": "host"}]));
        assert!(app["id"].is_string() && app["labels"].is_object() && app["healthChecks"].is_array());
        assert!(app["portDefinitions"][0]["port"].is_u64() && app["instances"].is_u64());
        assert!(app["versionInfo"]["lastScalingAt"].is_string() && app["deployments"].is_array());
    }
    let tasks = &list["apps"][1]["tasks"];
    let expected = json!({"id": running_task(), "host": "host-1", "ports": [31000], "state": "TASK_RUNNING",
        "ipAddresses": [{"ipAddress": "127.0.0.1", "protocol": "IPv4"}], "startedAt": "1970-01-01T00:00:01.003Z"});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(tasks[0][name], *value, "{name}");
    }
    assert_eq!(tasks[0]["healthCheckResults"][0]["alive"], true);

    // People's tools index the container of a list without tasks, and of one app.
    for path in ["/v2/apps", "/v2/groups/apps"] {
        let list = site.get(path).await;
        let apps = if path == "/v2/apps" { &list["apps"] } else { &list };
        assert_eq!(
            apps.as_array().unwrap().iter().map(|app| get(app, "container")).collect::<Vec<_>>(),
            [Some(&Value::Null); 2]
        );
    }
    assert_eq!(get(&site.get("/v2/apps/shop/web").await["app"], "container"), Some(&Value::Null));

    site.ask(
        Method::PUT,
        "/v2/apps/shop/web?force=true",
        &json!({"labels": {"HAPROXY_GROUP": "external"}}).to_string(),
    )
    .await;
    let posted = events.next().await.unwrap();
    assert_eq!(posted.event_type, "api_post_event");
    assert_eq!(posted.data["eventType"], "api_post_event");
    assert_eq!(posted.data["appDefinition"]["labels"], json!({"HAPROXY_GROUP": "external"}));
    site.stop().await.unwrap();
}
