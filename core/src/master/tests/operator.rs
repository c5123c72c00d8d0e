//! The recorded calls of operators, made here: same status, same body where there is none, same headers that matter, and every member
//! that Mesos has. Where we differ on purpose the test says so and why.

use attica_core_api::http::MediaType;
use attica_core_api::operator::{Call, CallType, Response as Answer};
use attica_core_api::v1::TaskState;
use attica_core_api::{decode_proto, encode_proto};
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::Value;

use super::harness::{Cluster, TestAgent, TestFramework, TestMaster, client, soon};
use super::lists::{assert_covers, populate};
use super::recordings::{Exchange, Renamed, Stream, exchanges, send, shared};

/// The agent of the recordings, and their framework.
const AGENT: &str = "dd9cb2f6-ab80-4ecd-8f25-0589dcae5bdc-S0";
const FRAMEWORK: &str = "2d8d616a-97b0-49ee-b50e-03509aaa1f59-0000";

/// A cluster like the recorded one, and how its ids are called here.
pub(super) struct Stage {
    pub(super) master: TestMaster,
    pub(super) framework: TestFramework,
    pub(super) agent: TestAgent,
    pub(super) renamed: Renamed,
    _cluster: Cluster,
}

impl Stage {
    pub(super) async fn new() -> Stage {
        let cluster = Cluster::start().await;
        let log = cluster.file("log", &"a line\n".repeat(100));
        // The agent says nothing of itself, and is to stay.
        let master = cluster.master(&["--external-log-file", &log, "--agent-ping-timeout", "15secs"]).await;
        let (framework, agent) = populate(&master).await;
        let renamed =
            Renamed(vec![(AGENT.to_owned(), agent.id.to_string()), (FRAMEWORK.to_owned(), framework.id.to_string())]);
        Stage { master, framework, agent, renamed, _cluster: cluster }
    }

    /// Makes a recorded request and compares the answers.
    pub(super) async fn replay(&self, exchange: &Exchange) {
        let title = &exchange.title;
        let response = send(&self.master, exchange, &self.renamed).await;
        let status = response.status().as_u16();
        let content_type = response.headers().get(header::CONTENT_TYPE).cloned();
        let body = client().text(response, 1 << 20).await;
        assert_eq!(status, exchange.status, "{title}: {body}");
        for (name, value) in &exchange.answer_headers {
            if name == "Content-Type" && !exchange.answer.is_empty() {
                assert_eq!(content_type.as_ref().unwrap(), value.as_str(), "{title}");
            }
        }
        match serde_json::from_str::<Value>(&exchange.answer) {
            Ok(recorded) => {
                let ours: Value = serde_json::from_str(&body).unwrap();
                assert_covers(&ours, &shown(recorded), title);
            }
            Err(_) => assert_eq!(body, self.renamed.apply(&exchange.answer), "{title}"),
        }
    }

    /// The recorded role had a weight.
    async fn weigh(&self) {
        let weigh = r#"{"type":"UPDATE_WEIGHTS","update_weights":{"weight_infos":[{"role":"ops","weight":2.0}]}}"#;
        assert_eq!(self.call(weigh.to_owned()).await.0, StatusCode::OK);
    }

    async fn call(&self, json: String) -> (StatusCode, String) {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, MediaType::Json.header_value())]);
        let response = soon(client().post(&self.master.uri("/api/v1"), headers, json.into())).await.unwrap();
        (response.status(), client().text(response, 1 << 20).await)
    }
}

/// Calls that are not compared, each with the reason.
const NOT_COMPARED: [(&str, &str); 2] =
    [("GET_FLAGS", "the flags are those that are obeyed here"), ("GET_METRICS", "compared by name elsewhere")];

