//! Passwords are checked a few at a time, and those who guess are made to wait.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::access::{Digest, NotHashed, PasswordHash};

/// Passwords that are checked at once: each takes tens of milliseconds of a processor and 19 MiB.
const CHECKS_MAX: usize = 2;
/// Passwords that wait to be checked; further ones are refused.
const WAITING_CHECKS_MAX: usize = 64;
/// A password that was right is not checked again for so long.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);
const REMEMBERED_MAX: usize = 1_024;
/// So many wrong passwords for one name may come from one address in [`FAILURES_PERIOD`].
const FAILURES_MAX: u32 = 10;
const FAILURES_PERIOD: Duration = Duration::from_secs(60);
/// Pairs of a name and an address that are counted. Beyond them the oldest are forgotten.
const COUNTED_MAX: usize = 4_096;

/// Why a password was not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unchecked {
    /// Others are.
    Busy,
    /// Too many wrong ones came before it: not for so long.
    Guessed(Duration),
}

/// Who tries: for this name, from this address. The network of an IPv6 address is one person's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Attempt {
    address: IpAddr,
    name: Digest,
}

impl Attempt {
    pub(super) fn of(address: IpAddr, name: &str) -> Self {
        let address = match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        };
        Self { address, name: Digest::of(name.as_bytes()) }
    }
}

/// The wrong passwords of late.
#[derive(Debug, Default)]
struct Failures(HashMap<Attempt, Counted>);

#[derive(Clone, Copy, Debug)]
struct Counted {
    since: Instant,
    failures: u32,
}

impl Failures {
    /// How long somebody has to wait, if he has.
    fn wait(&self, attempt: &Attempt, now: Instant) -> Option<Duration> {
        let counted = self.0.get(attempt).filter(|counted| counted.failures >= FAILURES_MAX)?;
        let waited = now.saturating_duration_since(counted.since);
        FAILURES_PERIOD.checked_sub(waited).filter(|left| !left.is_zero())
    }

    fn add(&mut self, attempt: Attempt, now: Instant) {
        let is_over = |counted: &Counted| now.saturating_duration_since(counted.since) >= FAILURES_PERIOD;
        if self.0.len() >= COUNTED_MAX && !self.0.contains_key(&attempt) {
            self.0.retain(|_, counted| !is_over(counted));
            let oldest = self.0.iter().min_by_key(|(_, counted)| counted.since).map(|(attempt, _)| *attempt);
            if let (true, Some(oldest)) = (self.0.len() >= COUNTED_MAX, oldest) {
                self.0.remove(&oldest);
            }
        }
        let counted = self.0.entry(attempt).or_insert(Counted { since: now, failures: 0 });
        if is_over(counted) {
            *counted = Counted { since: now, failures: 0 };
        }
        counted.failures += 1;
    }
}

/// Checks passwords, and remembers for a while which were right.
pub(super) struct Passwords {
    checking: Arc<Semaphore>,
    waiting: Semaphore,
    right: Mutex<HashMap<Digest, Instant>>,
    wrong: Mutex<Failures>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            checking: Arc::new(Semaphore::new(CHECKS_MAX)),
            waiting: Semaphore::new(WAITING_CHECKS_MAX),
            right: Mutex::default(),
            wrong: Mutex::default(),
        }
    }
}

/// What a password is compared with that nobody has.
static NOBODYS: LazyLock<Option<PasswordHash>> = LazyLock::new(|| PasswordHash::of("nobody").ok());

