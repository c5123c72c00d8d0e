//! The requests that a real Mesos agent was recorded to answer, sent to ours: the same status, the same kind of content, and JSON with
//! the same members of the same types. Where we differ on purpose the tests say so and why.

use std::collections::BTreeSet;
use std::path::PathBuf;

use attica_core_api::http::{Client, Protocol};
use attica_core_api::v1::{
    AllocationInfo, FrameworkCapability, FrameworkCapabilityType, FrameworkInfo, Resource, TaskInfo,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;

use crate::agent::{Agent, shell};
use crate::master::{AGENT, FRAMEWORK, Master};
use crate::support::{PATIENCE, eventually};

/// One request and its recorded answer.
struct Exchange {
    title: String,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    status: u16,
    answer_headers: Vec<(String, String)>,
    answer: String,
}

fn shared(name: &str) -> Option<String> {
    let root = std::env::var_os("ATTICA_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let path = root.join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text.replace("\r\n", "\n")),
        Err(error) => {
            println!("skipped: {} cannot be read ({error})", path.display());
            None
        }
    }
}

/// The parts of a recorded message: first line, headers, body.
fn message(text: &str) -> (&str, Vec<(String, String)>, &str) {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let (first, rest) = head.split_once('\n').unwrap_or((head, ""));
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    (first, rest.lines().filter_map(header).collect(), body.trim_matches('\n'))
}

fn exchanges(recording: &str) -> Vec<Exchange> {
    let mut exchanges = Vec::new();
    let mut request: Option<&str> = None;
    for section in recording.split("##### ").filter(|section| !section.is_empty()) {
        let (title, text) = section.split_once('\n').unwrap();
        if title.starts_with("REQUEST") {
            request = Some(text);
        } else if let Some(request) = request.take() {
            let (line, headers, body) = message(request);
            let mut words = line.split(' ');
            let (status, answer_headers, answer) = message(text);
            exchanges.push(Exchange {
                title: title.split_once("] ").unwrap().1.to_owned(),
                method: words.next().unwrap().parse().unwrap(),
                path: words.next().unwrap().to_owned(),
                headers,
                body: body.to_owned(),
                status: status.split(' ').nth(1).unwrap().parse().unwrap(),
                answer_headers,
                answer: answer.to_owned(),
            });
        }
    }
    exchanges
}

/// `path: type` of everything in a document; the elements of a list together.
fn members(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(name, value)| members(value, &format!("{path}.{name}"), found))
        }
        Value::Array(list) => list.iter().for_each(|value| members(value, &format!("{path}[]"), found)),
        Value::Number(number) if number.is_f64() => drop(found.insert(format!("{path}: double"))),
        Value::Number(_) => drop(found.insert(format!("{path}: integer"))),
        Value::String(_) => drop(found.insert(format!("{path}: string"))),
        Value::Bool(_) => drop(found.insert(format!("{path}: bool"))),
        Value::Null => drop(found.insert(format!("{path}: null"))),
    }
}

/// What differs on purpose: a part of the member's path, and why.
const DIFFERENT: &[(&str, &str)] = &[
    (".git_", "what Mesos was built from"),
    (".build_", "what Mesos was built from"),
    (".attica_version", "ours"),
    (".isolation", "ours: how tasks are isolated on this machine"),
    (".abilities.", "ours: what this machine can do for tasks, and what it lacks"),
    (".flags.", "each program has its own; those that both have go by the same names"),
    (".log_dir", "an agent logs to standard error"),
    ("/var/lib/mesos/", "where the recorded agent had its files"),
    ("/framework", "the recorded framework's paths"),
    ("/slaves/", "where this agent has its files"),
    ("/slave/log", "an agent logs to standard error"),
    ("executor_info.command", "a command task has no executor program"),
    ("executor_info.resources", "and none of its resources are taken for one"),
    ("cpus_limit", "always told: it is what tools divide by"),
    ("statistics.processes", "counted here, as with Mesos's cgroups isolators"),
    ("statistics.threads", "as above"),
    ("statistics.mem_", "told in as many parts as with Mesos's cgroups isolators; without them it had but one figure"),
];

