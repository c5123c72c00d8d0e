//! In the holder: secrets as files that are in memory only, never swapped out, and gone with the container's mount namespace.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{Gid, Uid};

use super::files::{FilesError, failed, open_path};
use crate::launcher::hidden::Hidden;

/// Where the file system is mounted until its files are mounted where they belong. Any directory would do in which nothing is that is looked
/// for meanwhile: nobody else sees it.
const PLACE: &str = "/sys";

/// The files, in the order of the secrets.
pub(super) struct SecretFiles {
    directory: Option<OwnedFd>,
    files: Vec<File>,
}

impl SecretFiles {
    /// Opens the secrets, each into a file that its owner can read.
    pub(super) fn make(secrets: &[&Hidden]) -> Result<SecretFiles, FilesError> {
        if secrets.is_empty() {
            return Ok(SecretFiles { directory: None, files: Vec::new() });
        }
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some("ramfs"), PLACE, Some("ramfs"), flags, Some("mode=700")).map_err(failed("mount", PLACE))?;
        let directory = open_path(PLACE).map_err(failed("open", PLACE))?;
        let file = |(index, secret): (usize, &&Hidden)| {
            let value = secret.open().map_err(|error| failed("open the secret", "for")(io::Error::other(error)))?;
            let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
            let made = openat(&directory, name(index).as_str(), flags, Mode::S_IRUSR).map(File::from);
            let mut made = made.map_err(failed("make the file of", "a secret"))?;
            made.write_all(value.expose()).map_err(failed("write the file of", "a secret"))?;
            Ok(made)
        };
        let files = secrets.iter().enumerate().map(file).collect::<Result<_, _>>()?;
        Ok(SecretFiles { directory: Some(directory), files })
    }

    /// One of them, to be mounted.
    pub(super) fn source(&self, index: usize) -> io::Result<OwnedFd> {
        let directory = self.directory.as_ref().ok_or(io::ErrorKind::NotFound)?;
        Ok(openat(directory, name(index).as_str(), OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?)
    }

    /// From now on they are only where they were mounted.
    pub(super) fn let_go(&mut self) -> Result<(), FilesError> {
        match self.directory.take() {
            Some(_) => umount2(PLACE, MntFlags::MNT_DETACH).map_err(failed("leave", PLACE)),
            None => Ok(()),
        }
    }

    /// Gives them to whom the container's program becomes.
    pub(super) fn give(&self, user: Uid, group: Gid) -> io::Result<()> {
        self.files.iter().try_for_each(|file| Ok(nix::unistd::fchown(file, Some(user), Some(group))?))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

fn name(index: usize) -> String {
    index.to_string()
}

/// What a file is mounted on beneath the sandbox; made if it is missing. The sandbox may hold links that somebody planted: none is followed.
pub(super) fn place(sandbox: BorrowedFd<'_>, relative: &Path) -> io::Result<OwnedFd> {
    let names: Option<Vec<&OsStr>> = relative
        .components()
        .map(|component| match component {
            Component::Normal(name) => Some(name),
            Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => None,
        })
        .collect();
    let names = names.unwrap_or_default();
    let (last, parents) = names.split_last().ok_or(io::ErrorKind::InvalidInput)?;
    let mut directory = sandbox.try_clone_to_owned()?;
    for parent in parents {
        match mkdirat(&directory, *parent, Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(nix::Error::EEXIST) => {}
            Err(error) => return Err(error.into()),
        }
        directory = find(directory.as_fd(), parent, OFlag::O_DIRECTORY)?;
    }
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    match openat(&directory, *last, flags, Mode::S_IRUSR) {
        Ok(made) => drop(made),
        Err(nix::Error::EEXIST) => {}
        Err(error) => return Err(error.into()),
    }
    find(directory.as_fd(), last, OFlag::empty())
}

fn find(directory: BorrowedFd<'_>, name: &OsStr, more: OFlag) -> io::Result<OwnedFd> {
    let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC | more).resolve(resolve);
    Ok(openat2(directory, name, how)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_link_leads_out_of_the_sandbox() {
        let directory = tempfile::tempdir().unwrap();
        let (sandbox, elsewhere) = (directory.path().join("sandbox"), directory.path().join("elsewhere"));
        std::fs::create_dir_all(&sandbox).unwrap();
        std::fs::create_dir_all(&elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, sandbox.join("link")).unwrap();
        std::os::unix::fs::symlink(elsewhere.join("made"), sandbox.join("planted")).unwrap();
        let opened = File::open(&sandbox).unwrap();
        for wrong in ["link/secret", "planted", "../secret", "/secret", "", "a/../../secret"] {
            assert!(place(opened.as_fd(), Path::new(wrong)).is_err(), "{wrong}");
        }
        assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0);
        for right in ["secret", "path/to/secret", "path/to/secret"] {
            place(opened.as_fd(), Path::new(right)).unwrap();
            assert!(sandbox.join(right).is_file());
        }
    }
}
