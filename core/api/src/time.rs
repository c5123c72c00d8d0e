//! Time as the cores know it: handed in, never read.

use std::time::Duration;

pub use attica_allocator::Tick;

use crate::v1::TimeInfo;

/// Wall-clock time in milliseconds since 1970 (UTC), for what people and frameworks get to see. It may jump; only [`Tick`] decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

/// The two clocks, read once per input by the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Monotonic; what deadlines are measured with.
    pub tick: Tick,
    /// What is shown.
    pub wall: Timestamp,
}

impl Timestamp {
    /// Seconds since 1970, as task statuses carry them.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    /// The time of a message's `seconds`; what is not a number, or out of range, becomes the nearest time there is.
    pub fn from_seconds(seconds: f64) -> Self {
        // A cast of a float saturates, and makes 0 of NaN.
        Self((seconds * 1_000.0).round() as i64)
    }

    /// The form used where the API wants nanoseconds.
    pub fn time_info(self) -> TimeInfo {
        TimeInfo { nanoseconds: self.0.saturating_mul(1_000_000) }
    }
}

impl From<std::time::SystemTime> for Timestamp {
    /// For shells; a clock before 1970 reads as 1970.
    fn from(time: std::time::SystemTime) -> Self {
        let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Units of Mesos's durations, in nanoseconds.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("ms", 1e6),
    ("secs", 1e9),
    ("mins", 6e10),
    ("hrs", 3.6e12),
    ("days", 8.64e13),
    ("weeks", 6.048e14),
];

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration like 500ms, 15secs, 1.5mins, 2hrs, 1days or 2weeks, found `{0}`")]
pub struct InvalidDuration(String);

/// Parses a duration as Mesos's flags, queries and environments write it: a number without a sign, and its unit.
///
/// # Errors
/// It is written otherwise, or longer than nanoseconds in 63 bits can tell.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidDuration> {
    let known = text.find(|character: char| !character.is_ascii_digit() && character != '.').and_then(|end| {
        let (number, unit) = text.split_at(end);
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let nanoseconds = (number.parse::<f64>().ok()? * scale).round();
        (nanoseconds < i64::MAX as f64).then_some(Duration::from_nanos(nanoseconds as u64))
    });
    known.ok_or_else(|| InvalidDuration(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_mesos_does() {
        for (text, nanoseconds) in [
            ("0secs", 0),
            ("5ns", 5),
            ("1.5us", 1_500),
            ("500ms", 500_000_000),
            ("0.29secs", 290_000_000),
            ("1.5mins", 90_000_000_000),
            ("2hrs", 7_200_000_000_000),
            ("1days", 86_400_000_000_000),
            ("2weeks", 1_209_600_000_000_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanoseconds)), "{text}");
        }
        for wrong in ["", "5", "secs", "-1secs", "NaNsecs", "1e3secs", "5 min", "5min", "1.2.3secs", "20000weeks"] {
            assert_eq!(parse_duration(wrong), Err(InvalidDuration(wrong.to_owned())));
        }
    }

    #[test]
    fn seconds_come_back_to_the_millisecond() {
        let time = Timestamp(1_795_251_194_141);
        assert_eq!(Timestamp::from_seconds(time.seconds()), time);
        assert_eq!(time.time_info().nanoseconds, 1_795_251_194_141_000_000);
        assert_eq!(Timestamp::from_seconds(f64::NAN), Timestamp(0));
        assert_eq!(Timestamp::from_seconds(f64::INFINITY), Timestamp(i64::MAX));
    }
}
