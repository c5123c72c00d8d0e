//! The recorded streams of operators: who watches hears of the same events, with the same members, in the same order.

use std::time::Duration;

use attica_core_api::decode_json;
use attica_core_api::link::{self, EventType};
use attica_core_api::v1::TaskStatus;
use http::header;
use serde_json::Value;

use super::harness::soon;
use super::lists::assert_covers;
use super::operator::{Stage, shown};
use super::recordings::{Exchange, Stream, exchanges, send, shared};
use super::session::{events, members};

/// Opens a recorded stream.
async fn open(stage: &Stage, subscribe: &Exchange) -> Stream {
    let response = send(&stage.master, subscribe, &stage.renamed).await;
    assert_eq!(response.status().as_u16(), subscribe.status);
    for (name, value) in subscribe.answer_headers.iter().filter(|(name, _)| name != "Date") {
        assert_eq!(response.headers()[name.as_str()], value.as_str(), "{name}");
    }
    assert!(!response.headers().contains_key("mesos-stream-id"), "operators' streams have no id");
    assert!(!response.headers().contains_key(header::CONTENT_LENGTH));
    Stream::new(response)
}

async fn next(stream: &mut Stream) -> Value {
    serde_json::from_str(&stream.next().await.unwrap()).unwrap()
}

/// The next event has what the recorded one has, and nothing else.
async fn assert_next(stream: &mut Stream, recorded: &Value) {
    let ours = next(stream).await;
    assert_eq!(members(&ours), members(recorded), "{ours}\n where Mesos has {recorded}");
}

#[tokio::test]
async fn a_task_is_followed_from_its_launch_to_its_end() {
    let Some(recording) = shared("data/mesos/operator-v1-master-subscribe-stream.txt") else { return };
    let recorded = events(&recording);
    let mut stage = Stage::new().await;
    let mut stream = open(&stage, &exchanges(&recording)[0]).await;
    let subscribed = next(&mut stream).await;
    assert_covers(&subscribed, &shown(recorded[0].clone()), "SUBSCRIBED");
    assert_next(&mut stream, &recorded[1]).await;
    let began = tokio::time::Instant::now();
    let offer = stage.framework.offer().await;
    stage.framework.launch(&offer, &["op-4"]).await;
    stage.agent.event(EventType::Run).await;
    for event in &recorded[2..6] {
        if let Ok(status) = decode_json::<TaskStatus>(event["task_updated"]["status"].to_string().as_bytes()) {
            let mut update = stage.agent.update(&stage.framework.id, "op-4", status.state);
            update.status = TaskStatus { task_id: update.status.task_id, agent_id: None, ..status };
            stage.agent.post(link::Call::statuses(stage.agent.id.clone(), stage.agent.epoch, vec![update])).await;
            let status = stage.framework.status().await;
            soon(stage.framework.calls.acknowledge(&status)).await.unwrap();
        }
        assert_next(&mut stream, event).await;
    }
    assert_next(&mut stream, &recorded[6]).await;
    assert!(began.elapsed().abs_diff(Duration::from_secs(15)) < Duration::from_secs(1), "every 15 seconds");
    stage.master.stop().await;
}

#[tokio::test]
async fn a_drain_is_seen_by_operators_and_by_the_scheduler() {
    let Some(recording) = shared("data/mesos/operator-v1-master-drain.txt") else { return };
    let recorded = events(&recording);
    let scheduler_saw = recording.split("##### SCHEDULER-SAW").nth(1).unwrap().lines().nth(1).unwrap();
    let scheduler_saw: Value = serde_json::from_str(scheduler_saw).unwrap();
    let mut stage = Stage::new().await;
    let mut stream = None;
    for exchange in exchanges(&recording) {
        if exchange.title == "SUBSCRIBE" {
            let stream = stream.insert(open(&stage, &exchange).await);
            assert_covers(&next(stream).await, &shown(recorded[0].clone()), "SUBSCRIBED");
            assert_next(stream, &recorded[1]).await;
            continue;
        }
        stage.replay(&exchange).await;
        let stream = stream.as_mut().unwrap();
        match exchange.title.as_str() {
            "DRAIN_AGENT" => {
                stage.agent.event(EventType::Kill).await;
                let saw: TaskStatus = decode_json(scheduler_saw["update"]["status"].to_string().as_bytes()).unwrap();
                let mut update = stage.agent.update(&stage.framework.id, "op-1", saw.state);
                // That it was the drain is the master's word.
                update.status = TaskStatus { reason: None, agent_id: None, ..saw.clone() };
                stage.agent.post(link::Call::statuses(stage.agent.id.clone(), stage.agent.epoch, vec![update])).await;
                assert_next(stream, &recorded[2]).await;
                let status = stage.framework.status().await;
                assert_eq!(status, TaskStatus { agent_id: Some(stage.agent.id.clone()), ..saw });
                soon(stage.framework.calls.acknowledge(&status)).await.unwrap();
            }
            "TEARDOWN" => assert_next(stream, &recorded[3]).await,
            _others => {}
        }
    }
    stage.master.stop().await;
}
