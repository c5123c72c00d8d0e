//! The agent's end of the connection to the launcher: finds it or starts it, and keeps a pidfd per task.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use super::Message;
use crate::launcher::protocol::{
    self, ContainerId, Exit, FrameError, PROTOCOL, Process, Reply, Request, SOCKET, Stage,
};
use crate::launcher::{log, process, sys};

/// Pause between two attempts to connect to a launcher that is starting.
const CONNECT_PAUSE: Duration = Duration::from_millis(5);
/// Attempts before another launcher is started.
const CONNECT_ATTEMPTS: u32 = 1_000;
/// Pause after a connection that did not work out.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// How jemalloc, if that is the program's allocator, is to work in the launcher: what a thousand launches took is given back at once, since
/// later there may be nothing to do for days, and one thread works at a time.
const ALLOCATION: (&str, &str) = ("_RJEM_MALLOC_CONF", "narenas:1,dirty_decay_ms:0");

/// Where the launcher is, or how to start it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The launcher's directory.
    pub(super) directory: PathBuf,
    /// What it makes cgroups beneath.
    pub(super) cgroup_parent: PathBuf,
}

/// A connection that did not work out.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("cannot start the launcher")]
    Start(#[source] io::Error),
    #[error("cannot connect to the launcher in {directory}")]
    Connect {
        directory: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the connection to the launcher broke")]
    Broken(#[source] io::Error),
    #[error("the launcher is gone")]
    Gone,
    #[error("what the launcher says cannot be read")]
    Unreadable(#[from] FrameError),
    #[error("the launcher does not begin with a Hello")]
    NoHello,
    #[error(
        "the launcher speaks protocol {0}, this agent {PROTOCOL}: run the agent that started it until its tasks have ended"
    )]
    Protocol(u32),
}

/// Keeps a launcher connected until the agent does not listen any more.
pub(super) async fn run(place: Place, results: mpsc::Sender<Message>) {
    let mut pidfds = HashMap::new();
    while !results.is_closed() {
        if let Err(failure) = converse(&place, &results, &mut pidfds).await {
            tracing::warn!(error = &failure as &dyn std::error::Error, "starting over with the launcher");
        }
        if results.send(Message::LauncherClosed).await.is_err() {
            return;
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

async fn converse(
    place: &Place,
    results: &mpsc::Sender<Message>,
    pidfds: &mut HashMap<ContainerId, OwnedFd>,
) -> Result<(), Failure> {
    let (mut reader, mut writer) = connect(place).await?.into_split();
    let mut hello = Vec::new();
    protocol::encode(&Request::Hello { protocol: PROTOCOL }, &mut hello)?;
    writer.write_all(&hello).await.map_err(Failure::Broken)?;
    let mut buffer = BytesMut::new();
    let first = loop {
        if let Some(reply) = protocol::decode(&mut buffer)? {
            break reply;
        }
        read_more(&mut reader, &mut buffer).await?;
    };
    match &first {
        Reply::Hello { protocol: PROTOCOL, .. } => {}
        Reply::Hello { protocol, .. } => return Err(Failure::Protocol(*protocol)),
        Reply::Started { .. } | Reply::LaunchFailed { .. } | Reply::Ended { .. } | Reply::NotRemoved { .. } => {
            return Err(Failure::NoHello);
        }
    }
    // A channel for each connection: what was meant for an earlier launcher cannot reach this one.
    let (requests, queue) = mpsc::unbounded_channel();
    let first = learn(first, pidfds);
    if results.send(Message::LauncherOpened { requests, hello: first }).await.is_err() {
        return Ok(());
    }
    // The agent has nothing more to say when it ends: then it listens until the launcher has ended, too.
    tokio::select! {
        outcome = listen(reader, buffer, results, pidfds) => outcome,
        Err(failure) = speak(&mut writer, queue) => Err(failure),
    }
}

async fn listen(
    mut reader: OwnedReadHalf,
    mut buffer: BytesMut,
    results: &mpsc::Sender<Message>,
    pidfds: &mut HashMap<ContainerId, OwnedFd>,
) -> Result<(), Failure> {
    loop {
        while let Some(reply) = protocol::decode(&mut buffer)? {
            if results.send(Message::Input(crate::supervisor::Input::Launcher(learn(reply, pidfds)))).await.is_err() {
                return Ok(());
            }
        }
        read_more(&mut reader, &mut buffer).await?;
    }
}

async fn read_more(reader: &mut OwnedReadHalf, buffer: &mut BytesMut) -> Result<(), Failure> {
    match reader.read_buf(buffer).await {
        Ok(0) => Err(Failure::Gone),
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::Broken(error)),
    }
}

async fn speak(writer: &mut OwnedWriteHalf, mut queue: mpsc::UnboundedReceiver<Request>) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    while let Some(request) = queue.recv().await {
        protocol::encode(&request, &mut bytes)?;
        // What waits is written together.
        while bytes.len() < 256 << 10
            && let Ok(request) = queue.try_recv()
        {
            protocol::encode(&request, &mut bytes)?;
        }
        writer.write_all(&bytes).await.map_err(Failure::Broken)?;
        bytes.clear();
    }
    Ok(())
}

/// Opens pidfds of what runs, and asks them about what the launcher could not wait for.
fn learn(reply: Reply, pidfds: &mut HashMap<ContainerId, OwnedFd>) -> Reply {
    match reply {
        Reply::Started { container, process } => {
            hold(&container, process, pidfds);
            Reply::Started { container, process }
        }
        Reply::Ended { container, mut ending } => {
            ending.exit = known_exit(&container, ending.exit, pidfds);
            pidfds.remove(&container);
            Reply::Ended { container, ending }
        }
        Reply::Hello { protocol, pid, isolation, mut containers } => {
            for report in &mut containers {
                match &mut report.stage {
                    Stage::Failing => {}
                    Stage::Running => hold(&report.container, report.process, pidfds),
                    Stage::Ended(ending) => ending.exit = known_exit(&report.container, ending.exit, pidfds),
                }
            }
            Reply::Hello { protocol, pid, isolation, containers }
        }
        other @ (Reply::LaunchFailed { .. } | Reply::NotRemoved { .. }) => other,
    }
}

fn hold(container: &ContainerId, process: Process, pidfds: &mut HashMap<ContainerId, OwnedFd>) {
    if !pidfds.contains_key(container)
        && let Ok(pidfd) = sys::pidfd_open(process.pid)
        && process::exists(process)
    {
        pidfds.insert(container.clone(), pidfd);
    }
}

fn known_exit(container: &ContainerId, told: Exit, pidfds: &HashMap<ContainerId, OwnedFd>) -> Exit {
    match told {
        Exit::Code(_) | Exit::Signal(_) => told,
        Exit::Unknown => pidfds
            .get(container)
            .and_then(|pidfd| sys::pidfd_exit(pidfd.as_fd()).ok().flatten())
            .unwrap_or(Exit::Unknown),
    }
}

async fn connect(place: &Place) -> Result<UnixStream, Failure> {
    if let Ok(stream) = try_connect(place).await {
        return Ok(stream);
    }
    start(place).map_err(Failure::Start)?;
    let mut attempt = 0;
    loop {
        match try_connect(place).await {
            Ok(stream) => return Ok(stream),
            Err(source) if attempt == CONNECT_ATTEMPTS => {
                return Err(Failure::Connect { directory: place.directory.clone(), source });
            }
            Err(_) => attempt += 1,
        }
        tokio::time::sleep(CONNECT_PAUSE).await;
    }
}

/// By way of the directory's descriptor: a path may be longer than a socket's address holds.
async fn try_connect(place: &Place) -> io::Result<UnixStream> {
    let directory = File::open(&place.directory)?;
    UnixStream::connect(format!("/proc/self/fd/{}/{SOCKET}", directory.as_raw_fd())).await
}

/// Starts a launcher. If another one is there after all, the new one ends by itself.
fn start(place: &Place) -> io::Result<()> {
    std::fs::create_dir_all(&place.directory)?;
    let log = File::options().create(true).append(true).open(place.directory.join(log::NAME))?;
    let launcher = Command::new("/proc/self/exe")
        .arg("launcher")
        .arg("--dir")
        .arg(&place.directory)
        .arg("--cgroup-parent")
        .arg(&place.cgroup_parent)
        .env_clear()
        .env(ALLOCATION.0, ALLOCATION.1)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()?;
    tracing::info!(pid = launcher.id(), "started a launcher");
    Ok(())
}
