//! A master that is stopped for longer than its lease and wakes up again must find itself deposed.

use std::fs;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::harness::{Cluster, attica, request};

/// A second master on the cluster's database.
struct Standby {
    process: Child,
    address: String,
}

impl Standby {
    fn start(cluster: &Cluster) -> Standby {
        let environ = fs::read(format!("/proc/{}/environ", cluster.pid("master"))).expect("the master runs");
        let variables = String::from_utf8_lossy(&environ).into_owned();
        let url =
            variables.split('\0').find_map(|variable| variable.strip_prefix("ATTICA_POSTGRES_URL=")).expect("a URL");
        let ready = cluster.data_dir().join("standby.ready");
        let process = attica()
            .args(["master", "--listen", "127.0.0.1:0", "--postgres-url", url, "--ready-file"])
            .arg(&ready)
            .stderr(Stdio::null())
            .spawn()
            .expect("a second master starts");
        let address = cluster.until("the standby to answer", || {
            fs::read_to_string(&ready).ok().filter(|text| text.ends_with('\n')).map(|text| text.trim_end().to_owned())
        });
        Standby { process, address }
    }

    fn leads(&self) -> bool {
        request("GET", &format!("http://{}/metrics/snapshot", self.address), None).1["master/elected"] == 1.0
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn commands_nothing_once_another_leads() {
    let mut cluster = Cluster::start();
    let app = json!({"id": "/steady", "cmd": "sleep 1000", "instances": 3, "cpus": 0.01, "mem": 16});
    assert_eq!(cluster.request("PUT", "/v2/apps//steady", Some(&app)).0, 201);
    let before = cluster.until_settled("/steady", 3);

    let standby = Standby::start(&cluster);
    assert!(!standby.leads(), "two masters on one database: one leads, one waits");
    let paused = cluster.pid("master");
    kill(Pid::from_raw(paused), Signal::SIGSTOP).expect("it runs");
    cluster.until("the standby to lead", || standby.leads().then_some(()));
    kill(Pid::from_raw(paused), Signal::SIGCONT).expect("it is there");
    cluster.until("the old leader to end", || (cluster.pid("master") != paused).then_some(()));
    assert!(standby.leads(), "the one that woke up has taken nothing back");

    // Everything goes on under the new leader: agents and the service layer find it through the old one's address.
    cluster.request_until(200, "PUT", "/v2/apps//steady", Some(&json!({"instances": 4})));
    let after = cluster.until_settled("/steady", 4);
    for task in &before {
        assert!(after.iter().any(|other| other["id"] == task["id"]), "{task} was untouched");
    }
    drop(standby);
    cluster.stop_up();
}
