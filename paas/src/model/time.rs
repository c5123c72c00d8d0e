use std::fmt;

use attica_core_api::{Tick, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The moment at which an input is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time. Every deadline is judged by it.
    pub tick: Tick,
    /// Wall-clock time. It is written down and shown; after a failover, deadlines are taken up again from it.
    pub wall: Timestamp,
}

/// A version of a run spec, or of a plan: the moment it was made. Unique and increasing per run spec, whatever the clock does.
/// Written as `2015-06-12T23:03:31.512Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub Timestamp);

impl Version {
    /// The version after this one at `wall`: at least a millisecond later.
    #[must_use]
    pub fn next(self, wall: Timestamp) -> Self {
        Self(Timestamp(wall.0.max(self.0.0.saturating_add(1))))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer).map(|milliseconds| Self(Timestamp(milliseconds)))
    }
}
