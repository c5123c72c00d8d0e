//! What was removed or changed by mistake comes back, and what runs meanwhile goes on (L2 among the scenarios of Marathon's own
//! integration tests); so does everything when the database is lost.

use std::collections::BTreeSet;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

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

/// What the master answers, if there is one that leads.
fn of_master(cluster: &Cluster, path: &str) -> Option<Value> {
    let answer = ureq::get(format!("http://{}{path}", cluster.address("master"))).call().ok()?;
    serde_json::from_str(&answer.into_body().read_to_string().ok()?).ok()
}

/// The URL of the database, as the roles are told it.
fn database(cluster: &Cluster) -> String {
    let environment = std::fs::read(format!("/proc/{}/environ", cluster.pid("paas"))).expect("the role runs");
    let mut variables = environment.split(|byte| *byte == 0);
    let url = variables.find_map(|variable| variable.strip_prefix(b"ATTICA_POSTGRES_URL=")).expect("a URL");
    String::from_utf8(url.to_vec()).expect("text")
}

fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().expect("Postgres's programs are installed");
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_lost_database_comes_back_as_it_was_at_one_moment_and_tasks_never_notice() {
    let mut cluster = Cluster::start();
    let app = |id: &str| json!({"id": id, "cmd": "sleep 1000", "instances": 2, "cpus": 0.1, "mem": 32});
    assert_eq!(cluster.request("POST", "/v2/apps", Some(&app("/steady"))).0, 201);
    cluster.until_settled("/steady", 2);
    assert_eq!(cluster.request("PUT", "/v2/apps//steady", Some(&json!({"labels": {"day": "monday"}}))).0, 200);
    let before = ids(&cluster.until_settled("/steady", 2));
    assert_eq!(cluster.request("PUT", "/v2/users/ann", Some(&json!({"password": "correct horse"}))).0, 200);
    let versions = cluster.get("/v2/apps//steady/versions").1;
    assert_eq!(versions["versions"].as_array().map(Vec::len), Some(2), "{versions}");
    let url = database(&cluster);
    let file = cluster.data_dir().join("whole.dump");
    let file = file.to_str().expect("text");
    run("pg_dump", &["--format=custom", "--file", file, "--dbname", &url]);

    // Later things happen, leaders change among them.
    assert_eq!(cluster.request("POST", "/v2/apps", Some(&app("/later"))).0, 201);
    cluster.until_settled("/later", 2);
    for _ in 0..2 {
        cluster.kill("master");
        cluster.until("the agents to follow another leader", || {
            let agents = of_master(&cluster, "/slaves")?["slaves"].as_array().cloned()?;
            (agents.len() == 3 && agents.iter().all(|agent| agent["active"] == true)).then_some(())
        });
    }
    stop_roles(&mut cluster);
    run("pg_restore", &["--clean", "--if-exists", "--exit-on-error", "--single-transaction", "--dbname", &url, file]);
    run("psql", &["--quiet", "--dbname", &url, "--command", "update lead set epoch = epoch + 1000"]);
    cluster.start_up();

    assert_eq!(ids(&cluster.until_settled("/steady", 2)), before, "running tasks are untouched");
    assert_eq!(cluster.get("/v2/apps//steady/versions").1, versions);
    assert_eq!(cluster.get("/v2/users/ann").0, 200);
    assert_eq!(cluster.get("/v2/apps//later").0, 404);
    cluster.until("the tasks that nobody knows any more to be killed", || {
        let tasks = of_master(&cluster, "/tasks")?["tasks"].as_array().cloned()?;
        let runs = |name: &str| tasks.iter().any(|task| task["name"] == name && task["state"] == "TASK_RUNNING");
        (runs("steady") && !runs("later")).then_some(())
    });
    // All that is asked for from now on is done.
    assert_eq!(cluster.request("PUT", "/v2/apps//steady", Some(&json!({"instances": 3}))).0, 200);
    cluster.until_settled("/steady", 3);
    cluster.stop_up();
}

/// Ends every process that uses the database.
fn stop_roles(cluster: &mut Cluster) {
    cluster.kill_up();
    for role in ["paas", "master"] {
        kill(Pid::from_raw(cluster.pid(role)), Signal::SIGKILL).expect("the role ran");
    }
}

/// What the service layer has written down, and nothing of what the master has.
const FORGET_SERVICES: &str = "do $$ declare name text; begin
    for name in select relname from pg_class where relkind = 'r' and relname like 'paas%' loop execute 'truncate ' || name; end loop;
    delete from journal where role = 'paas'; update lead set seq = 0, epoch = 0 where role = 'paas';
    end $$";

#[test]
fn a_backup_in_an_empty_database_is_where_everything_goes_on() {
    let mut cluster = Cluster::start();
    let app = json!({"id": "/steady", "cmd": "sleep 1000", "instances": 2, "cpus": 0.1, "mem": 32});
    assert_eq!(cluster.request("POST", "/v2/apps", Some(&app)).0, 201);
    cluster.until_settled("/steady", 2);
    assert_eq!(cluster.request("PUT", "/v2/apps//steady", Some(&json!({"labels": {"day": "monday"}}))).0, 200);
    let before = ids(&cluster.until_settled("/steady", 2));
    let versions = cluster.get("/v2/apps//steady/versions").1;
    let url = database(&cluster);
    let file = cluster.data_dir().join("monday.backup");
    let file = file.to_str().expect("text");
    let recover = || {
        let output = attica().args(["recover", file, "--postgres-url", &url]).output().expect("attica runs");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    output(&cluster, &["backup", file]);
    let (done, says) = recover();
    assert!(!done && says.contains("has a service layer already"), "{says}");
    stop_roles(&mut cluster);
    run("psql", &["--quiet", "--dbname", &url, "--command", FORGET_SERVICES]);
    let (done, says) = recover();
    assert!(done && says.contains("everything is as it was"), "{says}");
    cluster.start_up();
    assert_eq!(ids(&cluster.until_settled("/steady", 2)), before, "running tasks are untouched");
    assert_eq!(cluster.get("/v2/apps//steady/versions").1, versions);

    // With the master's tables gone as well nobody knows what runs: it is started anew, and nothing runs twice.
    output(&cluster, &["backup", file]);
    stop_roles(&mut cluster);
    run("psql", &["--quiet", "--dbname", &url, "--command", "drop schema public cascade; create schema public"]);
    let (done, says) = recover();
    assert!(done, "{says}");
    cluster.start_up();
    cluster.until_settled("/steady", 2);
    assert_eq!(cluster.get("/v2/apps//steady/versions").1, versions);
    cluster.until("what runs to be what is known", || {
        let agents = of_master(&cluster, "/slaves")?["slaves"].as_array()?.len();
        let tasks = of_master(&cluster, "/tasks")?["tasks"].as_array().cloned()?;
        let running: BTreeSet<String> = tasks
            .iter()
            .filter(|task| task["state"] == "TASK_RUNNING")
            .filter_map(|task| Some(task["id"].as_str()?.to_owned()))
            .collect();
        (agents == 3 && running == ids(&cluster.until_settled("/steady", 2))).then_some(())
    });
    assert_eq!(cluster.request("PUT", "/v2/apps//steady", Some(&json!({"instances": 3}))).0, 200);
    cluster.until_settled("/steady", 3);
    cluster.stop_up();
}
