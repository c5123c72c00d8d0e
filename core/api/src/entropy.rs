//! Ids that nobody can guess or repeat, without randomness in the cores.

use uuid::Uuid;

/// A source of unique ids: a seed that the shell draws once, hashed with a counter. The same seed gives the same ids, which is
/// what makes a simulated run repeatable.
#[derive(Debug, Clone)]
pub struct Entropy {
    seed: Uuid,
    counter: u64,
}

impl Entropy {
    /// Starts from `seed`, which a shell must draw from the operating system, anew for each process.
    pub fn new(seed: u128) -> Self {
        Self { seed: Uuid::from_u128(seed), counter: 0 }
    }

    /// The next id.
    pub fn uuid(&mut self) -> Uuid {
        self.counter += 1;
        Uuid::new_v5(&self.seed, &self.counter.to_le_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids_and_never_one_twice() {
        let ids = |seed| {
            let mut entropy = Entropy::new(seed);
            (0..1_000).map(move |_| entropy.uuid()).collect::<Vec<_>>()
        };
        assert_eq!(ids(7), ids(7));
        let all: BTreeSet<_> = ids(7).into_iter().chain(ids(8)).collect();
        assert_eq!(all.len(), 2_000);
    }
}
