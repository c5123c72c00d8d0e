//! The kernel's own thread: takes what waits, lets the kernel decide, hands the result to the writer.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use attica_core_api::{Tick, Timestamp};
use attica_core_store::election::Lease;
use attica_core_store::{Batch, WriterHandle};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::inbox::Inputs;
use super::metrics::Counters;
use super::store_contact::StoreContact;
use super::streams::Streams;
use crate::fact::Fact;
use crate::kernel::{Effects, Kernel, Now, Reply, ReplyTo, Send, View};

/// Inputs that go into one batch at most. The writer puts batches together anyway; this bounds how long the first waits.
const MAX_INPUTS_PER_BATCH: usize = 512;
/// How often the kernel's thread looks whether a store that is away is back.
const STORE_LOOK_MS: u64 = 250;

/// What waits for a batch's facts to be durable.
#[derive(Debug)]
pub(super) struct After {
    pub(super) view: Vec<View>,
    pub(super) sends: Vec<Send>,
    pub(super) replies: Vec<(ReplyTo, Reply)>,
    /// When the batch went to the writer.
    pub(super) submitted: Instant,
}

/// The clocks that the kernel is told of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    pub(super) fn start() -> Clock {
        Clock { start: Instant::now() }
    }

    /// The time since the start of the leader, and the time of day.
    pub(super) fn now(&self) -> Now {
        let tick = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now { tick: Tick(tick), wall: Timestamp::from(SystemTime::now()) }
    }

    fn until(&self, tick: Tick) -> Duration {
        let at = Duration::from_millis(tick.0);
        at.saturating_sub(self.start.elapsed())
    }
}

/// Starts the thread. It ends when `stop` is cancelled, the writer has ended, or the kernel panics; the receiver then fails or
/// resolves.
#[expect(clippy::too_many_arguments, reason = "the thread is where everything of a leader meets")]
pub(super) fn spawn(
    kernel: Kernel,
    inputs: Inputs,
    writer: WriterHandle<Fact, After>,
    lease: Lease,
    streams: Arc<Streams>,
    counters: Arc<Counters>,
    clock: Clock,
    stop: CancellationToken,
) -> std::io::Result<oneshot::Receiver<()>> {
    let (ended, end) = oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    std::thread::Builder::new().name("kernel".to_owned()).spawn(move || {
        runtime.block_on(drive(kernel, inputs, writer, lease, streams, counters, clock, stop));
        // Nobody may be waiting any more.
        let _ = ended.send(());
    })?;
    Ok(end)
}

#[expect(clippy::too_many_arguments, reason = "the same")]
async fn drive(
    mut kernel: Kernel,
    mut inputs: Inputs,
    writer: WriterHandle<Fact, After>,
    lease: Lease,
    streams: Arc<Streams>,
    counters: Arc<Counters>,
    clock: Clock,
    stop: CancellationToken,
) {
    let mut store = StoreContact::new(writer.watch(), lease.clone());
    // The first turn has no input: what was recovered may be waiting already.
    let mut wake = Some(Tick(0));
    loop {
        let mut effects = Effects::default();
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            taken = inputs.next(MAX_INPUTS_PER_BATCH) => match taken {
                Some(taken) => {
                    let now = clock.now();
                    taken.for_each(|input| kernel.apply(now, input, &mut effects));
                }
                None => return,
            },
            () = alarm(&clock, wake) => {}
        }
        let now = clock.now();
        store.news().into_iter().for_each(|news| kernel.apply(now, news, &mut effects));
        let begun = Instant::now();
        kernel.settle(now, &mut effects);
        counters.allocation_runs.add(begun.elapsed());
        let look = store.is_away().then(|| now.tick.after(STORE_LOOK_MS));
        wake = effects.wake.into_iter().chain(look).min();
        match lease.is_current() {
            true => effects.at_once.drain(..).for_each(|send| streams.send(&send)),
            // In doubt nothing is said: the writer holds it back with the rest.
            false => drop(effects.sends.splice(..0, effects.at_once.drain(..))),
        }
        let Some(batch) = batch(effects) else { continue };
        if writer.submit(batch).await.is_err() {
            return;
        }
    }
}

async fn alarm(clock: &Clock, wake: Option<Tick>) {
    match wake {
        Some(tick) => tokio::time::sleep(clock.until(tick)).await,
        None => std::future::pending().await,
    }
}

/// The batch of these effects, unless there are none.
fn batch(effects: Effects) -> Option<Batch<Fact, After>> {
    let Effects { facts, sends, at_once: _, replies, view, wake: _ } = effects;
    let is_empty = facts.is_empty() && sends.is_empty() && replies.is_empty() && view.is_empty();
    (!is_empty).then(|| Batch { facts, after: After { view, sends, replies, submitted: Instant::now() } })
}
