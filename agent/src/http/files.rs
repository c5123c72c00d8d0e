//! Files of sandboxes: `/files/{browse,read,download,debug}`.
//!
//! A path is virtual (`/framework/<framework>/executor/<task>/latest/…`) or real (`<work_dir>/slaves/<agent>/frameworks/
//! <framework>/executors/<task>/runs/<container>/…`). Either way it is taken apart by name and opened in two steps, each with
//! `openat2` and `RESOLVE_BENEATH`: the sandbox beneath the work directory, without any link, and the rest beneath the sandbox. What a
//! task plants in its sandbox cannot lead out of it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use attica_core_api::auth::Viewer;
use attica_core_api::operator::{ReadFile, ReadFileCall};
use attica_core_api::v1::{FileInfo, TimeInfo};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use bytes::Bytes;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Agent, Unavailable, mode, permit};

/// As in Mesos: sixteen pages.
const MAX_READ_BYTES: u64 = 64 << 10;
/// Read from disk at a time for a download.
const CHUNK_BYTES: usize = 64 << 10;
const NANOSECONDS: i64 = 1_000_000_000;
/// Entries of a directory that are listed.
const MAX_ENTRIES: usize = 10_000;

/// Why a file is not shown.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("Expecting 'path=value' in query.")]
    NoPath,
    #[error("Failed to parse {name}: `{text}` is not a number.")]
    Number { name: &'static str, text: String },
    #[error("Negative {name} provided: {value}.")]
    Negative { name: &'static str, value: i64 },
    #[error("Cannot {action} a directory.")]
    Directory { action: &'static str },
    #[error("Only regular files can be shown.")]
    Special,
    #[error("No such file.")]
    Missing,
    #[error("The path leads out of the sandbox.")]
    Outside,
    #[error("403 Forbidden.")]
    Forbidden,
    #[error("The file cannot be read.")]
    Unreadable(#[source] io::Error),
    #[error("The agent is about to end.")]
    Unavailable,
}

impl From<Unavailable> for FileError {
    fn from(_: Unavailable) -> FileError {
        FileError::Unavailable
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> FileError {
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG) => FileError::Missing,
            // A link out of the sandbox, a link where none may be, a magic link.
            Some(libc::EXDEV | libc::ELOOP) => FileError::Outside,
            // A socket.
            Some(libc::ENXIO) => FileError::Special,
            _ => FileError::Unreadable(error),
        }
    }
}

impl From<nix::Error> for FileError {
    fn from(error: nix::Error) -> FileError {
        io::Error::from(error).into()
    }
}

impl FileError {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            FileError::NoPath
            | FileError::Number { .. }
            | FileError::Negative { .. }
            | FileError::Directory { .. }
            | FileError::Special => StatusCode::BAD_REQUEST,
            FileError::Missing => StatusCode::NOT_FOUND,
            FileError::Outside | FileError::Forbidden => StatusCode::FORBIDDEN,
            FileError::Unreadable(_) => StatusCode::INTERNAL_SERVER_ERROR,
            FileError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for FileError {
    fn into_response(self) -> Response {
        let status = self.status();
        if let FileError::Unreadable(source) = &self {
            tracing::warn!(error = source as &dyn std::error::Error, "a sandbox file cannot be read");
        }
        (status, format!("{self}\n")).into_response()
    }
}

/// The query of every endpoint. Numbers are texts, so that a bad one is answered in our words.
#[derive(Debug, Deserialize)]
pub(super) struct Request {
    path: Option<String>,
    offset: Option<String>,
    length: Option<String>,
}

/// A path within a sandbox.
#[derive(Debug, PartialEq, Eq)]
struct Location {
    framework: String,
    executor: String,
    /// The sandbox, relative to the work directory; its last part may be `latest`.
    sandbox: PathBuf,
    /// The file, relative to the sandbox.
    rest: PathBuf,
}

/// Takes a path apart; `None` when it names no sandbox.
fn locate(path: &str, work_dir: &Path, agent_id: Option<&str>) -> Option<Location> {
    let normal = |part: Component<'_>| match part {
        Component::Normal(part) => part.to_str().map(str::to_owned),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => None,
    };
    let real = Path::new(path).strip_prefix(work_dir).ok();
    let relative = real.or_else(|| Path::new(path).strip_prefix("/").ok())?;
    let mut parts = relative.components();
    let mut next = || parts.next().and_then(normal);
    let (agent, framework, executor, run) = if real.is_some() {
        let literal = |part: Option<String>, name: &str| part.filter(|part| part == name).map(drop);
        literal(next(), "slaves")?;
        let agent = next()?;
        literal(next(), "frameworks")?;
        let framework = next()?;
        literal(next(), "executors")?;
        let executor = next()?;
        literal(next(), "runs")?;
        (agent, framework, executor, next()?)
    } else {
        let literal = |part: Option<String>, name: &str| {
            part.filter(|part| part == name || *part == format!("{name}s")).map(drop)
        };
        literal(next(), "framework")?;
        let framework = next()?;
        literal(next(), "executor")?;
        let executor = next()?;
        let mut run = next()?;
        if run == "runs" {
            run = next()?;
        }
        (agent_id?.to_owned(), framework, executor, run)
    };
    let sandbox = ["slaves", &agent, "frameworks", &framework, "executors", &executor, "runs", &run].iter().collect();
    Some(Location { framework, executor, sandbox, rest: parts.as_path().to_owned() })
}

fn open_beneath(directory: impl AsFd, path: &Path, flags: OFlag, links: ResolveFlag) -> Result<OwnedFd, FileError> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS | links);
    Ok(openat2(directory, path, how)?)
}

