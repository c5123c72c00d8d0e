//! How often something happens, and how long it takes: what Marathon's dashboards read of meters and timers.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Rates are averaged anew this often.
const TICK: Duration = Duration::from_secs(5);
/// Over how many minutes, each weighing the past less than the present.
const MINUTES: [f64; 3] = [1.0, 5.0, 15.0];
/// What was measured longer ago than this, or than twice this, is forgotten.
const WINDOW: Duration = Duration::from_secs(30);
/// Durations are kept in microseconds, up to an hour, to two digits.
const HIGHEST: u64 = 3_600_000_000;
const DIGITS: u8 = 2;

/// Counts, and tells how fast it does.
#[derive(Debug)]
pub(super) struct Meter {
    begun: Instant,
    ticked: Instant,
    count: u64,
    since_tick: u64,
    /// Each per second; none before the first tick.
    averages: Option<[f64; MINUTES.len()]>,
}

/// What a meter shows: events, and events per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rates {
    pub(super) count: u64,
    /// Since the meter began.
    pub(super) mean: f64,
    /// Over one, five and fifteen minutes.
    pub(super) averages: [f64; MINUTES.len()],
}

impl Meter {
    pub(super) fn begin(now: Instant) -> Self {
        Self { begun: now, ticked: now, count: 0, since_tick: 0, averages: None }
    }

    pub(super) fn mark(&mut self, now: Instant) {
        self.tick(now);
        self.count += 1;
        self.since_tick += 1;
    }

    pub(super) fn rates(&mut self, now: Instant) -> Rates {
        self.tick(now);
        let lasted = now.duration_since(self.begun).as_secs_f64();
        let mean = if lasted > 0.0 { self.count as f64 / lasted } else { 0.0 };
        Rates { count: self.count, mean, averages: self.averages.unwrap_or_default() }
    }

    /// Catches up with the ticks that are due. What was counted belongs to the first of them.
    fn tick(&mut self, now: Instant) {
        let due = now.duration_since(self.ticked).as_nanos() / TICK.as_nanos();
        let Ok(due) = u32::try_from(due) else { return *self = Self { count: self.count, ..Self::begin(now) } };
        if due == 0 {
            return;
        }
        let current = self.since_tick as f64 / TICK.as_secs_f64();
        let averages = self.averages.get_or_insert([current; MINUTES.len()]);
        for (average, minutes) in averages.iter_mut().zip(MINUTES) {
            let kept = (-TICK.as_secs_f64() / 60.0 / minutes).exp();
            *average = (current + (*average - current) * kept) * kept.powf(f64::from(due - 1));
        }
        self.since_tick = 0;
        self.ticked += TICK * due;
    }
}

/// Measures how long something takes.
#[derive(Debug)]
pub(super) struct Timer {
    meter: Meter,
    window: Instant,
    current: Histogram<u32>,
    former: Histogram<u32>,
}

/// What a timer shows: durations in seconds, of the last half minute to minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Durations {
    pub(super) rates: Rates,
    pub(super) min: f64,
    pub(super) mean: f64,
    pub(super) max: f64,
    pub(super) deviation: f64,
    /// At [`QUANTILES`].
    pub(super) quantiles: [f64; QUANTILES.len()],
}

/// The quantiles that a timer shows.
pub(super) const QUANTILES: [f64; 6] = [0.5, 0.75, 0.95, 0.98, 0.99, 0.999];

impl Timer {
    pub(super) fn begin(now: Instant) -> Self {
        Self { meter: Meter::begin(now), window: now, current: empty(), former: empty() }
    }

    pub(super) fn record(&mut self, now: Instant, lasted: Duration) {
        self.meter.mark(now);
        self.turn(now);
        let micros = u64::try_from(lasted.as_micros()).unwrap_or(HIGHEST);
        self.current.saturating_record(micros.min(HIGHEST));
    }

    pub(super) fn durations(&mut self, now: Instant) -> Durations {
        self.turn(now);
        let mut all = self.former.clone();
        // Both have the same bounds.
        let _ = all.add(&self.current);
        let seconds = |micros: u64| micros as f64 / 1e6;
        let (min, max) = if all.is_empty() { (0, 0) } else { (all.min(), all.max()) };
        Durations {
            rates: self.meter.rates(now),
            min: seconds(min),
            mean: all.mean() / 1e6,
            max: seconds(max),
            deviation: all.stdev() / 1e6,
            quantiles: QUANTILES.map(|quantile| seconds(all.value_at_quantile(quantile))),
        }
    }

    /// Forgets what is too old.
    fn turn(&mut self, now: Instant) {
        let age = now.duration_since(self.window);
        if age < WINDOW {
            return;
        }
        std::mem::swap(&mut self.current, &mut self.former);
        self.current.reset();
        if age >= 2 * WINDOW {
            self.former.reset();
        }
        self.window = now;
    }
}

fn empty() -> Histogram<u32> {
    let histogram = Histogram::new_with_bounds(1, HIGHEST, DIGITS);
    let Ok(histogram) = histogram else { unreachable!("these bounds are allowed") };
    histogram
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_follow_what_happens_and_fade() {
        let begun = Instant::now();
        let after = |seconds: u64| begun + Duration::from_secs(seconds);
        let mut meter = Meter::begin(begun);
        assert_eq!(meter.rates(begun), Rates::default());
        // Two a second, for a quarter of an hour.
        for second in 0..900 {
            meter.mark(after(second));
            meter.mark(after(second));
        }
        let rates = meter.rates(after(900));
        assert_eq!((rates.count, rates.mean), (1_800, 2.0));
        assert!(rates.averages.iter().all(|average| (average - 2.0).abs() < 1e-9), "{rates:?}");
        // Nothing for a minute: what is averaged over a minute has lost all but an e-th, however often one looks.
        let mut watched = Meter { averages: meter.averages, ..Meter::begin(after(900)) };
        for second in 900..960 {
            watched.rates(after(second));
        }
        for faded in [meter.rates(after(960)), watched.rates(after(960))] {
            let expected = [1.0, 5.0, 15.0].map(|minutes: f64| 2.0 * (-1.0 / minutes).exp());
            let near = faded.averages.iter().zip(expected).all(|(average, expected)| (average - expected).abs() < 1e-9);
            assert!(near, "{faded:?} {expected:?}");
        }
        assert_eq!(meter.rates(after(40 * 365 * 86_400)).averages, [0.0; 3]);
    }

    #[test]
    fn durations_are_those_of_the_last_minute() {
        let begun = Instant::now();
        let mut timer = Timer::begin(begun);
        assert_eq!(timer.durations(begun), Durations::default());
        for milliseconds in 1..=1_000 {
            timer.record(begun, Duration::from_millis(milliseconds));
        }
        let told = timer.durations(begun + WINDOW / 2);
        let near = |value: f64, expected: f64| assert!((value / expected - 1.0).abs() < 0.02, "{value} {expected}");
        for (value, expected) in told.quantiles.into_iter().zip([0.5, 0.75, 0.95, 0.98, 0.99, 0.999]) {
            near(value, expected);
        }
        near(told.min, 0.001);
        near(told.mean, 0.5005);
        near(told.max, 1.0);
        near(told.deviation, 0.2887);
        timer.record(begun + WINDOW, Duration::from_secs(7_200));
        near(timer.durations(begun + WINDOW).max, 3_600.0);
        near(timer.durations(begun + WINDOW).min, 0.001);
        near(timer.durations(begun + 2 * WINDOW).min, 3_600.0);
        let later = timer.durations(begun + 4 * WINDOW);
        assert_eq!((later.rates.count, later.max), (1_001, 0.0));
    }
}
