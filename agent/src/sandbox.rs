//! Sandboxes on disk: making them, and removing old ones.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{User, chown};

/// As in Mesos: free disk below this share of the disk shortens how long sandboxes are kept, down to nothing.
const HEADROOM: f64 = 0.1;
/// However full the disk, what was written to within this time is kept: a task may have begun after it was asked which ones there are.
const SHORTEST_RETENTION: Duration = Duration::from_secs(60);

/// Held by whoever adds a sandbox to the directories above it, or removes those that are empty: neither is done in one step.
static TREE: Mutex<()> = Mutex::new(());

/// A directory that is in a sandbox under another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DirectoryLink {
    /// In the sandbox.
    pub(crate) at: PathBuf,
    /// What it leads to; made when it is not there.
    pub(crate) to: PathBuf,
}

/// A sandbox that cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SandboxError {
    #[error("cannot make the sandbox {path}")]
    Make {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot give the sandbox {path} to user `{user}`")]
    Owner {
        path: PathBuf,
        user: String,
        #[source]
        source: io::Error,
    },
}

/// Makes the sandbox `<…>/runs/<container>`, or one beneath that, with `links` in it and owned by `user`, and points `runs/latest` to the former.
pub(crate) fn make(path: &Path, user: Option<&str>, links: &[DirectoryLink]) -> Result<(), SandboxError> {
    let failed = |source| SandboxError::Make { path: path.to_owned(), source };
    let _made = TREE.lock().unwrap_or_else(PoisonError::into_inner);
    std::fs::create_dir_all(path).map_err(failed)?;
    // While nobody else can put something in their way.
    links.iter().try_for_each(|one| link(one, user))?;
    give(path, user)?;
    let run = path.ancestors().find(|run| run.parent().is_some_and(|parent| parent.ends_with("runs")));
    let Some((runs, name)) = run.and_then(|run| Some((run.parent()?, run.file_name()?))) else { return Ok(()) };
    match std::fs::read_link(runs.join("latest")) {
        // Another task of the same executor has done so.
        Ok(latest) if latest.as_os_str() == name => Ok(()),
        Ok(_) | Err(_) => point_latest(runs, name).map_err(failed),
    }
}

/// Makes `<sandbox>/containers/<name>`, owned by `user`, and what is missing of the directories that it is to have of its `own`, and that are
/// `shared` in the sandbox. The sandbox may belong to somebody who plants links in it: none is followed.
pub(crate) fn make_beneath(
    sandbox: &Path,
    name: &str,
    user: Option<&str>,
    shared: &[String],
    own: &[String],
) -> Result<(), SandboxError> {
    let path = sandbox.join("containers").join(name);
    let failed = |source| SandboxError::Make { path: path.clone(), source };
    let made = || {
        let sandbox = open_directory(sandbox)?;
        let containers = make_directory(&sandbox, Path::new("containers"))?;
        let directory = make_directory(&containers, Path::new(name))?;
        Ok((sandbox, directory))
    };
    let (sandbox, directory) = made().map_err(failed)?;
    for (parent, name) in shared.iter().map(|name| (&sandbox, name)).chain(own.iter().map(|name| (&directory, name))) {
        let is_there = fd_path(parent).join(name).exists();
        let made = make_directory(parent, Path::new(name)).map_err(failed)?;
        if !is_there {
            give(&fd_path(&made), user)?;
        }
    }
    give(&fd_path(&directory), user)
}

/// Removes a directory that was made so, or one of the agent's own; that it is missing is no error.
pub(crate) fn discard(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    match open_directory(parent).and_then(|parent| std::fs::remove_dir_all(fd_path(&parent).join(name))) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A directory whose path has no links in it.
pub(crate) fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    let relative = path.strip_prefix("/").map_err(io::Error::other)?;
    open_in(&File::open("/")?, relative)
}

fn open_in(directory: impl AsFd, path: &Path) -> io::Result<OwnedFd> {
    let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    Ok(openat2(directory, path, OpenHow::new().flags(flags).resolve(resolve))?)
}

