//! One real agent with real tasks in real cgroups, under a master over a durable Postgres: rows f1 to f4, and i4.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops at what it did not expect"
)]

mod fsync;
mod image;
mod report;
mod roles;

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use attica_allocator::Role as AllocationRole;
use attica_core_api::client::{self, Calls, Config, Signal, Signals};
use attica_core_api::resources;
use attica_core_api::v1::{
    CommandInfo, ContainerInfo, ContainerType, DockerImage, Filters, FrameworkInfo, Image, ImageType, LaunchOperation,
    MesosInfo, Offer, OfferOperation, OfferOperationType, TaskId, TaskInfo, TaskState, TaskStatus,
};
use fsync::Disk;
use futures_util::StreamExt;
use nix::sys::signal::{Signal as UnixSignal, kill};
use nix::unistd::Pid;
use report::{Better, Figure};
use roles::{Role, Site};
use tokio::task::JoinSet;

const TASKS: usize = 1000;
/// A framework that waited for each answer would measure the disk.
const KILLS_IN_FLIGHT: usize = 64;
const SINGLE_LAUNCHES: usize = 100;
const IDLE_TASKS: usize = 3000;
/// So long agent and launcher are watched while nothing happens.
const IDLE: Duration = Duration::from_secs(20);
/// What they may hold together: so much, and so much for each task.
const IDLE_MIB: f64 = 20.0;
const IDLE_TASK_KIB: f64 = 8.0;
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() {
    let directory = roles::directory();
    let disks = fsync::disks(directory.path());
    for row in ["f1", "f2", "f3", "f4", "i4"].into_iter().filter(|row| report::is_wanted(row)) {
        let mut figures = Vec::new();
        // What is held and done while nothing is written does not depend on the disk.
        for disk in disks.iter().take(if row == "f3" { 1 } else { disks.len() }) {
            figures.extend(measure(row, disk).await);
        }
        report::print(&figures);
    }
}

async fn measure(row: &str, disk: &Disk) -> Vec<Figure> {
    let directory = roles::directory();
    let site = Site::new(directory.path(), disk).await;
    let master = site.start("master", "master", &["--listen", "127.0.0.1:0"]);
    let mut agent = start_agent(&site, &master, "0");
    let mut framework = Framework::subscribe(&master.address).await;
    let figures = match row {
        "f1" => f1(&mut framework, disk).await,
        "f2" => f2(&mut framework, disk).await,
        "f3" => f3(&mut framework, &site).await,
        "i4" => i4(&mut framework, disk, directory.path()).await,
        _ => f4(&mut framework, disk, &mut agent, &site, &master).await,
    };
    framework.end(&site).await;
    figures
}

fn figure(name: &str, disk: &Disk, value: f64, unit: &'static str, reach: f64, better: Better) -> Figure {
    let bench = format!("{name}{}", disk.suffix);
    Figure { bench, value, unit, reach: Some(reach), better, fsync_ms: Some(disk.fsync_ms) }
}

fn start_agent(site: &Site<'_>, master: &Role, port: &str) -> Role {
    let work_dir = site.directory().join("agent");
    let resources = "cpus:4000;mem:400000;disk:400000;ports:[21000-31999]";
    let work_dir = work_dir.to_str().expect("a path in UTF-8");
    let args = ["--port", port, "--master", &master.address, "--work-dir", work_dir, "--resources", resources];
    site.start("agent", "agent", &args)
}