/// What is in recorded answers and not in ours, each with the reason.
const NOT_SHOWN: [(&str, &str); 7] = [
    ("checkpoint", "of an agent: deprecated, and true of all agents here"),
    ("executor_pid", "processes belong to the launcher of the agent's machine"),
    ("build_date", "what a master was built from is its version"),
    ("build_time", "the same"),
    ("build_user", "the same"),
    ("git_sha", "the same"),
    ("container_status", "agents of these tests run no containers"),
];

/// A recorded answer without what is not shown here.
pub(super) fn shown(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            // A framework's member of the same name is shown.
            let of_framework = members.contains_key("failover_timeout");
            members.retain(|name, _| {
                (name == "checkpoint" && of_framework) || NOT_SHOWN.iter().all(|(hidden, _)| hidden != name)
            });
            members.values_mut().for_each(|member| *member = shown(member.take()));
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| *element = shown(element.take())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    value
}

#[tokio::test]
async fn recorded_calls_are_answered_alike() {
    let Some(recording) = shared("data/mesos/operator-v1-master-json.txt") else { return };
    let stage = Stage::new().await;
    stage.weigh().await;
    let mut compared = 0;
    for exchange in exchanges(&recording) {
        if NOT_COMPARED.iter().all(|(title, _)| *title != exchange.title) {
            stage.replay(&exchange).await;
            compared += 1;
        }
    }
    assert!(compared >= 30, "only {compared} exchanges were compared");
    stage.master.stop().await;
}

