use expect_test::expect_file;
use http::StatusCode;
use serde_json::json;

use super::recorded::{Recorded, Recording};
use super::{Run, block_on, transcript};

const AT: &str = "2026-03-01T11:00:00.000Z";

#[test]
fn users_are_made_allowed_things_and_removed() {
    let ann = json!({"name": "ann", "hasPassword": true, "grants": [
        {"path": "/", "permissions": ["view"]}, {"path": "/shop", "permissions": ["create", "update"]},
    ], "tokens": [{"id": "t-1", "description": "laptop", "createdAt": AT}]});
    let bob = json!({"name": "bob", "hasPassword": false, "grants": [], "tokens": []});
    let entry = json!({"timestamp": AT, "user": "ann", "method": "PUT", "uri": "/v2/apps//shop/web", "address": "10.0.0.1",
    "outcome": "done", "touched": ["/shop/web"], "changes": [
        {"app": "/shop/web", "change": "update", "differences": [{"path": "/mem", "from": 32, "to": 64}]},
    ]});
    let refused = json!({"timestamp": AT, "user": "bob", "method": "DELETE", "uri": "/v2/leader", "address": "10.0.0.2",
        "forwardedFor": "10.9.9.9", "outcome": "forbidden", "reason": "You need the permission 'admin' on /", "touched": ["/"],
        "changes": []});
    let shown = block_on(async {
        let issued = json!({"token": "secret", "id": "t-2", "description": "", "createdAt": AT});
        let server = Recorded::start([
            ("GET /v2/users", Recording::ok(json!({"users": [ann.clone(), bob.clone()]}))),
            ("PUT /v2/users/bob", Recording::ok(bob)),
            ("DELETE /v2/users/bob", gone()),
            ("POST /v2/users/ann/grants", Recording::ok(ann.clone())),
            ("DELETE /v2/users/ann/grants?path=%2Fshop&permission=update", Recording::ok(ann)),
            ("POST /v2/users/ann/tokens", Recording::json(StatusCode::CREATED.as_u16(), issued)),
            ("DELETE /v2/users/ann/tokens/t-1", gone()),
            ("GET /v2/audit?limit=100", Recording::ok(json!({"entries": [entry, refused]}))),
            ("GET /v2/audit?limit=5&path=%2Fshop&user=ann", Recording::ok(json!({"entries": []}))),
            ("GET /v2/deployments", Recording::json(401, json!({"message": "Sign in first"}))),
        ])
        .await;
        let run = Run { input: "a long password\n", ..Run::default() };
        let lines: &[&[&str]] = &[
            &["user", "list"],
            &["user", "add", "bob", "--password-file", "-"],
            &["user", "grant", "ann", "/shop", "create", "update"],
            &["user", "grant", "ann", "/shop", "fly"],
            &["user", "revoke", "ann", "/shop", "update"],
            &["user", "token", "ann", "--days", "30"],
            &["user", "revoke-token", "ann", "t-1"],
            &["user", "remove", "bob"],
            &["audit"],
            &["audit", "--path", "/shop", "--user", "ann", "--limit", "5"],
            &["deployment", "list"],
        ];
        transcript(run, &server, lines).await
    });
    expect_file!["snapshots/users.txt"].assert_eq(&shown);
}

fn gone() -> Recording {
    Recording::Answer { status: 204, headers: Vec::new(), body: String::new() }
}
