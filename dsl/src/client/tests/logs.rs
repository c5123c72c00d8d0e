use serde_json::json;

use super::answers::{BEFORE, pod, task};
use super::recorded::{Recorded, Recording};
use super::{Run, block_on, transcript};

/// The output of the one task, read in one piece from `begin` on.
async fn server(tasks: Recording, sizes: Recording, pieces: &[(usize, &str)]) -> Recorded {
    let mut recordings = vec![
        ("GET /v2/tasks".to_owned(), tasks),
        (request(STDOUT, "-1", 0), sizes),
        (request("stderr", "-1", 0), size(0)),
    ];
    for (begin, text) in pieces {
        let piece = Recording::ok(json!({"data": text, "offset": begin}));
        recordings.push((request(STDOUT, &begin.to_string(), text.len()), piece));
    }
    Recorded::start(recordings).await
}

const STDOUT: &str = "stdout";
const ID: &str = "web.instance-00000000-0000-0000-0000-000000000001._app.1";

fn request(file: &str, offset: &str, length: usize) -> String {
    format!("GET /v2/tasks/{ID}/log?file={file}&offset={offset}&length={length}")
}

fn size(bytes: usize) -> Recording {
    Recording::ok(json!({"data": "", "offset": bytes}))
}

fn running() -> Recording {
    Recording::ok(json!({"tasks": [task(1, "/web", BEFORE, json!({}))]}))
}

fn gone() -> Recording {
    Recording::ok(json!({"tasks": []}))
}

#[test]
fn the_last_lines_are_found_from_the_end() {
    const TEXT: &str = "one\ntwo\n\nfour\n";
    let tails = ["", "four\n", "\nfour\n", "two\n\nfour\n", TEXT, TEXT];
    block_on(async {
        for (lines, expected) in tails.into_iter().enumerate() {
            let pieces = [(0, TEXT), (TEXT.len() - expected.len(), expected)];
            let server = server(running(), size(TEXT.len()), &pieces).await;
            let words = ["task", "log", "web", "-n", &lines.to_string(), "--addr", &server.address()];
            let outcome = Run::default().command(&words, |_| None).await;
            assert_eq!((outcome.out.as_str(), outcome.err.as_str()), (expected, ""), "{lines} lines");
        }
    });
}

#[test]
fn a_task_is_followed_until_it_has_ended() {
    let tasks = Recording::Sequence(vec![running(), running(), gone()]);
    let sizes =
        Recording::Sequence(vec![size(2), size(2), size(4), size(3), size(3), size(3), size(3), size(3), size(5)]);
    let pieces = [(0, "a\n"), (2, "b\n"), (0, "new"), (3, "!\n")];
    block_on(async {
        let server = server(tasks, sizes, &pieces).await;
        let text = transcript(Run::default(), &server, &[&["task", "log", "web", "--follow", "-n", "all"]]).await;
        let shown: Vec<&str> = text.lines().filter(|line| !line.starts_with('>')).collect();
        let expected = [
            "$ attica task log web --follow -n all",
            "a",
            "b",
            "new!",
            "! the file was cut; going on from its beginning",
            "! web.instance-00000000-0000-0000-0000-000000000001._app.1 has ended",
            "",
        ];
        assert_eq!(shown, expected);
    });
}

#[test]
fn what_cannot_be_read_is_told() {
    block_on(async {
        let server = server(gone(), size(0), &[]).await;
        let lines: &[&[&str]] = &[
            &["task", "log", ID],
            &["task", "log", ID, "--file", "stderr"],
            &["task", "log", "other"],
            &["task", "log", ID, "-n", "few"],
        ];
        let text = transcript(Run::default(), &server, lines).await;
        expect_test::expect_file!["snapshots/logs.txt"].assert_eq(&text);
    });
}

#[test]
fn a_container_of_a_pod_is_found_by_a_part_of_its_id() {
    const CONTAINER: &str = "shop_pod.instance-00000000-0000-0000-0000-000000000001.writer.1";
    let container = json!({
        "name": "writer", "status": "TASK_RUNNING", "statusSince": BEFORE, "conditions": [], "containerId": CONTAINER,
        "endpoints": [], "resources": {"cpus": 0.1, "mem": 32}, "lastUpdated": BEFORE, "lastChanged": BEFORE,
    });
    let mut pod = pod();
    pod["instances"][0]["containers"] = json!([container]);
    let ended = {
        let mut pod = pod.clone();
        pod["instances"][0]["containers"][0]["termination"] = json!({"message": "ended"});
        pod
    };
    let log = |offset: &str, length: usize| {
        format!("GET /v2/tasks/{CONTAINER}/log?file=stdout&offset={offset}&length={length}")
    };
    block_on(async {
        let server = Recorded::start([
            ("GET /v2/tasks".to_owned(), running()),
            (
                "GET /v2/pods::status".to_owned(),
                Recording::Sequence(vec![Recording::ok(json!([pod])), Recording::ok(json!([ended]))]),
            ),
            (log("-1", 0), size(3)),
            (log("0", 3), Recording::ok(json!({"data": "hi\n", "offset": 0}))),
        ])
        .await;
        let words = ["task", "log", "-f", "writer", "--addr", &server.address()];
        let outcome = Run::default().command(&words, |_| None).await;
        assert_eq!((outcome.out.as_str(), outcome.err), ("hi\n", format!("{CONTAINER} has ended\n")));
    });
}
