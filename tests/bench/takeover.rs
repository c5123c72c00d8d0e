//! What a leader's end costs: three masters on three servers of ZooKeeper, 1,000 simulated agents, 10,000 tasks, and a framework that
//! writes every 20 ms. Row c1: leaders killed; row c2: leaders asked to end. The value is the longest time without an acknowledged write.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

mod fsync;
mod report;
#[path = "../takeover/mod.rs"]
mod takeover;

use std::path::PathBuf;
use std::time::Duration;

use attica_core_store::private_postgres::PrivatePostgresOptions;
use fsync::Disk;
use report::{Better, Figure};
use takeover::site::{Site, Strike};
use takeover::{Plan, strike_leaders};

const AGENTS: usize = 1_000;
const TASKS: usize = 10_000;
const SESSION: Duration = Duration::from_secs(2);
/// A takeover has so long beyond the session of the dead leader.
const REACH_BEYOND_SESSION_S: f64 = 1.0;
const REACH_HAND_OVER_S: f64 = 0.5;

/// A row: what happens to leaders, how often, and what is to be reached.
type Row = (&'static str, &'static str, Strike, usize, f64);

const ROWS: [Row; 2] = [
    ("c1", "c1.kill", Strike::Kill, 50, 2.0 + REACH_BEYOND_SESSION_S),
    ("c2", "c2.hand_over", Strike::Ask, 10, REACH_HAND_OVER_S),
];

#[tokio::main]
async fn main() {
    for row in ROWS.into_iter().filter(|(row, ..)| report::is_wanted(row)) {
        let mut figures = Vec::new();
        for disk in fsync::disks(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory").path()) {
            figures.extend(measure(row, &disk).await);
        }
        report::print(&figures);
    }
}

async fn measure((_, name, strike, strikes, reach_s): Row, disk: &Disk) -> [Figure; 2] {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let environment = disk.environment();
    let postgres = move |path: PathBuf| PrivatePostgresOptions { environment, ..PrivatePostgresOptions::new(path) };
    let site = Site::start(directory, SESSION, postgres).await;
    let plan = Plan { agents: AGENTS, tasks: TASKS, strikes, strike, session_timeout: SESSION };
    let outcome = strike_leaders(site, plan).await;
    let mut stalls: Vec<f64> = outcome.stalls.iter().map(Duration::as_secs_f64).collect();
    let longest = stalls.iter().copied().fold(0.0, f64::max);
    stalls.sort_unstable_by(f64::total_cmp);
    let figure = |bench: String, value, reach| Figure {
        bench,
        value,
        unit: "s",
        reach,
        better: Better::Lower,
        fsync_ms: Some(disk.fsync_ms),
    };
    [
        figure(format!("{name}.longest_stall{}", disk.suffix), longest, Some(reach_s)),
        figure(format!("{name}.median_stall{}", disk.suffix), report::median(stalls), None),
    ]
}
