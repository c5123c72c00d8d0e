//! What is written to a program: one request after the other, so that it arrives in its order.

use std::io::{self, Read};
use std::rc::Rc;

use attica_paas_api::session::{SessionInput, TerminalSize};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{Method, StatusCode};
use serde_json::json;
use tokio::sync::mpsc;

use super::let_go::LetGo;
use super::terminal::{Sizes, size};
use crate::client::failure::Failure;
use crate::client::server::{Request, Server};

/// Read at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// Writes to one program.
pub(in super::super) struct Writer {
    pub(in super::super) server: Rc<Server>,
    /// Where to.
    pub(in super::super) path: String,
    /// The size that the program's terminal was made with, if it has one.
    pub(in super::super) terminal: Option<TerminalSize>,
    /// The keys that whoever types lets go with, where there are such.
    pub(in super::super) let_go: Option<LetGo>,
}

impl Writer {
    /// Passes on what is read from `input`, and the sizes of the terminal. Resolves when whoever types lets go, and with what went wrong;
    /// otherwise never, for it is the program's output that tells when it is over.
    pub(in super::super) async fn run(mut self, input: Option<Box<dyn Read + Send>>) -> Result<(), Failure> {
        match self.pass_on(input).await {
            // There is no program any more: its last words are on their way.
            Err(Failure::Refused { status: StatusCode::NOT_FOUND, .. }) => std::future::pending().await,
            outcome => outcome,
        }
    }

    /// Returns when whoever types lets go.
    async fn pass_on(&mut self, input: Option<Box<dyn Read + Send>>) -> Result<(), Failure> {
        let mut sizes = Sizes::watch();
        // It may have changed before that was watched.
        if let Some(size) = size().filter(|size| self.terminal.is_some_and(|terminal| terminal != *size)) {
            self.resize(size).await?;
        }
        let mut chunks = match (input, self.terminal) {
            (Some(input), _) => Some(read(input, self.let_go.take())),
            (None, Some(_)) => None,
            (None, None) => {
                // It has nothing to read.
                self.end().await?;
                return std::future::pending().await;
            }
        };
        loop {
            let chunk = async {
                match &mut chunks {
                    Some(chunks) => chunks.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                chunk = chunk => match chunk.transpose()? {
                    Some(Piece::LetGo) => return Ok(()),
                    Some(Piece::Data(data)) => {
                        self.send(&SessionInput { data: Some(BASE64.encode(data)), ..SessionInput::default() }).await?;
                    }
                    None => {
                        chunks = None;
                        self.end().await?;
                    }
                },
                size = sizes.next(), if self.terminal.is_some() => self.resize(size).await?,
            }
        }
    }

    async fn end(&self) -> Result<(), Failure> {
        self.send(&SessionInput { end: true, ..SessionInput::default() }).await
    }

    async fn resize(&self, size: TerminalSize) -> Result<(), Failure> {
        self.send(&SessionInput { terminal: Some(size), ..SessionInput::default() }).await
    }

    /// Answered once the program has taken it.
    async fn send(&self, input: &SessionInput) -> Result<(), Failure> {
        let request = Request::new(Method::POST, &self.path).with_document(&json!(input)).with_patience();
        self.server.call(&request).await.map(drop)
    }
}

/// What is read.
enum Piece {
    Data(Vec<u8>),
    /// Nothing more is for the program, which is not told so.
    LetGo,
}

/// Reads in a thread of its own, which ends with the process if nothing comes.
fn read(mut input: Box<dyn Read + Send>, mut let_go: Option<LetGo>) -> mpsc::Receiver<io::Result<Piece>> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let send = |piece| sender.blocking_send(piece).is_ok();
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            let mut gone = false;
            let end = match input.read(&mut chunk) {
                Ok(length) => {
                    chunk.truncate(length);
                    length == 0
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    send(Err(error));
                    return;
                }
            };
            if let Some(keys) = &mut let_go {
                (chunk, gone) = keys.pass(&chunk);
                chunk.extend(end.then(|| keys.rest()).flatten());
            }
            let taken = chunk.is_empty() || send(Ok(Piece::Data(chunk)));
            if gone {
                send(Ok(Piece::LetGo));
            }
            if end || gone || !taken {
                return;
            }
        }
    });
    receiver
}