/// 1,000 command tasks with cpu, memory and pids limits: until all are RUNNING, until all are killed.
async fn f1(framework: &mut Framework, disk: &Disk) -> Vec<Figure> {
    let offer = framework.offer().await;
    let tasks: Vec<TaskInfo> = (0..TASKS).map(|number| task(&format!("f1-{number}"), "sleep 100000", &offer)).collect();
    let started = Instant::now();
    framework.launch(&offer, tasks).await;
    framework.until_all(TaskState::Running, (0..TASKS).map(|number| format!("f1-{number}"))).await;
    let launched = TASKS as f64 / started.elapsed().as_secs_f64();

    let started = Instant::now();
    let (calls, agent_id) = (framework.calls.clone(), offer.agent_id.clone());
    let kills = (0..TASKS).map(move |number| {
        let (calls, agent_id) = (calls.clone(), agent_id.clone());
        async move { calls.kill(TaskId::new(format!("f1-{number}")), Some(agent_id)).await.expect("KILL") }
    });
    let kills = tokio::spawn(futures_util::stream::iter(kills).buffer_unordered(KILLS_IN_FLIGHT).count());
    framework.until_all(TaskState::Killed, (0..TASKS).map(|number| format!("f1-{number}"))).await;
    kills.await.expect("kills");
    let killed = TASKS as f64 / started.elapsed().as_secs_f64();
    vec![
        figure("f1.launch", disk, launched, "tasks/s", 1000.0, Better::Higher),
        figure("f1.kill", disk, killed, "tasks/s", 1000.0, Better::Higher),
    ]
}

/// ACCEPT to TASK_RUNNING, one at a time.
async fn f2(framework: &mut Framework, disk: &Disk) -> Vec<Figure> {
    let mut took_ms = Vec::new();
    for number in 0..SINGLE_LAUNCHES {
        took_ms.push(framework.launch_alone(&format!("f2-{number}"), None).await);
    }
    let reach = 2.0 * disk.fsync_ms + 8.0;
    vec![figure("f2.accept_to_running.p50", disk, report::median(took_ms), "ms", reach, Better::Lower)]
}

/// ACCEPT to TASK_RUNNING of an image that is here, against a command of the machine's, in turn.
async fn i4(framework: &mut Framework, disk: &Disk, directory: &Path) -> Vec<Figure> {
    let image = image::serve(directory);
    framework.launch_alone("i4-first", Some(&image)).await;
    let (mut plain_ms, mut image_ms) = (Vec::new(), Vec::new());
    for number in 0..SINGLE_LAUNCHES {
        plain_ms.push(framework.launch_alone(&format!("i4-plain-{number}"), None).await);
        image_ms.push(framework.launch_alone(&format!("i4-image-{number}"), Some(&image)).await);
    }
    let (plain_ms, image_ms) = (report::median(plain_ms), report::median(image_ms));
    vec![
        figure("i4.image_against_plain", disk, image_ms / plain_ms, "times", 1.5, Better::Lower),
        Figure { reach: None, ..figure("i4.image.p50", disk, image_ms, "ms", 0.0, Better::Lower) },
        Figure { reach: None, ..figure("i4.plain.p50", disk, plain_ms, "ms", 0.0, Better::Lower) },
    ]
}

/// 3,000 tasks that sleep: what agent and launcher hold, and what they do meanwhile, in percent of one processor.
async fn f3(framework: &mut Framework, site: &Site<'_>) -> Vec<Figure> {
    let offer = framework.offer().await;
    let names = (0..IDLE_TASKS).map(|number| format!("f3-{number}"));
    let tasks = names.clone().map(|name| task(&name, "sleep 100000", &offer)).collect();
    framework.launch(&offer, tasks).await;
    framework.until_all(TaskState::Running, names).await;
    framework.acknowledged().await;

    let pids = processes_below(site.directory());
    let used = || pids.iter().map(|pid| processor_seconds(*pid)).sum::<f64>();
    let before = used();
    tokio::time::sleep(IDLE).await;
    let busy = (used() - before) / IDLE.as_secs_f64() * 100.0;
    let held_mib = pids.iter().map(|pid| proportional_kib(*pid)).sum::<f64>() / 1024.0;
    let figure = |bench: &str, value, unit, reach| Figure {
        bench: bench.to_owned(),
        value,
        unit,
        reach: Some(reach),
        better: Better::Lower,
        fsync_ms: None,
    };
    let reach_mib = IDLE_MIB + IDLE_TASK_KIB * IDLE_TASKS as f64 / 1024.0;
    vec![figure("f3.idle_cpu", busy, "%", 2.0), figure("f3.memory", held_mib, "MiB", reach_mib)]
}

