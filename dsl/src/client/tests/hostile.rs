use proptest::prelude::*;
use serde_json::{Value, json};

use super::answers::{CHANGED_AT, DEPLOYMENT, deployment, forecast, half_way, queue, task, with};
use super::recorded::{Recorded, Recording};
use super::{Outcome, Run, block_on};
use crate::client::events::Frame;
use crate::client::feed::line;
use crate::terminal::{Colour, Reader, visible};

/// What a terminal obeys, or what shows as something else: colours, a title, the clipboard, a cursor, directions, invisible text.
const HOSTILE: [&str; 10] = [
    "\u{1b}[31mred",
    "\u{1b}]0;title\u{7}",
    "\u{1b}]52;c;cm0gLXJm\u{1b}\\",
    "\u{9b}2J",
    "a\rb\u{8}\u{8}c",
    "two\nlines\tand a tab",
    "\u{7f}\u{0}",
    "\u{202e}txt.exe",
    "\u{200b}\u{feff}\u{e0041}",
    "\u{2028}\u{85}",
];

/// Puts a text in the place of every string of a document whose type allows it.
fn poisoned(value: &Value, text: &str) -> Value {
    /// Enumerations, of which only the known ones can be read, and what the client looks for.
    const KEPT: [&str; 9] = [
        "protocol",
        "killSelection",
        "action",
        "version",
        "deploymentId",
        "timestamp",
        "lastConfigChangeAt",
        "since",
        "state",
    ];
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(key, member)| match member {
                Value::String(_) if KEPT.contains(&key.as_str()) => (key.clone(), member.clone()),
                member if key == "env" || key == "labels" || key == "attributes" => {
                    (key.clone(), poisoned_map(member, text))
                }
                member => (key.clone(), poisoned(member, text)),
            });
            members.collect()
        }
        Value::Array(items) => items.iter().map(|item| poisoned(item, text)).collect(),
        Value::String(former) => Value::from(format!("{former}{text}")),
        other => other.clone(),
    }
}

fn poisoned_map(map: &Value, text: &str) -> Value {
    let members = map.as_object().unwrap().iter();
    members.map(|(key, value)| (format!("{key}{text}"), poisoned(value, text))).collect()
}

async fn server(text: &str) -> Recorded {
    let poison = |value: Value| Recording::ok(poisoned(&value, text));
    let app = with(half_way(), json!({"user": "nobody", "cmd": "serve"}));
    let agent = json!({
        "id": "S", "hostname": "h", "address": "a", "attributes": {"rack": "r"}, "active": true, "registeredTime": CHANGED_AT,
        "resources": {"cpus": 1, "mem": 1, "disk": 1, "gpus": 0, "ports": "[]"},
        "used": {"cpus": 1, "mem": 1, "disk": 1, "gpus": 0, "ports": "[]"}, "version": "1",
    });
    let refused =
        json!({"message": "no", "details": [{"path": "/x", "errors": ["bad"]}], "deployments": [{"id": DEPLOYMENT}]});
    Recorded::start([
        ("GET /v2/apps?embed=apps.counts&embed=apps.deployments", poison(json!({"apps": [app.clone()]}))),
        ("GET /v2/apps/a", poison(json!({"app": app}))),
        ("GET /v2/apps/a/versions", poison(json!({"versions": ["1", "0"]}))),
        ("GET /v2/tasks", poison(json!({"tasks": [task(1, "/a", CHANGED_AT, json!({}))]}))),
        ("GET /v2/deployments", poison(json!([deployment()]))),
        ("GET /v2/queue?embed=conditions&embed=nearestFits", poison(queue())),
        ("GET /v2/agents", poison(json!({"agents": [agent]}))),
        (
            "PATCH /v2/apps/a?force=false&dryRun=true",
            Recording::ok(with(forecast(), json!({"placement": poisoned(&forecast()["placement"], text)}))),
        ),
        ("POST /v2/apps/a/restart?force=false", Recording::json(409, poisoned(&refused, text))),
    ])
    .await
}

const LINES: &[&[&str]] = &[
    &["app", "list"],
    &["app", "show", "a"],
    &["app", "versions", "a"],
    &["app", "update", "a", "cmd=other", "env={}", "labels={}", "--dry-run"],
    &["task", "list"],
    &["deployment", "list"],
    &["queue"],
    &["agent", "list"],
    &["app", "restart", "a", "--no-wait"],
    &["app", "list", "--json"],
    &["app", "show", "a", "--json"],
];

async fn run(server: &Recorded, reader: Reader, words: &[&str]) -> Outcome {
    let run = Run { reader, colour: Colour::Hidden, ..Run::default() };
    run.command(&[&["--addr", &server.address()], words].concat(), |_| None).await
}

fn assert_harmless(text: &str, what: &[&str]) {
    for character in text.chars() {
        let harmless = character == '\n' || visible(&character.to_string()) == character.to_string();
        assert!(harmless, "{what:?} shows {character:?}: {text:?}");
    }
}

#[test]
fn nothing_that_a_terminal_obeys_reaches_it() {
    block_on(async {
        for text in HOSTILE {
            let server = server(text).await;
            for words in LINES {
                let outcome = run(&server, Reader::Terminal { columns: 100 }, words).await;
                assert!(!outcome.out.is_empty() || !outcome.err.is_empty(), "{words:?} showed nothing");
                assert!(outcome.status < 2, "{words:?}: {}", outcome.err);
                assert_harmless(&outcome.out, words);
                assert_harmless(&outcome.err, words);
            }
            let data = json!({"appId": "/a", "message": text, "timestamp": text, "plan": {"id": text}}).to_string();
            let event = line(&Frame { id: None, event_type: text.to_owned(), data }).render(Colour::Hidden);
            assert_harmless(&event, &["events"]);
        }
    });
}

#[test]
fn the_output_of_a_task_is_passed_on_raw_only_where_that_is_wanted() {
    const OUTPUT: &str = "a\u{1b}[2Jb\r\nc\td\r10%\u{9b}1m\u{7}\n";
    let length = OUTPUT.len();
    let log = |offset: &str, length: usize| format!("GET /v2/tasks/t/log?file=stdout&offset={offset}&length={length}");
    block_on(async {
        let server = Recorded::start([
            ("GET /v2/tasks".to_owned(), Recording::ok(json!({"tasks": []}))),
            (log("-1", 0), Recording::ok(json!({"data": "", "offset": length}))),
            (log("0", length), Recording::ok(json!({"data": OUTPUT, "offset": 0}))),
        ])
        .await;
        let terminal = Reader::Terminal { columns: 80 };
        for (reader, words, expected) in [
            (terminal, &["task", "log", "t"][..], "a␛[2Jb\nc\td␍10%<U+009B>1m␇\n"),
            (Reader::Printer { columns: 80 }, &["task", "log", "t"], "a␛[2Jb\nc\td␍10%<U+009B>1m␇\n"),
            (terminal, &["task", "log", "t", "--raw"], OUTPUT),
            (Reader::Program, &["task", "log", "t"], OUTPUT),
        ] {
            assert_eq!(run(&server, reader, words).await.out, expected, "{words:?} for {reader:?}");
        }
    });
}

proptest! {
    #[test]
    fn a_visible_text_is_visible(text in "\\PC{0,20}|[\\x00-\\x1f\\x7f-\\u{9f}a\\u{200b}-\\u{202e}]{0,20}") {
        let shown = visible(&text).into_owned();
        assert_harmless(&shown, &["visible"]);
        prop_assert!(!shown.contains('\n'));
        prop_assert_eq!(visible(&shown), shown.as_str());
    }
}
