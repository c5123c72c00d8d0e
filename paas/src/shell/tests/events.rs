//! Event streams over the whole role.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::rest::NO_MASTER;
use super::site::{Database, Events, Frame, Site, until};

fn types(frames: &[Frame]) -> Vec<&str> {
    frames.iter().map(|frame| frame.event_type.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_shows_what_happens_filters_and_resumes() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    let mut all = Events::open(&site, "?plan-format=light", &[("accept", "text/event-stream")]).await;
    let attached = all.next().await.unwrap();
    assert_eq!((attached.event_type.as_str(), attached.id), ("event_stream_attached", None));
    assert_eq!(attached.data["remoteAddress"], "127.0.0.1");
    let mut filtered = Events::open(&site, "?event_type=deployment_info&event_type=nonsense", &[]).await;

    site.post("/v2/apps", json!({"id": "/a", "cmd": "true"})).await;
    let created = all.until("instance_changed_event").await;
    assert_eq!(types(&created)[..3], ["api_post_event", "group_change_success", "deployment_info"]);
    assert_eq!(created[0].data["appDefinition"]["id"], "/a");
    assert_eq!(created[0].data["clientIp"], "127.0.0.1");
    site.ask(Method::DELETE, "/v2/apps/a", "").await;
    let mut history = created;
    history.extend(all.until("deployment_success").await);
    let ids: Vec<i64> = history.iter().map(|frame| frame.id.unwrap()).collect();
    assert!(ids.is_sorted_by(|left, right| left < right), "{ids:?}");

    for expected in history.iter().filter(|frame| frame.event_type == "deployment_info") {
        assert_eq!(filtered.next().await.as_ref(), Some(expected));
    }

    for (index, frame) in history.iter().enumerate() {
        let id = frame.id.unwrap().to_string();
        let mut resumed = match index % 2 {
            0 => Events::open(&site, &format!("?lastEventId={id}"), &[]).await,
            _ => Events::open(&site, "", &[("last-event-id", &id)]).await,
        };
        assert_eq!(resumed.next().await.unwrap().event_type, "event_stream_attached");
        for expected in &history[index + 1..] {
            assert_eq!(resumed.next().await.as_ref(), Some(expected));
        }
    }
    site.stop().await.unwrap();
    assert_eq!(all.until("event_stream_detached").await.last().unwrap().id, None);
    assert_eq!(all.next().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_are_told_in_full_to_who_asks_for_that() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    let mut light = Events::open(&site, "?event_type=deployment_info", &[]).await;
    let mut full = Events::open(&site, "?event_type=deployment_info&plan-format=full", &[]).await;
    // There is one for each step.
    let first_of = async |stream: &mut Events, version: &Value| loop {
        let frame = stream.next().await.unwrap();
        if frame.data["plan"]["version"] == *version {
            return frame;
        }
    };
    // What looks like a plan is none where it is something else's.
    let app = |cmd: &str| json!({"id": "/shop/a", "cmd": cmd, "instances": 0, "labels": {"plan": "\"plan\":{"}});
    let mut versions = vec![json!("1970-01-01T00:00:00.000Z")];
    for cmd in ["one", "two"] {
        let put = site.ask(Method::PUT, "/v2/apps//shop/a", app(cmd).to_string()).await;
        assert!(put.status.is_success(), "{}", put.text);
        versions.push(put.json()["version"].clone());
        let version = versions.last().unwrap();
        let (light, full) = (first_of(&mut light, version).await, first_of(&mut full, version).await);
        assert_eq!((light.id, &light.data["plan"]["steps"]), (full.id, &full.data["plan"]["steps"]));
        assert!(light.data["plan"].get("target").is_none(), "{}", light.data);
        let [original, target] = ["original", "target"].map(|side| &full.data["plan"][side]);
        let [.., before, after] = versions.as_slice() else { unreachable!("there are two at least") };
        assert_eq!((&original["version"], &target["version"]), (before, after), "{}", full.data);
        assert_eq!(target["groups"][0]["apps"][0]["cmd"], cmd);
        assert_eq!(target, &site.get(&format!("/v2/groups//versions/{}", after.as_str().unwrap())).await);
        until("the deployment to end", async || {
            site.get("/v2/deployments").await.as_array().unwrap().is_empty().then_some(())
        })
        .await;
    }
    // Later on as well, from the beginning.
    let mut again = Events::open(&site, "?event_type=deployment_info&plan-format=full&lastEventId=0", &[]).await;
    let first = again.next().await.unwrap();
    assert_eq!(first.data["plan"]["target"]["groups"][0]["apps"][0]["cmd"], "one");
    assert_eq!(first.data["plan"]["original"]["groups"], json!([]));
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_resumes_from_the_journal_after_a_restart_and_resets_before_its_tail() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    let mut all = Events::open(&site, "", &[]).await;
    site.post("/v2/apps", json!({"id": "/a", "cmd": "true"})).await;
    let mut history = all.until("instance_changed_event").await;
    history.remove(0);
    site.stop().await.unwrap();

    let site = Site::start(&database, NO_MASTER).await;
    let first = history[0].id.unwrap();
    let mut resumed = Events::open(&site, "", &[("last-event-id", &first.to_string())]).await;
    assert_eq!(resumed.next().await.unwrap().event_type, "event_stream_attached");
    for expected in &history[1..] {
        assert_eq!(resumed.next().await.as_ref(), Some(expected));
    }

    let pool = database.postgres.database().pool("test", 1);
    sqlx::query("delete from journal where role = 'paas'").execute(&pool).await.unwrap();
    let mut reset = Events::open(&site, "?lastEventId=1", &[]).await;
    let frames = [reset.next().await.unwrap(), reset.next().await.unwrap()];
    assert_eq!(types(&frames), ["event_stream_attached", "event_stream_reset"]);
    for nonsense in ["99999999999999999", "nonsense"] {
        let mut reset = Events::open(&site, &format!("?lastEventId={nonsense}&event_type=deployment_info"), &[]).await;
        assert_eq!(reset.next().await.unwrap().event_type, "event_stream_reset");
    }
    site.ask(Method::DELETE, "/v2/apps/a", "").await;
    assert_eq!(reset.until("deployment_success").await.last().unwrap().event_type, "deployment_success");
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_reader_costs_nobody_anything_and_misses_nothing() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    let mut stalled = Events::open(&site, "?event_type=api_post_event", &[]).await;
    let mut quick = Events::open(&site, "?event_type=api_post_event", &[]).await;
    // More than any socket buffer between the two holds.
    const APPS: usize = 80;
    let padding = "x".repeat(120_000);
    for number in 0..APPS {
        let created = site
            .post("/v2/apps", json!({"id": format!("/app-{number}"), "cmd": "true", "labels": {"padding": padding}}))
            .await;
        assert_eq!(created.status, StatusCode::CREATED);
        let shown = quick.next().await.unwrap();
        assert_eq!(shown.data["appDefinition"]["id"], format!("/app-{number}"));
        site.ask(Method::DELETE, &format!("/v2/apps/app-{number}"), "").await;
    }
    for number in 0..APPS {
        let frame = stalled.next().await.unwrap();
        assert_eq!(frame.data["appDefinition"]["id"], format!("/app-{number}"));
    }
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_followed_from_the_position_of_a_read_misses_nothing_and_repeats_nothing() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    site.post("/v2/apps", json!({"id": "/before", "cmd": "true"})).await;
    let mut ids = Vec::new();
    for path in [
        "/v2/apps",
        "/v2/apps/before",
        "/v2/apps/missing",
        "/v2/apps/*",
        "/v2/apps/*/tasks",
        "/v2/apps/before/tasks",
        "/v2/apps/before/versions",
        "/v2/groups",
        "/v2/groups/apps",
        "/v2/tasks",
        "/v2/deployments",
        "/v2/queue",
    ] {
        ids.push(site.ask(Method::GET, path, "").await.header("attica-event-id").to_owned());
    }
    let tag = site.ask(Method::GET, "/v2/apps", "").await.header("etag").to_owned();
    let unchanged = site.ask_with(Method::GET, "/v2/apps", &[("if-none-match", &tag)], "").await;
    ids.push(unchanged.header("attica-event-id").to_owned());
    let id = ids[0].clone();
    assert_eq!(ids, vec![id.clone(); 13]);

    site.post("/v2/apps", json!({"id": "/after", "cmd": "true"})).await;
    let mut followed = Events::open(&site, &format!("?lastEventId={id}&event_type=api_post_event"), &[]).await;
    assert_eq!(followed.next().await.unwrap().data["appDefinition"]["id"], "/after");
    // A read may know of a fact a moment before the stream does.
    for number in 0..20 {
        let created = site.post("/v2/apps", json!({"id": format!("/app-{number}"), "cmd": "true"})).await;
        assert_eq!(created.status, StatusCode::CREATED);
        let id = site.ask(Method::GET, "/v2/apps", "").await.header("attica-event-id").to_owned();
        let next = site.post("/v2/apps", json!({"id": format!("/next-{number}"), "cmd": "true"}));
        let mut followed = Events::open(&site, &format!("?event_type=api_post_event&lastEventId={id}"), &[]).await;
        assert_eq!(next.await.status, StatusCode::CREATED);
        assert_eq!(followed.next().await.unwrap().data["appDefinition"]["id"], format!("/next-{number}"));
    }
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_accept_header_decides() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    for accept in ["*/*", "text/*", "application/json, text/event-stream;q=0.5"] {
        Events::open(&site, "", &[("accept", accept)]).await;
    }
    for accept in ["application/json", "text/event-stream;q=0"] {
        let refused = site.ask_with(Method::GET, "/v2/events", &[("accept", accept)], "").await;
        assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED, "{accept}");
    }
    // Streams whose readers are gone are given up.
    until("the end of the streams", async || {
        let metrics = site.get("/metrics").await;
        (metrics["gauges"]["marathon.http.event-streams.active.gauge"]["value"] == 0.0).then_some(())
    })
    .await;
    site.stop().await.unwrap();
}
