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
use crate::supervisor::OperatorCall;

/// How often it is looked whether there is more.
const INTERVAL: Duration = Duration::from_millis(100);
/// Read at a time.
const CHUNK_BYTES: u64 = 64 << 10;
/// What the reader may have before it before more is read.
const HIGH_BYTES: usize = 256 << 10;

/// One of the files.
struct Followed {
    kind: ProcessIoDataType,
    file: File,
    offset: u64,
}

impl Followed {
    fn open(directory: &std::path::Path, name: &str, kind: ProcessIoDataType) -> Result<Followed, files::FileError> {
        let file = files::open_in(directory, name)?;
        let offset = file.metadata()?.size();
        Ok(Followed { kind, file, offset })
    }

    /// What has been appended, or as much of it as is read at a time. A file that has become shorter is followed from its new end.
    fn read(&mut self) -> io::Result<Bytes> {
        let size = self.file.metadata()?.size();
        let wanted = size.saturating_sub(self.offset).min(CHUNK_BYTES);
        self.offset = self.offset.min(size);
        let mut data = vec![0; usize::try_from(wanted).unwrap_or(0)];
        let length = self.file.read_at(&mut data, self.offset)?;
        data.truncate(length);
        self.offset += length as u64;
        Ok(data.into())
    }
}

/// Begins to follow the files of a container.
pub(super) async fn start(
    agent: &Agent,
    path: ContainerPath,
    directory: PathBuf,
    outgoing: Outgoing,
    connection: Option<Connection>,
) -> Result<Response, Rejection> {
    let open = move || {
        let stdout = Followed::open(&directory, "stdout", ProcessIoDataType::Stdout)?;
        Ok([stdout, Followed::open(&directory, "stderr", ProcessIoDataType::Stderr)?])
    };
    let files = files::blocking(open).await?;
    let (sender, body) = stream::channel(STREAM_LIMITS, connection, |_| {});
    let agent = agent.clone();
    tokio::spawn(async move {
        let end = agent.ask(OperatorCall::Wait(path), Viewer::default());
        if let Err(error) = follow(files, &sender, outgoing, end).await {
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
    end: impl Future<Output = T>,
) -> io::Result<()> {
    let mut end = std::pin::pin!(end);
    let mut over = false;
    let mut look = tokio::time::interval(INTERVAL);
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
