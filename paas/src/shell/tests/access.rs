//! Who may do what, over the whole role.

use std::fs;

use attica_core_api::secrets::SealingKey;
use attica_paas_api::access::{Permission, Rule};
use attica_paas_api::operations::OPERATIONS;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::rest::NO_MASTER;
use super::site::{Answer, Database, Events, Site, until};

const ROOT: &str = "root-of-all";
const PASSWORD: &str = "correct horse battery";

/// A role where everybody has to sign in, and its admin.
pub(super) async fn start(database: &Database) -> Site {
    start_with(database, &[]).await
}

/// The same with a key for secrets.
pub(super) async fn start_with_secrets(database: &Database) -> Site {
    SealingKey::make_file(&database.directory.path().join("key")).unwrap();
    start_with_secrets_of(database).await
}

/// The same with the key that is there.
pub(super) async fn start_with_secrets_of(database: &Database) -> Site {
    let key = database.directory.path().join("key");
    start_with(database, &["--secrets-key-file", &key.display().to_string()]).await
}

async fn start_with(database: &Database, more: &[&str]) -> Site {
    let file = database.directory.path().join("admin.json");
    fs::write(&file, json!({"principal": "root", "secret": ROOT}).to_string()).unwrap();
    let file = file.display().to_string();
    let options = [&["--require-sign-in", "--admin-file", &file], more].concat();
    Site::start_with(database, NO_MASTER, &options).await
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

/// Somebody with a header that proves who he is.
pub(super) struct Someone<'a> {
    pub(super) site: &'a Site,
    pub(super) proof: String,
}

impl Someone<'_> {
    pub(super) async fn ask(&self, method: Method, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.site.ask_with(method, path, &[("authorization", &self.proof)], &body).await
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let answer = self.ask(Method::GET, path, Value::Null).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        answer.json()
    }

    /// The status of a write.
    pub(super) async fn does(&self, method: Method, path: &str, body: Value) -> u16 {
        self.ask(method, path, body).await.status.as_u16()
    }

    pub(super) async fn ids(&self) -> Vec<String> {
        let apps = self.get("/v2/apps").await;
        apps["apps"].as_array().unwrap().iter().map(|app| app["id"].as_str().unwrap().to_owned()).collect()
    }
}

pub(super) fn root(site: &Site) -> Someone<'_> {
    Someone { site, proof: basic("root", ROOT) }
}

/// A new user with these permissions, who shows a token.
pub(super) async fn user<'a>(site: &'a Site, name: &str, grants: Value) -> Someone<'a> {
    let made = root(site).ask(Method::PUT, &format!("/v2/users/{name}"), json!({"grants": grants})).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    let issued =
        root(site).ask(Method::POST, &format!("/v2/users/{name}/tokens"), json!({"description": "test"})).await;
    assert_eq!(issued.status, StatusCode::CREATED, "{}", issued.text);
    Someone { site, proof: format!("token={}", issued.json()["token"].as_str().unwrap()) }
}

pub(super) fn app(id: &str) -> Value {
    json!({"id": id, "cmd": "sleep 1000"})
}

