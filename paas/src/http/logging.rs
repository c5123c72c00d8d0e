//! `/logging`: which parts of this process log how much, for a while or until it ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use attica_core_api::logging::{LogControl, LogFilter};
use attica_paas_api::logging::{LoggerChange, LoggerLevel, Loggers as Told};
use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode};
use tracing::level_filters::LevelFilter;

use super::{answer, body, refusal};
use crate::validate::Faults;

/// What stands for every part that is not named.
const ROOT: &str = "ROOT";

/// The levels of this process.
#[derive(Debug)]
pub struct Loggers {
    control: LogControl,
    started_with: LevelFilter,
    changed: Mutex<Changed>,
}

#[derive(Debug, Default)]
struct Changed {
    levels: BTreeMap<String, Level>,
    /// How many changes there were: what is to end an earlier one does not end a later one.
    changes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    level: LoggerLevel,
    change: u64,
}

impl Loggers {
    /// Nothing is changed yet; `control` leads to the log.
    #[must_use]
    pub fn new(control: LogControl) -> Arc<Self> {
        Arc::new(Self { control, started_with: LevelFilter::current(), changed: Mutex::default() })
    }

    fn told(&self) -> Told {
        let changed = self.lock();
        let levels = changed.levels.iter().map(|(logger, level)| (logger.clone(), level.level.name().to_uppercase()));
        [(ROOT.to_owned(), self.started_with.to_string().to_uppercase())].into_iter().chain(levels).collect()
    }

    /// Whether there is a log to tell.
    fn change(self: &Arc<Self>, LoggerChange { level, logger, duration_seconds }: &LoggerChange) -> bool {
        let (change, former) = {
            let mut changed = self.lock();
            changed.changes += 1;
            let change = changed.changes;
            let former = changed.levels.insert(logger.clone(), Level { level: *level, change });
            if !self.apply(&changed) {
                return false;
            }
            (change, former)
        };
        if let Some(seconds) = *duration_seconds {
            let (loggers, logger) = (Arc::clone(self), logger.clone());
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(seconds.into())).await;
                let mut changed = loggers.lock();
                if changed.levels.get(&logger).is_some_and(|level| level.change == change) {
                    match former {
                        Some(former) => changed.levels.insert(logger, former),
                        None => changed.levels.remove(&logger),
                    };
                    loggers.apply(&changed);
                }
            });
        }
        true
    }

    fn apply(&self, changed: &Changed) -> bool {
        let directive = |(logger, level): (&String, &Level)| match logger.as_str() {
            ROOT => level.level.name().to_owned(),
            logger => format!("{logger}={}", level.level.name()),
        };
        let directives: Vec<String> = changed.levels.iter().map(directive).collect();
        self.control.set(LogFilter::Besides(&directives.join(","))).is_ok()
    }

    fn lock(&self) -> MutexGuard<'_, Changed> {
        // Nothing panics while it holds the lock.
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn list(loggers: &Loggers) -> Response {
    answer::document(StatusCode::OK, &loggers.told())
}

pub(super) async fn change(loggers: &Arc<Loggers>, request: Request<Body>) -> Response {
    let change: LoggerChange = match body::document(request.into_body()).await {
        Ok(change) => change,
        Err(refused) => return refused,
    };
    if !is_part(&change.logger) {
        let text = format!("must be {ROOT}, or a part of the program such as attica_paas::engine");
        return refusal::invalid(Faults::one("/logger", text));
    }
    match loggers.change(&change) {
        true => {
            tracing::info!(logger = change.logger, level = change.level.name(), "the level of the log was changed");
            answer::document(StatusCode::OK, &change)
        }
        false => answer::message(StatusCode::CONFLICT, "The log of this process has one level only"),
    }
}

/// Whether this is the path of a module.
fn is_part(logger: &str) -> bool {
    let is_name = |name: &str| {
        let rest = name.trim_start_matches(|character: char| character.is_ascii_alphabetic() || character == '_');
        rest.len() < name.len() && rest.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
    };
    logger == ROOT || logger.split("::").all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_level_ends_by_itself_and_what_came_later_counts() {
        let (told, mut filters) = tokio::sync::mpsc::unbounded_channel();
        let loggers = Loggers::new(LogControl::new(move |filter| match filter {
            LogFilter::Besides(directives) => assert!(told.send(directives.to_owned()).is_ok()),
            LogFilter::AsStarted | LogFilter::Instead(_) => unreachable!("nobody asks for that"),
        }));
        let change = |logger: &str, level, duration_seconds| {
            assert!(loggers.change(&LoggerChange { level, logger: logger.to_owned(), duration_seconds }));
        };
        change("attica_paas::engine", LoggerLevel::Trace, None);
        change(ROOT, LoggerLevel::Debug, Some(10));
        change("attica_paas::engine", LoggerLevel::Warn, Some(20));
        change("attica_paas::engine", LoggerLevel::Error, Some(5));
        assert_eq!(loggers.told()["attica_paas::engine"], "ERROR");
        for expected in [
            "attica_paas::engine=trace",
            "debug,attica_paas::engine=trace",
            "debug,attica_paas::engine=warn",
            "debug,attica_paas::engine=error",
            "debug,attica_paas::engine=warn",
            "attica_paas::engine=warn",
            "attica_paas::engine=trace",
        ] {
            assert_eq!(filters.recv().await.as_deref(), Some(expected));
        }
        assert_eq!(loggers.told()["attica_paas::engine"], "TRACE");
        assert!(!Loggers::new(LogControl::default()).change(&LoggerChange {
            level: LoggerLevel::Info,
            logger: ROOT.to_owned(),
            duration_seconds: None
        }));
    }

    #[test]
    fn loggers_are_parts_of_programs() {
        for part in ["ROOT", "attica_paas", "attica_paas::engine", "h2::proto"] {
            assert!(is_part(part), "{part}");
        }
        for other in ["", "mesosphere.marathon", "a=trace", "a,b", "a::", "1a", "a[b]", "a b"] {
            assert!(!is_part(other), "{other}");
        }
    }
}
