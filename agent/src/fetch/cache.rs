//! Files that were fetched before, by user and URI. Whoever asks for what is on its way waits for it; what was not used for longest
//! makes room.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

/// Whose, and which.
type Key = (String, String);

#[derive(Debug)]
pub(super) struct Cache {
    directory: PathBuf,
    capacity_bytes: u64,
    entries: Mutex<HashMap<Key, Arc<Entry>>>,
    clock: AtomicU64,
}

/// One file. As long as somebody else has it, it is not removed.
#[derive(Debug)]
pub(super) struct Entry {
    path: PathBuf,
    /// Its length, once it is there.
    bytes: OnceCell<u64>,
    used_at: AtomicU64,
}

impl Entry {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Cache {
    /// Begins empty: what earlier agents left is not known any more.
    pub(super) fn open(directory: &Path, capacity_bytes: u64) -> io::Result<Cache> {
        match std::fs::remove_dir_all(directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        super::make_private(directory)?;
        let (entries, clock) = (Mutex::default(), AtomicU64::new(0));
        Ok(Cache { directory: directory.to_owned(), capacity_bytes, entries, clock })
    }

    /// The file, fetched by `fetch`, to the path it is given, unless it is there; `fetch` returns its length.
    pub(super) async fn get<E, F: Future<Output = Result<u64, E>>>(
        &self,
        user: &str,
        uri: &str,
        fetch: impl FnOnce(PathBuf) -> F,
    ) -> Result<Arc<Entry>, E> {
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        let entry = {
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || {
                let path = self.directory.join(uuid::Uuid::new_v4().simple().to_string());
                Arc::new(Entry { path, bytes: OnceCell::new(), used_at: AtomicU64::new(now) })
            };
            entries.entry((user.to_owned(), uri.to_owned())).or_insert_with(new).clone()
        };
        entry.used_at.store(now, Ordering::Relaxed);
        entry.bytes.get_or_try_init(|| fetch(entry.path.clone())).await?;
        Ok(entry)
    }

    pub(super) fn capacity_bytes(&self) -> u64 {
        self.capacity_bytes
    }

    /// What the files that are there take, in bytes.
    pub(super) fn used_bytes(&self) -> u64 {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.values().filter_map(|entry| entry.bytes.get()).sum()
    }

    /// Makes room if there is too much. To be called when a file was used.
    pub(super) fn trim(&self) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let used = |entry: &Entry| entry.bytes.get().copied();
        // Never there, and nobody waits for it.
        entries.retain(|_, entry| used(entry).is_some() || Arc::strong_count(entry) > 1);
        let mut total: u64 = entries.values().filter_map(|entry| used(entry)).sum();
        while total > self.capacity_bytes {
            let idle = entries.iter().filter(|(_, entry)| Arc::strong_count(entry) == 1);
            let oldest = idle.min_by_key(|(_, entry)| entry.used_at.load(Ordering::Relaxed));
            let Some(key) = oldest.map(|(key, _)| key.clone()) else { return };
            let Some(entry) = entries.remove(&key) else { return };
            total -= used(&entry).unwrap_or(0);
            if let Err(error) = std::fs::remove_file(&entry.path) {
                tracing::warn!(path = %entry.path.display(), %error, "a file of the fetcher's cache cannot be removed");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    async fn got(cache: &Cache, uri: &str, fetched: &AtomicU64) -> Arc<Entry> {
        let fetch = |path: PathBuf| async move {
            fetched.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            std::fs::write(path, [0; 100]).unwrap();
            Ok::<u64, Infallible>(100)
        };
        cache.get("me", uri, fetch).await.unwrap()
    }

    #[tokio::test]
    async fn a_file_is_fetched_once_and_the_oldest_makes_room() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(&directory.path().join("cache"), 250).unwrap();
        let fetched = AtomicU64::new(0);
        let both = futures_util::future::join(got(&cache, "a", &fetched), got(&cache, "a", &fetched)).await;
        assert_eq!(both.0.path(), both.1.path());
        assert_eq!(fetched.load(Ordering::Relaxed), 1);
        assert_eq!((cache.used_bytes(), cache.capacity_bytes()), (100, 250));
        let b = got(&cache, "b", &fetched).await;
        got(&cache, "a", &fetched).await;
        let c = got(&cache, "c", &fetched).await;
        cache.trim();
        // All are in use.
        assert!([&both.0, &b, &c].iter().all(|entry| entry.path().exists()));
        let paths = [&both.0, &b, &c].map(|entry| entry.path().to_owned());
        drop((both, b, c));
        cache.trim();
        assert_eq!(paths.map(|path| path.exists()), [true, false, true]);
        assert_eq!(cache.used_bytes(), 200);
        got(&cache, "b", &fetched).await;
        assert_eq!(fetched.load(Ordering::Relaxed), 4);
    }

    #[tokio::test]
    async fn a_failure_is_not_kept() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path(), 250).unwrap();
        let failed = cache.get("me", "a", |_| async { Err::<u64, &str>("no") }).await;
        assert_eq!(failed.unwrap_err(), "no");
        got(&cache, "a", &AtomicU64::new(0)).await;
    }
}
