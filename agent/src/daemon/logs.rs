//! What a container writes, as the daemon gives it: frames of `[stream, 0, 0, 0, length as four bytes]` and so many bytes.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::client::DaemonError;

const HEADER: usize = 8;

/// Which stream a frame is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Output,
    Error,
}

/// Takes frames apart, however they come.
#[derive(Debug, Default)]
struct Frames {
    header: Vec<u8>,
    /// Of the frame that is under way.
    kind: Option<Kind>,
    left: usize,
}

impl Frames {
    fn take<E>(&mut self, mut bytes: &[u8], mut give: impl FnMut(Kind, &[u8]) -> Result<(), E>) -> Result<(), E> {
        while !bytes.is_empty() {
            if self.left == 0 {
                let (more, rest) = bytes.split_at(bytes.len().min(HEADER - self.header.len()));
                self.header.extend_from_slice(more);
                bytes = rest;
                if let [stream, _, _, _, a, b, c, d] = self.header[..] {
                    self.kind = Some(if stream == 2 { Kind::Error } else { Kind::Output });
                    self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                    self.header.clear();
                }
                continue;
            }
            let (part, rest) = bytes.split_at(bytes.len().min(self.left));
            self.left -= part.len();
            bytes = rest;
            give(self.kind.unwrap_or(Kind::Output), part)?;
        }
        Ok(())
    }
}

/// One stream's file, and how much of what comes it holds already.
struct Sink {
    file: File,
    skip: u64,
}

impl Sink {
    /// Never through a link that the container may have put there, nor into anything that is no file.
    fn open(sandbox: &Path, name: &str) -> io::Result<Sink> {
        use std::os::unix::fs::OpenOptionsExt;
        let file = File::options()
            .create(true)
            .append(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(sandbox.join(name))?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other(format!("`{name}` is no file")));
        }
        Ok(Sink { file, skip: metadata.len() })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
        self.skip -= skipped as u64;
        self.file.write_all(&bytes[skipped..])
    }
}

/// Brings all of `stream` into the files `stdout` and `stderr` of a sandbox, until it ends. They may hold the beginning of it already, from
/// an earlier life of the agent.
pub(super) async fn keep(mut stream: Incoming, sandbox: &Path) -> Result<(), DaemonError> {
    let mut output = Sink::open(sandbox, "stdout").map_err(DaemonError::Output)?;
    let mut error = Sink::open(sandbox, "stderr").map_err(DaemonError::Output)?;
    let mut frames = Frames::default();
    while let Some(frame) = stream.frame().await {
        let Ok(bytes) = frame?.into_data() else { continue };
        let give = |kind, part: &[u8]| match kind {
            Kind::Output => output.write(part),
            Kind::Error => error.write(part),
        };
        frames.take(&bytes, give).map_err(DaemonError::Output)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_apart_however_they_are_cut() {
        let frame = |stream: u8, text: &str| {
            [&[stream, 0, 0, 0][..], &(text.len() as u32).to_be_bytes(), text.as_bytes()].concat()
        };
        let whole = [frame(1, "out"), frame(2, "err"), frame(1, ""), frame(1, "more")].concat();
        for cut in 0..=whole.len() {
            for second in cut..=whole.len() {
                let mut frames = Frames::default();
                let mut found = [String::new(), String::new()];
                for part in [&whole[..cut], &whole[cut..second], &whole[second..]] {
                    let give = |kind, bytes: &[u8]| {
                        found[usize::from(kind == Kind::Error)].push_str(std::str::from_utf8(bytes).unwrap());
                        Ok::<(), ()>(())
                    };
                    frames.take(part, give).unwrap();
                }
                assert_eq!(found, ["outmore", "err"]);
            }
        }
    }

    #[test]
    fn what_is_there_is_not_written_twice_and_links_are_not_followed() {
        let sandbox = tempfile::tempdir().unwrap();
        std::fs::write(sandbox.path().join("stdout"), "one\ntw").unwrap();
        let mut sink = Sink::open(sandbox.path(), "stdout").unwrap();
        for part in ["one", "\ntwo", "\nthree"] {
            sink.write(part.as_bytes()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(sandbox.path().join("stdout")).unwrap(), "one\ntwo\nthree");
        std::os::unix::fs::symlink("/etc/passwd", sandbox.path().join("stderr")).unwrap();
        assert!(Sink::open(sandbox.path(), "stderr").is_err());
    }
}
