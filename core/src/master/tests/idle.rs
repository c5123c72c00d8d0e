//! The recorded sessions of schedulers that launch nothing: one waits for heartbeats, one speaks protobuf.

use std::collections::BTreeSet;
use std::time::Duration;

use attica_core_api::client::Records;
use attica_core_api::http::MediaType;
use attica_core_api::scheduler::Event;
use attica_core_api::{decode_proto, encode_json};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, Response, header};
use serde_json::Value;
use tokio::time::Instant;

use super::harness::{Cluster, PATIENCE, client, soon};
use super::recordings::{Renamed, Stream, exchanges, send, shared};
use super::session::{events, members};

/// The status and the headers of a recorded answer to a SUBSCRIBE.
fn assert_same_head<B>(response: &Response<B>, head: &str) {
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    assert_eq!(response.status().as_str(), status);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")).filter(|(name, _)| *name != "Date") {
        let ours = response.headers()[name].to_str().unwrap();
        assert!(ours == value || name == "Mesos-Stream-Id", "{name}: {ours} where Mesos has {value}");
    }
}

#[tokio::test]
async fn a_scheduler_that_suppressed_its_roles_hears_heartbeats_only() {
    let Some(recording) = shared("data/mesos/scheduler-v1-heartbeats.txt") else { return };
    let (exchanges, recorded) = (exchanges(&recording), events(&recording));
    let cluster = Cluster::start().await;
    // The agent of this test says nothing, and stays for longer than the test takes.
    let master = cluster.master(&["--agent-ping-timeout", "15secs"]).await;
    let _agent = master.agent("cpus:1000;mem:100000").await;
    let response = send(&master, &exchanges[0], &Renamed::default()).await;
    assert_same_head(&response, recording.split("##### ").nth(2).unwrap().split_once('\n').unwrap().1);
    let stream_id = response.headers()["mesos-stream-id"].to_str().unwrap().to_owned();
    let mut stream = Stream::new(response);
    let mut next = async || -> Value { serde_json::from_str(&stream.next().await.unwrap()).unwrap() };
    let subscribed = next().await;
    assert_eq!(members(&subscribed), members(&recorded[0]));
    let began = Instant::now();
    // At once, then every 15 seconds; the third recorded one would tell nothing more.
    for (heartbeat, seconds) in recorded[1..3].iter().zip([0, 15]) {
        assert_eq!(next().await, *heartbeat);
        assert!(began.elapsed().abs_diff(Duration::from_secs(seconds)) < Duration::from_secs(1));
    }
    let recorded_stream = recording.split("Mesos-Stream-Id: ").nth(1).unwrap().lines().next().unwrap();
    let framework = |event: &Value| event["subscribed"]["framework_id"]["value"].as_str().unwrap().to_owned();
    let renamed =
        Renamed(vec![(recorded_stream.to_owned(), stream_id), (framework(&recorded[0]), framework(&subscribed))]);
    let answer = send(&master, &exchanges[1], &renamed).await;
    assert_eq!(answer.status().as_u16(), exchanges[1].status);
    assert_eq!(client().text(answer, 100).await, "");
    while let Some(last) = stream.next().await {
        assert_eq!(last, recorded[1].to_string(), "nothing but heartbeats before the end");
    }
    master.stop().await;
}

/// A section of the recording: its title, its text, and (of an event) its last line as a message.
struct Section<'r> {
    title: &'r str,
    text: &'r str,
}

impl Section<'_> {
    fn event(&self) -> Event {
        decode_proto(&STANDARD.decode(self.text.trim_end().lines().next_back().unwrap()).unwrap()).unwrap()
    }
}

/// What there is in events of one type.
fn shape(event: &Event) -> BTreeSet<String> {
    members(&serde_json::from_slice(&encode_json(event)).unwrap())
}

#[tokio::test]
async fn a_session_in_protobuf_goes_as_it_went_with_mesos() {
    let Some(recording) = shared("data/mesos/scheduler-v1-protobuf-session.txt") else { return };
    let sections: Vec<Section> = recording
        .split("##### ")
        .filter_map(|section| section.split_once('\n'))
        .map(|(title, text)| Section { title, text })
        .collect();
    let of_kind = |kind: &str| sections.iter().filter(|section| section.title.starts_with(kind)).collect::<Vec<_>>();
    let (requests, recorded) = (of_kind("REQUEST"), of_kind("EVENT"));
    let cluster = Cluster::start().await;
    let master = cluster.master(&[]).await;
    let _agent = master.agent("cpus:1000;mem:100000;disk:100000;ports:[31000-32000]").await;
    let headers = |section: &Section| -> HeaderMap {
        let lines = section.text.split_once("\n\n").unwrap().0.lines().filter_map(|line| line.split_once(": "));
        let sent = lines.filter(|(name, _)| ["Content-Type", "Accept"].contains(name));
        sent.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
    };
    // The bytes that a client wrote with Mesos's own library are also text.
    let body = |section: &Section| section.text.split_once("\n\n").unwrap().1.trim_end_matches('\n').to_owned();
    let uri = master.uri("/api/v1/scheduler");
    let response = soon(client().post(&uri, headers(requests[0]), body(requests[0]).into())).await.unwrap();
    assert_same_head(&response, of_kind("RESPONSE-HEAD")[0].text);
    let stream_id = response.headers()["mesos-stream-id"].clone();
    let mut stream = Records::<Event>::new(response.into_body(), MediaType::Protobuf);
    let mut renamed = Renamed::default();
    for section in recorded {
        let (ours, recorded) = (soon(stream.next(PATIENCE)).await.unwrap().unwrap(), section.event());
        assert_eq!(shape(&ours), shape(&recorded), "{}", section.title);
        let framework = |event: Event| event.subscribed.map(|subscribed| subscribed.framework_id.to_string());
        renamed.0.extend(framework(recorded).zip(framework(ours)));
    }
    let mut headers = headers(requests[1]);
    headers.insert("mesos-stream-id", stream_id);
    // Ids of frameworks are equally long everywhere, so that the message keeps its lengths.
    let teardown = renamed.apply(&body(requests[1]));
    let answer = soon(client().post(&uri, headers, teardown.into())).await.unwrap();
    let recorded = of_kind("RESPONSE ")[0].text;
    assert!(recorded.starts_with(&format!("HTTP/1.1 {}", answer.status())), "{recorded}");
    assert_eq!(answer.headers()[header::CONTENT_LENGTH], "0");
    assert!(soon(stream.next(PATIENCE)).await.unwrap().is_none(), "the stream ends with the framework");
    master.stop().await;
}
