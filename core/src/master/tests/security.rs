//! Who comes in, with what, and what they may do then: against a running master.

use std::path::PathBuf;

use attica_core_api::auth::{Claims, Credential, SecretText, TokenKey};
use attica_core_api::http::Security;
use attica_core_api::http::tls::{ClientCertificateUse, Plaintext, Tls, TlsFiles};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::harness::*;
use super::recordings::Stream;
use crate::master::routes::table::{ROUTES, Route};
use attica_core_api::client::{Config, Signal, connect};
use attica_core_api::http::{Client, MediaType, Protocol, ResponseBody};
use attica_core_api::link;
use attica_core_api::v1::AgentInfo;
use attica_core_api::{encode_proto, resources};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const CREDENTIALS: &str =
    r#"{"credentials":[{"principal":"ann","secret":"a-hush"},{"principal":"bob","secret":"b-hush"}]}"#;
const ALL: [&str; 4] = [
    "--authenticate-http-readonly",
    "--authenticate-http-readwrite",
    "--authenticate-http-frameworks",
    "--authenticate-agents",
];

/// Files that a master is given.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Files {
        let files = Files(tempfile::tempdir().unwrap());
        files.write("credentials", CREDENTIALS);
        files.write("key", KEY);
        files.write("acls", "{}");
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// The flags that name these files.
    fn flags(&self) -> Vec<String> {
        [("--credentials", "credentials"), ("--jwt-secret-key", "key"), ("--acls", "acls")]
            .iter()
            .flat_map(|(flag, name)| [(*flag).to_owned(), self.path(name).to_str().unwrap().to_owned()])
            .collect()
    }
}

async fn guarded(cluster: &Cluster, files: &Files, realms: &[&str]) -> TestMaster {
    let flags = files.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain(realms.iter().copied()).collect();
    cluster.master(&flags).await
}

fn basic(name: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{secret}")))
}

fn token(key: &str, claims: &[(&str, &str)]) -> String {
    let claims: Claims = claims.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    format!("Bearer {}", TokenKey::new(key.as_bytes()).unwrap().sign(&claims))
}

async fn send(
    master: &TestMaster,
    method: Method,
    path: &str,
    authorization: Option<&str>,
    body: Option<&str>,
) -> Response<ResponseBody> {
    let mut headers = HeaderMap::new();
    if let Some(value) = authorization {
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    if body.is_some() {
        headers.insert(header::CONTENT_TYPE, MediaType::Json.header_value());
    }
    let body = Bytes::from(body.unwrap_or_default().to_owned());
    soon(client().request(method, &master.uri(path), headers, body)).await.unwrap()
}

/// The realm of each path. Every route of the table has a row here, or the matrix fails.
const REALMS: &[(&str, Option<&str>)] = &[
    ("/api/v1/scheduler", Some("mesos-master-scheduler")),
    ("/api/v1/agent", Some("attica-master-agent")),
    ("/api/v1", Some("mesos-master-readwrite")),
    ("/state", Some("mesos-master-readonly")),
    ("/slaves", Some("mesos-master-readonly")),
    ("/frameworks", Some("mesos-master-readonly")),
    ("/tasks", Some("mesos-master-readonly")),
    ("/state-summary", Some("mesos-master-readonly")),
    ("/roles", Some("mesos-master-readonly")),
    ("/weights", Some("mesos-master-readwrite")),
    ("/quota", Some("mesos-master-readwrite")),
    ("/maintenance/schedule", Some("mesos-master-readwrite")),
    ("/maintenance/status", Some("mesos-master-readonly")),
    ("/machine/down", Some("mesos-master-readwrite")),
    ("/machine/up", Some("mesos-master-readwrite")),
    ("/logging/toggle", Some("mesos-master-readwrite")),
    ("/files/browse", Some("mesos-master-readonly")),
    ("/files/read", Some("mesos-master-readonly")),
    ("/files/download", Some("mesos-master-readonly")),
    ("/files/debug", Some("mesos-master-readonly")),
    ("/reserve", Some("mesos-master-readwrite")),
    ("/unreserve", Some("mesos-master-readwrite")),
    ("/create-volumes", Some("mesos-master-readwrite")),
    ("/destroy-volumes", Some("mesos-master-readwrite")),
    ("/teardown", Some("mesos-master-readwrite")),
    ("/flags", Some("mesos-master-readonly")),
    ("/metrics/snapshot", Some("mesos-master-readonly")),
    ("/metrics", Some("mesos-master-readonly")),
    ("/redirect", None),
    ("/version", None),
    ("/health", None),
    ("/system/stats", None),
    ("/help", None),
];

/// What somebody can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Nothing,
    WrongSecret,
    UnknownName,
    Garbage,
    ForeignToken,
    UnsignedToken,
    Password,
    Token,
    ClaimsAlone,
}

