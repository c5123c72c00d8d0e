use std::fmt;

use attica_core_api::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const DAY_MS: i64 = 86_400_000;

/// A version of a run spec, or of a plan: the moment it was made. Increasing per run spec, whatever the clock does.
/// Written as `2015-06-12T23:03:31.512Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub Timestamp);

impl Version {
    /// Before everything.
    #[must_use]
    pub fn never() -> Self {
        Self(Timestamp(0))
    }

    /// A version made at `wall`, later than `self` by a millisecond at least.
    #[must_use]
    pub fn next(self, wall: Timestamp) -> Self {
        Self(Timestamp(wall.0.max(self.0.0.saturating_add(1))))
    }

    /// Reads the written form, with or without the fraction of a second; none for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        parse_rfc3339(text).map(Self)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&rfc3339(self.0))
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

/// A moment as RFC 3339 writes it: UTC, milliseconds, `Z`.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    let (year, month, day) = civil_from_days(at.0.div_euclid(DAY_MS));
    let of_day = at.0.rem_euclid(DAY_MS);
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, millisecond) = (of_day / 1_000 % 60, of_day % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

/// Reads `YYYY-MM-DDThh:mm:ss[.fff]Z`.
fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "000"));
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let [millisecond] = numbers(fraction, '.', [3])?;
    let days = days_from_civil(year, month, day);
    let whole = civil_from_days(days) == (year, month, day) && hour < 24 && minute < 60 && second < 60;
    let of_day = ((hour * 60 + minute) * 60 + second) * 1_000 + millisecond;
    whole.then_some(Timestamp(days * DAY_MS + of_day))
}

/// Splits text into numbers with exactly so many digits each.
fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[i64; N]> {
    let mut numbers = [0; N];
    let mut parts = text.split(separator);
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part =
            parts.next().filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// The proleptic Gregorian date of a day counted from 1970-01-01. Years are counted from March, so that the leap day is the last.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`civil_from_days`].
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_and_read() {
        for (milliseconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_434_150_211_512, "2015-06-12T23:03:31.512Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (4_102_444_799_999, "2099-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(rfc3339(Timestamp(milliseconds)), text);
            assert_eq!(Version::parse(text), Some(Version(Timestamp(milliseconds))));
        }
    }

    #[test]
    fn other_texts_are_no_versions() {
        for text in [
            "",
            "now",
            "2015-06-12",
            "2015-02-30T00:00:00.000Z",
            "2015-06-12T23:03:31.512+01:00",
            "2015-6-12T23:03:31Z",
        ] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
