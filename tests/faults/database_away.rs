//! Postgres is silent for a minute while apps are changed and requests flow: nothing that was acknowledged is lost, what runs goes on,
//! and afterwards the work does, too.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::harness::{Cluster, ids, processes_of};

const SILENCE: Duration = Duration::from_secs(60);

/// The processes of the cluster's Postgres, stopped; they go on when this is dropped.
struct Silent(Vec<Pid>);

impl Silent {
    fn begin(cluster: &Cluster) -> Silent {
        let of_postgres = |pid: &i32| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            name.trim() == "postgres"
        };
        let mut silent = Silent(Vec::new());
        // The first one starts others: once it is stopped there are no more.
        loop {
            let found = processes_of(&cluster.data_dir()).into_iter().filter(of_postgres).map(Pid::from_raw);
            let new: Vec<Pid> = found.filter(|pid| !silent.0.contains(pid)).collect();
            if new.is_empty() {
                assert!(!silent.0.is_empty(), "no Postgres");
                return silent;
            }
            for pid in new {
                // One that has ended meanwhile is silent as well.
                let _ = kill(pid, Signal::SIGSTOP);
                silent.0.push(pid);
            }
        }
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        for pid in &self.0 {
            let _ = kill(*pid, Signal::SIGCONT);
        }
    }
}

fn app(id: &str, instances: u64) -> Value {
    json!({"id": id, "cmd": "exec python3 -m http.server $PORT0", "instances": instances, "cpus": 0.01, "mem": 16,
        "labels": {"HAPROXY_GROUP": "external", "HAPROXY_0_VHOST": "steady.localhost"}})
}

#[test]
fn a_minute_without_postgres_loses_nothing_and_stops_nobody() {
    let mut cluster = Cluster::start();
    assert_eq!(cluster.request("PUT", "/v2/apps//steady", Some(&app("/steady", 3))).0, 201);
    let before = ids(&cluster.until_settled("/steady", 3));
    let page = format!("http://{}/", cluster.lb_address());
    let visit = || {
        let answer = ureq::get(&page).header("host", "steady.localhost").call();
        answer.map(|answer| answer.status().as_u16()).map_err(|error| error.to_string())
    };
    cluster.until("the load balancer to route", || (visit() == Ok(200)).then_some(()));

    let mut acknowledged = Vec::new();
    let mut write = |number: usize| {
        let id = format!("/later/app-{number}");
        let document = json!({"id": id, "cmd": "sleep 1000", "cpus": 0.01, "mem": 16, "instances": 0});
        let (status, _) = cluster.request("PUT", &format!("/v2/apps/{id}"), Some(&document));
        if status == 201 || status == 200 {
            acknowledged.push(id);
        }
        status
    };
    assert_eq!(write(0), 201);
    let silent = Silent::begin(&cluster);
    let begun = Instant::now();
    let mut refused = 0;
    for number in 1.. {
        if begun.elapsed() >= SILENCE {
            break;
        }
        // Whoever writes is told that it is not durable, and waits no longer than that takes.
        let status = write(number);
        assert!(!(200..300).contains(&status), "{status} without a database");
        refused += 1;
        assert_eq!(visit(), Ok(200), "what runs is reached");
        thread::sleep(Duration::from_millis(200));
    }
    assert!(refused > 0);
    drop(silent);
    cluster.until("writes to be taken again", || matches!(write(usize::MAX), 200 | 201).then_some(()));
    for id in &acknowledged {
        assert_eq!(cluster.get(&format!("/v2/apps/{id}")).0, 200, "{id} was acknowledged");
    }
    cluster.request_until(200, "PUT", "/v2/apps//steady", Some(&json!({"instances": 4})));
    let after = ids(&cluster.until_settled("/steady", 4));
    assert!(after.is_superset(&before), "what ran went on: {before:?}, {after:?}");
    assert_eq!(visit(), Ok(200));
    cluster.stop_up();
}