impl Shown {
    const ALL: [Shown; 9] = [
        Shown::Nothing,
        Shown::WrongSecret,
        Shown::UnknownName,
        Shown::Garbage,
        Shown::ForeignToken,
        Shown::UnsignedToken,
        Shown::Password,
        Shown::Token,
        Shown::ClaimsAlone,
    ];

    fn header(self) -> Option<String> {
        match self {
            Shown::Nothing => None,
            Shown::WrongSecret => Some(basic("ann", "b-hush")),
            Shown::UnknownName => Some(basic("eve", "a-hush")),
            Shown::Garbage => Some("Basic \t!!".to_owned()),
            Shown::ForeignToken => Some(token(&KEY.replace('0', "x"), &[("sub", "ann")])),
            Shown::UnsignedToken => Some("Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.".to_owned()),
            Shown::Password => Some(basic("ann", "a-hush")),
            Shown::Token => Some(token(KEY, &[("sub", "ann")])),
            Shown::ClaimsAlone => Some(token(KEY, &[("fid", "f"), ("cid", "c")])),
        }
    }

    fn is_proof(self) -> bool {
        matches!(self, Shown::Password | Shown::Token | Shown::ClaimsAlone)
    }
}

#[tokio::test]
async fn every_route_with_every_credential() {
    let (cluster, files) = (Cluster::start().await, Files::new());
    // Without rules about what the known may do: that is another matter.
    let flags = files.flags();
    let flags: Vec<&str> = flags[..4].iter().map(String::as_str).chain(ALL).collect();
    let master = cluster.master(&flags).await;
    for route in ROUTES {
        let path = route.pattern();
        let row = REALMS.iter().find(|(known, _)| *known == path);
        let (_, realm) = row.unwrap_or_else(|| panic!("{path} has no row in REALMS: who may use it?"));
        for shown in Shown::ALL {
            check(&master, route, &path, *realm, shown).await;
        }
    }
    assert_eq!(REALMS.len(), ROUTES.len(), "a row for a path that is not there any more");
    master.stop().await;
}

async fn check(master: &TestMaster, route: &Route, path: &str, realm: Option<&str>, shown: Shown) {
    let method = route.methods.first().cloned().unwrap_or(Method::GET);
    let response = send(master, method, path, shown.header().as_deref(), None).await;
    let (status, challenge) = (response.status(), response.headers().get(header::WWW_AUTHENTICATE).cloned());
    let text = client().text(response, 1 << 20).await;
    let about = format!("{path} {shown:?}: {status} {text}");
    match realm {
        Some(realm) if !shown.is_proof() => {
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{about}");
            let challenge = challenge.unwrap();
            let challenge = challenge.to_str().unwrap();
            assert!(challenge.starts_with(&format!("Basic realm=\"{realm}\",Bearer realm=\"{realm}\"")), "{challenge}");
            assert!(!text.contains("hush") && !challenge.contains("hush"), "{about}");
        }
        // Who acts needs a name.
        Some(realm)
            if shown == Shown::ClaimsAlone && (realm.ends_with("readwrite") || realm.ends_with("scheduler")) =>
        {
            assert_eq!(status, StatusCode::FORBIDDEN, "{about}");
        }
        Some(_) | None => {
            assert!(challenge.is_none(), "{about}");
            assert!(!matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN), "{about}");
        }
    }
}

fn config(master: &TestMaster, name: &str, secret: &str) -> Config {
    let credential = Credential { principal: name.into(), secret: SecretText::new(secret) };
    let security = Security::default().with_credential(&credential);
    Config { security, ..Config::new(vec![master.authority()], framework_info("secured")) }
}

