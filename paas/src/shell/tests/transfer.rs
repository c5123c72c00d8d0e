//! How answers travel: tags of what a client knows, and compression.

use std::io::Read as _;

use flate2::read::GzDecoder;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::json;

use super::rest::NO_MASTER;
use super::site::{Database, Site};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_knows_already_is_not_sent_again_and_the_tag_guards_a_write() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    let pod = json!({"id": "/pod", "containers": [
        {"name": "a", "exec": {"command": {"shell": "true"}}, "resources": {"cpus": 0.1, "mem": 32}}]});
    assert_eq!(site.post("/v2/pods", pod.clone()).await.status, StatusCode::CREATED);
    assert_eq!(site.post("/v2/apps", json!({"id": "/web", "cmd": "true"})).await.status, StatusCode::CREATED);
    let paths = [
        "/v2/apps/web",
        "/v2/apps/web/versions",
        "/v2/apps/web/tasks",
        "/v2/pods",
        "/v2/pods/pod",
        "/v2/pods/pod::status",
        "/v2/pods/pod::versions",
        "/v2/pods::status",
        "/v2/groups",
        "/v2/groups/apps",
        "/v2/tasks",
        "/v2/deployments",
    ];
    for path in paths {
        let first = site.ask(Method::GET, path, "").await;
        let tag = first.header("etag").to_owned();
        assert!(!tag.is_empty(), "{path} has a tag");
        for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            let again = site.ask_with(Method::GET, path, &[("if-none-match", &known)], "").await;
            assert_eq!(
                (again.status, again.text.as_str(), again.header("etag")),
                (StatusCode::NOT_MODIFIED, "", tag.as_str()),
                "{path} {known}"
            );
        }
        let changed = site.ask_with(Method::GET, path, &[("if-none-match", "\"other\"")], "").await;
        assert_eq!((changed.status, changed.text), (StatusCode::OK, first.text), "{path}");
    }
    assert_eq!(site.ask(Method::GET, "/v2/queue", "").await.header("etag"), "", "time changes it");

    let tags = async || {
        let read = async |path| site.ask(Method::GET, path, "").await.header("etag").to_owned();
        (read("/v2/apps/web").await, read("/v2/pods/pod").await)
    };
    let (app, pod_tag) = tags().await;
    let more = |instances: u32| {
        let mut pod = pod.clone();
        pod["scaling"] = json!({"kind": "fixed", "instances": instances});
        pod.to_string()
    };
    let put = async |path: &str, tag: &str, body: &str| {
        site.ask_with(Method::PUT, path, &[("if-match", tag)], body).await.status
    };
    // Tags of compressed answers are weak, and name the same version.
    assert_eq!(put("/v2/apps/web?force=true", &app, r#"{"instances":2}"#).await, StatusCode::OK);
    assert_eq!(put("/v2/pods/pod?force=true", &format!("W/{pod_tag}"), &more(2)).await, StatusCode::OK);
    assert_eq!(put("/v2/apps/web?force=true", &app, r#"{"instances":3}"#).await, StatusCode::PRECONDITION_FAILED);
    assert_eq!(put("/v2/pods/pod?force=true", &pod_tag, &more(3)).await, StatusCode::PRECONDITION_FAILED);
    let (next_app, next_pod) = tags().await;
    assert!(next_app != app && next_pod != pod_tag);
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_compressed_for_those_who_ask_also_through_a_standby_and_events_never() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    let standby = Site::start(&database, NO_MASTER).await;
    let app = json!({"id": "/web", "cmd": "true", "labels": {"long": "x".repeat(2_000)}});
    assert_eq!(site.post("/v2/apps", app).await.status, StatusCode::CREATED);
    let plain = site.ask(Method::GET, "/v2/apps/web", "").await;
    for at in [&site, &standby] {
        let response = at.open(Method::GET, "/v2/apps/web", &[("accept-encoding", "gzip")], "").await;
        assert_eq!(
            (&response.headers()["content-encoding"], &response.headers()["vary"]),
            (&"gzip".parse().unwrap(), &"accept-encoding".parse().unwrap())
        );
        assert_eq!(response.headers()["etag"].to_str().unwrap(), format!("W/{}", plain.header("etag")));
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let mut text = String::new();
        GzDecoder::new(bytes.as_ref()).read_to_string(&mut text).unwrap();
        assert_eq!(text, plain.text);
        let head = at.open(Method::HEAD, "/v2/apps/web", &[("accept-encoding", "gzip")], "").await;
        assert_eq!(head.headers()["content-length"].to_str().unwrap(), bytes.len().to_string());
    }
    let events = site.open(Method::GET, "/v2/events", &[("accept-encoding", "gzip")], "").await;
    assert!(
        !events.headers().contains_key("content-encoding") && events.headers()["content-type"] == "text/event-stream"
    );
    drop(events);
    // The other way it is refused: what is not read must not be taken for what it is not.
    for at in [&site, &standby] {
        let refused = at.open(Method::PUT, "/v2/apps/web", &[("content-encoding", "gzip")], "{}").await;
        assert_eq!(refused.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let taken = site.open(Method::PUT, "/v2/apps/web", &[("content-encoding", "identity")], "{}").await;
    assert_eq!(taken.status(), StatusCode::OK);
    standby.stop().await.unwrap();
    site.stop().await.unwrap();
}
