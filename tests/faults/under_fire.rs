//! Traffic goes on through rolling deployments while every process but the load balancer is killed in turn: no request fails.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{sync::Arc, thread};

use serde_json::{Value, json};

use crate::harness::{Cluster, ids};
use crate::victims::{VICTIMS, processes_with};

const INSTANCES: u64 = 6;
const REQUESTS_PER_SECOND: u32 = 200;
const CLIENTS: u32 = 16;

fn version(number: u32) -> Value {
    let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/server.py");
    json!({
        "id": "/traffic", "cmd": format!("exec python3 {} $PORT0", server.display()),
        "env": {"GENERATION": number.to_string()},
        "instances": INSTANCES, "cpus": 0.01, "mem": 32, "taskKillGracePeriodSeconds": 20,
        "labels": {"HAPROXY_GROUP": "external", "HAPROXY_0_VHOST": "traffic.localhost"},
        "upgradeStrategy": {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.2},
        "healthChecks": [{"protocol": "HTTP", "path": "/", "portIndex": 0, "gracePeriodSeconds": 60, "intervalSeconds": 1,
                          "timeoutSeconds": 20, "maxConsecutiveFailures": 10}],
    })
}

#[test]
fn no_request_fails_while_everything_but_the_load_balancer_dies() {
    let mut cluster = Cluster::start();
    assert_eq!(cluster.request("PUT", "/v2/apps//traffic", Some(&version(1))).0, 201);
    cluster.until_settled("/traffic", INSTANCES);
    let url = format!("http://{}/", cluster.lb_address());
    cluster.until("the load balancer to route", || get(&client(), &url).ok());

    let traffic = Traffic::start(&url);
    for (number, (victim, strike)) in (2..).zip(VICTIMS) {
        let old = ids(&cluster.tasks("/traffic"));
        cluster.request_until(200, "PUT", "/v2/apps//traffic", Some(&version(number)));
        cluster.until("the first new task", || (!ids(&cluster.tasks("/traffic")).is_subset(&old)).then_some(()));
        strike(&cluster);
        let tasks = cluster.until_settled("/traffic", INSTANCES);
        assert!(ids(&tasks).is_disjoint(&old), "{victim} killed: the old version is gone");
        cluster.until("every new process to run once, every old one to be gone", || {
            let servers = |number| processes_with(&cluster, &format!("GENERATION={number}"), "python3") as u64;
            (servers(number) == INSTANCES && servers(number - 1) == 0).then_some(())
        });
        if !traffic.flows() {
            panic!("{victim} killed: {:?}; log:\n{}", traffic.stop().1, cluster.log_tail());
        }
    }
    let (answered, failures) = traffic.stop();
    assert!(failures.is_empty(), "{} of {} failed: {failures:?}", failures.len(), answered + failures.len() as u64);
    assert!(answered > 0);
    cluster.stop_up();
}

/// Clients that ask at a steady rate in all, each over connections that it keeps.
struct Traffic {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<(u64, Vec<String>)>>,
}

impl Traffic {
    fn start(url: &str) -> Traffic {
        let stop = Arc::new(AtomicBool::new(false));
        let interval = Duration::from_secs(1) * CLIENTS / REQUESTS_PER_SECOND;
        let clients = (0..CLIENTS).map(|number| {
            let (stop, url) = (Arc::clone(&stop), url.to_owned());
            thread::spawn(move || ask(&stop, &url, Instant::now() + interval * number / CLIENTS, interval))
        });
        Traffic { clients: clients.collect(), stop }
    }

    /// No client has given up yet.
    fn flows(&self) -> bool {
        self.clients.iter().all(|client| !client.is_finished())
    }

    /// How many requests were answered with 200, and what became of the others.
    fn stop(self) -> (u64, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let outcomes = self.clients.into_iter().map(|client| client.join().expect("clients do not panic"));
        outcomes.fold((0, Vec::new()), |(answered, mut failures), (more_answered, more_failures)| {
            failures.extend(more_failures);
            (answered + more_answered, failures)
        })
    }
}

/// Asks once each interval until it is told to stop, or a request fails.
fn ask(stop: &AtomicBool, url: &str, mut next: Instant, interval: Duration) -> (u64, Vec<String>) {
    let client = client();
    let mut answered = 0;
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(next.saturating_duration_since(Instant::now()));
        next += interval;
        match get(&client, url) {
            Ok(()) => answered += 1,
            Err(failure) => return (answered, vec![failure]),
        }
    }
    (answered, Vec::new())
}

fn client() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into()
}

fn get(client: &ureq::Agent, url: &str) -> Result<(), String> {
    let mut answer = client.get(url).header("host", "traffic.localhost").call().map_err(|error| error.to_string())?;
    let status = answer.status().as_u16();
    let body = answer.body_mut().read_to_string().map_err(|error| format!("{status}, then {error}"))?;
    if status == 200 { Ok(()) } else { Err(format!("{status}: {body}")) }
}
