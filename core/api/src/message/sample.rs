//! Messages made up from random bytes, for the round-trip tests: whatever the notation can say comes up.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Nested;

/// Where the choices come from. When it is used up every further choice is the smallest: nothing set, nothing in a list; so
/// proptest's shrinking of the bytes shrinks the message.
pub(crate) struct Source<'a>(pub(crate) &'a [u8]);

impl Source<'_> {
    fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.0.split_off_first().copied().unwrap_or(0))
    }

    /// A number less than `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        u16::from_le_bytes(self.array()) as usize % bound
    }
}

/// A value that can be made up.
pub(crate) trait Sample: Sized {
    fn sample(source: &mut Source<'_>) -> Self;
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Sample for $type {
            fn sample(source: &mut Source<'_>) -> Self {
                match source.below(4) {
                    0 => source.below(200) as $type,
                    1 => <$type>::MAX,
                    2 => <$type>::MIN,
                    _ => <$type>::from_le_bytes(source.array()),
                }
            }
        }
    )*};
}

integers!(i32, i64, u32, u64);

impl Sample for bool {
    fn sample(source: &mut Source<'_>) -> Self {
        source.below(2) == 1
    }
}

impl Sample for f64 {
    fn sample(source: &mut Source<'_>) -> Self {
        let any = match source.below(6) {
            0 => source.below(1_000) as f64,
            1 => 0.1,
            2 => f64::INFINITY,
            3 => f64::NEG_INFINITY,
            4 => 1_795_251_194.140_826_3,
            _ => f64::from_le_bytes(source.array()),
        };
        // NaN is no double that could be compared afterwards; it has a test of its own.
        if any.is_nan() { -0.5 } else { any }
    }
}

impl Sample for String {
    fn sample(source: &mut Source<'_>) -> Self {
        const PIECES: [&str; 10] =
            ["", "a", "task-1", "\"", "\\", "\u{0}\n\u{1f}\u{7f}", "ä", "…", "\u{1f980}", "\u{2028}"];
        (0..source.below(4)).map(|_| PIECES[source.below(PIECES.len())]).collect()
    }
}

impl Sample for Bytes {
    fn sample(source: &mut Source<'_>) -> Self {
        (0..source.below(300)).map(|_| source.array::<1>()[0]).collect()
    }
}

impl<T: Sample> Sample for Box<T> {
    fn sample(source: &mut Source<'_>) -> Self {
        Box::new(T::sample(source))
    }
}

impl<T: Sample> Sample for Nested<T> {
    fn sample(source: &mut Source<'_>) -> Self {
        Self(Box::sample(source))
    }
}

pub(crate) fn required<T: Sample>(source: &mut Source<'_>) -> T {
    T::sample(source)
}

pub(crate) fn default<T: Sample>(source: &mut Source<'_>) -> T {
    T::sample(source)
}

pub(crate) fn optional<T: Sample>(source: &mut Source<'_>) -> Option<T> {
    (source.below(3) == 1).then(|| T::sample(source))
}

pub(crate) fn repeated<T: Sample>(source: &mut Source<'_>) -> Vec<T> {
    (0..source.below(3)).map(|_| T::sample(source)).collect()
}

pub(crate) fn map<T: Sample>(source: &mut Source<'_>) -> BTreeMap<String, T> {
    (0..source.below(3)).map(|_| (String::sample(source), T::sample(source))).collect()
}