/// Opens the file, or directory, that `path` names.
fn open(path: &str, work_dir: &Path, agent_id: Option<&str>) -> Result<File, FileError> {
    let mut location = locate(path, work_dir, agent_id).ok_or(FileError::Missing)?;
    if location.sandbox.ends_with("latest") {
        // The agent's own link, in a directory that tasks cannot write to.
        let target = std::fs::read_link(work_dir.join(&location.sandbox))?;
        location.sandbox.set_file_name(target.file_name().ok_or(FileError::Missing)?);
    }
    let root = File::open(work_dir)?;
    let directory = OFlag::O_PATH | OFlag::O_DIRECTORY;
    let sandbox = open_beneath(&root, &location.sandbox, directory, ResolveFlag::RESOLVE_NO_SYMLINKS)?;
    let rest = if location.rest.as_os_str().is_empty() { Path::new(".") } else { &location.rest };
    // Without O_NONBLOCK a FIFO would be waited for.
    let file =
        open_beneath(&sandbox, rest, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY, ResolveFlag::empty())?;
    Ok(File::from(file))
}

async fn opened(agent: &Agent, viewer: &Viewer, path: Option<String>) -> Result<(File, String), FileError> {
    let path = path.filter(|path| !path.is_empty()).ok_or(FileError::NoPath)?;
    let view = agent.view().await?;
    let work_dir = agent.work_dir.clone();
    let location = locate(&path, &work_dir, view.agent_id.as_deref()).ok_or(FileError::Missing)?;
    if !permit::opens_sandbox(viewer, &view, &location.framework, &location.executor) {
        return Err(FileError::Forbidden);
    }
    blocking(move || open(&path, &work_dir, view.agent_id.as_deref()).map(|file| (file, path))).await
}

/// Opens a file that a container writes its output to. Nothing on the way may be a link: `directory` is where the agent made it, or it is
/// not opened.
pub(super) fn open_in(directory: &Path, name: &str) -> Result<File, FileError> {
    let relative = directory.strip_prefix("/").map_err(|_| FileError::Missing)?.join(name);
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = File::from(open_beneath(File::open("/")?, &relative, flags, ResolveFlag::RESOLVE_NO_SYMLINKS)?);
    regular(&file, "read")?;
    Ok(file)
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, FileError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(FileError::Unavailable))
}

fn regular(file: &File, action: &'static str) -> Result<u64, FileError> {
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(FileError::Directory { action });
    }
    if !metadata.is_file() {
        return Err(FileError::Special);
    }
    Ok(metadata.len())
}

