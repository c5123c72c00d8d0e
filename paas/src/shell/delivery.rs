//! What happens once a batch is durable, in this order: the read model shows it, event streams carry it, clients are answered, the
//! master is called. So whoever got an answer finds its effect in whatever is read afterwards.

use std::sync::Arc;

use attica_core_store::writer::{CommittedBatches, WriterError};

use super::driver::After;
use super::link::MasterLink;
use super::sealing::Sealing;
use crate::engine::Recorded;
use crate::http::Leading;
use crate::read_model::Fold;

/// Whom the committed batches go to.
pub(super) struct Delivery {
    pub(super) fold: Fold,
    pub(super) leading: Arc<Leading>,
    pub(super) link: MasterLink,
    pub(super) sealing: Sealing,
}

impl Delivery {
    /// Delivers until the writer ends.
    pub(super) async fn run(mut self, mut batches: CommittedBatches<Recorded, After>) -> Result<(), WriterError> {
        while let Some(committed) = batches.recv().await {
            let committed = committed?;
            let After { views, calls, replies } = committed.after;
            self.fold.publish(committed.first, &committed.facts, views, &self.leading.model);
            self.leading.callbacks.publish(self.fold.callbacks());
            self.leading.bus.publish(committed.first, &committed.facts);
            for (client, outcome) in replies {
                // A client that went away needs no answer.
                let _ = client.send(outcome);
            }
            for mut call in calls {
                self.sealing.seal(&mut call, &self.fold.snapshot().secrets);
                self.link.send(call);
            }
        }
        Ok(())
    }
}
