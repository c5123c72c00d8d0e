//! A recorded session of a scheduler with a real Mesos, replayed: every request gets the same status and the same refusal, and every
//! event that Mesos sent comes from us as well, with the same members of the same types.
//!
//! The agent at the other end says what the recorded one said, status by status.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use attica_core_api::decode_json;
use attica_core_api::link::{self, EventType};
use attica_core_api::v1::{FrameworkId, OperationState, TaskStatus};
use serde_json::Value;
use tokio::time::Instant;

use super::harness::{Cluster, PATIENCE, TestAgent, eventually};
use super::recordings::{Exchange, Renamed, Stream, exchanges, send, shared};

const RECORDED_AGENT: &str = "dd9cb2f6-ab80-4ecd-8f25-0589dcae5bdc-S0";
const RECORDED_FRAMEWORK: &str = "dd9cb2f6-ab80-4ecd-8f25-0589dcae5bdc-0000";
/// Everything that follows from a call has come when nothing more has for so long.
const QUIET: Duration = Duration::from_millis(400);

/// Everything that came on any stream, in order.
type Heard = Arc<Mutex<Vec<Value>>>;

/// What the recorded agent said of each task.
type Script = BTreeMap<String, VecDeque<Value>>;

#[tokio::test]
async fn a_session_goes_as_it_went_with_mesos() {
    let Some(recording) = shared("data/mesos/scheduler-v1-json-session.txt") else { return };
    let recorded = events(&recording);
    let cluster = Cluster::start().await;
    let master = cluster.master(&[]).await;
    let agent = master.agent("cpus:1000;mem:100000;disk:100000;ports:[31000-32000]").await;
    let mut renamed = Renamed::default();
    renamed.0.push((RECORDED_AGENT.to_owned(), agent.id.to_string()));
    let agent = tokio::spawn(obey(agent, script(&recorded)));
    let heard = Heard::default();
    let mut readers = Vec::new();
    let mut stream_ids = stream_ids(&recording).into_iter();
    let mut used = BTreeSet::new();
    for exchange in exchanges(&recording) {
        let title = exchange.title.clone();
        if title == "SUBSCRIBE" && readers.len() == 1 {
            // The recorded client hung up here.
            let reader: tokio::task::JoinHandle<()> = readers.remove(0);
            reader.abort();
            let _ended = reader.await;
        }
        let exchange = fill(exchange, &heard, &mut used).await;
        let response = send(&master, &exchange, &renamed).await;
        assert_eq!(response.status().as_u16(), exchange.status, "{title}: {}", exchange.body);
        if title != "SUBSCRIBE" {
            let body = super::harness::client().text(response, 1 << 20).await;
            assert_eq!(body, renamed.apply(&exchange.answer), "{title}: {}", exchange.body);
            continue;
        }
        let ours = response.headers()["mesos-stream-id"].to_str().unwrap().to_owned();
        renamed.0.push((stream_ids.next().unwrap(), ours));
        let before = heard.lock().unwrap().len();
        readers.push(tokio::spawn(read(Stream::new(response), heard.clone())));
        let first = eventually(async || heard.lock().unwrap().get(before).cloned()).await;
        if let Some(framework) = first["subscribed"]["framework_id"]["value"].as_str() {
            renamed.0.push((RECORDED_FRAMEWORK.to_owned(), framework.to_owned()));
        }
    }
    quiet(&heard).await;
    compare(&recorded, &heard.lock().unwrap());
    agent.abort();
    readers.into_iter().for_each(|reader| reader.abort());
    master.stop().await;
}

async fn read(mut stream: Stream, heard: Heard) {
    while let Some(event) = stream.next().await {
        heard.lock().unwrap().push(serde_json::from_str(&event).unwrap());
    }
}

/// Waits until nothing more comes.
async fn quiet(heard: &Heard) {
    let mut seen = (0, Instant::now());
    eventually(async || {
        let count = heard.lock().unwrap().len();
        if count != seen.0 {
            seen = (count, Instant::now());
        }
        (seen.1.elapsed() > QUIET).then_some(())
    })
    .await;
}