#[tokio::test]
async fn every_answer_is_the_same_in_protobuf() {
    let stage = Stage::new().await;
    let reads = CallType::ALL.iter().filter(|kind| kind.name().starts_with("GET_") && **kind != CallType::GetMetrics);
    for kind in reads {
        let call = Call { r#type: Some(*kind), ..Call::default() };
        let json = format!("{{\"type\":\"{kind}\"}}");
        let (status, text) = stage.call(json).await;
        let headers = HeaderMap::from_iter([
            (header::CONTENT_TYPE, MediaType::Protobuf.header_value()),
            (header::ACCEPT, MediaType::Protobuf.header_value()),
        ]);
        let response =
            soon(client().post(&stage.master.uri("/api/v1"), headers, encode_proto(&call).into())).await.unwrap();
        assert_eq!((status, response.status()), (StatusCode::OK, StatusCode::OK), "{kind}: {text}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/x-protobuf");
        let bytes = soon(http_body_util::BodyExt::collect(response.into_body())).await.unwrap().to_bytes();
        let ours: Answer = attica_core_api::decode_json(text.as_bytes()).unwrap();
        assert_eq!(decode_proto::<Answer>(&bytes).unwrap(), ours, "{kind}");
    }
    stage.master.stop().await;
}

/// Reads events until one of this type.
async fn event(stream: &mut Stream, kind: &str) -> Value {
    loop {
        let event: Value = serde_json::from_str(&stream.next().await.unwrap()).unwrap();
        if event["type"] == kind {
            return event;
        }
    }
}

#[tokio::test]
async fn what_happens_is_told_to_who_watches() {
    let Some(recording) = shared("data/mesos/operator-v1-master-stream-lifecycle.txt") else { return };
    let recorded: Vec<Value> = recording
        .lines()
        .filter(|line| line.starts_with("{\"type\":"))
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|event: &Value| event["type"] != "SUBSCRIBE")
        .collect();
    let of_type = |kind: &str| recorded.iter().find(|event| event["type"] == kind).unwrap();
    let cluster = Cluster::start().await;
    let master = cluster.master(&["--agent-ping-timeout", "100ms", "--max-agent-ping-timeouts", "3"]).await;
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, MediaType::Json.header_value())]);
    let body = r#"{"type":"SUBSCRIBE"}"#.into();
    let response = soon(client().request(Method::POST, &master.uri("/api/v1"), headers, body)).await.unwrap();
    assert_eq!(response.headers()[header::TRANSFER_ENCODING], "chunked");
    assert!(!response.headers().contains_key("mesos-stream-id"));
    let mut stream = Stream::new(response);
    let subscribed: Value = serde_json::from_str(&stream.next().await.unwrap()).unwrap();
    assert_eq!(subscribed["subscribed"]["heartbeat_interval_seconds"], 15.0);
    let lists = subscribed["subscribed"]["get_state"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(lists, ["get_tasks", "get_executors", "get_frameworks", "get_agents"]);
    assert_eq!(stream.next().await.unwrap(), r#"{"type":"HEARTBEAT"}"#);
    let mut agent = master.agent("cpus:1000;mem:100000;disk:100000;ports:[31000-32000]").await;
    let added = event(&mut stream, "AGENT_ADDED").await;
    assert_covers(&added, &shown(of_type("AGENT_ADDED").clone()), "AGENT_ADDED");
    let mut framework = master.framework("life").await;
    assert_covers(&event(&mut stream, "FRAMEWORK_ADDED").await, of_type("FRAMEWORK_ADDED"), "FRAMEWORK_ADDED");
    let offer = framework.offer().await;
    framework.launch(&offer, &["life-1"]).await;
    assert_covers(&event(&mut stream, "TASK_ADDED").await, of_type("TASK_ADDED"), "TASK_ADDED");
    agent.report(&framework.id, "life-1", TaskState::Running).await;
    let updated = event(&mut stream, "TASK_UPDATED").await;
    assert_eq!(updated["task_updated"]["state"], "TASK_RUNNING");
    soon(framework.calls.teardown()).await.unwrap();
    let removed = event(&mut stream, "FRAMEWORK_REMOVED").await;
    assert_eq!(removed["framework_removed"]["framework_info"]["name"], "life");
    // It says nothing any more.
    let removed = event(&mut stream, "AGENT_REMOVED").await;
    assert_eq!(removed["agent_removed"]["agent_id"]["value"], agent.id.as_str());
    let metrics = master.json("/metrics/snapshot").await;
    assert_eq!(metrics["master/operator_event_stream_subscribers"], 1.0);
    drop(stream);
    master.stop().await;
}

#[tokio::test]
async fn the_older_endpoints_say_the_same() {
    let Some(recording) = shared("data/mesos/endpoints-master-get.txt") else { return };
    let stage = Stage::new().await;
    stage.weigh().await;
    let quota = r#"{"type":"UPDATE_QUOTA","update_quota":{"quota_configs":[{"role":"q2"}]}}"#;
    assert_eq!(stage.call(quota.to_owned()).await.0, StatusCode::OK);
    let mut compared = 0;
    for exchange in exchanges(&recording) {
        if DIFFERENT.iter().all(|(path, _)| *path != exchange.path) {
            stage.replay(&exchange).await;
            compared += 1;
        }
    }
    assert!(compared >= 18, "only {compared} exchanges were compared");
    stage.master.stop().await;
}

/// What is answered otherwise, each with the reason.
const DIFFERENT: [(&str, &str); 17] = [
    ("/state.json", "served all the same: its removal broke the tools that read it"),
    ("/flags", "the flags are those that are obeyed here"),
    ("/state", "the same, and where the log is; compared elsewhere"),
    ("/master/state", "the same"),
    ("/state?jsonp=cb", "a script, not a document; compared elsewhere"),
    ("/version", "what it was built from is not told"),
    ("/metrics/snapshot", "compared by name elsewhere"),
    ("/redirect", "the address is another; compared elsewhere"),
    ("/master/redirect", "the same"),
    ("/help", "our own page"),
    ("/help/master", "the same"),
    ("/help/master/state", "the same"),
    ("/registrar(1)/registry", "what is durable is in Postgres, and nowhere in one piece"),
    ("/profiler/start", "there is no profiler to start"),
    ("/", "the console belongs to the service layer"),
    ("/app/controllers.js", "the same"),
    ("/__processes__", "there are no actors to list"),
];
