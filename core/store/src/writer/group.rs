//! Batches that are committed together.

use tokio::sync::OwnedSemaphorePermit;

use super::queue::Submission;
use super::{Batch, Committed, Fact};
use crate::Position;

/// The batches of one transaction. It stays as it is until its fate is known: a repeated transaction is the same transaction.
pub(super) struct Group<F, A> {
    pub(super) rows: Rows<F>,
    parts: Vec<Part<A>>,
}

/// All facts of a group, in order, with the columns of their journal rows.
pub(super) struct Rows<F> {
    pub(super) facts: Vec<F>,
    pub(super) kinds: Vec<&'static str>,
    pub(super) versions: Vec<i16>,
    pub(super) payloads: Vec<Vec<u8>>,
    pub(super) frames: Vec<Option<Vec<u8>>>,
}

/// One batch of a group, without its facts.
struct Part<A> {
    facts: usize,
    after: A,
    _room: Option<OwnedSemaphorePermit>,
}

impl<F: Fact, A> Group<F, A> {
    pub(super) fn of(submissions: impl Iterator<Item = Submission<F, A>>) -> Self {
        let mut rows = Rows {
            facts: Vec::new(),
            kinds: Vec::new(),
            versions: Vec::new(),
            payloads: Vec::new(),
            frames: Vec::new(),
        };
        let mut parts = Vec::with_capacity(submissions.size_hint().0);
        for Submission { batch: Batch { facts, after }, payloads, frames, room } in submissions {
            rows.kinds.extend(facts.iter().map(Fact::kind));
            rows.versions.extend(facts.iter().map(Fact::version));
            rows.payloads.extend(payloads);
            rows.frames.extend(frames);
            parts.push(Part { facts: facts.len(), after, _room: room });
            rows.facts.extend(facts);
        }
        Group { rows, parts }
    }

    /// The batches again, in order; the first fact of the group has the position `first`.
    pub(super) fn into_committed(self, first: Position) -> impl Iterator<Item = Committed<F, A>> {
        let mut facts = self.rows.facts.into_iter();
        let mut next = first;
        self.parts.into_iter().map(move |part| {
            let first = next;
            next = next.after(part.facts);
            Committed { first, facts: facts.by_ref().take(part.facts).collect(), after: part.after }
        })
    }
}
