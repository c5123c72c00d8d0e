//! Events that are posted to URLs: in order, at least once, whatever becomes of subscribers and leaders.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use attica_core_api::http::{Limits, RequestBody, Server};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::service_fn;

use super::rest::NO_MASTER;
use super::site::{Database, Events, Site, until};

/// What one post carried.
#[derive(Clone, Debug)]
struct Post {
    id: i64,
    signature: Option<String>,
    body: String,
}

impl Post {
    fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// One who has events posted to it; it answers as it is told.
#[derive(Clone)]
struct Subscriber {
    url: String,
    /// The answers to come; then 200 for ever.
    answers: Arc<Mutex<Vec<StatusCode>>>,
    posts: Arc<Mutex<Vec<Post>>>,
}

impl Subscriber {
    async fn start(answers: &[StatusCode]) -> Self {
        let server = Server::bind(([127, 0, 0, 1], 0).into(), Limits::default()).await.unwrap();
        let url = format!("http://{}/events?of=attica", server.local_address().unwrap());
        let answers = answers.iter().rev().copied().collect();
        let subscriber = Self { url, answers: Arc::new(Mutex::new(answers)), posts: Arc::default() };
        let here = subscriber.clone();
        let service = service_fn(move |request: Request<RequestBody>| {
            let here = here.clone();
            async move {
                assert_eq!((request.method(), request.uri().query()), (&Method::POST, Some("of=attica")));
                let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
                let (id, signature) = (header("attica-event-id").unwrap().parse().unwrap(), header("attica-signature"));
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let body = String::from_utf8(body.to_vec()).unwrap();
                here.posts.lock().unwrap().push(Post { id, signature, body });
                let status = here.answers.lock().unwrap().pop().unwrap_or(StatusCode::OK);
                let response = Response::builder().status(status).header("location", "http://127.0.0.1:1/elsewhere");
                Ok::<_, Infallible>(response.body(Full::new(Bytes::from_static(b"thanks"))).unwrap())
            }
        });
        tokio::spawn(server.serve(service, std::future::pending()));
        subscriber
    }

    fn path(&self) -> String {
        format!("/v2/eventSubscriptions?callbackUrl={}", self.url.replace('?', "%3F").replace('=', "%3D"))
    }

