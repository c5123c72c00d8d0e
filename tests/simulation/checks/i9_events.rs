//! I9: the event stream is in order and unique, misses nothing that its filter matches, over failovers too, and resumes from
//! anywhere.

use attica_paas::events::{Event, EventFilter, EventId};

use crate::paas::{Client, Entry, Store};

/// All events that were ever committed.
#[derive(Default)]
pub(super) struct Events {
    all: Vec<Event>,
    facts: i64,
}

impl Events {
    /// Returns the events of the entry.
    pub(super) fn committed(&mut self, entry: &Entry) -> Result<&[Event], String> {
        self.facts += 1;
        let known = self.all.len();
        for event in Event::of(attica_core_store::Position(self.facts), &entry.recorded) {
            if self.all.last().is_some_and(|last| last.id >= event.id) {
                return Err(format!("I9: event {} does not come after the one before it", event.id));
            }
            self.all.push(event);
        }
        Ok(&self.all[known..])
    }

    fn after<'a>(&'a self, position: EventId, filter: &'a EventFilter) -> impl Iterator<Item = &'a Event> {
        let from = self.all.partition_point(|event| event.id <= position);
        self.all[from..].iter().filter(|event| filter.wants(&event.event_type))
    }

    /// A client received events; it had everything up to its position.
    pub(super) fn received(&self, client: &Client, events: &[Event]) -> Result<(), String> {
        let mut expected = self.after(client.position, &client.filter);
        for event in events {
            match expected.next() {
                Some(next) if next == event => {}
                Some(next) => return Err(format!("I9: event {} comes where {} is next", event.id, next.id)),
                None => return Err(format!("I9: event {} comes, but is not committed", event.id)),
            }
        }
        Ok(())
    }

    /// Long after the last fault everybody has everything, and whoever resumes from anywhere gets the rest.
    pub(super) fn finally(&self, store: &Store, clients: &[Client]) -> Result<(), String> {
        for (index, client) in clients.iter().enumerate() {
            if let Some(missed) = self.after(client.position, &client.filter).next() {
                return Err(format!("I9: client {index} misses event {} in the end", missed.id));
            }
        }
        for (index, event) in self.all.iter().enumerate().step_by(37) {
            if store.events(event.id, store.lead.seq) != self.all[index + 1..] {
                return Err(format!("I9: resuming after event {} does not give the rest", event.id));
            }
        }
        Ok(())
    }
}
