//! `/files/{browse,read,download,debug}`, LIST_FILES and READ_FILE: the files that this master shows.
//!
//! A master logs to standard error. Where whoever started it puts that is shown as `/master/log` when `--external_log_file` says so; no
//! other file can be reached, whatever a path looks like.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use attica_core_api::operator::{ReadFile, ReadFileCall, Response as Answer, ResponseType};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body::Frame;
use serde_json::json;

use super::answer::{Query, json as json_response, plain, with};
use crate::master::view::Document;

/// The name of the log.
const LOG: &str = "/master/log";
/// As in Mesos: sixteen pages.
const READ_BYTES_MAX: u64 = 64 << 10;
/// What a download keeps in memory at a time.
const PIECE_BYTES: u64 = 64 << 10;

/// The files that are shown.
#[derive(Debug, Clone, Default)]
pub(in crate::master) struct Files {
    log: Option<PathBuf>,
}

/// Why a file is not shown.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("Expecting 'path=value' in query.\n")]
    NoPath,
    #[error("Failed to parse {name}: '{text}' is not a number.\n")]
    Number { name: &'static str, text: String },
    #[error("Negative {name} provided: {value}.\n")]
    Negative { name: &'static str, value: i64 },
    #[error("Cannot browse a file.\n")]
    NoDirectory,
    #[error("")]
    Missing,
    #[error("The file cannot be read.\n")]
    Unreadable(#[source] io::Error),
}

impl FileError {
    pub(super) fn response(&self) -> Response {
        let status = match self {
            FileError::NoPath | FileError::Number { .. } | FileError::Negative { .. } | FileError::NoDirectory => {
                StatusCode::BAD_REQUEST
            }
            FileError::Missing => StatusCode::NOT_FOUND,
            FileError::Unreadable(source) => {
                tracing::warn!(error = source as &dyn std::error::Error, "the log cannot be shown");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        plain(status, self.to_string())
    }
}

/// A part of a file.
struct Part {
    size: u64,
    bytes: Vec<u8>,
}

impl Files {
    /// Shows this file as the log.
    pub(in crate::master) fn of(log: Option<PathBuf>) -> Files {
        Files { log }
    }

    fn open(&self, path: &str) -> Result<File, FileError> {
        let log = self.log.as_deref().filter(|_| path.trim_end_matches('/') == LOG).ok_or(FileError::Missing)?;
        let file = File::open(log).map_err(missing_or_unreadable)?;
        match file.metadata().map_err(FileError::Unreadable)?.is_file() {
            true => Ok(file),
            false => Err(FileError::Missing),
        }
    }

    fn read(&self, path: &str, offset: u64, length: Option<u64>) -> Result<Part, FileError> {
        let file = self.open(path)?;
        let size = file.metadata().map_err(FileError::Unreadable)?.size();
        let wanted = length.unwrap_or(u64::MAX).min(READ_BYTES_MAX).min(size.saturating_sub(offset));
        Ok(Part { size, bytes: part(&file, offset, wanted).map_err(FileError::Unreadable)? })
    }
}

fn missing_or_unreadable(error: io::Error) -> FileError {
    match error.kind() {
        io::ErrorKind::NotFound => FileError::Missing,
        _ => FileError::Unreadable(error),
    }
}

/// Fewer bytes when the file has become shorter meanwhile.
fn part(file: &File, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// `/files/browse`: nothing that is shown is a directory.
pub(super) async fn browse(files: Files, query: &Query) -> Response {
    match query.get("path") {
        Some(path) => list(files, path.to_owned()).await.response(),
        None => FileError::NoPath.response(),
    }
}

/// LIST_FILES
pub(super) async fn list(files: Files, path: String) -> FileError {
    match blocking(move || files.open(&path)).await {
        Ok(_) => FileError::NoDirectory,
        Err(error) => error,
    }
}

/// READ_FILE
pub(super) async fn read_file(files: Files, call: ReadFileCall) -> Result<Answer, FileError> {
    let ReadFileCall { path, offset, length } = call;
    let part = blocking(move || files.read(&path, offset, length)).await?;
    let read_file = Some(ReadFile { size: part.size, data: part.bytes.into() });
    Ok(Answer { r#type: Some(ResponseType::ReadFile), read_file, ..Answer::default() })
}

/// `/files/read`
pub(super) async fn read(files: Files, query: &Query) -> Response {
    let read = async {
        let path = query.get("path").ok_or(FileError::NoPath)?.to_owned();
        let offset = number(query, "offset")?.unwrap_or(0);
        let length = number(query, "length")?;
        // The size is asked for.
        let seek = offset == -1;
        let offset = if seek { u64::MAX } else { natural("offset", offset)? };
        let length = length.filter(|length| *length != -1).map(|length| natural("length", length)).transpose()?;
        let part = blocking(move || files.read(&path, offset, length)).await?;
        let offset = if seek { part.size } else { offset };
        Ok(json!({ "data": String::from_utf8_lossy(&part.bytes), "offset": offset }))
    };
    match read.await {
        Ok(document) => json_response(query, Document::whole(document.to_string())),
        Err::<_, FileError>(error) => error.response(),
    }
}

/// `/files/download`
pub(super) async fn download(files: Files, query: &Query) -> Response {
    let opened = async {
        let path = query.get("path").ok_or(FileError::NoPath)?.to_owned();
        blocking(move || files.open(&path)).await
    };
    match opened.await {
        Ok(file) => {
            let mut response = with(
                StatusCode::OK,
                HeaderValue::from_static("application/octet-stream"),
                Body::new(FileBody::of(file)),
            );
            let disposition = HeaderValue::from_static("attachment; filename=log");
            response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
            response
        }
        Err(error) => error.response(),
    }
}

/// `/files/debug`
pub(super) fn debug(files: &Files, query: &Query) -> Response {
    let shown = files.log.as_deref().map(|log| (LOG, Path::to_string_lossy(log)));
    let shown: serde_json::Map<String, serde_json::Value> =
        shown.into_iter().map(|(name, real)| (name.to_owned(), real.into_owned().into())).collect();
    json_response(query, Document::whole(serde_json::Value::from(shown).to_string()))
}

/// A file on its way out, as long as it was at first. Its pieces come from the page cache: logs are being written.
struct FileBody {
    file: File,
    offset: u64,
    end: u64,
}

impl FileBody {
    fn of(file: File) -> FileBody {
        let end = file.metadata().map_or(0, |metadata| metadata.size());
        FileBody { file, offset: 0, end }
    }
}

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let length = PIECE_BYTES.min(self.end - self.offset);
        let piece = part(&self.file, self.offset, length);
        self.offset += length;
        match piece {
            Ok(bytes) if bytes.is_empty() => Poll::Ready(None),
            Ok(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes.into())))),
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }
}

/// Looks at a file on a thread where that holds nobody up.
async fn blocking<T: Send + 'static>(
    look: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, FileError> {
    match tokio::task::spawn_blocking(look).await {
        Ok(found) => found,
        Err(error) => Err(FileError::Unreadable(io::Error::other(error))),
    }
}

fn number(query: &Query, name: &'static str) -> Result<Option<i64>, FileError> {
    let parse = |text: &str| text.parse().map_err(|_| FileError::Number { name, text: text.to_owned() });
    query.get(name).map(parse).transpose()
}

fn natural(name: &'static str, value: i64) -> Result<u64, FileError> {
    u64::try_from(value).map_err(|_| FileError::Negative { name, value })
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn get(files: &Files, what: &str, query: &str) -> (StatusCode, String) {
        let query = Query::parse(query);
        let response = match what {
            "browse" => browse(files.clone(), &query).await,
            "read" => read(files.clone(), &query).await,
            "download" => download(files.clone(), &query).await,
            _ => debug(files, &query),
        };
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn the_log_is_shown_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let large = "x".repeat(100_000);
        std::fs::write(&log, format!("hello\n{large}")).unwrap();
        let files = Files::of(Some(log.clone()));
        let read_as = |data: &str, offset: u64| (StatusCode::OK, format!(r#"{{"data":"{data}","offset":{offset}}}"#));
        assert_eq!(get(&files, "read", "path=/master/log&offset=0&length=5").await, read_as("hello", 0));
        assert_eq!(get(&files, "read", "path=/master/log&offset=-1").await, read_as("", 100_006));
        assert_eq!(get(&files, "read", "path=/master/log&offset=200000").await, read_as("", 200_000));
        let (_, most) = get(&files, "read", "path=/master/log&offset=6").await;
        assert_eq!(most.matches('x').count(), 64 << 10);
        assert_eq!(get(&files, "download", "path=/master/log").await.1.len(), 100_006);
        let (status, text) = get(&files, "debug", "").await;
        assert_eq!((status, text), (StatusCode::OK, format!("{{\"/master/log\":\"{}\"}}", log.display())));
        for path in ["", "/", "/etc/passwd", "/master/log/../x", "/master"] {
            for what in ["browse", "read", "download"] {
                let query = format!("path={path}");
                assert_eq!(get(&files, what, &query).await, (StatusCode::NOT_FOUND, String::new()), "{what} {path}");
            }
        }
        for (what, query) in [
            ("browse", ""),
            ("browse", "path=/master/log"),
            ("read", "offset=0"),
            ("read", "path=/master/log&offset=x"),
            ("read", "path=/master/log&offset=-2"),
            ("download", ""),
        ] {
            assert_eq!(get(&files, what, query).await.0, StatusCode::BAD_REQUEST, "{what} {query}");
        }
        assert_eq!(get(&Files::default(), "debug", "").await.1, "{}");
        assert_eq!(get(&Files::default(), "read", "path=/master/log").await.0, StatusCode::NOT_FOUND);
    }
}
