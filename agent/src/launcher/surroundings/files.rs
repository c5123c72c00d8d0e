//! In the holder: the files that a container sees, put together in its own mount namespace.
//!
//! Where something is mounted is looked up from the container's root as the container would, without ever leaving it, whatever links an
//! image or a task has planted; and it is mounted on what was found, not on what the same path leads to a moment later.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, SFlag, fstat, makedev, mkdirat, mknodat};
use nix::unistd::{Gid, Uid};

use super::secrets::{self, SecretFiles};
use super::user::User;
use crate::launcher::hidden::Hidden;
use crate::launcher::protocol::{Access, Mount, MountKind, Namespaces, Root, SANDBOX, Surroundings};
use crate::launcher::streams::CONSOLE;
use crate::launcher::sys;

/// What a container's `/dev/shm` holds unless it says otherwise, as with container engines.
const SHM_BYTES: u64 = 64 << 20;
/// Devices of every container: name, major and minor number.
const DEVICES: [(&str, u64, u64); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];
/// What tells too much about the machine, or lets one change it, whatever namespace one is in.
const MASKED: [&str; 11] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];
/// What may be read only.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// A step that did not work.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {path}")]
pub(super) struct FilesError {
    action: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

pub(super) fn failed<E: Into<io::Error>>(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(E) -> FilesError {
    move |source| FilesError { action, path: path.as_ref().to_owned(), source: source.into() }
}

/// The hierarchies in which the container has a cgroup of its own: what it is told of its limits.
#[derive(Debug)]
pub(super) enum Cgroups {
    Unified,
    /// By the names of their controllers.
    Hierarchies(Vec<String>),
}

impl Cgroups {
    /// To be asked before there is a cgroup namespace.
    pub(super) fn of_this_process() -> Cgroups {
        if cgroups_rs::hierarchies::is_cgroup2_unified_mode() {
            return Cgroups::Unified;
        }
        let lines = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let (own, launchers) = (lines("self"), lines(&nix::unistd::getppid().to_string()));
        let entered = own.lines().filter(|line| !launchers.lines().any(|other| other == *line));
        let controllers = |line: &str| Some(line.split(':').nth(1)?.to_owned()).filter(|names| !names.is_empty());
        Cgroups::Hierarchies(entered.filter_map(controllers).collect())
    }
}

/// Puts everything together and makes it this process's root. What is the container's user's alone becomes `owner`'s. After most of the work
/// this process is `confined` as the container is.
pub(super) fn arrange(
    surroundings: &Surroundings,
    sandbox: &Path,
    console: Option<&Path>,
    confined: impl FnOnce() -> io::Result<Cgroups>,
    owner: Option<(Uid, Gid)>,
) -> Result<(), FilesError> {
    let Surroundings { root, mounts, namespaces, user, .. } = surroundings;
    nix::sys::stat::umask(Mode::empty());
    // What the machine mounts later is still seen; nothing is the other way round.
    mount_at(None, Path::new("/"), None, MsFlags::MS_SLAVE | MsFlags::MS_REC, None)
        .map_err(failed("cut off from the machine's", "/"))?;
    // Before the container's files hide them.
    let sandbox_itself = open_path(sandbox).map_err(failed("open", sandbox))?;
    let console = console.map(|path| open_path(path).map_err(failed("open", path))).transpose()?;
    let hidden: Vec<&Hidden> = mounts.iter().filter_map(Mount::secret).collect();
    let mut secret_files = SecretFiles::make(&hidden)?;
    let mut next = 0..hidden.len();
    let sources = mounts.iter().map(|mount| source(mount, &secret_files, &mut next)).collect::<Result<Vec<_>, _>>()?;
    let tree = match root {
        None => Tree::of(Path::new("/"), Missing::Refused)?,
        Some(root) => {
            // Any directory would do in which nothing is that is mounted again: nobody else sees what is mounted there.
            let place = &root.work;
            overlay(root, place)?;
            let tree = Tree::of(place, Missing::Made)?;
            tree.make_usual(namespaces)?;
            tree.bind(sandbox_itself.as_fd(), Path::new(SANDBOX), Access::ReadWrite)?;
            if let Some(console) = &console {
                // By its other name: the machine's terminals are not in the container's /dev/pts.
                tree.bind(console.as_fd(), Path::new(CONSOLE), Access::ReadWrite)?;
            }
            tree
        }
    };
    if root.is_none() {
        tree.make_private(namespaces)?;
    }
    let cgroups = confined().map_err(failed("become a part of", "the container"))?;
    if root.is_some() {
        tree.show_cgroups(&cgroups)?;
    }
    for (mount, source) in mounts.iter().zip(&sources) {
        match (&mount.kind, source) {
            (MountKind::Bind(_), Some(source)) => tree.bind(source.as_fd(), &mount.target, mount.access)?,
            (MountKind::Tmpfs { size_bytes }, _) => {
                tree.tmpfs(&mount.target, "1777", *size_bytes, MsFlags::MS_NOSUID | MsFlags::MS_NODEV)?;
                tree.restrict(&mount.target, mount.access)?;
            }
            (MountKind::Secret(_), Some(source)) if root.is_none() => {
                let relative = mount.target.strip_prefix(sandbox).map_err(io::Error::other);
                let target = relative.and_then(|relative| secrets::place(sandbox_itself.as_fd(), relative));
                let target = target.map_err(failed("mount something at", &mount.target))?;
                tree.bind_on(source.as_fd(), &target, &mount.target, Access::ReadOnly)?;
            }
            (MountKind::Secret(_), Some(source)) => tree.bind(source.as_fd(), &mount.target, Access::ReadOnly)?,
            (MountKind::Bind(_) | MountKind::Secret(_), None) => {
                return Err(failed("find what is mounted at", &mount.target)(io::Error::from(io::ErrorKind::NotFound)));
            }
        }
    }
    secret_files.let_go()?;
    if root.is_some() {
        become_root(&tree)?;
    }
    give(&secret_files, owner, user.as_deref())
}

/// Whom an image's user is, only its own files tell: they are this process's by now.
fn give(files: &SecretFiles, owner: Option<(Uid, Gid)>, named: Option<&str>) -> Result<(), FilesError> {
    if files.is_empty() {
        return Ok(());
    }
    let owner = match named {
        None => owner,
        Some(name) => {
            let found = User::find(name).map_err(|error| failed("find the user", name)(io::Error::other(error)))?;
            Some((Uid::from_raw(found.uid), Gid::from_raw(found.gid)))
        }
    };
    owner.map_or(Ok(()), |(user, group)| files.give(user, group)).map_err(failed("give away", "secrets"))
}

fn source(
    mount: &Mount,
    secrets: &SecretFiles,
    next: &mut impl Iterator<Item = usize>,
) -> Result<Option<OwnedFd>, FilesError> {
    match &mount.kind {
        MountKind::Bind(path) => open_path(path).map(Some).map_err(failed("open", path)),
        MountKind::Tmpfs { .. } => Ok(None),
        MountKind::Secret(_) => {
            let opened = next.next().map(|index| secrets.source(index));
            opened.transpose().map_err(failed("open the file of", "a secret"))
        }
    }
}

/// The layers are named by descriptors: their paths could be longer than the kernel takes, and contain what separates them.
fn overlay(root: &Root, at: &Path) -> Result<(), FilesError> {
    let open = |path: &PathBuf| open_path(path).map_err(failed("open the layer", path));
    let layers = root.layers.iter().rev().map(open).collect::<Result<Vec<_>, _>>()?;
    let (upper, work) = (open(&root.upper)?, open(&root.work)?);
    let lower: Vec<String> = layers.iter().map(by_descriptor).collect();
    let options =
        format!("lowerdir={},upperdir={},workdir={}", lower.join(":"), by_descriptor(&upper), by_descriptor(&work));
    // An image may contain devices: those of a container are in its /dev.
    mount_at(Some("overlay"), at, Some("overlay"), MsFlags::MS_NODEV, Some(&options))
        .map_err(failed("mount the layers of", at))
}

fn become_root(tree: &Tree) -> Result<(), FilesError> {
    let root = Path::new("/");
    nix::unistd::fchdir(&tree.root).map_err(failed("enter", root))?;
    // The former root ends up beneath the new one, on the same place.
    nix::unistd::pivot_root(".", ".").map_err(failed("change", root))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(failed("leave the machine's", root))?;
    nix::unistd::chdir(root).map_err(failed("enter", root))
}

pub(super) fn open_path(path: impl AsRef<Path>) -> io::Result<OwnedFd> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path)?;
    Ok(file.into())
}

