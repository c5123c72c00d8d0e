//! Durations as Mesos's flags write them.

use std::fmt;
use std::time::Duration;

use attica_core_api as api;

/// A length of time, at least one millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Milliseconds(pub u64);

impl Milliseconds {
    /// The same length for a timer.
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

/// The units that durations are shown in, longest first, in milliseconds.
const UNITS: [(&str, u64); 6] =
    [("weeks", 604_800_000), ("days", 86_400_000), ("hrs", 3_600_000), ("mins", 60_000), ("secs", 1_000), ("ms", 1)];

/// The longest that can be set: a thousand weeks.
const LONGEST_MS: u64 = 1_000 * 604_800_000;

/// Parses what can be set: `1.5mins`, `500ms` and the like.
pub(super) fn parse_duration(text: &str) -> Result<Milliseconds, String> {
    let duration = api::parse_duration(text).map_err(|error| error.to_string())?;
    let milliseconds = u64::try_from(duration.as_millis()).ok().filter(|it| (1..=LONGEST_MS).contains(it));
    milliseconds.map(Milliseconds).ok_or_else(|| format!("expected between 1ms and 1000weeks, found `{text}`"))
}

impl fmt::Display for Milliseconds {
    /// In the longest unit that divides it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, milliseconds)| self.0.is_multiple_of(*milliseconds)) {
            Some((unit, milliseconds)) => write!(formatter, "{}{unit}", self.0 / milliseconds),
            None => write!(formatter, "{}ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_written() {
        for (text, milliseconds, written) in [
            ("500ms", 500, "500ms"),
            ("5000us", 5, "5ms"),
            ("15secs", 15_000, "15secs"),
            ("1.5mins", 90_000, "90secs"),
            ("10mins", 600_000, "10mins"),
            ("48hrs", 172_800_000, "2days"),
            ("2weeks", 1_209_600_000, "2weeks"),
        ] {
            let parsed = parse_duration(text).unwrap();
            assert_eq!((parsed.0, parsed.to_string().as_str()), (milliseconds, written));
        }
        for wrong in ["", "5", "secs", "-1secs", "0secs", "NaNsecs", "1e99weeks", "5 min", "0.0001ms"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
