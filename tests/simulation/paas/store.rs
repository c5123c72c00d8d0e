//! The service layer's database: the lead, the journal as bytes, and the tables as the fold of what the journal says.

use attica_core_store::{Fact as _, Position};
use attica_paas::engine::{Fact, Snapshot};
use attica_paas::events::{Event, EventId};
use serde_json::Value;

use super::{Body, Entry};
use crate::lead::{Fence, Lead};
use crate::network;
use crate::rules::{Rules, Tables};

/// The database.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) lead: Lead,
    /// What a new leader loads.
    pub(crate) snapshot: Snapshot,
    /// The frames of every fact, as the journal keeps them.
    frames: Vec<Option<Vec<u8>>>,
}

/// What a request did.
pub(crate) enum Outcome {
    /// Only the answer matters.
    Answer(network::Body),
    /// Facts were committed under this epoch.
    Committed(network::Body, u64, Vec<Entry>),
    /// A transaction failed. It has no answer worth waiting for: the writer resolves.
    Fenced,
    /// Not a request.
    Nothing,
}

impl Store {
    /// Carries a request of a service layer's process out.
    pub(crate) fn serve(&mut self, now: u64, paas: usize, request: network::Body, rules: Rules) -> Outcome {
        if let Some(answer) = self.lead.answer(now, paas, &request) {
            return Outcome::Answer(answer);
        }
        let network::Body::Paas(request) = request else { return Outcome::Nothing };
        let Body::Commit { epoch, seq, entries } = *request else { return Outcome::Nothing };
        if self.lead.admit(epoch, seq, entries.len()) == Fence::Closed {
            return Outcome::Fenced;
        }
        for Entry { recorded, .. } in &entries {
            let fact = read_again(&recorded.encode());
            let lacking = rules.tables == Tables::WithoutDelays && matches!(fact, Fact::DelayChanged { .. });
            if !lacking {
                self.snapshot.apply(&fact);
            }
            self.frames.push(recorded.frames());
        }
        Outcome::Committed(network::Body::Committed { epoch, seq: self.lead.seq }, epoch, entries)
    }

    /// The events after `position` of the first `facts` facts.
    pub(crate) fn events(&self, position: EventId, facts: usize) -> Vec<Event> {
        let first = usize::try_from(position.facts_before().0).expect("positions are not negative");
        let entries = self.frames.iter().enumerate().take(facts).skip(first);
        let stored = entries.filter_map(|(index, frames)| Some((place(index), frames.as_ref()?)));
        let events = stored.flat_map(|(place, frames)| Event::of_stored(place, frames).expect("our own frames"));
        events.filter(|event| event.id > position).collect()
    }
}

/// The position of the fact with this index.
fn place(index: usize) -> Position {
    Position(i64::try_from(index + 1).expect("few facts"))
}

/// A fact as whoever reads the journal finds it.
fn read_again(payload: &[u8]) -> Fact {
    let mut payload: Value = serde_json::from_slice(payload).expect("the journal holds JSON");
    serde_json::from_value(payload["fact"].take()).expect("what was written can be read")
}
