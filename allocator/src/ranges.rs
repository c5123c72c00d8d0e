use std::fmt;

/// The whole numbers from `begin` to `end`, both included. `begin <= end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// The first number.
    pub begin: u64,
    /// The last number.
    pub end: u64,
}

/// A set of whole numbers (of ports, say) as ranges: sorted, disjoint, and with a gap between any two of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ranges(Vec<Range>);

/// A range whose end lies before its begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("[{begin}-{end}] is not a range: it ends before it begins")]
pub struct InvalidRange {
    /// The first number given.
    pub begin: u64,
    /// The last number given.
    pub end: u64,
}

impl Ranges {
    /// The union of `pairs` of (begin, end), both included, in any order, overlapping or not.
    ///
    /// # Errors
    /// A pair whose end lies before its begin.
    pub fn new(pairs: impl IntoIterator<Item = (u64, u64)>) -> Result<Ranges, InvalidRange> {
        let ordered = |(begin, end)| {
            if begin <= end { Ok(Range { begin, end }) } else { Err(InvalidRange { begin, end }) }
        };
        let mut ranges: Vec<Range> = pairs.into_iter().map(ordered).collect::<Result<_, _>>()?;
        ranges.sort_unstable();
        Ok(Ranges(coalesce(ranges.into_iter())))
    }

    /// True when there is no number in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ranges in ascending order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Range> + '_ {
        self.0.iter().copied()
    }

    /// Every number of the set in ascending order.
    pub fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().flat_map(|range| range.begin..=range.end)
    }

    /// How many numbers the set has (stopping at `u64::MAX`).
    #[must_use]
    pub fn count(&self) -> u64 {
        let count = |range: &Range| (range.end - range.begin).saturating_add(1);
        self.0.iter().map(count).fold(0, u64::saturating_add)
    }

    /// True when every number of `other` is in this set.
    #[must_use]
    pub fn contains(&self, other: &Ranges) -> bool {
        let mut mine = self.0.iter();
        let mut current = mine.next();
        other.0.iter().all(|wanted| {
            while let Some(range) = current
                && range.end < wanted.begin
            {
                current = mine.next();
            }
            current.is_some_and(|range| range.begin <= wanted.begin && wanted.end <= range.end)
        })
    }

    /// The numbers that are in either set.
    #[must_use]
    pub fn union(&self, other: &Ranges) -> Ranges {
        let (mut left, mut right) = (self.0.iter().copied().peekable(), other.0.iter().copied().peekable());
        Ranges(coalesce(std::iter::from_fn(|| match (left.peek(), right.peek()) {
            (Some(a), Some(b)) if b < a => right.next(),
            (Some(_), _) => left.next(),
            (None, _) => right.next(),
        })))
    }

    /// The numbers of this set that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Ranges) -> Ranges {
        let mut rest = Vec::with_capacity(self.0.len() + other.0.len());
        let mut holes = other.0.iter().peekable();
        for range in &self.0 {
            let mut begin = range.begin;
            let mut exhausted = false;
            while let Some(hole) = holes.peek() {
                if hole.end < begin {
                    holes.next();
                    continue;
                }
                if hole.begin > range.end {
                    break;
                }
                if hole.begin > begin {
                    rest.push(Range { begin, end: hole.begin - 1 });
                }
                if hole.end >= range.end {
                    exhausted = true;
                    break;
                }
                begin = hole.end + 1;
            }
            if !exhausted {
                rest.push(Range { begin, end: range.end });
            }
        }
        Ranges(rest)
    }

    /// True when no number is in both sets.
    #[must_use]
    pub fn is_disjoint(&self, other: &Ranges) -> bool {
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            if a.end < b.begin {
                left.next();
            } else if b.end < a.begin {
                right.next();
            } else {
                return false;
            }
        }
        true
    }
}

/// Joins ranges that come in ascending order of their begins where they touch or overlap.
fn coalesce(ascending: impl Iterator<Item = Range>) -> Vec<Range> {
    let mut joined: Vec<Range> = Vec::with_capacity(ascending.size_hint().0);
    for range in ascending {
        match joined.last_mut() {
            Some(last) if range.begin <= last.end.saturating_add(1) => last.end = last.end.max(range.end),
            Some(_) | None => joined.push(range),
        }
    }
    joined
}

impl fmt::Display for Ranges {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges: Vec<String> = self.0.iter().map(|range| format!("{}-{}", range.begin, range.end)).collect();
        write!(formatter, "[{}]", ranges.join(","))
    }
}

#[cfg(test)]
mod tests;
