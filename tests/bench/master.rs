//! One master with simulated agents, everything durable. Row m1: status updates per second: tasks launched, each reported running,
//! told to the framework, and acknowledged. Row e2: reading `/state` of a large cluster, and asking `/health` while others read it.
//! Row f2b: a task ended, until its resources are offered again. Row g: what an agent and a running task cost in memory. Row c3: a
//! master that starts over a database with a million running tasks, until it leads.

#![allow(clippy::expect_used, reason = "a benchmark that cannot go on ends")]

mod fsync;
mod report;
mod roles;
mod simulated;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use attica_allocator::Role;
use attica_core_api::client::{Calls, Config, Signal, Signals, connect};
use attica_core_api::http::{Client, Protocol};
use attica_core_api::resources::parse;
use attica_core_api::scheduler::EventType;
use attica_core_api::v1::{
    CommandInfo, FrameworkInfo, LaunchOperation, Offer, OfferOperation, OfferOperationType, TaskId, TaskInfo,
    TaskState, TaskStatus,
};
use bytes::Bytes;
use fsync::Disk;
use http::HeaderMap;
use http_body_util::BodyExt;
use report::{Better, Figure};
use simulated::SimulatedAgents;
use tokio::sync::Semaphore;

/// Agents and tasks of m1.
const UPDATES: (usize, usize) = (100, 20_000);
/// Agents and tasks of g.
const MEMORY: (usize, usize) = (5_000, 100_000);
/// So often f2b has a task end.
const HAND_OVERS: usize = 100;
/// Agents, running tasks and finished tasks of e2.
const STATE: (usize, usize, usize) = (10_000, 100_000, 100_000);
/// Who reads `/state` while `/health` is asked.
const READERS: usize = 5;
/// Agents of c3, each with one task that was launched, and running tasks in all: the others are rows copied from these.
const COLD_START: (usize, usize) = (1_000, 1_000_000);
/// A big cluster's offers wait for their turn longer than a framework is usually given.
const PATIENT: [&str; 4] = ["--listen", "127.0.0.1:0", "--offer-timeout", "1hrs"];
const RESOURCES: &str = "cpus:1000;mem:1000000";
/// Acknowledgements under way at the same time: each waits for its commit, so that few of them would measure the disk.
const ACKNOWLEDGEMENTS: usize = 512;

#[tokio::main]
async fn main() {
    let directory = roles::directory();
    let disks = fsync::disks(directory.path());
    if report::is_wanted("m1") {
        let mut figures = Vec::new();
        for disk in &disks {
            figures.extend(m1(directory.path(), disk).await);
        }
        report::print(&figures);
    }
    if report::is_wanted("f2b") {
        let mut figures = Vec::new();
        for disk in &disks {
            figures.push(f2b(directory.path(), disk).await);
        }
        report::print_beside(&figures, &[("f2b.offered_again", 712.0), ("f2b.offered_again.plain_disk", 712.0)]);
    }
    if report::is_wanted("e2") {
        // So has reading.
        let [_slowed, plain] = &disks;
        report::print(&e2(directory.path(), plain).await);
    }
    if report::is_wanted("c3") {
        // Nothing is written.
        let [_slowed, plain] = &disks;
        report::print(&[c3(directory.path(), plain).await]);
    }
    if report::is_wanted("g") {
        // Memory has nothing to do with the disk: the quicker one will do.
        let [_slowed, plain] = &disks;
        report::print(&g(directory.path(), plain).await);
    }
}

async fn m1(directory: &Path, disk: &Disk) -> [Figure; 2] {
    let place = tempfile::tempdir_in(directory).expect("a directory");
    let site = roles::Site::new(place.path(), disk).await;
    let master = site.start("master", "master", &PATIENT);
    let (agents, tasks) = UPDATES;
    let _agents = SimulatedAgents::register(&master.address, agents, RESOURCES).await;
    let framework = Framework::run(&master.address, agents, tasks).await;
    let state_ms = state_ms(&master.address, tasks).await;
    framework.calls.teardown().await.expect("torn down");
    [
        Figure {
            bench: format!("m1.updates{}", disk.suffix),
            value: tasks as f64 / framework.seconds,
            unit: "updates/s",
            reach: Some(5_000.0),
            better: Better::Higher,
            fsync_ms: Some(disk.fsync_ms),
        },
        Figure {
            bench: format!("m1.state{}", disk.suffix),
            value: state_ms,
            unit: "ms",
            reach: None,
            better: Better::Lower,
            fsync_ms: None,
        },
    ]
}

