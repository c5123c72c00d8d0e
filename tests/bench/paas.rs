//! The service layer over simulated agents, everything durable: rows b1 and b5.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

mod fsync;
mod report;
mod roles;
mod simulated;

use std::io::{BufRead, BufReader};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use fsync::Disk;
use report::{Better, Figure};
use roles::{Role, Site};
use serde_json::json;
use simulated::SimulatedAgents;

const AGENTS: usize = 189;
const AGENT_RESOURCES: &str = "cpus:16;mem:65536;disk:100000;ports:[21000-31999]";
const INSTANCES: usize = 500;
const RUNS: usize = 5;
const PUTS: usize = 500;
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() {
    for row in ["b1", "b5"].into_iter().filter(|row| report::is_wanted(row)) {
        let mut figures = Vec::new();
        for disk in fsync::disks(roles::directory().path()) {
            figures.extend(measure(row, &disk).await);
        }
        report::print(&figures);
    }
}

async fn measure(row: &str, disk: &Disk) -> Vec<Figure> {
    let directory = roles::directory();
    let site = Site::new(directory.path(), disk).await;
    let master = site.start("master", "master", &["--listen", "127.0.0.1:0"]);
    let _agents = SimulatedAgents::register(&master.address, AGENTS, AGENT_RESOURCES).await;
    let paas = site.start("paas", "paas", &["--listen", "127.0.0.1:0", "--master", &master.address]);
    // The client blocks, as clients do; the agents go on meanwhile.
    let (row, disk) = (row.to_owned(), disk.clone());
    tokio::task::spawn_blocking(move || if row == "b1" { vec![b1(&paas, &disk)] } else { vec![b5(&paas, &disk)] })
        .await
        .expect("no panic")
}

/// PUT of one app with 500 instances, until all RUNNING are on the event bus.
fn b1(paas: &Role, disk: &Disk) -> Figure {
    let running = running_tasks(paas);
    let took_s = (0..RUNS).map(|run| {
        let id = format!("b1-{run}");
        let started = Instant::now();
        put(paas, &id, INSTANCES);
        for _ in 0..INSTANCES {
            running.recv_timeout(PATIENCE).expect("all instances run");
        }
        started.elapsed().as_secs_f64()
    });
    let value = report::median(took_s.collect());
    let bench = format!("b1.put_to_running{}", disk.suffix);
    Figure { bench, value, unit: "s", reach: Some(0.4), better: Better::Lower, fsync_ms: Some(disk.fsync_ms) }
}

/// The acknowledgement of one PUT, p99.
fn b5(paas: &Role, disk: &Disk) -> Figure {
    let mut took_ms: Vec<f64> = (0..PUTS)
        .map(|run| {
            let started = Instant::now();
            put(paas, &format!("b5-{run}"), 0);
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    took_ms.sort_unstable_by(f64::total_cmp);
    let value = took_ms[PUTS * 99 / 100];
    let bench = format!("b5.put.p99{}", disk.suffix);
    let reach = 2.0 * disk.fsync_ms + 5.0;
    Figure { bench, value, unit: "ms", reach: Some(reach), better: Better::Lower, fsync_ms: Some(disk.fsync_ms) }
}

fn put(paas: &Role, id: &str, instances: usize) {
    let app = json!({"cmd": "sleep 1000", "instances": instances, "cpus": 0.01, "mem": 16});
    let answer = ureq::put(format!("http://{}/v2/apps//{id}", paas.address))
        .header("content-type", "application/json")
        .send(app.to_string())
        .expect("the app is taken");
    assert!(answer.status().is_success());
}

/// One message for each TASK_RUNNING on the event bus from now on.
fn running_tasks(paas: &Role) -> mpsc::Receiver<()> {
    let url = format!("http://{}/v2/events?event_type=status_update_event", paas.address);
    let answer = ureq::get(url).header("accept", "text/event-stream").call().expect("an event stream");
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(answer.into_body().into_reader()).lines();
        for line in lines.map_while(Result::ok).filter(|line| line.starts_with("data:")) {
            if line.contains("\"taskStatus\":\"TASK_RUNNING\"") && sender.send(()).is_err() {
                return;
            }
        }
    });
    receiver
}
