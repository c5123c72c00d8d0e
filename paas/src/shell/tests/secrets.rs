//! Secrets over HTTP: kept sealed, used by name, shown nowhere.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use attica_core_api::secrets::SealingKey;
use attica_paas_api::operations::OPERATIONS;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::rest::NO_MASTER;
use super::site::{Database, Events, Site, until};
use crate::shell::{Error, LeaderError};

const VALUE: &str = "correct-horse-battery-staple";
const OTHER: &str = "another-horse-battery-staple";

fn key(database: &Database, name: &str) -> PathBuf {
    let path = database.directory.path().join(name);
    SealingKey::make_file(&path).unwrap();
    path
}

async fn start(database: &Database, key: &std::path::Path) -> Site {
    Site::start_with(database, NO_MASTER, &["--secrets-key-file", key.to_str().unwrap()]).await
}

async fn set(site: &Site, path: &str, value: &str) -> StatusCode {
    let answer = site.ask(Method::PUT, &format!("/v2/secrets{path}"), &json!({"value": value}).to_string()).await;
    assert!(!answer.text.contains(value), "{}", answer.text);
    answer.status
}

fn app(id: &str, source: &str) -> Value {
    json!({"id": id, "cmd": "true", "env": {"PASSWORD": {"secret": "password"}, "MODE": "fast"},
        "container": {"type": "MESOS", "volumes": [{"containerPath": "etc/password", "secret": "password"}],
            "docker": {"image": "shop/web", "pullConfig": {"secret": "login"}}},
        "secrets": {"password": {"source": source}, "login": {"source": "/login"}}})
}

fn pod(id: &str) -> Value {
    json!({"id": id, "environment": {"PASSWORD": {"secret": "password"}}, "secrets": {"password": {"source": "db/password"}},
        "volumes": [{"name": "file", "secret": "password"}],
        "containers": [{"name": "c", "exec": {"command": {"shell": "true"}}, "resources": {"cpus": 0.1, "mem": 32},
            "environment": {"OWN": {"secret": "password"}}, "volumeMounts": [{"name": "file", "mountPath": "etc/file"}],
            "image": {"kind": "DOCKER", "id": "shop/web", "pullConfig": {"secret": "password"}}}]})
}

/// Every way in which a value could be written.
fn spellings(value: &str) -> [String; 4] {
    let hexadecimal: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    [value.to_owned(), STANDARD.encode(value), hexadecimal.to_uppercase(), hexadecimal]
}

