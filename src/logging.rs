//! Where log lines go: standard error, coloured on a terminal, never a reason to fail.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// Logs `info` and above; `ATTICA_LOG` takes another filter (`debug`, `attica_core=trace,info`, …).
pub fn init() {
    init_with(LevelFilter::INFO);
}

/// The same, with another level.
pub fn init_with(level: LevelFilter) {
    let filter = move || EnvFilter::try_from_env("ATTICA_LOG").unwrap_or_else(|_| EnvFilter::new(level.to_string()));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter())
        .with_ansi(io::stderr().is_terminal() || std::env::var_os("ATTICA_COLOR").is_some())
        .with_writer(|| Lossy(io::stderr()))
        .with_filter_reloading();
    let reload = log.reload_handle();
    let set = move |level: u32| {
        let filter = match level {
            0 => filter(),
            1 => EnvFilter::new("debug"),
            _ => EnvFilter::new("trace"),
        };
        // Fails only when there is no log any more.
        let _ = reload.reload(filter);
    };
    let _ = SET_LEVEL.set(Box::new(set));
    log.init();
}

/// How the level is changed, once there is a log.
static SET_LEVEL: OnceLock<Box<dyn Fn(u32) + Send + Sync>> = OnceLock::new();

/// Logs what `ATTICA_LOG` asks for (0), what helps to find a fault (1), or everything (2 and above).
pub fn set_level(level: u32) {
    if let Some(set) = SET_LEVEL.get() {
        set(level);
    }
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
