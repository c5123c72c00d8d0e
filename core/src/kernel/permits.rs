//! The rate limit on declaring agents unreachable: a cut cable must not turn into a massacre.

use attica_core_api::Tick;

use super::config::RateLimit;

/// A token bucket.
#[derive(Debug)]
pub(super) struct Permits {
    limit: RateLimit,
    tokens: u32,
    /// When the next token comes back; `None` while the bucket is full.
    refill: Option<Tick>,
}

impl Permits {
    /// A full bucket.
    pub fn new(limit: RateLimit) -> Self {
        let limit = RateLimit { burst: limit.burst.max(1), interval_ms: limit.interval_ms.max(1) };
        Self { limit, tokens: limit.burst, refill: None }
    }

    /// Takes a token, or says when there will be one.
    pub fn take(&mut self, now: Tick) -> Result<(), Tick> {
        while let Some(at) = self.refill.filter(|at| *at <= now) {
            self.tokens += 1;
            self.refill = (self.tokens < self.limit.burst).then(|| at.after(self.limit.interval_ms));
        }
        match (self.tokens, self.refill) {
            (0, Some(at)) => Err(at),
            (0, None) => unreachable!("an empty bucket is being refilled"),
            (_, refill) => {
                self.tokens -= 1;
                self.refill = refill.or_else(|| Some(now.after(self.limit.interval_ms)));
                Ok(())
            }
        }
    }
}
