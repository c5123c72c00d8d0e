//! Requests and answers, without a master: apps are stored and wait.

use attica_paas_api::operations::OPERATIONS;
use expect_test::{expect, expect_file};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::site::{Database, Site};

/// No master listens there.
pub(super) const NO_MASTER: &str = "127.0.0.1:1";

/// The document with times and ids replaced, which differ from run to run.
fn steady(value: &Value) -> String {
    fn replace(value: &mut Value) {
        match value {
            Value::Object(members) => members.values_mut().for_each(replace),
            Value::Array(items) => items.iter_mut().for_each(replace),
            Value::String(text) if crate::model::Version::parse(text).is_some() => *text = "<time>".into(),
            Value::String(text) if uuid::Uuid::try_parse(text).is_ok() => *text = "<uuid>".into(),
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut value = value.clone();
    replace(&mut value);
    format!("{value:#}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_created_read_changed_and_removed() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;

    let created = site
        .post(
            "/v2/apps",
            json!({"id": "shop/web", "cmd": "serve", "instances": 2, "cpus": 0.1, "mem": 32,
        "constraints": [["hostname", "UNIQUE"]], "healthChecks": [{"path": "/health"}]}),
        )
        .await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    assert_eq!(created.header("location"), "/v2/apps/shop/web");
    assert_eq!(created.header("marathon-deployment-id"), created.json()["deployments"][0]["id"]);
    assert_eq!(created.header("x-marathon-leader"), format!("http://{}", site.address));
    assert_eq!(created.header("x-frame-options"), "DENY");
    assert_eq!(created.header("cache-control"), "no-cache, no-store, must-revalidate");
    expect_file!["answers/created.json"].assert_eq(&steady(&created.json()));

    let app = site.get("/v2/apps//shop/web/").await;
    expect_file!["answers/app.json"].assert_eq(&steady(&app));
    assert_eq!(app["app"]["version"], created.json()["version"]);
    let list = site.get("/v2/apps?embed=apps.tasks&nonsense=1").await;
    expect_file!["answers/apps.json"].assert_eq(&steady(&list));
    assert_eq!(site.get("/v2/apps/shop/*").await["*"][0]["id"], "/shop/web");
    assert_eq!(site.get("/v2/groups/shop/apps").await[0]["id"], "/shop/web");
    expect_file!["answers/groups.json"].assert_eq(&steady(&site.get("/v2/groups").await));
    expect_file!["answers/deployments.json"].assert_eq(&steady(&site.get("/v2/deployments").await));
    expect_file!["answers/queue.json"].assert_eq(&steady(&site.get("/v2/queue").await));
    let waiting = site.get("/v2/queue?embed=conditions&embed=nearestFits").await["queue"][0].clone();
    assert_eq!(waiting["conditions"], json!([{"reason": "NoOffers", "since": waiting["since"]}]));
    assert_eq!(waiting["nearestFits"], json!([]));
    assert_eq!(site.get("/v2/tasks").await, json!({"tasks": []}));
    assert_eq!(site.get("/v2/apps/shop/web/tasks").await, json!({"tasks": []}));

    let locked = site.ask(Method::PUT, "/v2/apps/shop/web", r#"{"instances":3}"#).await;
    assert_eq!(locked.status, StatusCode::CONFLICT);
    assert_eq!(locked.json()["deployments"], created.json()["deployments"]);
    let scaled = site.ask(Method::PUT, "/v2/apps/shop/web?force=true", r#"{"instances":3}"#).await;
    assert_eq!(scaled.status, StatusCode::OK, "{}", scaled.text);
    assert_eq!(scaled.header("marathon-deployment-id"), scaled.json()["deploymentId"]);
    let read = site.get("/v2/apps/shop/web").await;
    assert_eq!(read["app"]["instances"], 3);
    assert_eq!(read["app"]["versionInfo"]["lastConfigChangeAt"], created.json()["version"]);

    // One file serves for several places, and its numbers may come from where all have a fraction.
    let elsewhere =
        site.ask(Method::PUT, "/v2/apps/shop/web?force=true", r#"{"id":"/else/where","instances":3.0}"#).await;
    assert_eq!(elsewhere.status, StatusCode::OK, "{}", elsewhere.text);
    assert_eq!(site.get("/v2/apps/shop/web").await["app"]["instances"], 3);
    assert_eq!(site.ask(Method::GET, "/v2/apps/else/where", "").await.status, StatusCode::NOT_FOUND);
    let written_back = site.ask(Method::PUT, "/v2/apps/shop/web?force=true", &read["app"].to_string()).await;
    assert_eq!(written_back.status, StatusCode::OK, "{}", written_back.text);
    let versions = site.get("/v2/apps/shop/web/versions").await;
    let oldest = versions["versions"].as_array().unwrap().last().unwrap().as_str().unwrap();
    assert_eq!(created.json()["version"], *oldest);
    assert_eq!(site.get(&format!("/v2/apps/shop/web/versions/{oldest}")).await["instances"], 2);

    let rolled_back =
        site.ask(Method::PUT, "/v2/apps/shop/web?force=true", &json!({"version": oldest}).to_string()).await;
    assert_eq!(rolled_back.status, StatusCode::OK, "{}", rolled_back.text);
    assert_eq!(site.get("/v2/apps/shop/web").await["app"]["instances"], 2);

    let removed = site.ask(Method::DELETE, "/v2/apps/shop/web", "").await;
    assert_eq!(removed.status, StatusCode::OK, "{}", removed.text);
    let gone = site.ask(Method::GET, "/v2/apps/shop/web", "").await;
    assert_eq!(
        (gone.status, gone.json()),
        (StatusCode::NOT_FOUND, json!({"message": "App '/shop/web' does not exist"}))
    );
    assert_eq!(site.get("/v2/apps").await, json!({"apps": []}));
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_documented_and_change_nothing() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    assert_eq!(site.post("/v2/apps", json!({"id": "/there", "cmd": "true"})).await.status, StatusCode::CREATED);
    let before = site.get("/v2/apps").await;

    let too_large = format!(r#"{{"id":"/big","cmd":"{}"}}"#, "x".repeat(10 << 20));
    let deep = "[".repeat(100_000);
    let matrix = [
        (Method::GET, "/v2/apps/missing", ""),
        (Method::GET, "/v2/apps/missing/tasks", ""),
        (Method::GET, "/v2/apps/missing/versions", ""),
        (Method::GET, "/v2/apps/there/versions/2015-06-12T23:03:31.512Z", ""),
        (Method::GET, "/v2/apps/there/versions/latest", ""),
        (Method::GET, "/v2/apps/missing/*", ""),
        (Method::GET, "/v2/groups/missing", ""),
        (Method::GET, "/v2/apps?label=a%20near%20b", ""),
        (Method::GET, "/v2/nothing", ""),
        (Method::GET, "/nothing", ""),
        (Method::POST, "/v2/apps", r#"{"id":"/there","cmd":"true"}"#),
        (Method::POST, "/v2/apps", r#"{"cmd":"true"}"#),
        (Method::POST, "/v2/apps", r#"{"id":"/new"}"#),
        (Method::POST, "/v2/apps", r#"{"id":"/new","cmd":"true","healthChecks":[{"portIndex":7}]}"#),
        (Method::POST, "/v2/apps", "{"),
        (Method::POST, "/v2/apps", ""),
        (Method::POST, "/v2/apps", "[]"),
        (Method::POST, "/v2/apps", &deep),
        (Method::POST, "/v2/apps", &too_large),
        (Method::PUT, "/v2/apps", "{}"),
        (Method::PUT, "/v2/apps", "[]"),
        (
            Method::PUT,
            "/v2/apps",
            r#"[{"id":"/a","cmd":"true"},{"id":"/a","cmd":"true"},{"cmd":"true"},{"id":"/b","cmd":"true","cpus":-1}]"#,
        ),
        (Method::PATCH, "/v2/apps", r#"[{"id":"/missing","instances":1}]"#),
        (Method::PUT, "/v2/apps/NEW", r#"{"cmd":"true"}"#),
        (Method::PUT, "/v2/apps/missing", r#"{"version":"2015-06-12T23:03:31.512Z"}"#),
        (Method::PATCH, "/v2/apps/missing", r#"{"instances":1}"#),
        (Method::DELETE, "/v2/apps/missing", ""),
        (Method::POST, "/v2/apps/missing/restart", ""),
        (Method::DELETE, "/v2/apps/missing/tasks", ""),
        (Method::DELETE, "/v2/apps/there/tasks?scale=true&wipe=true", ""),
        (Method::DELETE, "/v2/apps/there/tasks/there.instance-00000000-0000-0000-0000-000000000000._app.1", ""),
        (Method::POST, "/v2/tasks/delete", r#"{"ids":["nonsense"]}"#),
        (Method::POST, "/v2/tasks/delete", r#"{"id":[]}"#),
        (Method::DELETE, "/v2/deployments/nonsense", ""),
        (Method::DELETE, "/v2/deployments/00000000-0000-0000-0000-000000000000", ""),
        (Method::DELETE, "/v2/queue/missing/delay", ""),
        (Method::POST, "/v2/groups", "{}"),
        (Method::POST, "/v2/groups", "["),
        (Method::POST, "/v2/groups", r#"{"id":"/there"}"#),
        (Method::POST, "/v2/groups", r#"{"id":"/g","scaleBy":2}"#),
        (Method::POST, "/v2/groups", r#"{"id":"/g","nonsense":2}"#),
        (Method::PUT, "/v2/groups/G", "{}"),
        (Method::PUT, "/v2/groups/there/below", "{}"),
        (Method::PUT, "/v2/groups/g", r#"{"version":"2015-06-12T23:03:31.512Z","apps":[]}"#),
        (Method::PUT, "/v2/groups/g", r#"{"scaleBy":2,"apps":[]}"#),
        (Method::PUT, "/v2/groups/g", r#"{"scaleBy":-1}"#),
        (Method::PUT, "/v2/groups/missing", r#"{"scaleBy":2}"#),
        (Method::PUT, "/v2/groups/missing", r#"{"version":"2015-06-12T23:03:31.512Z"}"#),
        (Method::PUT, "/v2/groups/", r#"{"version":"2015-06-12T23:03:31.512Z"}"#),
        (
            Method::PUT,
            "/v2/groups/g",
            r#"{"apps":[{"id":"/other/a","cmd":"true"},{"cmd":"true"}],"groups":[{"id":"/x"},{"id":"s","apps":[{"id":"b"},{"id":"c","cpus":-1,"cmd":"true"}],
                "enforceRole":true,"version":"2015-06-12T23:03:31.512Z"},{"id":"s"}],"dependencies":["/g","/UPPER"],"pods":[{}]}"#,
        ),
        (
            Method::PUT,
            "/v2/groups/g",
            r#"{"apps":[{"id":"a","cmd":"true","dependencies":["b"]},{"id":"b","cmd":"true","dependencies":["a"]}]}"#,
        ),
        (Method::PUT, "/v2/groups/g", r#"{"apps":[{"id":"a","cmd":"true"},{"id":"a","cmd":"true"}]}"#),
        (Method::PATCH, "/v2/groups/a/b", r#"{"enforceRole":true}"#),
        (Method::PATCH, "/v2/groups/missing", r#"{"enforceRole":true}"#),
        (Method::PATCH, "/v2/groups/missing", "{}"),
        (Method::DELETE, "/v2/groups/missing", ""),
        (Method::GET, "/v2/groups/missing/versions", ""),
        (Method::GET, "/v2/groups/versions/2015-06-12T23:03:31.512Z", ""),
        (Method::GET, "/v2/pods", ""),
        (Method::DELETE, "/v2/apps", ""),
        (Method::POST, "/v2/events", ""),
    ];
    let mut told = String::new();
    for (method, path, body) in matrix {
        let answer = site.ask(method.clone(), path, body).await;
        let body = if body.len() > 200 { format!("({} bytes)", body.len()) } else { body.to_owned() };
        assert_eq!(answer.header("content-type"), "application/json", "{method} {path} {body}: {}", answer.text);
        told += &format!("{method} {path} {body}\n    {} {}\n", answer.status.as_u16(), answer.text);
    }
    expect_file!["answers/refusals.txt"].assert_eq(&told);
    assert_eq!(site.get("/v2/apps").await, before);
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_apps_are_written_at_once() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    let both =
        json!([{"id": "/a", "cmd": "true", "labels": {"tier": "front"}}, {"id": "/b", "args": ["x"]}]).to_string();
    let created = site.ask(Method::PUT, "/v2/apps", &both).await;
    assert_eq!(created.status, StatusCode::OK, "{}", created.text);
    let ids = async |query: &str| -> Vec<String> {
        let apps = site.get(&format!("/v2/apps{query}")).await;
        apps["apps"].as_array().unwrap().iter().map(|app| app["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("").await, ["/a", "/b"]);
    assert_eq!(ids("?cmd=TRU").await, ["/a"]);
    assert_eq!(ids("?id=B").await, ["/b"]);
    assert_eq!(ids("?label=tier%20in%20(front,back)").await, ["/a"]);
    assert_eq!(ids("?label=tier!=front").await, Vec::<String>::new());
    let patched =
        site.ask(Method::PATCH, "/v2/apps?force=true", r#"[{"id":"/a","instances":4},{"id":"/b","mem":64}]"#).await;
    assert_eq!(patched.status, StatusCode::OK, "{}", patched.text);
    assert_eq!(site.get("/v2/apps/a").await["app"]["cmd"], "true");
    assert_eq!(site.get("/v2/apps/a").await["app"]["instances"], 4);
    assert_eq!(site.get("/v2/apps/b").await["app"]["mem"], 64);

    let first = site.ask(Method::GET, "/v2/apps", "").await;
    let unchanged = site.ask_with(Method::GET, "/v2/apps", &[("if-none-match", first.header("etag"))], "").await;
    assert_eq!((unchanged.status, unchanged.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_describes_itself_and_every_described_call_is_served() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    for (accept, status, text) in [("*/*", 200, "pong"), ("application/json", 200, "\"pong\""), ("image/png", 204, "")]
    {
        let pong = site.ask_with(Method::GET, "//ping", &[("accept", accept)], "").await;
        assert_eq!((pong.status.as_u16(), pong.text.as_str()), (status, text));
    }
    assert_eq!(site.get("/v2/leader").await, json!({"leader": site.address}));
    let mut info = site.get("/v2/info").await;
    for changing in ["leader", "version", "buildref"] {
        info.as_object_mut().unwrap().remove(changing);
    }
    info["http_config"]["http_port"] = 0.into();
    assert_eq!(info["marathon_config"]["webui_url"], format!("http://{}", site.address));
    info["marathon_config"]["webui_url"] = "http://here".into();
    expect![[r#"
        {
          "name": "marathon",
          "zookeeper_config": {},
          "marathon_config": {
            "checkpoint": true,
            "executor": "//cmd",
            "failover_timeout": 604800,
            "features": [
              "gpu_resources",
              "task_killing"
            ],
            "framework_name": "marathon",
            "ha": true,
            "hostname": "127.0.0.1",
            "local_port_min": 10000,
            "local_port_max": 20000,
            "master": "127.0.0.1:1",
            "mesos_user": null,
            "mesos_role": "*",
            "new_group_enforce_role": "off",
            "mesos_leader_ui_url": "http://127.0.0.1:1/",
            "decline_offer_duration": 120000,
            "max_instances_per_offer": 200,
            "min_revive_offers_interval": 50,
            "reconciliation_interval": 600000,
            "task_launch_timeout": 300000,
            "task_reservation_timeout": 20000,
            "webui_url": "http://here",
            "default_network_name": null,
            "env_vars_prefix": null
          },
          "elected": true,
          "http_config": {
            "http_port": 0
          },
          "frameworkId": null
        }
    "#]]
    .assert_eq(&steady(&info));
    assert_eq!(site.get("/metrics").await["gauges"]["marathon.apps.active.gauge"]["value"], 0.0);
    let metrics = site.ask(Method::GET, "/metrics/prometheus", "").await;
    assert!(
        metrics.text.contains("# TYPE marathon_apps_active_gauge gauge\nmarathon_apps_active_gauge 0\n"),
        "{}",
        metrics.text
    );
    let head = site.ask(Method::HEAD, "/v2/apps", "").await;
    assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""));

    let description = site.get("/v2/openapi.json").await;
    for operation in OPERATIONS {
        assert!(description["paths"][operation.path][operation.method.to_lowercase()].is_object());
        if operation.path == "/v2/events" || (operation.method, operation.path) == ("DELETE", "/v2/leader") {
            continue; // one does not end, the other ends everything
        }
        let path = operation.path.replace(['{', '}'], "");
        let method = Method::from_bytes(operation.method.as_bytes()).unwrap();
        let answer = site.ask(method, &path, "{}").await;
        let as_told = answer.status.as_u16() == operation.success.0;
        let allowed = as_told || answer.status.is_success() || operation.failures.contains(&answer.status.as_u16());
        assert!(
            allowed && !answer.text.contains("URI not found"),
            "{} {path}: {} {}",
            operation.method,
            answer.status,
            answer.text
        );
    }
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_created_read_changed_and_removed() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    let shop = json!({"id": "shop", "apps": [{"id": "cron", "cmd": "true"}], "groups": [
        {"id": "front", "dependencies": ["../back"], "apps": [{"id": "web", "cmd": "serve", "instances": 2}]},
        {"id": "back", "apps": [{"id": "/shop/back/db", "cmd": "serve"}]},
        {"id": "empty"}]});
    let planned = site.ask(Method::POST, "/v2/groups?dryRun=true", &shop.to_string()).await;
    assert_eq!(planned.status, StatusCode::OK, "{}", planned.text);
    assert_eq!(site.get("/v2/groups").await["groups"], json!([]));
    let created = site.ask(Method::POST, "/v2/groups/", &shop.to_string()).await;
    assert_eq!(
        (created.status, created.header("location")),
        (StatusCode::CREATED, "/v2/groups/shop"),
        "{}",
        created.text
    );
    assert_eq!(site.get("/v2/deployments").await[0]["steps"], planned.json()["steps"]);
    let first = created.json()["version"].as_str().unwrap().to_owned();

    let read = site.ask(Method::GET, "/v2/groups//shop/", "").await;
    assert!(read.header("etag").starts_with(&format!("\"{first}+")), "{}", read.header("etag"));
    let group = read.json();
    assert_eq!((&group["version"], &group["enforceRole"]), (&json!(first), &json!(null)));
    let names: Vec<&str> =
        group["groups"].as_array().unwrap().iter().map(|group| group["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["/shop/back", "/shop/empty", "/shop/front"]);
    assert_eq!(group["groups"][2]["dependencies"], json!(["/shop/back"]));
    assert_eq!(group["groups"][2]["apps"][0]["id"], "/shop/front/web");

    let locked = site.ask(Method::PUT, "/v2/groups/shop", r#"{"scaleBy":2}"#).await;
    assert_eq!(locked.status, StatusCode::CONFLICT, "{}", locked.text);
    let scaled = site.ask(Method::PUT, "/v2/groups/shop?force=true", r#"{"scaleBy":1.5}"#).await;
    assert_eq!(scaled.status, StatusCode::OK, "{}", scaled.text);
    assert_eq!(site.get("/v2/apps/shop/front/web").await["app"]["instances"], 3);
    let versions = site.get("/v2/groups/shop/versions").await;
    assert_eq!(versions, json!([scaled.json()["version"], first]));
    let before = site.get(&format!("/v2/groups/shop/versions/{first}")).await;
    assert_eq!((&before["id"], &before["groups"][2]["apps"][0]["instances"]), (&json!("/shop"), &json!(2)));

    let written_back = site.ask(Method::PUT, "/v2/groups/shop?force=true", &read.text).await;
    assert_eq!(written_back.status, StatusCode::OK, "{}", written_back.text);
    assert_eq!(site.get("/v2/apps/shop/front/web").await["app"]["instances"], 2);
    let back = site.ask(Method::PUT, "/v2/groups/shop?force=true", &json!({"version": first}).to_string()).await;
    assert_eq!(back.status, StatusCode::OK, "{}", back.text);

    let enforced = site.ask(Method::PATCH, "/v2/groups/shop", r#"{"enforceRole":true}"#).await;
    assert_eq!((enforced.status, enforced.text.as_str()), (StatusCode::OK, ""));
    assert_eq!(site.get("/v2/groups/shop").await["enforceRole"], true);
    let removed = site.ask(Method::DELETE, "/v2/groups/shop?force=true", "").await;
    assert_eq!(removed.status, StatusCode::OK, "{}", removed.text);
    let gone = site.ask(Method::GET, "/v2/groups/shop", "").await;
    let missing = json!({"message": "Group '/shop' does not exist"});
    assert_eq!((gone.status, gone.json()), (StatusCode::NOT_FOUND, missing));
    site.stop().await.unwrap();

    let site = Site::start(&database, NO_MASTER).await;
    let again = site.ask(Method::POST, "/v2/groups", r#"{"id":"/shop/inner","dependencies":["../other"]}"#).await;
    assert_eq!(again.status, StatusCode::CREATED, "{}", again.text);
    site.stop().await.unwrap();
    let site = Site::start(&database, NO_MASTER).await;
    assert_eq!(site.get("/v2/groups/shop/inner").await["dependencies"], json!(["/shop/other"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_is_created_read_changed_and_removed() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    let pod = |instances: u32| {
        json!({"id": "/shop/pod", "scaling": {"kind": "fixed", "instances": instances}, "labels": {"tier": "back"},
        "containers": [{"name": "one", "exec": {"command": {"shell": "serve"}}, "resources": {"cpus": 0.1, "mem": 32},
            "endpoints": [{"name": "web", "hostPort": 0, "protocol": ["tcp"]}]}]})
    };
    let created = site.post("/v2/pods", pod(2)).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    assert_eq!(created.header("location"), "/v2/pods/shop/pod");
    let deployment = created.header("marathon-deployment-id").to_owned();
    assert_eq!(site.get("/v2/deployments").await[0]["id"], deployment.as_str());
    assert_eq!(site.get("/v2/deployments").await[0]["affectedPods"], json!(["/shop/pod"]));
    expect_file!["answers/pod.json"].assert_eq(&steady(&site.get("/v2/pods//shop/pod").await));
    let mut status = site.get("/v2/pods/shop/pod::status").await;
    let version = created.json()["version"].as_str().unwrap().to_owned();
    for instance in status["instances"].as_array_mut().unwrap() {
        assert!(instance["id"].as_str().unwrap().starts_with("shop_pod.instance-"));
        assert_eq!(instance["specReference"], format!("/v2/pods/shop/pod::versions/{version}"));
        (instance["id"], instance["specReference"]) = (json!("<id>"), json!("<reference>"));
    }
    expect_file!["answers/pod_status.json"].assert_eq(&steady(&status));
    assert_eq!(site.get("/v2/pods").await[0]["id"], "/shop/pod");
    assert_eq!(site.get("/v2/pods::status").await[0]["status"], "DEGRADED");
    let versions = site.get("/v2/pods/shop/pod::versions").await;
    assert_eq!(versions, json!([created.json()["version"]]));
    let version = site.get(&format!("/v2/pods/shop/pod::versions/{}", versions[0].as_str().unwrap())).await;
    assert_eq!(version, created.json());
    let queue = site.get("/v2/queue").await;
    assert_eq!((&queue["queue"][0]["pod"]["id"], queue["queue"][0].get("app")), (&json!("/shop/pod"), None));
    let groups = site.get("/v2/groups/shop").await;
    assert_eq!((&groups["apps"], &groups["pods"][0]["id"]), (&json!([]), &json!("/shop/pod")));
    assert_eq!(site.ask(Method::HEAD, "/v2/pods", "").await.status, StatusCode::OK);

    for (method, path, status) in [
        (Method::GET, "/v2/apps/shop/pod", StatusCode::NOT_FOUND),
        (Method::DELETE, "/v2/apps/shop/pod", StatusCode::NOT_FOUND),
        (Method::GET, "/v2/pods/shop/none", StatusCode::NOT_FOUND),
        (Method::GET, "/v2/pods/shop/pod::versions/2020-01-01T00:00:00.000Z", StatusCode::NOT_FOUND),
        (Method::DELETE, "/v2/pods/shop/none", StatusCode::NOT_FOUND),
        (Method::DELETE, "/v2/pods/shop/pod::instances/shop_pod.instance-nobody", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(site.ask(method.clone(), path, "").await.status, status, "{method} {path}");
    }
    assert_eq!(site.post("/v2/pods", pod(1)).await.status, StatusCode::CONFLICT);
    let other = site.ask(Method::PUT, "/v2/pods/other", &pod(1).to_string()).await;
    assert_eq!(other.status, StatusCode::BAD_REQUEST);
    assert_eq!(other.json()["message"], "'/other' does not match definition's id ('/shop/pod')");
    let locked = site.ask(Method::PUT, "/v2/pods/shop/pod", &pod(1).to_string()).await;
    assert_eq!((locked.status, &locked.json()["deployments"][0]["id"]), (StatusCode::CONFLICT, &json!(deployment)));

    // What a read showed can be written back.
    let shown = site.get("/v2/pods/shop/pod").await.to_string();
    let same = site.ask(Method::PUT, "/v2/pods/shop/pod?force=true", &shown).await;
    assert_eq!((same.status, &same.json()["version"]), (StatusCode::OK, &versions[0]));
    let scaled = site.ask(Method::PUT, "/v2/pods/shop/pod?force=true", &pod(0).to_string()).await;
    assert_eq!(scaled.status, StatusCode::OK, "{}", scaled.text);
    assert_eq!(site.get("/v2/pods/shop/pod::status").await["status"], "STABLE");
    let nobody = json!(["shop_pod.instance-00000000-0000-0000-0000-000000000000", "shop_pod.marathon-nobody"]);
    let kill = async |body: &str| site.ask(Method::DELETE, "/v2/pods/shop/pod::instances", body).await;
    assert_eq!(kill(&nobody.to_string()).await.json(), json!([]));
    assert_eq!(kill("").await.status, StatusCode::BAD_REQUEST);
    let foreign = kill(r#"["shop_pod.marathon-nobody", "nobody"]"#).await;
    assert_eq!(
        (foreign.status, &foreign.json()["details"][0]["path"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("/(1)"))
    );
    let removed = site.ask(Method::DELETE, "/v2/pods/shop/pod", "").await;
    assert_eq!(removed.status, StatusCode::ACCEPTED);
    assert_eq!(removed.header("location"), removed.header("marathon-deployment-id"));
    assert_eq!(site.get("/v2/pods").await, json!([]));
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_flags_allow_and_limit() {
    let database = Database::start().await;
    let origins = "--access-control-allow-origin=https://a.example, http://b.example:81";
    let site = Site::start_with(&database, NO_MASTER, &[origins, "--max-apps=1"]).await;
    let shown = &site.get("/v2/info").await["marathon_config"]["access_control_allow_origin"];
    assert_eq!(*shown, json!(["https://a.example", "http://b.example:81"]));

    let page = ("origin", "https://a.example");
    let read = site.ask_with(Method::GET, "/v2/apps", &[page, ("sec-fetch-site", "cross-site")], "").await;
    assert_eq!((read.status, read.header("access-control-allow-origin")), (StatusCode::OK, page.1));
    assert!(!read.headers.contains_key("access-control-allow-credentials"));
    let asks = [page, ("access-control-request-method", "GET"), ("access-control-request-headers", "authorization")];
    let preflight = site.ask_with(Method::OPTIONS, "/v2/apps", &asks, "").await;
    assert_eq!(preflight.status, StatusCode::NO_CONTENT);
    assert_eq!(preflight.header("access-control-allow-headers"), "authorization");
    assert_eq!(preflight.header("access-control-allow-methods"), "GET, HEAD, OPTIONS");
    // It may read, and nothing else.
    let app = |id: &str| json!({"id": id, "cmd": "serve"}).to_string();
    for (method, path) in [(Method::POST, "/v2/apps"), (Method::GET, "/v2/events?ack=page")] {
        let refused = site.ask_with(method, path, &[page], &app("/page")).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        assert!(!refused.headers.contains_key("access-control-allow-origin"));
    }

    assert_eq!(site.ask(Method::POST, "/v2/apps", &app("/one")).await.status, StatusCode::CREATED);
    let refused = site.ask(Method::POST, "/v2/apps", &app("/two")).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let errors = &refused.json()["details"][0];
    assert_eq!(errors["path"], "/");
    let told = errors["errors"][0].as_str().unwrap().to_owned();
    assert_eq!(
        told,
        "This Marathon instance may only handle up to 1 Apps!\n(Override with command line option --max_apps)"
    );
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_shown_in_numbers_where_they_are_asked_for() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    let created = site.post("/v2/groups", json!({"id": "/shop", "apps": [{"id": "web", "cmd": "serve"}]})).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    for (path, embed, app) in [
        ("/v2/apps/shop/web", "app.taskStats", "/app"),
        ("/v2/apps", "apps.taskStats", "/apps/0"),
        ("/v2/apps/shop/*", "taskStats", "/*/0"),
        ("/v2/groups/shop/apps", "apps.taskStats", "/0"),
        ("/v2/groups/shop", "group.apps.taskStats", "/apps/0"),
    ] {
        let plain = site.get(path).await;
        assert_eq!(plain.pointer(app).unwrap()["taskStats"], Value::Null, "{path}");
        let tag = site.ask(Method::GET, path, "").await.header("etag").to_owned();
        // The client knows the app without the numbers.
        let asked = site.ask_with(Method::GET, &format!("{path}?embed={embed}"), &[("if-none-match", &tag)], "").await;
        assert_eq!(asked.status, StatusCode::OK, "{path}");
        assert_eq!(asked.json().pointer(app).unwrap()["taskStats"], json!({}), "{path}: {}", asked.text);
    }
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn service_ports_are_shown_as_early_clients_read_them_where_that_is_asked_for() {
    let database = Database::start().await;
    let site = Site::start_with(&database, NO_MASTER, &["--emit-legacy-ports"]).await;
    let on_host = json!({"id": "/shop/host", "cmd": "serve", "portDefinitions": [{"port": 10100}, {"port": 10101}]});
    let on_bridge = json!({
        "id": "/shop/bridge", "cmd": "serve", "networks": [{"mode": "container/bridge"}],
        "container": {"type": "MESOS", "portMappings": [{"containerPort": 80, "servicePort": 10102}]},
    });
    for (app, ports) in [(on_host, json!([10100, 10101])), (on_bridge, json!([10102]))] {
        let created = site.post("/v2/apps", app.clone()).await;
        assert_eq!((created.status, &created.json()["ports"]), (StatusCode::CREATED, &ports), "{}", created.text);
        let id = app["id"].as_str().unwrap();
        let read = site.get(&format!("/v2/apps{id}")).await["app"].clone();
        assert_eq!(read["ports"], ports, "{read}");
        // What was read can be written, and says nothing new.
        let path = format!("/v2/apps{id}?force=true&dryRun=true");
        let written = site.ask(Method::PUT, &path, &read.to_string()).await;
        assert_eq!(written.status, StatusCode::OK, "{}", written.text);
        assert_eq!(written.json()["changes"], json!([]), "{}", written.text);
    }
    for (path, apps) in [
        ("/v2/apps?embed=apps.tasks", "/apps"),
        ("/v2/apps/shop/*", "/*"),
        ("/v2/groups/shop/apps", ""),
        ("/v2/groups/shop", "/apps"),
    ] {
        let read = site.get(path).await;
        let ports: Vec<&Value> =
            read.pointer(apps).unwrap().as_array().unwrap().iter().map(|app| &app["ports"]).collect();
        assert_eq!(ports, [&json!([10102]), &json!([10100, 10101])], "{path}: {read}");
    }
    site.stop().await.unwrap();
    let site = Site::start(&database, NO_MASTER).await;
    assert_eq!(site.get("/v2/apps/shop/host").await["app"]["ports"], Value::Null);
    site.stop().await.unwrap();
}
