//! What was removed or changed by mistake comes back, and what runs meanwhile goes on (L2 among the scenarios of Marathon's own
//! integration tests).

use serde_json::json;

use crate::harness::{Cluster, attica, ids};

/// Runs a client command on the cluster that is to succeed, and returns what it prints.
fn output(cluster: &Cluster, args: &[&str]) -> String {
    let mut command = attica();
    let command = command.args(args).env("ATTICA_ADDR", cluster.url()).env("HOME", cluster.data_dir());
    let output = command.output().expect("attica runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "attica {}: {}; {stderr}", args.join(" "), output.status);
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn what_was_removed_comes_back_from_a_backup_and_what_is_newer_goes_on() {
    let mut cluster = Cluster::start();
    let shop = json!({"apps": [{"id": "web", "cmd": "sleep 1000", "instances": 2, "cpus": 0.1, "mem": 32},
        {"id": "cron", "cmd": "sleep 1000", "cpus": 0.1, "mem": 32, "dependencies": ["/shop/web"]}]});
    let changed = json!({"id": "/changed", "cmd": "sleep 1000", "cpus": 0.1, "mem": 32, "labels": {"day": "monday"}});
    let (status, created) = cluster.request("PUT", "/v2/groups//shop", Some(&shop));
    assert_eq!(status, 200, "{created}");
    assert_eq!(cluster.request("POST", "/v2/apps", Some(&changed)).0, 201);
    cluster.until_settled("/changed", 1);
    let before = ids(&cluster.until_settled("/shop/web", 2));
    cluster.until_settled("/shop/cron", 1);
    let file = cluster.data_dir().join("monday.backup");
    let file = file.to_str().expect("text");
    output(&cluster, &["backup", file]);

    output(&cluster, &["group", "remove", "/shop"]);
    assert_eq!(cluster.get("/v2/groups//shop").0, 404);
    let tuesday = json!({"labels": {"day": "tuesday"}});
    assert_eq!(cluster.request("PUT", "/v2/apps//changed", Some(&tuesday)).0, 200);
    cluster.until_settled("/changed", 1);
    let later = json!({"id": "/later", "cmd": "sleep 1000", "cpus": 0.1, "mem": 32});
    assert_eq!(cluster.request("POST", "/v2/apps", Some(&later)).0, 201);
    let newer = ids(&cluster.until_settled("/later", 1));

    let shown = output(&cluster, &["restore", file, "--yes"]);
    assert!(shown.contains("+ /shop/web is new") && shown.contains("= /later is not in the backup"), "{shown}");
    let after = ids(&cluster.until_settled("/shop/web", 2));
    assert!(after.is_disjoint(&before), "what runs is not in a backup");
    cluster.until_settled("/shop/cron", 1);
    assert_eq!(cluster.app("/shop/cron")["dependencies"], json!(["/shop/web"]));
    cluster.until_settled("/changed", 1);
    assert_eq!(cluster.app("/changed")["labels"], changed["labels"]);
    assert_eq!(ids(&cluster.until_settled("/later", 1)), newer, "what the backup does not know goes on");

    output(&cluster, &["restore", file, "--yes", "--prune"]);
    assert_eq!(cluster.get("/v2/apps//later").0, 404);
    assert_eq!(ids(&cluster.until_settled("/shop/web", 2)), after, "what is as it was is left alone");
    cluster.stop_up();
}