/// A directory in one that is open; it may be there already.
pub(crate) fn make_directory(directory: &OwnedFd, name: &Path) -> io::Result<OwnedFd> {
    match mkdirat(directory, name, Mode::from_bits_truncate(0o755)) {
        Ok(()) | Err(nix::Error::EEXIST) => open_in(directory, name),
        Err(error) => Err(error.into()),
    }
}

/// What is open, wherever it is by now.
pub(crate) fn fd_path(directory: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()))
}

/// Makes the directory that `link` leads to, for `user`, and the link.
fn link(link: &DirectoryLink, user: Option<&str>) -> Result<(), SandboxError> {
    let failed = |source| SandboxError::Make { path: link.at.clone(), source };
    if link.at == link.to {
        link.at.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(failed)?;
    }
    match std::fs::create_dir(&link.to) {
        Ok(()) => give(&link.to, user)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    if link.at == link.to {
        return Ok(());
    }
    link.at.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(failed)?;
    std::os::unix::fs::symlink(&link.to, &link.at).map_err(failed)
}

/// What the agent makes as root is root's already. Whom this machine does not know the launcher finds, or refuses.
fn give(path: &Path, user: Option<&str>) -> Result<(), SandboxError> {
    if let Some(user) = user.filter(|user| *user != "root") {
        let owner = |error: nix::Error| SandboxError::Owner {
            path: path.to_owned(),
            user: user.to_owned(),
            source: error.into(),
        };
        let found = User::from_name(user).map_err(owner)?;
        if let Some(found) = found.filter(|found| !found.uid.is_root()) {
            chown(path, Some(found.uid), Some(found.gid)).map_err(owner)?;
        }
    }
    Ok(())
}

fn point_latest(runs: &Path, name: &OsStr) -> io::Result<()> {
    let latest = runs.join("latest");
    match std::os::unix::fs::symlink(name, &latest) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let next = runs.join(".latest");
            match std::fs::remove_file(&next) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
            std::os::unix::fs::symlink(name, &next)?;
            std::fs::rename(&next, &latest)
        }
        outcome => outcome,
    }
}

/// How long ended sandboxes are kept on a disk of which the share `used` is in use.
pub(crate) fn retention(longest: Duration, used: f64) -> Duration {
    longest.mul_f64((1.0 - HEADROOM - used).clamp(0.0, 1.0)).max(SHORTEST_RETENTION)
}

/// The share of the disk in use, from 0 to 1.
pub(crate) fn disk_used(path: &Path) -> Option<f64> {
    let disk = nix::sys::statvfs::statvfs(path).ok()?;
    let (blocks, free) = (disk.blocks() as f64, disk.blocks_available() as f64);
    (blocks > 0.0).then(|| 1.0 - free / blocks)
}

/// What became of the sandboxes that nobody uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Collected {
    pub(crate) removed: u64,
    /// Could not be removed; that is tried again.
    pub(crate) failed: u64,
    /// Are not old enough.
    pub(crate) kept: u64,
}

/// From now on the sandbox, or `run` of an executor's, is kept for as long as ended ones are. Whatever times its files have, nobody who
/// could change this one is left.
pub(crate) fn mark_ended(run: &Path) -> io::Result<()> {
    std::fs::File::open(run)?.set_modified(SystemTime::now())
}

/// Removes sandboxes whose tasks have ended `retention` ago, except those that `in_use` names; and directories that are for sandboxes and
/// have none.
pub(crate) fn collect(work_dir: &Path, retention: Duration, in_use: &dyn Fn(&Path) -> bool) -> Collected {
    let mut collected = Collected::default();
    for executor in executors(work_dir) {
        for run in directories(&executor.join("runs")) {
            if in_use(&run) {
                continue;
            }
            let Some(idle) = idle_time(&run) else {
                // All that there is of it is from a time to come: it is counted from now.
                match mark_ended(&run) {
                    Ok(()) => collected.kept += 1,
                    Err(error) => {
                        collected.failed += 1;
                        tracing::warn!(path = %run.display(), %error, "the age of a sandbox cannot be told");
                    }
                }
                continue;
            };
            if idle < retention {
                collected.kept += 1;
                continue;
            }
            match std::fs::remove_dir_all(&run) {
                Ok(()) => collected.removed += 1,
                Err(error) => {
                    collected.failed += 1;
                    tracing::warn!(path = %run.display(), %error, "an old sandbox cannot be removed");
                }
            }
        }
    }
    for agent in directories(&work_dir.join("slaves")) {
        remove_empty(&agent);
    }
    collected
}

