//! The agent's ends of a session's streams: of a pseudo terminal, or of three FIFOs.
//!
//! Of a FIFO both ends are held open here: its output has not ended before nothing of the program's container is left, and its input ends
//! when the agent closes its end, since the program's is for reading alone.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use attica_core_api::v1::{TtyInfo, WindowSize};
use bytes::Bytes;
use nix::sys::stat::Mode;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;

use crate::launcher::protocol::{Streams, TerminalSize};
use crate::launcher::terminal::{Pair, resize};

/// Read from a terminal at a time, and how many of these may wait.
const CHUNK_BYTES: usize = 4 << 10;
const MAX_CHUNKS: usize = 8;
/// What a terminal takes for the end of its input.
const END_OF_TRANSMISSION: u8 = 4;

/// Before the program has been started.
pub(super) enum Ends {
    Terminal {
        master: Arc<File>,
        /// Held until the program has it.
        slave: File,
        path: PathBuf,
    },
    Pipes {
        directory: Directory,
        input: pipe::Sender,
        output: pipe::Receiver,
        error: pipe::Receiver,
    },
}

/// Where FIFOs have names until the program has opened them.
#[derive(Debug)]
pub(super) struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "the FIFOs of a session stay");
        }
    }
}

/// What a program is written to.
#[derive(Debug)]
pub(in crate::http::operator) enum Input {
    Terminal(Arc<File>),
    Pipe(pipe::Sender),
}

/// What a program writes to.
pub(super) enum Outputs {
    Terminal(mpsc::Receiver<Bytes>),
    Pipes { output: pipe::Receiver, error: pipe::Receiver },
}

impl Ends {
    /// Of a program within a container whose first process is `within`.
    pub(super) fn make(io_dir: &Path, terminal: Option<&TtyInfo>, within: Option<i32>) -> io::Result<Ends> {
        match terminal {
            Some(terminal) => Ends::terminal(terminal, within),
            None => Ends::pipes(io_dir),
        }
    }

    /// One of the container's own, if it has such.
    fn terminal(info: &TtyInfo, within: Option<i32>) -> io::Result<Ends> {
        let size = info.window_size.as_ref().map(TerminalSize::from);
        let own = within.and_then(|pid| Pair::open_among(pid, size).ok());
        let Pair { slave, path, master } = own.map_or_else(|| Pair::open(size), Ok)?;
        Ok(Ends::Terminal { master: Arc::new(master), slave, path })
    }

    fn pipes(io_dir: &Path) -> io::Result<Ends> {
        let path = io_dir.join(uuid::Uuid::new_v4().simple().to_string());
        std::fs::create_dir_all(&path)?;
        let directory = Directory(path);
        let make = |name: &str| {
            let path = directory.0.join(name);
            nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR)?;
            io::Result::Ok(path)
        };
        let mut options = pipe::OpenOptions::new();
        options.read_write(true);
        Ok(Ends::Pipes {
            input: options.open_sender(make("input")?)?,
            output: options.open_receiver(make("output")?)?,
            error: options.open_receiver(make("error")?)?,
            directory,
        })
    }

    /// What the launcher is told.
    pub(super) fn streams(&self) -> Streams {
        match self {
            Ends::Terminal { path, .. } => Streams::Terminal(path.clone()),
            Ends::Pipes { directory, .. } => Streams::Files {
                input: directory.0.join("input"),
                output: directory.0.join("output"),
                error: directory.0.join("error"),
            },
        }
    }

    /// Once the program has the other ends.
    pub(super) fn taken(self) -> io::Result<(Input, Outputs)> {
        match self {
            Ends::Terminal { master, slave, .. } => {
                drop(slave);
                let (sender, receiver) = mpsc::channel(MAX_CHUNKS);
                let source = master.clone();
                std::thread::Builder::new().name("terminal".to_owned()).spawn(move || read(&source, &sender))?;
                Ok((Input::Terminal(master), Outputs::Terminal(receiver)))
            }
            Ends::Pipes { input, output, error, .. } => Ok((Input::Pipe(input), Outputs::Pipes { output, error })),
        }
    }
}

impl Input {
    pub(in crate::http::operator) async fn write(&mut self, data: &[u8]) -> io::Result<()> {
        match self {
            Input::Pipe(pipe) => pipe.write_all(data).await,
            Input::Terminal(master) => {
                // Waits in a thread of its own while nobody reads.
                let (master, data) = (master.clone(), data.to_vec());
                let written = tokio::task::spawn_blocking(move || (&*master).write_all(&data));
                written.await.map_err(io::Error::other)?
            }
        }
    }

    /// Nothing more will be written. A terminal goes on: whether that ends its program is for the program to say.
    pub(in crate::http::operator) async fn end(mut self) -> io::Result<Option<Input>> {
        match &self {
            Input::Pipe(_) => Ok(None),
            Input::Terminal(_) => {
                self.write(&[END_OF_TRANSMISSION]).await?;
                Ok(Some(self))
            }
        }
    }

    /// Of a terminal; nothing else has a size.
    pub(in crate::http::operator) fn resize(&self, size: &WindowSize) -> io::Result<()> {
        match self {
            Input::Terminal(master) => resize(master, size.into()),
            Input::Pipe(_) => Ok(()),
        }
    }
}

/// Until everybody has left the terminal, or nobody wants to hear of it any more. A thread of its own: a terminal is read by waiting.
fn read(mut master: &File, sender: &mpsc::Sender<Bytes>) {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        match master.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
            Ok(length) => {
                if sender.blocking_send(Bytes::copy_from_slice(&buffer[..length])).is_err() {
                    return;
                }
            }
        }
    }
}
