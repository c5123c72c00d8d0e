//! A secret from the terminal to a task, and to nobody else.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::harness::{Cluster, attica, request};

const VALUE: &str = "correct-horse-battery-staple";
const OTHER: &str = "another-horse-battery-staple";

/// Runs `attica secret …` with something to read.
fn secret(cluster: &Cluster, args: &[&str], input: &str) -> Output {
    let mut client = attica()
        .arg("secret")
        .args(args)
        .env("ATTICA_ADDR", cluster.url())
        .env("HOME", cluster.data_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("attica runs");
    // A command that takes no input may have ended.
    let _closed = client.stdin.take().expect("piped").write_all(input.as_bytes());
    client.wait_with_output().expect("it ends")
}

fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// What a task has written into `seen`, in its sandbox on this machine.
fn seen(cluster: &Cluster, task: &Value) -> String {
    let id = task["id"].as_str().expect("an id").to_owned();
    cluster.until("the task to have looked", || {
        let found = find(&cluster.data_dir().join("agents"), &|path| {
            path.ends_with("seen") && path.components().any(|part| part.as_os_str() == id.as_str())
        });
        found.first().and_then(|path| std::fs::read_to_string(path).ok())
    })
}

/// Regular files beneath a directory that are wanted; links are not followed.
fn find(directory: &Path, wanted: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
        if kind.is_dir() {
            found.extend(find(&path, wanted));
        } else if kind.is_file() && wanted(&path) {
            found.push(path);
        }
    }
    found
}

fn holds(path: &Path, text: &str) -> bool {
    // What goes meanwhile holds nothing.
    let contents = std::fs::read(path).unwrap_or_default();
    contents.windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn a_secret_reaches_the_tasks_that_use_it_and_nobody_else() {
    let mut cluster = Cluster::start();
    let refused = secret(&cluster, &["set", "/db/password", VALUE], "");
    assert!(!refused.status.success(), "a value is no argument");
    done(&secret(&cluster, &["set", "/db/password"], VALUE));
    let app = json!({
        "id": "/web", "cpus": 0.1, "mem": 32,
        "cmd": "echo \"$PASSWORD $(cat etc/password)\" > draft; mv draft seen; exec sleep 3600",
        "env": {"PASSWORD": {"secret": "password"}},
        "container": {"type": "MESOS", "volumes": [{"containerPath": "etc/password", "secret": "password"}]},
        "secrets": {"password": {"source": "db/password"}},
        "upgradeStrategy": {"minimumHealthCapacity": 0},
    });
    let (status, created) = cluster.request("POST", "/v2/apps", Some(&app));
    assert_eq!(status, 201, "{created}");
    let tasks = cluster.until_settled("/web", 1);
    assert_eq!(seen(&cluster, &tasks[0]), format!("{VALUE} {VALUE}\n"));
    let listed = done(&secret(&cluster, &["list"], ""));
    assert!(listed.contains("/db/password  /web"), "{listed}");
    let used = secret(&cluster, &["delete", "/db/password"], "");
    assert!(String::from_utf8_lossy(&used.stderr).contains("/web"), "{used:?}");

    // Another value is for who is started from now on.
    let file = cluster.data_dir().join("other");
    std::fs::write(&file, OTHER).expect("written");
    done(&secret(&cluster, &["set", "/db/password", file.to_str().expect("text")], ""));
    std::fs::remove_file(&file).expect("removed");
    let (status, restarted) = cluster.request("POST", "/v2/apps/web/restart", None);
    assert_eq!(status, 200, "{restarted}");
    let old = tasks[0]["id"].clone();
    let tasks = cluster.until("another task", || {
        let tasks = cluster.until_settled("/web", 1);
        (tasks[0]["id"] != old).then_some(tasks)
    });
    assert_eq!(seen(&cluster, &tasks[0]), format!("{OTHER} {OTHER}\n"));

    let master = cluster.address("master");
    for url in [
        format!("http://{master}/state"),
        format!("http://{master}/tasks"),
        format!("{}/v2/apps/web?embed=app.tasks", cluster.url()),
        format!("{}/v2/groups", cluster.url()),
    ] {
        let (status, answer) = request("GET", &url, None);
        assert_eq!(status, 200, "{url}");
        assert!(!answer.to_string().contains("battery-staple"), "{url}: {answer}");
    }
    assert!(!cluster.log().contains("battery-staple"), "the log shows it");
    // Postgres with its journal, checkpoints, records, sandboxes: whatever there is of this cluster.
    let clear = |path: &Path| holds(path, VALUE) || holds(path, OTHER);
    let found = find(&cluster.data_dir(), &clear);
    assert!(found.iter().all(|path| path.ends_with("seen")), "{found:?}");
    assert_eq!(found.len(), 2, "what the two tasks have written themselves: {found:?}");

    let (status, _) = cluster.request("DELETE", "/v2/apps/web", None);
    assert_eq!(status, 200);
    cluster.until("the secret to be free", || {
        secret(&cluster, &["delete", "/db/password"], "").status.success().then_some(())
    });
    cluster.stop_up();
}
