//! The config language in process: the public cases, one job, a large task, the grammar alone, ten thousand jobs.

#![allow(clippy::expect_used, reason = "a benchmark that cannot go on ends")]
#![allow(clippy::print_stderr, reason = "a benchmark says what it leaves out")]

mod report;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use attica_dsl::Host;
use attica_dsl::job::Digests;
use attica_dsl::load::{self, Options};
use report::{Better, Figure, is_wanted, median};
use serde_json::Value as Json;

const RUNS: usize = 5;

fn main() {
    if is_wanted("i1") {
        report::print(&i1());
    }
}

fn figure(name: &str, value: f64, unit: &'static str, reach: f64, better: Better) -> Figure {
    Figure { bench: format!("i1.{name}"), value, unit, reach: Some(reach), better, fsync_ms: None }
}

/// The middle of the times `run` takes, in milliseconds, after one run that warms up.
fn median_ms(mut run: impl FnMut()) -> f64 {
    run();
    let times = (0..RUNS).map(|_| {
        let started = Instant::now();
        run();
        started.elapsed().as_secs_f64() * 1e3
    });
    median(times.collect())
}

fn i1() -> Vec<Figure> {
    let mut figures = Vec::new();
    let shared = std::env::var_os("ATTICA_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let data = shared.join("data/aurora");
    if data.is_dir() {
        figures.push(figure("public_cases", public_cases(&data), "ms", 300.0, Better::Lower));
    } else {
        eprintln!("i1.public_cases is skipped: no {} (set ATTICA_SHARED)", data.display());
    }
    let job = typical_job();
    figures.push(figure("typical_job", median_ms(|| read(&job, 1)), "ms", 2.0, Better::Lower));
    let processes = large_task(1000);
    figures.push(figure("thousand_processes", median_ms(|| read(&processes, 1)), "ms", 50.0, Better::Lower));
    let text = corpus(&data);
    let ms = median_ms(|| assert!(attica_dsl::recognise(&text), "the corpus is in the language"));
    figures.push(figure("grammar", text.len() as f64 / 1e6 / (ms / 1e3), "MB/s", 20.0, Better::Higher));
    let jobs = many_jobs(10_000);
    figures.push(figure("ten_thousand_jobs", median_ms(|| read(&jobs, 10_000)), "ms", 1000.0, Better::Lower));
    figures
}

fn read(text: &str, jobs: usize) {
    let configuration = load::text_of("bench.aurora", None, text, &Options::default());
    assert!(!configuration.has_errors(), "{}", attica_dsl::config::findings(&configuration));
    assert_eq!(configuration.jobs.len(), jobs);
}

fn public_cases(data: &Path) -> f64 {
    let cases = std::fs::read(data.join("cases.json")).expect("the cases are there");
    let cases: Vec<Json> = serde_json::from_slice(&cases).expect("the cases are JSON");
    let prepared: Vec<(PathBuf, Options)> = cases
        .iter()
        .map(|case| {
            let binds =
                case["bindings"].as_array().into_iter().flatten().filter_map(|bind| bind.as_str()?.split_once('='));
            let options = Options {
                binds: binds.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
                is_json: case["json_config"] == true,
                digests: Digests::TagHash,
                host: Host::new(
                    vec![("USER".to_owned(), "vagrant".to_owned())],
                    vec![("/vagrant".into(), data.join("files/_fixtures/vagrant"))],
                ),
                job: case["job"].as_str().map(str::to_owned),
            };
            (data.join("files").join(case["file"].as_str().expect("each case has a file")), options)
        })
        .collect();
    median_ms(|| {
        for (file, options) in &prepared {
            let configuration = load::file(file, options).expect("the file can be read");
            std::hint::black_box(attica_dsl::config::to_json(&configuration));
        }
    })
}

fn typical_job() -> String {
    "class Profile(Struct):
  version = Default(String, 'live')
  heap    = Default(Integer, 512)

fetch = Process(name = 'fetch', cmdline = 'curl -O https://packages/{{profile.version}}/app.jar', max_failures = 3)
run = Process(name = 'run', cmdline = 'java -Xmx{{profile.heap}}m -jar app.jar -port {{thermos.ports[http]}} -shard {{mesos.instance}}')
task = SequentialTask(name = 'app', processes = [fetch, run], resources = Resources(cpu = 0.5, ram = 1*GB, disk = 1*GB))
jobs = [Service(cluster = 'east', role = 'www', environment = 'prod', name = 'app', instances = 20, task = task,
                announce = Announcer(), constraints = {'host': 'limit:1'}).bind(profile = Profile(heap = 1024))]
"
    .to_owned()
}

fn large_task(processes: usize) -> String {
    format!(
        "ps = [Process(name = 'p%03d' % n, cmdline = 'run --of {{{{role}}}} --on {{{{thermos.ports[http]}}}} --shard %d' % n) for n in range({processes})]
task = Task(name = 'large', processes = ps, constraints = [Constraint(order = [a.name(), b.name()]) for a, b in zip(ps, ps[1:])],
            resources = Resources(cpu = 1, ram = 1*GB, disk = 1*GB))
jobs = [Job(cluster = 'c', role = 'r', environment = 'prod', task = task)]
"
    )
}

fn many_jobs(jobs: usize) -> String {
    format!(
        "run = Process(name = 'run', cmdline = 'serve --shard {{{{n}}}} --port {{{{thermos.ports[http]}}}}')
task = Task(processes = [run], resources = Resources(cpu = 1, ram = 1*GB, disk = 1*GB))
job = Service(cluster = 'c', role = 'r', environment = 'prod', task = task)
jobs = [job(name = 'j%05d' % n).bind(n = n) for n in range({jobs})]
"
    )
}

/// The public files, or else our own examples, one behind the other until they are a megabyte.
fn corpus(data: &Path) -> String {
    let mut text = String::new();
    let public = ["files/apache__aurora/head", "files/docs"].map(|directory| data.join(directory));
    let own = [Path::new(env!("CARGO_MANIFEST_DIR")).join("dsl/examples")];
    let directories: &[PathBuf] = if data.is_dir() { &public } else { &own };
    for directory in directories {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        files.sort();
        for file in files {
            let part = std::fs::read_to_string(&file).unwrap_or_default();
            if attica_dsl::recognise(&part) {
                let _ = writeln!(text, "{part}");
            }
        }
    }
    assert!(!text.is_empty(), "there are configurations to read");
    text.repeat((1 << 20) / text.len() + 1)
}
