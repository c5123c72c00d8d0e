//! The `lead` row of a role: who leads, in which epoch, how far the facts go, until when.

use crate::network::Body;

/// How long a lease lasts without renewal.
pub(crate) const LEASE_MS: u64 = 5_000;

/// The row.
#[derive(Debug, Default)]
pub(crate) struct Lead {
    pub(crate) epoch: u64,
    /// The number of facts.
    pub(crate) seq: usize,
    holder: Option<usize>,
    expires_at: u64,
}

impl Lead {
    /// Answers a question about the lead; none: it is about something else.
    pub(crate) fn answer(&mut self, now: u64, candidate: usize, request: &Body) -> Option<Body> {
        match request {
            Body::Campaign => {
                if self.holder.is_some() && self.expires_at > now {
                    return Some(Body::Lost);
                }
                self.epoch += 1;
                self.holder = Some(candidate);
                self.expires_at = now + LEASE_MS;
                Some(Body::Won { epoch: self.epoch, seq: self.seq })
            }
            Body::Renew { epoch, sent_at } if *epoch == self.epoch => {
                self.expires_at = now + LEASE_MS;
                Some(Body::Renewed { epoch: *epoch, sent_at: *sent_at })
            }
            Body::Renew { .. } => Some(Body::Lost),
            Body::Resolve { epoch } => Some(Body::Resolved { epoch: *epoch, lead_epoch: self.epoch, seq: self.seq }),
            _ => None,
        }
    }

    /// The fence: lets a transaction in, or holds it back.
    pub(crate) fn admit(&mut self, epoch: u64, seq: usize, facts: usize) -> Fence {
        if epoch != self.epoch || seq != self.seq {
            return Fence::Closed;
        }
        self.seq += facts;
        Fence::Open
    }
}

/// What the fence says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fence {
    Open,
    Closed,
}
