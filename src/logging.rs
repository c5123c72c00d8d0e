//! Where log lines go: standard error, coloured on a terminal, never a reason to fail.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use attica_core_api::logging::{LogControl, LogFilter};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// Logs `info` and above; `ATTICA_LOG` takes another filter (`debug`, `attica_core=trace,info`, …).
pub fn init() {
    init_with(LevelFilter::INFO);
}

/// The same, with another level.
pub fn init_with(level: LevelFilter) {
    let started_with = match std::env::var("ATTICA_LOG") {
        Ok(asked) if EnvFilter::try_new(&asked).is_ok() => asked,
        Ok(_) | Err(_) => level.to_string(),
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&started_with))
        .with_ansi(io::stderr().is_terminal() || std::env::var_os("ATTICA_COLOR").is_some())
        .with_writer(|| Lossy(io::stderr()))
        .with_filter_reloading();
    let reload = log.reload_handle();
    let set = move |filter: LogFilter<'_>| {
        let filter = match filter {
            LogFilter::AsStarted => EnvFilter::new(&started_with),
            LogFilter::Instead(filter) => EnvFilter::new(filter),
            LogFilter::Besides(filter) => EnvFilter::new(format!("{started_with},{filter}")),
        };
        // Fails only when there is no log any more.
        let _ = reload.reload(filter);
    };
    let _ = CONTROL.set(LogControl::new(set));
    log.init();
}

static CONTROL: OnceLock<LogControl> = OnceLock::new();

/// How it is changed what is logged, once there is a log.
pub fn control() -> LogControl {
    CONTROL.get().cloned().unwrap_or_default()
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