fn by_descriptor(descriptor: impl AsFd) -> String {
    format!("/proc/self/fd/{}", descriptor.as_fd().as_raw_fd())
}

fn mount_at(
    source: Option<&str>,
    target: &Path,
    kind: Option<&str>,
    flags: MsFlags,
    options: Option<&str>,
) -> nix::Result<()> {
    mount(source, target, kind, flags, options)
}

/// Whether what is missing for something to be mounted there is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Made,
    Refused,
}

/// The files of a container.
struct Tree {
    root: OwnedFd,
    missing: Missing,
}

impl Tree {
    fn of(root: &Path, missing: Missing) -> Result<Tree, FilesError> {
        Ok(Tree { root: open_path(root).map_err(failed("open", root))?, missing })
    }

    /// What every container with a root of its own has.
    fn make_usual(&self, namespaces: &Namespaces) -> Result<(), FilesError> {
        let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        self.file_system("proc", "/proc", quiet, None)?;
        self.file_system("sysfs", "/sys", quiet | MsFlags::MS_RDONLY, None)?;
        self.tmpfs(Path::new("/dev"), "755", Some(64 << 10), MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC)?;
        let dev = self.find(Path::new("/dev")).map_err(failed("find", "/dev"))?;
        for (name, major, minor) in DEVICES {
            mknodat(&dev, name, SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(major, minor))
                .map_err(failed("make the device", name))?;
        }
        for (name, target) in DEVICE_LINKS {
            nix::unistd::symlinkat(target, &dev, name).map_err(failed("make the link", name))?;
        }
        let terminals = "newinstance,ptmxmode=0666,mode=0620,gid=5";
        self.file_system("devpts", "/dev/pts", MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC, Some(terminals))?;
        self.shared_memory(namespaces.ipc.map_or(SHM_BYTES, |ipc| ipc.shm_bytes))?;
        self.file_system("mqueue", "/dev/mqueue", quiet, None)?;
        let null = self.find(Path::new("/dev/null")).map_err(failed("find", "/dev/null"))?;
        MASKED.iter().try_for_each(|path| self.mask(Path::new(path), null.as_fd()))?;
        READ_ONLY.iter().try_for_each(|path| self.protect(Path::new(path)))
    }

