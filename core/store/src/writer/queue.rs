//! What waits to be written, and how it is put together into transactions.

use std::collections::VecDeque;

use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::group::Group;
use super::{Batch, Fact};

/// A batch with its facts encoded.
pub(super) struct Submission<F, A> {
    pub(super) batch: Batch<F, A>,
    pub(super) payloads: Vec<Vec<u8>>,
    pub(super) frames: Vec<Option<Vec<u8>>>,
    /// Held until the batch is committed.
    pub(super) room: Option<OwnedSemaphorePermit>,
}

impl<F: Fact, A> Submission<F, A> {
    pub(super) fn encode(batch: Batch<F, A>) -> Self {
        let payloads = batch.facts.iter().map(Fact::encode).collect();
        let frames = batch.facts.iter().map(Fact::frames).collect();
        Submission { batch, payloads, frames, room: None }
    }

    pub(super) fn bytes(&self) -> usize {
        let payloads = self.payloads.iter().map(Vec::len);
        let frames = self.frames.iter().flatten().map(Vec::len);
        payloads.chain(frames).sum()
    }
}

pub(super) struct Queue<F, A> {
    submissions: mpsc::Receiver<Submission<F, A>>,
    /// Taken from the channel, not yet in a group.
    taken: VecDeque<Submission<F, A>>,
    buffer: Vec<Submission<F, A>>,
    facts_limit: usize,
}

impl<F: Fact, A> Queue<F, A> {
    pub(super) fn new(submissions: mpsc::Receiver<Submission<F, A>>, facts_limit: usize) -> Self {
        Queue { submissions, taken: VecDeque::new(), buffer: Vec::new(), facts_limit }
    }

    /// Everything that waits, in order, up to the limit of a transaction; what comes before the first fact is a group of its own,
    /// because it needs no commit. Waits for the first; `None` at the end. Cancelling loses nothing.
    pub(super) async fn next(&mut self) -> Option<Group<F, A>> {
        if self.taken.is_empty() {
            self.submissions.recv_many(&mut self.buffer, usize::MAX).await;
            self.taken.extend(self.buffer.drain(..));
        }
        let free = self.taken.iter().take_while(|submission| submission.batch.facts.is_empty()).count();
        if free > 0 {
            return Some(Group::of(self.taken.drain(..free)));
        }
        let mut facts = 0;
        let fitting = self.taken.iter().take_while(|submission| {
            let is_first = facts == 0;
            facts += submission.batch.facts.len();
            is_first || facts <= self.facts_limit
        });
        let count = fitting.count();
        (count > 0).then(|| Group::of(self.taken.drain(..count)))
    }
}
