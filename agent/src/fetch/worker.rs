//! The helper: a process of its own that reads what strangers have written, with as few privileges as that takes.
//!
//! Downloads are done by the user `nobody`, into a directory that only this process can enter; files of this machine are opened as the
//! task's user first. Layers keep their owners, for which it takes root: that process makes the layer's directory its root and sees
//! nothing else. Without root it works as the agent's own user.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufRead, Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Gid, Uid, User};

use super::download::{Client, FILE_MAX_BYTES};
use super::job::{Answer, DOCUMENT_MAX_BYTES, Download, Job, Piece, Source};
use crate::unpack::{Bounds, archive, layer};

/// Memory of the helper, in bytes: the largest windows of decoders fit in.
const MEMORY_MAX_BYTES: u64 = 2 << 30;
/// Processor time, in seconds.
const CPU_MAX_SECONDS: u64 = 3_600;
/// Files it may have open.
const FILES_MAX: u64 = 512;
/// Who downloads, where the machine does not say otherwise.
const NOBODY: u32 = 65_534;

/// Why a helper cannot even begin.
#[derive(Debug, thiserror::Error)]
#[error("the fetcher cannot {action}")]
pub struct WorkerError {
    action: &'static str,
    #[source]
    source: io::Error,
}

fn failed(action: &'static str) -> impl Fn(io::Error) -> WorkerError {
    move |source| WorkerError { action, source }
}

/// Does the one job that is on standard input. Agents start it, as `attica fetcher`; people have no need to.
pub fn run() -> Result<(), WorkerError> {
    let mut line = Vec::new();
    let mut input = io::stdin().lock().take(DOCUMENT_MAX_BYTES);
    input.read_until(b'\n', &mut line).map_err(failed("read its job"))?;
    drop(input);
    let job: Job = serde_json::from_slice(&line).map_err(io::Error::from).map_err(failed("understand its job"))?;
    confine().map_err(failed("confine itself"))?;
    let outcome = match job {
        Job::Download(download) => download_all(download),
        Job::Unpack { layer, directory } => unpack_layer(&layer, &directory),
    };
    answer(match outcome {
        Ok(()) => Answer::Done,
        Err(cause) => Answer::Failed(cause),
    })
    .map_err(failed("tell how it went"))
}

/// Whoever answers first is heard.
fn answer(answer: Answer) -> io::Result<()> {
    static ANSWERED: Mutex<bool> = Mutex::new(false);
    let mut answered = ANSWERED.lock().unwrap_or_else(PoisonError::into_inner);
    if std::mem::replace(&mut *answered, true) {
        return Ok(());
    }
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    io::stdout().write_all(&line)
}

fn confine() -> io::Result<()> {
    nix::sys::prctl::set_no_new_privs()?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    setrlimit(Resource::RLIMIT_AS, MEMORY_MAX_BYTES, MEMORY_MAX_BYTES)?;
    setrlimit(Resource::RLIMIT_CPU, CPU_MAX_SECONDS, CPU_MAX_SECONDS)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, FILES_MAX, FILES_MAX)?)
}

/// Ends this process when the agent closes the other end. To be called when it has no privileges any more.
fn end_with_input() {
    std::thread::spawn(|| {
        let _closed = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(1);
    });
}

fn unpack_layer(path: &Path, directory: &Path) -> Result<(), String> {
    let explain = |error: io::Error| error.to_string();
    let file = File::open(path).map_err(explain)?;
    nix::unistd::chroot(directory).map_err(|error| format!("chroot: {error}"))?;
    std::env::set_current_dir("/").map_err(explain)?;
    end_with_input();
    layer::unpack(file, Path::new("/"), Bounds::default()).map_err(|error| crate::error_chain(&error))
}

fn download_all(job: Download) -> Result<(), String> {
    let explain = |error: io::Error| error.to_string();
    let mut opened = Vec::new();
    for piece in &job.pieces {
        let file = match &piece.source {
            Source::Cached(path) => Some(File::open(path)),
            Source::File(path) => Some(open_as(job.user.as_deref(), path)),
            Source::Http(_) => None,
        };
        opened.push(file.transpose().map_err(|error| about(piece, &error.to_string()))?);
    }
    std::env::set_current_dir(&job.directory).map_err(explain)?;
    if nix::unistd::geteuid().is_root() {
        become_nobody().map_err(explain)?;
    }
    end_with_input();
    let progress = Arc::new(Progress::default());
    progress.watch(Duration::from_millis(job.stall_timeout_ms));
    let mut client = None;
    let mut left = job.bytes_max;
    for (piece, file) in job.pieces.iter().zip(opened) {
        let file = match (&piece.source, file) {
            (Source::Http(address), _) => {
                if client.is_none() {
                    let patience = Duration::from_millis(job.stall_timeout_ms);
                    let made = Client::new(&job.allowed_networks, job.authorities.as_deref(), patience);
                    client = Some(made.map_err(|error| about(piece, &crate::error_chain(&error)))?);
                }
                let Some(client) = &client else { continue };
                let (file, bytes) = progress.download(client, piece, address, left.unwrap_or(FILE_MAX_BYTES))?;
                left = left.map(|left| left.saturating_sub(bytes));
                file
            }
            (Source::File(_) | Source::Cached(_), Some(file)) => file,
            (Source::File(_) | Source::Cached(_), None) => continue,
        };
        put(piece, file).map_err(|cause| about(piece, &cause))?;
    }
    Ok(())
}

