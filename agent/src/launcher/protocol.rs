//! What agent and launcher say to each other: JSON records behind a four-byte big-endian length, over a unix socket.
//!
//! The first record of either side is its `Hello`. A launcher outlives the agent that started it, so an upgraded agent
//! may meet an older launcher: both refuse to go on when the protocol numbers differ, and say so.

use std::path::PathBuf;
use std::sync::Arc;

use attica_core_api::v1::{RLimit, WindowSize};
use bytes::{Buf, BytesMut};
use serde::{Deserialize, Serialize};

use super::controls::Controls;
use super::hidden::Hidden;

/// The protocol this build speaks.
pub const PROTOCOL: u32 = 8;

/// The longest record either side accepts, in bytes.
pub const MAX_RECORD_BYTES: usize = 64 << 20;

/// Where a container with a root of its own sees its sandbox, as in Mesos.
pub const SANDBOX: &str = "/mnt/mesos/sandbox";

/// Name of the launcher's socket in its directory.
pub const SOCKET: &str = "launcher.sock";

/// The name of one run of one task: a UUID. It names the run's sandbox, its cgroups and its record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContainerId(Arc<str>);

/// A text that cannot name a container.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no container id: 1 to 64 letters, digits and `-` are")]
pub struct InvalidContainerId(String);

impl ContainerId {
    /// Takes `name` if it can be the name of a file and of a cgroup.
    pub fn new(name: &str) -> Result<ContainerId, InvalidContainerId> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(legal) {
            return Err(InvalidContainerId(name.to_owned()));
        }
        Ok(ContainerId(name.into()))
    }

    /// A container id is a UUID in its usual form.
    pub fn from_uuid(uuid: uuid::Uuid) -> ContainerId {
        ContainerId(uuid.hyphenated().to_string().into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ContainerId {
    type Error = InvalidContainerId;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        ContainerId::new(&name)
    }
}

impl From<ContainerId> for String {
    fn from(id: ContainerId) -> String {
        id.0.as_ref().to_owned()
    }
}

impl std::fmt::Display for ContainerId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What the agent asks of the launcher.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Opens the conversation; answered with [`Reply::Hello`].
    Hello {
        /// The agent's [`PROTOCOL`].
        protocol: u32,
    },
    /// Start these; each is answered with `Started` or `LaunchFailed`. A container that exists already is left alone.
    Launch(Vec<LaunchSpec>),
    /// Give a running container other limits, and change what else of it is controlled already. That of its memory is only ever raised.
    Resize(ContainerId, Limits, Option<Box<Controls>>),
    /// Send SIGTERM to every process of the container.
    Terminate(ContainerId),
    /// Send SIGKILL to every process of the container until none is left.
    Destroy(ContainerId),
    /// The agent has written down how these ended; their records may go.
    Forget(Vec<ContainerId>),
    /// End as soon as every container has ended.
    Stop,
}

/// One process to start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaunchSpec {
    /// Names the run.
    pub container: ContainerId,
    /// The running container that it is a part of: its cgroups are beneath that one's, it has that one's namespaces, root and network,
    /// unless it has a root of its own, and ends with it at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ContainerId>,
    /// The program and its arguments, `argv[0]` first. Without a `/` it is looked for in the `PATH` of `environment`. Empty: nothing
    /// runs in the container but its parts, and it lasts until it is destroyed.
    pub argv: Vec<String>,
    /// The program, when it differs from `argv[0]`.
    pub program: String,
    /// Another program and its arguments, which does what this one would do: it is executed in its place if that is possible.
    pub shortcut: Option<Vec<String>>,
    /// The whole environment: nothing of the launcher's own is added.
    pub environment: Vec<(String, String)>,
    /// More of it, with values that are secrets; they take the place of variables with the same names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretVariable>,
    /// Drop privileges to this user; `None` keeps the launcher's own.
    pub user: Option<String>,
    /// Its sandbox on the machine, in which it begins, unless [`Surroundings::working_directory`] says otherwise.
    pub directory: PathBuf,
    /// What the kernel shall enforce; `None`, which only a container with a parent may have, is what that one's are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// What else it shall control; a part has what the whole has. `None` is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controls: Option<Box<Controls>>,
    /// What it shall enforce of each process by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rlimits: Vec<RLimit>,
    /// What it sees and may do of the machine, when that is less than everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surroundings: Option<Box<Surroundings>>,
    /// Where it reads from and writes to.
    #[serde(default)]
    pub streams: Streams,
}