    /// What has to be mounted anew where the machine's own root is seen from other namespaces.
    fn make_private(&self, namespaces: &Namespaces) -> Result<(), FilesError> {
        let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        if namespaces.pid {
            self.file_system("proc", "/proc", quiet, None)?;
        }
        if let Some(ipc) = namespaces.ipc {
            self.shared_memory(ipc.shm_bytes)?;
            if self.find(Path::new("/dev/mqueue")).is_ok() {
                self.file_system("mqueue", "/dev/mqueue", quiet, None)?;
            }
        }
        Ok(())
    }

    fn shared_memory(&self, bytes: u64) -> Result<(), FilesError> {
        let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        self.tmpfs(Path::new("/dev/shm"), "1777", Some(bytes), quiet)
    }

    /// Beneath /sys: programs look there for how much memory and cpu they have.
    fn show_cgroups(&self, cgroups: &Cgroups) -> Result<(), FilesError> {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
        let hierarchies = match cgroups {
            Cgroups::Unified => return self.file_system("cgroup2", "/sys/fs/cgroup", flags, None),
            Cgroups::Hierarchies(hierarchies) => hierarchies,
        };
        let place = Path::new("/sys/fs/cgroup");
        self.tmpfs(place, "755", Some(64 << 10), flags & !MsFlags::MS_RDONLY)?;
        for controllers in hierarchies {
            self.file_system("cgroup", &format!("/sys/fs/cgroup/{controllers}"), flags, Some(controllers))?;
            let directory = self.find(place).map_err(failed("find", place))?;
            for single in controllers.split(',').filter(|single| single != controllers) {
                nix::unistd::symlinkat(controllers.as_str(), &directory, single)
                    .map_err(failed("make the link", single))?;
            }
        }
        self.restrict_one(place)
    }

    fn file_system(&self, kind: &str, at: &str, flags: MsFlags, options: Option<&str>) -> Result<(), FilesError> {
        let target = self.target(Path::new(at), Shape::Directory)?;
        mount_at(Some(kind), Path::new(&by_descriptor(&target)), Some(kind), flags, options)
            .map_err(failed("mount", at))
    }

    fn tmpfs(&self, at: &Path, mode: &str, size_bytes: Option<u64>, flags: MsFlags) -> Result<(), FilesError> {
        self.tmpfs_on(&self.target(at, Shape::Directory)?, at, mode, size_bytes, flags)
    }