/// Waits until nothing is being deployed: without a master that is when everything is scheduled, so deployments are cancelled.
pub(super) async fn settle(site: &Site) {
    for deployment in root(site).get("/v2/deployments").await.as_array().unwrap() {
        let id = deployment["id"].as_str().unwrap();
        root(site).ask(Method::DELETE, &format!("/v2/deployments/{id}?force=true"), Value::Null).await;
    }
    until("no deployment", async || {
        root(site).get("/v2/deployments").await.as_array().unwrap().is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_without_a_name_is_let_in_anywhere() {
    let database = Database::start().await;
    let site = start(&database).await;
    for operation in OPERATIONS {
        let method = Method::from_bytes(operation.method.as_bytes()).unwrap();
        let path = operation.path.replace(['{', '}'], "");
        for proof in ["", "Basic cm9vdDp3cm9uZw==", "Bearer nonsense", "token=nonsense", "Digest x"] {
            let headers = [("authorization", proof)];
            let headers = if proof.is_empty() { &[][..] } else { &headers[..] };
            let answer = site.ask_with(method.clone(), &path, headers, "{}").await;
            match operation.rule {
                Rule::Anyone => assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}"),
                // Passwords are not guessed for long.
                _ if answer.status == StatusCode::TOO_MANY_REQUESTS => assert!(proof.starts_with("Basic ")),
                _ => {
                    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path} {proof}: {}", answer.text);
                    assert_eq!(answer.header("www-authenticate"), "Basic realm=\"Attica\"");
                    assert!(method == Method::HEAD || answer.json()["message"].is_string());
                }
            }
        }
    }
    // The window of a browser would hide the console.
    let asked = site.ask_with(Method::GET, "/v2/apps", &[("sec-fetch-dest", "empty")], "").await;
    assert_eq!(asked.header("www-authenticate"), "Bearer realm=\"Attica\"");
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_does_what_he_may_and_sees_nothing_else() {
    let database = Database::start().await;
    let site = start(&database).await;
    for id in ["/shop/web", "/shop/back/db", "/bank/web"] {
        assert_eq!(root(&site).does(Method::POST, "/v2/apps", app(id)).await, 201);
    }
    settle(&site).await;
    let viewer = user(&site, "viewer", json!([{"path": "/shop", "permissions": ["view"]}])).await;
    let maker = user(&site, "maker", json!([{"path": "/shop", "permissions": ["create", "update"]}])).await;
    let owner = user(&site, "owner", json!([{"path": "/shop", "permissions": ["admin"]}])).await;
    let nobody = user(&site, "nobody", json!([])).await;

    assert_eq!(viewer.ids().await, ["/shop/back/db", "/shop/web"]);
    assert_eq!(root(&site).ids().await.len(), 3);
    assert!(nobody.ids().await.is_empty());
    for (path, list) in [("/v2/queue", "queue"), ("/v2/tasks", "tasks")] {
        let (all, some) = (root(&site).get(path).await, viewer.get(path).await);
        let ids = |answer: &Value| answer[list].to_string();
        assert!(!ids(&some).contains("/bank"), "{some}");
        assert_eq!(ids(&all).contains("/bank"), path == "/v2/queue", "{all}");
        assert_eq!(nobody.get(path).await[list], json!([]));
    }
    let groups = viewer.get("/v2/groups").await;
    assert_eq!(groups["groups"].as_array().unwrap().len(), 1, "{groups}");
    assert_eq!(groups["groups"][0]["id"], "/shop");
    for path in ["/v2/apps/bank/web", "/v2/groups/bank", "/v2/apps/bank/web/versions", "/v2/apps/bank/*"] {
        assert_eq!(viewer.does(Method::GET, path, Value::Null).await, 404, "{path}");
        assert_eq!(root(&site).does(Method::GET, path, Value::Null).await, 200, "{path}");
    }
    // Another's list is not the same list.
    let mut tags = Vec::new();
    for (who, proof) in [(&viewer, &viewer.proof), (&nobody, &nobody.proof)] {
        tags.push(who.ask(Method::GET, "/v2/apps", Value::Null).await.header("etag").to_owned());
        let known = [("authorization", proof.as_str()), ("if-none-match", tags.last().unwrap())];
        assert_eq!(site.ask_with(Method::GET, "/v2/apps", &known, "").await.status, StatusCode::NOT_MODIFIED);
    }
    assert_ne!(tags[0], tags[1]);

    for (who, method, path, body, expected) in [
        (&viewer, Method::PUT, "/v2/apps/shop/web", json!({"instances": 2}), 403),
        (&viewer, Method::POST, "/v2/apps", app("/shop/new"), 403),
        (&viewer, Method::DELETE, "/v2/apps/shop/web", Value::Null, 403),
        (&viewer, Method::POST, "/v2/apps/shop/web/restart", Value::Null, 403),
        (&viewer, Method::DELETE, "/v2/apps/shop/web/tasks", Value::Null, 403),
        (&viewer, Method::DELETE, "/v2/queue/shop/web/delay", Value::Null, 403),
        (&viewer, Method::PUT, "/v2/groups/shop", json!({"scaleBy": 2}), 403),
        (&viewer, Method::DELETE, "/v2/leader", Value::Null, 403),
        (&viewer, Method::GET, "/v2/users", Value::Null, 403),
        (&viewer, Method::GET, "/v2/users/viewer", Value::Null, 200),
        (&viewer, Method::GET, "/v2/users/maker", Value::Null, 403),
        (&viewer, Method::GET, "/v2/audit?path=/shop", Value::Null, 403),
        (&viewer, Method::POST, "/v2/events/ack", json!({"name": "x", "position": 0}), 403),
        (&viewer, Method::GET, "/v2/events?ack=x", Value::Null, 403),
        (&viewer, Method::GET, "/v2/info", Value::Null, 200),
        (&viewer, Method::PUT, "/v2/users/viewer", json!({"grants": []}), 403),
        (&viewer, Method::PUT, "/v2/users/other", json!({}), 403),
        (&viewer, Method::PUT, "/v2/users/viewer", json!({"password": "another one"}), 200),
        (&maker, Method::PUT, "/v2/apps/bank/web", json!({"instances": 2}), 403),
        (&maker, Method::PATCH, "/v2/apps/bank/nothing", json!({"instances": 2}), 403),
        (&maker, Method::PUT, "/v2/apps", json!([{"id": "/shop/web", "mem": 64}, {"id": "/bank/web", "mem": 64}]), 403),
        (&maker, Method::PUT, "/v2/groups", json!({"id": "/", "groups": []}), 403),
        (&maker, Method::PUT, "/v2/groups/shop", json!({"apps": [], "groups": []}), 403),
        (&maker, Method::DELETE, "/v2/apps/shop/web", Value::Null, 403),
        (&maker, Method::DELETE, "/v2/groups/shop", Value::Null, 403),
        (&maker, Method::DELETE, "/v2/groups", Value::Null, 403),
        (&maker, Method::PUT, "/v2/groups/bank", json!({"scaleBy": 2}), 403),
        (&maker, Method::PUT, "/v2/groups/shop", json!({"apps": [app("/shop/web"), app("/shop/more")]}), 200),
        (&owner, Method::GET, "/v2/audit?path=/shop", Value::Null, 200),
        (&owner, Method::GET, "/v2/audit", Value::Null, 403),
        (&owner, Method::GET, "/v2/audit?path=/shopping", Value::Null, 403),
        (&owner, Method::DELETE, "/v2/apps/shop/back/db", Value::Null, 200),
        (&nobody, Method::PUT, "/v2/apps/shop/web", json!({"instances": 2}), 403),
        // Nothing is said of what may not be viewed: not that it is there, and not that it is not.
        (&viewer, Method::POST, "/v2/apps", app("/bank/web"), 403),
        (&viewer, Method::POST, "/v2/apps", app("/bank/nothing"), 403),
        (&viewer, Method::DELETE, "/v2/groups", Value::Null, 403),
        (&maker, Method::PUT, "/v2/groups", json!({"id": "/", "scaleBy": 2}), 403),
    ] {
        let answer = who.ask(method.clone(), path, body.clone()).await;
        assert_eq!(answer.status.as_u16(), expected, "{method} {path} {body}: {}", answer.text);
        if expected == 403 {
            let message = answer.json()["message"].as_str().unwrap().to_owned();
            assert!(message.starts_with("You need the permission '") && message.contains("' on /"), "{message}");
            let written = format!("{path} {body}");
            assert!(written.contains("bank") || !message.contains("bank"), "{method} {written}: {message}");
        }
    }
    // The permission is named that is lacking.
    for (method, path, body, lacking) in [
        (Method::PUT, "/v2/groups/bank/new", json!({"apps": []}), "create"),
        (Method::POST, "/v2/groups", json!({"id": "/bank/new"}), "create"),
        (Method::PUT, "/v2/groups/bank", json!({"scaleBy": 2}), "update"),
        (Method::DELETE, "/v2/groups/bank", Value::Null, "delete"),
    ] {
        let refused = maker.ask(method.clone(), path, body).await;
        let text = format!("You need the permission '{lacking}' on /bank");
        assert!(refused.text.contains(&text), "{method} {path}: {}", refused.text);
    }
    // A write that would only be refused for what lies behind it changes nothing.
    let version = root(&site).get("/v2/apps/shop/web").await["app"]["mem"].clone();
    assert_eq!(version, json!(128));

    // Whose deployment it is decides who stops it.
    settle(&site).await;
    let both = json!([{"id": "/shop/web", "mem": 64}, {"id": "/bank/web", "mem": 64}]);
    let started = root(&site).ask(Method::PUT, "/v2/apps", both).await.json();
    let deployment = format!("/v2/deployments/{}", started["deploymentId"].as_str().unwrap());
    assert_eq!(owner.get("/v2/deployments").await, json!([]));
    let stopped = owner.ask(Method::DELETE, &deployment, Value::Null).await;
    assert_eq!((stopped.status.as_u16(), stopped.text.contains("bank")), (403, false), "{}", stopped.text);
    assert_eq!(owner.does(Method::POST, &format!("{deployment}/pause"), Value::Null).await, 403);
    assert_eq!(owner.does(Method::PUT, "/v2/apps/shop/web?force=true", json!({"mem": 32})).await, 403);
    assert_eq!(root(&site).does(Method::DELETE, &format!("{deployment}?force=true"), Value::Null).await, 202);
    site.stop().await.unwrap();
}

/// The rule of every call is what its callers meet: whoever may only look changes nothing, and whoever may do nothing finds nothing.
#[tokio::test(flavor = "multi_thread")]
async fn every_call_meets_its_rule() {
    let database = Database::start().await;
    let site = start_with_secrets(&database).await;
    assert_eq!(root(&site).does(Method::POST, "/v2/apps", app("/shop/web")).await, 201);
    settle(&site).await;
    let everywhere = |permission: &str| json!([{"path": "/", "permissions": [permission]}]);
    let mut callers = vec![(None, user(&site, "none", json!([])).await)];
    for permission in Permission::ALL {
        let name = serde_json::to_value(permission).unwrap().as_str().unwrap().to_owned();
        callers.push((Some(permission), user(&site, &name, everywhere(&name)).await));
    }
    for (held, who) in &callers {
        let may = |permission: Permission| {
            held.is_some_and(|held| held == permission || held == Permission::Admin || permission == Permission::View)
        };
        for operation in OPERATIONS {
            let method = Method::from_bytes(operation.method.as_bytes()).unwrap();
            let would_end_it = (operation.method, operation.path) == ("DELETE", "/v2/leader") && may(Permission::Admin);
            let would_not_end = operation.path == "/v2/events";
            if would_end_it || would_not_end {
                continue;
            }
            let path = operation.path.replace("{app}", "nowhere/at-all").replace("{group}", "nowhere");
            let path = path.replace("{pod}", "nowhere/pod").replace("{instance}", "nowhere_pod.instance-1");
            let path = path.replace("{task}", "nowhere_at-all.1.1").replace(['{', '}'], "");
            let status = who.does(method.clone(), &path, Value::Null).await;
            let told = format!("{held:?} {method} {path}: {status}");
            assert_ne!(status, 401, "{told}");
            match operation.rule {
                Rule::Anyone | Rule::SignedIn | Rule::Viewing => assert_ne!(status, 403, "{told}"),
                Rule::On(permission) if may(permission) => assert_ne!(status, 403, "{told}"),
                Rule::On(_) => assert_eq!(status, if held.is_some() { 403 } else { 404 }, "{told}"),
                Rule::OnRoot(permission) | Rule::OnParameter(permission) => {
                    assert_eq!(status == 403, !may(permission), "{told}");
                }
                Rule::Oneself => assert_eq!(status == 403, !may(Permission::Admin), "{told}"),
                Rule::Changing => {
                    let may_change = [Permission::Update, Permission::Delete].into_iter().any(may);
                    // Without a document, some end before they are judged.
                    let is_read = operation.body.is_some() || may_change;
                    assert!(matches!(status, 403 | 404) || is_read && status >= 400, "{told}");
                }
            }
        }
    }
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_given_to_tasks_of_those_who_may_set_them() {
    let database = Database::start().await;
    let site = start_with_secrets(&database).await;
    let owner = user(&site, "owner", json!([{"path": "/shop", "permissions": ["admin"]}])).await;
    let viewer = user(&site, "viewer", json!([{"path": "/", "permissions": ["view"]}])).await;
    let value = || json!({"value": "hush"});
    assert_eq!(root(&site).does(Method::PUT, "/v2/secrets/bank/key", value()).await, 201);
    assert_eq!(owner.does(Method::PUT, "/v2/secrets/shop/key", value()).await, 201);
    assert_eq!(owner.does(Method::PUT, "/v2/secrets/shop/key", value()).await, 200);
    let paths = async |who: &Someone<'_>| {
        let list = who.get("/v2/secrets").await;
        list["secrets"].as_array().unwrap().iter().map(|secret| secret["path"].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(paths(&owner).await, [r#""/shop/key""#]);
    assert_eq!(paths(&viewer).await.len(), 2);
    let using = |id: &str, source: &str| json!({"id": id, "cmd": "true", "env": {"KEY": {"secret": "key"}}, "secrets": {"key": {"source": source}}});
    for (who, method, path, body, expected) in [
        (&owner, Method::GET, "/v2/secrets/bank/key", Value::Null, 404),
        (&owner, Method::PUT, "/v2/secrets/bank/key", value(), 403),
        (&owner, Method::PUT, "/v2/secrets/bank/other", value(), 403),
        (&owner, Method::DELETE, "/v2/secrets/bank/key", Value::Null, 403),
        (&owner, Method::DELETE, "/v2/secrets/bank/other", Value::Null, 403),
        (&viewer, Method::PUT, "/v2/secrets/shop/key", value(), 403),
        (&viewer, Method::DELETE, "/v2/secrets/shop/key", Value::Null, 403),
        // Whether there is one is not said either.
        (&owner, Method::POST, "/v2/apps", using("/shop/thief", "/bank/key"), 403),
        (&owner, Method::POST, "/v2/apps", using("/shop/thief", "/bank/other"), 403),
        (&owner, Method::POST, "/v2/apps", using("/shop/web", "/shop/key"), 201),
        (&root(&site), Method::POST, "/v2/apps", using("/bank/web", "/shop/key"), 201),
    ] {
        let answer = who.ask(method.clone(), path, body.clone()).await;
        assert_eq!(answer.status.as_u16(), expected, "{method} {path} {body}: {}", answer.text);
    }
    assert_eq!(owner.get("/v2/secrets/shop/key").await["apps"], json!(["/shop/web"]));
    let used = owner.ask(Method::DELETE, "/v2/secrets/shop/key", Value::Null).await;
    assert_eq!((used.status.as_u16(), used.text.contains("bank")), (409, false), "{}", used.text);
    assert!(used.text.contains("/shop/web and 1 more"), "{}", used.text);
    let audit = root(&site).get("/v2/audit").await.to_string();
    assert!(audit.contains("/v2/secrets/shop/key") && !audit.contains("hush"), "{audit}");
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_tokens_and_sessions_prove_a_name_until_they_are_taken_away() {
    let database = Database::start().await;
    let site = start(&database).await;
    let token = user(&site, "ann", json!([{"path": "/shop", "permissions": ["view"]}])).await;
    let set = json!({"password": PASSWORD});
    assert_eq!(root(&site).does(Method::PUT, "/v2/users/ann", set).await, 200);
    let by_password = Someone { site: &site, proof: basic("ann", PASSWORD) };
    for _ in 0..2 {
        assert_eq!(by_password.get("/v2/session").await["user"], "ann");
    }
    let bearer = Someone { site: &site, proof: token.proof.replace("token=", "bearer ") };
    assert_eq!(bearer.get("/v2/session").await["grants"], json!([{"path": "/shop", "permissions": ["view"]}]));

    let signed_in = site.post("/v2/session", json!({"user": "ann", "password": PASSWORD})).await;
    assert_eq!(signed_in.status, StatusCode::OK, "{}", signed_in.text);
    let cookie = signed_in.header("set-cookie").to_owned();
    assert!(cookie.contains("; Path=/; ") && cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
    let cookie = format!("other=1; {}", cookie.split(';').next().unwrap());
    let with_cookie = async |method: Method, path: &str, headers: &[(&str, &str)], body: &str| {
        let headers: Vec<_> = [("cookie", cookie.as_str())].into_iter().chain(headers.iter().copied()).collect();
        site.ask_with(method, path, &headers, body).await.status.as_u16()
    };
    let json_type = [("content-type", "application/json; charset=utf-8")];
    assert_eq!(with_cookie(Method::GET, "/v2/apps", &[], "").await, 200);
    assert_eq!(with_cookie(Method::POST, "/v2/apps", &json_type, &app("/shop/x").to_string()).await, 403);
    assert_eq!(with_cookie(Method::POST, "/v2/apps", &[("content-type", "text/plain")], "{}").await, 415);
    assert_eq!(with_cookie(Method::POST, "/v2/apps", &[], "{}").await, 415);
    assert_eq!(with_cookie(Method::DELETE, "/v2/session", &[("sec-fetch-site", "cross-site")], "").await, 403);
    for wrong in [json!({"user": "ann", "password": "wrong one"}), json!({"user": "eve", "password": PASSWORD})] {
        assert_eq!(site.post("/v2/session", wrong).await.status, StatusCode::UNAUTHORIZED);
    }

    // A stream ends when its reader may read something else, and not before.
    let mut stream = Events::open(&site, "", &[("authorization", &token.proof)]).await;
    assert_eq!(stream.next().await.unwrap().event_type, "event_stream_attached");
    for id in ["/bank/a", "/shop/a"] {
        assert_eq!(root(&site).does(Method::POST, "/v2/apps", app(id)).await, 201);
    }
    let heard = stream.until("deployment_info").await;
    assert!(heard.iter().all(|frame| !frame.data.to_string().contains("/bank")), "{heard:?}");
    assert!(heard.iter().any(|frame| frame.data["appDefinition"]["id"] == "/shop/a"), "{heard:?}");
    let more = json!({"path": "/bank", "permissions": ["view"]});
    assert_eq!(root(&site).does(Method::POST, "/v2/users/ann/grants", more).await, 200);
    while stream.next().await.is_some() {}
    assert_eq!(token.ids().await, ["/bank/a", "/shop/a"]);
    assert_eq!(root(&site).does(Method::DELETE, "/v2/users/ann/grants?path=/bank", Value::Null).await, 200);
    assert_eq!(root(&site).does(Method::DELETE, "/v2/users/ann/grants?path=/bank", Value::Null).await, 404);
    assert_eq!(token.ids().await, ["/shop/a"]);

    // Leaders come and go.
    let token = token.proof.clone();
    site.stop().await.unwrap();
    let site = start(&database).await;
    let status =
        async |headers: &[(&str, &str)]| site.ask_with(Method::GET, "/v2/apps", headers, "").await.status.as_u16();
    assert_eq!(status(&[("cookie", &cookie)]).await, 200);
    let again = site.post("/v2/session", json!({"user": "ann", "password": PASSWORD})).await;
    let another = again.header("set-cookie").split(';').next().unwrap().to_owned();
    let left = site.ask_with(Method::DELETE, "/v2/session", &[("cookie", &another)], "").await;
    assert_eq!((left.status, left.header("set-cookie").contains("Max-Age=0")), (StatusCode::NO_CONTENT, true));
    assert_eq!((status(&[("cookie", &another)]).await, status(&[("cookie", &cookie)]).await), (401, 200));
    let changed = json!({"password": "something else"});
    assert_eq!(root(&site).does(Method::PUT, "/v2/users/ann", changed).await, 200);
    assert_eq!(status(&[("cookie", &cookie)]).await, 401);
    assert_eq!(status(&[("authorization", &basic("ann", PASSWORD))]).await, 401);
    assert_eq!(status(&[("authorization", &basic("ann", "something else"))]).await, 200);
    let read = root(&site).get("/v2/users/ann").await;
    let id = read["tokens"][0]["id"].as_str().unwrap();
    assert_eq!(status(&[("authorization", &token)]).await, 200);
    assert_eq!(root(&site).does(Method::DELETE, &format!("/v2/users/ann/tokens/{id}"), Value::Null).await, 204);
    assert_eq!(status(&[("authorization", &token)]).await, 401);
    assert_eq!(root(&site).does(Method::DELETE, "/v2/users/ann", Value::Null).await, 204);
    assert_eq!(status(&[("authorization", &basic("ann", "something else"))]).await, 401);
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_is_made_to_wait() {
    let database = Database::start().await;
    let site = start(&database).await;
    let token = user(&site, "ann", json!([{"path": "/shop", "permissions": ["view"]}])).await;
    let right = json!({"user": "ann", "password": PASSWORD});
    assert_eq!(root(&site).does(Method::PUT, "/v2/users/ann", json!({"password": PASSWORD})).await, 200);
    // All of them within a minute, unless the machine stood still: then some more.
    let mut guesses = 0;
    let refused = loop {
        let answer = site.post("/v2/session", json!({"user": "root", "password": "a guess"})).await;
        if answer.status != StatusCode::UNAUTHORIZED {
            break answer;
        }
        guesses += 1;
        assert!(guesses < 200, "it may be guessed for ever");
    };
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{}", refused.text);
    assert!(guesses >= 10, "{guesses}");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=61).contains(&wait), "{wait}");
    // Nobody else waits for that.
    assert_eq!(token.ids().await, Vec::<String>::new());
    assert_eq!(site.post("/v2/session", right).await.status, StatusCode::OK);
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_stays_within_tls_where_a_trusted_proxy_ends_it() {
    let database = Database::start().await;
    let body = json!({"user": "root", "password": ROOT}).to_string();
    let cookie = async |site: &Site, protocol: &str| {
        let headers = [("content-type", "application/json"), ("x-forwarded-proto", protocol)];
        let answer = site.ask_with(Method::POST, "/v2/session", &headers, &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.header("set-cookie").to_owned()
    };
    let site = start_with(&database, &["--trusted-proxy", "127.0.0.1"]).await;
    assert!(cookie(&site, "https").await.ends_with("; Secure"));
    assert!(!cookie(&site, "http").await.contains("Secure"));
    site.stop().await.unwrap();
    let site = start(&database).await;
    assert!(!cookie(&site, "https").await.contains("Secure"));
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_password_of_the_admin_ends_what_the_former_one_began() {
    let database = Database::start().await;
    let site = start(&database).await;
    let signed_in = site.post("/v2/session", json!({"user": "root", "password": ROOT})).await;
    assert_eq!(signed_in.status, StatusCode::OK, "{}", signed_in.text);
    let cookie = signed_in.header("set-cookie").split(';').next().unwrap().to_owned();
    let status = async |name: &str, value: &str| {
        site.ask_with(Method::GET, "/v2/users", &[(name, value)], "").await.status.as_u16()
    };
    let (former, later) = (basic("root", ROOT), basic("root", "another-root"));
    assert_eq!((status("cookie", &cookie).await, status("authorization", &former).await), (200, 200));
    let mut events = Events::open(&site, "", &[("cookie", &cookie)]).await;
    let file = database.directory.path().join("admin.json");
    fs::write(&file, json!({"principal": "root", "secret": "another-root"}).to_string()).unwrap();
    until("the new password", async || (status("cookie", &cookie).await == 401).then_some(())).await;
    assert_eq!((status("authorization", &later).await, status("authorization", &former).await), (200, 401));
    while events.next().await.is_some() {}
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_asks_in_the_name_of_its_caller_and_the_leader_judges() {
    let database = Database::start().await;
    let site = start(&database).await;
    let maker = user(&site, "maker", json!([{"path": "/shop", "permissions": ["create"]}])).await;
    let standby = start(&database).await;
    let behind = Someone { site: &standby, proof: maker.proof.clone() };
    assert_eq!(standby.ask(Method::GET, "/v2/apps", "").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(behind.does(Method::POST, "/v2/apps", app("/shop/web")).await, 201);
    assert_eq!(behind.does(Method::POST, "/v2/apps", app("/bank/web")).await, 403);
    let own = format!("http://{}", standby.address);
    for (origin, expected) in [(own.as_str(), 201), ("http://evil.example", 403)] {
        let headers = [("authorization", maker.proof.as_str()), ("origin", origin)];
        let id = format!("/shop/from-{expected}");
        let answer = standby.ask_with(Method::POST, "/v2/apps", &headers, &app(&id).to_string()).await;
        assert_eq!(answer.status.as_u16(), expected, "{}", answer.text);
    }
    let redirected = behind.ask(Method::GET, "/v2/events", Value::Null).await;
    assert_eq!(redirected.header("location"), format!("http://{}/v2/events", site.address));
    let bare = [("host", "evil.example:80")];
    assert_eq!(standby.ask_with(Method::GET, "/ping", &bare, "").await.status, StatusCode::MISDIRECTED_REQUEST);
    standby.stop().await.unwrap();
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_has_to_sign_in_everybody_is_nobody() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    assert_eq!(
        site.get("/v2/session").await,
        json!({"signInRequired": false, "grants": [{"path": "/", "permissions": ["admin"]}]})
    );
    let refused = site.post("/v2/session", json!({"user": "a", "password": "b"})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    site.post("/v2/apps", app("/a")).await;
    assert_eq!(site.get("/v2/audit").await, json!({"entries": []}));
    let foreign = [("sec-fetch-site", "cross-site")];
    assert_eq!(site.ask_with(Method::DELETE, "/v2/apps/a", &foreign, "").await.status, StatusCode::FORBIDDEN);
    assert_eq!(site.ask_with(Method::GET, "/v2/apps", &[("host", "evil.example")], "").await.status.as_u16(), 421);
    // Users can be made before anybody has to be one.
    let ann = json!({"password": PASSWORD, "grants": [{"path": "/", "permissions": ["admin"]}]});
    assert_eq!(site.ask(Method::PUT, "/v2/users/ann", &ann.to_string()).await.status, StatusCode::OK);
    for (name, wrong, path) in [
        ("ann", json!({"password": "short"}), "/password"),
        ("ann", json!({"grants": [{"path": "/UP", "permissions": []}]}), "/grants(0)/path"),
        ("a:b", json!({}), "/name"),
    ] {
        let refused = site.ask(Method::PUT, &format!("/v2/users/{name}"), &wrong.to_string()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
        assert_eq!(refused.json()["details"][0]["path"], path);
    }
    site.stop().await.unwrap();
    let site = start(&database).await;
    assert_eq!(Someone { site: &site, proof: basic("ann", PASSWORD) }.ids().await, ["/a"]);
    site.stop().await.unwrap();
}