fn assert_hidden(what: &str, text: &str) {
    for spelling in [VALUE, OTHER].into_iter().flat_map(spellings) {
        assert!(!text.contains(&spelling), "{what} shows {spelling}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_set_used_changed_and_removed() {
    let database = Database::start().await;
    let site = start(&database, &key(&database, "key")).await;
    assert_eq!(site.get("/v2/secrets").await, json!({"secrets": []}));
    assert!(site.get("/v2/info").await["marathon_config"]["features"].as_array().unwrap().contains(&json!("secrets")));

    let refused = site.post("/v2/apps", app("/web", "/db/password")).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    let paths: Vec<Value> =
        refused.json()["details"].as_array().unwrap().iter().map(|fault| fault["path"].clone()).collect();
    assert_eq!(paths, ["/secrets/login/source", "/secrets/password/source"], "{}", refused.text);

    assert_eq!(set(&site, "/db/password", VALUE).await, StatusCode::CREATED);
    assert_eq!(set(&site, "/login", OTHER).await, StatusCode::CREATED);
    let created = site.post("/v2/apps", app("/web", "db/password")).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    let created = site.post("/v2/pods", pod("/pod")).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    let read = site.get("/v2/apps/web").await["app"].take();
    let written = app("/web", "db/password");
    for (place, expected) in [
        ("/env", &written["env"]),
        ("/secrets", &written["secrets"]),
        ("/container/volumes", &written["container"]["volumes"]),
        ("/container/docker/pullConfig", &json!({"secret": "login"})),
    ] {
        assert_eq!(read.pointer(place).unwrap(), expected, "{place}");
    }
    let put_back = site.ask(Method::PUT, "/v2/apps/web", &read.to_string()).await;
    assert_eq!(put_back.status, StatusCode::OK, "{}", put_back.text);
    let read = site.get("/v2/pods/pod").await;
    for place in ["/environment", "/secrets", "/volumes", "/containers/0/environment", "/containers/0/image/pullConfig"]
    {
        assert_eq!(read.pointer(place), pod("/pod").pointer(place), "{place}");
    }

    let shown = site.ask(Method::GET, "/v2/secrets/db/password", "").await;
    let first = shown.json()["version"].as_str().unwrap().to_owned();
    assert_eq!(shown.json(), json!({"path": "/db/password", "version": first, "apps": ["/web"], "pods": ["/pod"]}));
    assert!(shown.header("etag").starts_with(&format!("\"{first}")), "{:?}", shown.headers);
    let before = site.get("/v2/apps/web/versions").await;
    assert_eq!(set(&site, "/db/password", OTHER).await, StatusCode::OK);
    let changed = site.get("/v2/secrets/db/password").await["version"].as_str().unwrap().to_owned();
    assert!(changed > first, "{changed} after {first}");
    assert_eq!(site.get("/v2/apps/web/versions").await, before, "no app has a new version for that");
    let tag = format!("\"{first}\"");
    let stale = [("if-match", tag.as_str())];
    let refused = site.ask_with(Method::PUT, "/v2/secrets/db/password", &stale, r#"{"value": "x"}"#).await;
    assert_eq!(refused.status, StatusCode::PRECONDITION_FAILED, "{}", refused.text);

    let used = site.ask(Method::DELETE, "/v2/secrets/db/password", "").await;
    assert_eq!(used.status, StatusCode::CONFLICT);
    assert!(used.text.contains("/pod") && used.text.contains("/web"), "{}", used.text);
    for (method, path, body, status) in [
        (Method::DELETE, "/v2/secrets/none", "", StatusCode::NOT_FOUND),
        (Method::GET, "/v2/secrets/none", "", StatusCode::NOT_FOUND),
        (Method::GET, "/v2/secrets/a%20b", "", StatusCode::NOT_FOUND),
        (Method::PUT, "/v2/secrets/a%20b", r#"{"value": "x"}"#, StatusCode::UNPROCESSABLE_ENTITY),
        (Method::PUT, "/v2/secrets/a", r#"{"value": 1}"#, StatusCode::UNPROCESSABLE_ENTITY),
        (Method::POST, "/v2/secrets/a", "{}", StatusCode::METHOD_NOT_ALLOWED),
        (Method::PUT, "/v2/secrets", "{}", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let answer = site.ask(method.clone(), path, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
    }
    assert_eq!(set(&site, "/unused", "x-marks-the-spot").await, StatusCode::CREATED);
    assert_eq!(site.ask(Method::DELETE, "/v2/secrets/unused", "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(site.get("/v2/secrets").await["secrets"].as_array().unwrap().len(), 2);
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_no_event_and_no_row_shows_a_value() {
    let database = Database::start().await;
    let site = start(&database, &key(&database, "key")).await;
    let mut events = Events::open(&site, "", &[]).await;
    for (path, value) in [("/db/password", VALUE), ("/db/password", OTHER), ("/login", VALUE)] {
        assert!(set(&site, path, value).await.is_success());
    }
    for body in [json!({"value": VALUE, "data": VALUE}), json!({"value": {VALUE: 1}}), json!([VALUE])] {
        let refused = site.ask(Method::PUT, "/v2/secrets/x", &body.to_string()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_hidden("a refusal", &refused.text);
    }
    assert_eq!(site.post("/v2/apps", app("/web", "/db/password")).await.status, StatusCode::CREATED);
    assert_eq!(site.post("/v2/pods", pod("/pod")).await.status, StatusCode::CREATED);
    for frame in events.until("deployment_info").await {
        assert_hidden("an event", &format!("{frame:?}"));
    }
    for operation in OPERATIONS.iter().filter(|operation| operation.method == "GET" && operation.path != "/v2/events") {
        let path = operation.path.replace("{app}", "web").replace("{pod}", "pod").replace("{secret}", "login");
        let answer = site.ask(Method::GET, &path.replace(['{', '}'], ""), "").await;
        assert_hidden(&path, &format!("{:?} {}", answer.headers, answer.text));
    }
    let pool = database.postgres.database().pool("test", 1);
    let tables: Vec<String> =
        sqlx::query_scalar("select table_name::text from information_schema.tables where table_schema = 'public'")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert!(tables.iter().any(|table| table == "paas_secret"), "{tables:?}");
    let mut kept = 0;
    for table in tables {
        let query = format!("select coalesce(string_agg(t::text, ' '), '') from {table} as t");
        let rows: String = sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(&pool).await.unwrap();
        kept += rows.matches("/db/password").count();
        assert_hidden(&table, &rows);
        // The journal has its facts as bytes.
        let bytes: Vec<u8> = rows.split("\\\\x").skip(1).flat_map(decoded).collect();
        assert_hidden(&table, &String::from_utf8_lossy(&bytes));
    }
    assert!(kept > 0, "the path is there, so that what was looked at is what is kept");
    site.stop().await.unwrap();
}

/// Bytes as Postgres writes them.
fn decoded(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().take_while(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks_exact(2).map(byte).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_key_is_told_at_the_start() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    for (method, path) in
        [(Method::GET, "/v2/secrets"), (Method::PUT, "/v2/secrets/a"), (Method::DELETE, "/v2/secrets/a")]
    {
        let answer = site.ask(method, path, r#"{"value": "x"}"#).await;
        assert_eq!(answer.status, StatusCode::NOT_IMPLEMENTED);
        assert!(answer.text.contains("--secrets-key-file"), "{}", answer.text);
    }
    let refused = site.post("/v2/apps", app("/web", "/db/password")).await;
    assert_eq!(refused.json()["details"][0]["path"], "/secrets", "{}", refused.text);
    assert!(refused.text.contains("--secrets-key-file"), "{}", refused.text);
    site.stop().await.unwrap();

    let site = start(&database, &key(&database, "key")).await;
    assert_eq!(set(&site, "/db/password", VALUE).await, StatusCode::CREATED);
    site.stop().await.unwrap();
    let ended = async |path: PathBuf| {
        let options = ["--secrets-key-file", path.to_str().unwrap()];
        Site::start_to_end(&database, NO_MASTER, &options).await.unwrap_err()
    };
    let other = ended(key(&database, "other")).await;
    match &other {
        Error::Leader(LeaderError::SecretsKey { path, .. }) => assert_eq!(path.as_str(), "/db/password"),
        wrong => panic!("{wrong:?}"),
    }
    let short = database.directory.path().join("short");
    std::fs::write(&short, "short").unwrap();
    std::fs::set_permissions(&short, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(ended(short).await, Error::SecretsKey(_)));
    // What was kept is still there for who has the key.
    let site = start(&database, &key(&database, "key")).await;
    // Those who could not go on have not handed the lead over: it is waited for.
    let listed = until("the lead", async || {
        let answer = site.ask(Method::GET, "/v2/secrets", "").await;
        (answer.status == StatusCode::OK).then(|| answer.json())
    });
    assert_eq!(listed.await["secrets"][0]["path"], "/db/password");
    site.stop().await.unwrap();
}
