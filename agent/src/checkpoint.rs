//! What the agent keeps on disk to recognise itself and its tasks after a restart.
//!
//! `meta/agent.json` is the agent's identity, replaced by write and rename. `meta/tasks.journal` tells of all tasks and executors: a line that begins
//! one with everything about it, a line for each thing that happened to it, a line when it is forgotten. It is written anew when most of
//! it is history, so it stays in proportion to the tasks there are. A line that is not as it was written is an error: its task is not
//! adopted, and what was said of it is put aside for people to look at. So is a damaged identity, and then none of the tasks is adopted.

mod graph;
mod load;
#[cfg(test)]
mod tests;

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use attica_core_api::link::StatusUpdate;
use attica_core_api::v1::{
    AgentId, AgentInfo, CheckStatusInfo, ExecutorInfo, FrameworkId, FrameworkInfo, HttpAnswer, TaskInfo, TaskState,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub(crate) use self::graph::{GraphStage, GraphVerdict, ProcessStanding, RunPhase, StageStanding};
pub(crate) use self::load::{Loaded, Lost, Unusable};
use crate::daemon::Containerizer;
use crate::image::Provisioned;
use crate::journal::{self, Journal};
use crate::launcher::protocol::ContainerId;
use crate::network::Attachment;
use crate::seal;
use crate::supervisor::Excess;

/// The form of the files that this build writes and reads.
const FORMAT: u32 = 2;
/// Pause after the tasks could not be written anew.
const REPLACE_PAUSE: Duration = Duration::from_secs(1);

/// What an identity that is not as it was written is renamed to.
const DAMAGED_AGENT: &str = "agent.damaged";

/// Who the agent was before its start.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Past {
    /// No master has ever known it.
    None,
    Known(Box<AgentRecord>),
    /// That was written down, and is not to be trusted any more.
    Damaged,
}

/// The agent's identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AgentRecord {
    pub(crate) format: u32,
    /// Given by the master.
    pub(crate) agent_id: AgentId,
    /// As it was registered, without the id.
    pub(crate) info: AgentInfo,
    /// The highest epoch seen.
    pub(crate) epoch: u64,
    /// Names the boot of the machine.
    pub(crate) boot_id: String,
}

impl AgentRecord {
    pub(crate) fn new(agent_id: AgentId, info: AgentInfo, epoch: u64, boot_id: String) -> AgentRecord {
        AgentRecord { format: FORMAT, agent_id, info, epoch, boot_id }
    }
}

/// What begins a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskRecord {
    pub(crate) format: u32,
    pub(crate) container: ContainerId,
    pub(crate) framework_id: FrameworkId,
    pub(crate) framework: Arc<FrameworkInfo>,
    pub(crate) task: Arc<TaskInfo>,
    /// The container of its executor, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) executor: Option<ContainerId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<Arc<GroupRecord>>,
    /// Who runs its container.
    #[serde(default, skip_serializing_if = "Containerizer::is_launcher")]
    pub(crate) containerizer: Containerizer,
}

/// What tasks of one group have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupRecord {
    /// Names the group.
    pub(crate) id: uuid::Uuid,
    /// Stands for the container of the executor, which is the agent's own and has none; absent when it is a custom one.
    pub(crate) run: Option<ContainerId>,
    pub(crate) executor: ExecutorInfo,
}

/// What begins an executor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ExecutorRecord {
    pub(crate) format: u32,
    pub(crate) container: ContainerId,
    pub(crate) framework_id: FrameworkId,
    pub(crate) framework: FrameworkInfo,
    pub(crate) agent_id: AgentId,
    pub(crate) executor: ExecutorInfo,
    /// What it proves with that it is this executor, if that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
}

/// Why an executor is ended by the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EndCause {
    /// Its framework, the master or the agent's own end wants it.
    Shutdown,
    /// It did not subscribe in time after it was started.
    NotRegistered,
    /// It did not subscribe in time after the agent was started.
    NotReregistered,
    /// It, or what it runs, has taken more than they were given.
    Exceeded(Excess),
}

/// What happened to an executor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExecutorEntry {
    /// Its program runs.
    Started,
    /// It is to be ended.
    Ending(EndCause),
    /// It has this network.
    Attached(Box<Attachment>),
    /// Its root is made of this image.
    Provisioned(Box<Provisioned>),
    /// It has these devices for itself and its tasks.
    Devices(Vec<PathBuf>),
}

