//! Network namespaces: made on a thread of their own, kept alive by a file that they are bound to, entered by a thread that opens sockets.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::sys::statfs::{FsType, statfs};
use tokio::net::TcpSocket;
use tokio::sync::oneshot;

/// Of the kernel's file system of namespaces (`NSFS_MAGIC`).
const NAMESPACES: FsType = FsType(0x6e73_6673);
/// The namespace of the calling thread.
const OWN: &str = "/proc/thread-self/ns/net";

/// In which network something is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// The machine's own.
    #[default]
    Host,
    /// One that is bound to this file.
    Namespace(PathBuf),
}

/// Makes a namespace and lets `furnish` work within it; it is there for as long as the file is open.
pub(super) fn make<E: From<io::Error> + Send>(furnish: impl FnOnce() -> Result<(), E> + Send) -> Result<File, E> {
    let work = || {
        unshare(CloneFlags::CLONE_NEWNET).map_err(io::Error::from)?;
        furnish()?;
        Ok(File::open(OWN)?)
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("namespace".to_owned()).spawn_scoped(scope, work)?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread has failed").into()))
    })
}

/// Keeps a namespace at `path`.
pub(super) fn bind(namespace: &File, path: &Path) -> io::Result<()> {
    File::create(path)?;
    let source = PathBuf::from(format!("/proc/self/fd/{}", namespace.as_raw_fd()));
    Ok(mount(Some(&source), path, None::<&str>, MsFlags::MS_BIND, None::<&str>)?)
}

/// Whether there is a namespace at `path`.
pub(super) fn is_bound(path: &Path) -> bool {
    statfs(path).is_ok_and(|found| found.filesystem_type() == NAMESPACES)
}

/// Lets go of the namespace at `path`, if there is one. It ends with its last process.
pub(super) fn release(path: &Path) -> io::Result<()> {
    while is_bound(path) {
        match umount2(path, MntFlags::MNT_DETACH) {
            Ok(()) => {}
            // Another agent with this directory was quicker.
            Err(Errno::EINVAL) => break,
            Err(error) => return Err(error.into()),
        }
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

struct Wish {
    namespace: PathBuf,
    family: AddressFamily,
    answer: oneshot::Sender<io::Result<TcpSocket>>,
}

/// Opens sockets in namespaces: a socket stays in the one that it was opened in, wherever it is used. One thread is enough, to enter and
/// leave one takes microseconds.
#[derive(Clone, Debug)]
pub(crate) struct Sockets {
    wishes: mpsc::Sender<Wish>,
}

impl Sockets {
    pub(crate) fn start() -> io::Result<Sockets> {
        let (wishes, received) = mpsc::channel::<Wish>();
        let work = move || {
            for Wish { namespace, family, answer } in received {
                // Nobody waits any more.
                let _gone = answer.send(open(&namespace, family));
            }
        };
        std::thread::Builder::new().name("sockets".to_owned()).spawn(work)?;
        Ok(Sockets { wishes })
    }

    /// A socket for this address in the namespace at `path`.
    pub(crate) async fn open(&self, path: &Path, address: SocketAddr) -> io::Result<TcpSocket> {
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::Inet,
            SocketAddr::V6(_) => AddressFamily::Inet6,
        };
        let (answer, answered) = oneshot::channel();
        let ended = || io::Error::other("the thread that opens sockets has ended");
        self.wishes.send(Wish { namespace: path.to_owned(), family, answer }).map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

fn open(namespace: &Path, family: AddressFamily) -> io::Result<TcpSocket> {
    let (own, other) = (File::open(OWN)?, File::open(namespace)?);
    setns(&other, CloneFlags::CLONE_NEWNET)?;
    let made = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None);
    // Else the next one would be opened where this thread is stuck, and the namespace could not end.
    setns(&own, CloneFlags::CLONE_NEWNET)?;
    Ok(TcpSocket::from_std_stream(std::net::TcpStream::from(made?)))
}