fn about(piece: &Piece, cause: &str) -> String {
    format!("Failed to fetch `{}`: {cause}", piece.uri)
}

/// A file as this user could open it, or nobody, if this machine does not know the user; no pipe is waited for.
fn open_as(user: Option<&str>, path: &Path) -> io::Result<File> {
    let user = match user.filter(|_| nix::unistd::geteuid().is_root()) {
        None => None,
        Some(name) => match User::from_name(name)? {
            Some(user) if user.uid.is_root() => None,
            Some(user) => {
                let name = std::ffi::CString::new(user.name.as_str())?;
                Some((user.uid, user.gid, nix::unistd::getgrouplist(&name, user.gid)?))
            }
            None => {
                let (user, group) = nobody()?;
                Some((user, group, Vec::new()))
            }
        },
    };
    if let Some((user, group, supplementary)) = &user {
        nix::unistd::setgroups(supplementary)?;
        nix::unistd::setegid(*group)?;
        nix::unistd::seteuid(*user)?;
    }
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path);
    if user.is_some() {
        nix::unistd::seteuid(Uid::from_raw(0))?;
        nix::unistd::setegid(Gid::from_raw(0))?;
    }
    let file = opened?;
    file.metadata()?.is_file().then_some(file).ok_or_else(|| io::Error::other("it is not a file"))
}

/// For good. The working directory becomes nobody's first; what is above it is the agent's alone.
fn become_nobody() -> io::Result<()> {
    let (user, group) = nobody()?;
    std::os::unix::fs::chown(".", Some(user.as_raw()), Some(group.as_raw()))?;
    nix::unistd::setgroups(&[])?;
    nix::unistd::setresgid(group, group, group)?;
    Ok(nix::unistd::setresuid(user, user, user)?)
}

fn nobody() -> io::Result<(Uid, Gid)> {
    let known = User::from_name("nobody")?;
    Ok(known.map_or((Uid::from_raw(NOBODY), Gid::from_raw(NOBODY)), |nobody| (nobody.uid, nobody.gid)))
}

/// Puts what was fetched in its place, and unpacks it.
fn put(piece: &Piece, mut file: File) -> Result<(), String> {
    let explain = |error: io::Error| error.to_string();
    let unpack = |file: File| match piece.extract {
        None => Ok(()),
        Some(format) => {
            let name = piece.name.file_name().unwrap_or_default().to_string_lossy();
            let unpacked = archive::unpack(file, &name, format, Path::new("."), Bounds::default());
            unpacked.map_err(|error| crate::error_chain(&error))
        }
    };
    match &piece.source {
        Source::Cached(_) if piece.extract.is_some() => return unpack(file),
        Source::Http(_) => {}
        Source::File(_) | Source::Cached(_) => {
            let mut copy = create(&piece.name).map_err(explain)?;
            io::copy(&mut file, &mut copy).map_err(explain)?;
            file = copy;
        }
    }
    let mode = if piece.executable { 0o755 } else { 0o644 };
    file.set_permissions(Permissions::from_mode(mode)).map_err(explain)?;
    file.rewind().map_err(explain)?;
    unpack(file)
}

/// In the working directory, which is nobody else's; but archives may have left links in it.
fn create(name: &Path) -> io::Result<File> {
    let parent = name.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        let mut so_far = std::path::PathBuf::new();
        for part in parent {
            so_far.push(part);
            match std::fs::create_dir(&so_far) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                Ok(()) | Err(_) => {}
            }
            if !std::fs::symlink_metadata(&so_far)?.is_dir() {
                return Err(io::Error::other(format!("`{}` is no directory", so_far.display())));
            }
        }
    }
    match std::fs::remove_file(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(name)
}

/// When something was last heard of a server.
#[derive(Default)]
struct Progress {
    downloading: AtomicBool,
    steps: AtomicU64,
    uri: Mutex<String>,
}

impl Progress {
    fn download(&self, client: &Client, piece: &Piece, address: &str, most: u64) -> Result<(File, u64), String> {
        let mut file = create(&piece.name).map_err(|error| about(piece, &error.to_string()))?;
        self.uri.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&piece.uri);
        self.steps.fetch_add(1, Ordering::Relaxed);
        self.downloading.store(true, Ordering::Release);
        let step = || {
            self.steps.fetch_add(1, Ordering::Relaxed);
        };
        let outcome = client.download(address, &mut file, most.min(FILE_MAX_BYTES), &step);
        self.downloading.store(false, Ordering::Release);
        let bytes = outcome.map_err(|error| about(piece, &crate::error_chain(&error)))?;
        Ok((file, bytes))
    }

    /// Ends this process when a download stands still.
    fn watch(self: &Arc<Self>, stall: Duration) {
        let progress = self.clone();
        std::thread::spawn(move || {
            let mut seen = (0, Instant::now());
            loop {
                std::thread::sleep(stall / 8);
                let steps = progress.steps.load(Ordering::Relaxed);
                if steps != seen.0 || !progress.downloading.load(Ordering::Acquire) {
                    seen = (steps, Instant::now());
                } else if seen.1.elapsed() >= stall {
                    let uri = progress.uri.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    let cause = format!("Failed to fetch `{uri}`: nothing came for {} s", stall.as_secs_f64());
                    let _nobody_listens = answer(Answer::Failed(cause));
                    std::process::exit(1);
                }
            }
        });
    }
}
