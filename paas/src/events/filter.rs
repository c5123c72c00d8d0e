use super::{Event, EventId};
use crate::access::Sight;
use crate::engine::{DEPLOYMENT_GAVE_UP, DEPLOYMENT_PAUSED, DEPLOYMENT_RESUMED, INSTANCE_DRAINING};

/// What a subscriber wants to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Exact names; empty: all of Marathon's. A name that does not exist matches nothing.
    pub event_types: Vec<String>,
    /// Whether kills wait for it.
    pub reader: Reader,
    /// What the subscriber may view: events about anything else are not for it.
    pub sight: Sight,
}

/// Whether kills wait for a subscriber.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reader {
    /// It only watches.
    #[default]
    Watching,
    /// It acknowledges what it has taken in, and sees in any case what is to be acknowledged.
    Acknowledging,
}

impl EventFilter {
    /// Whether events of this type are wanted.
    #[must_use]
    pub fn wants(&self, event_type: &str) -> bool {
        let named = || self.event_types.iter().any(|wanted| wanted == event_type);
        match event_type {
            INSTANCE_DRAINING => self.reader == Reader::Acknowledging || named(),
            DEPLOYMENT_PAUSED | DEPLOYMENT_RESUMED | DEPLOYMENT_GAVE_UP => named(),
            _ => self.event_types.is_empty() || named(),
        }
    }

    /// Whether this event is wanted, and may be read.
    pub(super) fn takes(&self, event: &Event) -> bool {
        self.wants(&event.event_type) && self.sight.hears(&event.scope)
    }

    /// Appends the event as the stream carries it, if it is for this subscriber.
    pub(super) fn write(&self, event: &Event, out: &mut Vec<u8>) {
        if self.takes(event) {
            out.extend_from_slice(&event.wire);
        }
    }
}

/// Ends a frame.
pub(super) const FRAME_END: &[u8] = b"\n\n";

/// Appends one frame. Neither text holds a line end: they are names of ours and JSON of one line.
pub(super) fn write_frame(event_type: &str, data: &str, id: Option<&str>, out: &mut Vec<u8>) {
    if let Some(id) = id {
        out.extend_from_slice(b"id: ");
        out.extend_from_slice(id.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(event_type.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    out.extend_from_slice(data.as_bytes());
    out.extend_from_slice(FRAME_END);
}

/// A frame in bytes of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WireFrame<'a> {
    pub(crate) id: EventId,
    pub(crate) event_type: &'a str,
    /// One line of JSON.
    pub(crate) data: &'a [u8],
}

/// The frames with an id in what a subscription gave out.
pub(crate) fn wire_frames(bytes: &[u8]) -> impl Iterator<Item = WireFrame<'_>> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    text.split("\n\n").filter_map(|frame| {
        let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let (id, event_type, data) = (EventId::parse(field("id")?)?, field("event")?, field("data")?.as_bytes());
        Some(WireFrame { id, event_type, data })
    })
}