/// The entries of a directory, by name.
pub(super) async fn browse(
    State(agent): State<Agent>,
    Extension(viewer): Extension<Viewer>,
    Query(request): Query<Request>,
) -> Result<Json<Value>, FileError> {
    let (file, path) = opened(&agent, &viewer, request.path).await?;
    let found = blocking(move || list(&file, &path)).await?;
    let entry = |info: &FileInfo| {
        json!({
            "gid": info.gid,
            "mode": mode::describe(info.mode.unwrap_or_default()),
            "mtime": info.mtime.as_ref().map_or(0.0, |time| (time.nanoseconds / NANOSECONDS) as f64),
            "nlink": info.nlink,
            "path": info.path,
            "size": info.size,
            "uid": info.uid,
        })
    };
    Ok(Json(found.iter().map(entry).collect()))
}

/// LIST_FILES
pub(super) async fn list_files(agent: &Agent, viewer: &Viewer, path: String) -> Result<Vec<FileInfo>, FileError> {
    let (file, path) = opened(agent, viewer, Some(path)).await?;
    blocking(move || list(&file, &path)).await
}

fn list(directory: &File, path: &str) -> Result<Vec<FileInfo>, FileError> {
    if !directory.metadata()?.is_dir() {
        return Err(FileError::Missing);
    }
    // Reading through the descriptor: the directory cannot be exchanged for another one meanwhile.
    let opened = PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(directory)));
    let mut names: Vec<_> =
        std::fs::read_dir(&opened)?.filter_map(Result::ok).map(|entry| entry.file_name()).take(MAX_ENTRIES).collect();
    names.sort();
    let entry = |name: std::ffi::OsString| {
        let metadata = std::fs::symlink_metadata(opened.join(&name)).ok()?;
        Some(FileInfo {
            path: format!("{}/{}", path.trim_end_matches('/'), name.to_string_lossy()),
            nlink: i32::try_from(metadata.nlink()).ok(),
            size: Some(metadata.size()),
            mtime: Some(TimeInfo { nanoseconds: metadata.mtime().saturating_mul(NANOSECONDS) }),
            mode: Some(metadata.mode()),
            uid: Some(user(metadata.uid())),
            gid: Some(group(metadata.gid())),
        })
    };
    Ok(names.into_iter().filter_map(entry).collect())
}

fn user(uid: u32) -> String {
    nix::unistd::User::from_uid(uid.into()).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}

fn group(gid: u32) -> String {
    nix::unistd::Group::from_gid(gid.into()).ok().flatten().map_or_else(|| gid.to_string(), |group| group.name)
}

fn number(name: &'static str, text: Option<&String>, least: i64) -> Result<Option<i64>, FileError> {
    let Some(text) = text else { return Ok(None) };
    let value: i64 =
        text.trim().parse().map_err(|_| FileError::Number { name, text: text.chars().take(40).collect() })?;
    if value < least { Err(FileError::Negative { name, value }) } else { Ok(Some(value)) }
}

/// A piece of a file; offset -1 asks for the file's size.
pub(super) async fn read(
    State(agent): State<Agent>,
    Extension(viewer): Extension<Viewer>,
    Query(request): Query<Request>,
) -> Result<Json<Value>, FileError> {
    let offset = number("offset", request.offset.as_ref(), -1)?;
    // Mesos's web UI asks for a length of -1 when it wants everything.
    let length = number("length", request.length.as_ref(), -1)?.and_then(|length| u64::try_from(length).ok());
    let (file, _) = opened(&agent, &viewer, request.path).await?;
    let document = blocking(move || match u64::try_from(offset.unwrap_or(0)) {
        Ok(offset) => {
            let (_, data) = part(&file, offset, length)?;
            Ok(json!({ "data": String::from_utf8_lossy(&data), "offset": offset }))
        }
        Err(_) => Ok(json!({ "data": "", "offset": regular(&file, "read")? })),
    });
    document.await.map(Json)
}

/// READ_FILE
pub(super) async fn read_file(agent: &Agent, viewer: &Viewer, call: ReadFileCall) -> Result<ReadFile, FileError> {
    let ReadFileCall { path, offset, length } = call;
    let (file, _) = opened(agent, viewer, Some(path)).await?;
    let (size, data) = blocking(move || part(&file, offset, length)).await?;
    Ok(ReadFile { size, data: data.into() })
}

