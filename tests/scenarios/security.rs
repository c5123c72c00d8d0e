//! A cluster that lets in only who proves a name, allows only what the rules allow, and encrypts all of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use attica_allocator::Role;
use attica_core_api::auth::{Credential, SecretText};
use attica_core_api::client::{Calls, Config, Detection, Signal, Signals, connect};
use attica_core_api::http::tls::{ClientCertificateUse, Plaintext, Tls, TlsFiles};
use attica_core_api::http::{Client, MediaType, Protocol, Security};
use attica_core_api::v1::{
    CommandInfo, ExecutorId, ExecutorInfo, ExecutorType, FrameworkInfo, LaunchOperation, OfferOperation,
    OfferOperationType, TaskId, TaskInfo, TaskState,
};
use attica_core_api::{encode_proto, link, resources};
use http::{HeaderMap, Method, StatusCode, header};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};

use crate::harness::{Cluster, PATIENCE, attica, request};

/// Where none of them may show up is all that is shown or logged.
const SECRETS: [&str; 3] = ["cluster-hush", "ann-hush", "bob-hush"];

/// What the operator of the cluster has written down.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Files {
        let files = Files(tempfile::tempdir().expect("a directory"));
        let credential = |name: &str| json!({ "principal": name, "secret": format!("{name}-hush") });
        files.write("credential", &credential("cluster").to_string());
        let all = ["cluster", "ann", "bob"].map(credential);
        files.write("credentials", &json!({ "credentials": all }).to_string());
        files.write("acls", &acls(&["cluster", "ann"]));
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        files.write("ca.pem", &issuer.pem());
        let key = KeyPair::generate().expect("a key");
        let names = (1..=3).map(|host| format!("127.0.0.{host}")).collect::<Vec<_>>();
        let certificate = CertificateParams::new(names).expect("parameters").signed_by(&key, &issuer).expect("signed");
        files.write("cert.pem", &certificate.pem());
        files.write("key.pem", &key.serialize_pem());
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
    }

    fn options(&self) -> Vec<String> {
        let flags = [
            ("--credentials", "credentials"),
            ("--credential", "credential"),
            ("--acls", "acls"),
            ("--tls-cert-file", "cert.pem"),
            ("--tls-key-file", "key.pem"),
            ("--tls-ca-file", "ca.pem"),
        ];
        flags.iter().flat_map(|(flag, name)| [(*flag).to_owned(), self.path(name).display().to_string()]).collect()
    }

    /// Somebody who believes the cluster's authority, and proves this name if it is one.
    fn security(&self, name: &str, secret: &str) -> Security {
        let files = TlsFiles {
            certificate: None,
            key: None,
            authority: Some(self.path("ca.pem")),
            client_certificates: ClientCertificateUse::None,
        };
        let security = Tls::start(files, Plaintext::Refused).expect("an authority").security();
        let credential = Credential { principal: name.into(), secret: SecretText::new(secret) };
        if name.is_empty() { security } else { security.with_credential(&credential) }
    }
}

/// Only these may register frameworks, as `root`; `bob` sees nothing of others, and agents are let in as `cluster`.
fn acls(frameworks: &[&str]) -> String {
    let nobody = |object: &str| json!({ "principals": { "type": "ANY" }, object: { "type": "NONE" } });
    json!({
        "register_frameworks": [{ "principals": { "values": frameworks }, "roles": { "type": "ANY" } }, nobody("roles")],
        "register_agents": [{ "principals": { "values": ["cluster"] }, "agents": { "type": "ANY" } }, nobody("agents")],
        "access_sandboxes": [{ "principals": { "values": ["bob"] }, "users": { "type": "NONE" } }],
        "view_frameworks": [{ "principals": { "values": ["bob"] }, "users": { "type": "NONE" } }],
        "teardown_frameworks": [{ "principals": { "values": ["bob"] }, "framework_principals": { "type": "NONE" } }],
    })
    .to_string()
}

/// One who speaks to the cluster.
struct Person(Client);

impl Person {
    fn new(files: &Files, name: &str, secret: &str) -> Person {
        Person(Client::secured(Protocol::Http1, PATIENCE, files.security(name, secret)))
    }

    async fn send(&self, method: Method, authority: &str, path: &str, body: Option<&Value>) -> (StatusCode, String) {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        let uri = self.0.uri(authority, path).expect("a path");
        let body = body.map(ToString::to_string).unwrap_or_default();
        let response = self.0.request(method, &uri, headers, body.into()).await.expect("an answer");
        let status = response.status();
        (status, self.0.text(response, 1 << 24).await)
    }

    async fn get(&self, authority: &str, path: &str) -> (StatusCode, String) {
        self.send(Method::GET, authority, path, None).await
    }