/// A variable whose value is a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretVariable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Hidden,
}

/// What a container sees of the machine and may do there. Its default is what a task sees without.
///
/// With a parent only [`Surroundings::privileges`], [`Surroundings::working_directory`] and [`Surroundings::user`] may be given, unless there
/// is a [`Surroundings::root`]: the others are the parent's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Surroundings {
    /// Its root; `None` is the machine's own.
    pub root: Option<Root>,
    /// What is mounted for it alone, in this order.
    pub mounts: Vec<Mount>,
    /// What else it has of its own.
    pub namespaces: Namespaces,
    /// The file of a network namespace that it enters.
    pub network: Option<PathBuf>,
    /// What it may do.
    pub privileges: Privileges,
    /// Where it begins, as seen from its root; `None` is its sandbox, wherever that is mounted.
    pub working_directory: Option<PathBuf>,
    /// Whom it becomes, `name` or `uid`, each with or without `:group` or `:gid`, as its root's own `/etc/passwd` and `/etc/group` tell.
    /// Its sandbox and its output are made that user's.
    pub user: Option<String>,
}

/// A root of layers, as overlayfs puts them together. It is mounted where nobody but the container sees it, together with `/proc`, `/sys`,
/// and a `/dev` of the usual few devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Directories that are never written to, the lowest first.
    pub layers: Vec<PathBuf>,
    /// The directory that takes what the container writes.
    pub upper: PathBuf,
    /// An empty directory of the same file system as `upper`.
    pub work: PathBuf,
}

/// Something mounted for one container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// What is mounted.
    pub kind: MountKind,
    /// Where, as seen from the container's root. Links are followed within that. What is missing is made, unless the root is the machine's.
    pub target: PathBuf,
    /// Whether the container may write to it.
    pub access: Access,
}

impl Mount {
    /// The secret that is mounted, if it is one.
    pub(super) fn secret(&self) -> Option<&Hidden> {
        match &self.kind {
            MountKind::Secret(hidden) => Some(hidden),
            MountKind::Bind(_) | MountKind::Tmpfs { .. } => None,
        }
    }
}

/// What can be mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MountKind {
    /// A file or directory of the machine, with what is mounted beneath.
    Bind(PathBuf),
    /// An empty file system in memory, which is part of what the container uses of that.
    Tmpfs {
        /// How much it may hold; `None` is half the machine's memory.
        size_bytes: Option<u64>,
    },
    /// A file in memory that nobody but the container's user can read, and nobody write to. Where the root is the machine's, it has to be
    /// beneath the sandbox, and what is missing there is made.
    Secret(Hidden),
}

/// Whether something can be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// It cannot.
    ReadOnly,
    /// It can, as far as its permissions go.
    ReadWrite,
}

/// What a container has of its own besides files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Namespaces {
    /// Process ids. Its first one is the launcher's, which reaps what others leave.
    pub pid: bool,
    /// Semaphores, message queues and shared memory.
    pub ipc: Option<Ipc>,
    /// Its host name.
    pub hostname: Option<String>,
}

/// What is to be said about means to communicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ipc {
    /// How much `/dev/shm` may hold.
    pub shm_bytes: u64,
}

/// What a container may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Privileges {
    /// Its capabilities; `None` is what its user has.
    pub capabilities: Option<Capabilities>,
    /// Whether no program that it executes gives it more.
    pub no_new_privileges: bool,
    /// What it may ask of the kernel; `None` is everything.
    pub seccomp: Option<SeccompProfile>,
}