fn compare(title: &str, recorded: &Value, ours: &Value) {
    let of = |value: &Value| {
        let mut found = BTreeSet::new();
        members(value, "", &mut found);
        found
    };
    let (recorded, ours) = (of(recorded), of(ours));
    let wanted = |member: &&String| DIFFERENT.iter().all(|(part, _)| !member.contains(part));
    let missing: Vec<&String> = recorded.difference(&ours).filter(wanted).collect();
    let more: Vec<&String> = ours.difference(&recorded).filter(wanted).collect();
    assert!(missing.is_empty() && more.is_empty(), "{title}: missing {missing:?}, more {more:?}");
}

/// Where Mesos has no word for what is missing, ours has: on purpose.
fn compare_texts(status: u16, ours: &str, recorded: &str, title: &str) {
    match (status, recorded) {
        (404, "") => assert_eq!(ours, "No such file.", "{title}"),
        _ => assert_eq!(ours, recorded, "{title}"),
    }
}

fn send(master: &Master, address: &str, exchange: &Exchange, path: &str) -> (u16, HeaderMap, String) {
    let headers: HeaderMap = exchange
        .headers
        .iter()
        .filter(|(name, _)| !["Host", "Content-Length", "Connection"].contains(&name.as_str()))
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::try_from(value).unwrap()))
        .collect();
    let uri = format!("http://{address}{path}").parse().unwrap();
    master.block_on(async {
        let client = Client::new(Protocol::Http1, PATIENCE);
        let body = exchange.body.clone().into();
        let response = client.request(exchange.method.clone(), &uri, headers, body).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        (status, headers, client.text(response, 1 << 20).await)
    })
}

/// The content is of the same kind, whatever stands behind its name.
fn check_headers(exchange: &Exchange, headers: &HeaderMap) {
    let kind = |text: &str| text.split(';').next().unwrap().to_owned();
    let recorded = exchange.answer_headers.iter().find(|(name, _)| name == "Content-Type");
    let ours = headers.get(http::header::CONTENT_TYPE).map(|value| kind(value.to_str().unwrap()));
    assert_eq!(ours, recorded.map(|(_, value)| kind(value)), "{}", exchange.title);
    for (name, value) in &exchange.answer_headers {
        if name == "Content-Disposition" {
            assert_eq!(headers[name.as_str()], value.as_str(), "{}", exchange.title);
        }
    }
}

fn of_ops(task: TaskInfo) -> TaskInfo {
    let allocation_info = Some(AllocationInfo { role: Some("ops".to_owned()) });
    let allocated = |resource: Resource| Resource { allocation_info: allocation_info.clone(), ..resource };
    TaskInfo { resources: task.resources.into_iter().map(allocated).collect(), ..task }
}

