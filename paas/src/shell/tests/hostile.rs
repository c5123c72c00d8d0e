//! Texts that mean something to somebody else: browsers, shells, terminals, databases, file systems, HTTP, formatters.
//!
//! Whatever is given to the API is refused with a documented 4xx, or stored and returned as it came; nothing in between.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::rest::NO_MASTER;
use super::site::{Answer, Database, Events, Site};
use crate::model::{ConsumerName, RunSpecId};

const BAD: [&str; 66] = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg/onload=alert(1)>",
    "'><iframe src=javascript:alert(1)>",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "<!--<script>alert(1)//-->",
    "]]><script>alert(1)</script>",
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)}",
    "{@html '<b>'}",
    "&lt;script&gt;",
    "<style>*{display:none}</style>",
    "' or '1'='1",
    "'; drop table paas_instance; --",
    "\"; delete from lead where true; --",
    "1 union select null, null --",
    "\\'; select pg_sleep(10); --",
    "$$; drop table journal; $$",
    "E'\\x00'",
    "../../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "/etc/passwd",
    "....//....//etc/passwd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%252f..%252fetc",
    "..;/..;/",
    "/proc/self/environ",
    "file:///etc/passwd",
    "\r\nX-Injected: yes",
    "\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    "\nid: 99\nevent: deployment_success\ndata: {}\n\n",
    "%0d%0aSet-Cookie:%20a=b",
    "\u{2028}data: {}\u{2029}",
    "\u{85}event: x",
    "%s%s%s%n%n",
    "%x%x%x%p",
    "{} {0} {:?} {:999999999}",
    "{{.Env.PATH}}",
    "{% for a in b %}",
    "$(touch /tmp/owned)",
    "`touch /tmp/owned`",
    "; touch /tmp/owned",
    "| tee /tmp/owned",
    "&& true || false",
    "$IFS$9",
    "\u{1b}[31mred\u{1b}[0m",
    "\u{1b}]0;title\u{7}",
    "\u{1b}[2J\u{1b}[H",
    "\u{9b}31m",
    "\u{7}\u{8}\u{c}\u{b}",
    "\u{0}",
    "before\u{0}after",
    "\u{202e}gnp.exe",
    "\u{feff}bom",
    "\u{200b}zero\u{200d}width",
    "ｓｃｒｉｐｔ",
    "e\u{301}\u{301}\u{301}\u{301}",
    "😀👩‍👩‍👧‍👦🏴",
    "\u{fffe}\u{ffff}\u{10ffff}",
    "İıſK",
    "NaN",
    "null",
    "-0",
    "__proto__",
];

/// Each text by itself and in five settings: 396 in all.
fn hostile() -> Vec<String> {
    let settings: [fn(&str) -> String; 6] = [
        |bad| bad.to_owned(),
        |bad| format!("a{bad}"),
        |bad| format!("{bad}\n"),
        |bad| format!("\"{bad}\\"),
        |bad| bad.repeat(40),
        |bad| format!("web/{bad}/x"),
    ];
    BAD.iter().flat_map(|bad| settings.map(|setting| setting(bad))).collect()
}

/// Every byte of it percent-encoded.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// True for a refusal as it is documented.
fn is_refused(answer: &Answer) -> bool {
    let documented = [400, 404, 405, 409, 413, 422, 501].contains(&answer.status.as_u16());
    documented && answer.json()["message"].is_string()
}

fn assert_untouched(answer: &Answer) {
    assert_eq!(answer.header("content-type"), "application/json", "{answer:?}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer:?}");
    for injected in ["x-injected", "set-cookie"] {
        assert!(!answer.headers.contains_key(injected), "{answer:?}");
    }
}

/// Creates an app; what is accepted is read back as it was given, also from the event stream.
async fn create(site: &Site, events: &mut Events, app: &Value) {
    let created = site.post("/v2/apps", app.clone()).await;
    assert_untouched(&created);
    if created.status != StatusCode::CREATED {
        assert!(is_refused(&created), "{app}: {created:?}");
        return;
    }
    let id = created.json()["id"].as_str().unwrap().to_owned();
    let read = site.get(&format!("/v2/apps/{id}")).await;
    let announced = events.next().await.unwrap();
    assert_eq!(announced.event_type, "api_post_event");
    for (name, given) in app.as_object().unwrap() {
        // An id is a path: it may be written without its first slash.
        let given = if name == "id" {
            json!(RunSpecId::parse(given.as_str().unwrap()).unwrap().as_str())
        } else {
            given.clone()
        };
        assert_eq!(read["app"][name], given, "{app}");
        assert_eq!(announced.data["appDefinition"][name], given, "{app}");
    }
    let removed = site.ask(Method::DELETE, &format!("/v2/apps/{id}"), "").await;
    assert_eq!(removed.status, StatusCode::OK, "{}", removed.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_texts_in_definitions_are_refused_or_kept_as_they_are() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    let mut events = Events::open(&site, "?event_type=api_post_event", &[]).await;
    for text in hostile() {
        create(&site, &mut events, &json!({"id": text, "cmd": "true"})).await;
        let values = json!({"id": "/values", "cmd": text, "env": {"V": text}, "labels": {"L": text}, "user": text,
            "constraints": [["rack", "CLUSTER", text]]});
        create(&site, &mut events, &values).await;
        let names = json!({"id": "/names", "args": [text], "env": {&text: "v"}, "labels": {&text: "v"},
            "constraints": [[text, "UNIQUE"]]});
        create(&site, &mut events, &names).await;
    }
    assert_eq!(site.get("/v2/apps").await, json!({"apps": []}));
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_texts_in_requests_name_nothing_and_change_nothing() {
    let database = Database::start().await;
    let site = Site::start(&database, NO_MASTER).await;
    assert_eq!(site.post("/v2/apps", json!({"id": "/there", "cmd": "true"})).await.status, StatusCode::CREATED);
    let before = site.get("/v2/apps").await;
    for text in hostile() {
        if ConsumerName::parse(&text).is_err() {
            let refused = site.ask(Method::GET, &format!("/v2/events?ack={}", encoded(&text)), "").await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
        }
        let text = encoded(&text);
        for (method, path) in [
            (Method::GET, format!("/v2/apps/{text}")),
            (Method::DELETE, format!("/v2/apps/{text}")),
            (Method::GET, format!("/v2/apps/there/versions/{text}")),
            (Method::DELETE, format!("/v2/apps/there/tasks/{text}")),
            (Method::GET, format!("/v2/groups/{text}")),
            (Method::GET, format!("/v2/tasks/{text}/log")),
            (Method::GET, format!("/v2/tasks/there.{text}/log?file=stdout")),
            (Method::DELETE, format!("/v2/deployments/{text}")),
            (Method::DELETE, format!("/v2/queue/{text}/delay")),
            (Method::GET, format!("/v2/{text}")),
        ] {
            let answer = site.ask(method.clone(), &path, "").await;
            assert_untouched(&answer);
            assert!(is_refused(&answer), "{method} {path}: {answer:?}");
        }
        for path in [
            format!("/v2/apps?id={text}&embed={text}"),
            format!("/v2/apps?label={text}"),
            format!("/v2/tasks?status={text}"),
            format!("/v2/queue?embed={text}"),
            format!("/v2/traffic?app={text}"),
        ] {
            let answer = site.ask_with(Method::GET, &path, &[("if-none-match", &text)], "").await;
            assert_untouched(&answer);
            assert!(answer.status == StatusCode::OK || is_refused(&answer), "{path}: {answer:?}");
        }
    }
    assert_eq!(site.get("/v2/apps").await, before);
    site.stop().await.unwrap();
}
