//! Files that are read again when they change.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How often the files are looked at. What has to count at once is announced by SIGHUP.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How often new content could not be used, in this process.
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// What was read last.
pub type Current<T> = watch::Receiver<Arc<T>>;

/// How often, in the life of this process, a file had changed and its new content could not be used.
pub fn refused() -> u64 {
    REFUSED.load(Ordering::Relaxed)
}

/// Reads now, and in the background of the current tokio runtime again whenever one of the files has changed, or the process gets
/// SIGHUP, until every receiver is gone. What cannot be used is not: the log says so, and what was read before stays in force.
pub fn watch_files<T, E>(
    what: &'static str,
    files: Vec<PathBuf>,
    load: impl Fn() -> Result<T, E> + Send + Sync + 'static,
) -> Result<Current<T>, E>
where
    T: Send + Sync + 'static,
    E: Error + Send + Sync + 'static,
{
    let seen = stamps(&files);
    let (sender, current) = watch::channel(Arc::new(load()?));
    if !files.is_empty() {
        tokio::spawn(follow(what, files, seen, Arc::new(load), sender));
    }
    Ok(current)
}

async fn follow<T, E>(
    what: &'static str,
    files: Vec<PathBuf>,
    mut seen: Vec<Option<Stamp>>,
    load: Arc<impl Fn() -> Result<T, E> + Send + Sync + 'static>,
    sender: watch::Sender<Arc<T>>,
) where
    T: Send + Sync + 'static,
    E: Error + Send + Sync + 'static,
{
    let mut hangups = match signal(SignalKind::hangup()) {
        Ok(hangups) => Some(hangups),
        Err(error) => {
            tracing::warn!(%error, what, "cannot watch for SIGHUP: only a change of the files is noticed");
            None
        }
    };
    loop {
        let asked = tokio::select! {
            () = sender.closed() => return,
            () = hangup(&mut hangups) => true,
            () = tokio::time::sleep(LOOK_INTERVAL) => false,
        };
        // Noted before reading: what is written meanwhile is another change.
        let found = stamps(&files);
        if !asked && found == seen {
            continue;
        }
        seen = found;
        let load = Arc::clone(&load);
        match tokio::task::spawn_blocking(move || load()).await {
            Ok(Ok(new)) => {
                sender.send_replace(Arc::new(new));
                tracing::info!(what, "read again, and in force");
            }
            Ok(Err(error)) => {
                let error = &error as &dyn Error;
                tracing::error!(error, what, "the new content cannot be used; the old one stays in force");
                REFUSED.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                tracing::error!(%error, what, "reading failed; the old content stays in force");
                REFUSED.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

async fn hangup(hangups: &mut Option<tokio::signal::unix::Signal>) {
    if let Some(hangups) = hangups
        && hangups.recv().await.is_some()
    {
        return;
    }
    std::future::pending().await
}

/// What tells one content of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    changed_at: Option<SystemTime>,
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    files.iter().map(|file| stamp(file)).collect()
}

fn stamp(file: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(file).ok()?;
    Some(Stamp { inode: metadata.ino(), bytes: metadata.len(), changed_at: metadata.modified().ok() })
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[tokio::test]
    async fn a_change_counts_and_a_bad_one_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("number");
        std::fs::write(&file, "1").unwrap();
        let read = file.clone();
        let load = move || -> Result<u32, io::Error> {
            std::fs::read_to_string(&read)?.parse().map_err(|_| io::Error::other("no number"))
        };
        let mut current = watch_files("a number", vec![file.clone()], load.clone()).unwrap();
        assert_eq!(**current.borrow(), 1);
        let before = refused();
        std::fs::write(&file, "nonsense").unwrap();
        while refused() == before {
            tokio::time::sleep(LOOK_INTERVAL / 20).await;
        }
        assert!(!current.has_changed().unwrap() && **current.borrow() == 1);
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, "2").unwrap();
        current.changed().await.unwrap();
        assert_eq!(**current.borrow_and_update(), 2);
        assert!(watch_files("a number", vec![file], || Err::<u32, _>(io::Error::other("bad at the start"))).is_err());
    }
}