fn executors(work_dir: &Path) -> impl Iterator<Item = PathBuf> {
    directories(&work_dir.join("slaves"))
        .flat_map(|agent| directories(&agent.join("frameworks")))
        .flat_map(|framework| directories(&framework.join("executors")))
}

/// The sandboxes of executors, and of tasks that have one to themselves.
pub(crate) fn runs(work_dir: &Path) -> impl Iterator<Item = PathBuf> {
    executors(work_dir).flat_map(|executor| directories(&executor.join("runs")))
}

/// Since its task has ended, or the last write to the sandbox or its output. Times to come do not count: tasks can set them.
fn idle_time(run: &Path) -> Option<Duration> {
    let now = SystemTime::now();
    let modified = |path: &Path| std::fs::symlink_metadata(path).ok()?.modified().ok();
    let nested = directories(&run.join("containers"));
    let sandboxes = std::iter::once(run.to_owned()).chain(nested);
    let files = sandboxes.flat_map(|sandbox| [sandbox.join("stdout"), sandbox.join("stderr"), sandbox]);
    files.filter_map(|path| now.duration_since(modified(&path)?).ok()).min()
}

/// Of what is beneath the directory of an agent, and that itself.
fn remove_empty(agent: &Path) {
    // Whatever is not removed holds something, or is tried again the next time.
    let remove = |path: &Path| drop(std::fs::remove_dir(path));
    let (frameworks, _removing) = (agent.join("frameworks"), TREE.lock().unwrap_or_else(PoisonError::into_inner));
    for framework in directories(&frameworks) {
        let executors = framework.join("executors");
        for executor in directories(&executors) {
            let runs = executor.join("runs");
            if directories(&runs).next().is_none() {
                let _missing = std::fs::remove_file(runs.join("latest"));
                remove(&runs);
                remove(&executor);
            }
        }
        remove(&executors);
        remove(&framework);
    }
    remove(&frameworks);
    remove(agent);
}

