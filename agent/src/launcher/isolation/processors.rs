//! Which containers are bound to which processors.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Place;

/// The processors of this machine, and who is bound to some of them.
#[derive(Debug, Default)]
pub(super) struct Processors {
    all: Vec<u32>,
    bound: Mutex<BTreeMap<Place, Vec<u32>>>,
}

impl Processors {
    /// Those of `all`, in the kernel's words.
    pub(super) fn of(all: &str) -> Processors {
        Processors { all: parse(all), bound: Mutex::default() }
    }

    /// A container was bound to these before.
    pub(super) fn restore(&self, place: Place, processors: &str) {
        self.bound().insert(place, parse(processors));
    }

    /// Binds a container to so many processors, those to which the fewest others are bound; answers in the kernel's words. A container
    /// that has some already keeps as many of them as it can.
    pub(super) fn bind(&self, place: &Place, count: u32) -> String {
        let mut bound = self.bound();
        let had = bound.remove(place).unwrap_or_default();
        let users = |processor: &u32| bound.values().filter(|some| some.contains(processor)).count();
        let mut candidates = self.all.clone();
        candidates.sort_by_cached_key(|processor| (!had.contains(processor), users(processor), *processor));
        candidates.truncate(usize::try_from(count.max(1)).unwrap_or(usize::MAX));
        candidates.sort_unstable();
        let words: Vec<String> = candidates.iter().map(ToString::to_string).collect();
        bound.insert(place.clone(), candidates);
        words.join(",")
    }

    /// The container is gone.
    pub(super) fn release(&self, place: &Place) {
        self.bound().remove(place);
    }

    /// What a thread that panicked left is whole: nothing here can.
    fn bound(&self) -> MutexGuard<'_, BTreeMap<Place, Vec<u32>>> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of `0-3,8`.
fn parse(list: &str) -> Vec<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_bound_to_those_that_the_fewest_others_have() {
        let processors = Processors::of("0-2,7\n");
        let place = |name: &str| Place::parse(name).unwrap();
        assert_eq!(processors.bind(&place("a"), 1), "0");
        assert_eq!(processors.bind(&place("b"), 2), "1,2");
        assert_eq!(processors.bind(&place("c"), 2), "0,7");
        assert_eq!(processors.bind(&place("a"), 2), "0,1", "what it has it keeps");
        processors.release(&place("b"));
        assert_eq!(processors.bind(&place("d"), 1), "2");
        assert_eq!(processors.bind(&place("e"), 99), "0,1,2,7");
        let later = Processors::of("0-1");
        later.restore(place("a"), "0");
        assert_eq!(later.bind(&place("f"), 1), "1");
    }
}
