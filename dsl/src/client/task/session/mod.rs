//! What flows to and from programs that run within tasks.

mod let_go;
mod terminal;
mod writer;

use std::time::Duration;

use attica_paas_api::session::{OutputStream, SessionEvent};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Buf, BytesMut};
use http::Response;
use http_body_util::BodyExt;
use hyper::body::Incoming;

pub(super) use self::let_go::LetGo;
pub(super) use self::terminal::{Terminal, size as terminal_size};
pub(super) use self::writer::Writer;
use crate::client::failure::Failure;
use crate::client::session::{Form, Session};
use crate::terminal::Screen;

/// Something is said every 30 s.
const SILENCE_MAX: Duration = Duration::from_secs(95);
const LINE_BYTES_MAX: usize = 4 << 20;
/// What a shell adds to a signal that ended a program.
const SIGNALLED: u8 = 128;

/// What a program writes is shown as it is.
pub(super) fn text_only(session: &Session<'_>) -> Result<(), Failure> {
    match session.form {
        Form::Text => Ok(()),
        Form::Json => Err(Failure::Usage("what a program writes is no JSON: leave --json out".to_owned())),
    }
}

/// What the server tells about a program, line by line.
pub(super) struct Events {
    body: Incoming,
    unread: BytesMut,
    address: String,
}

impl Events {
    pub(super) fn of(session: &Session<'_>, response: Response<Incoming>) -> Self {
        Self { body: response.into_body(), unread: BytesMut::new(), address: session.server.address() }
    }

    /// The next one; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<SessionEvent>, Failure> {
        loop {
            if let Some(length) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line = self.unread.split_to(length);
                self.unread.advance(1);
                let event = serde_json::from_slice(&line);
                return event.map(Some).map_err(|_| self.lost("it says what cannot be understood"));
            }
            if self.unread.len() > LINE_BYTES_MAX {
                return Err(self.lost("it says what has no end"));
            }
            match tokio::time::timeout(SILENCE_MAX, self.body.frame()).await {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => {
                    if let Some(data) = frame.data_ref() {
                        self.unread.extend_from_slice(data);
                    }
                }
                Ok(Some(Err(_))) => return Err(self.lost("the connection broke")),
                Err(_elapsed) => return Err(self.lost("it has fallen silent")),
            }
        }
    }

    fn lost(&self, why: &str) -> Failure {
        Failure::failed(format!("{} is lost: {why}", self.address))
    }
}

/// Shows what a program writes, as it is, and returns how it ended: well, or as the failure that has its exit status.
pub(super) async fn show(events: &mut Events, screen: &mut Screen) -> Result<(), Failure> {
    while let Some(event) = events.next().await? {
        match event {
            SessionEvent::Started { .. } | SessionEvent::Alive => {}
            SessionEvent::Output { stream, data } => {
                let data = BASE64.decode(data).map_err(|_| events.lost("it says what cannot be understood"))?;
                let sink = match stream {
                    OutputStream::Stdout => &mut screen.out,
                    OutputStream::Stderr => &mut screen.err,
                };
                sink.raw(&data)?;
                sink.flush()?;
            }
            SessionEvent::Ended { exit_status: Some(0), .. } => return Ok(()),
            SessionEvent::Ended { exit_status: Some(status), .. } => return Err(Failure::Ended(status)),
            SessionEvent::Ended { signal: Some(signal), .. } => {
                return Err(Failure::Ended(SIGNALLED.saturating_add(signal)));
            }
            SessionEvent::Ended { exit_status: None, signal: None } => break,
        }
    }
    Err(Failure::failed("how the program ended is not known: its agent does not say"))
}
