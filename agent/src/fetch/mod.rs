//! Brings what a command asks for (`command.uris`) into its sandbox.
//!
//! Code map: [`uri`] understands what is asked for; [`worker`] is the helper process that downloads and unpacks without privileges
//! ([`download`], [`networks`]), [`helper`] starts it and [`job`] is what the two say to each other; [`cache`] keeps files; here is what
//! happens in which order, and how things come into the sandbox.

mod args;
mod cache;
mod download;
pub(crate) mod helper;
pub(crate) mod job;
mod networks;
pub(crate) mod uri;
mod worker;

use std::io;
use std::os::unix::fs::{DirBuilderExt, lchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ipnet::IpNet;
use nix::unistd::{Gid, Uid, User};
use tokio::sync::Semaphore;

use self::cache::Cache;
use self::helper::HelperError;
use self::job::{Download, Job, Piece, Source};
use self::uri::{Item, Origin};
use crate::sandbox;

pub use self::args::{FetchArgs, Milliseconds, Size};
pub(crate) use self::args::{parse_duration, parse_size};
pub use self::worker::{WorkerError, run as work};

/// Helpers at work at a time; whoever wants one more waits.
const HELPERS_MAX: usize = 16;

/// How to fetch.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) cache_directory: PathBuf,
    pub(crate) cache_bytes: u64,
    pub(crate) stall_timeout_ms: u64,
    pub(crate) allowed_networks: Vec<IpNet>,
    pub(crate) authorities: Option<PathBuf>,
}

/// What stands in the way of the fetcher.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct FetcherError(#[from] FetchError);

/// Why something was not fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error(transparent)]
    Helper(#[from] HelperError),
    #[error("cannot {action} {path}")]
    File {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot look up the user `{name}`")]
    User {
        name: String,
        #[source]
        source: io::Error,
    },
}

fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FetchError {
    move |source| FetchError::File { action, path: path.to_owned(), source }
}

/// See the module's text.
#[derive(Clone, Debug)]
pub(crate) struct Fetcher {
    settings: Settings,
    /// For what is not in a sandbox yet.
    staging: PathBuf,
    cache: Arc<Cache>,
    helpers: Arc<Semaphore>,
    outcomes: Arc<Outcomes>,
}

/// How it went for containers so far.
#[derive(Debug, Default)]
struct Outcomes {
    succeeded: AtomicU64,
    failed: AtomicU64,
}

/// What the fetcher has done since it was started, and what its cache holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Containers that have got everything they had asked for.
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) cache_capacity_bytes: u64,
    pub(crate) cache_used_bytes: u64,
}

impl Fetcher {
    /// Begins anew: what an earlier agent had begun to fetch goes.
    pub(crate) fn start(work_dir: &Path, settings: Settings) -> Result<Fetcher, FetcherError> {
        let staging = work_dir.join("fetch");
        match std::fs::remove_dir_all(&staging) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file("empty", &staging)(error).into()),
            Ok(()) | Err(_) => {}
        }
        make_private(&staging).map_err(file("make", &staging))?;
        let cache = Cache::open(&settings.cache_directory, settings.cache_bytes);
        let cache = cache.map_err(file("use", &settings.cache_directory))?;
        let helpers = Arc::new(Semaphore::new(HELPERS_MAX));
        Ok(Fetcher { settings, staging, cache: Arc::new(cache), helpers, outcomes: Arc::default() })
    }

    pub(crate) fn figures(&self) -> Figures {
        Figures {
            succeeded: self.outcomes.succeeded.load(Ordering::Relaxed),
            failed: self.outcomes.failed.load(Ordering::Relaxed),
            cache_capacity_bytes: self.cache.capacity_bytes(),
            cache_used_bytes: self.cache.used_bytes(),
        }
    }

    /// Brings `items` into `sandbox`, as files of `user`; what is downloaded for it alone may have `bytes_max` bytes.
    pub(crate) async fn fetch(
        &self,
        items: &[Item],
        sandbox: &Path,
        user: Option<&str>,
        bytes_max: Option<u64>,
    ) -> Result<(), FetchError> {
        let outcome = self.bring(items, sandbox, user, bytes_max).await;
        let counter = if outcome.is_ok() { &self.outcomes.succeeded } else { &self.outcomes.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        outcome
    }

    async fn bring(
        &self,
        items: &[Item],
        sandbox: &Path,
        user: Option<&str>,
        bytes_max: Option<u64>,
    ) -> Result<(), FetchError> {
        let mut used = Vec::new();
        let mut pieces = Vec::new();
        for item in items {
            let source = match &item.origin {
                Origin::File(path) => Source::File(path.clone()),
                Origin::Http(address) if !item.cache => Source::Http(address.clone()),
                Origin::Http(address) => {
                    let entry = self
                        .cache
                        .get(user.unwrap_or_default(), address, |to| self.fetch_into_cache(item, address, to))
                        .await?;
                    let source = Source::Cached(entry.path().to_owned());
                    used.push(entry);
                    source
                }
            };
            pieces.push(piece(item, source));
        }
        let staged = self.download(pieces, user, bytes_max).await?;
        drop(used);
        let cache = self.cache.clone();
        let (sandbox, user) = (sandbox.to_owned(), user.map(str::to_owned));
        let deliver = move || {
            cache.trim();
            deliver(&staged.0, &sandbox, user.as_deref())
        };
        let delivered = tokio::task::spawn_blocking(deliver).await;
        delivered.unwrap_or_else(|_| Err(file("fill", &self.staging)(io::Error::other("the agent ends"))))
    }

    async fn fetch_into_cache(&self, item: &Item, address: &str, to: PathBuf) -> Result<u64, FetchError> {
        let name = PathBuf::from("file");
        let piece = Piece {
            uri: item.uri.clone(),
            source: Source::Http(address.to_owned()),
            name: name.clone(),
            extract: None,
            executable: false,
        };
        let staged = self.download(vec![piece], None, None).await?;
        let fetched = staged.0.join(name);
        // The cache may be on another file system.
        if std::fs::rename(&fetched, &to).is_err() {
            std::fs::copy(&fetched, &to).map_err(file("keep", &to))?;
        }
        Ok(std::fs::symlink_metadata(&to).map_err(file("read", &to))?.len())
    }

    /// Into a directory of its own, which goes when it is dropped.
    async fn download(
        &self,
        pieces: Vec<Piece>,
        user: Option<&str>,
        bytes_max: Option<u64>,
    ) -> Result<Staged, FetchError> {
        let _turn = self.helpers.acquire().await;
        let staged = Staged(self.staging.join(uuid::Uuid::new_v4().simple().to_string()));
        make_private(&staged.0).map_err(file("make", &staged.0))?;
        let job = Job::Download(Download {
            directory: staged.0.clone(),
            user: user.map(str::to_owned),
            pieces,
            bytes_max,
            allowed_networks: self.settings.allowed_networks.clone(),
            stall_timeout_ms: self.settings.stall_timeout_ms,
            authorities: self.settings.authorities.clone(),
        });
        helper::run(&job).await?;
        Ok(staged)
    }
}

