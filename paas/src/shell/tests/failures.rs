//! The role when something is missing.

use std::time::Duration;

use attica_core_store::private_postgres::PrivatePostgres;
use http::{Method, StatusCode};
use serde_json::json;

use super::rest::NO_MASTER;
use super::site::{Answer, Database, Events, Site, until};
use crate::Error;

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_it_reads_on_and_refuses_writes() {
    let mut database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    site.post("/v2/apps", json!({"id": "/a", "cmd": "true"})).await;
    let Database { postgres, directory } = database;
    PrivatePostgres::stop(postgres).await;

    // The first write finds out; later ones are refused at once.
    let first = async {
        site.ask(Method::DELETE, "/v2/apps/a", "").await;
        std::future::pending::<Answer>().await
    };
    let refused = until("a refused write", async || {
        let patience = Duration::from_millis(500);
        let write = site.post("/v2/apps", json!({"id": "/b", "cmd": "true"}));
        let answer = tokio::time::timeout(patience, write).await.ok()?;
        (answer.status == StatusCode::SERVICE_UNAVAILABLE).then_some(answer)
    });
    let refused = tokio::select! {
        refused = refused => refused,
        never = first => never,
    };
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(site.get("/v2/apps").await["apps"][0]["id"], "/a");

    database = Database { postgres: Database::start_in(&directory).await, directory };
    let accepted = until("an accepted write", async || {
        let answer = site.post("/v2/apps", json!({"id": "/c", "cmd": "true"})).await;
        (answer.status == StatusCode::CREATED).then_some(answer)
    });
    accepted.await;
    site.stop().await.unwrap();
    drop(database);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_hands_requests_on_and_takes_over() {
    let database = Database::start().await;
    let first = Site::start(&database, NO_MASTER).await;
    let second = Site::start(&database, NO_MASTER).await;
    assert_eq!(second.get("/v2/leader").await, json!({"leader": first.address}));
    assert_eq!(second.post("/v2/apps", json!({"id": "/a", "cmd": "true"})).await.status, StatusCode::CREATED);
    assert_eq!(second.get("/v2/apps/a").await["app"], first.get("/v2/apps/a").await["app"]);
    assert_eq!(second.ask(Method::GET, "/v2/apps/b", "").await.status, StatusCode::NOT_FOUND);
    let redirected = second.ask(Method::GET, "/v2/events?event_type=x", "").await;
    assert_eq!(redirected.status, StatusCode::FOUND);
    assert_eq!(redirected.header("location"), format!("http://{}/v2/events?event_type=x", first.address));
    let via = format!("1.1 {}", second.address);
    let looped = second.ask_with(Method::GET, "/ping", &[("x-marathon-via", &via)], "").await;
    assert_eq!(
        (looped.status, looped.json()),
        (StatusCode::BAD_GATEWAY, json!({"message": "Detected proxying loop."}))
    );

    let mut events = Events::open(&first, "", &[]).await;
    let abdicated = first.ask(Method::DELETE, "/v2/leader", "").await;
    assert_eq!(abdicated.json(), json!({"message": "Leadership abdicated"}));
    assert!(matches!(first.role.await.unwrap(), Err(Error::Abdicated)));
    events.until("event_stream_detached").await;
    until("the second leader", async || {
        let leader = second.ask(Method::GET, "/v2/leader", "").await;
        (leader.status == StatusCode::OK && leader.json()["leader"] == second.address).then_some(())
    })
    .await;
    assert_eq!(second.get("/v2/apps/a").await["app"]["cmd"], "true");
    second.stop().await.unwrap();
}
