//! Times as people read them.

use std::time::{Duration, SystemTime};

/// How long ago an RFC 3339 time was, in its largest unit: `12s`, `3m`, `5h`, `2d`. What is no time is shown as it is.
pub(super) fn age(written: &str, now: SystemTime) -> String {
    match humantime::parse_rfc3339(written) {
        Ok(time) => short(now.duration_since(time).unwrap_or_default()),
        Err(_) => written.to_owned(),
    }
}

/// A duration in its largest unit.
pub(super) fn short(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7_200 => format!("{}m", seconds / 60),
        seconds @ 7_200..172_800 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::age;

    #[test]
    fn an_age_has_one_unit() {
        let now = humantime::parse_rfc3339("2026-03-01T12:00:00Z").unwrap();
        for (time, expected) in [
            ("2026-03-01T12:00:00.000Z", "0s"),
            ("2026-03-01T11:58:30.500Z", "89s"),
            ("2026-03-01T11:58:00.000Z", "2m"),
            ("2026-03-01T10:00:00.000Z", "2h"),
            ("2026-02-01T12:00:00.000Z", "28d"),
            ("2026-03-01T12:00:09.000Z", "0s"),
            ("yesterday", "yesterday"),
        ] {
            assert_eq!(age(time, now), expected, "{time}");
        }
    }
}
