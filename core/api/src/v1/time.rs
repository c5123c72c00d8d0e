//! Times and durations.

use crate::message::message;

message! {
    /// A point in time: nanoseconds since 1970 (UTC).
    pub struct TimeInfo {
        nanoseconds: required i64 = 1,
    }
    /// A length of time in nanoseconds.
    pub struct DurationInfo {
        nanoseconds: required i64 = 1,
    }
    /// When a machine is not to be used.
    pub struct Unavailability {
        start: required TimeInfo = 1,
        /// Without it there is no known end.
        duration: optional DurationInfo = 2,
    }
}

impl DurationInfo {
    /// A duration of `milliseconds`; one beyond 292 years is cut to that.
    pub fn from_milliseconds(milliseconds: u64) -> Self {
        let nanoseconds = i64::try_from(milliseconds).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        Self { nanoseconds }
    }

    /// The duration in milliseconds, or `None` when it is negative.
    pub fn milliseconds(&self) -> Option<u64> {
        u64::try_from(self.nanoseconds / 1_000_000).ok().filter(|_| self.nanoseconds >= 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_milliseconds() {
        assert_eq!(DurationInfo::from_milliseconds(1_500), DurationInfo { nanoseconds: 1_500_000_000 });
        assert_eq!(DurationInfo::from_milliseconds(u64::MAX).nanoseconds, i64::MAX);
        assert_eq!(DurationInfo { nanoseconds: 1_999_999 }.milliseconds(), Some(1));
        assert_eq!(DurationInfo { nanoseconds: -1 }.milliseconds(), None);
    }
}