/// From the agent's word that a task has ended until the offer of what it used is with the framework, with the commit in between. What
/// the framework does meanwhile, acknowledging, is not waited for.
async fn f2b(directory: &Path, disk: &Disk) -> Figure {
    let place = tempfile::tempdir_in(directory).expect("a directory");
    let site = roles::Site::new(place.path(), disk).await;
    let master = site.start("master", "master", &["--listen", "127.0.0.1:0"]);
    let agents = SimulatedAgents::register(&master.address, 1, "cpus:1;mem:32").await;
    let framework = FrameworkInfo { user: "root".into(), name: "again".into(), ..FrameworkInfo::default() };
    let (calls, mut signals) = connect(Config::new(vec![master.address.clone()], framework));
    let (arrived, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
    let arriving = tokio::spawn(async move {
        loop {
            let event = event(&mut signals).await;
            if arrived.send((event, Instant::now())).is_err() {
                return;
            }
        }
    });
    let mut times = Vec::new();
    let mut last: Option<String> = None;
    while times.len() < HAND_OVERS {
        let (event, now) = arrivals.recv().await.expect("an event");
        match event.r#type {
            Some(EventType::Offers) => {
                for offer in event.offers.unwrap_or_default().offers {
                    if let Some(ended) = last.as_ref().and_then(|name| agents.reported(name)) {
                        times.push(now.duration_since(ended).as_secs_f64() * 1e3);
                    }
                    let number = times.len();
                    last = Some(name(number));
                    launch_all(&calls, offer, number).await;
                }
            }
            Some(EventType::Update) => {
                let status = event.update.unwrap_or_default().status;
                calls.acknowledge(&status).await.expect("acknowledged");
                if status.state == TaskState::Running {
                    calls.kill(status.task_id.clone(), status.agent_id.clone()).await.expect("killed");
                }
            }
            _ => {}
        }
    }
    calls.teardown().await.expect("torn down");
    arriving.abort();
    Figure {
        bench: format!("f2b.offered_again{}", disk.suffix),
        value: report::median(times),
        unit: "ms",
        reach: Some(10.0),
        better: Better::Lower,
        fsync_ms: Some(disk.fsync_ms),
    }
}

/// How long reading takes.
async fn e2(directory: &Path, disk: &Disk) -> [Figure; 2] {
    let place = tempfile::tempdir_in(directory).expect("a directory");
    let site = roles::Site::new(place.path(), disk).await;
    let (agents, running, finished) = STATE;
    let kept = finished.to_string();
    let flags = [PATIENT.as_slice(), &["--max-completed-tasks-per-framework", &kept]].concat();
    let master = site.start("master", "master", &flags);
    let _agents = SimulatedAgents::register(&master.address, agents, RESOURCES).await;
    let mut framework = Framework::run(&master.address, agents, running + finished).await;
    framework.end(finished).await;
    let figure = |bench: &str, value, reach| Figure {
        bench: bench.to_owned(),
        value,
        unit: "ms",
        reach: Some(reach),
        better: Better::Lower,
        fsync_ms: None,
    };
    let state_ms = state_ms(&master.address, running + finished).await;
    let health_ms = health_ms(&master.address).await;
    framework.calls.teardown().await.expect("torn down");
    [figure("e2.state", state_ms, 200.0), figure("e2.health", health_ms, 2.0)]
}