struct Staged(PathBuf);

impl Drop for Staged {
    fn drop(&mut self) {
        // A helper that was stopped may write for a moment more: then the next start of the agent removes it.
        let _left = std::fs::remove_dir_all(&self.0);
    }
}

fn piece(item: &Item, source: Source) -> Piece {
    let Item { uri, origin: _, name, extract, executable, cache: _ } = item;
    Piece { uri: uri.clone(), source, name: name.clone(), extract: *extract, executable: *executable }
}

/// Moves everything in `staged`, where nobody works any more, to `sandbox`, and gives it to `user`. Programs may be at work there, and
/// plant links on the way to it: none is followed.
fn deliver(staged: &Path, sandbox: &Path, user: Option<&str>) -> Result<(), FetchError> {
    let owner = owner(user)?;
    let directory = sandbox::open_directory(sandbox).map_err(file("open", sandbox))?;
    for entry in std::fs::read_dir(staged).map_err(file("read", staged))? {
        let entry = entry.map_err(file("read", staged))?;
        if let Some((user, group)) = owner {
            give(&entry.path(), user, group)?;
        }
        let to = sandbox::fd_path(&directory).join(entry.file_name());
        std::fs::rename(entry.path(), to).map_err(file("make", &sandbox.join(entry.file_name())))?;
    }
    Ok(())
}

/// Who is to own what root has fetched; `None` when the agent is not root. Root itself, for a user whom only an image knows.
fn owner(user: Option<&str>) -> Result<Option<(Uid, Gid)>, FetchError> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(None);
    }
    let found = user.map(|name| {
        User::from_name(name).map_err(|source| FetchError::User { name: name.to_owned(), source: source.into() })
    });
    let found = found.transpose()?.flatten();
    Ok(Some(found.map_or((Uid::from_raw(0), Gid::from_raw(0)), |found| (found.uid, found.gid))))
}

fn give(path: &Path, user: Uid, group: Gid) -> Result<(), FetchError> {
    let metadata = std::fs::symlink_metadata(path).map_err(file("read", path))?;
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path).map_err(file("read", path))? {
            give(&entry.map_err(file("read", path))?.path(), user, group)?;
        }
    }
    lchown(path, Some(user.as_raw()), Some(group.as_raw())).map_err(file("give away", path))
}

/// A directory that only the agent's user can enter.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_fetched_goes_where_no_link_leads() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        for name in ["staged", "elsewhere/inner", "sandbox/real"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        std::os::unix::fs::symlink(root.join("elsewhere"), root.join("sandbox/containers")).unwrap();
        std::fs::write(root.join("staged/tool"), "one").unwrap();
        let refused = deliver(&root.join("staged"), &root.join("sandbox/containers/inner"), None);
        assert!(matches!(refused, Err(FetchError::File { action: "open", .. })), "{refused:?}");
        assert!(!root.join("elsewhere/inner/tool").exists());
        deliver(&root.join("staged"), &root.join("sandbox/real"), None).unwrap();
        assert_eq!(std::fs::read_to_string(root.join("sandbox/real/tool")).unwrap(), "one");
    }
}