/// The request with what is ours in it: every offer that is out, and no acknowledgement before what it acknowledges has come.
async fn fill(exchange: Exchange, heard: &Heard, used: &mut BTreeSet<String>) -> Exchange {
    let Ok(mut call) = serde_json::from_str::<Value>(&exchange.body) else { return exchange };
    if let Some(uuid) = call["acknowledge"]["uuid"].as_str() {
        eventually(async || heard.lock().unwrap().iter().any(|event| status(event)["uuid"] == uuid).then_some(()))
            .await;
    }
    let member = match call["type"].as_str() {
        Some("ACCEPT") => "accept",
        Some("DECLINE") => "decline",
        _ => {
            quiet(heard).await;
            return exchange;
        }
    };
    if call[member]["offer_ids"][0]["value"] == "no-such-offer" {
        return exchange;
    }
    let offers = eventually(async || {
        quiet(heard).await;
        let offers = offer_ids(&heard.lock().unwrap());
        let new: Vec<String> = offers.into_iter().filter(|id| !used.contains(id)).collect();
        (!new.is_empty()).then_some(new)
    })
    .await;
    call[member]["offer_ids"] = offers.iter().map(|id| serde_json::json!({ "value": id })).collect();
    used.extend(offers);
    Exchange { body: call.to_string(), ..exchange }
}

fn status(event: &Value) -> &Value {
    &event["update"]["status"]
}

/// Those of the latest stream.
fn offer_ids(heard: &[Value]) -> Vec<String> {
    let latest = heard.iter().rposition(|event| event["type"] == "SUBSCRIBED").unwrap_or(0);
    let offers = heard[latest..].iter().filter_map(|event| event["offers"]["offers"].as_array()).flatten();
    offers.map(|offer| offer["id"]["value"].as_str().unwrap().to_owned()).collect()
}

/// The agent of the session: it says what the script has for its tasks, as far as nothing has to be waited for.
async fn obey(mut agent: TestAgent, mut script: Script) {
    let mut framework = FrameworkId::default();
    loop {
        let event = agent.events.next(PATIENCE).await.unwrap().expect("the stream goes on");
        match event.r#type {
            EventType::Run => {
                let run = event.run.unwrap();
                framework = run.framework_id.clone();
                let grouped = run.task_groups.into_iter().flat_map(|group| group.tasks);
                for task in run.tasks.into_iter().chain(grouped) {
                    say(&mut agent, &framework, &mut script, task.task_id.as_str(), Until::AskedToEnd).await;
                }
            }
            EventType::Kill => {
                let task = event.kill.unwrap().task_id;
                say(&mut agent, &framework, &mut script, task.as_str(), Until::End).await;
                if task.as_str() == "pod-a" {
                    say(&mut agent, &framework, &mut script, "pod-b", Until::End).await;
                    exit(&agent, &framework, "pod-1").await;
                }
            }
            EventType::ShutdownExecutor => {
                say(&mut agent, &framework, &mut script, "cx-2", Until::End).await;
                exit(&agent, &framework, "custom").await;
            }
            EventType::Message => {
                agent.post(link::Call::message(agent.id.clone(), agent.epoch, event.message.unwrap())).await;
            }
            EventType::Operation => {
                let uuid = event.operation.unwrap().uuid;
                let status = link::OperationStatus { uuid, state: OperationState::Finished, message: None };
                agent.post(link::Call::operation_status(agent.id.clone(), agent.epoch, status)).await;
            }
            EventType::Registered
            | EventType::ListTasks
            | EventType::Acknowledge
            | EventType::Shutdown
            | EventType::Heartbeat => {}
        }
    }
}

#[derive(PartialEq)]
enum Until {
    AskedToEnd,
    End,
}

