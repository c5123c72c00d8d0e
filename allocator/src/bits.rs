/// A set of small numbers, one bit each: who refused an agent, which agents have something free.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    pub(crate) fn contains(&self, index: u32) -> bool {
        self.0.get(index as usize / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// True when `index` was not in the set before.
    pub(crate) fn insert(&mut self, index: u32) -> bool {
        let (word, bit) = (index as usize / 64, 1 << (index % 64));
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    /// True when `index` was in the set.
    pub(crate) fn remove(&mut self, index: u32) -> bool {
        let (word, bit) = (index as usize / 64, 1 << (index % 64));
        let Some(word) = self.0.get_mut(word) else {
            return false;
        };
        let old = *word & bit != 0;
        *word &= !bit;
        old
    }

    /// Puts `index` into the set, or takes it out.
    pub(crate) fn set(&mut self, index: u32, member: bool) {
        match member {
            true => self.insert(index),
            false => self.remove(index),
        };
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(crate) fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Takes every number of `other` out of this set.
    pub(crate) fn subtract(&mut self, other: &Bits) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine &= !theirs;
        }
    }

    /// Keeps only the numbers that are in `other` too.
    pub(crate) fn intersect(&mut self, other: &Bits) {
        for (index, mine) in self.0.iter_mut().enumerate() {
            *mine &= other.0.get(index).copied().unwrap_or(0);
        }
    }

    /// True when some number is in both sets.
    pub(crate) fn meets(&self, other: &Bits) -> bool {
        self.0.iter().zip(&other.0).any(|(mine, theirs)| mine & theirs != 0)
    }

    /// Becomes a copy of `other` without asking for memory anew.
    pub(crate) fn copy_from(&mut self, other: &Bits) {
        self.0.clone_from(&other.0);
    }

    /// The numbers in ascending order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().enumerate().flat_map(|(index, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(index as u32 * 64 + bit)
            })
        })
    }
}
