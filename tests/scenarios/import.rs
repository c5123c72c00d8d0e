//! One cluster takes over what another one runs.

use std::process::{Child, Command, Stdio};

use attica_core_store::private_postgres::{PrivatePostgres, PrivatePostgresOptions};
use serde_json::{Value, json};

use crate::harness::{Cluster, attica, request};

/// A service layer with a database of its own and no machines: it knows what is wanted, and starts nothing.
struct Elsewhere {
    process: Child,
    url: String,
    _postgres: PrivatePostgres,
    _runtime: tokio::runtime::Runtime,
    _directory: tempfile::TempDir,
}

impl Elsewhere {
    fn start(cluster: &Cluster) -> Elsewhere {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let options = PrivatePostgresOptions::for_test(directory.path().join("postgres"));
        let postgres = runtime.block_on(PrivatePostgres::start(&options)).expect("a database");
        let ready = directory.path().join("ready");
        let process = attica()
            .args(["paas", "--listen", "127.0.0.1:0", "--master", "127.0.0.1:1", "--postgres-url", postgres.url()])
            .arg("--ready-file")
            .arg(&ready)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut elsewhere =
            Elsewhere { process, url: String::new(), _postgres: postgres, _runtime: runtime, _directory: directory };
        elsewhere.url = cluster.until("the other cluster", || {
            let address = std::fs::read_to_string(&ready).ok()?;
            address.ends_with('\n').then(|| format!("http://{}", address.trim()))
        });
        elsewhere
    }

    fn put(&self, path: &str, document: &Value) {
        let (status, answer) = request("PUT", &format!("{}{path}", self.url), Some(document));
        assert_eq!(status, 200, "{answer}");
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn import(cluster: &Cluster, elsewhere: &Elsewhere, options: &[&str]) -> String {
    let mut command: Command = attica();
    command.args(["--addr", cluster.url(), "import", "marathon", &elsewhere.url]).args(options);
    let output = command.env("HOME", cluster.data_dir()).output().expect("attica runs");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {text}", output.status);
    text
}

#[test]
fn what_one_cluster_is_to_run_another_runs_after_an_import() {
    let mut cluster = Cluster::start();
    let elsewhere = Elsewhere::start(&cluster);
    let app = |id: &str| json!({"id": id, "cmd": "sleep 1000", "cpus": 0.1, "mem": 32});
    let shop = json!({"apps": [app("/shop/db")], "groups": [
        {"id": "/shop/front", "dependencies": ["/shop/db"], "apps": [app("/shop/front/web")]}]});
    elsewhere.put("/v2/groups/shop", &shop);
    elsewhere.put(
        "/v2/pods/shop/pod",
        &json!({"id": "/shop/pod", "containers": [
            {"name": "a", "exec": {"command": {"shell": "sleep 1000"}}, "resources": {"cpus": 0.1, "mem": 32}}]}),
    );
    let (status, own) = request("POST", &format!("{}/v2/apps", cluster.url()), Some(&app("/own")));
    assert_eq!(status, 201, "{own}");
    cluster.until_settled("/own", 1);

    let shown = import(&cluster, &elsewhere, &["--dry-run"]);
    assert!(shown.contains("+ /shop/front/web is new") && shown.contains("+ /shop/pod is new"), "{shown}");
    assert_eq!(cluster.get("/v2/apps/shop/db").0, 404, "a dry run changes nothing");
    import(&cluster, &elsewhere, &["--yes"]);
    for app in ["/shop/db", "/shop/front/web", "/own"] {
        cluster.until_settled(app, 1);
    }
    cluster.until("the pod", || (cluster.get("/v2/pods/shop/pod::status").1["status"] == "STABLE").then_some(()));
    let front = cluster.get("/v2/groups/shop/front").1;
    assert_eq!(front["dependencies"], json!(["/shop/db"]));

    let again = import(&cluster, &elsewhere, &["--yes"]);
    assert!(again.contains("nothing was changed"), "{again}");
    cluster.stop_up();
}