/// Linux capabilities, as sets of the bits of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Those that it has from the beginning, whoever its user is.
    pub effective: u64,
    /// Those that it can have at all.
    pub bounding: u64,
}

/// A choice of system calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeccompProfile {
    /// What container engines usually allow: nothing that changes the machine.
    Usual,
    /// That in a file of the machine, in the JSON that Docker reads.
    File(PathBuf),
}

/// Where a container reads from and writes to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Streams {
    /// It reads nothing; its output is appended to `stdout` and `stderr` in its sandbox.
    #[default]
    Sandbox,
    /// The slave of a pseudo terminal, which becomes its controlling terminal.
    Terminal(PathBuf),
    /// A terminal of its own, its controlling one, which outlives agent and launcher: what is shown there is appended to `stdout` in its
    /// sandbox. `None` is the size that terminals have when nobody looks.
    Kept(Option<TerminalSize>),
    /// Files or FIFOs. Of a FIFO the other end has to be open already.
    Files {
        /// What it reads.
        input: PathBuf,
        /// What is appended to.
        output: PathBuf,
        /// As `output`, for errors.
        error: PathBuf,
    },
}

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalSize {
    /// From top to bottom.
    pub rows: u16,
    /// From left to right.
    pub columns: u16,
}

impl From<&WindowSize> for TerminalSize {
    fn from(size: &WindowSize) -> TerminalSize {
        let cells = |count: u32| u16::try_from(count).unwrap_or(u16::MAX);
        TerminalSize { rows: cells(size.rows), columns: cells(size.columns) }
    }
}

/// What a task may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Weight against other tasks: 1024 for each cpu.
    pub cpu_shares: u64,
    /// Cpu time in each period of 100 ms, in microseconds; `None` is as much as nobody else wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_quota_us: Option<u64>,
    /// Memory of all its processes together, in bytes.
    pub memory_bytes: u64,
    /// What it is to be pushed back to first when the machine runs out of memory, if that is less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_request_bytes: Option<u64>,
    /// Processes and threads at a time.
    pub pids: u64,
}

/// What the launcher tells the agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Answers the agent's `Hello`.
    Hello {
        /// The launcher's [`PROTOCOL`].
        protocol: u32,
        /// The launcher's process id.
        pid: i32,
        /// How tasks are isolated on this machine.
        isolation: IsolationKind,
        /// Every container the launcher knows.
        containers: Vec<ContainerReport>,
    },
    /// The container's program runs.
    Started {
        /// The container.
        container: ContainerId,
        /// Its first process.
        process: Process,
    },
    /// The container's program could not be started; nothing of it is left.
    LaunchFailed {
        /// The container.
        container: ContainerId,
        /// Why, for people.
        error: String,
    },
    /// The container's program has ended and no process of it is left.
    Ended {
        /// The container.
        container: ContainerId,
        /// How it ended.
        ending: Ending,
    },
    /// What was made for the container could not be removed this time. It is tried again.
    NotRemoved {
        /// The container.
        container: ContainerId,
    },
}

/// A process, named so that another one with the same id is not mistaken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// When it started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub start_ticks: u64,
}

impl Process {
    /// That of a container in which nothing runs but its parts.
    pub const NONE: Process = Process { pid: 0, start_ticks: 0 };
}

/// One container as a `Hello` tells of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerReport {
    /// The container.
    pub container: ContainerId,
    /// Its first process.
    pub process: Process,
    /// How far it has come.
    pub stage: Stage,
}

/// How far a container has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Its program could not be executed, and what was made for it is being removed: `LaunchFailed` follows.
    Failing,
    /// Its program runs, or what it has left behind is being ended: `Ended` follows.
    Running,
    /// Nothing of it is left.
    Ended(Ending),
}

