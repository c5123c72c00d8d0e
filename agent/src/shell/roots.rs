//! What the launcher needs to find on disk to give a container its root and its mounts.

use std::collections::HashSet;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::fetch::make_private;
use crate::image::writable;
use crate::launcher::protocol::{ContainerId, LaunchSpec, MountKind};
use crate::sandbox::make_directory;

pub(super) struct Roots {
    work_dir: PathBuf,
    /// Directories of the machine that tasks may see.
    host_paths: Vec<PathBuf>,
    /// Those beneath which what is missing is made.
    made: Vec<PathBuf>,
    /// How often what a container has written could not be removed.
    left: Arc<AtomicU64>,
}

impl Roots {
    pub(super) fn new(work_dir: &Path, host_paths: &[PathBuf], made: Vec<PathBuf>) -> Roots {
        Roots { work_dir: work_dir.to_owned(), host_paths: host_paths.to_vec(), made, left: Arc::default() }
    }

    /// How often what a container has written could not be removed.
    pub(super) fn left(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.left)
    }

    /// Makes the directories that take what the container writes, and looks at what is mounted for it.
    pub(super) fn prepare(&self, spec: &LaunchSpec) -> Result<(), String> {
        let Some(surroundings) = &spec.surroundings else { return Ok(()) };
        if let Some(root) = &surroundings.root {
            let make = |path: &PathBuf| match std::fs::DirBuilder::new().mode(0o755).create(path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                Ok(()) | Err(_) => Ok(()),
            };
            let made = make_private(&writable(&self.work_dir, &spec.container));
            let made = made.and_then(|()| make(&root.upper)).and_then(|()| make(&root.work));
            made.map_err(|error| format!("cannot make a place for what it writes: {error}"))?;
        }
        surroundings.mounts.iter().try_for_each(|mount| match &mount.kind {
            MountKind::Bind(source) => self.look_at(source),
            MountKind::Tmpfs { .. } | MountKind::Secret(_) => Ok(()),
        })
    }

    /// The same for what a Docker daemon is to mount.
    pub(super) fn look_at_all<'a>(&self, mut sources: impl Iterator<Item = &'a Path>) -> Result<(), String> {
        sources.try_for_each(|source| self.look_at(source))
    }

    /// Whether a link leads from a place that a task may see to one that it may not: links are planted by tasks. What is elsewhere, the
    /// agent itself has chosen.
    fn look_at(&self, source: &Path) -> Result<(), String> {
        let explain = |error: io::Error| format!("the volume {} cannot be mounted: {error}", source.display());
        if let Some(place) = self.made.iter().find(|place| source.starts_with(place)) {
            make_beneath(place, source).map_err(explain)?;
        }
        let real = source.canonicalize().map_err(explain)?;
        let allowed: Vec<&PathBuf> = self.host_paths.iter().filter(|allowed| source.starts_with(allowed)).collect();
        let elsewhere = allowed.is_empty() && !source.starts_with(&self.work_dir);
        let mut allowed = allowed.into_iter().filter_map(|allowed| allowed.canonicalize().ok());
        if elsewhere || real == source || allowed.any(|allowed| real.starts_with(allowed)) {
            return Ok(());
        }
        Err(explain(io::Error::other("a link leads from there to elsewhere")))
    }

    /// Removes what a container has written, which is over.
    pub(super) fn release(&self, container: &ContainerId) {
        let directory = writable(&self.work_dir, container);
        if directory.exists() {
            let left = self.left();
            tokio::task::spawn_blocking(move || remove(&directory, &left));
        }
    }

    /// Removes what is left of containers that are not among `known`.
    pub(super) fn sweep(&self, known: &HashSet<&str>) {
        let left = std::fs::read_dir(self.work_dir.join("provisioner")).into_iter().flatten().filter_map(Result::ok);
        left.filter(|entry| entry.file_name().to_str().is_none_or(|name| !known.contains(name)))
            .for_each(|entry| remove(&entry.path(), &self.left));
    }
}

/// Makes what is missing of the directories from `place` to `directory`. No link is followed on the way: tasks plant them.
fn make_beneath(place: &Path, directory: &Path) -> io::Result<()> {
    if directory.exists() {
        return Ok(());
    }
    let beneath = directory.strip_prefix(place).map_err(io::Error::other)?;
    let place = OwnedFd::from(std::fs::File::open(place)?);
    beneath.iter().try_fold(place, |parent, name| make_directory(&parent, Path::new(name))).map(drop)
}

fn remove(directory: &Path, left: &AtomicU64) {
    // It may have been released twice.
    if let Err(error) = std::fs::remove_dir_all(directory)
        && error.kind() != io::ErrorKind::NotFound
    {
        left.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(path = %directory.display(), %error, "what a container has written cannot be removed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_made_beneath_their_place_and_no_link_leads_out() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let (place, elsewhere) = (root.join("place"), root.join("elsewhere"));
        std::fs::create_dir_all(&place).unwrap();
        std::fs::create_dir_all(&elsewhere).unwrap();
        for _ in 0..2 {
            make_beneath(&place, &place.join("a/b")).unwrap();
            assert!(place.join("a/b").is_dir());
        }
        std::os::unix::fs::symlink(&elsewhere, place.join("link")).unwrap();
        assert!(make_beneath(&place, &place.join("link/made")).is_err());
        assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0);
        std::fs::write(place.join("file"), "").unwrap();
        assert!(make_beneath(&place, &place.join("file/made")).is_err());
    }

    #[test]
    fn what_cannot_be_removed_is_counted() {
        let directory = tempfile::tempdir().unwrap();
        let provisioner = directory.path().join("provisioner");
        std::fs::create_dir_all(provisioner.join("over/upper")).unwrap();
        // Not a directory: whatever it is, it is no container's.
        std::fs::write(provisioner.join("file"), "").unwrap();
        let roots = Roots::new(directory.path(), &[], Vec::new());
        roots.sweep(&HashSet::new());
        assert!(!provisioner.join("over").exists());
        assert_eq!(roots.left().load(Ordering::Relaxed), 1);
    }
}