/// An agent with the tasks that the recorded one had.
fn with_tasks(master: &Master) -> Agent {
    let agent = Agent::start_with(
        master,
        tempfile::tempdir().unwrap(),
        format!("attica-test-{}", uuid::Uuid::new_v4()),
        &["--attributes", "rack:r1;zone:z1"],
    );
    master.await_registration(1);
    let capability = |kind| FrameworkCapability { r#type: Some(kind) };
    let framework = FrameworkInfo {
        name: "opfw".to_owned(),
        user: "root".to_owned(),
        roles: vec!["ops".to_owned()],
        capabilities: vec![capability(FrameworkCapabilityType::MultiRole)],
        ..FrameworkInfo::default()
    };
    let tasks = [("op-1", "echo hi; exec sleep 1000"), ("op-2", "exit 0"), ("op-3", "sleep 0.2")];
    master.run_for(framework, tasks.map(|(id, script)| of_ops(shell(id, script))).to_vec());
    for task in ["op-2", "op-3"] {
        master.await_state(task, "TASK_FINISHED");
    }
    master.await_state("op-1", "TASK_RUNNING");
    agent
}

#[test]
fn operators_are_answered_as_by_mesos() {
    let Some(recording) = shared("data/mesos/operator-v1-agent-json.txt") else { return };
    let master = Master::start();
    let agent = with_tasks(&master);
    let address = agent.ready_address();
    let mut compared = 0;
    for exchange in exchanges(&recording) {
        let recorded = serde_json::from_str::<Value>(&exchange.answer).ok();
        // Until the master's acknowledgements have come the tasks count as not yet completed.
        let settled = |answer: &str| !answer.contains(r#""terminated_tasks":[{"#);
        let (status, headers, answer) = eventually(&exchange.title, || {
            let answer = send(&master, &address, &exchange, &exchange.path);
            settled(&answer.2).then_some(answer)
        });
        assert_eq!(status, exchange.status, "{}: {answer}", exchange.title);
        check_headers(&exchange, &headers);
        match recorded {
            Some(recorded) => compare(&exchange.title, &recorded, &serde_json::from_str(&answer).unwrap()),
            None => compare_texts(status, answer.trim_end(), &exchange.answer, &exchange.title),
        }
        compared += 1;
    }
    assert!(compared >= 18, "only {compared} exchanges were compared");
    agent.finish();
}

/// Paths that libprocess, which Mesos is built on, serves for its own sake.
const NOT_SERVED: [&str; 3] = ["/help", "/help/slave(1)", "/__processes__"];

#[test]
fn paths_are_answered_as_by_mesos() {
    let Some(recording) = shared("data/mesos/endpoints-agent-get.txt") else { return };
    let master = Master::start();
    let agent = with_tasks(&master);
    let address = agent.ready_address();
    let sandbox = agent.sandbox("op-1").canonicalize().unwrap();
    let recorded_sandbox = "/runs/483b34b8-8556-47f6-b8bc-3eace734a1a8";
    let mut compared = 0;
    for exchange in exchanges(&recording) {
        if NOT_SERVED.contains(&exchange.title.as_str()) {
            continue;
        }
        let path = match exchange.path.split_once("path=/var").and_then(|(head, rest)| {
            let (_, rest) = rest.split_once(recorded_sandbox)?;
            Some(format!("{head}path={}{rest}", sandbox.display()))
        }) {
            Some(path) => path,
            None => exchange.path.clone(),
        };
        let settled = |answer: &str| path.contains("/files/") || !answer.contains(r#""state":"TASK_STAGING""#);
        let (status, headers, answer) = eventually(&exchange.title, || {
            let answer = send(&master, &address, &exchange, &path);
            settled(&answer.2).then_some(answer)
        });
        assert_eq!(status, exchange.status, "{path}: {answer}");
        check_headers(&exchange, &headers);
        let ours = serde_json::from_str::<Value>(&answer).ok();
        match (serde_json::from_str::<Value>(&exchange.answer).ok(), ours) {
            (Some(recorded), Some(ours)) => compare(&exchange.title, &recorded, &ours),
            _ => compare_texts(status, answer.trim_end(), exchange.answer.trim_end(), &path),
        }
        compared += 1;
    }
    assert!(compared >= 15, "only {compared} exchanges were compared");
    let framework = format!("/frameworks/{FRAMEWORK}/executors/op-1/runs/latest");
    let debug = crate::agent::get(&master, &address, "/files/debug").1;
    let debug: Value = serde_json::from_str(&debug).unwrap();
    assert_eq!(debug[&framework], sandbox.to_str().unwrap());
    let state: Value = serde_json::from_str(&crate::agent::get(&master, &address, "/state.json").1).unwrap();
    assert_eq!(state["id"], AGENT);
    let script = crate::agent::get(&master, &address, "/version?jsonp=cb").1;
    assert!(script.starts_with(r#"cb({"version":"#) && script.ends_with("})"), "{script}");
    let state = crate::agent::get(&master, &address, "/state").1;
    assert!(!state.contains("-0.0"), "nothing is written with a sign: {state}");
    let metrics = crate::agent::get(&master, &address, "/metrics").1;
    assert!(
        metrics.contains("# TYPE attica_slave_tasks_finished counter\nattica_slave_tasks_finished 2\n"),
        "{metrics}"
    );
    agent.finish();
}