/// How a container's program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// What `wait` told about its first process.
    pub exit: Exit,
    /// What the kernel did about its memory.
    pub memory: MemoryVerdict,
}

/// What became of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It ended by itself with this status.
    Code(i32),
    /// A signal of this number ended it.
    Signal(i32),
    /// It ended while no launcher lived, and the kernel did not keep its status.
    Unknown,
}

/// Whether the memory limit ended a process of the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryVerdict {
    /// It did not.
    WithinLimit,
    /// The kernel killed a process because of it.
    OutOfMemory {
        /// The limit, in bytes.
        limit_bytes: u64,
        /// The most that was in use, in bytes.
        peak_bytes: u64,
    },
}

/// How this machine isolates tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IsolationKind {
    /// cgroups v1 controllers (also the hybrid layout).
    CgroupsV1,
    /// The unified cgroups v2 tree.
    CgroupsV2,
    /// Resource limits and sessions only: no root, or no cgroups.
    Posix,
}

impl IsolationKind {
    /// The name it has in the agent's attributes and in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            IsolationKind::CgroupsV1 => "cgroups-v1",
            IsolationKind::CgroupsV2 => "cgroups-v2",
            IsolationKind::Posix => "posix",
        }
    }
}

/// A record that does not fit the protocol.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// It announces more bytes than [`MAX_RECORD_BYTES`].
    #[error("a record of {0} bytes is longer than the {MAX_RECORD_BYTES} that are accepted")]
    TooLong(usize),
    /// It is not a message of this protocol.
    #[error("a record cannot be read")]
    Malformed(#[source] serde_json::Error),
}

/// Appends `message` as one record to `out`.
pub fn encode<M: Serialize>(message: &M, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    serde_json::to_writer(&mut *out, message).map_err(FrameError::Malformed)?;
    let length = out.len() - start - 4;
    let header =
        u32::try_from(length).ok().filter(|_| length <= MAX_RECORD_BYTES).ok_or(FrameError::TooLong(length))?;
    out[start..start + 4].copy_from_slice(&header.to_be_bytes());
    Ok(())
}

/// Takes the first whole record from `buffer`; `None` when more bytes are needed.
pub fn decode<M: for<'a> Deserialize<'a>>(buffer: &mut BytesMut) -> Result<Option<M>, FrameError> {
    let Some(header) = buffer.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*header) as usize;
    if length > MAX_RECORD_BYTES {
        return Err(FrameError::TooLong(length));
    }
    let Some(payload) = buffer.get(4..4 + length) else {
        return Ok(None);
    };
    let message = serde_json::from_slice(payload).map_err(FrameError::Malformed)?;
    buffer.advance(4 + length);
    Ok(Some(message))
}

#[cfg(test)]
mod tests {
    use bytes::BufMut;

    use super::*;

    #[test]
    fn records_survive_any_split() {
        let sent = [
            Request::Hello { protocol: PROTOCOL },
            Request::Stop,
            Request::Forget(vec![ContainerId::new("a-1").unwrap()]),
        ];
        let mut wire = Vec::new();
        for message in &sent {
            encode(message, &mut wire).unwrap();
        }
        let mut buffer = BytesMut::new();
        let mut received = Vec::new();
        for byte in wire {
            buffer.put_u8(byte);
            while let Some(message) = decode::<Request>(&mut buffer).unwrap() {
                received.push(message);
            }
        }
        assert_eq!(received, sent);
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_giant_record_is_refused_before_it_is_read() {
        let mut buffer = BytesMut::from(&u32::MAX.to_be_bytes()[..]);
        assert!(matches!(decode::<Request>(&mut buffer), Err(FrameError::TooLong(_))));
    }

    #[test]
    fn a_container_id_cannot_leave_its_directory() {
        for bad in ["", "..", "a/b", "a\0b", "a b"] {
            assert!(ContainerId::new(bad).is_err(), "{bad:?}");
        }
    }
}
