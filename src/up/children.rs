//! The roles as child processes: their log lines, their restarts, their end.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::data_dir::DataDir;

/// The pause before a role that died is started again: doubled by each death, forgotten once it lived this long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const LONG_LIFE: Duration = Duration::from_secs(20);
/// A longer log line is cut.
const LONGEST_LINE: u64 = 16 * 1024;

/// How to start a role.
#[derive(Clone)]
pub struct Program {
    role: &'static str,
    args: Vec<OsString>,
    /// In the environment, where `ps` does not show them.
    secrets: Vec<(&'static str, String)>,
}

impl Program {
    pub fn role(role: &'static str) -> Program {
        Program { role, args: Vec::new(), secrets: Vec::new() }
    }

    pub fn arg(mut self, flag: &str, value: impl Display) -> Program {
        self.args.extend([OsString::from(flag), OsString::from(value.to_string())]);
        self
    }

    pub fn switch(mut self, flag: &str) -> Program {
        self.args.push(OsString::from(flag));
        self
    }

    pub fn secret(mut self, variable: &'static str, value: &str) -> Program {
        self.secrets.push((variable, value.to_owned()));
        self
    }

    fn command(&self) -> std::io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg(self.role)
            .args(&self.args)
            .envs(self.secrets.iter().map(|(variable, value)| (variable, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        if std::io::stderr().is_terminal() {
            command.env("ATTICA_COLOR", "1");
        }
        Ok(command)
    }
}

/// A role that is kept running until [`Child::stop`].
pub struct Child {
    stop: oneshot::Sender<(Signal, Duration)>,
    supervisor: JoinHandle<()>,
}

impl Child {
    /// Starts the role; the first start's failure is the caller's to report, later ones are retried.
    pub fn spawn(name: String, program: Program, data_dir: &Arc<DataDir>) -> std::io::Result<Child> {
        let (stop, stopped) = oneshot::channel();
        let process = start(&name, &program, data_dir)?;
        let supervisor = tokio::spawn(supervise(name, program, Arc::clone(data_dir), process, stopped));
        Ok(Child { stop, supervisor })
    }

    /// Sends the signal and waits until the role is gone; kills it when it takes longer than `patience`.
    pub async fn stop(self, signal: Signal, patience: Duration) {
        // Neither can fail: the supervisor ends only after it was told to.
        let _ = self.stop.send((signal, patience));
        let _ = self.supervisor.await;
    }
}

async fn supervise(
    name: String,
    program: Program,
    data_dir: Arc<DataDir>,
    mut process: tokio::process::Child,
    mut stopped: oneshot::Receiver<(Signal, Duration)>,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        let started = Instant::now();
        tokio::select! {
            status = process.wait() => match status {
                Ok(status) => tracing::warn!("{name} ended with {status}; starting it again"),
                Err(error) => tracing::error!(%error, "cannot wait for {name}; starting it again"),
            },
            order = &mut stopped => {
                if let Ok((signal, patience)) = order {
                    end(&name, &mut process, signal, patience).await;
                }
                data_dir.forget(&name);
                return;
            }
        }
        pause = if started.elapsed() > LONG_LIFE { FIRST_PAUSE } else { pause };
        process = loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = &mut stopped => {
                    data_dir.forget(&name);
                    return;
                }
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
            match start(&name, &program, &data_dir) {
                Ok(process) => break process,
                Err(error) => tracing::error!(%error, "cannot start {name}; trying again"),
            }
        };
    }
}

fn start(name: &str, program: &Program, data_dir: &DataDir) -> std::io::Result<tokio::process::Child> {
    let mut process = program.command()?.spawn()?;
    if let Some(pid) = process.id() {
        data_dir.remember(name, pid)?;
    }
    if let Some(stdout) = process.stdout.take() {
        tokio::spawn(forward(name.to_owned(), stdout));
    }
    if let Some(stderr) = process.stderr.take() {
        tokio::spawn(forward(name.to_owned(), stderr));
    }
    Ok(process)
}

async fn end(name: &str, process: &mut tokio::process::Child, signal: Signal, patience: Duration) {
    if let Some(pid) = process.id() {
        let _ = kill(Pid::from_raw(pid.cast_signed()), signal);
    }
    if tokio::time::timeout(patience, process.wait()).await.is_err() {
        tracing::warn!("{name} did not end within {patience:?}; killing it");
        if let Err(error) = process.kill().await {
            tracing::error!(%error, "cannot kill {name}");
        }
    }
}

/// Copies a role's lines to standard error, each behind the role's name.
async fn forward(name: String, output: impl AsyncRead + Unpin) {
    let prefix = if std::io::stderr().is_terminal() {
        format!("\x1b[{}m{name:>8} |\x1b[0m ", colour(&name))
    } else {
        format!("{name:>8} | ")
    };
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        line.extend_from_slice(prefix.as_bytes());
        match (&mut output).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                if line.last() != Some(&b'\n') {
                    line.push(b'\n');
                }
                // Nobody may be left to read; the roles go on regardless.
                let _ = std::io::stderr().lock().write_all(&line);
            }
        }
    }
}

/// A terminal colour that stays with the name (31 is red and left to errors).
fn colour(name: &str) -> u8 {
    32 + name.bytes().fold(0, |sum: u8, byte| sum.wrapping_add(byte)) % 5
}
