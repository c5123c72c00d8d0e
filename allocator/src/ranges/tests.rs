use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

type Numbers = BTreeSet<u64>;

fn pairs() -> impl Strategy<Value = Vec<(u64, u64)>> {
    proptest::collection::vec((0_u64..60, 0_u64..8).prop_map(|(begin, length)| (begin, begin + length)), 0..8)
}

fn numbers(pairs: &[(u64, u64)]) -> Numbers {
    pairs.iter().flat_map(|(begin, end)| *begin..=*end).collect()
}

/// The ranges hold just those numbers, and are in normal form.
fn assert_holds(ranges: &Ranges, expected: &Numbers) {
    assert_eq!(&ranges.numbers().collect::<Numbers>(), expected);
    assert_eq!(ranges.count(), expected.len() as u64);
    assert!(ranges.0.windows(2).all(|pair| pair[0].end + 1 < pair[1].begin), "{ranges} is in normal form");
}

proptest! {
    #[test]
    fn ranges_compute_like_sets_of_numbers(left in pairs(), right in pairs()) {
        let (a, b) = (Ranges::new(left.clone()).unwrap(), Ranges::new(right.clone()).unwrap());
        let (left, right) = (numbers(&left), numbers(&right));
        assert_holds(&a, &left);
        assert_holds(&a.union(&b), &(&left | &right));
        assert_holds(&a.difference(&b), &(&left - &right));
        prop_assert_eq!(a.contains(&b), right.is_subset(&left));
        prop_assert_eq!(a.is_disjoint(&b), left.is_disjoint(&right));
    }
}

#[test]
fn touching_and_overlapping_ranges_are_one() {
    let cases: [(&[(u64, u64)], &str); 4] = [
        (&[(31000, 31005), (31006, 32000)], "[31000-32000]"),
        (&[(5, 9), (1, 6)], "[1-9]"),
        (&[(3, 3), (1, 1), (5, 5)], "[1-1,3-3,5-5]"),
        (&[], "[]"),
    ];
    for (pairs, expected) in cases {
        assert_eq!(Ranges::new(pairs.iter().copied()).unwrap().to_string(), expected);
    }
}

#[test]
fn the_last_number_there_is_can_be_in_a_range() {
    let all = Ranges::new([(0, u64::MAX)]).unwrap();
    let last = Ranges::new([(u64::MAX, u64::MAX)]).unwrap();
    assert_eq!(all.count(), u64::MAX);
    assert_eq!(all.union(&last), all);
    assert_eq!(all.difference(&last).to_string(), format!("[0-{}]", u64::MAX - 1));
    assert!(all.difference(&last).difference(&all).is_empty());
}

#[test]
fn a_range_that_ends_before_it_begins_is_refused() {
    assert_eq!(Ranges::new([(1, 2), (4, 3)]), Err(InvalidRange { begin: 4, end: 3 }));
}
