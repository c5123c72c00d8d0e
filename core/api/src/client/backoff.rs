//! How long to wait after a failure.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Waits that double from `first` to `longest`; each is shortened by up to a half, so that those who failed together do not come
/// back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// However many there were.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(5) }
    }
}

impl Backoff {
    /// The wait after so many failures in a row, of which there is at least one.
    pub fn after(&self, failures: u32) -> Duration {
        let full = self.first.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(self.longest);
        // A new hasher is keyed at random: all the randomness that is needed here.
        let shortened = u32::try_from(RandomState::new().hash_one(failures) % 512).unwrap_or(0);
        full - full * shortened / 1024
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_are_shortened_by_half_at_most() {
        let backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(5) };
        for (failures, full_ms) in [(1, 100), (2, 200), (3, 400), (6, 3200), (7, 5000), (50, 5000), (u32::MAX, 5000)] {
            let wait = backoff.after(failures);
            let full = Duration::from_millis(full_ms);
            assert!(wait <= full && wait >= full / 2, "{failures} failures: {wait:?}");
        }
    }
}
