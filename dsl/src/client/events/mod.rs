//! The event stream as a client sees it: frames out of bytes, and a subscription that resumes where it broke.

mod decoder;
mod stream;

use std::fmt;

use http::HeaderValue;

pub(super) use decoder::Frame;
pub(super) use stream::{Continuity, EventStream, Step};

/// The place of an event in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EventId(pub(super) u64);

impl EventId {
    pub(super) fn of_header(value: Option<&HeaderValue>) -> Option<Self> {
        value?.to_str().ok()?.trim().parse().ok().map(Self)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
