//! What is written down of writes, and what dry runs of those foretell that begin no deployment.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::access::{app, root, start, user};
use super::site::Database;

#[tokio::test(flavor = "multi_thread")]
async fn what_users_do_is_written_down() {
    let database = Database::start().await;
    let site = start(&database).await;
    let maker = user(&site, "maker", json!([{"path": "/shop", "permissions": ["create", "update"]}])).await;
    let made = maker.ask(Method::POST, "/v2/apps?force=true", app("/shop/web")).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!(maker.does(Method::PUT, "/v2/apps/shop/web?force=true", json!({"mem": 64})).await, 200);
    assert_eq!(maker.does(Method::PUT, "/v2/apps/shop/web?dryRun=true&force=true", json!({"mem": 65})).await, 200);
    assert_eq!(maker.does(Method::DELETE, "/v2/apps/shop/web", Value::Null).await, 403);
    assert_eq!(maker.does(Method::DELETE, "/v2/leader", Value::Null).await, 403);
    let forwarded = [("authorization", maker.proof.as_str()), ("x-forwarded-for", "10.1.1.1")];
    site.ask_with(Method::PUT, "/v2/apps/bank", &forwarded, r#"{"cmd":"true"}"#).await;

    let audit = root(&site).get("/v2/audit?user=maker").await;
    let entries = audit["entries"].as_array().unwrap();
    let told: Vec<String> = entries
        .iter()
        .rev()
        .map(|entry| {
            let [method, uri, outcome] = ["method", "uri", "outcome"].map(|name| entry[name].as_str().unwrap());
            format!("{method} {uri} {outcome} {}", entry["touched"])
        })
        .collect();
    expect_test::expect![[r#"
        POST /v2/apps?force=true done ["/shop","/shop/web"]
        PUT /v2/apps/shop/web?force=true done ["/shop/web"]
        DELETE /v2/apps/shop/web forbidden ["/shop/web"]
        DELETE /v2/leader forbidden ["/"]
        PUT /v2/apps/bank forbidden ["/bank"]"#]]
    .assert_eq(&told.join("\n"));
    assert_eq!(entries[4]["deploymentId"], made.json()["deployments"][0]["id"]);
    assert_eq!(entries[4]["changes"][0]["change"], "create");
    let difference = json!({"path": "/mem", "from": 128, "to": 64});
    assert_eq!(entries[3]["changes"], json!([{"app": "/shop/web", "change": "update", "differences": [difference]}]));
    assert_eq!(entries[2]["reason"], "You need the permission 'delete' on /shop/web");
    assert_eq!((&entries[0]["address"], &entries[0]["forwardedFor"]), (&json!("127.0.0.1"), &json!(null)));

    let of_shop = root(&site).get("/v2/audit?path=/shop&limit=2").await;
    let paths: Vec<&Value> = of_shop["entries"].as_array().unwrap().iter().map(|entry| &entry["method"]).collect();
    assert_eq!(paths, ["DELETE", "PUT"]);
    let since = entries[1]["timestamp"].as_str().unwrap();
    let later = root(&site).get(&format!("/v2/audit?user=maker&since={since}")).await;
    assert!((2..=5).contains(&later["entries"].as_array().unwrap().len()), "{later}");
    for wrong in ["limit=0", "limit=1001", "since=yesterday", "path=UPPER"] {
        assert_eq!(root(&site).does(Method::GET, &format!("/v2/audit?{wrong}"), Value::Null).await, 422, "{wrong}");
    }
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_groups_and_users_were_before_is_written_down_too() {
    let database = Database::start().await;
    let site = start(&database).await;
    let admin = root(&site);
    for (method, path, body, expected) in [
        (Method::POST, "/v2/groups", json!({"id": "/shop", "dependencies": ["/bank"]}), 201),
        (Method::PUT, "/v2/groups/shop", json!({"dependencies": []}), 200),
        (Method::PATCH, "/v2/groups/shop", json!({"enforceRole": true}), 200),
        (Method::DELETE, "/v2/groups/shop", Value::Null, 200),
        (Method::PUT, "/v2/users/ann", json!({"password": "correct horse"}), 200),
        (Method::PUT, "/v2/users/ann", json!({"password": "battery staple"}), 200),
        (Method::POST, "/v2/users/ann/grants", json!({"path": "/shop", "permissions": ["view"]}), 200),
        (Method::DELETE, "/v2/users/ann", Value::Null, 204),
    ] {
        assert_eq!(admin.does(method.clone(), path, body).await, expected, "{method} {path}");
    }
    let audit = admin.get("/v2/audit").await;
    let changes: Vec<String> =
        audit["entries"].as_array().unwrap().iter().rev().map(|entry| entry["changes"].to_string()).collect();
    expect_test::expect![[r#"
        [{"group":"/shop","change":"create","differences":[{"path":"/dependencies","from":[],"to":["/bank"]}]}]
        [{"group":"/shop","change":"update","differences":[{"path":"/dependencies","from":["/bank"],"to":[]}]}]
        [{"group":"/shop","change":"update","differences":[{"path":"/enforceRole","from":false,"to":true}]}]
        [{"group":"/shop","change":"remove","differences":[]}]
        [{"user":"ann","change":"create","differences":[{"path":"/password","from":null,"to":"hidden"}]}]
        [{"user":"ann","change":"update","differences":[{"path":"/password","from":"hidden","to":"hidden"}]}]
        [{"user":"ann","change":"update","differences":[{"path":"/grants","from":[],"to":[{"path":"/shop","permissions":["view"]}]}]}]
        [{"user":"ann","change":"remove","differences":[]}]"#]].assert_eq(&changes.join("\n"));
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_is_none_in_earnest_whatever_it_is_of() {
    let database = Database::start().await;
    let site = start(&database).await;
    let admin = root(&site);
    let put = admin.ask(Method::PUT, "/v2/users/ann?dryRun=true", json!({"password": "correct horse"})).await;
    let created = json!([{"user": "ann", "change": "create", "differences": [{"path": "/password", "from": null, "to": "hidden"}]}]);
    assert_eq!((put.status, &put.json()["changes"]), (StatusCode::OK, &created));
    assert_eq!(admin.does(Method::GET, "/v2/users/ann", Value::Null).await, 404);
    let _token = user(&site, "ann", json!([])).await;
    for (method, path, body) in [
        (Method::POST, "/v2/users/ann/grants?dryRun=true", json!({"path": "/shop", "permissions": ["view"]})),
        (Method::POST, "/v2/users/ann/tokens?dryRun=true", json!({"description": "ci"})),
        (Method::DELETE, "/v2/users/ann?dryRun=true", Value::Null),
    ] {
        let answer = admin.ask(method.clone(), path, body).await;
        let change = &answer.json()["changes"][0];
        assert_eq!((answer.status, &change["user"]), (StatusCode::OK, &json!("ann")), "{method} {path}: {change}");
        assert!(!answer.text.contains("token\":"), "{}", answer.text);
    }
    let ann = admin.get("/v2/users/ann").await;
    assert_eq!((&ann["grants"], ann["tokens"].as_array().unwrap().len()), (&json!([]), 1));
    // What cannot be foretold, or is asked for in words that mean nothing, is not done instead.
    for (method, path, body) in [
        (Method::DELETE, "/v2/leader?dryRun=true", Value::Null),
        (Method::POST, "/logging?dryRun=true", json!({"level": "debug", "logger": "ROOT"})),
        (Method::PUT, "/v2/apps/shop/web?dryRun=1", json!({"cmd": "true"})),
        (Method::PUT, "/v2/apps/shop/web?dryRun", json!({"cmd": "true"})),
    ] {
        let answer = admin.ask(method.clone(), path, body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{method} {path}: {}", answer.text);
        assert_eq!(answer.json()["details"][0]["path"], "/dryRun", "{}", answer.text);
    }
    assert_eq!(admin.does(Method::GET, "/v2/apps/shop/web", Value::Null).await, 404);
    assert_eq!(admin.does(Method::PUT, "/v2/apps/shop/web?dryRun=False", json!({"cmd": "true"})).await, 201);
    site.stop().await.unwrap();
}
