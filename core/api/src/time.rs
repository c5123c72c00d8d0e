//! Time as the cores know it: handed in, never read.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_come_back_to_the_millisecond() {
        let time = Timestamp(1_795_251_194_141);
        assert_eq!(Timestamp::from_seconds(time.seconds()), time);
        assert_eq!(time.time_info().nanoseconds, 1_795_251_194_141_000_000);
        assert_eq!(Timestamp::from_seconds(f64::NAN), Timestamp(0));
        assert_eq!(Timestamp::from_seconds(f64::INFINITY), Timestamp(i64::MAX));
    }
}
