//! This process's terminal while somebody else's program has it.

use std::io;
use std::os::fd::AsFd;

use attica_paas_api::session::TerminalSize;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::SIGNALLED;
use crate::client::failure::Failure;

/// Of the terminal that is standard input; none when that is no terminal.
pub(in super::super) fn size() -> Option<TerminalSize> {
    let size = tcgetwinsize(io::stdin()).ok()?;
    Some(TerminalSize { rows: size.ws_row, columns: size.ws_col })
}

/// The terminal passes every key on, until this is dropped: then it is as it was.
pub(in super::super) struct Terminal(Termios);

impl Terminal {
    /// Takes the terminal over that is standard input.
    pub(in super::super) fn take_over() -> Result<Self, Failure> {
        let before = tcgetattr(io::stdin().as_fd()).map_err(io::Error::from)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin().as_fd(), OptionalActions::Now, &raw).map_err(io::Error::from)?;
        Ok(Self(before))
    }

    /// Resolves with the exit status when a signal asks this process to end. While the terminal is as it was, signals do what they always do.
    pub(in super::super) async fn interrupted(this: Option<&Self>) -> u8 {
        let Some(_) = this else { return std::future::pending().await };
        tokio::select! {
            () = next(SignalKind::interrupt()) => SIGNALLED + 2,
            () = next(SignalKind::hangup()) => SIGNALLED + 1,
            () = next(SignalKind::quit()) => SIGNALLED + 3,
            () = next(SignalKind::terminate()) => SIGNALLED + 15,
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The terminal may be gone; then there is nothing to restore.
        let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Drain, &self.0);
    }
}

async fn next(kind: SignalKind) {
    if let Ok(mut signals) = signal(kind)
        && signals.recv().await.is_some()
    {
        return;
    }
    std::future::pending().await
}

/// Tells each time that the terminal has another size.
pub(super) struct Sizes(Option<Signal>);

impl Sizes {
    pub(super) fn watch() -> Self {
        Self(signal(SignalKind::window_change()).ok())
    }

    pub(super) async fn next(&mut self) -> TerminalSize {
        loop {
            let told = match &mut self.0 {
                Some(signals) => signals.recv().await,
                None => None,
            };
            if told.is_none() {
                std::future::pending::<()>().await;
            }
            if let Some(size) = size() {
                return size;
            }
        }
    }
}
