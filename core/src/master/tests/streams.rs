//! Streams of schedulers and agents, from SUBSCRIBE to the acknowledged end of a task.

use std::time::Duration;

use attica_core_api::client::{CallError, Signal};
use attica_core_api::http::MediaType;
use attica_core_api::link;
use attica_core_api::v1::TaskState;
use http::{HeaderMap, StatusCode, header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::harness::{Cluster, PATIENCE, TestFramework, client, eventually, framework_info, soon};

#[tokio::test]
async fn a_task_from_offer_to_acknowledged_end() {
    let cluster = Cluster::start().await;
    let master = cluster.master(&[]).await;
    let mut agent = master.agent("cpus:4;mem:1024;ports:[31000-31010]").await;
    let mut framework = master.framework("web").await;
    let offer = framework.offer().await;
    assert_eq!(offer.agent_id, agent.id);
    framework.launch(&offer, &["one"]).await;
    let run = agent.event(link::EventType::Run).await.run.unwrap();
    assert_eq!(run.tasks[0].task_id.as_str(), "one");

    for state in [TaskState::Starting, TaskState::Running, TaskState::Finished] {
        assert_eq!(agent.report(&framework.id, "one", state).await, StatusCode::ACCEPTED);
        agent.event(link::EventType::Acknowledge).await;
        let status = framework.status().await;
        assert_eq!(status.state, state);
        // What a scheduler was told is what everybody can read.
        assert_eq!(master.task_states().await, [("one".to_owned(), state.name().to_owned())]);
        soon(framework.calls.acknowledge(&status)).await.unwrap();
    }
    let state = master.json("/state").await;
    let shown = &state["frameworks"][0];
    assert_eq!(shown["tasks"], serde_json::json!([]));
    assert_eq!(shown["completed_tasks"][0]["state"], "TASK_FINISHED");
    let states: Vec<&str> = shown["completed_tasks"][0]["statuses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]);
    let metrics = master.json("/metrics/snapshot").await;
    for (name, value) in [
        ("master/tasks_finished", 1.0),
        ("master/tasks_running", 0.0),
        ("master/valid_status_updates", 3.0),
        ("master/valid_status_update_acknowledgements", 3.0),
        ("master/slave_registrations", 1.0),
        ("master/frameworks_connected", 1.0),
        ("master/cpus_total", 4.0),
        ("master/cpus_used", 0.0),
    ] {
        assert_eq!(metrics[name], value, "{name}");
    }
    soon(framework.calls.teardown()).await.unwrap();
    assert_eq!(master.json("/state").await["completed_frameworks"][0]["name"], "web");
    master.stop().await;
}

#[tokio::test]
async fn heartbeats_come_at_once_and_then_at_intervals() {
    let cluster = Cluster::start().await;
    let master = cluster.master(&["--scheduler-heartbeat", "50ms"]).await;
    let body = r#"{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"x"}}}"#;
    let mut socket = TcpStream::connect(master.address).await.unwrap();
    let request = format!(
        "POST /api/v1/scheduler HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    let heartbeat = "20\n{\"type\":\"HEARTBEAT\"}";
    soon(async {
        let mut buffer = [0; 4096];
        while text.matches(heartbeat).count() < 4 {
            let read = socket.read(&mut buffer).await.unwrap();
            assert!(read > 0, "{text}");
            text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        }
    })
    .await;
    assert!(text.contains("\r\nTransfer-Encoding: chunked\r\n") && text.contains("\r\nMesos-Stream-Id: "), "{text}");
    // Each record is one chunk: the length of the chunk, then the record with its own length.
    assert!(text.contains(&format!("\r\n17\r\n{heartbeat}\r\n")), "{text}");
    master.stop().await;
}

#[tokio::test]
async fn a_second_subscriber_takes_over() {
    let cluster = Cluster::start().await;
    let master = cluster.master(&[]).await;
    let mut first = master.framework("web").await;
    let info = attica_core_api::v1::FrameworkInfo { id: Some(first.id.clone()), ..framework_info("web") };
    let second = TestFramework::subscribe(vec![master.authority()], info).await;
    assert_eq!(second.id, first.id);
    match soon(first.signals.next()).await {
        Some(Signal::Refused { text }) => assert_eq!(text, "Framework failed over"),
        other => panic!("expected an error, got {other:?}"),
    }
    let refused = soon(first.calls.revive(Vec::new())).await.unwrap_err();
    assert!(matches!(refused, CallError::NotSubscribed), "{refused}");
    soon(second.calls.revive(Vec::new())).await.unwrap();
    master.stop().await;
}

#[tokio::test]
async fn a_framework_that_goes_is_shown_as_gone_and_comes_back() {
    let cluster = Cluster::start().await;
    let master = cluster.master(&[]).await;
    let framework = master.framework("web").await;
    let id = framework.id.clone();
    drop(framework);
    let connected = async || {
        let state = master.json("/frameworks").await;
        state["frameworks"][0]["connected"].as_bool()
    };
    eventually(async || (!connected().await?).then_some(())).await;
    let info = attica_core_api::v1::FrameworkInfo { id: Some(id.clone()), ..framework_info("web") };
    let back = TestFramework::subscribe(vec![master.authority()], info).await;
    assert_eq!(back.id, id);
    assert_eq!(connected().await, Some(true));
    master.stop().await;
}

#[tokio::test]
async fn calls_of_an_old_agent_stream_are_refused() {
    let cluster = Cluster::start().await;
    let master = cluster.master(&[]).await;
    let old = master.agent("cpus:1;mem:64").await;
    let heartbeat = link::Call::heartbeat(old.id.clone(), old.epoch);
    assert_eq!(old.post(heartbeat.clone()).await, StatusCode::ACCEPTED);
    let id = old.id.clone();
    let new = old.register_again(&master).await;
    assert_eq!(new.id, id);
    assert_eq!(old.post(heartbeat.clone()).await, StatusCode::CONFLICT);
    assert_eq!(new.post(heartbeat).await, StatusCode::ACCEPTED);
    let mut json = HeaderMap::new();
    json.insert(header::CONTENT_TYPE, MediaType::Json.header_value());
    let response = client().post(&master.uri("/api/v1/agent"), json, "{}".into()).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    master.stop().await;
}

#[tokio::test]
async fn a_scheduler_that_does_not_read_disturbs_nobody() {
    let cluster = Cluster::start().await;
    let master = cluster.master(&["--scheduler-heartbeat", "20ms"]).await;
    // Subscribes, and never reads.
    let body = r#"{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"stalled"},"suppressed_roles":["*"]}}"#;
    let mut stalled = TcpStream::connect(master.address).await.unwrap();
    let request = format!(
        "POST /api/v1/scheduler HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stalled.write_all(request.as_bytes()).await.unwrap();
    let mut framework = master.framework("web").await;
    let mut agent = master.agent("cpus:4;mem:1024").await;
    let offer = framework.offer().await;
    framework.launch(&offer, &["one"]).await;
    agent.event(link::EventType::Run).await;
    for state in [TaskState::Starting, TaskState::Running] {
        agent.report(&framework.id, "one", state).await;
        let status = framework.status().await;
        assert_eq!(status.state, state);
        soon(framework.calls.acknowledge(&status)).await.unwrap();
    }
    drop(stalled);
    master.stop().await;
}

#[tokio::test]
async fn a_master_stops_although_postgres_is_down() {
    let cluster = Cluster::start().await;
    let master = cluster.master(&[]).await;
    let framework = master.framework("web").await;
    let pool = cluster.postgres.database().pool("test", 1);
    let mut lock = pool.begin().await.unwrap();
    sqlx::query("lock table journal in access exclusive mode").execute(&mut *lock).await.unwrap();
    let calls = framework.calls.clone();
    let waiting = tokio::spawn(async move { calls.teardown().await });
    let arrived = async || master.json("/metrics/snapshot").await["master/messages_unregister_framework"] == 1.0;
    eventually(async || arrived().await.then_some(())).await;
    master.stop().await;
    assert!(waiting.await.unwrap().is_err(), "what was not written is not answered");
    lock.rollback().await.unwrap();
}

#[tokio::test]
async fn while_postgres_is_down_writes_are_refused_and_reads_go_on() {
    let cluster = Cluster::start().await;
    let master = cluster.master(&[]).await;
    let agent = master.agent("cpus:1;mem:64").await;
    let framework = master.framework("web").await;
    // A lock on the journal is, for the writer, a database that does not answer.
    let pool = cluster.postgres.database().pool("test", 1);
    let mut lock = pool.begin().await.unwrap();
    sqlx::query("lock table journal in access exclusive mode").execute(&mut *lock).await.unwrap();
    // The call that finds out waits; calls after that are turned away.
    let mut refused = None;
    let waiting = framework.calls.clone();
    let first = tokio::spawn(async move { waiting.teardown().await });
    let (client, uri) = (client(), master.uri("/api/v1/scheduler"));
    for _ in 0..400 {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, MediaType::Json.header_value());
        headers.insert("mesos-stream-id", "x".parse().unwrap());
        let body = r#"{"type":"REVIVE","framework_id":{"value":"x"}}"#;
        let attempt = client.post(&uri, headers, body.into());
        if let Ok(Ok(response)) = tokio::time::timeout(Duration::from_millis(100), attempt).await
            && response.status() == StatusCode::SERVICE_UNAVAILABLE
        {
            refused = Some(response);
            break;
        }
    }
    let refused = refused.expect("503 while nothing can be written");
    assert_eq!(refused.headers()["retry-after"], "1");
    let heartbeat = link::Call::heartbeat(agent.id.clone(), agent.epoch);
    assert_eq!(agent.post(heartbeat).await, StatusCode::ACCEPTED);
    let statuses = link::Call::statuses(agent.id.clone(), agent.epoch, Vec::new());
    assert_eq!(agent.post(statuses).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(master.json("/frameworks").await["frameworks"][0]["name"], "web");
    lock.rollback().await.unwrap();
    // What waited is done now: exactly once.
    tokio::time::timeout(PATIENCE, first).await.unwrap().unwrap().unwrap();
    assert_eq!(master.json("/frameworks").await["completed_frameworks"][0]["name"], "web");
    master.stop().await;
}

#[tokio::test]
async fn an_agent_that_cannot_come_back_because_postgres_is_down_is_waited_for() {
    let cluster = Cluster::start().await;
    let master = cluster.master(&["--agent-ping-timeout=100ms", "--max-agent-ping-timeouts=5"]).await;
    let agent = master.agent("cpus:1;mem:64").await;
    let framework = master.framework("web").await;
    let pool = cluster.postgres.database().pool("test", 1);
    let mut lock = pool.begin().await.unwrap();
    sqlx::query("lock table journal in access exclusive mode").execute(&mut *lock).await.unwrap();
    let waiting = framework.calls.clone();
    let first = tokio::spawn(async move { waiting.teardown().await });
    let noticed = async || {
        agent.post(link::Call::heartbeat(agent.id.clone(), agent.epoch)).await;
        let statuses = link::Call::statuses(agent.id.clone(), agent.epoch, Vec::new());
        let answer = tokio::time::timeout(Duration::from_millis(100), agent.post(statuses)).await;
        (answer == Ok(StatusCode::SERVICE_UNAVAILABLE)).then_some(())
    };
    eventually(noticed).await;
    // Three times as long as it may be silent.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    lock.rollback().await.unwrap();
    soon(first).await.unwrap().unwrap();
    let back = agent.register_again(&master).await;
    assert_eq!(back.post(link::Call::heartbeat(back.id.clone(), back.epoch)).await, StatusCode::ACCEPTED);
    assert_eq!(master.json("/metrics/snapshot").await["master/slave_unreachable_completed"], 0.0);
    // The clocks run again: it is silent from now on.
    let lost = async || master.json("/metrics/snapshot").await["master/slave_unreachable_completed"] == 1.0;
    eventually(async || lost().await.then_some(())).await;
    master.stop().await;
}
