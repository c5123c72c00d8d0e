use std::fmt::Debug;

use super::ranking::{Rank, Share};
use crate::Quantities;

/// How siblings in the tree of roles, and frameworks in a role, take their turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sorting {
    /// Whoever has the smallest dominant share of the cluster, by weight, is first.
    #[default]
    Fair,
    /// By lot: of any number of turns, everybody gets a part in proportion to its weight, whatever it has already.
    Random {
        /// What the draws are made from; the same seed gives the same offers.
        seed: u64,
    },
    /// Whoever has the largest weight is first, always; those of the same weight share fairly.
    Priority,
}

/// Where one contender stands among its siblings.
pub(super) struct Standing<'a> {
    /// What it has, used and offered.
    pub(super) allocated: &'a Quantities,
    /// What shares are parts of.
    pub(super) total: &'a Quantities,
    /// Its weight.
    pub(super) weight: f64,
    /// Its rank so far.
    pub(super) rank: Rank,
}

/// A rule for who of several siblings is first. The cost of a decision follows the contenders that changed: a rank depends on
/// the contender alone, never on its siblings, save for when it joined them.
pub(super) trait Policy: Debug + Send {
    /// The rank of a contender that joins siblings of which `first` is the first now.
    fn join(&self, served: u64, weight: f64, first: Option<Rank>) -> Rank;

    /// The rank of a contender that has more or less than before. `served` is set when this was its turn.
    fn rank(&self, standing: &Standing<'_>, served: Option<u64>) -> Rank;
}

impl Sorting {
    pub(super) fn policy(self) -> Box<dyn Policy> {
        match self {
            Sorting::Fair => Box::new(Fair),
            Sorting::Random { seed } => Box::new(Random { seed }),
            Sorting::Priority => Box::new(Priority),
        }
    }
}

/// Dominant resource fairness.
#[derive(Debug)]
struct Fair;

impl Policy for Fair {
    fn join(&self, served: u64, _: f64, _: Option<Rank>) -> Rank {
        Rank { share: Share::default(), served }
    }

    fn rank(&self, standing: &Standing<'_>, served: Option<u64>) -> Rank {
        let share = standing.allocated.dominant_share(standing.total) / standing.weight;
        Rank { share: Share::new(share), served: served.unwrap_or(standing.rank.served) }
    }
}

/// A race: each contender's next turn is at a random time after its last one, the sooner the larger its weight.
#[derive(Debug)]
struct Random {
    seed: u64,
}

impl Random {
    /// The time until the next turn, exponentially distributed: of contenders that wait so long after each turn, each is next
    /// with a probability in proportion to its weight.
    fn wait(&self, served: u64, weight: f64) -> f64 {
        -uniform(self.seed, served).ln() / weight
    }
}

impl Policy for Random {
    fn join(&self, served: u64, weight: f64, first: Option<Rank>) -> Rank {
        let now = first.map_or(0.0, |first| first.share.to_f64());
        Rank { share: Share::new(now + self.wait(served, weight)), served }
    }

    fn rank(&self, standing: &Standing<'_>, served: Option<u64>) -> Rank {
        let Some(served) = served else { return standing.rank };
        let share = Share::new(standing.rank.share.to_f64() + self.wait(served, standing.weight));
        Rank { share, served }
    }
}

/// Strict priority by weight, and fair shares among equals.
#[derive(Debug)]
struct Priority;

impl Policy for Priority {
    fn join(&self, served: u64, weight: f64, _: Option<Rank>) -> Rank {
        Rank { share: Share::of_class(weight, 0.0), served }
    }

    fn rank(&self, standing: &Standing<'_>, served: Option<u64>) -> Rank {
        let share = standing.allocated.dominant_share(standing.total);
        Rank { share: Share::of_class(standing.weight, share), served: served.unwrap_or(standing.rank.served) }
    }
}

/// A number above 0 and at most 1 that looks random: the `index`th of the series that `seed` stands for.
fn uniform(seed: u64, index: u64) -> f64 {
    let mut bits = seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    ((bits >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
pub(super) fn random_wait(seed: u64, served: u64, weight: f64) -> f64 {
    Random { seed }.wait(served, weight)
}
