//! The answers of a real Mesos master to malformed and refused requests, replayed against ours: same status, same body, same
//! `Allow` and `Content-Type`. Where we differ on purpose the test says so and why.

use std::path::PathBuf;

use attica_core_api::http::MediaType;
use attica_core_api::recordio::Decoder;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;

use super::harness::{Cluster, PATIENCE, TestMaster, client, soon};

/// One request and its recorded answer.
pub(super) struct Exchange {
    pub(super) title: String,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    pub(super) status: u16,
    pub(super) answer_headers: Vec<(String, String)>,
    pub(super) answer: String,
}

pub(super) fn shared(name: &str) -> Option<String> {
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

pub(super) fn exchanges(recording: &str) -> Vec<Exchange> {
    let mut exchanges = Vec::new();
    let mut request: Option<&str> = None;
    for section in recording.split("##### ").filter(|section| !section.is_empty()) {
        let (title, text) = section.split_once('\n').unwrap();
        if title.starts_with("REQUEST") {
            request = Some(text);
        } else if title.starts_with("RESPONSE")
            && let Some(request) = request.take()
        {
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

/// What differs on purpose.
const DIFFERENT: [&str; 2] = [
    // The body of /version names our build.
    "gzip accepted (small reply)",
    // Ids of the recorded cluster; replayed below with ours.
    "TEARDOWN",
];

/// The framework and the stream of the recording, and what stands for them here.
#[derive(Default)]
pub(super) struct Renamed(pub(super) Vec<(String, String)>);

impl Renamed {
    pub(super) fn apply(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (recorded, ours)| text.replace(recorded, ours))
    }
}

#[tokio::test]
async fn refusals_are_those_of_mesos() {
    let Some(recording) = shared("data/mesos/scheduler-v1-errors.txt") else { return };
    let cluster = Cluster::start().await;
    let master = cluster.master(&[]).await;
    let mut renamed = Renamed::default();
    // Streams stay open until the end, as they did in the recording.
    let mut streams = Vec::new();
    let mut compared = 0;
    for exchange in exchanges(&recording) {
        let response = send(&master, &exchange, &renamed).await;
        let title = &exchange.title;
        if DIFFERENT.contains(&title.as_str()) {
            continue;
        }
        assert_eq!(response.status().as_u16(), exchange.status, "{title}");
        for (name, value) in &exchange.answer_headers {
            if ["Allow", "Content-Type", "Transfer-Encoding"].contains(&name.as_str()) {
                assert_eq!(response.headers()[name.as_str()], value.as_str(), "{title}: {name}");
            }
        }
        compared += 1;
        if response.headers().contains_key("mesos-stream-id") {
            let stream_id = response.headers()["mesos-stream-id"].to_str().unwrap().to_owned();
            assert!(stream_id.len() <= 128);
            let mut stream = Stream::new(response);
            let first = stream.next().await.unwrap();
            if exchange.answer.contains("\"type\":\"ERROR\"") {
                let recorded = exchange.answer.split_once(": ").unwrap().1.lines().next().unwrap();
                assert_eq!(first, recorded, "{title}");
                assert_eq!(stream.next().await, None, "{title}: closed after ERROR");
            } else {
                let second = stream.next().await.unwrap();
                assert_eq!(second, r#"{"type":"HEARTBEAT"}"#, "{title}: directly after SUBSCRIBED");
                assert_same_shape(&first, &exchange);
                if title == "SUBSCRIBE" {
                    let framework: Value = serde_json::from_str(&first).unwrap();
                    let framework = framework["subscribed"]["framework_id"]["value"].as_str().unwrap();
                    renamed.0 = vec![
                        ("ca7697b9-a599-4c69-93c5-eb846653633d-0001".to_owned(), framework.to_owned()),
                        ("620c9133-9962-4a03-8429-25a2c134b218".to_owned(), stream_id),
                    ];
                }
                streams.push(stream);
            }
        } else if exchange.method != Method::HEAD {
            let body = client().text(response, 1 << 20).await;
            assert_eq!(body, renamed.apply(&exchange.answer), "{title}");
        }
    }
    assert!(compared >= 30, "only {compared} exchanges were compared");
    drop(streams);
    master.stop().await;
}

pub(super) async fn send(
    master: &TestMaster,
    exchange: &Exchange,
    renamed: &Renamed,
) -> Response<attica_core_api::http::ResponseBody> {
    let headers: HeaderMap = exchange
        .headers
        .iter()
        .filter(|(name, _)| !["Host", "Content-Length", "Connection"].contains(&name.as_str()))
        .map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::try_from(renamed.apply(value)).unwrap())
        })
        .collect();
    let body = renamed.apply(&exchange.body).into();
    soon(client().request(exchange.method.clone(), &master.uri(&exchange.path), headers, body)).await.unwrap()
}

/// SUBSCRIBED as recorded, but for what names the cluster.
fn assert_same_shape(ours: &str, exchange: &Exchange) {
    let Some(recorded) = exchange.answer.lines().find_map(|line| Some(line.split_once("): ")?.1)) else { return };
    let (ours, recorded): (Value, Value) =
        (serde_json::from_str(ours).unwrap(), serde_json::from_str(recorded).unwrap());
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&ours), keys(&recorded));
    assert_eq!(keys(&ours["subscribed"]), keys(&recorded["subscribed"]));
    assert_eq!(keys(&ours["subscribed"]["master_info"]), keys(&recorded["subscribed"]["master_info"]));
    let interval = |event: &Value| event["subscribed"]["heartbeat_interval_seconds"].clone();
    assert_eq!(interval(&ours), interval(&recorded));
    assert_eq!(ours["subscribed"]["master_info"]["ip"], recorded["subscribed"]["master_info"]["ip"]);
}

