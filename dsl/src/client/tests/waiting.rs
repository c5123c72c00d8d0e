use expect_test::expect_file;
use serde_json::json;

use super::answers::{began, deployment, deployment_event, half_way, queue, with};
use super::recorded::{Recorded, Recording};
use super::{Interrupt, Run, block_on, transcript};
use crate::terminal::Reader;

const EVENTS: &str = "GET /v2/events?event_type=deployment_info&event_type=deployment_step_success&event_type=deployment_success\
    &event_type=deployment_failed&event_type=instance_changed_event&event_type=instance_health_changed_event\
    &event_type=status_update_event&event_type=event_stream_reset";
/// The last thing that is read to see how far a deployment is.
const LOOKED: &str = "GET /v2/queue";
const SCALE: &[&str] = &["app", "scale", "/shop/web", "2"];

/// A server on which a deployment is half-way, and then is told about by `events`.
async fn server(events: Recording, deployments: Recording) -> Recorded {
    Recorded::start([
        ("PATCH /v2/apps/shop/web?force=false", Recording::ok(began())),
        ("GET /v2/apps/shop/web", Recording::ok(json!({"app": half_way()}))),
        ("GET /v2/deployments", deployments),
        ("GET /v2/queue", Recording::ok(queue())),
        (EVENTS, events),
    ])
    .await
}

fn running() -> Recording {
    Recording::ok(json!([deployment()]))
}

/// Without what was asked, which depends on the time that it takes.
fn shown(transcript: &str) -> String {
    transcript.lines().filter(|line| !line.starts_with('>')).map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_write_waits_until_its_deployment_has_ended() {
    let other =
        with(deployment_event("deployment_failed", json!({"reason": "another"})), json!({"plan": {"id": "other"}}));
    let endings = [
        ("done", vec![other.clone(), deployment_event("deployment_success", json!({}))]),
        ("superseded", vec![deployment_event("deployment_failed", json!({"reason": "Replaced by deployment 6"}))]),
        ("failed", vec![deployment_event("deployment_failed", json!({"reason": "The deployment was cancelled"}))]),
    ];
    block_on(async {
        let mut text = String::new();
        for (name, events) in endings {
            let server = server(Recording::events(Some(LOOKED), &events), running()).await;
            text.push_str(&format!("# {name}\n"));
            text.push_str(&shown(&transcript(Run::default(), &server, &[SCALE]).await));
            let json = [SCALE, &["--json"]].concat();
            text.push_str(&shown(&transcript(Run::default(), &server, &[&json]).await));
        }
        expect_file!["snapshots/waiting.txt"].assert_eq(&text);
    });
}

#[test]
fn the_stream_begins_before_the_write() {
    block_on(async {
        let server =
            server(Recording::events(Some(LOOKED), &[deployment_event("deployment_success", json!({}))]), running())
                .await;
        transcript(Run::default(), &server, &[SCALE]).await;
        let run = Run::default().command(&[&["--addr", &server.address()], SCALE].concat(), |_| None).await;
        assert_eq!(run.status, 0);
        let requests = server.take_requests();
        let expected = [
            "GET /v2/deployments".to_owned(),
            format!("{EVENTS} after 70000"),
            "PATCH /v2/apps/shop/web?force=false {\"instances\":2}".to_owned(),
        ];
        assert_eq!(requests[..3], expected);
    });
}

#[test]
fn a_stream_that_breaks_resumes_after_the_last_event() {
    let first = deployment_event("deployment_step_success", json!({}));
    let broken = format!("id: 70001\nevent: deployment_step_success\ndata: {first}\n\n");
    let broken = Recording::Answer { status: 200, headers: vec![], body: broken };
    let rest = Recording::events(Some(LOOKED), &[first, deployment_event("deployment_success", json!({}))]);
    block_on(async {
        let server = server(Recording::Sequence(vec![broken, rest]), running()).await;
        let outcome = Run::default().command(&[&["--addr", &server.address()], SCALE].concat(), |_| None).await;
        assert_eq!(outcome.status, 0, "{}", outcome.err);
        let streams: Vec<String> = server.take_requests().into_iter().filter(|line| line.starts_with(EVENTS)).collect();
        assert_eq!(streams, [format!("{EVENTS} after 70000"), format!("{EVENTS} after 70001")]);
    });
}

#[test]
fn an_end_that_nobody_saw_is_not_called_a_success() {
    let reset =
        Recording::events(None, &[json!({"eventType": "event_stream_reset", "timestamp": "2026-03-01T12:00:00.000Z"})]);
    block_on(async {
        let server = server(reset, Recording::Sequence(vec![running(), Recording::ok(json!([]))])).await;
        let text = transcript(Run::default(), &server, &[SCALE]).await;
        expect_file!["snapshots/unseen.txt"].assert_eq(&shown(&text));
    });
}

#[test]
fn ctrl_c_says_that_the_deployment_goes_on() {
    block_on(async {
        let server = server(Recording::events(Some(LOOKED), &[]), running()).await;
        let run = Run { interrupt: Interrupt::AtOnce, ..Run::default() };
        let text = transcript(run, &server, &[SCALE, &["deployment", "watch"]]).await;
        expect_file!["snapshots/interrupted.txt"].assert_eq(&shown(&text));
    });
}

#[test]
fn a_watched_deployment_is_found_by_part_of_its_id_or_alone() {
    let lines: &[&[&str]] =
        &[&["deployment", "watch"], &["deployment", "watch", "5d9a"], &["deployment", "watch", "6"]];
    block_on(async {
        let done = Recording::events(Some(LOOKED), &[deployment_event("deployment_success", json!({}))]);
        let server = server(done, running()).await;
        let text = shown(&transcript(Run::default(), &server, lines).await);
        expect_file!["snapshots/watching.txt"].assert_eq(&text);
    });
}

#[test]
fn a_terminal_gets_bars_in_place() {
    block_on(async {
        let events = [
            deployment_event("deployment_info", json!({})),
            deployment_event("deployment_failed", json!({"reason": "x"})),
        ];
        let server = server(Recording::events(Some(LOOKED), &events), running()).await;
        let run = Run { reader: Reader::Terminal { columns: 50 }, ..Run::default() };
        let text = shown(&transcript(run, &server, &[SCALE]).await);
        // How often it is drawn depends on the time that reading takes: the last drawing counts.
        let (_, last) = text.rsplit_once("\rdeployment").unwrap();
        expect_file!["snapshots/bars.txt"].assert_eq(&last.replace('\u{1b}', "␛").replace('\r', "␍"));
    });
}
