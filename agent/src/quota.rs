//! The isolator `disk/xfs`: the kernel counts what each sandbox and each persistent volume holds, and limits it if that is wanted. Each is
//! a project of the file system's, whatever that is: XFS and ext4 have them. Volumes on disks of their own are measured instead.
//!
//! Which project a directory is, is written in the file system itself: a new agent finds out there.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::ops::RangeInclusive;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

use crate::launcher::sys::quota::{limit_project, project_of, set_project, set_project_of_file, used_by_project};
use crate::{sandbox, volumes};

/// The numbers that projects are given, in Mesos's words: `[5000-10000]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectRange(RangeInclusive<u32>);

impl FromStr for ProjectRange {
    type Err = String;

    fn from_str(text: &str) -> Result<ProjectRange, String> {
        let bounds = || {
            let (first, last) = text.trim().strip_prefix('[')?.strip_suffix(']')?.split_once('-')?;
            Some((first.trim().parse::<u32>().ok()?, last.trim().parse::<u32>().ok()?))
        };
        match bounds() {
            Some((first, last)) if first > 0 && first <= last => Ok(ProjectRange(first..=last)),
            Some(_) | None => Err("expected a range of numbers above 0, as [5000-10000]".to_owned()),
        }
    }
}

impl std::fmt::Display for ProjectRange {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "[{}-{}]", self.0.start(), self.0.end())
    }
}

/// The projects of sandboxes and volumes.
#[derive(Debug)]
pub(crate) struct ProjectQuotas {
    /// Any file of the file system.
    file_system: File,
    /// Where volumes are that have no disk of their own.
    volumes: PathBuf,
    range: RangeInclusive<u32>,
    enforced: bool,
    projects: Mutex<BTreeMap<PathBuf, u32>>,
}

