//! Reading the service layer: row e1.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

mod fsync;
mod report;
mod roles;

use std::time::Instant;

use report::{Better, Figure};
use roles::{Role, Site};
use serde_json::json;

/// No master is needed: apps without instances are read like others.
const NO_MASTER: &str = "127.0.0.1:1";
const APPS: usize = 10_000;
const APPS_PER_WRITE: usize = 500;
const READS: usize = 300;

#[tokio::main]
async fn main() {
    if !report::is_wanted("e1") {
        return;
    }
    let directory = roles::directory();
    // Nothing is committed while it is read: one disk is like another.
    let [_, plain] = fsync::disks(directory.path());
    let site = Site::new(directory.path(), &plain).await;
    let paas = site.start("paas", "paas", &["--listen", "127.0.0.1:0", "--master", NO_MASTER]);
    let figures = tokio::task::spawn_blocking(move || e1(&paas)).await.expect("no panic");
    report::print(&figures);
}

/// The list of 10,000 apps, the same again when nothing has changed, and one app.
fn e1(paas: &Role) -> Vec<Figure> {
    let client = ureq::agent();
    for first in (0..APPS).step_by(APPS_PER_WRITE) {
        write(&client, paas, first);
    }
    let list = format!("http://{}/v2/apps", paas.address);
    let one = format!("{list}//bench-1234");
    let answer = client.get(&list).call().expect("an answer");
    let tag = answer.headers()["etag"].to_str().expect("a tag").to_owned();
    let text = answer.into_body().with_config().limit(u64::MAX).read_to_string().expect("a list");
    assert_eq!(text.matches("\"versionInfo\"").count(), APPS);
    vec![
        figure("e1.list.p99", p99_ms(|| read(client.get(&list), 200)), 60.0),
        figure("e1.unchanged.p99", p99_ms(|| read(client.get(&list).header("if-none-match", &tag), 304)), 1.0),
        figure("e1.one.p99", p99_ms(|| read(client.get(&one), 200)), 2.0),
    ]
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

fn p99_ms(mut once: impl FnMut()) -> f64 {
    let mut took_ms: Vec<f64> = (0..READS)
        .map(|_| {
            let started = Instant::now();
            once();
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    took_ms.sort_unstable_by(f64::total_cmp);
    took_ms[READS * 99 / 100]
}

fn figure(bench: &str, value: f64, reach: f64) -> Figure {
    Figure { bench: bench.to_owned(), value, unit: "ms", reach: Some(reach), better: Better::Lower, fsync_ms: None }
}
