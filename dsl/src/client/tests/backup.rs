use expect_test::expect_file;
use serde_json::json;

use super::recorded::{Recorded, Recording};
use super::{Run, block_on, transcript};

const BACKUP: &str = "attica-backup 1 2 00\n{}";

#[test]
fn a_backup_is_a_file_and_what_it_would_bring_back_is_shown_before_anybody_is_asked() {
    let forecast = |prune: bool| {
        let removed = json!({"app": "/later", "change": "remove", "differences": []});
        let changes = [
            json!({"app": "/web", "change": "update", "differences": [{"path": "/cmd", "from": "two", "to": "one"}]}),
            json!({"pod": "/pod", "change": "create", "differences": []}),
        ];
        let changes: Vec<_> = changes.into_iter().chain(prune.then_some(removed)).collect();
        Recording::ok(json!({"version": "2026-03-01T12:00:00.000Z", "steps": [], "changes": changes}))
    };
    let deployed = || Recording::ok(json!({"version": "2026-03-01T12:00:00.000Z", "deploymentId": "d-1"}));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("monday");
    let missing = directory.path().join("no/such");
    let torn = directory.path().join("torn");
    std::fs::write(&torn, "attica-backup 1 2").unwrap();
    let [name, nowhere, torn] = [&file, &missing, &torn].map(|path| path.to_str().unwrap());
    let lines: &[&[&str]] = &[
        &["backup", name],
        &["backup", nowhere],
        &["restore", name, "--dry-run"],
        &["restore", name, "--prune", "--dry-run"],
        &["restore", name, "--dry-run", "--json"],
        &["restore", name, "--no-wait"],
        &["restore", name, "--prune", "--yes", "--no-wait", "--force"],
        &["restore", name, "--json"],
        &["restore", name, "--json", "--yes", "--no-wait"],
        &["restore", nowhere],
        &["restore", torn, "--force", "--json", "--yes", "--no-wait"],
    ];
    block_on(async {
        let refused =
            json!({"message": "Object is not valid", "details": [{"path": "/", "errors": ["the body is damaged"]}]});
        let server = Recorded::start([
            ("GET /v2/backup", Recording::Answer { status: 200, headers: vec![], body: BACKUP.to_owned() }),
            ("POST /v2/backup?force=false&prune=true&dryRun=true", forecast(true)),
            ("POST /v2/backup?force=false&prune=false&dryRun=true", forecast(false)),
            ("POST /v2/backup?force=true&prune=true&dryRun=true", forecast(true)),
            ("POST /v2/backup?force=false&prune=false", deployed()),
            ("POST /v2/backup?force=true&prune=true", deployed()),
            ("POST /v2/backup?force=true&prune=false", Recording::json(422, refused)),
        ])
        .await;
        let run = Run { input: "y\n", ..Run::default() };
        let text = transcript(run, &server, lines).await;
        let text = text.replace(directory.path().to_str().unwrap(), "/backups");
        expect_file!["snapshots/backup.txt"].assert_eq(&text);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), BACKUP);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "nothing half-written is left");
    });
}
