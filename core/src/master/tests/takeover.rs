//! Two masters on one database.

use std::time::{Duration, Instant};

use attica_core_api::client::Signal;
use attica_core_api::link;
use attica_core_api::v1::TaskState;
use http::StatusCode;

use super::harness::{Cluster, TestFramework, client, eventually, framework_info, soon};

/// The lease of a killed leader runs out, and then the next one has a second.
const TAKEOVER: Duration = Duration::from_millis(5_000 + 1_000);

#[tokio::test]
async fn one_leads_and_the_other_redirects() {
    let cluster = Cluster::start().await;
    let leader = cluster.master(&[]).await;
    let standby = cluster.master(&[]).await;
    for path in ["/state", "/master/slaves?x=y", "/api/v1/scheduler"] {
        let response = standby.get(path).await;
        assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT, "{path}");
        assert_eq!(response.headers()["location"], format!("//{}{path}", leader.address), "{path}");
    }
    assert_eq!(standby.get("/redirect").await.headers()["location"], format!("//{}", leader.address));
    for path in ["/health", "/version", "/metrics/snapshot", "/metrics"] {
        assert_eq!(standby.get(path).await.status(), StatusCode::OK, "{path}");
    }
    assert_eq!(standby.json("/metrics/snapshot?timeout=500us").await["master/elected"], 0.0);
    assert_eq!(standby.get("/metrics/snapshot?timeout=soon").await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(standby.get("/nope").await.status(), StatusCode::NOT_FOUND);
    // A framework that only knows the standby finds the leader.
    let framework = TestFramework::subscribe(vec![standby.authority()], framework_info("web")).await;
    soon(framework.calls.revive(Vec::new())).await.unwrap();
    standby.stop().await;
    leader.stop().await;
}

#[tokio::test]
async fn a_master_without_a_leader_says_so() {
    let cluster = Cluster::start().await;
    let leader = cluster.master(&[]).await;
    let standby = cluster.master(&[]).await;
    // The row of the leader is taken by somebody without an address.
    let pool = cluster.postgres.database().pool("test", 1);
    sqlx::query("update lead set epoch = epoch + 1, address = null, expires_at = 'infinity' where role = 'master'")
        .execute(&pool)
        .await
        .unwrap();
    let refused = eventually(async || {
        let response = standby.get("/state").await;
        (response.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(response)
    });
    assert_eq!(client().text(refused.await, 1000).await, "No leader elected");
    // The deposed leader ends with an error.
    let mut leader = leader;
    let error = soon(&mut leader.role).await.unwrap().unwrap_err();
    assert!(matches!(error, crate::master::Error::Leader(_)), "{error}");
    standby.stop().await;
}

#[tokio::test]
async fn a_killed_leader_is_followed_and_nothing_is_forgotten() {
    let cluster = Cluster::start().await;
    let leader = cluster.master(&[]).await;
    let standby = cluster.master(&[]).await;
    let mut agent = leader.agent("cpus:4;mem:1024").await;
    let masters = vec![leader.authority(), standby.authority()];
    let mut framework = TestFramework::subscribe(masters, framework_info("web")).await;
    let offer = framework.offer().await;
    framework.launch(&offer, &["acknowledged", "unacknowledged", "staging"]).await;
    agent.event(link::EventType::Run).await;
    for (task, state) in [("acknowledged", TaskState::Running), ("unacknowledged", TaskState::Running)] {
        agent.report(&framework.id, task, state).await;
        let status = framework.status().await;
        if task == "acknowledged" {
            soon(framework.calls.acknowledge(&status)).await.unwrap();
        }
    }
    // In the order of their ids: those launched in the same millisecond are in no other.
    let mut before = leader.task_states().await;
    before.sort();

    let killed = Instant::now();
    leader.kill().await;
    assert!(matches!(soon(framework.signals.next()).await, Some(Signal::Disconnected(_))));
    let followed = loop {
        match soon(framework.signals.next()).await {
            Some(Signal::Subscribed { framework_id, .. }) => break framework_id,
            Some(Signal::Disconnected(_) | Signal::Event(_)) => {}
            other => panic!("expected SUBSCRIBED, got {other:?}"),
        }
    };
    let took = killed.elapsed();
    assert_eq!(followed, framework.id);
    // The client's own wait between attempts comes on top.
    assert!(took < TAKEOVER + Duration::from_secs(5), "{took:?}");
    let mut after = standby.task_states().await;
    after.sort();
    assert_eq!(after, before);
    assert_eq!(standby.json("/metrics/snapshot").await["master/elected"], 1.0);
    // What was not acknowledged comes again; what was does not.
    assert_eq!(framework.status().await.task_id.as_str(), "unacknowledged");
    standby.stop().await;
}

#[tokio::test]
async fn every_address_is_none_to_come_to() {
    let cluster = Cluster::start().await;
    let error = cluster.try_master(&["--listen", "0.0.0.0:0"]).await.unwrap_err();
    assert!(error.to_string().contains("--advertise"), "{error}");
}

#[tokio::test]
async fn a_leader_that_stops_hands_over_at_once() {
    let cluster = Cluster::start().await;
    let leader = cluster.master(&[]).await;
    let standby = cluster.master(&[]).await;
    let started = Instant::now();
    leader.stop().await;
    eventually(async || (standby.get("/state").await.status() == StatusCode::OK).then_some(())).await;
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}: the lease was not waited for", started.elapsed());
    standby.stop().await;
}