/// The agent is killed with 1,000 live tasks: until all are known again, and how many are lost.
async fn f4(framework: &mut Framework, disk: &Disk, agent: &mut Role, site: &Site<'_>, master: &Role) -> Vec<Figure> {
    let offer = framework.offer().await;
    let tasks: Vec<TaskInfo> = (0..TASKS).map(|number| task(&format!("f4-{number}"), "sleep 100000", &offer)).collect();
    framework.launch(&offer, tasks).await;
    framework.until_all(TaskState::Running, (0..TASKS).map(|number| format!("f4-{number}"))).await;

    let (_, port) = agent.address.split_once(':').expect("ip:port");
    let port = port.to_owned();
    agent.kill();
    let started = Instant::now();
    *agent = start_agent(site, master, &port);
    // The agent offers what is left of it only once it is registered again, its tasks known.
    framework.forget_offers();
    framework.offer().await;
    let known_again = started.elapsed().as_secs_f64();

    let lost = framework.reconcile(TASKS).await.iter().filter(|status| status.state != TaskState::Running).count();
    vec![
        figure("f4.known_again", disk, known_again, "s", 1.0, Better::Lower),
        figure("f4.lost", disk, lost as f64, "tasks", 0.0, Better::Lower),
    ]
}

fn task(name: &str, command: &str, offer: &Offer) -> TaskInfo {
    let wanted = resources::parse("cpus:0.1;mem:32", &AllocationRole::any()).expect("valid");
    TaskInfo {
        name: name.to_owned(),
        task_id: TaskId::new(name),
        agent_id: offer.agent_id.clone(),
        resources: wanted,
        command: Some(CommandInfo { value: Some(command.to_owned()), ..CommandInfo::default() }),
        ..TaskInfo::default()
    }
}