    async fn register_as_agent(&self, master: &str) -> StatusCode {
        let register = link::Register { boot_id: "b".to_owned(), ..link::Register::default() };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, MediaType::Protobuf.header_value());
        let uri = self.0.uri(master, "/api/v1/agent").expect("a path");
        let body = encode_proto(&link::Call::register(register));
        self.0.post(&uri, headers, body.into()).await.expect("an answer").status()
    }

    async fn json(&self, authority: &str, path: &str) -> Value {
        serde_json::from_str(&self.get(authority, path).await.1).unwrap_or_default()
    }
}

fn framework(files: &Files, master: &str, name: &str, secret: &str) -> (Calls, Signals) {
    let info = FrameworkInfo { user: "root".to_owned(), name: format!("of {name}"), ..FrameworkInfo::default() };
    let security = files.security(name, secret);
    let masters: Detection = master.parse().expect("an address");
    connect(Config { security, ..Config::new(masters, info) })
}

/// A task of an executor that is started by an agent and asks it for work, over TLS and with a token.
async fn run_with_own_executor(calls: &Calls, signals: &mut Signals) {
    let program = Path::new(env!("CARGO_BIN_EXE_attica")).with_file_name("examples").join("executor");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--offline", "-p", "attica-core-api", "--example", "executor", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .status();
    assert!(built.expect("cargo runs").success());
    // An offer does not wait for a compiler.
    let offer = loop {
        if let Signal::Event(event) = next(signals).await
            && let Some(mut offers) = event.offers
        {
            break offers.offers.remove(0);
        }
    };
    let resources = |text| resources::parse(text, &Role::any()).expect("resources");
    let command = CommandInfo { value: Some(program.display().to_string()), ..CommandInfo::default() };
    let executor = ExecutorInfo {
        r#type: Some(ExecutorType::Custom),
        executor_id: ExecutorId::new("own"),
        command: Some(command),
        resources: resources("cpus:0.01;mem:32"),
        ..ExecutorInfo::default()
    };
    let task = TaskInfo {
        name: "t".to_owned(),
        task_id: TaskId::new("t"),
        agent_id: offer.agent_id.clone(),
        resources: resources("cpus:0.01;mem:32"),
        executor: Some(Box::new(executor)),
        data: Some("true".into()),
        ..TaskInfo::default()
    };
    let launch = OfferOperation {
        r#type: Some(OfferOperationType::Launch),
        launch: Some(LaunchOperation { task_infos: vec![task] }),
        ..OfferOperation::default()
    };
    calls.accept(vec![offer.id], vec![launch], None).await.expect("accepted");
    loop {
        if let Signal::Event(event) = next(signals).await
            && let Some(update) = event.update
        {
            let status = update.status;
            assert!(
                matches!(status.state, TaskState::Running | TaskState::Starting | TaskState::Finished),
                "{status:?}"
            );
            calls.acknowledge(&status).await.expect("acknowledged");
            if status.state == TaskState::Finished {
                return;
            }
        }
    }
}

async fn next(signals: &mut Signals) -> Signal {
    tokio::time::timeout(PATIENCE, signals.next()).await.expect("in time").expect("a signal")
}

async fn eventually(mut ask: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !ask().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("happens in time");
}