/// Asking `/health` while others read `/state`, in milliseconds; the median.
async fn health_ms(master: &str) -> f64 {
    let state: http::Uri = format!("http://{master}/state").parse().expect("an address");
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..READERS {
        let state = state.clone();
        readers.spawn(async move {
            let client = Client::new(Protocol::Http1, Duration::from_secs(60));
            loop {
                let response = client.get(&state, HeaderMap::new()).await.expect("an answer");
                let mut body = response.into_body();
                // What is read is dropped: keeping it would measure this process.
                while let Some(frame) = body.frame().await {
                    frame.expect("a whole body");
                }
            }
        });
    }
    let client = Client::new(Protocol::Http1, Duration::from_secs(60));
    let health = format!("http://{master}/health").parse().expect("an address");
    let mut samples = Vec::new();
    for _ in 0..500 {
        let started = Instant::now();
        let response = client.get(&health, HeaderMap::new()).await.expect("an answer");
        assert!(response.status().is_success());
        drop(response.into_body().collect().await);
        samples.push(started.elapsed().as_secs_f64() * 1e3);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    report::median(samples)
}

/// How long a master takes to lead a cluster that another one has left.
async fn c3(directory: &Path, disk: &Disk) -> Figure {
    let place = tempfile::tempdir_in(directory).expect("a directory");
    let site = roles::Site::new(place.path(), disk).await;
    let mut master = site.start("master", "master", &PATIENT);
    let (agents, tasks) = COLD_START;
    let simulated = SimulatedAgents::register(&master.address, agents, RESOURCES).await;
    let framework = Framework::run(&master.address, agents, agents).await;
    master.kill();
    drop((simulated, framework));
    site.execute(&copies_of_tasks(agents, tasks)).await;

    let started = Instant::now();
    let master = site.start("master", "master", &PATIENT);
    let client = Client::new(Protocol::Http1, Duration::from_secs(60));
    let tasks_of_one = format!("http://{}/tasks?limit=1", master.address).parse().expect("an address");
    while !client.get(&tasks_of_one, HeaderMap::new()).await.is_ok_and(|response| response.status().is_success()) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let seconds = started.elapsed().as_secs_f64();
    let metrics = format!("http://{}/metrics/snapshot", master.address).parse().expect("an address");
    let response = client.get(&metrics, HeaderMap::new()).await.expect("an answer");
    let body = response.into_body().collect().await.expect("a whole body").to_bytes();
    let metrics: serde_json::Value = serde_json::from_slice(&body).expect("metrics");
    assert_eq!(metrics["master/tasks_running"].as_f64(), Some(tasks as f64), "all are known");
    Figure {
        bench: "c3.leads".to_owned(),
        value: seconds,
        unit: "s",
        reach: Some(5.0),
        better: Better::Lower,
        fsync_ms: None,
    }
}

/// Makes `tasks` rows of the `first` ones, whose names say their number with as many digits: a name within a message may change, its
/// length may not.
fn copies_of_tasks(first: usize, tasks: usize) -> String {
    let named = |message: &str| {
        format!(
            "decode(replace(encode({message}, 'hex'), encode(old::bytea, 'hex'), encode(new::bytea, 'hex')), 'hex')"
        )
    };
    let copies = tasks / first - 1;
    format!(
        "insert into task (framework_id, task_id, role, info, state, status, unreachable, sequence, kill, launched_at, completed_at)
         select framework_id, new, role, {}, state, {}, unreachable, sequence, kill, launched_at, completed_at
         from (select task.*, task_id as old, 'update-' || lpad((substr(task_id, 8)::int + copy * {first})::text, 7, '0') as new
               from task, generate_series(1, {copies}) as copy) as copies",
        named("info"),
        named("status"),
    )
}

/// How much the master's memory grows by agents and by their tasks.
async fn g(directory: &Path, disk: &Disk) -> [Figure; 2] {
    let place = tempfile::tempdir_in(directory).expect("a directory");
    let site = roles::Site::new(place.path(), disk).await;
    let master = site.start("master", "master", &PATIENT);
    let (agents, tasks) = MEMORY;
    let empty_kib = master.memory_kib();
    let _agents = SimulatedAgents::register(&master.address, agents, RESOURCES).await;
    let registered_kib = master.memory_kib();
    let framework = Framework::run(&master.address, agents, tasks).await;
    let running_kib = master.memory_kib();
    framework.calls.teardown().await.expect("torn down");
    let figure = |bench: &str, value, reach| Figure {
        bench: bench.to_owned(),
        value,
        unit: "KiB",
        reach: Some(reach),
        better: Better::Lower,
        fsync_ms: None,
    };
    [
        figure("g.task", (running_kib - registered_kib) / tasks as f64, 1.0),
        figure("g.agent", (registered_kib - empty_kib) / agents as f64, 4.0),
    ]
}

/// A framework all of whose tasks run.
struct Framework {
    calls: Calls,
    signals: Signals,
    acknowledging: Arc<Semaphore>,
    /// From the first launch to the last acknowledgement.
    seconds: f64,
}

impl Framework {
    /// Spreads the tasks over the agents, and returns once all of them run and have been acknowledged.
    async fn run(master: &str, agents: usize, tasks: usize) -> Framework {
        let framework = FrameworkInfo { user: "root".into(), name: "updates".into(), ..FrameworkInfo::default() };
        let (calls, mut signals) = connect(Config::new(vec![master.to_owned()], framework));
        let mut started = None;
        let (mut launched, mut running) = (0, 0);
        let acknowledging = Arc::new(Semaphore::new(ACKNOWLEDGEMENTS));
        while running < tasks {
            let event = event(&mut signals).await;
            match event.r#type {
                Some(EventType::Offers) => {
                    started.get_or_insert_with(Instant::now);
                    for offer in event.offers.unwrap_or_default().offers {
                        let count = (tasks / agents).min(tasks - launched);
                        let numbers = launched..launched + count;
                        launched += count;
                        // Whoever waited for each would not read what comes meanwhile, and be cut off.
                        let permit = acknowledging.clone().acquire_owned().await.expect("never closed");
                        let calls = calls.clone();
                        tokio::spawn(async move {
                            launch(&calls, offer, numbers).await;
                            drop(permit);
                        });
                    }
                }
                Some(EventType::Update) => {
                    let status = event.update.unwrap_or_default().status;
                    assert_eq!(status.state, TaskState::Running, "{status:?}");
                    running += 1;
                    acknowledge(&calls, &acknowledging, status).await;
                }
                _ => {}
            }
        }
        settled(&acknowledging).await;
        let seconds = started.expect("offers came").elapsed().as_secs_f64();
        Framework { calls, signals, acknowledging, seconds }
    }

    /// Ends the first tasks, and returns once all of that has been acknowledged.
    async fn end(&mut self, tasks: usize) {
        let calls = self.calls.clone();
        let killing = tokio::spawn(async move {
            let under_way = Arc::new(Semaphore::new(ACKNOWLEDGEMENTS));
            for number in 0..tasks {
                let permit = under_way.clone().acquire_owned().await.expect("never closed");
                let calls = calls.clone();
                tokio::spawn(async move {
                    calls.kill(TaskId::new(name(number)), None).await.expect("killed");
                    drop(permit);
                });
            }
        });
        let mut ended = 0;
        while ended < tasks {
            let event = event(&mut self.signals).await;
            if event.r#type == Some(EventType::Update) {
                ended += 1;
                acknowledge(&self.calls, &self.acknowledging, event.update.unwrap_or_default().status).await;
            }
        }
        killing.await.expect("all killed");
        settled(&self.acknowledging).await;
    }
}

