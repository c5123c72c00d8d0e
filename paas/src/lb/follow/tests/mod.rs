mod bus;

use std::sync::Arc;

use attica_core_api::http::Security;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Follower;
use crate::lb::fixtures::instance_id;
use crate::lb::proxy::{Doors, Ports, Switch};
use crate::lb::table::Groups;
use bus::Bus;

const LIST: &str = "/v2/apps?embed=apps.tasks";

/// A follower of these addresses, by the name `test`.
struct Site {
    switch: Arc<Switch>,
    task: JoinHandle<()>,
}

impl Site {
    fn follow(addresses: &[String]) -> Self {
        let switch = Arc::new(Switch::new(100));
        let doors = Doors::new(Arc::clone(&switch), 100);
        let ports = Ports::new(doors, [127, 0, 0, 1].into(), Vec::new(), CancellationToken::new());
        let follower = Follower::new(addresses, Security::default(), "test", Groups::All, Arc::clone(&switch), ports);
        Self { switch, task: tokio::spawn(follower.run()) }
    }

    /// Waits until the instances with these numbers, and no others, get requests.
    async fn routes_to(&self, expected: &[u128]) {
        until(|| {
            let routed = |number: &u128| {
                let live = self.switch.current();
                live.is_some_and(|live| live.routes.routes_to(&instance_id("/web", *number)))
            };
            (0..4).filter(routed).eq(expected.iter().copied())
        })
        .await;
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

fn task_id(number: u128) -> String {
    format!("{}._app.1", instance_id("/web", number))
}

fn task(number: u128, state: &str) -> Value {
    json!({"id": task_id(number), "appId": "/web", "host": "127.0.0.1", "ports": [31_000], "state": state,
        "version": "v1", "healthCheckResults": [], "ipAddresses": []})
}

fn web(tasks: &[Value]) -> Value {
    json!({"id": "/web", "version": "v1", "labels": {"HAPROXY_GROUP": "external", "HAPROXY_0_VHOST": "web.test"},
        "portDefinitions": [{"port": 0, "protocol": "tcp"}], "healthChecks": [], "requirePorts": false, "tasks": tasks,
        "cmd": null, "unknown": {"to": "us"}})
}

fn status(number: u128, state: &str) -> Value {
    json!({"eventType": "status_update_event", "taskId": task_id(number), "appId": "/web", "taskStatus": state,
        "host": "127.0.0.1", "ports": [31_000], "version": "v1"})
}

fn draining(number: u128) -> Value {
    json!({"eventType": "instance_draining", "instanceId": instance_id("/web", number), "taskIds": [task_id(number)],
        "runSpecId": "/web", "drainTimeoutSeconds": 10})
}

/// A service layer with `/web`, of which instance 0 runs, and a follower that knows it.
async fn following() -> (Bus, Site) {
    let bus = Bus::start().await;
    bus.script.lock().unwrap().apps = vec![web(&[task(0, "TASK_RUNNING"), task(1, "TASK_STAGING")])];
    let site = Site::follow(&[bus.url()]);
    site.routes_to(&[0]).await;
    (bus, site)
}

#[tokio::test]
async fn events_are_folded_and_acknowledged() {
    let (bus, site) = following().await;
    until(|| bus.acknowledged() == 10).await;
    bus.send(11, "status_update_event", &status(1, "TASK_RUNNING"));
    site.routes_to(&[0, 1]).await;
    until(|| bus.acknowledged() == 11).await;
    bus.send(12, "instance_draining", &draining(0));
    site.routes_to(&[1]).await;
    until(|| bus.acknowledged() == 12).await;
    let health = json!({"instanceId": instance_id("/web", 1), "runSpecId": "/web", "healthy": false});
    bus.send(13, "instance_health_changed_event", &health);
    site.routes_to(&[]).await;
    let health = json!({"instanceId": instance_id("/web", 1), "runSpecId": "/web", "healthy": true});
    bus.send(14, "instance_health_changed_event", &health);
    site.routes_to(&[1]).await;
    let gone = json!({"instanceId": instance_id("/web", 1), "runSpecId": "/web", "condition": "Gone"});
    bus.send(15, "instance_changed_event", &gone);
    site.routes_to(&[]).await;
    until(|| bus.acknowledged() == 15).await;
    let script = bus.script.lock().unwrap();
    assert!(script.acknowledged.iter().all(|(name, _)| name == "test"));
    assert!(script.acknowledged.iter().map(|(_, position)| position).is_sorted());
    assert_eq!(script.asked.iter().filter(|asked| *asked == LIST).count(), 1);
}

#[tokio::test]
async fn an_app_on_a_bridge_is_routed_by_its_mappings() {
    let bus = Bus::start().await;
    let mut app = web(&[task(0, "TASK_RUNNING")]);
    app.as_object_mut().unwrap().remove("portDefinitions");
    // Nothing leads to the first one from outside.
    app["container"] = json!({"type": "DOCKER", "docker": {"image": "web"}, "portMappings": [
        {"containerPort": 9, "servicePort": 10_001, "protocol": "tcp", "labels": {}},
        {"containerPort": 80, "hostPort": 0, "servicePort": 10_000, "protocol": "tcp", "labels": {}}]});
    bus.script.lock().unwrap().apps = vec![app];
    let site = Site::follow(&[bus.url()]);
    site.routes_to(&[0]).await;
}

#[tokio::test]
async fn a_changed_definition_is_read_again() {
    let (bus, site) = following().await;
    {
        let mut script = bus.script.lock().unwrap();
        script.apps = vec![web(&[task(0, "TASK_RUNNING"), task(2, "TASK_RUNNING")])];
        script.position = 20;
    }
    let plan = json!({"plan": {"id": "x", "steps": [{"actions": [{"action": "RestartApplication", "app": "/web"}]}]}});
    bus.send(20, "deployment_info", &plan);
    site.routes_to(&[0, 2]).await;
    assert_eq!(bus.asked("/v2/apps//web"), 1);
    {
        let mut script = bus.script.lock().unwrap();
        script.apps.clear();
        script.position = 21;
    }
    bus.send(21, "app_terminated_event", &json!({"appId": "/web"}));
    site.routes_to(&[]).await;
    until(|| bus.acknowledged() == 21).await;
}

#[tokio::test]
async fn a_broken_stream_is_resumed_with_the_routes_in_use() {
    let (bus, site) = following().await;
    bus.send(11, "status_update_event", &status(1, "TASK_RUNNING"));
    site.routes_to(&[0, 1]).await;
    bus.cut();
    let resumed =
        |script: &bus::Script| script.asked.iter().any(|asked| asked.ends_with(" 11") && asked.contains("ack=test"));
    until(|| resumed(&bus.script.lock().unwrap())).await;
    site.routes_to(&[0, 1]).await;
    bus.send(12, "status_update_event", &status(0, "TASK_FAILED"));
    site.routes_to(&[1]).await;
    assert_eq!(bus.asked(LIST), 1, "nothing was missed");
}

#[tokio::test]
async fn missing_events_mean_that_everything_is_read_again() {
    let (bus, site) = following().await;
    {
        let mut script = bus.script.lock().unwrap();
        script.apps = vec![web(&[task(3, "TASK_RUNNING")])];
        script.position = 5;
    }
    bus.send(4, "event_stream_reset", &json!({}));
    site.routes_to(&[3]).await;
    until(|| bus.acknowledged() == 5).await;
}

#[tokio::test]
async fn the_leader_is_found() {
    let (bus, standby) = (Bus::start().await, Bus::start().await);
    standby.script.lock().unwrap().leader = Some(bus.url());
    bus.script.lock().unwrap().apps = vec![web(&[task(0, "TASK_RUNNING")])];
    let nobody = "http://127.0.0.1:1".to_owned();
    let site = Site::follow(&[nobody, standby.url()]);
    site.routes_to(&[0]).await;
    assert_eq!((bus.asked(LIST), standby.asked(LIST)), (1, 0));
}

#[tokio::test]
async fn what_cannot_be_read_is_passed_over() {
    let (bus, site) = following().await;
    bus.send_text("id: 11\nevent: status_update_event\ndata: {\"taskId\": 7}\n\n");
    bus.send_text("id: 12\nevent: instance_draining\ndata: {\"instanceId\": \"../../etc\"}\n\n:\n\n");
    bus.send(13, "some_event", &json!({"x": [1, 2]}));
    bus.send(14, "status_update_event", &status(1, "TASK_RUNNING"));
    site.routes_to(&[0, 1]).await;
    until(|| bus.acknowledged() == 14).await;
}

#[tokio::test]
async fn traffic_is_reported() {
    let (bus, site) = following().await;
    let traffic = site.switch.traffic().of(&crate::lb::fixtures::id("/web"));
    crate::lb::traffic::OpenRequest::new(&traffic).answered();
    until(|| !bus.script.lock().unwrap().traffic.is_empty()).await;
    let report = bus.script.lock().unwrap().traffic[0].clone();
    assert_eq!((&report["name"], &report["apps"]["/web"]["requests"]), (&json!("test"), &json!(1)));
    for field in ["requestsPerSecond", "errors", "connections", "bytesIn", "bytesOut", "p50Ms", "p99Ms"] {
        assert!(report["apps"]["/web"][field].is_number(), "{field}");
    }
}
