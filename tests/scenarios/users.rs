//! A cluster where everybody signs in to the service layer, and does what he may.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::harness::{Cluster, attica};

/// Runs a client command as whoever this file proves.
fn run(cluster: &Cluster, proof: Option<&Path>, args: &[&str]) -> Output {
    let mut command = attica();
    command.args(args).env("ATTICA_ADDR", cluster.url()).env("HOME", cluster.data_dir()).env_remove("ATTICA_TOKEN");
    match proof {
        Some(file) => command.env("ATTICA_TOKEN_FILE", file),
        None => command.env_remove("ATTICA_TOKEN_FILE"),
    };
    command.output().expect("attica runs")
}

/// What a command that succeeds prints.
fn output(cluster: &Cluster, proof: &Path, args: &[&str]) -> String {
    let output = run(cluster, Some(proof), args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "attica {}: {}; {stderr}", args.join(" "), output.status);
    String::from_utf8(output.stdout).expect("text")
}

/// What a command that fails says.
fn refusal(cluster: &Cluster, proof: Option<&Path>, args: &[&str]) -> String {
    let output = run(cluster, proof, args);
    assert!(!output.status.success(), "attica {}", args.join(" "));
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn users_do_what_they_may_from_the_terminal_and_it_is_written_down() {
    let files = tempfile::tempdir().expect("a directory");
    let [root, ann] = ["root.json", "ann.token"].map(|name| files.path().join(name));
    fs::write(&root, json!({"principal": "root", "secret": "root-hush"}).to_string()).expect("a file");
    // That it gets ready means that the load balancer has signed in.
    let mut cluster = Cluster::start_with(&["--admin-file", &root.display().to_string()]);
    let nobody = refusal(&cluster, None, &["app", "list"]);
    assert!(nobody.contains("Sign in first") && nobody.contains("ATTICA_TOKEN"), "{nobody}");

    output(&cluster, &root, &["user", "add", "ann"]);
    output(&cluster, &root, &["user", "grant", "ann", "/shop", "create", "update", "exec"]);
    let token = output(&cluster, &root, &["user", "token", "ann", "--description", "laptop"]);
    fs::write(&ann, &token).expect("a file");

    output(&cluster, &ann, &["app", "add", "id=/shop/web", "cmd=sleep 1000", "cpus=0.1", "mem=32"]);
    output(&cluster, &root, &["app", "add", "id=/bank/web", "cmd=sleep 1000", "cpus=0.1", "mem=32"]);
    let list: Value = serde_json::from_str(&output(&cluster, &ann, &["app", "list", "--json"])).expect("JSON");
    let ids: Vec<&Value> = list["apps"].as_array().expect("apps").iter().map(|app| &app["id"]).collect();
    assert_eq!(ids, ["/shop/web"]);
    let tasks: Value = serde_json::from_str(&output(&cluster, &ann, &["task", "list", "--json"])).expect("JSON");
    let task = tasks["tasks"][0]["id"].as_str().expect("a task");
    assert_eq!(output(&cluster, &ann, &["task", "exec", task, "--", "echo", "hello"]), "hello\n");
    for (args, permission) in [
        (&["app", "add", "id=/bank/more", "cmd=sleep 1000"][..], "'create' on /bank/more"),
        (&["app", "remove", "/shop/web"], "'delete' on /shop/web"),
        (&["user", "list"], "'admin' on /"),
    ] {
        let said = refusal(&cluster, Some(&ann), args);
        assert!(said.contains(&format!("You need the permission {permission}")), "{said}");
    }

    let audit = output(&cluster, &root, &["audit", "--user", "ann"]);
    for part in ["POST /v2/apps", "/exec", "DELETE /v2/apps", "'delete' on /shop/web"] {
        assert!(audit.contains(part), "{part}: {audit}");
    }
    assert!(!audit.contains(token.trim()) && !audit.contains("hush"), "{audit}");
    output(&cluster, &root, &["user", "remove", "ann"]);
    let gone = refusal(&cluster, Some(&ann), &["app", "list"]);
    assert!(gone.contains("proves no name"), "{gone}");
    cluster.stop_up();
}