    /// On `target`, which is at `at`.
    fn tmpfs_on(
        &self,
        target: &OwnedFd,
        at: &Path,
        mode: &str,
        size_bytes: Option<u64>,
        flags: MsFlags,
    ) -> Result<(), FilesError> {
        let size = size_bytes.map(|bytes| format!(",size={bytes}")).unwrap_or_default();
        let options = format!("mode={mode}{size}");
        mount_at(Some("tmpfs"), Path::new(&by_descriptor(target)), Some("tmpfs"), flags, Some(&options))
            .map_err(failed("mount", at))
    }

    fn bind(&self, source: BorrowedFd<'_>, at: &Path, access: Access) -> Result<(), FilesError> {
        let directory =
            fstat(source).map_err(failed("look at what is mounted at", at))?.st_mode & libc::S_IFMT == libc::S_IFDIR;
        let target = self.target(at, if directory { Shape::Directory } else { Shape::File })?;
        self.bind_on(source, &target, at, access)
    }

    /// On `target`, which is at `at`.
    fn bind_on(&self, source: BorrowedFd<'_>, target: &OwnedFd, at: &Path, access: Access) -> Result<(), FilesError> {
        let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
        mount_at(Some(&by_descriptor(source)), Path::new(&by_descriptor(target)), None, flags, None)
            .map_err(failed("mount", at))?;
        self.restrict(at, access)
    }

    /// With all that is mounted beneath.
    fn restrict(&self, at: &Path, access: Access) -> Result<(), FilesError> {
        match access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => {
                let mounted = self.find(at).map_err(failed("find", at))?;
                sys::make_read_only(mounted.as_fd(), sys::Beneath::Included).map_err(failed("protect", at))
            }
        }
    }

    fn restrict_one(&self, at: &Path) -> Result<(), FilesError> {
        let mounted = self.find(at).map_err(failed("find", at))?;
        sys::make_read_only(mounted.as_fd(), sys::Beneath::Excluded).map_err(failed("protect", at))
    }

    /// Hides what is there, if anything is.
    fn mask(&self, path: &Path, null: BorrowedFd<'_>) -> Result<(), FilesError> {
        let Ok(found) = self.find(path) else { return Ok(()) };
        let directory = fstat(&found).map_err(failed("look at", path))?.st_mode & libc::S_IFMT == libc::S_IFDIR;
        if directory {
            self.tmpfs_on(&found, path, "755", Some(4 << 10), MsFlags::MS_RDONLY)
        } else {
            self.bind_on(null, &found, path, Access::ReadWrite)
        }
    }

    fn protect(&self, path: &Path) -> Result<(), FilesError> {
        match self.find(path) {
            Ok(found) => self.bind_on(found.as_fd(), &found, path, Access::ReadOnly),
            Err(_not_there) => Ok(()),
        }
    }

    /// What a path leads to, as seen from the container's root.
    fn find(&self, path: &Path) -> nix::Result<OwnedFd> {
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        openat2(&self.root, path, how)
    }

    /// Where something is to be mounted.
    fn target(&self, path: &Path, shape: Shape) -> Result<OwnedFd, FilesError> {
        match self.find(path) {
            Err(nix::Error::ENOENT) if self.missing == Missing::Made => {}
            other => return other.map_err(failed("mount something at", path)),
        }
        if path.components().any(|component| component == Component::ParentDir) {
            return Err(failed("make, because of its `..`,", path)(io::Error::from(io::ErrorKind::InvalidInput)));
        }
        let names: Vec<Component<'_>> = path.components().collect();
        let mut made = PathBuf::from("/");
        for (index, name) in names.iter().enumerate() {
            let parent = self.find(&made).map_err(failed("find", &made))?;
            let Component::Normal(name) = name else { continue };
            let name = Path::new(name);
            made.push(name);
            if self.find(&made).is_ok() {
                continue;
            }
            let outcome = if index + 1 == names.len() && shape == Shape::File {
                let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
                nix::fcntl::openat(&parent, name, flags, Mode::from_bits_truncate(0o644))
                    .map(|file| drop(File::from(file)))
            } else {
                mkdirat(&parent, name, Mode::from_bits_truncate(0o755))
            };
            outcome.map_err(failed("make", &made))?;
        }
        self.find(path).map_err(failed("make", path))
    }
}

/// What something is mounted on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Directory,
    File,
}
