//! The bounds of an evaluation: steps and memory, counted and never given back.

use std::cell::Cell;

/// Steps of evaluation and resolving: about two hundred nanoseconds each at worst.
const STEPS_LIMIT: u64 = 4_000_000;

/// Bytes of text and elements of collections made on the way, counted as they are made.
const BYTES_LIMIT: u64 = 256 << 20;

/// The longest text, in bytes.
pub(crate) const TEXT_LIMIT_BYTES: usize = 1 << 20;

/// The longest list, tuple, set or dict.
pub(crate) const ELEMENTS_LIMIT: usize = 100_000;

/// What an evaluation may still spend.
#[derive(Debug)]
pub(crate) struct Budget {
    steps: Cell<u64>,
    bytes: Cell<u64>,
}

/// A bound was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Exceeded {
    #[error("the configuration takes more than {STEPS_LIMIT} steps to read")]
    Steps,
    #[error("the configuration needs more than {} MiB to read", BYTES_LIMIT >> 20)]
    Bytes,
    #[error("a text may be {} KiB long at most", TEXT_LIMIT_BYTES >> 10)]
    Text,
    #[error("a collection may have {ELEMENTS_LIMIT} elements at most")]
    Elements,
}

impl Default for Budget {
    fn default() -> Self {
        Self { steps: Cell::new(STEPS_LIMIT), bytes: Cell::new(BYTES_LIMIT) }
    }
}

impl Budget {
    /// Takes steps of the budget.
    pub(crate) fn spend(&self, steps: u64) -> Result<(), Exceeded> {
        let left = self.steps.get().checked_sub(steps).ok_or(Exceeded::Steps)?;
        self.steps.set(left);
        Ok(())
    }

    fn allocate(&self, bytes: usize) -> Result<(), Exceeded> {
        let left = self.bytes.get().checked_sub(bytes as u64).ok_or(Exceeded::Bytes)?;
        self.bytes.set(left);
        Ok(())
    }

    /// Before a text of that length is made.
    pub(crate) fn text(&self, bytes: usize) -> Result<(), Exceeded> {
        if bytes > TEXT_LIMIT_BYTES {
            return Err(Exceeded::Text);
        }
        self.allocate(bytes)
    }

    /// Before so many bytes are looked through.
    pub(crate) fn scan(&self, bytes: usize) -> Result<(), Exceeded> {
        self.spend(bytes as u64 / 512)
    }

    /// Before a collection of `length` elements gets more.
    pub(crate) fn grow(&self, length: usize, more: usize) -> Result<(), Exceeded> {
        if length.saturating_add(more) > ELEMENTS_LIMIT {
            return Err(Exceeded::Elements);
        }
        self.elements(more)
    }

    /// Before a collection of that many elements is made, which takes a step for each eight of them.
    pub(crate) fn elements(&self, count: usize) -> Result<(), Exceeded> {
        if count > ELEMENTS_LIMIT {
            return Err(Exceeded::Elements);
        }
        self.spend(count as u64 / 8)?;
        self.allocate(count.saturating_mul(32))
    }
}
