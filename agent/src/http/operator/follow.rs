//! The output of containers that write to files: what is appended to `stdout` and `stderr`, until the container has ended.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::time::Duration;

use attica_core_api::agent::{ProcessIo, ProcessIoDataType};
use attica_core_api::auth::Viewer;
use attica_core_api::http::Connection;
use attica_core_api::http::stream::{self, StreamSender};
use axum::response::Response;
use bytes::Bytes;
use tokio::time::{Instant, MissedTickBehavior};

use super::Rejection;
use super::session::{HEARTBEAT_MS, STREAM_LIMITS, respond};
use super::streaming::Outgoing;
use crate::contained::ContainerPath;
use crate::http::{Agent, files};
use crate::launcher::terminal::Visit;
use crate::rotation::cut;
use crate::supervisor::OperatorCall;

/// How often it is looked whether there is more.
const INTERVAL: Duration = Duration::from_millis(100);
/// As above, where somebody may be typing.
const TERMINALS_INTERVAL: Duration = Duration::from_millis(15);
/// Read at a time.
const CHUNK_BYTES: u64 = 64 << 10;
/// What the reader may have before it before more is read.
const HIGH_BYTES: usize = 256 << 10;

/// One of the files.
struct Followed {
    kind: ProcessIoDataType,
    name: &'static str,
    directory: PathBuf,
    file: File,
    offset: u64,
    /// What was moved aside before it was read, with the offset in it.
    aside: Option<(File, u64)>,
}

impl Followed {
    fn open(directory: PathBuf, name: &'static str, kind: ProcessIoDataType) -> Result<Followed, files::FileError> {
        let file = files::open_in(&directory, name)?;
        let offset = file.metadata()?.size();
        Ok(Followed { kind, name, directory, file, offset, aside: None })
    }

    /// What has been appended, or as much of it as is read at a time.
    fn read(&mut self) -> io::Result<Bytes> {
        let size = self.file.metadata()?.size();
        if size < self.offset {
            self.cut(size);
        }
        if let Some((file, offset)) = &mut self.aside {
            let data = read_at(file, offset, CHUNK_BYTES)?;
            if !data.is_empty() {
                return Ok(data);
            }
            self.aside = None;
        }
        let wanted = size.saturating_sub(self.offset).min(CHUNK_BYTES);
        read_at(&self.file, &mut self.offset, wanted)
    }

    /// It has become shorter: what is missing at its front is in the file beside it. If that is not there, it is followed from its new end.
    fn cut(&mut self, size: u64) {
        let beside = files::open_in(&self.directory, &cut::former(self.name)).ok();
        match beside.and_then(|file| Some((file.metadata().ok()?.size(), file))) {
            Some((moved, _)) if moved <= self.offset => self.offset -= moved,
            Some((_, file)) => self.aside = Some((file, std::mem::take(&mut self.offset))),
            None => self.offset = size,
        }
        self.offset = self.offset.min(size);
    }
}

fn read_at(file: &File, offset: &mut u64, wanted: u64) -> io::Result<Bytes> {
    let mut data = vec![0; usize::try_from(wanted).unwrap_or(0)];
    let length = file.read_at(&mut data, *offset)?;
    data.truncate(length);
    *offset += length as u64;
    Ok(data.into())
}

/// Begins to follow the files of a container, which may have a terminal.
pub(super) async fn start(
    agent: &Agent,
    path: ContainerPath,
    directory: PathBuf,
    terminal: Option<Visit>,
    outgoing: Outgoing,
    connection: Option<Connection>,
) -> Result<Response, Rejection> {
    let open = move || {
        let stdout = Followed::open(directory.clone(), "stdout", ProcessIoDataType::Stdout)?;
        Ok([stdout, Followed::open(directory, "stderr", ProcessIoDataType::Stderr)?])
    };
    let files = files::blocking(open).await?;
    let (sender, body) = stream::channel(STREAM_LIMITS, connection, |_| {});
    let agent = agent.clone();
    tokio::spawn(async move {
        let interval = if terminal.is_some() { TERMINALS_INTERVAL } else { INTERVAL };
        let end = async {
            let _over = agent.ask(OperatorCall::Wait(path), Viewer::default()).await;
            if let Some(terminal) = terminal {
                // What its keeper has not written yet belongs to it.
                let _written = tokio::task::spawn_blocking(move || terminal.await_end()).await;
            }
        };
        if let Err(error) = follow(files, &sender, outgoing, interval, end).await {
            tracing::warn!(%error, "the output of a container cannot be followed");
        }
        sender.finish();
    });
    Ok(respond(outgoing, body))
}

/// Until the container has ended and all of its output was read, or nobody wants it any more.
async fn follow<T>(
    mut files: [Followed; 2],
    sender: &StreamSender,
    outgoing: Outgoing,
    interval: Duration,
    end: impl Future<Output = T>,
) -> io::Result<()> {
    let mut end = std::pin::pin!(end);
    let mut over = false;
    let mut look = tokio::time::interval(interval);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut beat = Instant::now();
    loop {
        tokio::select! {
            _ = look.tick() => {}
            _ = &mut end, if !over => over = true,
        }
        if beat <= Instant::now() {
            beat = Instant::now() + Duration::from_millis(HEARTBEAT_MS);
            if sender.send(outgoing.record(&ProcessIo::heartbeat(HEARTBEAT_MS))).is_err() {
                return Ok(());
            }
        }
        if sender.pending_bytes() > HIGH_BYTES {
            continue;
        }
        let mut read = 0;
        for file in &mut files {
            let data = file.read()?;
            read += data.len();
            if !data.is_empty() && sender.send(outgoing.record(&ProcessIo::piece(file.kind, data))).is_err() {
                return Ok(());
            }
        }
        if over && read == 0 {
            return Ok(());
        }
        if read > 0 {
            look.reset_immediately();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_that_is_cut_is_read_without_a_gap() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap();
        let file = File::options().append(true).create(true).open(path.join("stdout")).unwrap();
        (&file).write_all(b"before").unwrap();
        let mut followed = Followed::open(path.clone(), "stdout", ProcessIoDataType::Stdout).unwrap();
        let append = |text: &[u8]| (&file).write_all(text).unwrap();
        let cut = |aside: &[u8], left: &[u8]| {
            std::fs::write(path.join("stdout.1"), aside).unwrap();
            file.set_len(0).unwrap();
            append(left);
        };
        let mut all = || {
            let pieces = std::iter::repeat_with(|| followed.read().unwrap());
            pieces.take_while(|piece| !piece.is_empty()).flatten().collect::<Vec<_>>()
        };
        append(b"1234");
        cut(b"before12", b"34");
        assert_eq!(all(), b"1234");
        append(b"5678");
        cut(b"34567", b"8");
        assert_eq!(all(), b"5678");
        append(b"9");
        assert_eq!(all(), b"9");
        cut(b"8", b"9");
        assert_eq!(all(), b"", "all of it was read");
        append(b"x");
        assert_eq!(all(), b"x");
        std::fs::remove_file(path.join("stdout.1")).unwrap();
        file.set_len(0).unwrap();
        assert_eq!(all(), b"");
        append(b"y");
        assert_eq!(all(), b"y");
    }
}
