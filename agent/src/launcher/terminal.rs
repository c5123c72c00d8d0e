//! Terminals, and those of containers that outlive everybody who looks at them.
//!
//! A container that asks for a terminal gets one of its own. A process that does nothing else, the *keeper*, holds the other side of it: a
//! copy of the launcher without its descriptors, which appends what is shown to `stdout` in the sandbox, and hands the other side to
//! whoever asks at a socket in the launcher's directory. It ends when nobody has the terminal any more, whatever becomes of the launcher;
//! those who asked see the end of their connections then, and that everything shown is in the file.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::signal::SigSet;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use nix::sys::stat::{fstat, makedev};
use rustix::pty::OpenptFlags;
use rustix::termios::{Winsize, tcsetwinsize};

use super::protocol::{ContainerId, TerminalSize};
use super::sys;

/// Where the keepers' sockets are, in the launcher's directory.
const SOCKETS: &str = "terminals";
/// Read at a time.
const CHUNK_BYTES: usize = 4 << 10;
/// Those who are told of the end; who comes when there are so many takes the place of the first.
const MAX_VISITORS: usize = 64;
/// The device that makes terminals.
const MULTIPLEXER: u64 = makedev(5, 2);
/// How long a keeper may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Both sides of a new terminal.
#[derive(Debug)]
pub(crate) struct Pair {
    /// What its programs read and write.
    pub(crate) slave: File,
    /// The name of that.
    pub(crate) path: PathBuf,
    /// The other side.
    pub(crate) master: File,
}

impl Pair {
    pub(crate) fn open(size: Option<TerminalSize>) -> io::Result<Pair> {
        use std::os::unix::fs::OpenOptionsExt;
        let master = nix::pty::posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)?;
        nix::pty::grantpt(&master)?;
        nix::pty::unlockpt(&master)?;
        let path = PathBuf::from(nix::pty::ptsname_r(&master)?);
        let master = File::from(OwnedFd::from(master));
        if let Some(size) = size {
            resize(&master, size)?;
        }
        let slave = File::options().read(true).write(true).custom_flags(libc::O_NOCTTY).open(&path)?;
        Ok(Pair { slave, path, master })
    }

    /// One that has a name among the files of the process `pid`: in a root of its own the machine's terminals have none. Its path here is
    /// good as long as this process holds the slave.
    pub(crate) fn open_among(pid: i32, size: Option<TerminalSize>) -> io::Result<Pair> {
        let open = |path: String, flags: i32| {
            use std::os::unix::fs::OpenOptionsExt;
            File::options().read(true).write(flags & libc::O_PATH == 0).custom_flags(flags).open(path)
        };
        let root = open(format!("/proc/{pid}/root"), libc::O_PATH)?;
        // Whatever was put in its place is looked at before it is opened.
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_SYMLINKS);
        let found = openat2(&root, "dev/pts/ptmx", how)?;
        let stat = fstat(&found)?;
        if stat.st_mode & libc::S_IFMT != libc::S_IFCHR || stat.st_rdev != MULTIPLEXER {
            return Err(Errno::ENOTTY.into());
        }
        let master = open(format!("/proc/self/fd/{}", found.as_raw_fd()), libc::O_NOCTTY)?;
        rustix::pty::unlockpt(&master)?;
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let slave = File::from(rustix::pty::ioctl_tiocgptpeer(&master, flags)?);
        if let Some(size) = size {
            resize(&master, size)?;
        }
        let path = PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), slave.as_raw_fd()));
        Ok(Pair { slave, path, master })
    }

    /// Begins to append what is shown to `output`, until nobody has the slave any more. To be called in the launcher's directory.
    pub(super) fn keep(&self, container: &ContainerId, output: &File) -> io::Result<()> {
        std::fs::create_dir_all(SOCKETS)?;
        let socket = Path::new(SOCKETS).join(container.as_str());
        // Of a launch that did not come to its program.
        forget(container);
        let listener = UnixListener::bind(socket)?;
        listener.set_nonblocking(true)?;
        sys::fork(|| keep(&self.master, output, &listener)).map(drop)
    }
}

