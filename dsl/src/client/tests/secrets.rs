use expect_test::expect_file;
use serde_json::json;

use super::recorded::{Recorded, Recording};
use super::{Run, block_on, transcript};

#[test]
fn secrets_are_set_from_what_is_read_and_never_shown() {
    let secret = |path: &str, apps: &[&str]| json!({"path": path, "version": "2026-03-01T11:59:30.000Z", "apps": apps, "pods": ["/shop/pod"]});
    let server = async || {
        Recorded::start([
            (
                "GET /v2/secrets",
                Recording::ok(json!({"secrets": [secret("/db/password", &["/web"]), secret("/tls/key", &[])]})),
            ),
            ("GET /v2/secrets/db/password", Recording::ok(secret("/db/password", &["/web"]))),
            ("PUT /v2/secrets/db/password", Recording::json(201, secret("/db/password", &[]))),
            (
                "PUT /v2/secrets/off",
                Recording::json(501, json!({"message": "There are no secrets here: no --secrets-key-file"})),
            ),
            ("DELETE /v2/secrets/tls/key", Recording::Answer { status: 204, headers: vec![], body: String::new() }),
            (
                "DELETE /v2/secrets/db/password",
                Recording::json(409, json!({"message": "Secret '/db/password' is used by /web: change them first"})),
            ),
        ])
        .await
    };
    let lines: &[&[&str]] = &[
        &["secret", "list"],
        &["secret", "list", "--json"],
        &["secret", "show", "db/password"],
        &["secret", "set", "/db/password"],
        &["secret", "set", "/db/password", "-", "--json"],
        &["secret", "set", "/db/password", "/no/such/file"],
        &["secret", "set", "/off"],
        &["secret", "set", "/"],
        &["secret", "delete", "/tls/key"],
        &["secret", "delete", "/db/password"],
    ];
    block_on(async {
        let run = Run { input: "hunter2", ..Run::default() };
        let text = transcript(run, &server().await, lines).await;
        assert!(!text.contains("hunter2"), "{text}");
        expect_file!["snapshots/secrets.txt"].assert_eq(&text);
    });
}
