//! The engine's own thread: takes what waits, lets the engine decide, hands the result to the writer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use attica_core_api::scheduler::Call;
use attica_core_api::{Now, Tick, Timestamp};
use attica_core_store::{Batch, WriterHandle};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::engine::{Effects, Engine, Input, Recorded, ReplyTo, View};
use crate::http::{Metrics, Pending, WriteOutcome};

/// Inputs that go into one batch at most. The writer puts batches together anyway; this bounds how long the first waits.
const INPUTS_PER_BATCH_MAX: usize = 512;

/// What waits for a batch's facts to be durable.
#[derive(Debug, Default)]
pub(super) struct After {
    pub(super) views: Vec<View>,
    pub(super) calls: Vec<Call>,
    pub(super) replies: Vec<(oneshot::Sender<WriteOutcome>, WriteOutcome)>,
}

/// Where inputs come from.
pub(super) struct Sources {
    pub(super) writes: mpsc::Receiver<Pending>,
    pub(super) scheduler: mpsc::Receiver<Input>,
}

/// The clocks that the engine is told of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The time since the start of the leader, and the time of day.
    pub(super) fn now(&self) -> Now {
        let tick = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now { tick: Tick(tick), wall: Timestamp::from(SystemTime::now()) }
    }

    fn until(&self, tick: Tick) -> Duration {
        Duration::from_millis(tick.0).saturating_sub(self.start.elapsed())
    }
}

/// Starts the thread. It ends when `stop` is cancelled, the writer has ended, or the engine panics; the receiver then fails or
/// resolves.
pub(super) fn spawn(
    engine: Engine,
    sources: Sources,
    writer: WriterHandle<Recorded, After>,
    clock: Clock,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) -> std::io::Result<oneshot::Receiver<()>> {
    let (ended, end) = oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    std::thread::Builder::new().name("engine".to_owned()).spawn(move || {
        let driver = Driver { engine, clock, metrics, waiting: HashMap::new(), next_reply: 0 };
        runtime.block_on(driver.drive(sources, writer, stop));
        // Nobody may be waiting any more.
        let _ = ended.send(());
    })?;
    Ok(end)
}

struct Driver {
    engine: Engine,
    clock: Clock,
    metrics: Arc<Metrics>,
    /// Those who wait for an answer of the current turn.
    waiting: HashMap<ReplyTo, oneshot::Sender<WriteOutcome>>,
    next_reply: u64,
}

impl Driver {
    async fn drive(mut self, mut sources: Sources, writer: WriterHandle<Recorded, After>, stop: CancellationToken) {
        // The first turn has no input: what was recovered may be waiting already.
        let mut wake = Some(Tick(0));
        let mut pending = Vec::new();
        let mut inputs = Vec::new();
        loop {
            let mut effects = Effects::default();
            tokio::select! {
                () = stop.cancelled() => return,
                taken = sources.scheduler.recv_many(&mut inputs, INPUTS_PER_BATCH_MAX), if !sources.scheduler.is_closed() => {
                    tracing::trace!(taken, "events of the master");
                }
                taken = sources.writes.recv_many(&mut pending, INPUTS_PER_BATCH_MAX) => {
                    if taken == 0 {
                        return;
                    }
                }
                () = alarm(&self.clock, wake) => {}
            }
            let now = self.clock.now();
            inputs.drain(..).for_each(|input| self.engine.apply(now, input, &mut effects));
            pending.drain(..).for_each(|write| self.write(now, write, &mut effects));
            self.engine.settle(self.clock.now(), &mut effects);
            self.metrics.set_kills(self.engine.kills());
            wake = effects.wake;
            let Some(batch) = self.batch(effects) else { continue };
            if writer.submit(batch).await.is_err() {
                return;
            }
        }
    }

    fn write(&mut self, now: Now, pending: Pending, effects: &mut Effects) {
        let Pending { write, terms, origin, reply: sender } = pending;
        let reply = ReplyTo(self.next_reply);
        self.next_reply += 1;
        self.waiting.insert(reply, sender);
        let terms = Box::new(terms);
        self.engine.apply(now, Input::Write { write, terms, origin, reply }, effects);
    }

    /// The batch of these effects, unless there are none.
    fn batch(&mut self, effects: Effects) -> Option<Batch<Recorded, After>> {
        let Effects { facts, calls, replies, views, wake: _ } = effects;
        let replies: Vec<_> = replies
            .into_iter()
            .filter_map(|(reply_to, outcome)| Some((self.waiting.remove(&reply_to)?, outcome)))
            .collect();
        let is_empty = facts.is_empty() && calls.is_empty() && replies.is_empty() && views.is_empty();
        (!is_empty).then(|| Batch { facts, after: After { views, calls, replies } })
    }
}

async fn alarm(clock: &Clock, wake: Option<Tick>) {
    match wake {
        Some(tick) => tokio::time::sleep(clock.until(tick)).await,
        None => std::future::pending().await,
    }
}
