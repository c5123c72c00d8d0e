//! What the role asks masters and agents, and what load balancers tell it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use attica_core_api::http::{Limits, RequestBody, Server};
use attica_core_store::election::{Election, LeaseTime, PostgresElection};
use attica_core_store::writer::WriterLimits;
use attica_core_store::{Batch, LeaderRole, Writer, migrations};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::service_fn;

use super::rest::NO_MASTER;
use super::site::{Database, Events, Site, until};
use crate::engine::Recorded;
use crate::model::{InstanceId, RunSpecId};
use crate::tables::PaasTables;
use crate::tables::tests::{history, recorded};

/// What runs in the history that the tests of the tables have.
pub(super) fn running_task() -> String {
    let run_spec = RunSpecId::parse("/shop/web").unwrap();
    format!("{}._app.1", InstanceId { run_spec, uuid: uuid::Uuid::from_u128(4) })
}

/// A database in which somebody has led before.
pub(super) async fn with_history() -> Database {
    let database = Database::start().await;
    let url = database.postgres.database().clone();
    migrations::migrate(&url).await.unwrap();
    let mut candidate = PostgresElection::new(url.clone(), LeaderRole::Paas, "here:1".into(), LeaseTime::default());
    let leadership = candidate.campaign().await.unwrap();
    let limits = WriterLimits::default();
    let (writer, mut committed) =
        Writer::spawn::<Recorded, ()>(url, leadership.lead(), leadership.lease(), PaasTables, limits);
    let facts = history().into_iter().map(recorded).collect();
    writer.submit(Batch { facts, after: () }).await.unwrap();
    committed.recv().await.unwrap().unwrap();
    drop(writer);
    leadership.resign().await;
    database
}

/// A server that is master and agent at once; it counts how often its agents are listed.
async fn start_machine(listed: Arc<AtomicUsize>) -> String {
    let server = Server::bind(([127, 0, 0, 1], 0).into(), Limits::default()).await.unwrap();
    let address = server.local_address().unwrap().to_string();
    let here = address.clone();
    let service = service_fn(move |request: Request<RequestBody>| {
        let (listed, here) = (Arc::clone(&listed), here.clone());
        async move {
            let path = request.uri().path().to_owned();
            let (status, body) = match path.as_str() {
                "/api/v1" => (StatusCode::OK, operate(request).await),
                "/slaves" => {
                    listed.fetch_add(1, Ordering::Relaxed);
                    (StatusCode::OK, slaves(&here))
                }
                "/files/read" => read(request.uri().query().unwrap()),
                _ => (StatusCode::SERVICE_UNAVAILABLE, json!("no scheduler is served here")),
            };
            let response = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
            Ok::<_, Infallible>(response.body(Full::new(Bytes::from(body.to_string()))).unwrap())
        }
    });
    tokio::spawn(server.serve(service, std::future::pending()));
    address
}

fn slaves(address: &str) -> Value {
    json!({"slaves": [{
        "id": "S0", "hostname": "host-1", "port": 5051, "pid": format!("slave(1)@{address}"),
        "attributes": {"rack": "r1", "level": 10.0}, "registered_time": 1_700_000_000.5, "active": true,
        "resources": {"cpus": 2.0, "mem": 1024.0, "disk": 10.5, "gpus": 0.0, "ports": "[31000-31099]"},
        "used_resources": {"cpus": 0.1, "mem": 32.0, "disk": 0.0, "gpus": 0.0},
        "unreserved_resources": {}, "version": "0.1.0", "capabilities": [],
        "abilities": {"launcher": true, "daemon": false, "privileged": false, "mounts": true, "networks": ["blue"], "datagrams": true},
    }], "recovered_slaves": []})
}