/// Acknowledges beside what goes on.
async fn acknowledge(calls: &Calls, acknowledging: &Arc<Semaphore>, status: TaskStatus) {
    let permit = acknowledging.clone().acquire_owned().await.expect("never closed");
    let calls = calls.clone();
    tokio::spawn(async move {
        calls.acknowledge(&status).await.expect("acknowledged");
        drop(permit);
    });
}

/// Waits until no acknowledgement is under way.
async fn settled(acknowledging: &Semaphore) {
    let all = u32::try_from(ACKNOWLEDGEMENTS).expect("few");
    let _idle = acknowledging.acquire_many(all).await.expect("never closed");
}

/// Reading the whole `/state` with all tasks running, in milliseconds; the median.
async fn state_ms(master: &str, tasks: usize) -> f64 {
    let client = Client::new(Protocol::Http1, Duration::from_secs(60));
    let uri = format!("http://{master}/state").parse().expect("an address");
    let mut samples = Vec::new();
    for _ in 0..21 {
        let started = Instant::now();
        let response = client.get(&uri, HeaderMap::new()).await.expect("an answer");
        // Counted, not kept: to put a hundred megabytes together would measure this process.
        let mut body = response.into_body();
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            bytes += frame.expect("a whole body").data_ref().map_or(0, Bytes::len);
        }
        assert!(bytes > tasks * 100, "{bytes} bytes are too few for all tasks");
        samples.push(started.elapsed().as_secs_f64() * 1e3);
    }
    report::median(samples)
}

async fn event(signals: &mut Signals) -> attica_core_api::scheduler::Event {
    loop {
        match signals.next().await {
            Some(Signal::Event(event)) => return *event,
            Some(Signal::Subscribed { .. }) => {}
            other => panic!("expected an event, got {other:?}"),
        }
    }
}

fn name(number: usize) -> String {
    format!("update-{number:07}")
}

/// Launches one task that uses all of a small agent.
async fn launch_all(calls: &Calls, offer: Offer, number: usize) {
    launch_each(calls, offer, number..number + 1, "cpus:1;mem:32").await;
}

async fn launch(calls: &Calls, offer: Offer, numbers: std::ops::Range<usize>) {
    launch_each(calls, offer, numbers, "cpus:0.01;mem:1").await;
}

async fn launch_each(calls: &Calls, offer: Offer, numbers: std::ops::Range<usize>, each: &str) {
    let resources = parse(each, &Role::any()).expect("valid resources");
    let task = |number| TaskInfo {
        name: "update".into(),
        task_id: TaskId::new(name(number)),
        agent_id: offer.agent_id.clone(),
        resources: resources.clone(),
        command: Some(CommandInfo { value: Some("true".into()), ..CommandInfo::default() }),
        ..TaskInfo::default()
    };
    let operation = OfferOperation {
        r#type: Some(OfferOperationType::Launch),
        launch: Some(LaunchOperation { task_infos: numbers.map(task).collect() }),
        ..OfferOperation::default()
    };
    calls.accept(vec![offer.id.clone()], vec![operation], None).await.expect("accepted");
}