impl TaskRecord {
    pub(crate) fn new(
        container: ContainerId,
        framework_id: FrameworkId,
        framework: Arc<FrameworkInfo>,
        task: Arc<TaskInfo>,
        executor: Option<ContainerId>,
        group: Option<Arc<GroupRecord>>,
    ) -> TaskRecord {
        let containerizer = Containerizer::default();
        TaskRecord { format: FORMAT, container, framework_id, framework, task, executor, group, containerizer }
    }

    /// Of a task that this one runs.
    pub(crate) fn run_by(self, containerizer: Containerizer) -> TaskRecord {
        TaskRecord { containerizer, ..self }
    }
}

impl ExecutorRecord {
    pub(crate) fn new(
        container: ContainerId,
        framework_id: FrameworkId,
        framework: FrameworkInfo,
        agent_id: AgentId,
        executor: ExecutorInfo,
        token: Option<String>,
    ) -> ExecutorRecord {
        ExecutorRecord { format: FORMAT, container, framework_id, framework, agent_id, executor, token }
    }
}

/// Who wants a task killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KillCause {
    /// Its framework, through the master.
    Requested,
    /// Its health check.
    Unhealthy,
    /// The end of another task of its group.
    Group,
    /// It has taken as long as it may.
    TimeOver,
    /// The agent, which is to end.
    Shutdown,
    /// It has taken more than it was given.
    Exceeded(Excess),
}

/// What happened to a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TaskEntry {
    /// A status update was made.
    Update(Box<StatusUpdate>),
    /// The master has committed the update with this UUID.
    Acknowledged(#[serde(with = "as_hex")] Bytes),
    /// The image that its root is made of is here.
    Provisioned(Box<Provisioned>),
    /// The task is to be killed.
    Killing { cause: KillCause, grace_ms: u64 },
    /// It has this network.
    Attached(Box<Attachment>),
    /// These devices are its own.
    Devices(Vec<PathBuf>),
    /// How the process at this place of the task's graph stands.
    Process { place: usize, standing: Box<ProcessStanding> },
    /// How the graph stands as a whole.
    Stage(StageStanding),
    /// Where the task stands, after everything that was said before: history that is not kept led there.
    Standing(Box<TaskStanding>),
}

/// What is left of a task's history when its journal is written anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskStanding {
    /// Of the latest update.
    pub(crate) state: TaskState,
    /// How many updates were made.
    pub(crate) updates: u64,
    /// When it began to run, in seconds since 1970.
    pub(crate) running_since: Option<f64>,
    /// Of its health checks, in their order.
    pub(crate) checks: Vec<CheckStanding>,
    /// The latest updates of its executor, which may repeat them; by UUID, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) heard: Vec<uuid::Uuid>,
}

/// What a health check has found so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct CheckStanding {
    /// In a row, since the last success.
    pub(crate) failures: u32,
    /// Its latest result that counted.
    pub(crate) healthy: Option<bool>,
    /// Whether it ever succeeded, which ends the grace period.
    pub(crate) succeeded: bool,
    /// Why it is not healthy.
    pub(crate) message: Option<String>,
    /// When it was last told of, in seconds since 1970.
    pub(crate) seconds: f64,
    /// What `TaskInfo.check` found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) found: Option<CheckStatusInfo>,
    /// What was answered, where that is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) response: Option<HttpAnswer>,
}

/// A line of the journal; which task or executor it is about stands before it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told<Record, Entry, Executor> {
    Begun(Record),
    Happened(Entry),
    ExecutorBegun(Executor),
    ExecutorHappened(ExecutorEntry),
    Forgotten,
}

type Line<'a> = Told<&'a TaskRecord, &'a TaskEntry, &'a ExecutorRecord>;

mod as_hex {
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(uuid: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        let uuid = uuid::Uuid::from_slice(uuid).map_err(serde::ser::Error::custom)?;
        serializer.collect_str(&uuid.simple())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        let uuid = uuid::Uuid::parse_str(&text).map_err(D::Error::custom)?;
        Ok(Bytes::copy_from_slice(uuid.as_bytes()))
    }
}

/// A task as the journal tells of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TaskHistory {
    pub(crate) record: TaskRecord,
    pub(crate) entries: Vec<TaskEntry>,
}

