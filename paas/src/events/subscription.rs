use std::sync::Arc;
use std::time::SystemTime;

use attica_core_api::Timestamp;
use attica_core_store::Position;
use attica_core_store::journal::{Journal, JournalError};
use tokio::sync::watch;

use super::bus::{Flow, Head, More, Remembered};
use super::filter::write_frame;
use super::{Bus, Event, EventFilter, EventId};
use crate::model::rfc3339;

/// Bytes that are written together at most, frames of one event aside: what a subscriber that stalls keeps of ours.
const CHUNK_BYTES: usize = 32 << 10;
/// Journal entries that are read together: about a chunk.
const PAGE_ENTRIES: u32 = 100;

/// Tells that events are missing before the ones that follow.
pub(crate) const EVENT_STREAM_RESET: &str = "event_stream_reset";

/// Where a subscription begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what happens from now on.
    Now,
    /// After this event.
    After(EventId),
    /// After an event of which nobody knows anything.
    Unknown,
}

/// The durable past of the stream.
#[derive(Clone, Debug)]
pub struct History {
    /// Where the frames are.
    pub journal: Journal,
}

/// Why a subscription cannot go on. The client comes back and resumes.
#[derive(Debug, thiserror::Error)]
pub enum SubscriptionError {
    /// The journal cannot be read.
    #[error("cannot read the past of the event stream")]
    Journal(#[from] JournalError),
    /// An entry of the journal holds no frames.
    #[error("the journal holds frames at {position} that are none")]
    Frames {
        /// Which entry.
        position: Position,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// One subscriber: a position in the stream.
#[derive(Debug)]
pub struct Subscription {
    bus: Arc<Bus>,
    history: History,
    filter: EventFilter,
    head: watch::Receiver<Head>,
    position: EventId,
    pace: Pace,
    reset: bool,
}

/// Whether a subscriber has caught up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// More was there when the last frames were taken.
    CatchingUp,
    /// It had everything.
    Live,
}

impl Subscription {
    /// A subscriber that begins at `start`. From this moment on it misses nothing that its filter matches. `reached` is how far
    /// clients can know that the history has come: reads show it a moment before the bus does.
    #[must_use]
    pub fn new(bus: Arc<Bus>, history: History, filter: EventFilter, start: Start, reached: EventId) -> Self {
        let head = bus.follow();
        let now = head.borrow().id;
        let (position, reset) = match start {
            Start::Now => (now, false),
            Start::After(id) if id <= reached => (id, false),
            // An id that this history has not reached yet is from another one.
            Start::After(_) | Start::Unknown => (now, true),
        };
        Self { bus, history, filter, head, position, pace: Pace::CatchingUp, reset }
    }

    /// Everything up to here was sent, or is known to the subscriber.
    #[must_use]
    pub fn position(&self) -> EventId {
        self.position
    }

    /// Whether it had caught up when it was last asked.
    pub(super) fn pace(&self) -> Pace {
        self.pace
    }

    /// What the subscriber wants to see.
    #[must_use]
    pub fn filter(&self) -> &EventFilter {
        &self.filter
    }

    /// The next frames that the filter matches, at least one, as bytes of the stream; none when the stream has ended. Cancelling it
    /// loses nothing.
    ///
    /// # Errors
    /// See [`SubscriptionError`].
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, SubscriptionError> {
        let mut out = Vec::new();
        loop {
            if self.reset {
                self.reset = false;
                self.write_reset(&mut out);
                return Ok(Some(out));
            }
            if self.head.borrow_and_update().flow == Flow::Closed {
                return Ok(None);
            }
            match self.bus.after(self.position, &self.filter, CHUNK_BYTES, &mut out) {
                Remembered::Events { upto, more } => {
                    let moved = upto > self.position;
                    self.position = upto;
                    self.pace = match more {
                        More::Waiting => Pace::CatchingUp,
                        More::Nothing => Pace::Live,
                    };
                    if !out.is_empty() {
                        return Ok(Some(out));
                    }
                    if !moved && self.head.changed().await.is_err() {
                        return Ok(None);
                    }
                }
                Remembered::Forgotten => {
                    self.pace = Pace::CatchingUp;
                    self.read_page(&mut out).await?;
                    if !out.is_empty() {
                        return Ok(Some(out));
                    }
                }
            }
        }
    }

    /// Moves on by a page of the journal.
    async fn read_page(&mut self, out: &mut Vec<u8>) -> Result<(), SubscriptionError> {
        let after = self.position.facts_before();
        let entries = self.history.journal.page(after, PAGE_ENTRIES).await?;
        let oldest = match entries.first() {
            Some(entry) => Position(entry.position.0 - 1),
            // Everything that was there has been forgotten meanwhile.
            None => self.history.journal.bounds().await?.tail,
        };
        if oldest > after {
            self.position = EventId::end_of(oldest);
            self.reset = true;
            return Ok(());
        }
        for entry in entries {
            if let Some(frames) = &entry.frames {
                let events = Event::of_stored(entry.position, frames)
                    .map_err(|source| SubscriptionError::Frames { position: entry.position, source })?;
                let unseen = events.iter().filter(|event| event.id > self.position);
                unseen.for_each(|event| self.filter.write(event, out));
            }
            self.position = EventId::end_of(entry.position);
            if out.len() > CHUNK_BYTES {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Tells the subscriber that events are missing before the ones that follow. Its id is where the stream goes on, so that whoever
    /// resumes from here is not told twice.
    fn write_reset(&self, out: &mut Vec<u8>) {
        let at = rfc3339(Timestamp::from(SystemTime::now()));
        let data = format!(r#"{{"eventType":"{EVENT_STREAM_RESET}","timestamp":"{at}"}}"#);
        write_frame(EVENT_STREAM_RESET, &data, Some(&self.position.to_string()), out);
    }
}
