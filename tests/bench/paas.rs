//! The service layer over simulated agents, everything durable: rows b1 to b5, e2 (the list with tasks), i3 (a whole cluster as one
//! group), and ui, the console over as much.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]
#![allow(clippy::print_stderr, reason = "a benchmark says what it leaves out")]

mod fsync;
mod report;
mod roles;
mod simulated;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use fsync::Disk;
use report::{Better, Figure};
use roles::{Role, Site};
use serde_json::{Value, json};
use simulated::SimulatedAgents;

const AGENT_RESOURCES: &str = "cpus:16;mem:65536;disk:100000;ports:[21000-31999]";
/// What the apps of row i3 want of a machine.
const AGENT_ATTRIBUTES: &str = "platform:foo;rack:bax-bar";
const INSTANCES: usize = 500;
const RUNS: usize = 5;
const PUTS: usize = 500;
const APPS_AT_ONCE: usize = 16;
/// What b3 and e2 start: so many apps of so many instances.
const MANY: (usize, usize) = (100, 1_000);
const SINGLE_APPS: usize = 10_000;
const CONNECTIONS: usize = 32;
const PATIENCE: Duration = Duration::from_secs(120);

/// A row: how many agents it needs, and what it measures on a running service layer.
type Row = (&'static str, usize, fn(&Role, &Disk) -> Vec<Figure>);

const ROWS: [Row; 7] = [
    ("b1", 189, b1),
    ("b2", 189, b2),
    ("b3", 1_000, b3),
    ("b4", 189, b4),
    ("b5", 189, b5),
    ("e2", 1_000, e2),
    ("i3", 189, i3),
];

/// What the console shows in row ui.
const TEAMS: [&str; 10] = ["shop", "search", "ads", "billing", "media", "maps", "mail", "ops", "data", "edge"];
const KINDS: [&str; 10] = ["web", "api", "worker", "cache", "queue", "index", "gateway", "batch", "proxy", "stream"];
const SHOWN_MACHINES: usize = 400;
/// One app has many instances, the others have few.
const SHOWN_APPS: usize = 1_000;
const SHOWN_INSTANCES: (usize, usize) = (2_000, 8);

#[tokio::main]
async fn main() {
    for row in ROWS.into_iter().filter(|(row, ..)| report::is_wanted(row)) {
        let mut figures = Vec::new();
        for disk in fsync::disks(roles::directory().path()) {
            figures.extend(measure(row, &disk).await);
        }
        report::print(&figures);
    }
    if report::is_wanted("ui") {
        let directory = roles::directory();
        let [_, plain] = fsync::disks(directory.path());
        report::print(&measure(("ui", SHOWN_MACHINES, ui), &plain).await);
    }
}

async fn measure((_, agents, row): Row, disk: &Disk) -> Vec<Figure> {
    let directory = roles::directory();
    let site = Site::new(directory.path(), disk).await;
    let master = site.start("master", "master", &["--listen", "127.0.0.1:0"]);
    let _agents = SimulatedAgents::register_as(&master.address, agents, AGENT_RESOURCES, AGENT_ATTRIBUTES).await;
    let deployments = SINGLE_APPS.to_string();
    let args = ["--listen", "127.0.0.1:0", "--master", &master.address, "--max-running-deployments", &deployments];
    let paas = site.start("paas", "paas", &args);
    // The client blocks, as clients do; the agents go on meanwhile.
    let disk = disk.clone();
    tokio::task::spawn_blocking(move || row(&paas, &disk)).await.expect("no panic")
}

/// PUT of one app with 500 instances, until all RUNNING are on the event bus.
fn b1(paas: &Role, disk: &Disk) -> Vec<Figure> {
    let running = running_tasks(paas);
    let took_s = (0..RUNS).map(|run| {
        let id = format!("b1-{run}");
        let started = Instant::now();
        put(&ureq::agent(), paas, &id, INSTANCES);
        arrivals_s(&running, started, INSTANCES).last().copied().expect("instances")
    });
    vec![seconds("b1.put_to_running", disk, report::median(took_s.collect()), 0.4)]
}

/// 16 apps with 500 instances each at once: until all are RUNNING, and then a rolling restart of all until every deployment ended.
fn b2(paas: &Role, disk: &Disk) -> Vec<Figure> {
    let running = running_tasks(paas);
    let started = Instant::now();
    at_once(APPS_AT_ONCE, APPS_AT_ONCE, |client, app| put(client, paas, &format!("b2-{app}"), INSTANCES));
    let created_s = arrivals_s(&running, started, APPS_AT_ONCE * INSTANCES).last().copied().expect("instances");

    let succeeded = events(paas, "deployment_success", "");
    let started = Instant::now();
    at_once(APPS_AT_ONCE, APPS_AT_ONCE, |client, app| {
        let url = format!("http://{}/v2/apps//b2-{app}/restart?force=true", paas.address);
        let answer = client.post(url).send_empty().expect("the restart is taken");
        assert!(answer.status().is_success());
    });
    let restarted_s = arrivals_s(&succeeded, started, APPS_AT_ONCE).last().copied().expect("deployments");
    vec![seconds("b2.create", disk, created_s, 2.5), seconds("b2.rolling_restart", disk, restarted_s, 6.0)]
}

/// 100,000 instances, and whether the last tenth comes as fast as the first one.
fn b3(paas: &Role, disk: &Disk) -> Vec<Figure> {
    rates("b3", disk, &start_many(paas), 4_000.0).into()
}

/// When each of 100,000 instances was running, in seconds after the first PUT.
fn start_many(paas: &Role) -> Vec<f64> {
    let (apps, instances) = MANY;
    let running = running_tasks(paas);
    let started = Instant::now();
    at_once(CONNECTIONS, apps, |client, app| put(client, paas, &format!("many-{app}"), instances));
    arrivals_s(&running, started, apps * instances)
}

/// The list of all apps with all of 100,000 tasks, after something changed in it.
fn e2(paas: &Role, disk: &Disk) -> Vec<Figure> {
    start_many(paas);
    let client = ureq::agent();
    let took_ms = (0..RUNS).map(|run| {
        put(&client, paas, &format!("e2-{run}"), 0);
        let started = Instant::now();
        let answer = client.get(format!("http://{}/v2/apps?embed=apps.tasks", paas.address)).call().expect("a list");
        std::io::copy(&mut answer.into_body().into_reader(), &mut std::io::sink()).expect("read");
        started.elapsed().as_secs_f64() * 1e3
    });
    let value = report::median(took_ms.collect());
    let bench = format!("e2.tasks{}", disk.suffix);
    vec![Figure { bench, value, unit: "ms", reach: Some(400.0), better: Better::Lower, fsync_ms: Some(disk.fsync_ms) }]
}

/// 10,000 apps of one instance, one PUT each over 32 connections.
fn b4(paas: &Role, disk: &Disk) -> Vec<Figure> {
    let running = running_tasks(paas);
    let started = Instant::now();
    at_once(CONNECTIONS, SINGLE_APPS, |client, app| put(client, paas, &format!("b4-{app}"), 1));
    let arrivals_s = arrivals_s(&running, started, SINGLE_APPS);
    let [_, law] = rates("b4", disk, &arrivals_s, 0.0);
    vec![seconds("b4.apps", disk, arrivals_s.last().copied().expect("instances"), 15.0), law]
}

fn seconds(bench: &str, disk: &Disk, value: f64, reach: f64) -> Figure {
    let bench = format!("{bench}{}", disk.suffix);
    Figure { bench, value, unit: "s", reach: Some(reach), better: Better::Lower, fsync_ms: Some(disk.fsync_ms) }
}

/// The rate over all, and that of the last tenth against that of the first.
fn rates(row: &str, disk: &Disk, arrivals_s: &[f64], reach: f64) -> [Figure; 2] {
    let count = arrivals_s.len();
    let tenth_s = |from: usize, to: usize| arrivals_s[to - 1] - arrivals_s[from];
    let law = tenth_s(0, count / 10) / tenth_s(count - count / 10, count);
    let figure = |name: &str, value, unit, reach| Figure {
        bench: format!("{row}.{name}{}", disk.suffix),
        value,
        unit,
        reach: Some(reach),
        better: Better::Higher,
        fsync_ms: Some(disk.fsync_ms),
    };
    let rate = count as f64 / arrivals_s[count - 1];
    [figure("rate", rate, "tasks/s", reach), figure("last_tenth_to_first", law, "", 0.9)]
}

/// The acknowledgement of one PUT, p99.
fn b5(paas: &Role, disk: &Disk) -> Vec<Figure> {
    let client = ureq::agent();
    let mut took_ms: Vec<f64> = (0..PUTS)
        .map(|run| {
            let started = Instant::now();
            put(&client, paas, &format!("b5-{run}"), 0);
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    took_ms.sort_unstable_by(f64::total_cmp);
    let value = took_ms[PUTS * 99 / 100];
    let bench = format!("b5.put.p99{}", disk.suffix);
    let reach = 2.0 * disk.fsync_ms + 5.0;
    vec![Figure { bench, value, unit: "ms", reach: Some(reach), better: Better::Lower, fsync_ms: Some(disk.fsync_ms) }]
}

/// A public cluster of 1,000 apps in one PUT of the root group, one instance each: until its deployment is planned and begun, and until all
/// are RUNNING.
fn i3(paas: &Role, disk: &Disk) -> Vec<Figure> {
    let shared = std::env::var_os("ATTICA_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let Ok(text) = std::fs::read_to_string(shared.join("data/marathon/real/155_1000.json")) else {
        eprintln!("i3 is skipped: no real/155_1000.json in {} (set ATTICA_SHARED)", shared.display());
        return Vec::new();
    };
    let mut cluster: Value = serde_json::from_str(&text).expect("JSON");
    let apps = with_one_instance_each(&mut cluster);
    let running = running_tasks(paas);
    let started = Instant::now();
    let answer = ureq::put(format!("http://{}/v2/groups", paas.address))
        .header("content-type", "application/json")
        .send(cluster.to_string())
        .expect("the group is taken");
    assert!(answer.status().is_success());
    let planned_s = started.elapsed().as_secs_f64();
    let running_s = arrivals_s(&running, started, apps).last().copied().expect("instances");
    vec![seconds("i3.planned", disk, planned_s, 2.0), seconds("i3.running", disk, running_s, 10.0)]
}

/// How many apps there are.
fn with_one_instance_each(group: &mut Value) -> usize {
    let mut count = 0;
    for app in group["apps"].as_array_mut().into_iter().flatten() {
        app["instances"] = json!(1);
        count += 1;
    }
    count + group["groups"].as_array_mut().into_iter().flatten().map(with_one_instance_each).sum::<usize>()
}

/// The console with 10,000 instances, in a real browser: what the check of its size says.
fn ui(paas: &Role, _: &Disk) -> Vec<Figure> {
    let running = running_tasks(paas);
    let started = Instant::now();
    let instances = |app| if app == 0 { SHOWN_INSTANCES.0 } else { SHOWN_INSTANCES.1 };
    at_once(CONNECTIONS, SHOWN_APPS, |client, app| {
        let (team, kind) = (TEAMS[app % TEAMS.len()], KINDS[app / TEAMS.len() % KINDS.len()]);
        put(
            client,
            paas,
            &format!("{team}/{kind}/{kind}-{:02}", app / (TEAMS.len() * KINDS.len()) + 1),
            instances(app),
        );
    });
    arrivals_s(&running, started, (0..SHOWN_APPS).map(instances).sum());
    let check = Command::new("npm")
        .args(["run", "--silent", "size"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/web"))
        .env("ATTICA_URL", format!("http://{}", paas.address))
        .output()
        .expect("npm runs");
    let said = String::from_utf8_lossy(&check.stdout);
    assert!(check.status.success(), "{said}");
    let times_ms = |before: &str| -> Vec<f64> {
        let places = said.match_indices(before).map(|(at, _)| &said[at + before.len()..]);
        places.filter_map(|rest| rest.split_whitespace().next()?.parse().ok()).collect()
    };
    let figure = |name: &str, value, reach| Figure {
        bench: format!("ui.{name}"),
        value,
        unit: "ms",
        reach: Some(reach),
        better: Better::Lower,
        fsync_ms: None,
    };
    let longest_ms = times_ms("the longest ").into_iter().fold(0.0, f64::max);
    vec![
        figure("list_of_apps", times_ms("the list of apps ")[0], 1_000.0),
        figure("first_paint", times_ms("first paint ")[0], 1_000.0),
        figure("longest_task", longest_ms, 100.0),
    ]
}

fn put(client: &ureq::Agent, paas: &Role, id: &str, instances: usize) {
    let app = json!({
        "cmd": "sleep 1000", "instances": instances, "cpus": 0.01, "mem": 16,
        "upgradeStrategy": {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.5},
    });
    let answer = client
        .put(format!("http://{}/v2/apps//{id}", paas.address))
        .header("content-type", "application/json")
        .send(app.to_string())
        .expect("the app is taken");
    assert!(answer.status().is_success());
}

/// Does `count` numbered things over so many connections.
fn at_once(connections: usize, count: usize, thing: impl Fn(&ureq::Agent, usize) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                let client = ureq::agent();
                loop {
                    match next.fetch_add(1, Ordering::Relaxed) {
                        number if number < count => thing(&client, number),
                        _ => return,
                    }
                }
            });
        }
    });
}

/// When each of the next `count` messages came, in seconds after the start.
fn arrivals_s(messages: &mpsc::Receiver<Instant>, started: Instant, count: usize) -> Vec<f64> {
    let arrivals = (0..count).map(|_| messages.recv_timeout(PATIENCE).expect("all of them come"));
    arrivals.map(|at| at.duration_since(started).as_secs_f64()).collect()
}

/// One message for each TASK_RUNNING on the event bus from now on.
fn running_tasks(paas: &Role) -> mpsc::Receiver<Instant> {
    events(paas, "status_update_event", "\"taskStatus\":\"TASK_RUNNING\"")
}

/// One message for each of these events on the bus from now on whose text contains `part`.
fn events(paas: &Role, event_type: &str, part: &'static str) -> mpsc::Receiver<Instant> {
    let url = format!("http://{}/v2/events?event_type={event_type}", paas.address);
    let answer = ureq::get(url).header("accept", "text/event-stream").call().expect("an event stream");
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let lines = BufReader::with_capacity(1 << 20, answer.into_body().into_reader()).lines();
        for line in lines.map_while(Result::ok).filter(|line| line.starts_with("data:")) {
            if line.contains(part) && sender.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    receiver
}
