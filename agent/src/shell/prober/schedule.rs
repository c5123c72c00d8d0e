//! When which check is due: pure, so that a day of checks takes a moment to test.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Order;
use crate::launcher::protocol::ContainerId;
use crate::network::Place;
use crate::supervisor::ProbeSpec;

/// No check is made more often.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// A check of a watched container; ordered by when it is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    at: Instant,
    /// Tells a watch from a later one of the same container.
    watch: u64,
    pub(super) container: ContainerId,
    pub(super) check: usize,
}

struct Watch {
    number: u64,
    place: Arc<Place>,
    checks: Vec<Arc<ProbeSpec>>,
    /// Probes that have not come back; their next turn is skipped.
    in_flight: Vec<bool>,
}

/// When which check is due.
#[derive(Default)]
pub(super) struct Schedule {
    watches: HashMap<ContainerId, Watch>,
    queue: BinaryHeap<Reverse<Due>>,
    watches_made: u64,
}

impl Schedule {
    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.peek().map(|Reverse(due)| due.at)
    }

    pub(super) fn obey(&mut self, now: Instant, order: Order) {
        match order {
            Order::Unwatch(container) => drop(self.watches.remove(&container)),
            Order::Plead(..) => {}
            Order::Watch(container, place, checks) => {
                self.watches_made += 1;
                let number = self.watches_made;
                for (check, spec) in checks.iter().enumerate() {
                    let at = now + Duration::from_millis(spec.delay_ms);
                    self.queue.push(Reverse(Due { at, watch: number, container: container.clone(), check }));
                }
                let in_flight = vec![false; checks.len()];
                self.watches.insert(
                    container,
                    Watch {
                        number,
                        place: Arc::new(place),
                        checks: checks.into_iter().map(Arc::new).collect(),
                        in_flight,
                    },
                );
            }
        }
    }

    fn watch(&mut self, due: &Due) -> Option<&mut Watch> {
        self.watches.get_mut(&due.container).filter(|watch| watch.number == due.watch)
    }

    /// The next check to be made now. Its next turn is counted from when this one was due, so the cadence does not drift.
    pub(super) fn take(&mut self, now: Instant) -> Option<(Due, Arc<Place>, Arc<ProbeSpec>)> {
        while self.next().is_some_and(|at| at <= now) {
            let Reverse(due) = self.queue.pop()?;
            let Some(watch) = self.watch(&due) else { continue };
            let Some(spec) = watch.checks.get(due.check).cloned() else { continue };
            let interval = Duration::from_millis(spec.interval_ms).max(MIN_INTERVAL);
            let place = watch.place.clone();
            let busy = std::mem::replace(&mut watch.in_flight[due.check], true);
            let on_time = due.at + interval;
            // After a pause of the whole process what was missed is not made up for.
            let at = if on_time < now { now + interval } else { on_time };
            self.queue.push(Reverse(Due { at, ..due.clone() }));
            if !busy {
                return Some((due, place, spec));
            }
        }
        None
    }

    /// Whether somebody still wants to know about this probe.
    pub(super) fn returned(&mut self, due: &Due) -> bool {
        match self.watch(due) {
            Some(watch) => std::mem::replace(&mut watch.in_flight[due.check], false),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::{Family, Target};

    fn spec(delay_ms: u64, interval_ms: u64) -> ProbeSpec {
        ProbeSpec { target: Target::Tcp { family: Family::Ipv4, port: 1 }, delay_ms, interval_ms, timeout_ms: 1_000 }
    }

    fn container(name: &str) -> ContainerId {
        ContainerId::new(name).unwrap()
    }

    #[test]
    fn the_cadence_does_not_drift_and_a_slow_probe_skips_its_turns() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut schedule = Schedule::default();
        schedule.obey(begin, Order::Watch(container("c"), Place::Host, vec![spec(500, 1_000)]));
        assert!(schedule.take(at(499)).is_none());
        let (first, ..) = schedule.take(at(530)).unwrap();
        assert_eq!(schedule.next(), Some(at(1_500)));
        assert!(schedule.take(at(1_501)).is_none(), "the first has not come back");
        assert!(schedule.returned(&first));
        assert!(!schedule.returned(&first));
        assert!(schedule.take(at(2_600)).is_some());
        assert_eq!(schedule.next(), Some(at(3_500)));
    }

    #[test]
    fn nobody_hears_of_what_is_not_watched_any_more() {
        let begin = Instant::now();
        let mut schedule = Schedule::default();
        schedule.obey(begin, Order::Watch(container("c"), Place::Host, vec![spec(0, 1_000)]));
        let (old, ..) = schedule.take(begin).unwrap();
        schedule.obey(begin, Order::Unwatch(container("c")));
        schedule.obey(begin, Order::Watch(container("c"), Place::Host, vec![spec(0, 1_000)]));
        assert!(!schedule.returned(&old));
        assert!(schedule.take(begin).is_some());
        assert!(schedule.take(begin).is_none());
    }

    /// Over ten minutes of a clock that jumps as one under load does.
    #[test]
    fn thousands_of_checks_keep_their_cadence() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut schedule = Schedule::default();
        let (delay, interval) = (|index: u64| index * 7 % 15_000, |index: u64| 1_000 + index * 13 % 29_000);
        for index in 0..5_000 {
            let order =
                Order::Watch(container(&format!("c{index}")), Place::Host, vec![spec(delay(index), interval(index))]);
            schedule.obey(begin, order);
        }
        let mut made = HashMap::<ContainerId, u64>::new();
        let (mut now, mut step) = (0, 1);
        while now < 600_000 {
            step = (step * 31 + 17) % 400 + 1;
            now = (now + step).min(600_000);
            while let Some((due, ..)) = schedule.take(at(now)) {
                let count = made.entry(due.container.clone()).or_default();
                let index: u64 = due.container.as_str()[1..].parse().unwrap();
                assert_eq!(due.at, at(delay(index) + *count * interval(index)), "it is due when it should be");
                *count += 1;
                assert!(schedule.returned(&due));
            }
        }
        for index in 0..5_000 {
            let expected = (600_000 - delay(index)) / interval(index) + 1;
            assert_eq!(made[&container(&format!("c{index}"))], expected, "check {index}");
        }
    }
}