/// An executor as the journal tells of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExecutorHistory {
    pub(crate) record: ExecutorRecord,
    pub(crate) entries: Vec<ExecutorEntry>,
}

/// Whatever has a container.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum History {
    Task(Box<TaskHistory>),
    Executor(Box<ExecutorHistory>),
}

impl History {
    fn container(&self) -> &ContainerId {
        match self {
            History::Task(task) => &task.record.container,
            History::Executor(executor) => &executor.record.container,
        }
    }
}

/// A checkpoint that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckpointError {
    #[error("cannot {action} the checkpoint {path}")]
    File {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the checkpoint {path} is corrupt in line {line}")]
    Corrupt {
        path: PathBuf,
        line: usize,
        #[source]
        source: serde_json::Error,
    },
    #[error("the checkpoint {path} is not as it was written in line {line}")]
    Damaged { path: PathBuf, line: usize },
    #[error("the checkpoint {path} has format {found}; this program reads format {FORMAT}")]
    Format { path: PathBuf, found: u32 },
    #[error("line {line} of the checkpoint {path} is not as it was written, and does not tell of which task it is")]
    Nameless { path: PathBuf, line: usize },
    #[error("line {line} of the checkpoint {path} does not follow from what stands before it")]
    Disorder { path: PathBuf, line: usize },
    #[error("a moment ago the checkpoint {path} could not be written")]
    Lacking { path: PathBuf },
}

/// Whether the tasks' journal tells everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Completeness {
    Complete,
    /// Something could not be written. Only writing it anew helps.
    Lacking,
}

/// The directory of the checkpoints.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    agent: PathBuf,
    tasks: Journal,
    completeness: Completeness,
    /// Not before then the journal is written anew.
    replace_after: Instant,
    /// Lines for the journal.
    unwritten: Vec<u8>,
}

impl Checkpoints {
    /// Opens `<work_dir>/meta`, making it when needed; returns the tasks and executors as well.
    pub(crate) fn open(work_dir: &Path) -> Result<(Checkpoints, Loaded), CheckpointError> {
        let meta = work_dir.join("meta");
        std::fs::create_dir_all(&meta).map_err(file("make", &meta))?;
        // Environments of tasks may hold secrets.
        std::fs::set_permissions(&meta, Permissions::from_mode(0o700)).map_err(file("protect", &meta))?;
        let path = meta.join("tasks.journal");
        let (journal, text) = Journal::open(path.clone()).map_err(file("read", &path))?;
        let (found, distrusted) = load::load(&path, &text);
        for container in &distrusted {
            tracing::error!(%container, path = %path.display(), "what is written down of a container is damaged: it is put aside");
        }
        journal
            .put_aside(&text, |container| !distrusted.contains(container))
            .map_err(file("put aside a part of", &path))?;
        // What was put aside leaves the journal when it is next written to.
        let damaged = found.iter().any(Result::is_err);
        let checkpoints = Checkpoints {
            agent: meta.join("agent.json"),
            tasks: journal,
            completeness: if damaged { Completeness::Lacking } else { Completeness::Complete },
            replace_after: Instant::now(),
            unwritten: Vec::new(),
        };
        Ok((checkpoints, found))
    }

    /// Where damaged lines are put.
    pub(crate) fn aside(&self) -> PathBuf {
        self.tasks.aside()
    }