/// The real directories in a directory; links are not followed.
pub(crate) fn directories(path: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(path)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs_beneath(work_dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            runs(work_dir).map(|run| run.file_name().unwrap().to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn latest_follows_the_newest_run_and_old_runs_go() {
        let work_dir = tempfile::tempdir().unwrap();
        let runs = work_dir.path().join("slaves/a/frameworks/f/executors/t/runs");
        for name in ["r1", "r2"] {
            make(&runs.join(name), None, &[]).unwrap();
            assert_eq!(std::fs::read_link(runs.join("latest")).unwrap(), Path::new(name));
        }
        let shared = DirectoryLink { at: runs.join("r2/containers/c/a/b"), to: runs.join("r2/shared") };
        make(&runs.join("r2/containers/c"), None, &[shared]).unwrap();
        assert_eq!(
            std::fs::canonicalize(runs.join("r2/containers/c/a/b")).unwrap(),
            std::fs::canonicalize(runs.join("r2/shared")).unwrap()
        );
        assert!(runs.join("r2/containers/c").is_dir() && !runs.join("r2/containers/latest").exists());
        assert_eq!(std::fs::read_link(runs.join("latest")).unwrap(), Path::new("r2"));
        let hour = Duration::from_secs(3_600);
        assert_eq!(runs_beneath(work_dir.path()), ["r1", "r2"]);
        let none_old_enough = Collected { kept: 2, ..Collected::default() };
        assert_eq!(collect(work_dir.path(), hour, &|_| false), none_old_enough);
        let one = Collected { removed: 1, ..Collected::default() };
        assert_eq!(collect(work_dir.path(), Duration::ZERO, &|run| run.ends_with("r2")), one);
        assert!(runs.join("r2").exists() && !runs.join("r1").exists());
        assert_eq!(collect(work_dir.path(), Duration::ZERO, &|_| false), one);
        assert!(!work_dir.path().join("slaves/a").exists(), "nor what it was in");
    }

    #[test]
    fn what_is_empty_goes_and_keeps_no_sandbox_from_being_made() {
        let directory = tempfile::tempdir().unwrap();
        let work_dir = directory.path();
        let executors = work_dir.join("slaves/a/frameworks/f/executors");
        std::fs::create_dir_all(executors.join("t/runs")).unwrap();
        std::fs::create_dir_all(executors.join("other")).unwrap();
        std::fs::create_dir_all(work_dir.join("slaves/a/frameworks/g/executors/t/runs/r")).unwrap();
        collect(work_dir, Duration::from_secs(3_600), &|_| false);
        assert!(!work_dir.join("slaves/a/frameworks/f").exists());
        assert!(work_dir.join("slaves/a/frameworks/g/executors/t/runs/r").exists());
        let run = executors.join("t/runs/r");
        std::thread::scope(|scope| {
            let maker = scope.spawn(|| {
                for _ in 0..100 {
                    make(&run, None, &[]).unwrap();
                    assert_eq!(std::fs::read_link(run.with_file_name("latest")).unwrap(), Path::new("r"));
                    std::fs::remove_dir(&run).unwrap();
                }
            });
            while !maker.is_finished() {
                collect(work_dir, Duration::from_secs(3_600), &|_| false);
            }
        });
    }

    #[test]
    fn a_sandbox_gets_old_whatever_times_its_files_have() {
        let work_dir = tempfile::tempdir().unwrap();
        let run = work_dir.path().join("slaves/a/frameworks/f/executors/t/runs/r");
        let (day, hour) = (Duration::from_secs(86_400), Duration::from_secs(3_600));
        let set = |path: &Path, time: SystemTime| std::fs::File::open(path).unwrap().set_modified(time).unwrap();
        let make = |time: SystemTime| {
            std::fs::create_dir_all(&run).unwrap();
            std::fs::write(run.join("stdout"), "x").unwrap();
            set(&run.join("stdout"), time);
            set(&run, time);
        };
        let (kept, removed) =
            (Collected { kept: 1, ..Collected::default() }, Collected { removed: 1, ..Collected::default() });
        // A task that was silent for long has ended just now.
        make(SystemTime::now() - day);
        mark_ended(&run).unwrap();
        assert_eq!(collect(work_dir.path(), hour, &|_| false), kept);
        set(&run, SystemTime::now() - 2 * hour);
        assert_eq!(collect(work_dir.path(), hour, &|_| false), removed);
        for ahead in [hour, 10_000 * day] {
            make(SystemTime::now() + ahead);
            assert_eq!(collect(work_dir.path(), hour, &|_| false), kept);
            assert_eq!(collect(work_dir.path(), Duration::ZERO, &|_| false), removed);
        }
    }

    #[test]
    fn what_is_made_in_a_tasks_sandbox_stays_there() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let (sandbox, elsewhere) = (root.join("sandbox"), root.join("elsewhere"));
        std::fs::create_dir_all(&sandbox).unwrap();
        std::fs::create_dir_all(elsewhere.join("mine")).unwrap();
        make_beneath(&sandbox, "c", None, &[], &[]).unwrap();
        make_beneath(&sandbox, "c", None, &[], &[]).unwrap();
        assert!(sandbox.join("containers/c").is_dir());
        std::os::unix::fs::symlink(elsewhere.join("mine"), sandbox.join("containers/mine")).unwrap();
        discard(&sandbox.join("containers/c")).unwrap();
        discard(&sandbox.join("containers/c")).unwrap();
        assert!(!sandbox.join("containers/c").exists());
        assert!(make_beneath(&sandbox, "mine", None, &[], &[]).is_err(), "a link is not taken for the directory");

        std::fs::remove_dir_all(sandbox.join("containers")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, sandbox.join("containers")).unwrap();
        assert!(make_beneath(&sandbox, "new", None, &[], &[]).is_err() && !elsewhere.join("new").exists());
        assert!(discard(&sandbox.join("containers/mine")).is_err() && elsewhere.join("mine").exists());
    }

    #[test]
    fn a_full_disk_keeps_only_what_may_have_just_begun() {
        let week = Duration::from_secs(7 * 86_400);
        assert_eq!(retention(week, 0.4), week / 2);
        assert_eq!(retention(week, 0.95), Duration::from_secs(60));
    }
}
