use std::sync::OnceLock;

use expect_test::expect_file;
use serde_json::json;

use super::recorded::{Recorded, Recording};
use super::{Run, block_on, transcript};

/// An address at which nobody answers.
async fn unused() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    format!("http://{address}")
}

fn empty() -> Recording {
    Recording::ok(json!([]))
}

#[test]
fn the_next_address_is_tried_when_one_does_not_answer() {
    block_on(async {
        let no_leader =
            Recorded::start([("GET /v2/deployments", Recording::json(502, json!({"message": "no leader"})))]).await;
        let server = Recorded::start([("GET /v2/deployments", empty())]).await;
        let addresses = [unused().await, no_leader.address(), server.address()].join(",");
        let outcome = Run::default().command(&["deployment", "list", "--addr", &addresses, "--json"], |_| None).await;
        assert_eq!((outcome.out.as_str(), outcome.err.as_str(), outcome.status), ("[]\n", "", 0));
    });
}

#[test]
fn a_write_is_not_repeated_at_another_address() {
    block_on(async {
        const LINE: &str = "POST /v2/apps/web/restart?force=false";
        let first = Recorded::start([(LINE, Recording::json(503, json!({"message": "not durable yet"})))]).await;
        let second = Recorded::start([(LINE, Recording::ok(json!({})))]).await;
        let addresses = [first.address(), second.address()].join(",");
        let outcome =
            Run::default().command(&["app", "restart", "web", "--no-wait", "--addr", &addresses], |_| None).await;
        assert_eq!((outcome.err.as_str(), outcome.status), ("error: not durable yet (503)\n", 1));
        assert!(second.take_requests().is_empty());
    });
}

#[test]
fn redirects_lead_to_the_leader() {
    block_on(async {
        const LINE: &str = "PATCH /v2/apps/web?force=false";
        let began = json!({"version": "v", "deploymentId": "d"});
        let leader = Recorded::start([(LINE, Recording::ok(began))]).await;
        let location = format!("{}/v2/apps/web?force=false", leader.address());
        let standby = Recorded::start([(LINE, Recording::redirect(location))]).await;
        let text = transcript(Run::default(), &standby, &[&["app", "scale", "web", "3", "--no-wait"]]).await;
        assert_eq!(leader.take_requests(), ["PATCH /v2/apps/web?force=false {\"instances\":3}"]);
        assert!(text.contains("deployment d"), "{text}");

        let circle = Recorded::start([(
            "GET /v2/queue?embed=conditions&embed=nearestFits",
            Recording::redirect("/v2/queue?embed=conditions&embed=nearestFits".to_owned()),
        )])
        .await;
        let text = transcript(Run::default(), &circle, &[&["queue"]]).await;
        assert!(
            text.ends_with(
                "! error: GET /v2/queue?embed=conditions&embed=nearestFits: more than 5 redirects\nexit status 1\n\n"
            ),
            "{text}"
        );
    });
}

/// Where the one test that has a configuration keeps it: the environment is asked by a plain function.
static CONFIGURATION: OnceLock<String> = OnceLock::new();

fn configured(name: &str) -> Option<String> {
    CONFIGURATION.get().filter(|_| name == "XDG_CONFIG_HOME").cloned()
}

fn elsewhere(name: &str) -> Option<String> {
    match name {
        "ATTICA_ADDR" => Some("127.0.0.1:1".to_owned()),
        "ATTICA_CLUSTER" => Some("test".to_owned()),
        other => configured(other),
    }
}

fn test_cluster(name: &str) -> Option<String> {
    if name == "ATTICA_CLUSTER" { Some("test".to_owned()) } else { configured(name) }
}

#[test]
fn the_address_comes_from_the_nearest_place_that_names_one() {
    type Environment = fn(&str) -> Option<String>;
    let unset: Environment = |name| (name == "HOME").then(|| "/nonexistent".to_owned());
    let temporary = tempfile::tempdir().unwrap();
    let directory = CONFIGURATION.get_or_init(|| temporary.path().to_str().unwrap().to_owned());
    let file = temporary.path().join("attica/config.toml");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let good = "addr = \"127.0.0.1:2\"\n[cluster.prod]\naddr = [\"127.0.0.1:3\", \"127.0.0.1:4\"]\n[cluster.test]\naddr = \"127.0.0.1:5\"\n";
    let cases: [(&str, Environment, &str, &[&str]); 14] = [
        ("nothing", unset, good, &["queue", "--addr", "127.0.0.1:6"]),
        ("an option", elsewhere, good, &["queue", "--addr", "127.0.0.1:6", "--addr", "127.0.0.1:7"]),
        ("before the command", elsewhere, good, &["--addr", "127.0.0.1:6", "queue"]),
        ("the environment", elsewhere, good, &["queue"]),
        ("a cluster before the environment", elsewhere, good, &["queue", "--cluster", "prod"]),
        ("a cluster in the environment", test_cluster, good, &["queue"]),
        ("the file", configured, good, &["queue"]),
        (
            "a cluster after and an address before",
            unset,
            good,
            &["--addr", "127.0.0.1:6", "queue", "--cluster", "prod"],
        ),
        ("both at once", unset, good, &["queue", "--addr", "a", "--cluster", "prod"]),
        ("an unknown cluster", configured, good, &["queue", "--cluster", "prd"]),
        ("a cluster without a file", unset, good, &["queue", "--cluster", "prd"]),
        ("a file that is no TOML", configured, "addr = \n", &["queue"]),
        ("a field that is not known", configured, "\n[cluster.prod]\naddress = \"x\"\n", &["queue"]),
        ("an address that is none", configured, "addr = \"ftp://host\"\n", &["queue"]),
    ];
    block_on(async {
        let mut text = String::new();
        for (name, environment, content, words) in cases {
            std::fs::write(&file, content).unwrap();
            let outcome = Run::default().command(words, environment).await;
            let shown = outcome.err.replace(directory, "CONFIG");
            text.push_str(&format!("# {name}\n{}{shown}exit status {}\n\n", outcome.out, outcome.status));
        }
        expect_file!["snapshots/addresses.txt"].assert_eq(&text);
    });
}

#[test]
fn a_write_whose_answer_is_lost_is_not_called_undone() {
    block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                connection.readable().await.unwrap();
            }
        });
        let mut text = String::new();
        for words in [&["app", "restart", "web", "--no-wait"][..], &["app", "list"]] {
            let outcome = Run::default().command(&[words, &["--addr", &address]].concat(), |_| None).await;
            text.push_str(&format!(
                "{}exit status {}\n",
                outcome.err.replace(&address, "http://server"),
                outcome.status
            ));
        }
        expect_file!["snapshots/lost_answers.txt"].assert_eq(&text);
    });
}
