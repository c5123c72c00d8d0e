//! The file by which a role tells whoever started it that it answers, and where.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The ready file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the ready file {}", path.display())]
pub struct ReadyFileError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Writes `ip:port` and a newline: beside the file first, and renamed, so that nobody reads half an address.
pub async fn write_ready_file(path: &Path, bound: SocketAddr) -> Result<(), ReadyFileError> {
    let partial = path.with_extension("partial");
    let written = async {
        tokio::fs::write(&partial, format!("{bound}\n")).await?;
        tokio::fs::rename(&partial, path).await
    };
    written.await.map_err(|source| ReadyFileError { path: path.to_owned(), source })
}
