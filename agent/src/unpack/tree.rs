//! A directory in which files are made by names that strangers chose. The kernel sees to it that none is made elsewhere: each name is
//! opened beneath the directory's descriptor.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{Mode, SFlag, mkdirat, mknodat};
use nix::unistd::{UnlinkatFlags, linkat, symlinkat, unlinkat};

/// What a link on the way to a name does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    /// Nothing is made through it.
    Refused,
    /// It leads on, as if the directory were the root of everything.
    Inside,
}

/// What to do about a directory in the place of something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existing {
    /// It stays, and nothing takes its place. Files and links are replaced.
    DirectoriesStay,
    /// It goes, with everything in it.
    Replaced,
}

/// See the module's text.
pub(super) struct Tree {
    root: Rc<OwnedFd>,
    links: Links,
    existing: Existing,
    /// The directory that was used last: most entries of an archive follow others of the same one.
    recent: Option<(PathBuf, Rc<OwnedFd>)>,
}

impl Tree {
    pub(super) fn open(path: &Path, links: Links, existing: Existing) -> io::Result<Tree> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = Rc::new(nix::fcntl::open(path, flags, Mode::empty())?);
        Ok(Tree { root, links, existing, recent: None })
    }

    fn how(&self, flags: OFlag) -> OpenHow {
        let resolve = match self.links {
            Links::Refused => ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS,
            Links::Inside => ResolveFlag::RESOLVE_IN_ROOT,
        };
        OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(resolve | ResolveFlag::RESOLVE_NO_MAGICLINKS)
    }

    fn open_directory(&self, path: &Path) -> nix::Result<OwnedFd> {
        openat2(&*self.root, path, self.how(OFlag::O_PATH | OFlag::O_DIRECTORY))
    }

    /// The directory that holds `path`, made if need be, and the name therein.
    fn parent<'p>(&mut self, path: &'p Path) -> io::Result<(Rc<OwnedFd>, &'p OsStr)> {
        let name = path.file_name().ok_or(Errno::EINVAL)?;
        let parent = path.parent().unwrap_or(Path::new(""));
        if parent.as_os_str().is_empty() {
            return Ok((self.root.clone(), name));
        }
        if let Some((recent, directory)) = &self.recent
            && recent == parent
        {
            return Ok((directory.clone(), name));
        }
        let directory = match self.open_directory(parent) {
            Err(Errno::ENOENT) => self.make_all(parent)?,
            outcome => outcome?,
        };
        let directory = Rc::new(directory);
        self.recent = Some((parent.to_owned(), directory.clone()));
        Ok((directory, name))
    }

    fn make_all(&self, path: &Path) -> io::Result<OwnedFd> {
        let mut so_far = PathBuf::new();
        let mut directory = self.root.try_clone()?;
        for name in path.components() {
            so_far.push(name);
            directory = match self.open_directory(&so_far) {
                Err(Errno::ENOENT) => {
                    mkdirat(&directory, name.as_os_str(), Mode::from_bits_truncate(0o755))?;
                    self.open_directory(&so_far)?
                }
                outcome => outcome?,
            };
        }
        Ok(directory)
    }

    /// Makes room for something that is not a directory.
    fn clear(&mut self, parent: &OwnedFd, name: &OsStr) -> io::Result<()> {
        match unlinkat(parent, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(Errno::EISDIR) if self.existing == Existing::Replaced => {
                self.recent = None;
                Ok(remove_directory(parent.as_fd(), name)?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A new file, which is only its owner's as long as it is not finished.
    pub(super) fn file(&mut self, path: &Path) -> io::Result<File> {
        let (parent, name) = self.parent(path)?;
        self.clear(&parent, name)?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(File::from(openat(&*parent, name, flags, Mode::from_bits_truncate(0o600))?))
    }

    /// A directory, unless it is there.
    pub(super) fn directory(&mut self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        let make = || mkdirat(&*parent, name, Mode::from_bits_truncate(0o755));
        match make() {
            Err(Errno::EEXIST) => {
                let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                match (openat(&*parent, name, flags, Mode::empty()), self.existing) {
                    (Ok(_), _) => Ok(()),
                    (Err(_), Existing::Replaced) => {
                        unlinkat(&*parent, name, UnlinkatFlags::NoRemoveDir)?;
                        Ok(make()?)
                    }
                    (Err(error), Existing::DirectoriesStay) => Err(error.into()),
                }
            }
            outcome => Ok(outcome?),
        }
    }

    pub(super) fn symlink(&mut self, path: &Path, target: &OsStr) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        self.clear(&parent, name)?;
        Ok(symlinkat(target, &*parent, name)?)
    }

    /// Another name for the file that `target` names in the directory. A link is not followed: it gets another name itself.
    pub(super) fn hard_link(&mut self, path: &Path, target: &Path) -> io::Result<()> {
        let (from, from_name) = self.parent(target)?;
        let (parent, name) = self.parent(path)?;
        if path != target {
            self.clear(&parent, name)?;
            linkat(&*from, from_name, &*parent, name, AtFlags::empty())?;
        }
        Ok(())
    }

    /// The device 0:0, by which an overlay knows that what is beneath is gone.
    pub(super) fn whiteout(&mut self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        self.clear(&parent, name)?;
        Ok(mknodat(&*parent, name, SFlag::S_IFCHR, Mode::empty(), 0)?)
    }

    /// The file, or directory, itself, for what is said about it; no link.
    pub(super) fn opened(&mut self, path: &Path) -> io::Result<File> {
        let (parent, name) = self.parent(path)?;
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        Ok(File::from(openat(&*parent, name, flags, Mode::empty())?))
    }

    /// The directory of all this itself.
    pub(super) fn root(&self) -> io::Result<File> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(File::from(openat(&*self.root, ".", flags, Mode::empty())?))
    }

    /// Where `path` is, for calls that take a directory and a name.
    pub(super) fn located<'p>(&mut self, path: &'p Path) -> io::Result<(Rc<OwnedFd>, &'p OsStr)> {
        self.parent(path)
    }
}

fn remove_directory(parent: BorrowedFd<'_>, name: &OsStr) -> nix::Result<()> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut directory = Dir::openat(parent, name, flags, Mode::empty())?;
    let names: Vec<_> = directory.iter().map(|entry| Ok(entry?.file_name().to_owned())).collect::<nix::Result<_>>()?;
    for name in names.iter().filter(|name| !matches!(name.to_bytes(), b"." | b"..")) {
        let name = <OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(name.to_bytes());
        match unlinkat(&directory, name, UnlinkatFlags::NoRemoveDir) {
            Err(Errno::EISDIR) => remove_directory(directory.as_fd(), name)?,
            outcome => outcome?,
        }
    }
    unlinkat(parent, name, UnlinkatFlags::RemoveDir)
}
