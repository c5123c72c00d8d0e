//! Postgres as the masters' writer sees it: a fence, facts in order, a lease. What is committed stays.

use attica_core::fact::Fact;
use attica_core::snapshot::Snapshot;

use crate::lead::{Fence, Lead};
use crate::network::Body;
use crate::rules::{Rules, Tables};

/// The database.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) lead: Lead,
    /// The fold of all facts: what a new leader loads.
    pub(crate) snapshot: Snapshot,
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
    pub(crate) fn serve(&mut self, now: u64, master: usize, request: Body, rules: Rules) -> Option<Outcome> {
        if let Some(answer) = self.lead.answer(now, master, &request) {
            return Some(Outcome::Answer(answer));
        }
        let Body::Commit { epoch, seq, facts } = request else { return None };
        // A transaction that fails has no answer worth waiting for: the writer resolves.
        if self.lead.admit(epoch, seq, facts.len()) == Fence::Closed {
            return None;
        }
        let lacking = |fact: &Fact| {
            rules.tables == Tables::WithoutUnreachableAgents && matches!(fact, Fact::AgentUnreachable { .. })
        };
        facts.iter().filter(|fact| !lacking(fact)).for_each(|fact| self.snapshot.apply(fact));
        Some(Outcome::Committed(Body::Committed { epoch, seq: self.lead.seq }, facts))
    }
}
