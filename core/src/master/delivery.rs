//! What happens once a batch is durable, in this order: the read model shows it, event streams carry it, callers are
//! answered. So whoever got an answer finds its effect in whatever is read afterwards.

use std::sync::Arc;

use attica_core_store::writer::{CommittedBatches, WriterError};

use super::driver::After;
use super::metrics::Counters;
use super::streams::Streams;
use super::view::ReadModel;
use super::waiting::Waiting;
use crate::fact::Fact;

/// Whom the committed batches go to.
pub(super) struct Delivery {
    pub(super) model: Arc<ReadModel>,
    pub(super) streams: Arc<Streams>,
    pub(super) waiting: Arc<Waiting>,
    pub(super) counters: Arc<Counters>,
}

impl Delivery {
    /// Delivers until the writer ends.
    pub(super) async fn run(self, mut batches: CommittedBatches<Fact, After>) -> Result<(), WriterError> {
        while let Some(committed) = batches.recv().await {
            let committed = committed?;
            let After { view, sends, replies, submitted } = committed.after;
            if !committed.facts.is_empty() {
                self.counters.store.add(submitted.elapsed());
            }
            self.counters.count_facts(&committed.facts, |agent| self.model.knows_agent(agent));
            view.iter().for_each(|view| self.counters.count_view(view));
            self.model.apply(&committed.facts, &view);
            for send in &sends {
                self.counters.frameworks.count_send(send);
                self.streams.send(send);
            }
            for (reply_to, reply) in replies {
                self.waiting.answer(reply_to, reply);
            }
        }
        Ok(())
    }
}
