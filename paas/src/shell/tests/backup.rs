//! Backups, and what becomes of what was done after one.

use std::io::Read;
use std::path::PathBuf;

use attica_core_api::secrets::SealingKey;
use attica_core_store::Position;
use flate2::read::GzDecoder;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::Row;

use super::access;
use super::rest::NO_MASTER;
use super::site::{Database, Events, Site, until};
use crate::Error;
use crate::backup::{BackupError, RecoverArgs, recover};

/// Asks for something of the leader that makes it step down, and gives back its successor.
async fn step_down(site: Site, database: &Database, query: &str, options: &[&str]) -> Site {
    let asked = site.ask(Method::DELETE, &format!("/v2/leader{query}"), "").await;
    assert_eq!(
        (asked.status, asked.json()),
        (StatusCode::OK, json!({"message": "Leadership abdicated"})),
        "{}",
        asked.text
    );
    assert!(matches!(site.role.await.unwrap(), Err(Error::Abdicated)));
    Site::start_with(database, NO_MASTER, options).await
}

/// What a backup holds, as text.
fn content(backup: &[u8]) -> String {
    let compressed = backup.strip_prefix(b"attica-backup 2\n").expect("it says what it is");
    let mut content = String::new();
    GzDecoder::new(compressed).read_to_string(&mut content).unwrap();
    content
}