/// The size of a file, and a part of it.
fn part(file: &File, offset: u64, length: Option<u64>) -> Result<(u64, Vec<u8>), FileError> {
    let size = regular(file, "read")?;
    let wanted = length.unwrap_or(MAX_READ_BYTES).min(MAX_READ_BYTES).min(size.saturating_sub(offset));
    let mut data = vec![0; usize::try_from(wanted).unwrap_or(0)];
    let length = read_at(file, &mut data, offset)?;
    data.truncate(length);
    Ok((size, data))
}

fn read_at(file: &File, data: &mut [u8], offset: u64) -> Result<usize, FileError> {
    let mut filled = 0;
    while filled < data.len() {
        match file.read_at(&mut data[filled..], offset + filled as u64)? {
            0 => break,
            length => filled += length,
        }
    }
    Ok(filled)
}

/// A whole file as it is now.
pub(super) async fn download(
    State(agent): State<Agent>,
    Extension(viewer): Extension<Viewer>,
    Query(request): Query<Request>,
) -> Result<Response, FileError> {
    let (mut file, path) = opened(&agent, &viewer, request.path).await?;
    let size = regular(&file, "download")?;
    file.seek(SeekFrom::Start(0))?;
    // A file that grows is cut at the size that was announced.
    let chunks = futures_util::stream::try_unfold((file, size), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let chunk = blocking(move || {
            let mut chunk = vec![0; CHUNK_BYTES.min(usize::try_from(left).unwrap_or(CHUNK_BYTES))];
            let length = file.read(&mut chunk)?;
            chunk.truncate(length);
            Ok((file, chunk))
        });
        let (file, chunk) = chunk.await?;
        if chunk.is_empty() {
            return Err(FileError::Unreadable(io::ErrorKind::UnexpectedEof.into()));
        }
        let left = left - chunk.len() as u64;
        Ok(Some((Bytes::from(chunk), (file, left))))
    });
    let name: String = path
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|letter| letter.is_ascii_graphic() && !matches!(letter, '"' | '\\'))
        .collect();
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, size.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename={name}")),
    ];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

