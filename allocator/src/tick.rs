use std::fmt;

/// A reading of a monotonic clock, in milliseconds since an arbitrary start. Only differences mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(pub u64);

impl Tick {
    /// The moment `delay_ms` milliseconds later (saturating: the end of time is a valid moment).
    #[must_use]
    pub fn after(self, delay_ms: u64) -> Tick {
        Tick(self.0.saturating_add(delay_ms))
    }

    /// Milliseconds passed since `earlier`; 0 when `earlier` lies ahead.
    #[must_use]
    pub fn since(self, earlier: Tick) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ms", self.0)
    }
}
