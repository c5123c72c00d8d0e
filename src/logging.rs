//! Where log lines go: standard error, coloured on a terminal, never a reason to fail.

use std::error::Error;
use std::io::{self, IsTerminal, Write};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// Logs `info` and above; `ATTICA_LOG` takes another filter (`debug`, `attica_core=trace,info`, …).
pub fn init() {
    init_with(LevelFilter::INFO);
}

/// The same, with another level.
pub fn init_with(level: LevelFilter) {
    let filter = EnvFilter::try_from_env("ATTICA_LOG").unwrap_or_else(|_| EnvFilter::new(level.to_string()));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal() || std::env::var_os("ATTICA_COLOR").is_some())
        .with_writer(|| Lossy(io::stderr()))
        .init();
}

/// One line to standard error: the error and what caused it.
pub fn fatal(error: &(dyn Error + Send + Sync)) {
    let mut line = format!("attica: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !line.contains(&cause_text) {
            line.push_str(": ");
            line.push_str(&cause_text);
        }
        source = cause.source();
    }
    line.push('\n');
    let _ = Lossy(io::stderr()).write_all(line.as_bytes());
}

/// A writer that outlives its reader: when `up` is killed, the pipe that its children log to breaks, and they go on.
struct Lossy(io::Stderr);

impl Write for Lossy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