    /// The agent's identity. A damaged one is put aside.
    pub(crate) fn load_agent(&self) -> Result<Past, CheckpointError> {
        let contents = match std::fs::read(&self.agent) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Past::None),
            outcome => outcome.map_err(file("read", &self.agent))?,
        };
        let Some(text) = seal::opened(&contents) else {
            let aside = self.agent.with_file_name(DAMAGED_AGENT);
            tracing::error!(
                path = %aside.display(),
                "the agent's identity is not as it was written: it is put aside, the agent registers as a new one, and its tasks end"
            );
            std::fs::rename(&self.agent, &aside).map_err(file("put aside", &self.agent))?;
            return Ok(Past::Damaged);
        };
        let corrupt = |source| CheckpointError::Corrupt { path: self.agent.clone(), line: 1, source };
        let record: AgentRecord = serde_json::from_slice(text).map_err(corrupt)?;
        check_format(&self.agent, record.format)?;
        Ok(Past::Known(Box::new(record)))
    }

    /// Replaces the agent's identity.
    pub(crate) fn store_agent(&self, record: &AgentRecord) -> Result<(), CheckpointError> {
        let text = serde_json::to_vec(record).map_err(|error| file("write", &self.agent)(error.into()))?;
        replace(&self.agent, &seal::sealed(text))
    }

    /// Forgets the agent's identity.
    pub(crate) fn remove_agent(&self) -> Result<(), CheckpointError> {
        match std::fs::remove_file(&self.agent) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file("remove", &self.agent)(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Notes that a task begins; [`Checkpoints::write`] writes it.
    pub(crate) fn begin(&mut self, record: &TaskRecord) {
        self.note(&record.container, &Told::Begun(record));
    }

    /// Notes what happened to a task.
    pub(crate) fn add(&mut self, container: &ContainerId, entry: &TaskEntry) {
        self.note(container, &Told::Happened(entry));
    }

    /// Notes that an executor begins.
    pub(crate) fn begin_executor(&mut self, record: &ExecutorRecord) {
        self.note(&record.container, &Told::ExecutorBegun(record));
    }

    /// Notes what happened to an executor.
    pub(crate) fn add_to_executor(&mut self, container: &ContainerId, entry: &ExecutorEntry) {
        self.note(container, &Told::ExecutorHappened(entry.clone()));
    }

    /// Notes that a task or an executor is over.
    pub(crate) fn forget(&mut self, container: &ContainerId) {
        self.note(container, &Told::Forgotten);
    }

    fn note(&mut self, container: &ContainerId, told: &Line<'_>) {
        if let Err(error) = journal::push_line(container, told, &mut self.unwritten) {
            tracing::error!(%container, %error, "a checkpoint cannot be put into words");
            self.completeness = Completeness::Lacking;
        }
    }

    fn tell(&mut self, history: &History) {
        match history {
            History::Task(task) => {
                self.begin(&task.record);
                task.entries.iter().for_each(|entry| self.add(&task.record.container, entry));
            }
            History::Executor(executor) => {
                self.begin_executor(&executor.record);
                executor.entries.iter().for_each(|entry| self.add_to_executor(&executor.record.container, entry));
            }
        }
    }

    /// Writes what was noted, or everything anew from `histories`: when most of the journal is history, or something could not be written
    /// earlier. After an error nothing of what was noted is written.
    pub(crate) fn write(&mut self, histories: impl Iterator<Item = History>) -> Result<(), CheckpointError> {
        let lines = std::mem::take(&mut self.unwritten);
        let now = Instant::now();
        if (self.tasks.is_long() || self.completeness == Completeness::Lacking) && self.replace_after <= now {
            match self.write_anew(histories) {
                Ok(()) => {
                    self.completeness = Completeness::Complete;
                    return Ok(());
                }
                Err(error) if self.completeness == Completeness::Lacking => {
                    self.replace_after = now + REPLACE_PAUSE;
                    return Err(error);
                }
                Err(_) => self.replace_after = now + REPLACE_PAUSE,
            }
        }
        match self.completeness {
            Completeness::Complete => self.tasks.append(&lines).map_err(|error| {
                self.completeness = Completeness::Lacking;
                file("write", self.tasks.path())(error)
            }),
            Completeness::Lacking => Err(CheckpointError::Lacking { path: self.tasks.path().to_owned() }),
        }
    }

    fn write_anew(&mut self, histories: impl Iterator<Item = History>) -> Result<(), CheckpointError> {
        histories.for_each(|history| self.tell(&history));
        let lines = std::mem::take(&mut self.unwritten);
        self.tasks.replace(&lines).map_err(|error| file("write", self.tasks.path())(error))
    }
}

fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CheckpointError {
    move |source| CheckpointError::File { action, path: path.to_owned(), source }
}

fn replace(path: &Path, contents: &[u8]) -> Result<(), CheckpointError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}"));
    std::fs::write(&temporary, contents).and_then(|()| std::fs::rename(&temporary, path)).map_err(file("write", path))
}

fn check_format(path: &Path, found: u32) -> Result<(), CheckpointError> {
    if found == FORMAT { Ok(()) } else { Err(CheckpointError::Format { path: path.to_owned(), found }) }
}