/// What is defined, without what a new version brings with it.
async fn definitions(site: &Site) -> Value {
    fn steady(value: &mut Value) {
        match value {
            Value::Object(members) => {
                for changing in [
                    "version",
                    "versionInfo",
                    "deployments",
                    "tasks",
                    "tasksStaged",
                    "lastUpdated",
                    "lastChanged",
                    "statusSince",
                    "status",
                ] {
                    members.remove(changing);
                }
                // Those of a pod.
                members.retain(|name, member| name != "instances" || !member.is_array());
                members.values_mut().for_each(steady);
            }
            Value::Array(items) => items.iter_mut().for_each(steady),
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut root = site.get("/v2/groups").await;
    steady(&mut root);
    root
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_brings_back_what_was_defined_then_and_what_is_newer_stays_unless_its_end_is_asked_for() {
    let database = Database::start().await;
    let directory = database.directory.path().join("backups");
    std::fs::create_dir(&directory).unwrap();
    let key = database.directory.path().join("key");
    SealingKey::make_file(&key).unwrap();
    let (directory, key) = (directory.to_str().unwrap(), key.to_str().unwrap());
    let options = ["--backup-directory", directory, "--secrets-key-file", key];
    let site = Site::start_with(&database, NO_MASTER, &options).await;
    for (path, value) in [("/gone", "hunter2"), ("/changed", "hunter3")] {
        let kept = site.ask(Method::PUT, &format!("/v2/secrets{path}"), &json!({"value": value}).to_string()).await;
        assert_eq!(kept.status, StatusCode::CREATED);
    }
    let shop = json!({"id": "/shop", "enforceRole": false, "apps": [{"id": "db", "cmd": "one", "env": {"A": {"secret": "a"}},
            "secrets": {"a": {"source": "/gone"}}}],
        "groups": [{"id": "front", "dependencies": ["/shop/db"], "apps": [{"id": "web", "cmd": "one", "instances": 2}]}, {"id": "empty"}]});
    assert_eq!(site.ask(Method::PUT, "/v2/groups/shop", &shop.to_string()).await.status, StatusCode::OK);
    let pod = json!({"id": "/shop/pod", "containers": [{"name": "a", "exec": {"command": {"shell": "one"}}, "resources": {"cpus": 0.1, "mem": 32}}]});
    assert_eq!(site.post("/v2/pods", pod).await.status, StatusCode::CREATED);
    let before = definitions(&site).await;
    let site = step_down(site, &database, &format!("?backup=file://{directory}/one"), &options).await;
    assert_eq!(definitions(&site).await, before, "a backup changes nothing");
    // The same comes with an answer, and shows no secret.
    let streamed = site.ask(Method::GET, "/v2/backup", "").await;
    assert_eq!(streamed.header("content-type"), "application/octet-stream");
    let content = content(&streamed.bytes);
    assert!(content.contains("\n/changed\t") && content.ends_with("\n\\.\n") && !content.contains("hunter"));

    for (method, path, body) in [
        (Method::DELETE, "/v2/apps/shop/db?force=true", ""),
        (Method::DELETE, "/v2/groups/shop/empty?force=true", ""),
        (Method::DELETE, "/v2/pods/shop/pod?force=true", ""),
        (Method::PUT, "/v2/apps/shop/front/web?force=true", r#"{"cmd":"two","instances":1}"#),
        (Method::PUT, "/v2/groups/shop/front?force=true", r#"{"dependencies":[]}"#),
        (Method::POST, "/v2/apps", r#"{"id":"/later/app","cmd":"two","portDefinitions":[]}"#),
        // They take no port that another one had; and this one was a pod before.
        (Method::POST, "/v2/apps", r#"{"id":"/shop/pod","cmd":"two","portDefinitions":[]}"#),
        (Method::PUT, "/v2/secrets/changed", r#"{"value":"hunter4"}"#),
    ] {
        let answer = site.ask(method, path, body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
    }
    until("the secret to be in nobody's hands", async || {
        let answer = site.ask(Method::DELETE, "/v2/secrets/gone", "").await;
        (answer.status == StatusCode::NO_CONTENT).then_some(())
    })
    .await;
    let changed = site.get("/v2/secrets/changed").await["version"].clone();

    let restored = site.ask(Method::POST, "/v2/backup?force=true", &streamed.bytes).await;
    assert_eq!(restored.status, StatusCode::OK, "{}", restored.text);
    assert_eq!(restored.header("marathon-deployment-id"), restored.json()["deploymentId"]);
    let mut now = definitions(&site).await;
    let groups = now["groups"].as_array_mut().unwrap();
    let later = groups.iter().position(|group| group["id"] == "/later").expect("what is newer stays");
    groups.remove(later);
    assert_eq!(now, before);
    assert_eq!(site.get("/v2/secrets/gone").await["apps"], json!(["/shop/db"]));
    assert_eq!(site.get("/v2/secrets/changed").await["version"], changed, "what has another value keeps it");

    let restore = format!("?restore=file://{directory}/one&force=true&prune=true");
    let planned = site.ask(Method::DELETE, &format!("/v2/leader{restore}&dryRun=true"), "").await;
    assert_eq!(
        planned.json()["changes"],
        json!([
            {"group": "/later", "change": "remove", "differences": []},
            {"app": "/later/app", "change": "remove", "differences": []},
        ]),
        "{}",
        planned.text
    );
    let site = step_down(site, &database, &restore, &options).await;
    assert_eq!(definitions(&site).await, before);
    assert_eq!(site.ask(Method::GET, "/v2/groups/later", "").await.status, StatusCode::NOT_FOUND);
    // It is a version like any other.
    let versions = site.get("/v2/groups/versions").await;
    let back = json!({"version": versions[1]}).to_string();
    assert_eq!(site.ask(Method::PUT, "/v2/groups?force=true", &back).await.status, StatusCode::OK);
    assert_eq!(site.get("/v2/apps/later/app").await["app"]["cmd"], "two");
    site.stop().await.unwrap();

    // Where another key is, nothing of it is of use.
    let other = database.directory.path().join("other");
    SealingKey::make_file(&other).unwrap();
    let elsewhere = Database::start().await;
    for (options, says) in
        [(&["--secrets-key-file", other.to_str().unwrap()][..], "does not open"), (&[][..], "--secrets-key-file")]
    {
        let site = Site::start_with(&elsewhere, NO_MASTER, options).await;
        let refused = site.ask(Method::POST, "/v2/backup", &streamed.bytes).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.text.contains(says) && refused.text.contains("secret"), "{}", refused.text);
        assert_eq!(site.get("/v2/apps").await, json!({"apps": []}));
        site.stop().await.unwrap();
    }
    // With the same, all of it.
    let site = Site::start_with(&elsewhere, NO_MASTER, &["--secrets-key-file", key]).await;
    assert_eq!(site.ask(Method::POST, "/v2/backup", &streamed.bytes).await.status, StatusCode::OK);
    assert_eq!(definitions(&site).await, before);
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_backed_up_or_restored_is_told_and_the_leader_stays() {
    let database = Database::start().await;
    let directory = database.directory.path().to_str().unwrap().to_owned();
    let site = Site::start(&database, NO_MASTER).await;
    let refused = async |site: &Site, query: &str, path: &str, says: &str| {
        let answer = site.ask(Method::DELETE, &format!("/v2/leader?{query}"), "").await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}: {}", answer.text);
        let detail = &answer.json()["details"][0];
        assert!(
            detail["path"] == path && detail["errors"][0].as_str().unwrap().contains(says),
            "{query}: {}",
            answer.text
        );
    };
    refused(&site, &format!("backup=file://{directory}/one"), "/backup", "--backup-directory").await;
    site.stop().await.unwrap();
    let site = Site::start_with(&database, NO_MASTER, &["--backup-directory", &directory]).await;
    assert_eq!(site.ask(Method::POST, "/v2/apps", r#"{"id":"/web","cmd":"one"}"#).await.status, StatusCode::CREATED);
    let whole = site.ask(Method::GET, "/v2/backup", "").await.bytes;
    assert_eq!(site.ask(Method::DELETE, "/v2/apps/web", "").await.status, StatusCode::OK);
    std::fs::write(format!("{directory}/foreign"), "PK").unwrap();
    std::fs::write(format!("{directory}/torn"), "attica-backup 2\n{").unwrap();
    std::fs::write(format!("{directory}/newer"), "attica-backup 3 100 00\n{").unwrap();
    for (query, path, says) in [
        ("backup=s3://bucket/one".to_owned(), "/backup", "s3://"),
        ("restore=file:///etc/passwd".to_owned(), "/restore", "directly in"),
        (format!("restore=file://{directory}/missing"), "/restore", "cannot read"),
        (format!("restore=file://{directory}/foreign"), "/restore", "is not a backup"),
        (format!("restore=file://{directory}/torn"), "/restore", "checksum"),
        (format!("restore=file://{directory}/newer"), "/restore", "format 3"),
        (format!("backup=file://{directory}/postgres"), "/backup", "cannot write"),
    ] {
        refused(&site, &query, path, says).await;
    }
    for torn in [&whole[..whole.len() - 1], b"", b"{}", &whole[1..]] {
        let answer = site.ask(Method::POST, "/v2/backup", torn).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text);
    }
    // Other bodies may not be as large.
    let large = [whole.as_ref(), &vec![0; 40 << 20]].concat();
    let standby = Site::start(&database, NO_MASTER).await;
    for asked in [&site, &standby] {
        let answer = asked.ask(Method::POST, "/v2/backup", &large).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text);
        assert!(answer.text.contains("checksum"), "{}", answer.text);
    }
    let through_standby = standby.ask(Method::POST, "/v2/backup?dryRun=true", &whole).await;
    assert_eq!(through_standby.status, StatusCode::OK, "{}", through_standby.text);
    standby.stop().await.unwrap();
    assert_eq!(site.get("/v2/apps").await["apps"], json!([]));
    until("the same leader", async || (site.get("/v2/leader").await["leader"] == site.address).then_some(())).await;
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn users_and_callbacks_that_are_gone_come_back_from_a_backup_and_others_stay_as_they_are() {
    let database = Database::start().await;
    let site = access::start(&database).await;
    let root = access::root(&site);
    let ann = access::user(&site, "ann", json!([{"path": "/shop", "permissions": ["view", "create"]}])).await;
    let bob = access::user(&site, "bob", json!([{"path": "/shop", "permissions": ["view"]}])).await;
    let callback = |name: &str| format!("/v2/eventSubscriptions?callbackUrl=http://127.0.0.1:9/{name}");
    for name in ["gone", "kept"] {
        assert_eq!(root.does(Method::POST, &callback(name), Value::Null).await, 200);
    }
    assert_eq!(ann.does(Method::POST, "/v2/apps", access::app("/shop/web")).await, 201);
    access::settle(&site).await;
    let before = root.get("/v2/users").await;
    let backup = root.ask(Method::GET, "/v2/backup", Value::Null).await.bytes;
    let restore = async |query: &str| {
        let proof = [("authorization", root.proof.as_str())];
        site.ask_with(Method::POST, &format!("/v2/backup?force=true{query}"), &proof, &backup).await
    };

    assert_eq!(root.does(Method::DELETE, "/v2/users/ann", Value::Null).await, 204);
    assert_eq!(root.does(Method::DELETE, &callback("gone"), Value::Null).await, 200);
    let fewer = json!({"grants": [{"path": "/later", "permissions": ["view"]}]});
    assert_eq!(root.does(Method::PUT, "/v2/users/bob", fewer).await, 200);
    assert_eq!(ann.does(Method::GET, "/v2/apps", Value::Null).await, 401);
    for (asked, signed_in) in [("&dryRun=true", 401), ("", 200)] {
        let answer = restore(asked).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        if !asked.is_empty() {
            let changes = answer.json()["changes"].clone();
            assert_eq!((&changes[0]["user"], &changes[0]["change"]), (&json!("ann"), &json!("create")), "{changes}");
            let regained = json!({"callback": "http://127.0.0.1:9/gone", "change": "create", "differences": []});
            assert_eq!((changes.as_array().unwrap().len(), &changes[1]), (2, &regained));
        }
        assert_eq!(ann.does(Method::GET, "/v2/apps", Value::Null).await, signed_in, "{asked}");
    }
    let named = |users: &Value, name: &str| -> Value {
        users["users"].as_array().unwrap().iter().find(|user| user["name"] == name).unwrap().clone()
    };
    let now = root.get("/v2/users").await;
    assert_eq!(named(&now, "ann"), named(&before, "ann"));
    assert_ne!(named(&now, "bob"), named(&before, "bob"), "who is there stays as he is by now");
    assert_eq!(ann.ids().await, ["/shop/web"]);
    assert!(bob.ids().await.is_empty());
    let urls = root.get("/v2/eventSubscriptions").await["callbackUrls"].clone();
    assert_eq!(urls, json!(["http://127.0.0.1:9/gone", "http://127.0.0.1:9/kept"]));
    // Nobody makes himself an admin by it.
    let headers = [("authorization", ann.proof.as_str())];
    let refused = site.ask_with(Method::POST, "/v2/backup", &headers, &backup).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    site.stop().await.unwrap();
}

/// Everything that was written down, as an admin sees it.
async fn records(site: &Site) -> Vec<Value> {
    let root = access::root(site);
    let mut records = Vec::new();
    for path in [
        "/v2/groups",
        "/v2/groups/versions",
        "/v2/apps//shop/web/versions",
        "/v2/deployments/ended",
        "/v2/users",
        "/v2/secrets",
        "/v2/eventSubscriptions",
        "/v2/audit",
    ] {
        let mut record = root.get(path).await;
        // How a callback keeps up, the process knows.
        record.as_object_mut().map(|members| members.remove("callbacks"));
        records.push(record);
    }
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_database_where_nothing_is_yet_everything_is_as_it_was_and_nowhere_else() {
    let database = Database::start().await;
    let site = access::start_with_secrets(&database).await;
    let root = access::root(&site);
    let ann = access::user(&site, "ann", json!([{"path": "/shop", "permissions": ["view", "create", "update"]}])).await;
    let callback = "/v2/eventSubscriptions?callbackUrl=http://127.0.0.1:9/one";
    assert_eq!(root.does(Method::POST, callback, Value::Null).await, 200);
    assert_eq!(root.does(Method::PUT, "/v2/secrets/shop/key", json!({"value": "hunter2"})).await, 201);
    let shop = json!({"id": "/shop/web", "cmd": "one\t\\ two\n", "env": {"A": {"secret": "a"}}, "secrets": {"a": {"source": "/shop/key"}}});
    assert_eq!(ann.does(Method::POST, "/v2/apps", shop).await, 201);
    access::settle(&site).await;
    assert_eq!(ann.does(Method::PUT, "/v2/apps//shop/web", json!({"labels": {"day": "monday"}})).await, 200);
    access::settle(&site).await;
    let proof = [("authorization", root.proof.as_str())];
    let events = async |site: &Site, number: usize| {
        let headers = [("authorization", root.proof.as_str()), ("last-event-id", "0")];
        let mut stream = Events::open(site, "", &headers).await;
        assert_eq!(stream.next().await.unwrap().event_type, "event_stream_attached");
        let mut frames = Vec::new();
        while frames.len() < number {
            frames.push(stream.next().await.unwrap());
        }
        frames
    };
    let (before, history) = (records(&site).await, events(&site, 10).await);
    let backup = site.ask_with(Method::GET, "/v2/backup", &proof, "").await;
    assert_eq!(backup.header("content-length"), backup.bytes.len().to_string());
    assert_eq!(root.does(Method::DELETE, "/v2/apps//shop/web?force=true", Value::Null).await, 200);

    let other = Database::start().await;
    let into = |database: &Database, bytes: &[u8]| {
        let file = database.directory.path().join("backup");
        std::fs::write(&file, bytes).unwrap();
        RecoverArgs { file, postgres_url: database.postgres.database().clone() }
    };
    let torn = recover(&into(&other, &backup.bytes[..backup.bytes.len() - 1])).await;
    assert!(matches!(torn, Err(BackupError::Torn { .. })), "{torn:?}");
    std::fs::copy(database.directory.path().join("key"), other.directory.path().join("key")).unwrap();
    let position = recover(&into(&other, &backup.bytes)).await.unwrap();
    assert!(position > Position::START);
    for taken in [&database, &other] {
        let refused = recover(&into(taken, &backup.bytes)).await;
        assert!(matches!(refused, Err(BackupError::Taken)), "{refused:?}");
    }
    let recovered = access::start_with_secrets_of(&other).await;
    assert_eq!(records(&recovered).await, before);
    assert_eq!(events(&recovered, 10).await, history);
    let ann = access::Someone { site: &recovered, proof: ann.proof };
    assert_eq!(ann.does(Method::PUT, "/v2/apps//shop/web", json!({"labels": {"day": "tuesday"}})).await, 200);
    let audit = access::root(&recovered).get("/v2/audit").await;
    assert_eq!(audit["entries"].as_array().unwrap().len(), before[7]["entries"].as_array().unwrap().len() + 1);
    recovered.stop().await.unwrap();
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_and_facts_of_a_backup_are_of_one_position_whatever_is_written_meanwhile() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    let make = async {
        for number in 0..40 {
            let app = json!({"id": format!("/app-{number}"), "cmd": "one", "portDefinitions": []});
            assert_eq!(site.post("/v2/apps", app).await.status, StatusCode::CREATED);
        }
    };
    let keep = async {
        let mut kept = Vec::new();
        for _ in 0..5 {
            kept.push(site.ask(Method::GET, "/v2/backup", "").await.bytes);
        }
        kept
    };
    let ((), kept) = tokio::join!(make, keep);
    let pool = database.postgres.database().pool("test", 1);
    // Whatever is kept is in it, but where browsers have signed in.
    let tables = sqlx::query_scalar::<_, String>(
        "select relname::text from pg_class where relkind = 'r' and relname like 'paas%'",
    );
    let content = content(&kept[0]);
    for table in tables.fetch_all(&pool).await.unwrap() {
        assert_eq!(content.contains(&format!("\n{table} ")), table != "paas_session", "{table}");
    }
    for (number, bytes) in kept.iter().enumerate() {
        let name = format!("recovered_{number}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("create database {name}"))).execute(&pool).await.unwrap();
        let file: PathBuf = database.directory.path().join(&name);
        std::fs::write(&file, bytes).unwrap();
        let postgres_url = database.postgres.url().replace("/postgres?", &format!("/{name}?")).parse().unwrap();
        let args = RecoverArgs { file, postgres_url };
        let position = recover(&args).await.unwrap();
        let counts = sqlx::query(
            "select (select max(seq) from journal), (select seq from lead where role = 'paas'),
                    (select count(*) from journal where kind = 'run_spec_stored'), (select count(*) from paas_run_spec_version)",
        );
        let counts = counts.fetch_one(&args.postgres_url.pool("test", 1)).await.unwrap();
        let count = |index: usize| counts.get::<Option<i64>, _>(index).unwrap_or_default();
        assert_eq!((count(0), count(1), count(2)), (position.0, position.0, count(3)), "{number}");
    }
    site.stop().await.unwrap();
}
