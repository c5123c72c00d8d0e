use std::collections::BTreeSet;

/// The place of a contender among its siblings; the order of the fields is the policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// What the policy goes by: under fair sharing, whoever has the smallest part of the cluster, by weight, is first.
    pub(super) share: Share,
    /// Among equals: whoever waits longest, counted in allocations since the last one (or since joining). Siblings
    /// never have the same, so a rank settles every comparison.
    pub(super) served: u64,
}

/// A dominant share divided by a weight, or what else the policy ranks by. Floating point, because it is only compared; the
/// bits of numbers that are not negative are in the order of the numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Share(u64);

impl Share {
    pub(super) fn new(share: f64) -> Share {
        assert!(share >= 0.0, "a share is a quotient of quantities, and those are not negative");
        Share(share.to_bits())
    }

    /// The larger class is first, and in it the smaller share. Each with the precision that half of the bits allow.
    pub(super) fn of_class(class: f64, share: f64) -> Share {
        assert!(class >= 0.0 && share >= 0.0, "weights and shares are not negative");
        Share(u64::from(!(class as f32).to_bits()) << 32 | u64::from((share as f32).to_bits()))
    }

    pub(super) fn to_f64(self) -> f64 {
        f64::from_bits(self.0)
    }
}

/// Contenders in the order of their ranks.
#[derive(Debug)]
pub(super) struct Ranking<T>(BTreeSet<(Rank, T)>);

impl<T: Copy + Ord> Ranking<T> {
    pub(super) fn insert(&mut self, rank: Rank, contender: T) {
        self.0.insert((rank, contender));
    }

    pub(super) fn remove(&mut self, rank: Rank, contender: T) {
        let was_there = self.0.remove(&(rank, contender));
        assert!(was_there, "a contender is ranked under the rank that its account tells");
    }

    pub(super) fn shift(&mut self, from: Rank, to: Rank, contender: T) {
        if from != to {
            // In this order, so that a lone contender keeps its tree node.
            self.insert(to, contender);
            self.remove(from, contender);
        }
    }

    pub(super) fn first_rank(&self) -> Option<Rank> {
        self.0.first().map(|(rank, _)| *rank)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.0.iter().map(|(_, contender)| *contender)
    }
}

impl<T> Default for Ranking<T> {
    fn default() -> Ranking<T> {
        Ranking(BTreeSet::new())
    }
}