async fn say(agent: &mut TestAgent, framework: &FrameworkId, script: &mut Script, task: &str, until: Until) {
    let Some(lines) = script.get_mut(task) else { return };
    while let Some(line) = lines.front() {
        let asked = line["state"] == "TASK_KILLED" || line["reason"] == "REASON_EXECUTOR_TERMINATED";
        if asked && until == Until::AskedToEnd {
            return;
        }
        let recorded: TaskStatus = decode_json(line.to_string().as_bytes()).unwrap();
        let mut update = agent.update(framework, task, recorded.state);
        update.status = TaskStatus { agent_id: None, ..recorded };
        agent.post(link::Call::statuses(agent.id.clone(), agent.epoch, vec![update])).await;
        lines.pop_front();
    }
}

async fn exit(agent: &TestAgent, framework: &FrameworkId, executor: &str) {
    let exited = link::ExecutorExited {
        framework_id: framework.clone(),
        executor_id: attica_core_api::v1::ExecutorId::new(executor),
        status: Some(0),
    };
    agent.post(link::Call::executor_exited(agent.id.clone(), agent.epoch, exited)).await;
}

pub(super) fn events(recording: &str) -> Vec<Value> {
    let sections = recording.split("##### ").filter(|section| section.starts_with("EVENT"));
    sections.filter_map(|section| serde_json::from_str(section.split_once('\n')?.1.trim()).ok()).collect()
}

fn stream_ids(recording: &str) -> Vec<String> {
    let heads = recording.split("##### ").filter(|section| section.starts_with("RESPONSE-HEAD"));
    let id = |section: &str| section.lines().find_map(|line| line.strip_prefix("Mesos-Stream-Id: ")).map(str::to_owned);
    heads.filter_map(id).collect()
}

/// Each status once, in the order in which the agent sent them.
fn script(recorded: &[Value]) -> Script {
    let mut script = Script::new();
    let mut seen = BTreeSet::new();
    for status in recorded.iter().map(status) {
        let (Some(uuid), Some(task)) = (status["uuid"].as_str(), status["task_id"]["value"].as_str()) else { continue };
        if seen.insert(uuid.to_owned()) {
            script.entry(task.to_owned()).or_default().push_back(status.clone());
        }
    }
    script
}

/// Every update has its counterpart with the same members; of the other events all of a type together have the same members.
fn compare(recorded: &[Value], ours: &[Value]) {
    let name = |event: &Value| {
        let status = status(event);
        (status["task_id"].to_string(), status["state"].to_string(), status["reason"].to_string())
    };
    for event in recorded.iter().filter(|event| event["type"] == "UPDATE") {
        let same = ours.iter().filter(|ours| ours["type"] == "UPDATE" && name(ours) == name(event));
        let shapes: Vec<_> = same.map(members).collect();
        assert!(shapes.contains(&members(event)), "{event}\n has no counterpart among {shapes:?}");
    }
    let of_type = |events: &[Value], kind: &Value| {
        let events = events.iter().filter(|event| event["type"] == *kind);
        events.flat_map(members).collect::<BTreeSet<String>>()
    };
    let kinds: BTreeSet<String> = recorded.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect();
    for kind in &kinds {
        let type_name = Value::from(kind.as_str());
        let (theirs, ours) = (of_type(recorded, &type_name), of_type(ours, &type_name));
        let different: Vec<&String> = theirs.symmetric_difference(&ours).collect();
        assert!(different.is_empty(), "{kind}: {different:?}");
    }
}

/// `path: type` of everything in an event; the elements of a list together.
pub(super) fn members(event: &Value) -> BTreeSet<String> {
    let mut members = BTreeSet::new();
    collect(event, "", &mut members);
    members
}

fn collect(value: &Value, path: &str, members: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                collect(value, &format!("{path}.{name}"), members);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, &format!("{path}[]"), members)),
        Value::Number(number) if number.is_f64() => drop(members.insert(format!("{path}: double"))),
        Value::Number(_) => drop(members.insert(format!("{path}: integer"))),
        Value::String(_) => drop(members.insert(format!("{path}: string"))),
        Value::Bool(_) => drop(members.insert(format!("{path}: bool"))),
        Value::Null => drop(members.insert(format!("{path}: null"))),
    }
}