impl Passwords {
    /// Whether this is the password of whom somebody says to be.
    ///
    /// # Errors
    /// It was not looked at.
    pub(super) async fn check(
        &self,
        attempt: Attempt,
        hash: Option<&PasswordHash>,
        password: &str,
    ) -> Result<bool, Unchecked> {
        if password.len() > PasswordHash::PASSWORD_MAX {
            return Ok(false);
        }
        // With its hash in it, a password that was changed is remembered no longer; with the address, who guesses from elsewhere is
        // made to wait however often the right one comes.
        let of = |hash: &PasswordHash| format!("{}\n{}\n{password}", attempt.address, hash.text());
        let key = hash.map(|hash| Digest::of(of(hash).as_bytes()));
        if key.is_some_and(|key| self.is_remembered(&key)) {
            return Ok(true);
        }
        self.admit(&attempt)?;
        let _waits = self.waiting.try_acquire().map_err(|_| Unchecked::Busy)?;
        let permit = Arc::clone(&self.checking).acquire_owned().await.map_err(|_| Unchecked::Busy)?;
        // Others may have failed while this one waited.
        self.admit(&attempt)?;
        let (hash, password) = (hash.cloned(), password.to_owned());
        let checked = tokio::task::spawn_blocking(move || {
            let _held = permit;
            match hash {
                Some(hash) => hash.matches(&password),
                None => {
                    // Whatever it says: there is nobody whom it could be right for.
                    let _same_effort = NOBODYS.as_ref().map(|hash| hash.matches(&password));
                    false
                }
            }
        });
        let right = checked.await.map_err(|_| Unchecked::Busy)?;
        match (right, key) {
            (true, Some(key)) => self.remember(key),
            (true, None) => {}
            (false, _) => self.failed(attempt),
        }
        Ok(right)
    }

    /// Lets nobody through who has guessed too often.
    ///
    /// # Errors
    /// How long to wait.
    pub(super) fn admit(&self, attempt: &Attempt) -> Result<(), Unchecked> {
        self.wrong().wait(attempt, Instant::now()).map_or(Ok(()), |left| Err(Unchecked::Guessed(left)))
    }

    /// Counts a wrong password.
    fn failed(&self, attempt: Attempt) {
        self.wrong().add(attempt, Instant::now());
    }

    /// The hash of a new password; none: it cannot be made now.
    pub(super) async fn hash(&self, password: String) -> Option<Result<PasswordHash, NotHashed>> {
        let permit = Arc::clone(&self.checking).acquire_owned().await.ok()?;
        let hashed = tokio::task::spawn_blocking(move || {
            let _held = permit;
            PasswordHash::of(&password)
        });
        hashed.await.ok()
    }

    fn wrong(&self) -> MutexGuard<'_, Failures> {
        // Nothing panics while it holds the lock.
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_remembered(&self, key: &Digest) -> bool {
        let right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        right.get(key).is_some_and(|at| at.elapsed() < REMEMBERED_FOR)
    }

    fn remember(&self, key: Digest) {
        let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        right.retain(|_, at| at.elapsed() < REMEMBERED_FOR);
        if right.len() < REMEMBERED_MAX {
            right.insert(key, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(address: &str, name: &str) -> Attempt {
        Attempt::of(address.parse().unwrap(), name)
    }

    #[test]
    fn whoever_guesses_waits_and_nobody_else_does() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let mut failures = Failures::default();
        let (guesser, other) = (attempt("10.0.0.1", "ann"), attempt("10.0.0.2", "ann"));
        for failure in 0..FAILURES_MAX {
            assert_eq!(failures.wait(&guesser, after(5)), None, "{failure}");
            failures.add(guesser, after(u64::from(failure / 2)));
        }
        assert_eq!(failures.wait(&guesser, after(5)), Some(Duration::from_secs(55)));
        assert_eq!(failures.wait(&attempt("::ffff:10.0.0.1", "ann"), after(5)), Some(Duration::from_secs(55)));
        assert_eq!(failures.wait(&attempt("10.0.0.1", "bob"), after(5)), None);
        assert_eq!(failures.wait(&other, after(5)), None);
        assert_eq!(failures.wait(&guesser, after(60)), None);
        failures.add(guesser, after(60));
        assert_eq!(failures.wait(&guesser, after(60)), None);
        assert_eq!(attempt("fd00::1:0:0:1", "ann"), attempt("fd00::2", "ann"));
        assert_ne!(attempt("fd00::1", "ann"), attempt("fd00:0:0:1::1", "ann"));
    }

    #[test]
    fn no_more_are_counted_than_may_be() {
        let now = Instant::now();
        let mut failures = Failures::default();
        for number in 0..COUNTED_MAX + 10 {
            let at = now + Duration::from_micros(u64::try_from(number).unwrap());
            failures.add(attempt("10.0.0.1", &number.to_string()), at);
        }
        assert_eq!(failures.0.len(), COUNTED_MAX);
        assert!(!failures.0.contains_key(&attempt("10.0.0.1", "0")));
        assert!(failures.0.contains_key(&attempt("10.0.0.1", &(COUNTED_MAX + 9).to_string())));
    }
}