    /// The posts up to the first about this app, once it has come.
    async fn until_app(&self, app: &str) -> Vec<Post> {
        until(app, async || {
            let posts = self.posts.lock().unwrap();
            let is_it = |post: &Post| post.event()["appDefinition"]["id"] == app;
            posts.iter().position(is_it).map(|at| posts[..=at].to_vec())
        })
        .await
    }
}

async fn create(site: &Site, app: &str) {
    let created = site.post("/v2/apps", json!({"id": app, "cmd": "true"})).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
}

/// Without those that came again.
fn once(posts: Vec<Post>) -> Vec<Post> {
    let mut seen = std::collections::BTreeSet::new();
    posts.into_iter().filter(|post| seen.insert(post.id)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_posted_in_order_signed_and_repeated_until_it_is_taken() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    let stubborn = Subscriber::start(&[StatusCode::INTERNAL_SERVER_ERROR, StatusCode::FOUND]).await;
    let signed = Subscriber::start(&[]).await;
    create(&site, "/before").await;
    let mut stream = Events::open(&site, "", &[]).await;

    let added = site.ask(Method::POST, &stubborn.path(), "").await;
    assert_eq!(added.status, StatusCode::OK, "{}", added.text);
    assert_eq!(
        (&added.json()["eventType"], &added.json()["callbackUrl"]),
        (&json!("subscribe_event"), &json!(stubborn.url))
    );
    let secret = "a secret of sixteen or more".replace(' ', "-");
    let added = site.ask(Method::POST, &signed.path(), &json!({"secret": secret}).to_string()).await;
    assert_eq!(added.status, StatusCode::OK, "{}", added.text);
    assert!(!added.text.contains(&secret));
    let mut urls = vec![stubborn.url.clone(), signed.url.clone()];
    urls.sort();
    assert_eq!(site.get("/v2/eventSubscriptions").await["callbackUrls"], json!(urls));
    let dry = site.ask(Method::DELETE, &format!("{}&dryRun=true", signed.path()), "").await;
    assert_eq!(dry.status, StatusCode::OK, "{}", dry.text);
    let elsewhere = "/v2/eventSubscriptions?callbackUrl=http://127.0.0.1:1/&dryRun=true";
    assert_eq!(site.ask(Method::POST, elsewhere, "").await.status, StatusCode::OK);
    assert_eq!(site.get("/v2/eventSubscriptions").await["callbackUrls"], json!(urls), "nothing has changed");
    create(&site, "/app").await;

    let frames = stream.until("api_post_event").await;
    let streamed: Vec<(i64, Value)> = frames.into_iter().filter_map(|frame| Some((frame.id?, frame.data))).collect();
    let posts = stubborn.until_app("/app").await;
    assert_eq!(posts[0].event()["eventType"], "subscribe_event");
    assert!(
        posts[..3].iter().all(|post| (post.id, &post.body) == (posts[0].id, &posts[0].body)),
        "refused twice: {posts:?}"
    );
    for posts in [posts, signed.until_app("/app").await].map(once) {
        let posted: Vec<(i64, Value)> = posts.iter().map(|post| (post.id, post.event())).collect();
        let from = streamed.iter().position(|event| event == &posted[0]).expect("it is in the stream");
        assert_eq!(streamed[from..][..posted.len()], posted);
    }
    assert!(stubborn.posts.lock().unwrap().iter().all(|post| post.signature.is_none()));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    for post in signed.posts.lock().unwrap().iter() {
        let digits = post.signature.as_deref().unwrap().strip_prefix("sha256=").unwrap();
        let tag: Vec<u8> =
            (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect();
        ring::hmac::verify(&key, post.body.as_bytes(), &tag).unwrap();
    }
    let metrics = site.get("/metrics").await;
    let refused = metrics["counters"]["marathon.callbacks.refused.counter"]["count"].as_f64();
    assert!(refused >= Some(2.0), "{refused:?}");
    assert_eq!(metrics["gauges"]["marathon.callbacks.active.gauge"]["value"], 2.0);
    assert_eq!(metrics["gauges"]["marathon.http.event-streams.active.gauge"]["value"], 1.0);

    let standings = until("both to have taken everything", async || {
        let callbacks = site.get("/v2/eventSubscriptions").await["callbacks"].clone();
        callbacks.as_array()?.iter().all(|callback| callback["behind"] == 0).then_some(callbacks)
    });
    let standings = standings.await;
    let of = |url: &str| standings.as_array().unwrap().iter().find(|callback| callback["url"] == url).unwrap();
    assert_eq!(of(&stubborn.url)["lastError"]["message"], "the answer is 302 Found", "{standings}");
    assert_eq!((of(&signed.url).get("lastError"), of(&signed.url).get("waitingSince")), (None, None));

    let removed = site.ask(Method::DELETE, &signed.path(), "").await;
    assert_eq!((removed.status, &removed.json()["eventType"]), (StatusCode::OK, &json!("unsubscribe_event")));
    assert_eq!(site.get("/v2/eventSubscriptions").await["callbackUrls"], json!([stubborn.url]));
    create(&site, "/after").await;
    stubborn.until_app("/after").await;
    let told = |post: &Post| post.body.contains("/after") || post.body.contains(&secret);
    assert!(!signed.posts.lock().unwrap().iter().any(told), "nothing more is posted, and never a secret");
    assert!(!stubborn.posts.lock().unwrap().iter().any(|post| post.body.contains(&secret)));
    drop(stream);
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_leader_goes_on_where_the_last_one_was_and_misses_nothing() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    let subscriber = Subscriber::start(&[]).await;
    assert_eq!(site.ask(Method::POST, &subscriber.path(), "").await.status, StatusCode::OK);
    create(&site, "/first").await;
    let first = subscriber.until_app("/first").await;
    let pool = database.postgres.database().pool("test", 1);
    let noted =
        async || sqlx::query_scalar::<_, i64>("select position from paas_callback").fetch_one(&pool).await.unwrap();
    until("a durable position", async || (noted().await >= first.last().unwrap().id).then_some(())).await;
    site.stop().await.unwrap();
    let (noted, before) = (noted().await, subscriber.posts.lock().unwrap().len());

    let site = Site::start(&database, NO_MASTER).await;
    create(&site, "/second").await;
    let posts = subscriber.until_app("/second").await;
    let again: Vec<&Post> = posts[before..].iter().filter(|post| post.id <= noted).collect();
    assert!(again.is_empty(), "what was noted as taken does not come again: {again:?}");
    let posted: Vec<i64> = once(posts).iter().map(|post| post.id).collect();
    let mut stream = Events::open(&site, &format!("?lastEventId={}", posted[0] - 1), &[]).await;
    let mut streamed = stream.until("api_post_event").await;
    streamed.extend(stream.until("api_post_event").await);
    let streamed: Vec<i64> = streamed.iter().filter_map(|frame| frame.id).collect();
    assert_eq!(posted, streamed, "in the order of the stream, and nothing is left out");
    drop(stream);
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_posted_to_is_refused_by_name() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    for (query, body, path) in [
        ("", "", "/callbackUrl"),
        ("?callbackUrl=", "", "/callbackUrl"),
        ("?callbackUrl=host:80", "", "/callbackUrl"),
        ("?callbackUrl=http://me:pass@host/", "", "/callbackUrl"),
        ("?callbackUrl=https://host/", "", "/callbackUrl"),
        ("?callbackUrl=http://host/", r#"{"secret":"short"}"#, "/secret"),
        ("?callbackUrl=http://host/", r#"{"secrets":""}"#, "/secrets"),
    ] {
        let refused = site.ask(Method::POST, &format!("/v2/eventSubscriptions{query}"), body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}: {}", refused.text);
        assert_eq!(refused.json()["details"][0]["path"], path, "{query}: {}", refused.text);
    }
    let unknown = site.ask(Method::DELETE, "/v2/eventSubscriptions?callbackUrl=http://127.0.0.1:1/", "").await;
    assert_eq!(unknown.status, StatusCode::OK, "{}", unknown.text);
    // Nobody listens there.
    let add = async |number: usize| {
        site.ask(Method::POST, &format!("/v2/eventSubscriptions?callbackUrl=http://127.0.0.1:1/{number}"), "")
            .await
            .status
    };
    for number in 0..64 {
        assert_eq!(add(number).await, StatusCode::OK);
    }
    assert_eq!(add(0).await, StatusCode::OK, "that one is there already");
    assert_eq!(add(64).await, StatusCode::SERVICE_UNAVAILABLE);
    create(&site, "/nobody-is-held-up").await;
    let behind = until("one to be behind", async || {
        let first = site.get("/v2/eventSubscriptions").await["callbacks"][0].clone();
        (first["behind"].as_i64()? > 1 && first["lastError"].is_object()).then_some(first)
    });
    let behind = behind.await;
    assert!(behind["waitingSince"].is_string(), "{behind}");
    assert!(behind["lastError"]["message"].as_str().unwrap().starts_with("no answer: "), "{behind}");
    site.stop().await.unwrap();
}