#[test]
fn a_secured_cluster_serves_those_who_may_and_nobody_else() {
    let files = Files::new();
    let options = files.options();
    let mut cluster = Cluster::start_with(&options.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(cluster.url().starts_with("https://"), "{}", cluster.url());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(use_it(&cluster, &files));
    let log = cluster.log();
    for secret in SECRETS {
        assert!(!log.contains(secret), "the log tells {secret}");
    }
    cluster.stop_up();
}

/// The client commands judge the service layer's certificate.
fn people_type(cluster: &Cluster, files: &Files) {
    let list = |ca_file: Option<PathBuf>| {
        let mut command = attica();
        command.args(["app", "list", "--addr", cluster.url()]).env("HOME", cluster.data_dir());
        if let Some(file) = ca_file {
            command.env("ATTICA_CA_FILE", file);
        }
        let output = command.output().expect("attica runs");
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (done, text) = list(Some(files.path("ca.pem")));
    assert!(done && text.contains("/web"), "{text}");
    let (done, text) = list(None);
    assert!(!done && text.contains("certificate"), "an unknown authority: {text}");
    let (done, text) = list(Some(files.path("acls")));
    assert!(!done && text.contains("no certificate"), "{text}");
}

/// What a program within a task writes, that somebody runs from the command line.
fn run_within(cluster: &Cluster, files: &Files, task: &str) -> String {
    let mut command = attica();
    command.args(["task", "exec", "--addr", cluster.url(), "--ca-file"]).arg(files.path("ca.pem"));
    let output = command.args([task, "echo", "within"]).output().expect("attica runs");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

async fn use_it(cluster: &Cluster, files: &Files) {
    let (master, paas) = (cluster.address("master"), cluster.address("paas"));
    let agent = format!("{}:{}", cluster.flag("agent-1", "--ip"), cluster.flag("agent-1", "--port"));
    let [ann, bob, wrong, nobody] = [("ann", "ann-hush"), ("bob", "bob-hush"), ("ann", "bob-hush"), ("", "")]
        .map(|(name, secret)| Person::new(files, name, secret));

    // Without TLS nobody is answered.
    for address in [&master, &agent, &paas] {
        assert_eq!(request("GET", &format!("http://{address}/health"), None).0, 0, "{address}");
    }
    // Nobody in particular learns no more than that somebody is there.
    for (address, path) in [(&master, "/state"), (&master, "/flags"), (&agent, "/state"), (&agent, "/containers")] {
        assert_eq!(nobody.get(address, path).await.0, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(wrong.get(address, path).await.0, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(ann.get(address, path).await.0, StatusCode::OK, "{path}");
        assert_eq!(nobody.get(address, "/health").await.0, StatusCode::OK);
    }

    // The service layer is a framework like any other: it got in, and deploys.
    let app = json!({ "id": "/web", "cmd": "echo served; sleep 1000", "instances": 3, "cpus": 0.01, "mem": 16,
        "constraints": [["hostname", "UNIQUE"]] });
    let (status, text) = nobody.send(Method::PUT, &paas, "/v2/apps//web", Some(&app)).await;
    assert_eq!(status, StatusCode::CREATED, "{text}");
    eventually(async || nobody.json(&paas, "/v2/apps//web").await["app"]["tasksRunning"] == 3).await;
    people_type(cluster, files);
    // It proves itself to agents as well.
    let tasks = nobody.json(&paas, "/v2/apps//web/tasks").await;
    let task = tasks["tasks"][0]["id"].as_str().expect("a task").to_owned();
    let log = format!("/v2/tasks/{task}/log?file=stdout&offset=0&length=100");
    eventually(async || nobody.get(&paas, &log).await.1.contains("served")).await;

    assert_eq!(run_within(cluster, files, &task), "within\n");

    let sandboxes = ann.json(&agent, "/files/debug").await;
    let sandbox = sandboxes.as_object().and_then(|paths| paths.keys().next()).expect("a sandbox");
    let file = format!("/files/read?path={sandbox}/stdout&offset=0&length=100");
    assert_eq!(ann.get(&agent, &file).await.0, StatusCode::OK);
    assert_eq!(bob.get(&agent, &file).await.0, StatusCode::FORBIDDEN);

    // Others register if the rules let them; what they may not see is left out.
    let (calls, mut signals) = framework(files, &master, "ann", "ann-hush");
    let Signal::Subscribed { framework_id, .. } = next(&mut signals).await else { panic!("not subscribed") };
    run_with_own_executor(&calls, &mut signals).await;
    for (name, secret, says) in
        [("ann", "wrong", "401 Unauthorized."), ("bob", "bob-hush", "Not authorized to register")]
    {
        match next(&mut framework(files, &master, name, secret).1).await {
            Signal::Refused { text } => assert!(text.contains(says), "{text}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(ann.get(&master, "/state").await.1.contains(framework_id.as_str()));
    assert!(!bob.get(&master, "/state").await.1.contains(framework_id.as_str()));
    let list = json!({ "type": "GET_FRAMEWORKS" });
    assert!(ann.send(Method::POST, &master, "/api/v1", Some(&list)).await.1.contains(framework_id.as_str()));
    let (status, seen) = bob.send(Method::POST, &master, "/api/v1", Some(&list)).await;
    assert_eq!((status, seen.contains(framework_id.as_str())), (StatusCode::OK, false), "{seen}");
    let teardown = json!({ "type": "TEARDOWN", "teardown": { "framework_id": { "value": framework_id.as_str() } } });
    assert_eq!(bob.send(Method::POST, &master, "/api/v1", Some(&teardown)).await.0, StatusCode::FORBIDDEN);

    // Rules change without a restart.
    files.write("acls", &acls(&["cluster", "bob"]));
    eventually(async || {
        matches!(next(&mut framework(files, &master, "bob", "bob-hush").1).await, Signal::Subscribed { .. })
    })
    .await;

    // They are the service layer's as well.
    let mut rules: Value = serde_json::from_str(&acls(&["cluster", "bob"])).expect("rules");
    let nobody_else = json!([{ "principals": { "type": "ANY" }, "users": { "type": "NONE" } }]);
    rules["launch_nested_container_sessions_under_parent_with_user"] = nobody_else;
    files.write("acls", &rules.to_string());
    eventually(async || run_within(cluster, files, &task).contains("(403)")).await;

    // Who proves nothing, or is nobody's agent, does not get in as one.
    for (person, expected) in [(&nobody, StatusCode::UNAUTHORIZED), (&ann, StatusCode::FORBIDDEN)] {
        assert_eq!(person.register_as_agent(&master).await, expected);
    }
    let agents = ann.json(&master, "/slaves").await;
    assert_eq!(agents["slaves"].as_array().map(Vec::len), Some(3), "{agents}");

    for path in ["/state", "/flags", "/metrics/snapshot", "/metrics", "/slaves", "/frameworks"] {
        let (status, text) = ann.get(&master, path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        for secret in SECRETS {
            assert!(!text.contains(secret), "{path} tells {secret}");
        }
    }
}