/// How a project is to be limited.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QuotaError {
    #[error("the file system of {path} keeps no project quotas: they come with the mount option prjquota")]
    Lacking {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("every number of --xfs-project-range is in use")]
    Exhausted,
    #[error("cannot limit what {path} may hold")]
    Limit {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl ProjectQuotas {
    /// Learns the projects of the sandboxes and volumes that are there. `enforced`: whether more than they may have is refused, or only counted.
    pub(crate) fn open(work_dir: &Path, range: &ProjectRange, enforced: bool) -> Result<ProjectQuotas, QuotaError> {
        let lacking = |source| QuotaError::Lacking { path: work_dir.to_owned(), source };
        let file_system = File::open(work_dir).map_err(lacking)?;
        let found = |run: PathBuf| {
            let project = File::open(&run).and_then(|directory| project_of(directory.as_fd())).ok()?;
            range.0.contains(&project).then_some((run, project))
        };
        let all = sandbox::runs(work_dir).flat_map(|run| {
            let nested = sandbox::directories(&run.join("containers"));
            std::iter::once(run).chain(nested)
        });
        let volumes = volumes::directory(work_dir);
        let all = all.chain(sandbox::directories(&volumes).flat_map(|role| sandbox::directories(&role)));
        let projects = Mutex::new(all.filter_map(found).collect());
        let quotas = ProjectQuotas { file_system, volumes, range: range.0.clone(), enforced, projects };
        quotas.try_out().map_err(lacking)?;
        Ok(quotas)
    }

    /// Whether the file system keeps count: a limit is set of a project that is nobody's.
    fn try_out(&self) -> io::Result<()> {
        let in_use = self.projects();
        match self.range.clone().find(|project| in_use.values().all(|used| used != project)) {
            None => Ok(()),
            Some(project) => limit_project(self.file_system.as_fd(), project, None),
        }
    }

    /// What a thread that panicked left is whole: nothing here can.
    fn projects(&self) -> MutexGuard<'_, BTreeMap<PathBuf, u32>> {
        self.projects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that a directory holds no more than that; `None` is any number of bytes.
    pub(crate) fn limit(&self, directory: &Path, bytes: Option<u64>) -> Result<(), QuotaError> {
        let failed = |source| QuotaError::Limit { path: directory.to_owned(), source };
        let mut projects = self.projects();
        let known = projects.get(directory).copied();
        let free = || self.range.clone().find(|project| projects.values().all(|used| used != project));
        let project = known.or_else(free).ok_or(QuotaError::Exhausted)?;
        let top = File::open(directory).map_err(failed)?;
        // Another volume may have had this name before, and what is in one may be older than this isolator.
        if project_of(top.as_fd()).map_err(failed)? != project {
            limit_project(self.file_system.as_fd(), project, None).map_err(failed)?;
            set_projects(&top, project).map_err(failed)?;
        }
        projects.insert(directory.to_owned(), project);
        limit_project(self.file_system.as_fd(), project, bytes.filter(|_| self.enforced)).map_err(failed)
    }

    /// Sees to it that persistent volumes hold no more than that many bytes each, where the file system counts what they hold.
    pub(crate) fn limit_volumes(&self, volumes: &[(PathBuf, u64)]) -> Result<(), QuotaError> {
        let device = |file: io::Result<Metadata>| file.map(|metadata| metadata.dev()).ok();
        let here = device(self.file_system.metadata());
        let counted =
            volumes.iter().filter(|(path, _)| path.starts_with(&self.volumes) && device(path.metadata()) == here);
        counted.into_iter().try_for_each(|(path, bytes)| self.limit(path, Some(*bytes)))
    }

    /// How much a directory holds, if it is a project.
    pub(crate) fn used(&self, directory: &Path) -> Option<u64> {
        let project = *self.projects().get(directory)?;
        used_by_project(self.file_system.as_fd(), project).ok()
    }

    /// The numbers of what is gone are free again.
    pub(crate) fn release_gone(&self) {
        self.projects().retain(|directory, project| {
            let there = directory.exists();
            if !there && let Err(error) = limit_project(self.file_system.as_fd(), *project, None) {
                tracing::warn!(project, %error, "the limit of what is gone stays, until its number is given again");
            }
            there
        });
    }

    /// How many numbers there are, and how many of them are free.
    pub(crate) fn numbers(&self) -> (usize, usize) {
        let all = self.range.clone().count();
        (all, all.saturating_sub(self.projects().len()))
    }
}

/// Makes a directory and all that is in it part of a project. Tasks may be at work in it: no link leads out of it, and what goes away
/// meanwhile is not missed.
fn set_projects(top: &File, project: u32) -> io::Result<()> {
    let beneath = |path: &Path, kind: OFlag| {
        let how = OpenHow::new()
            .flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | kind)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_XDEV);
        openat2(top, path, how)
    };
    let mut waiting = vec![PathBuf::from(".")];
    while let Some(path) = waiting.pop() {
        let directory = match beneath(&path, OFlag::O_DIRECTORY) {
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::EXDEV) => continue,
            directory => directory?,
        };
        set_project(directory.as_fd(), project)?;
        for entry in Dir::from_fd(directory)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            let inner = path.join(name);
            match entry.file_type() {
                _ if name == "." || name == ".." => {}
                Some(Type::Directory) => waiting.push(inner),
                Some(Type::File) => match beneath(&inner, OFlag::empty()) {
                    Err(Errno::ENOENT | Errno::ELOOP | Errno::EXDEV) => {}
                    file => set_project_of_file(file?.as_fd(), project)?,
                },
                // Nothing else holds anything, and file systems with project quotas tell what everything is.
                Some(Type::Fifo | Type::CharacterDevice | Type::BlockDevice | Type::Symlink | Type::Socket) | None => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_written_as_mesos_does() {
        let range: ProjectRange = "[5000-10000]".parse().unwrap();
        assert_eq!((range.0.clone(), range.to_string()), (5_000..=10_000, "[5000-10000]".to_owned()));
        for wrong in ["5000-10000", "[0-5]", "[7-5]", "[5]", ""] {
            assert!(wrong.parse::<ProjectRange>().is_err(), "{wrong}");
        }
    }
}