/// Of either side.
pub(crate) fn resize(terminal: &File, size: TerminalSize) -> io::Result<()> {
    let TerminalSize { rows, columns } = size;
    Ok(tcsetwinsize(terminal, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?)
}

/// Nobody finds the keeper of this container any more, if there was one.
pub(super) fn forget(container: &ContainerId) {
    let _had_none = std::fs::remove_file(Path::new(SOCKETS).join(container.as_str()));
}

/// The whole life of a keeper.
fn keep(master: &File, output: &File, listener: &UnixListener) -> io::Result<()> {
    // Whatever is sent to the launcher's processes is not for this one.
    SigSet::all().thread_set_mask()?;
    nix::unistd::setsid()?;
    let [master, output, listener] = sys::keep_only([master.as_fd(), output.as_fd(), listener.as_fd()])?;
    let (master, output, listener) = (File::from(master), File::from(output), UnixListener::from(listener));
    nix::sys::prctl::set_dumpable(false)?;
    nix::sys::prctl::set_name(c"attica-terminal")?;
    let mut visitors = Vec::new();
    let mut buffer = [0; CHUNK_BYTES];
    loop {
        let mut ready =
            [PollFd::new(master.as_fd(), PollFlags::POLLIN), PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        nix::poll::poll(&mut ready, PollTimeout::NONE)?;
        let [of_master, of_listener] = ready.map(|one| one.any().unwrap_or(false));
        if of_listener && let Ok((visitor, _)) = listener.accept() {
            if visitors.len() >= MAX_VISITORS {
                visitors.remove(0);
            }
            // Who has gone meanwhile needs nothing.
            visitors.extend(hand_over(&visitor, master.as_raw_fd()).ok().map(|()| visitor));
        }
        if of_master {
            match (&master).read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Nobody has the terminal any more.
                Ok(0) | Err(_) => return Ok(()),
                // What a full disk does not take is lost, as for any program that goes on without.
                Ok(length) => drop((&output).write_all(&buffer[..length])),
            }
        }
    }
}

fn hand_over(visitor: &UnixStream, descriptor: RawFd) -> nix::Result<()> {
    let rights = [ControlMessage::ScmRights(&[descriptor])];
    sendmsg::<()>(visitor.as_raw_fd(), &[IoSlice::new(&[0])], &rights, MsgFlags::MSG_NOSIGNAL, None).map(drop)
}

/// The terminal of a container, as its keeper hands it over.
#[derive(Debug)]
pub(crate) struct Visit {
    /// The side that people have.
    pub(crate) master: File,
    keeper: UnixStream,
}

impl Visit {
    /// Asks the keeper of this container, whose launcher works in `directory`.
    pub(crate) fn pay(directory: &Path, container: &ContainerId) -> io::Result<Visit> {
        // By way of the directory's descriptor: a path may be longer than a socket's address holds.
        let sockets = File::open(directory.join(SOCKETS))?;
        let keeper = UnixStream::connect(format!("/proc/self/fd/{}/{container}", sockets.as_raw_fd()))?;
        keeper.set_read_timeout(Some(PATIENCE))?;
        let mut byte = [0];
        let mut bytes = [IoSliceMut::new(&mut byte)];
        let mut space = nix::cmsg_space!(RawFd);
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<()>(keeper.as_raw_fd(), &mut bytes, Some(&mut space), flags)?;
        let rights = message.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::ScmRights(descriptors) => descriptors.first().copied(),
            _others => None,
        });
        let descriptor = rights.ok_or(Errno::ENOTTY)?;
        Ok(Visit { master: sys::received(descriptor), keeper })
    }

    /// Waits until nobody has the terminal any more and all that was shown is in the file, if that is soon.
    pub(crate) fn await_end(&self) -> io::Result<()> {
        (&self.keeper).read(&mut [0]).map(drop)
    }
}
