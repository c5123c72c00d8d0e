use std::fmt;
use std::sync::Arc;

use attica_core_store::Position;

use super::filter::{FRAME_END, write_frame};
use crate::access::Scope;
use crate::engine::Recorded;
use crate::tables::decode_frames;

/// The place of an event: that of its fact, and its index among the fact's frames. Written as one whole number, so that ids are unique,
/// increase, and resume exactly, also between two frames of one fact. As a position in a stream it means "everything up to here".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(i64);

impl EventId {
    /// Frames that one fact can have ids for; further ones share the last id.
    const FRAMES_PER_FACT: i64 = 10_000;

    /// Before every event.
    pub const START: Self = Self(0);

    /// A frame of the fact at `position`.
    #[must_use]
    pub fn new(position: Position, frame: usize) -> Self {
        let frame = i64::try_from(frame).unwrap_or(i64::MAX).min(Self::FRAMES_PER_FACT - 1);
        Self(position.0.saturating_mul(Self::FRAMES_PER_FACT).saturating_add(frame))
    }

    /// After every frame of the fact at `position`.
    #[must_use]
    pub fn end_of(position: Position) -> Self {
        Self::new(position, usize::MAX)
    }

    /// Reads an id as a client sends it back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.trim().parse().ok().and_then(Self::from_number)
    }

    /// The position of the fact that it belongs to.
    #[must_use]
    pub fn fact(self) -> Position {
        Position(self.0 / Self::FRAMES_PER_FACT)
    }

    /// As a number, the way clients name it.
    #[must_use]
    pub fn number(self) -> i64 {
        self.0
    }

    /// The id that a client names by this number; none when it is not one.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        (number >= 0).then_some(Self(number))
    }

    /// The position up to which all facts lie completely before this id.
    #[must_use]
    pub fn facts_before(self) -> Position {
        if self.0 % Self::FRAMES_PER_FACT == Self::FRAMES_PER_FACT - 1 {
            Position(self.0 / Self::FRAMES_PER_FACT)
        } else {
            Position((self.0 / Self::FRAMES_PER_FACT - 1).max(0))
        }
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// One event, rendered once for all subscribers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place.
    pub id: EventId,
    /// Its type.
    pub event_type: Arc<str>,
    /// The whole frame as streams carry it.
    pub wire: Arc<[u8]>,
    /// Who may read it.
    pub scope: Scope,
    data_at: usize,
}

impl Event {
    fn new(id: EventId, event_type: &str, data: &str, scope: Scope) -> Self {
        let mut wire = Vec::new();
        write_frame(event_type, data, Some(&id.to_string()), &mut wire);
        let data_at = wire.len() - FRAME_END.len() - data.len();
        Self { id, event_type: event_type.into(), wire: wire.into(), scope, data_at }
    }

    /// The `data:` line.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.wire[self.data_at..self.wire.len() - FRAME_END.len()]
    }

    /// The events of a fact that was committed at `position`.
    pub fn of(position: Position, recorded: &Recorded) -> impl Iterator<Item = Self> {
        let frames = recorded.frames.iter().enumerate();
        frames.map(move |(index, frame)| {
            Self::new(EventId::new(position, index), frame.event_type, &frame.data, frame.scope.clone())
        })
    }

    /// The events of a journal entry.
    ///
    /// # Errors
    /// When another program wrote its frames.
    pub fn of_stored(position: Position, frames: &[u8]) -> Result<Vec<Self>, serde_json::Error> {
        let frames = decode_frames(frames)?.into_iter().enumerate();
        let event = |(index, frame): (usize, crate::tables::StoredFrame)| {
            Self::new(EventId::new(position, index), &frame.event_type, &frame.data, frame.scope())
        };
        Ok(frames.map(event).collect())
    }

    /// What it occupies.
    pub(super) fn bytes(&self) -> usize {
        self.wire.len() + size_of::<Self>()
    }
}
