//! How much is logged: SET_LOGGING_LEVEL, GET_LOGGING_LEVEL, `/logging/toggle`.
//!
//! Level 0 is what the process was started with; 1 logs what helps to find a fault, 2 and above everything. A higher level holds for a
//! while and ends by itself.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a log is to hold, in directives such as `debug` or `attica_paas::engine=trace`, with commas in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFilter<'a> {
    /// What it held when the process was started.
    AsStarted,
    /// This, whatever it was started with.
    Instead(&'a str),
    /// What it held then, where this does not say otherwise.
    Besides(&'a str),
}

/// The way to whatever writes the log of this process.
#[derive(Clone, Default)]
pub struct LogControl(Option<Arc<SetFilter>>);

type SetFilter = dyn Fn(LogFilter<'_>) + Send + Sync;

impl LogControl {
    /// Filters go to `set`.
    pub fn new(set: impl Fn(LogFilter<'_>) + Send + Sync + 'static) -> LogControl {
        LogControl(Some(Arc::new(set)))
    }

    /// Has the log hold this from now on.
    ///
    /// # Errors
    /// Nobody said how.
    pub fn set(&self, filter: LogFilter<'_>) -> Result<(), NoControl> {
        self.0.as_ref().ok_or(NoControl).map(|set| set(filter))
    }
}

impl fmt::Debug for LogControl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_some() { "LogControl" } else { "LogControl (none)" })
    }
}

/// The level of this process.
#[derive(Debug)]
pub struct Logging {
    control: LogControl,
    level: Mutex<u32>,
    /// How often it was set: what was to end an earlier setting does not end a later one.
    settings: AtomicU64,
}

/// The level cannot be set: nobody said how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The log of this process has one level only")]
pub struct NoControl;

impl Logging {
    /// A level that is set through `control`.
    pub fn new(control: LogControl) -> Logging {
        Logging { control, level: Mutex::new(0), settings: AtomicU64::new(0) }
    }

    /// The level now.
    pub fn level(&self) -> u32 {
        *self.lock()
    }

    /// Logs more for a while.
    ///
    /// # Errors
    /// Nobody said how.
    pub fn set(self: &Arc<Self>, level: u32, duration: Duration) -> Result<(), NoControl> {
        self.change(level)?;
        let setting = self.settings.fetch_add(1, Ordering::SeqCst) + 1;
        let logging = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(duration).await;
            if logging.settings.load(Ordering::SeqCst) == setting {
                // It could be set, so it can be set back.
                let _ = logging.change(0);
            }
        });
        Ok(())
    }

    fn change(&self, level: u32) -> Result<(), NoControl> {
        let mut current = self.lock();
        self.control.set(match level {
            0 => LogFilter::AsStarted,
            1 => LogFilter::Instead("debug"),
            _ => LogFilter::Instead("trace"),
        })?;
        *current = level;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, u32> {
        // Nothing panics while it holds the lock.
        self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_level_ends_by_itself_and_a_later_one_counts() {
        let (told, mut filters) = tokio::sync::mpsc::unbounded_channel();
        let logging = Arc::new(Logging::new(LogControl::new(move |filter| {
            let told = match filter {
                LogFilter::AsStarted => told.send(String::new()),
                LogFilter::Instead(filter) | LogFilter::Besides(filter) => told.send(filter.to_owned()),
            };
            assert!(told.is_ok());
        })));
        logging.set(1, Duration::from_millis(1)).unwrap();
        logging.set(2, Duration::from_millis(50)).unwrap();
        let set = std::time::Instant::now();
        for expected in ["debug", "trace", ""] {
            assert_eq!(filters.recv().await.as_deref(), Some(expected));
        }
        assert!(set.elapsed() >= Duration::from_millis(49), "the end of the first one ended the second");
        assert_eq!(logging.level(), 0);
        assert_eq!(Arc::new(Logging::new(LogControl::default())).set(1, Duration::ZERO), Err(NoControl));
    }
}
