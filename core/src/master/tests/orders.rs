//! What operators order, and what frameworks say to it.

use attica_core_api::link;
use attica_core_api::scheduler::{AcceptInverseOffers, Call, CallType, EventType};
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::{Value, json};

use super::harness::{Cluster, TestMaster, client, eventually, soon};
use super::lists::populate;

async fn post(master: &TestMaster, path: &str, body: String) -> (StatusCode, String) {
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, "application/json".parse().unwrap())]);
    let response = soon(client().request(Method::POST, &master.uri(path), headers, body.into())).await.unwrap();
    (response.status(), client().text(response, 1 << 20).await)
}

async fn call(master: &TestMaster, kind: &str) -> Value {
    let (status, text) = post(master, "/api/v1", json!({ "type": kind }).to_string()).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn who_is_asked_to_leave_a_machine_is_shown_with_the_answer() {
    let cluster = Cluster::start().await;
    let master = cluster.master(&["--agent-ping-timeout", "15secs"]).await;
    let (mut framework, agent) = populate(&master).await;
    let window = json!({"machine_ids": [{"hostname": "127.0.0.1"}], "unavailability": {"start": {"nanoseconds": 1}}});
    let schedule = |windows: &[&Value]| json!({ "windows": windows }).to_string();
    assert_eq!(post(&master, "/maintenance/schedule", schedule(&[&window])).await.0, StatusCode::OK);
    let asked = framework.event(EventType::InverseOffers).await.inverse_offers.unwrap().inverse_offers.remove(0);
    assert_eq!(asked.agent_id.as_ref(), Some(&agent.id));
    let shown = call(&master, "GET_FRAMEWORKS").await["get_frameworks"]["frameworks"][0]["inverse_offers"].clone();
    assert_eq!((&shown[0]["id"]["value"], shown.as_array().unwrap().len()), (&json!(asked.id.as_str()), 1));
    let draining = json!([{"id": {"hostname": "127.0.0.1"}}]);
    assert_eq!(master.json("/maintenance/status").await["draining_machines"], draining, "nobody has answered");

    let accept = AcceptInverseOffers { inverse_offer_ids: vec![asked.id.clone()], ..AcceptInverseOffers::default() };
    let accept =
        Call { r#type: Some(CallType::AcceptInverseOffers), accept_inverse_offers: Some(accept), ..Call::default() };
    soon(framework.calls.send(accept)).await.unwrap();
    let status = call(&master, "GET_MAINTENANCE_STATUS").await["get_maintenance_status"]["status"].clone();
    let answer = &status["draining_machines"][0]["statuses"][0];
    assert_eq!(
        (&answer["status"], &answer["framework_id"]["value"]),
        (&json!("ACCEPT"), &json!(framework.id.as_str()))
    );
    assert!(answer["timestamp"]["nanoseconds"].is_u64());
    let shown = call(&master, "GET_FRAMEWORKS").await["get_frameworks"]["frameworks"][0].clone();
    assert!(shown.get("inverse_offers").is_none(), "what is answered is not out any more: {shown}");

    // Another window is another question.
    let later = json!({"machine_ids": [{"hostname": "127.0.0.1"}], "unavailability": {"start": {"nanoseconds": 2}}});
    assert_eq!(post(&master, "/maintenance/schedule", schedule(&[&later])).await.0, StatusCode::OK);
    framework.event(EventType::InverseOffers).await;
    assert_eq!(master.json("/maintenance/status").await["draining_machines"], draining);
    assert_eq!(post(&master, "/maintenance/schedule", schedule(&[])).await.0, StatusCode::OK);
    framework.event(EventType::RescindInverseOffer).await;
    assert_eq!(master.json("/maintenance/status").await, json!({}));
    master.stop().await;
}

#[tokio::test]
async fn reservations_and_volumes_by_the_forms_of_old() {
    let cluster = Cluster::start().await;
    let master = cluster.master(&[]).await;
    let mut agent = master.agent("cpus:4;mem:1024;disk:1000").await;
    let reservation = json!([{"type": "DYNAMIC", "role": "ops"}]);
    let disk = json!({"name": "disk", "type": "SCALAR", "scalar": {"value": 32}, "reservations": reservation});
    let mut volume = disk.clone();
    volume["disk"] = json!({"persistence": {"id": "v"}, "volume": {"mode": "RW", "container_path": "data"}});
    let id = agent.id.clone();
    let form = |name: &str, resource: &Value| format!("slaveId={id}&{name}=[{resource}]");
    let reserved = async || master.json("/slaves").await["slaves"][0]["reserved_resources"].clone();
    let steps = [
        ("/reserve", form("resources", &disk), 32.0),
        ("/create-volumes", form("volumes", &volume), 32.0),
        ("/destroy-volumes", form("volumes", &volume), 32.0),
        ("/unreserve", form("resources", &disk), 0.0),
    ];
    for (path, form, disk) in steps {
        assert_eq!(post(&master, path, form).await, (StatusCode::ACCEPTED, String::new()), "{path}");
        let operation = agent.event(link::EventType::Operation).await.operation.unwrap();
        let status = link::OperationStatus {
            uuid: operation.uuid,
            state: attica_core_api::v1::OperationState::Finished,
            message: None,
        };
        agent.post(link::Call::operation_status(agent.id.clone(), agent.epoch, status)).await;
        let in_role = |all: Value| all["ops"]["disk"].as_f64().unwrap_or(0.0);
        eventually(async || (in_role(reserved().await) == disk).then_some(())).await;
    }
    let operations = call(&master, "GET_OPERATIONS").await;
    assert_eq!(operations, json!({"type": "GET_OPERATIONS", "get_operations": {}}), "all are over");

    let metrics = master.json("/metrics/snapshot").await;
    for (name, value) in [("total", 4.0), ("finished", 4.0), ("pending", 0.0), ("create/finished", 1.0)] {
        assert_eq!(metrics[&format!("master/operations/{name}")], value, "{name}");
    }
    assert_eq!(metrics["master/messages_operation_status_update"], 4.0);
    let unknown = "slaveId=nobody&resources=[]".to_owned();
    for (path, form, text) in [
        ("/reserve", "resources=[]".to_owned(), "Missing 'slaveId' query parameter in the request body"),
        ("/unreserve", "slaveId=a".to_owned(), "Missing 'resources' query parameter in the request body"),
        ("/create-volumes", unknown.clone(), "Missing 'volumes' query parameter in the request body"),
        ("/reserve", unknown, "No agent found with specified ID"),
        ("/destroy-volumes", "slaveId=a&volumes={".to_owned(), "Error in parsing 'volumes' query parameter"),
        ("/reserve", form("resources", &json!({"name": "disk"})), "Error in parsing 'resources' query parameter"),
    ] {
        let (status, found) = post(&master, path, form).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {found}");
        assert!(found.starts_with(text), "{path}: {found}");
    }
    assert_eq!(master.get("/reserve").await.status(), StatusCode::METHOD_NOT_ALLOWED);
    master.stop().await;
}
