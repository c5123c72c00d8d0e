//! The example product and one of Aurora's own files, deployed from the configuration language.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use nix::unistd::Uid;
use serde_json::{Value, json};

use crate::harness::{Cluster, attica};

fn run(cluster: &Cluster, args: &[&str]) -> Output {
    let mut command = attica();
    command.arg("config").args(args).env("ATTICA_ADDR", cluster.url()).env("HOME", cluster.data_dir());
    command.stdin(Stdio::null()).output().expect("attica runs")
}

/// What a command that succeeds prints.
fn output(cluster: &Cluster, args: &[&str]) -> String {
    let output = run(cluster, args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "attica config {}: {}; {stderr}", args.join(" "), output.status);
    String::from_utf8(output.stdout).expect("text")
}

/// What applying a file would change: ids and what would become of them.
fn changes(cluster: &Cluster, args: &[&str]) -> Vec<(String, String)> {
    let plan: Value = serde_json::from_str(&output(cluster, &[&["diff", "--json"], args].concat())).expect("JSON");
    let word = |change: &Value, name: &str| change[name].as_str().expect("a word").to_owned();
    plan.as_array().expect("changes").iter().map(|change| (word(change, "id"), word(change, "change"))).collect()
}

/// Applying a file would change nothing.
fn assert_unchanged(cluster: &Cluster, args: &[&str]) {
    let shown = output(cluster, &[&["diff"], args].concat());
    assert!(shown.starts_with("= ") && shown.lines().count() == 1, "{shown}");
}

fn all(word: &str) -> Vec<(String, String)> {
    ["/shop/back/store", "/shop/front/web"].map(|id| (id.to_owned(), word.to_owned())).to_vec()
}

/// What is written of an app, without what the server adds.
fn definition(cluster: &Cluster, id: &str) -> Value {
    let mut app = cluster.get(&format!("/v2/apps/{id}")).1["app"].take();
    let added = [
        "version",
        "versionInfo",
        "tasks",
        "tasksStaged",
        "tasksRunning",
        "tasksHealthy",
        "tasksUnhealthy",
        "deployments",
    ];
    let members = app.as_object_mut().expect("an app");
    members.retain(|field, _| !added.contains(&field.as_str()));
    app
}

#[test]
fn a_product_group_is_applied_changed_compared_and_exported() {
    let mut cluster = Cluster::start();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("dsl/examples/product.aurora");
    let file = file.to_str().expect("a path");
    assert_eq!(changes(&cluster, &[file]), all("added"));

    // Nobody answers the question: nothing is deployed.
    let asked = run(&cluster, &["apply", file]);
    assert!(String::from_utf8_lossy(&asked.stderr).contains("[y/N]"), "{asked:?}");
    assert_eq!(cluster.get("/v2/apps").1["apps"], json!([]));

    let applied = output(&cluster, &["apply", file, "--yes"]);
    assert!(applied.contains("+ /shop/front/web is new"), "{applied}");
    let web = cluster.until_settled("/shop/front/web", 2);
    cluster.until_settled("/shop/back/store", 1);
    assert_eq!(definition(&cluster, "/shop/front/web")["dependencies"], json!(["/shop/back"]));
    assert_unchanged(&cluster, &[file]);

    let bind = ["--bind", "profile.greeting=welcome", file];
    let expected = [("/shop/front/web", "changed"), ("/shop/back/store", "none")];
    assert_eq!(changes(&cluster, &bind), expected.map(|(id, word)| (id.to_owned(), word.to_owned())));
    let shown = output(&cluster, &[&["diff"], &bind[..]].concat());
    assert!(shown.contains("~ cmd") && shown.contains("welcome from shop"), "{shown}");
    output(&cluster, &[&["apply", "-y"], &bind[..]].concat());
    let replaced = cluster.until_settled("/shop/front/web", 2);
    assert!(replaced.iter().all(|task| web.iter().all(|old| old["id"] != task["id"])), "every instance is replaced");
    assert_unchanged(&cluster, &bind);

    // What was set by other means goes back to what the file says, which is nothing: the default.
    let (status, _) = cluster.request(
        "PATCH",
        "/v2/apps//shop/back/store",
        Some(&json!({"mem": 64, "user": "nobody", "env": {"A": "1"}})),
    );
    assert_eq!(status, 200);
    let shown = output(&cluster, &[&["diff"], &bind[..]].concat());
    assert!(shown.contains("mem: 64 → 32") && shown.contains("- user") && shown.contains("env.A"), "{shown}");
    output(&cluster, &[&["apply", "-y", "--force"], &bind[..]].concat());
    assert_unchanged(&cluster, &bind);

    // The exported file gives the same apps, here and wherever it is read.
    let exported = cluster.data_dir().join("exported.aurora");
    std::fs::write(&exported, output(&cluster, &["export", "/shop"])).expect("written");
    let exported = exported.to_str().expect("a path");
    assert_eq!(output(&cluster, &["list", exported]), "jobs=[]\napps=[/shop/back/store, /shop/front/web]\n");
    assert_unchanged(&cluster, &[exported]);
    let before = ["/shop/back/store", "/shop/front/web"].map(|id| definition(&cluster, id));
    for id in ["/shop/back/store", "/shop/front/web"] {
        assert_eq!(cluster.request("DELETE", &format!("/v2/apps/{id}"), None).0, 200);
        cluster.until("the app to be gone", || (cluster.get(&format!("/v2/apps/{id}")).0 == 404).then_some(()));
    }
    output(&cluster, &["apply", "-y", exported]);
    assert_eq!(["/shop/back/store", "/shop/front/web"].map(|id| definition(&cluster, id)), before);

    // What the server refuses is told at its place in the file.
    let wrong = cluster.data_dir().join("wrong.aurora");
    std::fs::write(&wrong, "apps = [App(id = 'a', cmd = 'x',\n  healthChecks = [HealthCheck(portIndex = 7)])]\n")
        .expect("written");
    let refused = run(&cluster, &["apply", "-y", wrong.to_str().expect("a path")]);
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && stderr.contains("wrong.aurora:2:") && stderr.contains("/a healthChecks(0)"),
        "{stderr}"
    );
    cluster.stop_up();
}

/// Aurora's own example: a service of one process.
#[test]
fn hello_world_runs_as_an_app() {
    let shared = std::env::var_os("ATTICA_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let files = shared.join("data/aurora/files");
    let file = files.join("apache__aurora/head/hello_world.aurora");
    if !file.is_file() {
        return eprintln!("skipped: no {} (set ATTICA_SHARED)", file.display());
    }
    if !Uid::effective().is_root() {
        return eprintln!("skipped: only root's agents can run the job as its role");
    }
    let mut cluster = Cluster::start();
    let map = format!("/vagrant={}", files.join("_fixtures/vagrant").display());
    output(&cluster, &["apply", "-y", "--map", &map, file.to_str().expect("a path")]);
    let tasks = cluster.until_settled("/www-data/prod/hello", 1);
    let log = format!("/v2/tasks/{}/log?file=stdout&offset=0", tasks[0]["id"].as_str().expect("an id"));
    cluster.until("the output", || {
        let (_, piece) = cluster.get(&log);
        piece["data"].as_str().filter(|data| data.contains("hello world\n")).map(|_| ())
    });
    assert_unchanged(&cluster, &["--map", &map, file.to_str().expect("a path")]);
    cluster.stop_up();
}