/// A RecordIO response, as text.
pub(super) struct Stream {
    response: Response<attica_core_api::http::ResponseBody>,
    decoder: Decoder,
}

impl Stream {
    pub(super) fn new(response: Response<attica_core_api::http::ResponseBody>) -> Stream {
        Stream { response, decoder: Decoder::new(1 << 20) }
    }

    pub(super) async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(record) = self.decoder.next_record().unwrap() {
                return Some(String::from_utf8(record.to_vec()).unwrap());
            }
            let frame = tokio::time::timeout(PATIENCE, self.response.body_mut().frame()).await.unwrap()?;
            self.decoder.push(frame.unwrap().data_ref().unwrap());
        }
    }
}

#[tokio::test]
async fn get_endpoints_are_found_under_all_their_names() {
    let cluster = Cluster::start().await;
    let master = cluster.master(&["--cluster", "test"]).await;
    for path in ["/state", "/master/state", "/state.json", "/master/state.json", "//state", "/state/"] {
        let state = master.json(path).await;
        assert_eq!(state["cluster"], "test", "{path}");
        assert_eq!(state["frameworks"], serde_json::json!([]), "{path}");
    }
    for path in ["/slaves", "/master/slaves", "/frameworks/", "/tasks", "/metrics/snapshot", "/master/tasks.json"] {
        master.json(path).await;
    }
    let version = master.json("/version").await;
    let numeric = |part: &str| part.parse::<u32>().is_ok();
    assert!(version["version"].as_str().unwrap().split('.').all(numeric), "{version}");
    let health = master.get("/health").await;
    assert_eq!((health.status(), health.headers()["content-length"].to_str().unwrap()), (StatusCode::OK, "0"));
    let redirect = master.get("/master/redirect").await;
    assert_eq!(redirect.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(redirect.headers()["location"], format!("//{}", master.address));
    let script = client().text(master.get("/slaves?jsonp=cb").await, 1 << 20).await;
    assert_eq!(script, "cb({\"slaves\":[],\"recovered_slaves\":[]})");
    assert_eq!(master.get("/slaves?jsonp=a(b)").await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(master.get("/tasks?order=up").await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(master.get("/tasks?limit=x").await.status(), StatusCode::BAD_REQUEST);
    let metrics = client().text(master.get("/metrics").await, 1 << 20).await;
    assert!(metrics.contains("# TYPE attica_master_elected gauge\nattica_master_elected 1\n"), "{metrics}");
    master.stop().await;
}

#[tokio::test]
async fn a_call_beyond_the_limit_is_refused_and_a_large_one_is_not() {
    let cluster = Cluster::start().await;
    let master = cluster.master(&[]).await;
    let headers = || HeaderMap::from_iter([(http::header::CONTENT_TYPE, MediaType::Json.header_value())]);
    let padded = |bytes: usize| format!(r#"{{"type":"FOO","x":"{}"}}"#, "x".repeat(bytes)).into();
    let large = soon(client().post(&master.uri("/api/v1/scheduler"), headers(), padded(10 << 20))).await.unwrap();
    assert_eq!(large.status(), StatusCode::BAD_REQUEST);
    assert!(client().text(large, 1000).await.contains("Expecting 'type' to be present"));
    let excessive = soon(client().post(&master.uri("/api/v1/scheduler"), headers(), padded(32 << 20))).await.unwrap();
    assert_eq!(excessive.status(), StatusCode::PAYLOAD_TOO_LARGE);
    master.stop().await;
}

#[tokio::test]
async fn what_is_accepted_counts_where_mesos_looks_at_it() {
    let cluster = Cluster::start().await;
    let master = cluster.master(&[]).await;
    let status = async |kind: &str, member: &str| {
        let headers = HeaderMap::from_iter([
            (http::header::CONTENT_TYPE, MediaType::Json.header_value()),
            (http::header::ACCEPT, HeaderValue::from_static("text/html")),
        ]);
        let call = format!(r#"{{"type":"{kind}","framework_id":{{"value":"nobody"}},"{member}":{{}}}}"#);
        let uri = master.uri("/api/v1/scheduler");
        soon(client().post(&uri, headers, call.into())).await.unwrap().status()
    };
    assert_eq!(status("RECONCILE_OPERATIONS", "reconcile_operations").await, StatusCode::NOT_ACCEPTABLE);
    // Every other call is answered without a body, in whatever type: this framework is not known.
    assert_eq!(status("RECONCILE", "reconcile").await, StatusCode::BAD_REQUEST);
    master.stop().await;
}
