//! The agent's end of the helper.

use std::io;
use std::process::{Command, Stdio};

use std::os::fd::OwnedFd;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;

use super::job::{Answer, DOCUMENT_MAX_BYTES, Job};

/// Why something was not fetched or unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HelperError {
    #[error("cannot start the fetcher")]
    Start(#[source] io::Error),
    #[error("the fetcher ended without an answer")]
    NoAnswer,
    #[error("{0}")]
    Failed(String),
}

/// Has a helper do this. When the future is dropped, the helper ends.
pub(crate) async fn run(job: &Job) -> Result<(), HelperError> {
    let (input, output) = start().map_err(HelperError::Start)?;
    let mut line = serde_json::to_vec(job).map_err(|error| HelperError::Start(error.into()))?;
    line.push(b'\n');
    let mut input = pipe::Sender::from_owned_fd(input).map_err(HelperError::Start)?;
    let output = pipe::Receiver::from_owned_fd(output).map_err(HelperError::Start)?;
    input.write_all(&line).await.map_err(|_| HelperError::NoAnswer)?;
    let mut told = Vec::new();
    output.take(DOCUMENT_MAX_BYTES).read_to_end(&mut told).await.map_err(|_| HelperError::NoAnswer)?;
    drop(input);
    match serde_json::from_slice(&told) {
        Ok(Answer::Done) => Ok(()),
        Ok(Answer::Failed(cause)) => Err(HelperError::Failed(cause)),
        Err(_) => Err(HelperError::NoAnswer),
    }
}

/// The agent reaps all its children.
fn start() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut child = Command::new("/proc/self/exe")
        .arg("fetcher")
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let missing = || io::Error::other("a pipe is missing");
    let input = child.stdin.take().ok_or_else(missing)?;
    let output = child.stdout.take().ok_or_else(missing)?;
    Ok((input.into(), output.into()))
}
