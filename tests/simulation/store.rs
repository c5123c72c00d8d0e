//! Postgres as the writer sees it: a fence, facts in order, a lease. What is committed stays.

use attica_core::fact::Fact;
use attica_core::snapshot::Snapshot;

use crate::network::Body;

/// How long a lease lasts without renewal.
pub(crate) const LEASE_MS: u64 = 5_000;

/// The database.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) epoch: u64,
    /// The number of facts.
    pub(crate) seq: usize,
    /// The fold of all facts: what a new leader loads.
    pub(crate) snapshot: Snapshot,
    holder: Option<usize>,
    expires_at: u64,
}

/// What a request did.
pub(crate) enum Outcome {
    /// Only the answer matters.
    Answer(Body),
    /// Facts were committed under this epoch.
    Committed(Body, Vec<Fact>),
}

impl Store {
    /// Carries a request of a master out.
    pub(crate) fn serve(&mut self, now: u64, master: usize, request: Body) -> Option<Outcome> {
        match request {
            Body::Campaign => {
                if self.holder.is_some() && self.expires_at > now {
                    return Some(Outcome::Answer(Body::Lost));
                }
                self.epoch += 1;
                self.holder = Some(master);
                self.expires_at = now + LEASE_MS;
                Some(Outcome::Answer(Body::Won { epoch: self.epoch, seq: self.seq }))
            }
            Body::Renew { epoch, sent_at } if epoch == self.epoch => {
                self.expires_at = now + LEASE_MS;
                Some(Outcome::Answer(Body::Renewed { epoch, sent_at }))
            }
            Body::Renew { .. } => Some(Outcome::Answer(Body::Lost)),
            Body::Commit { epoch, seq, facts } => {
                // The fence. A transaction that fails has no answer worth waiting for: the writer resolves.
                if epoch != self.epoch || seq != self.seq {
                    return None;
                }
                self.seq += facts.len();
                facts.iter().for_each(|fact| self.snapshot.apply(fact));
                Some(Outcome::Committed(Body::Committed { epoch, seq: self.seq }, facts))
            }
            Body::Resolve { epoch } => {
                Some(Outcome::Answer(Body::Resolved { epoch, lead_epoch: self.epoch, seq: self.seq }))
            }
            _ => None,
        }
    }
}