/// The same task with this image as its root.
fn on_image(task: TaskInfo, image: &str) -> TaskInfo {
    let docker = DockerImage { name: image.to_owned(), ..DockerImage::default() };
    let image = Image { r#type: ImageType::Docker, docker: Some(docker), ..Image::default() };
    let mesos = Some(MesosInfo { image: Some(image) });
    let container = ContainerInfo { r#type: ContainerType::Mesos, mesos, ..ContainerInfo::default() };
    TaskInfo { container: Some(Box::new(container)), ..task }
}

/// A scheduler that acknowledges everything.
struct Framework {
    calls: Calls,
    signals: Signals,
    offers: Vec<Offer>,
    updates: Vec<TaskStatus>,
    /// On their way.
    acknowledgements: JoinSet<()>,
}

impl Framework {
    async fn subscribe(master: &str) -> Framework {
        let info = FrameworkInfo { user: "root".into(), name: "bench".into(), ..FrameworkInfo::default() };
        let (calls, signals) = client::connect(Config::new(vec![master.to_owned()], info));
        Framework { calls, signals, offers: Vec::new(), updates: Vec::new(), acknowledgements: JoinSet::new() }
    }

    async fn step(&mut self) {
        let signal = tokio::time::timeout(PATIENCE, self.signals.next()).await.expect("something happens");
        match signal.expect("the framework is wanted") {
            Signal::Event(event) => {
                self.offers.extend(event.offers.into_iter().flat_map(|offers| offers.offers));
                if let Some(rescind) = event.rescind {
                    self.offers.retain(|offer| offer.id != rescind.offer_id);
                }
                if let Some(update) = event.update {
                    let (calls, status) = (self.calls.clone(), update.status.clone());
                    self.acknowledgements.spawn(async move {
                        // The status comes again otherwise.
                        let _lost = calls.acknowledge(&status).await;
                    });
                    self.updates.push(update.status);
                }
            }
            Signal::Subscribed { .. } | Signal::Disconnected(_) => self.offers.clear(),
            Signal::Refused { text } => panic!("refused: {text}"),
        }
    }

    async fn offer(&mut self) -> Offer {
        while self.offers.is_empty() {
            self.step().await;
        }
        self.offers.remove(0)
    }

    /// Returns when every status so far is acknowledged for good.
    async fn acknowledged(&mut self) {
        while self.acknowledgements.join_next().await.is_some() {}
    }

    fn forget_offers(&mut self) {
        self.offers.clear();
    }

    async fn launch(&mut self, offer: &Offer, tasks: Vec<TaskInfo>) {
        let launch = OfferOperation {
            r#type: Some(OfferOperationType::Launch),
            launch: Some(LaunchOperation { task_infos: tasks }),
            ..OfferOperation::default()
        };
        // What is left of the offer is wanted again at once.
        let filters = Some(Filters { refuse_seconds: 0.0 });
        self.calls.accept(vec![offer.id.clone()], vec![launch], filters).await.expect("ACCEPT");
    }

    /// How many milliseconds it takes from ACCEPT until a task of this name runs, on an image or on the machine's own files.
    async fn launch_alone(&mut self, name: &str, image: Option<&str>) -> f64 {
        let offer = self.offer().await;
        let plain = task(name, "sleep 100000", &offer);
        let task = match image {
            Some(image) => on_image(plain, image),
            None => plain,
        };
        // The commit of what was acknowledged before is no part of this launch.
        self.acknowledged().await;
        let started = Instant::now();
        self.launch(&offer, vec![task]).await;
        self.until_all(TaskState::Running, [name.to_owned()]).await;
        started.elapsed().as_secs_f64() * 1e3
    }

    async fn until_all(&mut self, state: TaskState, names: impl IntoIterator<Item = String>) {
        let mut missing: HashSet<String> = names.into_iter().collect();
        loop {
            for status in self.updates.drain(..) {
                if status.state == state {
                    missing.remove(status.task_id.as_str());
                }
            }
            if missing.is_empty() {
                return;
            }
            self.step().await;
        }
    }

    /// The state of all tasks, as the master knows them.
    async fn reconcile(&mut self, count: usize) -> Vec<TaskStatus> {
        self.updates.clear();
        self.calls.reconcile(Vec::new()).await.expect("RECONCILE");
        while self.updates.len() < count {
            self.step().await;
        }
        std::mem::take(&mut self.updates)
    }

    /// Leaves nothing running: the framework is torn down and the launcher, which outlives the agent, ended.
    async fn end(self, site: &Site<'_>) {
        self.calls.teardown().await.expect("TEARDOWN");
        for pid in processes_below(site.directory()) {
            let _ = kill(Pid::from_raw(pid), UnixSignal::SIGUSR1);
        }
        let deadline = Instant::now() + PATIENCE;
        while !processes_below(site.directory()).is_empty() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// What a process has used of a processor, in seconds.
fn processor_seconds(pid: i32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let fields = stat.rsplit(')').next().expect("a name in parentheses").split_ascii_whitespace();
    // User and system time, the 14th and 15th field of all, in hundredths.
    let ticks: f64 = fields.skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("ticks")).sum();
    ticks / 100.0
}

/// The memory of a process in KiB; what it shares with others is counted in parts.
fn proportional_kib(pid: i32) -> f64 {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("it runs");
    let line = maps.lines().find_map(|line| line.strip_prefix("Pss:")).expect("a proportional set");
    line.split_ascii_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

/// Agent, launcher and tasks: whoever works below the agent's directory.
fn processes_below(directory: &Path) -> Vec<i32> {
    let needle = directory.join("agent");
    let needle = needle.as_os_str().as_encoded_bytes();
    let pids = std::fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let cmdline = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        cmdline.windows(needle.len()).any(|window| window == needle)
    })
    .collect()
}