/// Two machines with nothing on them, one of which is being maintained.
async fn operate(request: Request<RequestBody>) -> Value {
    let asked: Value = serde_json::from_slice(&request.into_body().collect().await.unwrap().to_bytes()).unwrap();
    let cpus = json!({"name": "cpus", "type": "SCALAR", "scalar": {"value": 2.0}});
    let mem = json!({"name": "mem", "type": "SCALAR", "scalar": {"value": 1024.0}});
    let ports = json!({"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 31000, "end": 31099}]}});
    let agent = |id: &str, hostname: &str| {
        json!({
            "agent_info": {"id": {"value": id}, "hostname": hostname}, "active": true, "version": "0.1.0",
            "total_resources": [cpus, mem, ports],
        })
    };
    match asked["type"].as_str().unwrap() {
        "GET_AGENTS" => {
            let agents = [agent("S0", "Host-1"), agent("S1", "host-2")];
            json!({"type": "GET_AGENTS", "get_agents": {"agents": agents}})
        }
        "GET_MAINTENANCE_SCHEDULE" => {
            let window =
                json!({"machine_ids": [{"hostname": "host-1"}], "unavailability": {"start": {"nanoseconds": 1}}});
            json!({"type": "GET_MAINTENANCE_SCHEDULE", "get_maintenance_schedule": {"schedule": {"windows": [window]}}})
        }
        other => panic!("nobody asks for {other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_of_maintenance_what_the_queue_would() {
    let database = Database::start().await;
    let machine = start_machine(Arc::default()).await;
    let site = Site::start(&database, &machine).await;
    let app = json!({"id": "/app", "cmd": "serve", "instances": 2, "constraints": [["hostname", "UNIQUE"]]});
    let foreseen = site.post("/v2/apps?dryRun=true", app).await.json();
    let prospect = &foreseen["placement"][0];
    assert_eq!((&prospect["missing"], &prospect["places"][0]["agentId"]), (&json!(1), &json!("S1")), "{foreseen}");
    let misfit = prospect["misfits"].as_array().unwrap().iter().find(|misfit| misfit["agentId"] == "S0");
    assert_eq!(misfit.unwrap()["reasons"], json!(["AgentMaintenance"]), "{foreseen}");
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_agent_can_do_is_refused_when_it_is_submitted() {
    let database = Database::start().await;
    let listed = Arc::new(AtomicUsize::new(0));
    let machine = start_machine(Arc::clone(&listed)).await;
    let site = Site::start(&database, &machine).await;
    let on = |name: &str| json!([{"mode": "container", "name": name}]);
    assert_eq!(site.post("/v2/apps", json!({"id": "/plain", "cmd": "serve"})).await.status, StatusCode::CREATED);
    assert_eq!(listed.load(Ordering::Relaxed), 0, "what every agent can do costs nothing");
    let app = |id: &str, network: &str| json!({"id": id, "cmd": "serve", "networks": on(network)});
    assert_eq!(site.post("/v2/apps", app("/app", "blue")).await.status, StatusCode::CREATED);

    let container =
        json!({"name": "c", "resources": {"cpus": 0.1, "mem": 32}, "exec": {"command": {"shell": "serve"}}});
    let pod = json!({"id": "/pod", "networks": on("red"), "containers": [container]});
    let group = json!({"id": "/group", "apps": [app("one", "blue"), app("two", "red")]});
    let [one, of_list, of_group] = ["/networks(0)/name", "/(1)/networks(0)/name", "/apps(1)/networks(0)/name"];
    for (method, path, document, place) in [
        (Method::POST, "/v2/apps", app("/other", "red"), one),
        (Method::PUT, "/v2/apps/app", json!({"networks": on("red")}), one),
        (Method::PATCH, "/v2/apps/app", json!({"networks": on("red")}), one),
        (Method::PUT, "/v2/apps", json!([app("/one", "blue"), app("/two", "red")]), of_list),
        (Method::POST, "/v2/groups", group.clone(), of_group),
        (Method::PUT, "/v2/groups?dryRun=true", group, of_group),
        (Method::POST, "/v2/pods", pod.clone(), one),
    ] {
        let refused = site.ask(method, path, document.to_string()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {}", refused.text);
        let told =
            json!([{"path": place, "errors": ["no agent in the cluster has a network 'red': there are 'blue'"]}]);
        assert_eq!(refused.json()["details"], told, "{path}");
    }
    site.stop().await.unwrap();

    // Without word of the agents, they may be able to do anything.
    let site = Site::start(&database, NO_MASTER).await;
    assert_eq!(site.post("/v2/pods", pod).await.status, StatusCode::CREATED);
    site.stop().await.unwrap();
}

/// The output of the running task tells what was asked; its standard error is gone.
fn read(query: &str) -> (StatusCode, Value) {
    if query.contains("stderr") {
        return (StatusCode::NOT_FOUND, json!("No such file.\n"));
    }
    (StatusCode::OK, json!({"data": query, "offset": 7}))
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_and_the_output_of_tasks_come_from_master_and_agents() {
    let database = with_history().await;
    let listed = Arc::new(AtomicUsize::new(0));
    let machine = start_machine(Arc::clone(&listed)).await;
    let site = Site::start(&database, &machine).await;

    let expected = json!({"agents": [{
        "id": "S0", "hostname": "host-1", "address": machine, "attributes": {"rack": "r1", "level": "10"}, "active": true,
        "resources": {"cpus": 2, "mem": 1024, "disk": 10.5, "gpus": 0, "ports": "[31000-31099]"},
        "used": {"cpus": 0.1, "mem": 32, "disk": 0, "gpus": 0, "ports": "[]"},
        "registeredTime": "2023-11-14T22:13:20.500Z", "version": "0.1.0",
        "abilities": {"launcher": true, "daemon": false, "privileged": false, "mounts": true, "networks": ["blue"],
            "datagrams": true, "seccompProfiles": [], "hostPaths": []},
    }]});
    for _ in 0..20 {
        assert_eq!(site.get("/v2/agents").await, expected);
    }
    assert!(listed.load(Ordering::Relaxed) < 20, "the master's answer is good for a second");

    let task = running_task();
    let read = site.get(&format!("/v2/tasks/{task}/log?offset=3&length=5")).await;
    let query = format!("path=/framework/F/executor/{task}/latest/stdout&offset=3&length=5");
    assert_eq!(read, json!({"data": query, "offset": 7}));
    // The latest failure's output can still be read.
    let failed = site.get("/v2/apps/shop/web").await["app"]["lastTaskFailure"]["taskId"].as_str().unwrap().to_owned();
    let read = site.get(&format!("/v2/tasks/{failed}/log?file=stdout&offset=-1")).await;
    assert_eq!(read["data"], format!("path=/framework/F/executor/{failed}/latest/stdout&offset=-1"));

    let unknown = running_task().replace("_app.1", "_app.2");
    for (path, status) in [
        (format!("/v2/tasks/{task}/log?file=stderr"), StatusCode::NOT_FOUND),
        (format!("/v2/tasks/{unknown}/log"), StatusCode::NOT_FOUND),
        ("/v2/tasks/nonsense/log".to_owned(), StatusCode::NOT_FOUND),
        ("/v2/tasks/%2e%2e/log".to_owned(), StatusCode::NOT_FOUND),
        (format!("/v2/tasks/{task}%2f..%2f..%2fetc/log"), StatusCode::NOT_FOUND),
        (format!("/v2/tasks/{task}%00/log"), StatusCode::NOT_FOUND),
        (format!("/v2/tasks/{task}&path=%2Fetc/log"), StatusCode::NOT_FOUND),
        (format!("/v2/tasks/{task}/log?file=../../../../etc/passwd"), StatusCode::BAD_REQUEST),
        (format!("/v2/tasks/{task}/log?offset=-2"), StatusCode::BAD_REQUEST),
        (format!("/v2/tasks/{task}/log?offset=1%26path%3D/etc"), StatusCode::BAD_REQUEST),
        (format!("/v2/tasks/{task}/log?length=-1"), StatusCode::BAD_REQUEST),
        (format!("/v2/tasks/{task}/log?length=1048577"), StatusCode::BAD_REQUEST),
    ] {
        let answer = site.ask(Method::GET, &path, "").await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        assert!(answer.json()["message"].is_string(), "{path}: {}", answer.text);
    }
    site.stop().await.unwrap();

    let site = Site::start(&database, NO_MASTER).await;
    for path in ["/v2/agents", &format!("/v2/tasks/{task}/log")] {
        let refused = site.ask(Method::GET, path, "").await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.text);
    }
    site.stop().await.unwrap();
}

fn traffic(requests: u64) -> Value {
    json!({"requests": requests, "requestsPerSecond": 1.5, "errors": 1, "connections": 2, "bytesIn": 3, "bytesOut": 4,
        "p50Ms": 0.25, "p99Ms": 7})
}

#[tokio::test(flavor = "multi_thread")]
async fn load_balancers_report_traffic_to_the_leader_also_through_a_standby() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    let standby = Site::start(&database, NO_MASTER).await;
    for app in ["/a", "/b"] {
        site.post("/v2/apps", json!({"id": app, "cmd": "true"})).await;
    }
    let report =
        async |at: &Site, name: &str, apps: Value| at.post("/v2/traffic", json!({"name": name, "apps": apps})).await;
    let both = json!({"/a": traffic(1), "/b": traffic(2), "/gone": traffic(9)});
    assert_eq!(report(&site, "lb-1", both).await.status, StatusCode::NO_CONTENT);
    assert_eq!(report(&standby, "lb-2", json!({"/b": traffic(5)})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(report(&site, "lb-1", json!({"/b": traffic(3)})).await.status, StatusCode::NO_CONTENT);
    let expected = json!({"loadBalancers": [
        {"name": "lb-1", "apps": {"/a": traffic(1), "/b": traffic(3)}},
        {"name": "lb-2", "apps": {"/b": traffic(5)}},
    ]});
    assert_eq!(standby.get("/v2/traffic").await, expected);
    let only_a = json!({"loadBalancers": [{"name": "lb-1", "apps": {"/a": traffic(1)}}, {"name": "lb-2", "apps": {}}]});
    assert_eq!(site.get("/v2/traffic?app=/a").await, only_a);
    assert_eq!(site.get("/v2/traffic?app=%0d%0a").await, json!({"loadBalancers": []}));

    for wrong in [
        json!({"name": "", "apps": {}}),
        json!({"name": "x".repeat(129), "apps": {}}),
        json!({"name": "a b", "apps": {}}),
        json!({"name": "lb", "apps": {"/NO": traffic(1)}}),
        json!({"name": "lb", "apps": {"/a": {"requests": -1}}}),
        json!({"name": "lb", "apps": {}, "more": 1}),
        json!([]),
    ] {
        let refused = site.post("/v2/traffic", wrong.clone()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}: {}", refused.text);
    }
    for number in 2..64 {
        assert_eq!(report(&site, &format!("more-{number}"), json!({})).await.status, StatusCode::NO_CONTENT);
    }
    assert_eq!(report(&site, "too-many", json!({})).await.status, StatusCode::SERVICE_UNAVAILABLE);
    standby.stop().await.unwrap();
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_is_announced_to_those_who_acknowledge_and_waits_for_them() {
    let database = with_history().await;
    let site = Site::start(&database, NO_MASTER).await;
    let standby = Site::start(&database, NO_MASTER).await;
    let mut plain = Events::open(&site, "?event_type=api_post_event", &[]).await;
    let mut watching = Events::open(&site, "?event_type=instance_draining", &[]).await;
    let mut all = Events::open(&site, "", &[]).await;
    let mut waited_for = Events::open(&site, "?ack=lb.test-1&event_type=deployment_success", &[]).await;

    // Whatever the list says after joining is complete.
    let list = site.ask(Method::GET, "/v2/apps?embed=apps.tasks", "").await;
    let task = running_task();
    assert_eq!(list.json()["apps"][1]["tasks"][0]["state"], "TASK_RUNNING", "{}", list.text);
    let killed = site.post("/v2/tasks/delete", json!({"ids": [task]})).await;
    assert_eq!(killed.status, StatusCode::OK, "{}", killed.text);
    // The deployment of the history may still be about to end.
    let announced = waited_for.until("instance_draining").await.pop().unwrap();
    assert_eq!(announced.data["taskIds"], json!([task]));
    assert_eq!(announced.data["runSpecId"], "/shop/web");
    assert_eq!(announced.data["drainTimeoutSeconds"], 10);
    assert_eq!(watching.next().await.unwrap(), announced);
    // Whoever reads the list from now on does not begin to use the task.
    let tasks = site.get("/v2/apps/shop/web/tasks").await;
    assert_eq!(tasks["tasks"][0]["state"], "TASK_KILLING");

    let acknowledge = async |at: &Site, name: &str, position: Value| {
        at.post("/v2/events/ack", json!({"name": name, "position": position})).await
    };
    let id = announced.id.unwrap();
    assert_eq!(acknowledge(&standby, "lb.test-1", json!(id)).await.status, StatusCode::NO_CONTENT);
    for (name, position) in
        [("", json!(id)), ("a/b", json!(id)), ("lb", json!(-1)), ("lb", json!(i64::MAX)), ("lb", json!("x"))]
    {
        let refused = acknowledge(&site, name, position).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    }
    let redirected = standby.ask(Method::GET, "/v2/events?ack=lb", "").await;
    assert_eq!(redirected.header("location"), format!("http://{}/v2/events?ack=lb", site.address));
    let refused = site.ask(Method::GET, "/v2/events?ack=a%20b", "").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);

    // Those who did not ask for it never see it.
    site.post("/v2/apps", json!({"id": "/more", "cmd": "true"})).await;
    assert_eq!(plain.next().await.unwrap().event_type, "api_post_event");
    let seen = all.until("api_post_event").await;
    assert!(seen.iter().all(|frame| frame.event_type != "instance_draining"), "{seen:?}");

    // The next leader knows whom it has to wait for.
    let pool = database.postgres.database().pool("test", 1);
    let names =
        async || sqlx::query_scalar::<_, String>("select name from paas_consumer").fetch_all(&pool).await.unwrap();
    assert_eq!(names().await, ["lb-2", "lb.test-1"]);
    site.stop().await.unwrap();
    until("the second leader", async || {
        let leader = standby.ask(Method::GET, "/v2/leader", "").await;
        (leader.status == StatusCode::OK && leader.json()["leader"] == standby.address).then_some(())
    })
    .await;
    standby.stop().await.unwrap();
}
