//! Durable facts per second through the writer, and how long one commit takes.

#![allow(clippy::expect_used, reason = "a benchmark that cannot go on ends")]

mod fsync;
mod report;

use std::path::Path;
use std::time::Instant;

use attica_core_store::election::{Election, LeaseTime, PostgresElection};
use attica_core_store::private_postgres::{PrivatePostgres, PrivatePostgresOptions};
use attica_core_store::writer::{CommittedBatches, WriterLimits};
use attica_core_store::{Batch, Fact, LeaderRole, Position, Tables, Transaction, Writer, WriterHandle, migrations};
use fsync::Disk;
use report::{Better, Figure};
use tokio_postgres::{Client, Error, Statement};

/// A fact of the size of a task's.
struct Launched {
    task: i64,
}

const PAYLOAD_BYTES: usize = 200;

impl Fact for Launched {
    fn kind(&self) -> &'static str {
        "launched"
    }

    fn version(&self) -> i16 {
        1
    }

    fn encode(&self) -> Vec<u8> {
        let mut payload = vec![b'x'; PAYLOAD_BYTES];
        payload[..8].copy_from_slice(&self.task.to_le_bytes());
        payload
    }
}

/// One row per fact, as for a task.
struct Tasks;

impl Tables<Launched> for Tasks {
    type Statements = Statement;

    async fn prepare(&self, client: &Client) -> Result<Statement, Error> {
        client
            .batch_execute("create table if not exists bench_task (id bigint primary key, state text, info bytea)")
            .await?;
        client.prepare("insert into bench_task select id, 'staging', info from unnest($1::bigint[], $2::bytea[]) as facts (id, info)").await
    }

    fn write<'a>(
        &'a self,
        transaction: &mut Transaction<'a>,
        insert: &'a Statement,
        _first: Position,
        facts: &'a [Launched],
    ) {
        let ids: Vec<i64> = facts.iter().map(|fact| fact.task).collect();
        let info: Vec<Vec<u8>> = facts.iter().map(Launched::encode).collect();
        transaction.execute(insert, [Box::new(ids), Box::new(info)]);
    }
}

struct Bench {
    handle: WriterHandle<Launched, Instant>,
    batches: CommittedBatches<Launched, Instant>,
    tasks: i64,
}

impl Bench {
    fn batch(&mut self, facts: usize) -> Batch<Launched, Instant> {
        let facts = (0..facts).map(|_| {
            self.tasks += 1;
            Launched { task: self.tasks }
        });
        Batch { facts: facts.collect(), after: Instant::now() }
    }

    /// Facts per second when the queue never runs dry.
    async fn rate(&mut self, batches: usize, facts_each: usize) -> f64 {
        let work: Vec<_> = (0..batches).map(|_| self.batch(facts_each)).collect();
        let started = Instant::now();
        let handle = self.handle.clone();
        let submitting = tokio::spawn(async move {
            for batch in work {
                handle.submit(batch).await.expect("the writer runs");
            }
        });
        for _ in 0..batches {
            self.batches.recv().await.expect("a batch").expect("committed");
        }
        submitting.await.expect("submitted");
        (batches * facts_each) as f64 / started.elapsed().as_secs_f64()
    }

    /// From submit to durable, one fact at a time, in milliseconds, sorted.
    async fn latencies_ms(&mut self, count: usize) -> Vec<f64> {
        let mut samples = Vec::with_capacity(count);
        for _ in 0..count {
            let batch = self.batch(1);
            self.handle.submit(batch).await.expect("the writer runs");
            let committed = self.batches.recv().await.expect("a batch").expect("committed");
            samples.push(committed.after.elapsed().as_secs_f64() * 1e3);
        }
        samples.sort_unstable_by(f64::total_cmp);
        samples
    }
}

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() - 1) * percent / 100]
}

async fn median_rate(bench: &mut Bench, batches: usize, facts_each: usize) -> f64 {
    let mut rates = Vec::new();
    for _ in 0..5 {
        rates.push(bench.rate(batches, facts_each).await);
    }
    report::median(rates)
}

async fn measure(directory: &Path, disk: Disk) -> Vec<Figure> {
    let Disk { suffix, fsync_ms, .. } = disk;
    let environment = disk.environment();
    let options = PrivatePostgresOptions {
        environment,
        ..PrivatePostgresOptions::new(directory.join(format!("server{suffix}")))
    };
    let postgres = PrivatePostgres::start(&options).await.expect("Postgres starts");
    let database = postgres.database().clone();
    migrations::migrate(&database).await.expect("the migrations apply");
    let mut election =
        PostgresElection::new(database.clone(), LeaderRole::Master, "bench".to_owned(), LeaseTime::default());
    let leadership = election.campaign().await.expect("nobody else campaigns");
    let (handle, batches) =
        Writer::spawn(database, leadership.lead(), leadership.lease(), Tasks, WriterLimits::default());
    let mut bench = Bench { handle, batches, tasks: 0 };
    bench.rate(100, 10).await; // connects, prepares, makes the first files
    let many = median_rate(&mut bench, 1_000, 100).await;
    let single = median_rate(&mut bench, 50_000, 1).await;
    let latencies = bench.latencies_ms(1_000).await;
    drop(bench);
    leadership.resign().await;
    postgres.stop().await;

    let figure = |name: &str, value, unit, better| Figure {
        bench: format!("store.{name}{suffix}"),
        value,
        unit,
        reach: None,
        better,
        fsync_ms: Some(fsync_ms),
    };
    vec![
        figure("facts_100_per_batch", many, "facts/s", Better::Higher),
        figure("facts_1_per_batch", single, "facts/s", Better::Higher),
        figure("commit_p50", percentile(&latencies, 50), "ms", Better::Lower),
        figure("commit_p99", percentile(&latencies, 99), "ms", Better::Lower),
    ]
}

fn main() {
    if !report::is_wanted("store") {
        return;
    }
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("temporary directory");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("runtime");
    let mut figures = Vec::new();
    for disk in fsync::disks(directory.path()) {
        figures.extend(runtime.block_on(measure(directory.path(), disk)));
    }
    report::print(&figures);
}
