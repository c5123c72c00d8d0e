//! The client commands, as a person types them, against a whole cluster.

use std::process::Output;

use serde_json::{Value, json};

use crate::harness::{Cluster, attica, ids};

/// Runs a client command on the cluster.
fn run(cluster: &Cluster, args: &[&str]) -> Output {
    attica().args(args).env("ATTICA_ADDR", cluster.url()).env("HOME", cluster.data_dir()).output().expect("attica runs")
}

/// What a command that succeeds prints.
fn output(cluster: &Cluster, args: &[&str]) -> String {
    let output = run(cluster, args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "attica {}: {}; {stderr}", args.join(" "), output.status);
    String::from_utf8(output.stdout).expect("text")
}

/// What a command answers with `--json`.
fn document(cluster: &Cluster, args: &[&str]) -> Value {
    serde_json::from_str(&output(cluster, &[args, &["--json"]].concat())).expect("JSON")
}

/// The ids of the app's tasks, in order.
fn tasks(cluster: &Cluster, app: &str) -> Vec<String> {
    let document = document(cluster, &["task", "list", app]);
    ids(document["tasks"].as_array().expect("tasks")).into_iter().collect()
}

#[test]
fn an_apps_life_from_the_terminal() {
    let mut cluster = Cluster::start();
    assert_eq!(document(&cluster, &["app", "list"])["apps"], json!([]));
    output(
        &cluster,
        &["app", "add", "id=/web", "cmd=echo hello $MODE; sleep 1000", "instances=2", "cpus=0.1", "mem=32"],
    );
    assert_eq!(tasks(&cluster, "/web").len(), 2, "adding waits until all instances run");
    assert!(output(&cluster, &["app", "list"]).contains("/web  running      2/2"));
    assert!(output(&cluster, &["agent", "list"]).contains("127.0.0.3"));

    let preview = output(&cluster, &["app", "update", "/web", "env.MODE=fast", "--dry-run"]);
    assert!(preview.contains("env.MODE") && preview.contains("fast"), "{preview}");
    let first = tasks(&cluster, "/web");
    output(&cluster, &["app", "update", "/web", "env.MODE=fast"]);
    let second = tasks(&cluster, "/web");
    assert!(second.iter().all(|id| !first.contains(id)), "an update replaces every instance");
    cluster.until("the task's output", || {
        (output(&cluster, &["task", "log", &second[0]]) == "hello fast\n").then_some(())
    });
    let difference = output(&cluster, &["app", "versions", "/web", "--diff", "1", "0"]);
    assert!(difference.contains("env.MODE"), "{difference}");

    output(&cluster, &["app", "scale", "/web", "1"]);
    let left = tasks(&cluster, "/web");
    assert_eq!(left.len(), 1);
    output(&cluster, &["task", "kill", &left[0]]);
    let replaced = cluster.until("a replacement", || {
        let now = tasks(&cluster, "/web");
        (now.len() == 1 && now != left).then_some(now)
    });
    cluster.until_settled("/web", 1);
    output(&cluster, &["app", "restart", "/web"]);
    assert_ne!(tasks(&cluster, "/web"), replaced);

    // More than there is room for: it waits, says why, and is rolled back.
    output(&cluster, &["app", "update", "/web", "cpus=1000", "--no-wait"]);
    cluster.until("the reason", || output(&cluster, &["queue"]).contains("cpus").then_some(()));
    let deployments = document(&cluster, &["deployment", "list"]);
    output(&cluster, &["deployment", "rollback", deployments[0]["id"].as_str().expect("an id")]);
    cluster.until_settled("/web", 1);
    assert_eq!(document(&cluster, &["app", "show", "/web"])["app"]["cpus"], 0.1);

    output(&cluster, &["app", "remove", "/web"]);
    let missing = run(&cluster, &["app", "show", "/web"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/web"));
    cluster.stop_up();
}
