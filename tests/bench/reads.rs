//! Reading the service layer, and what reading costs those who write: rows e1 and e3.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

mod fsync;
mod report;
mod roles;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fsync::Disk;
use report::{Better, Figure};
use roles::{Role, Site};
use serde_json::json;

/// No master is needed: apps without instances are read like others.
const NO_MASTER: &str = "127.0.0.1:1";
const APPS: usize = 10_000;
const APPS_PER_WRITE: usize = 500;
const READS: usize = 300;

/// e3: so many pollers ask for the list, each so often, while so many writes are measured.
const POLLERS: u32 = 50;
const POLL_INTERVAL: Duration = Duration::from_secs(5);
const WRITES: usize = 1_500;

/// A row: what it measures on a service layer with 10,000 apps.
type Row = fn(&Role, &Disk) -> Vec<Figure>;

#[tokio::main]
async fn main() {
    let directory = roles::directory();
    let [slowed, plain] = fsync::disks(directory.path());
    // Nothing is committed while e1 reads: one disk is like another.
    let rows: [(&str, Row, &[Disk]); 2] =
        [("e1", e1, std::slice::from_ref(&plain)), ("e3", e3, &[slowed, plain.clone()])];
    for (_, measure, disks) in rows.into_iter().filter(|(row, ..)| report::is_wanted(row)) {
        let mut figures = Vec::new();
        for disk in disks {
            let directory = roles::directory();
            let site = Site::new(directory.path(), disk).await;
            let paas = site.start("paas", "paas", &["--listen", "127.0.0.1:0", "--master", NO_MASTER]);
            let disk = disk.clone();
            let measured = tokio::task::spawn_blocking(move || {
                fill(&paas);
                measure(&paas, &disk)
            });
            figures.extend(measured.await.expect("no panic"));
        }
        report::print(&figures);
    }
}

/// The list of 10,000 apps, the same again when nothing has changed, and one app.
fn e1(paas: &Role, _: &Disk) -> Vec<Figure> {
    let client = ureq::agent();
    let list = format!("http://{}/v2/apps", paas.address);
    let one = format!("{list}//bench-1234");
    let answer = client.get(&list).call().expect("an answer");
    let tag = answer.headers()["etag"].to_str().expect("a tag").to_owned();
    let text = answer.into_body().with_config().limit(u64::MAX).read_to_string().expect("a list");
    assert_eq!(text.matches("\"versionInfo\"").count(), APPS);
    vec![
        figure("e1.list.p99", p99_ms(READS, |_| read(client.get(&list), 200)), 60.0),
        figure("e1.unchanged.p99", p99_ms(READS, |_| read(client.get(&list).header("if-none-match", &tag), 304)), 1.0),
        figure("e1.one.p99", p99_ms(READS, |_| read(client.get(&one), 200)), 2.0),
    ]
}

/// How much longer an acknowledgement of a PUT takes, p99, while 50 pollers read the whole list again and again.
fn e3(paas: &Role, disk: &Disk) -> Vec<Figure> {
    let client = ureq::agent();
    let put = |attempt: usize| {
        let answer = client
            .put(format!("http://{}/v2/apps//bench-{}?force=true", paas.address, attempt % APPS))
            .header("content-type", "application/json")
            .send(json!({"labels": {"ATTEMPT": attempt.to_string()}}).to_string())
            .expect("the app is taken");
        assert!(answer.status().is_success());
    };
    let alone_ms = p99_ms(WRITES, put);
    let list = format!("http://{}/v2/apps", paas.address);
    let over = AtomicBool::new(false);
    let polled_ms = std::thread::scope(|scope| {
        for poller in 0..POLLERS {
            let (list, over) = (&list, &over);
            scope.spawn(move || {
                let client = ureq::agent();
                std::thread::park_timeout(POLL_INTERVAL / POLLERS * poller);
                while !over.load(Ordering::Relaxed) {
                    read(client.get(list), 200);
                    std::thread::park_timeout(POLL_INTERVAL);
                }
            });
        }
        let polled_ms = p99_ms(WRITES, |attempt| put(WRITES + attempt));
        over.store(true, Ordering::Relaxed);
        polled_ms
    });
    let figure = |name: &str, value, unit, reach| Figure {
        bench: format!("e3.{name}{}", disk.suffix),
        value,
        unit,
        reach,
        better: Better::Lower,
        fsync_ms: Some(disk.fsync_ms),
    };
    vec![
        figure("raised_by", polled_ms / alone_ms, "times", Some(1.5)),
        figure("put.alone.p99", alone_ms, "ms", None),
        figure("put.polled.p99", polled_ms, "ms", None),
    ]
}

/// Brings all apps into the service layer.
fn fill(paas: &Role) {
    let client = ureq::agent();
    for first in (0..APPS).step_by(APPS_PER_WRITE) {
        write(&client, paas, first);
    }
}

fn write(client: &ureq::Agent, paas: &Role, first: usize) {
    let app = |number: usize| {
        json!({"id": format!("/bench-{number}"), "cmd": "serve $PORT0", "instances": 0, "labels": {"HAPROXY_GROUP": "external"},
            "healthChecks": [{"protocol": "HTTP", "path": "/health", "portIndex": 0}]})
    };
    let apps: Vec<_> = (first..first + APPS_PER_WRITE).map(app).collect();
    let answer = client
        .put(format!("http://{}/v2/apps?force=true", paas.address))
        .header("content-type", "application/json")
        .send(json!(apps).to_string())
        .expect("the apps are taken");
    assert!(answer.status().is_success());
}

/// Asks and reads to the end.
fn read(request: ureq::RequestBuilder<ureq::typestate::WithoutBody>, status: u16) {
    let answer = request.call().expect("an answer");
    assert_eq!(answer.status(), status);
    std::io::copy(&mut answer.into_body().into_reader(), &mut std::io::sink()).expect("read");
}

/// How long 99 of 100 times take at most.
fn p99_ms(times: usize, mut once: impl FnMut(usize)) -> f64 {
    let mut took_ms: Vec<f64> = (0..times)
        .map(|attempt| {
            let started = Instant::now();
            once(attempt);
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    took_ms.sort_unstable_by(f64::total_cmp);
    took_ms[times * 99 / 100]
}

fn figure(bench: &str, value: f64, reach: f64) -> Figure {
    Figure { bench: bench.to_owned(), value, unit: "ms", reach: Some(reach), better: Better::Lower, fsync_ms: None }
}