#[tokio::test]
async fn a_framework_is_its_principal() {
    let (cluster, files) = (Cluster::start().await, Files::new());
    files.write(
        "acls",
        r#"{"register_frameworks":[{"principals":{"values":["bob"]},"roles":{"type":"NONE"}}],
            "teardown_frameworks":[{"principals":{"values":["bob"]},"framework_principals":{"type":"NONE"}}]}"#,
    );
    let master = guarded(&cluster, &files, &ALL).await;
    // A wrong secret is final.
    let (_, mut signals) = connect(config(&master, "ann", "wrong"));
    match soon(signals.next()).await {
        Some(Signal::Refused { text }) => assert!(text.contains("401 Unauthorized."), "{text}"),
        other => panic!("{other:?}"),
    }
    // So is a principal that may not have the role.
    let (_, mut signals) = connect(config(&master, "bob", "b-hush"));
    match soon(signals.next()).await {
        Some(Signal::Refused { text }) => assert!(text.starts_with("Not authorized to register framework"), "{text}"),
        other => panic!("{other:?}"),
    }
    // It is known by the name that it has proved.
    let (calls, mut signals) = connect(config(&master, "ann", "a-hush"));
    let Some(Signal::Subscribed { framework_id, .. }) = soon(signals.next()).await else { panic!("not subscribed") };
    let ann = basic("ann", "a-hush");
    let response = send(&master, Method::GET, "/frameworks", Some(&ann), None).await;
    let text = client().text(response, 1 << 20).await;
    assert!(text.contains(r#""principal":"ann""#), "{text}");
    files.write(
        "acls",
        r#"{"view_frameworks":[{"principals":{"values":["bob"]},"users":{"type":"NONE"}}],
        "register_frameworks":[{"principals":{"values":["bob"]},"roles":{"type":"NONE"}}],
        "teardown_frameworks":[{"principals":{"values":["bob"]},"framework_principals":{"type":"NONE"}}]}"#,
    );
    let listed = async |name: &str, secret: &str| {
        let response = send(&master, Method::GET, "/state", Some(&basic(name, secret)), None).await;
        client().text(response, 1 << 20).await.contains(framework_id.as_str())
    };
    eventually(async || (!listed("bob", "b-hush").await).then_some(())).await;
    assert!(listed("ann", "a-hush").await);
    // Another one may not speak for it, nor end it; a name that was not proved is not believed.
    let bob = basic("bob", "b-hush");
    let revive = format!(r#"{{"type":"REVIVE","framework_id":{{"value":"{framework_id}"}}}}"#);
    let response = send(&master, Method::POST, "/api/v1/scheduler", Some(&bob), Some(&revive)).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(
        client().text(response, 1 << 20).await,
        "Authenticated principal 'bob' does not match principal 'ann' set in `FrameworkInfo`"
    );
    let claimed = r#"{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n","principal":"ann"}}}"#;
    let response = send(&master, Method::POST, "/api/v1/scheduler", Some(&bob), Some(claimed)).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let teardown = format!(r#"{{"type":"TEARDOWN","teardown":{{"framework_id":{{"value":"{framework_id}"}}}}}}"#);
    let response = send(&master, Method::POST, "/api/v1", Some(&bob), Some(&teardown)).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    calls.revive(Vec::new()).await.unwrap();
    let response = send(&master, Method::POST, "/api/v1", Some(&ann), Some(&teardown)).await;
    assert_eq!(response.status(), StatusCode::OK);
    master.stop().await;
}

#[tokio::test]
async fn an_operators_name_is_on_what_he_reserves() {
    let (cluster, files) = (Cluster::start().await, Files::new());
    let master = guarded(&cluster, &files, &["--authenticate-http-readwrite"]).await;
    let agent = master.agent("cpus:4;mem:1024").await;
    let reserve = async |name: &str| {
        let reservation = format!(r#"{{"type":"DYNAMIC","role":"ops","principal":"{name}"}}"#);
        let cpus =
            format!(r#"{{"name":"cpus","type":"SCALAR","scalar":{{"value":1}},"reservations":[{reservation}]}}"#);
        let form = format!("slaveId={}&resources=[{cpus}]", agent.id);
        let response = send(&master, Method::POST, "/reserve", Some(&basic("ann", "a-hush")), Some(&form)).await;
        (response.status(), client().text(response, 1 << 20).await)
    };
    let (status, text) = reserve("bob").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("by principal 'ann', but there is a resource in the request with principal 'bob'"), "{text}");
    assert_eq!(reserve("ann").await, (StatusCode::ACCEPTED, String::new()));
    master.stop().await;
}

#[tokio::test]
async fn credentials_and_rules_change_without_a_restart() {
    let (cluster, files) = (Cluster::start().await, Files::new());
    let master = guarded(&cluster, &files, &["--authenticate-http-readonly"]).await;
    let status = async |path: &str, name: &str, secret: &str| {
        send(&master, Method::GET, path, Some(&basic(name, secret)), None).await.status()
    };
    assert_eq!(status("/flags", "ann", "a-hush").await, StatusCode::OK);
    files.write(
        "acls",
        r#"{"view_flags":[{"principals":{"values":["ann"]},"flags":{"type":"NONE"}}],
        "get_endpoints":[{"principals":{"values":["ann"]},"paths":{"values":["/metrics/snapshot"]}},
                         {"principals":{"type":"NONE"},"paths":{"type":"ANY"}}]}"#,
    );
    eventually(async || (status("/flags", "ann", "a-hush").await == StatusCode::FORBIDDEN).then_some(())).await;
    assert_eq!(status("/flags", "bob", "b-hush").await, StatusCode::OK);
    assert_eq!(status("/metrics/snapshot", "ann", "a-hush").await, StatusCode::OK);
    assert_eq!(status("/metrics/snapshot", "bob", "b-hush").await, StatusCode::FORBIDDEN);
    // Bad rules do not replace good ones, and a change of another file is seen nevertheless once they are good again.
    let refused = async || {
        let answer = send(&master, Method::GET, "/metrics/snapshot", Some(&basic("ann", "a-hush")), None).await;
        let metrics: serde_json::Value = serde_json::from_str(&client().text(answer, 1 << 20).await).unwrap();
        metrics["master/reloads_refused"].as_f64().unwrap()
    };
    files.write("acls", r#"{"view_flag":[]}"#);
    eventually(async || (refused().await >= 1.0).then_some(())).await;
    files.write("credentials", r#"{"credentials":[{"principal":"ann","secret":"new-hush"}]}"#);
    eventually(async || (refused().await >= 2.0).then_some(())).await;
    assert_eq!(status("/flags", "ann", "a-hush").await, StatusCode::FORBIDDEN);
    files.write("acls", "{}");
    eventually(async || (status("/flags", "ann", "new-hush").await == StatusCode::OK).then_some(())).await;
    assert_eq!(status("/flags", "ann", "a-hush").await, StatusCode::UNAUTHORIZED);
    master.stop().await;
}

#[tokio::test]
async fn what_cannot_be_used_ends_a_master_at_once() {
    let (cluster, files) = (Cluster::start().await, Files::new());
    files.write("bad", r#"{"credentials":[{"principal":"ann","secret":["hush"]}]}"#);
    let bad = files.path("bad");
    let cases: [(&[&str], &str); 4] = [
        (&["--authenticate-agents"], "nobody could prove anything in the realm `attica-master-agent`"),
        (&["--credentials", bad.to_str().unwrap()], "the credentials in"),
        (&["--acls", "{\"permissive\":1}"], "access control lists"),
        (&["--jwt-secret-key", "/nowhere"], "cannot read /nowhere"),
    ];
    for (flags, expected) in cases {
        let error = cluster.try_master(flags).await.unwrap_err();
        let shown =
            format!("{error:?} {}", std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default());
        assert!(shown.contains(expected), "{shown}");
        assert!(!shown.contains("hush"), "{shown}");
    }
}

/// Certificates of one authority for a master and an agent.
fn certificates(files: &Files) -> (TlsFiles, TlsFiles) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    files.write("ca.pem", &issuer.pem());
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned(), format!("{name}.cluster")];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        files.write(&format!("{name}.pem"), &certificate.pem());
        files.write(&format!("{name}.key"), &key.serialize_pem());
        TlsFiles {
            certificate: Some(files.path(&format!("{name}.pem"))),
            key: Some(files.path(&format!("{name}.key"))),
            authority: Some(files.path("ca.pem")),
            client_certificates: ClientCertificateUse::None,
        }
    };
    (issue("master"), issue("agent7"))
}

async fn register(authority: &str, security: Security) -> Result<StatusCode, String> {
    let client = Client::secured(Protocol::Http1, PATIENCE, security);
    let uri = client.uri(authority, "/api/v1/agent").unwrap();
    let agent_info = AgentInfo {
        hostname: "127.0.0.1".to_owned(),
        port: 5051,
        resources: resources::parse("cpus:1", &attica_allocator::Role::any()).unwrap(),
        ..AgentInfo::default()
    };
    let digest = link::TaskDigest::default().to_bytes();
    let register = link::Register { agent_info, boot_id: "b".to_owned(), task_digest: digest, ..Default::default() };
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, MediaType::Protobuf.header_value())]);
    let body = Bytes::from(encode_proto(&link::Call::register(register)));
    client.post(&uri, headers, body).await.map(|response| response.status()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn agents_come_in_with_a_certificate_a_password_or_a_token() {
    let (cluster, files) = (Cluster::start().await, Files::new());
    let (of_master, of_agent) = certificates(&files);
    files.write("acls", r#"{"register_agents":[{"principals":{"values":["bob"]},"agents":{"type":"NONE"}}]}"#);
    let path = |name: &str| files.path(name).to_str().unwrap().to_owned();
    let tls = [
        "--tls-cert-file".to_owned(),
        path("master.pem"),
        "--tls-key-file".to_owned(),
        path("master.key"),
        "--tls-ca-file".to_owned(),
        path("ca.pem"),
        "--tls-client-certs=optional".to_owned(),
        "--authenticate-agents".to_owned(),
    ];
    let tls: Vec<&str> = tls.iter().map(String::as_str).collect();
    let master = guarded(&cluster, &files, &tls).await;
    let authority = master.authority();
    let nameless = Tls::start(TlsFiles { certificate: None, key: None, ..of_master }, Plaintext::Refused).unwrap();
    let named = Tls::start(of_agent, Plaintext::Refused).unwrap();
    let with = |name: &str, secret: &str| {
        let credential = Credential { principal: name.into(), secret: SecretText::new(secret) };
        nameless.security().with_credential(&credential)
    };
    files.write("token", token(KEY, &[("sub", "agent9")]).strip_prefix("Bearer ").unwrap());
    let by_token = nameless.security().with_credential_file(&files.path("token")).unwrap();
    let cases = [
        (nameless.security(), StatusCode::UNAUTHORIZED),
        (with("ann", "wrong"), StatusCode::UNAUTHORIZED),
        (with("ann", "a-hush"), StatusCode::OK),
        (with("bob", "b-hush"), StatusCode::FORBIDDEN),
        (by_token, StatusCode::OK),
        (named.security(), StatusCode::OK),
    ];
    for (index, (security, expected)) in cases.into_iter().enumerate() {
        assert_eq!(soon(register(&authority, security)).await, Ok(expected), "case {index}");
    }
    assert!(soon(register(&authority, Security::default())).await.is_err(), "not without TLS");
    master.stop().await;
}

#[tokio::test]
async fn operators_are_shown_what_they_may_see() {
    let (cluster, files) = (Cluster::start().await, Files::new());
    let hidden = |object: &str| format!(r#"[{{"principals":{{"values":["bob"]}},"{object}":{{"type":"NONE"}}}}]"#);
    let (users, roles) = (hidden("users"), hidden("roles"));
    files.write("acls", &format!(r#"{{"view_frameworks":{users},"view_roles":{roles},"get_quotas":{roles}}}"#));
    let master = guarded(&cluster, &files, &["--authenticate-http-readwrite"]).await;
    let call = async |name: &str, secret: &str, body: &str| {
        let response = send(&master, Method::POST, "/api/v1", Some(&basic(name, secret)), Some(body)).await;
        (response.status(), client().text(response, 1 << 20).await)
    };
    let weigh = r#"{"type":"UPDATE_WEIGHTS","update_weights":{"weight_infos":[{"role":"weighed","weight":2.0}]}}"#;
    assert_eq!(call("ann", "a-hush", weigh).await.0, StatusCode::OK);
    let limit = r#"{"type":"UPDATE_QUOTA","update_quota":{"quota_configs":[{"role":"limited","limits":{"cpus":{"value":9}}}]}}"#;
    assert_eq!(call("ann", "a-hush", limit).await.0, StatusCode::OK);
    let agent = master.agent("cpus:8;mem:1000;disk:100;ports:[31000-31010]").await;
    let mut framework = master.framework("seen").await;
    let offer = framework.offer().await;
    framework.launch(&offer, &["t1"]).await;
    let id = framework.id.to_string();
    let lists = [
        ("GET_STATE", id.as_str()),
        ("GET_FRAMEWORKS", &id),
        ("GET_TASKS", &id),
        ("GET_ROLES", "weighed"),
        ("GET_WEIGHTS", "weighed"),
        ("GET_QUOTA", "limited"),
    ];
    for (kind, shown) in lists {
        let body = format!(r#"{{"type":"{kind}"}}"#);
        let (status, text) = call("ann", "a-hush", &body).await;
        assert!(status == StatusCode::OK && text.contains(shown), "{kind}: {status} {text}");
        let (status, text) = call("bob", "b-hush", &body).await;
        assert!(status == StatusCode::OK && text.contains(kind) && !text.contains(shown), "{kind}: {status} {text}");
    }
    for (path, shown) in [("/weights", "weighed"), ("/quota", "limited")] {
        for (name, secret, sees) in [("ann", "a-hush", true), ("bob", "b-hush", false)] {
            let response = send(&master, Method::GET, path, Some(&basic(name, secret)), None).await;
            assert_eq!(response.status(), StatusCode::OK, "{path} {name}");
            assert_eq!(client().text(response, 1 << 20).await.contains(shown), sees, "{path} {name}");
        }
    }
    // Who watches hears only of what he may see.
    let watch = async |name: &str, secret: &str| {
        let body = Some(r#"{"type":"SUBSCRIBE"}"#);
        let mut stream = Stream::new(send(&master, Method::POST, "/api/v1", Some(&basic(name, secret)), body).await);
        let subscribed = stream.next().await.unwrap();
        assert!(stream.next().await.unwrap().contains("HEARTBEAT"));
        (subscribed.contains(&id), stream)
    };
    let ((ann_sees, mut ann), (bob_sees, mut bob)) = (watch("ann", "a-hush").await, watch("bob", "b-hush").await);
    assert!(ann_sees && !bob_sees);
    soon(framework.calls.revive(Vec::new())).await.unwrap();
    let offer = framework.offer().await;
    framework.launch(&offer, &["t2"]).await;
    assert!(ann.next().await.unwrap().contains("TASK_ADDED"));
    let _another = master.agent("cpus:1").await;
    assert!(bob.next().await.unwrap().contains("AGENT_ADDED"), "the task was not for bob");
    // Other rules end every stream; by these bob may see all.
    files.write("acls", "{}");
    while bob.next().await.is_some() {}
    assert!(watch("bob", "b-hush").await.0);
    drop(agent);
    master.stop().await;
}

#[tokio::test]
async fn what_an_operator_reserves_is_his() {
    let (cluster, files) = (Cluster::start().await, Files::new());
    files.write(
        "acls",
        r#"{"reserve_resources":[{"principals":{"values":["bob"]},"roles":{"values":["a/%"]}},
            {"principals":{"values":["bob"]},"roles":{"type":"NONE"}}]}"#,
    );
    let master = guarded(&cluster, &files, &["--authenticate-http-readwrite"]).await;
    let agent = master.agent("cpus:8;mem:1000;disk:100;ports:[31000-31010]").await;
    let cases = [
        ("ann", "a-hush", "x", Some("ann"), StatusCode::ACCEPTED),
        ("ann", "a-hush", "x", Some("bob"), StatusCode::BAD_REQUEST),
        ("ann", "a-hush", "x", None, StatusCode::BAD_REQUEST),
        ("bob", "b-hush", "x", Some("bob"), StatusCode::FORBIDDEN),
        ("bob", "b-hush", "a/b", Some("bob"), StatusCode::ACCEPTED),
    ];
    for (name, secret, role, principal, expected) in cases {
        let principal = principal.map_or_else(String::new, |name| format!(r#","principal":"{name}""#));
        let resource = format!(
            r#"{{"name":"cpus","type":"SCALAR","scalar":{{"value":1}},
                "reservations":[{{"type":"DYNAMIC","role":"{role}"{principal}}}]}}"#
        );
        let body = format!(
            r#"{{"type":"RESERVE_RESOURCES","reserve_resources":{{"agent_id":{{"value":"{}"}},"resources":[{resource}]}}}}"#,
            agent.id
        );
        let response = send(&master, Method::POST, "/api/v1", Some(&basic(name, secret)), Some(&body)).await;
        let status = response.status();
        assert_eq!(status, expected, "{body}: {}", client().text(response, 1 << 20).await);
    }
    master.stop().await;
}