/// Which virtual paths there are.
pub(super) async fn debug(State(agent): State<Agent>) -> Result<Json<Value>, FileError> {
    Ok(Json(json!(agent.view().await?.sandboxes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SANDBOX: &str = "slaves/a/frameworks/f/executors/t/runs/r1";

    fn planted() -> tempfile::TempDir {
        let work_dir = tempfile::tempdir().unwrap();
        let sandbox = work_dir.path().join(SANDBOX);
        std::fs::create_dir_all(sandbox.join("sub")).unwrap();
        std::fs::write(work_dir.path().join("secret"), "secret").unwrap();
        std::fs::write(sandbox.join("stdout"), "hello").unwrap();
        std::os::unix::fs::symlink("r1", sandbox.with_file_name("latest")).unwrap();
        let links = [
            ("inside", "stdout"),
            ("sub/up", "../stdout"),
            ("out", "../../../../../../../../secret"),
            ("absolute", "/etc/passwd"),
            ("proc", "/proc/self/root"),
            ("loop", "loop"),
            ("whole", "/"),
        ];
        for (name, target) in links {
            std::os::unix::fs::symlink(target, sandbox.join(name)).unwrap();
        }
        nix::unistd::mkfifo(&sandbox.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        work_dir
    }

    #[test]
    fn only_what_is_beneath_the_sandbox_is_opened() {
        let work_dir = planted();
        let root = work_dir.path().to_str().unwrap();
        let show = |path: &str| match open(path, work_dir.path(), Some("a")) {
            Err(error) => error.to_string(),
            Ok(mut file) => match regular(&file, "read") {
                Err(error) => error.to_string(),
                Ok(_) => io::read_to_string(&mut file).unwrap(),
            },
        };
        let virtual_path = |rest: &str| show(&format!("/framework/f/executor/t/latest{rest}"));
        for rest in ["/stdout", "//stdout", "/./stdout", "/inside", "/sub/up", "/sub/../stdout"] {
            assert_eq!(virtual_path(rest), "hello", "{rest}");
        }
        assert_eq!(show(&format!("{root}/{SANDBOX}/stdout")), "hello");
        assert_eq!(show("/frameworks/f/executors/t/runs/latest/stdout"), "hello");
        let outside = "The path leads out of the sandbox.";
        for rest in [
            "/out",
            "/absolute",
            "/proc/etc/passwd",
            "/loop",
            "/whole/etc/passwd",
            "/../r1/stdout",
            "/../../../../../../../../secret",
            "/sub/../../r1/stdout",
        ] {
            assert_eq!(virtual_path(rest), outside, "{rest}");
        }
        let missing = "No such file.";
        assert_eq!(virtual_path("/nothing"), missing);
        for path in [
            "",
            "/",
            "/etc/passwd",
            "/framework/../../x",
            "/framework/f/executor/../latest/stdout",
            "/framework/f/executor/t",
            "relative",
            "/framework/f/executor/t/..",
            "/framework/f/executor/t/.",
        ] {
            assert_eq!(show(path), missing, "{path}");
        }
        for path in [
            "secret",
            "slaves",
            "meta/agent.json",
            "slaves/a/frameworks/f/executors/t/runs",
            "slaves/../secret",
            "slaves/a/frameworks/f/executors/t/runs/../../../../../../../secret",
        ] {
            assert_eq!(show(&format!("{root}/{path}")), missing, "{path}");
        }
        assert_eq!(virtual_path(""), "Cannot read a directory.");
        let _socket = std::os::unix::net::UnixListener::bind(work_dir.path().join(SANDBOX).join("socket")).unwrap();
        for special in ["/fifo", "/socket"] {
            assert_eq!(virtual_path(special), "Only regular files can be shown.", "{special}");
        }
    }

    /// Between a look and the opening there is no moment in which what was looked at could become something else.
    #[test]
    fn a_link_that_is_changed_all_the_time_leads_nowhere_else() {
        const ATTEMPTS: u32 = 2_000;
        let work_dir = planted();
        let sandbox = work_dir.path().join(SANDBOX);
        std::fs::create_dir(sandbox.join("own")).unwrap();
        std::fs::write(sandbox.join("own/secret"), "own").unwrap();
        let over = std::sync::atomic::AtomicBool::new(false);
        let (mut own, mut refused) = (0, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    for target in ["own", "../../../../../../../.."] {
                        std::os::unix::fs::symlink(target, sandbox.join("next")).unwrap();
                        std::fs::rename(sandbox.join("next"), sandbox.join("swings")).unwrap();
                    }
                }
            });
            while own < ATTEMPTS && refused < 100 * ATTEMPTS {
                match open("/framework/f/executor/t/latest/swings/secret", work_dir.path(), Some("a")) {
                    Ok(mut file) => {
                        assert_eq!(io::read_to_string(&mut file).unwrap(), "own");
                        own += 1;
                    }
                    Err(_) => refused += 1,
                }
            }
            over.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        assert!(own > 0 && refused > 0, "both were met: {own}, {refused}");
    }

    #[test]
    fn a_run_that_is_a_link_is_not_followed() {
        let work_dir = planted();
        let runs = work_dir.path().join(SANDBOX).parent().unwrap().to_owned();
        std::os::unix::fs::symlink("/etc", runs.join("r2")).unwrap();
        assert!(matches!(
            open("/framework/f/executor/t/r2/passwd", work_dir.path(), Some("a")),
            Err(FileError::Outside)
        ));
    }

    #[test]
    fn directories_are_listed_by_name() {
        let work_dir = planted();
        let directory = open("/framework/f/executor/t/latest", work_dir.path(), Some("a")).unwrap();
        let listed = list(&directory, "/framework/f/executor/t/latest/").unwrap();
        let stdout = listed.iter().find(|entry| entry.path == "/framework/f/executor/t/latest/stdout").unwrap();
        assert_eq!((mode::describe(stdout.mode.unwrap()).as_str(), stdout.size), ("-rw-r--r--", Some(5)));
        assert_eq!(listed.len(), 9);
    }
}
