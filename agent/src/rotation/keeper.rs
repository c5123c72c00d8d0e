//! Looks how large files have become.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};

use super::{Limit, NAMES, Output, cut};
use crate::shell::Message;

/// From one look at a file to the next: as long as it takes to fill it, as fast as it grows, within these.
const SHORTEST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(30);

/// A file as it was found.
#[derive(Clone, Copy, Debug)]
struct Seen {
    bytes: u64,
    at: Instant,
    /// When it is looked at again.
    due: Instant,
}

/// What was found in each directory, in the order of [`NAMES`].
type Known = HashMap<PathBuf, [Option<Seen>; 2]>;

/// Until the agent does not listen any more.
pub(crate) async fn run(messages: mpsc::Sender<Message>) {
    let mut tick = tokio::time::interval(SHORTEST);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known = Known::new();
    loop {
        tick.tick().await;
        let (answer, outputs) = oneshot::channel();
        if messages.send(Message::Outputs(answer)).await.is_err() {
            return;
        }
        let Ok(outputs) = outputs.await else { return };
        let now = Instant::now();
        let looked = tokio::task::spawn_blocking(move || look(known, outputs, now));
        known = looked.await.unwrap_or_default();
    }
}

/// Looks at those that are due; what is not there any more is forgotten.
fn look(mut known: Known, outputs: Vec<Output>, now: Instant) -> Known {
    let mut found = Known::with_capacity(outputs.len());
    for Output { directory, limits } in outputs {
        let before = known.remove(&directory).unwrap_or_default();
        let mut seen = [None; 2];
        for (index, name) in NAMES.into_iter().enumerate() {
            seen[index] = match before[index] {
                Some(seen) if seen.due > now => Some(seen),
                before => look_at(&directory, name, limits[index], before, now),
            };
        }
        found.insert(directory, seen);
    }
    found
}

fn look_at(directory: &Path, name: &str, limit: Limit, before: Option<Seen>, now: Instant) -> Option<Seen> {
    // What cannot be looked at, or is no file, is asked for again as if it were new.
    let size = |path: &Path| std::fs::symlink_metadata(path).ok().filter(std::fs::Metadata::is_file);
    let path = directory.join(name);
    let mut bytes = size(&path)?.len();
    let due = now + pause(before, bytes, limit, now);
    if bytes > limit.bytes {
        if let Err(error) = cut::rotate(directory, name, limit) {
            tracing::warn!(path = %path.display(), %error, "the output of a task is not kept within its limit");
            return Some(Seen { bytes, at: now, due: now + LONGEST });
        }
        bytes = size(&path)?.len();
    }
    Some(Seen { bytes, at: now, due })
}

fn pause(before: Option<Seen>, bytes: u64, limit: Limit, now: Instant) -> Duration {
    let Some(before) = before else { return SHORTEST };
    let past = now.saturating_duration_since(before.at);
    let grown = bytes.saturating_sub(before.bytes);
    let left = limit.bytes.saturating_sub(bytes);
    let pause = match grown {
        0 => past.saturating_mul(2),
        // Half of the time that it has left.
        grown => past.mul_f64((left as f64 / grown as f64 / 2.0).min(1e6)),
    };
    pause.clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_is_looked_at_more_often() {
        let now = Instant::now();
        let limit = Limit { bytes: 1_000, backups: 0 };
        let before = |bytes| Some(Seen { bytes, at: now - Duration::from_secs(10), due: now });
        assert_eq!(pause(None, 0, limit, now), SHORTEST);
        assert_eq!(pause(before(5), 5, limit, now), Duration::from_secs(20));
        assert_eq!(pause(before(0), 500, limit, now), Duration::from_secs(5));
        assert_eq!(pause(before(0), 2_000, limit, now), SHORTEST);
        assert_eq!(pause(before(0), 1, limit, now), LONGEST);
    }
}
