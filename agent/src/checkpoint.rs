//! What the agent keeps on disk to recognise itself and its tasks after a restart.
//!
//! `meta/agent.json` is the agent's identity, replaced by write and rename. `meta/tasks/<container>` is one task: a first
//! line with everything about it (written under another name and renamed), then a line for each thing that happened. A last
//! line without its line feed was never finished and nothing was done because of it, so it does not count and is removed; anything
//! else that cannot be read is an error, and the task is not adopted.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use attica_core_api::link::StatusUpdate;
use attica_core_api::v1::{AgentId, AgentInfo, FrameworkId, FrameworkInfo, TaskInfo};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::launcher::protocol::ContainerId;

/// The form of the files that this build writes and reads.
const FORMAT: u32 = 1;

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

/// The first line of a task's file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskRecord {
    pub(crate) format: u32,
    pub(crate) container: ContainerId,
    pub(crate) framework_id: FrameworkId,
    pub(crate) framework: FrameworkInfo,
    pub(crate) task: TaskInfo,
}

impl TaskRecord {
    pub(crate) fn new(
        container: ContainerId,
        framework_id: FrameworkId,
        framework: FrameworkInfo,
        task: TaskInfo,
    ) -> TaskRecord {
        TaskRecord { format: FORMAT, container, framework_id, framework, task }
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
    /// The agent, which is to end.
    Shutdown,
}

/// One of the following lines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TaskEntry {
    /// A status update was made.
    Update(Box<StatusUpdate>),
    /// The master has committed the update with this UUID.
    Acknowledged(#[serde(with = "as_hex")] Bytes),
    /// The task is to be killed.
    Killing { cause: KillCause, grace_ms: u64 },
}

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

/// A task as its file tells of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TaskHistory {
    pub(crate) record: TaskRecord,
    pub(crate) entries: Vec<TaskEntry>,
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
    #[error("the checkpoint {path} has format {found}; this program reads format {FORMAT}")]
    Format { path: PathBuf, found: u32 },
    #[error("the checkpoint {path} is torn: it has no whole line")]
    Torn { path: PathBuf },
    #[error("the checkpoint {path} tells of another container, {found}")]
    Misplaced { path: PathBuf, found: ContainerId },
}

/// The directory of the checkpoints.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoints {
    agent: PathBuf,
    tasks: PathBuf,
    /// Where files that cannot be used are put, for people to look at.
    corrupt: PathBuf,
}

impl Checkpoints {
    /// Opens `<work_dir>/meta`, making it when needed.
    pub(crate) fn open(work_dir: &Path) -> Result<Checkpoints, CheckpointError> {
        let meta = work_dir.join("meta");
        let checkpoints =
            Checkpoints { agent: meta.join("agent.json"), tasks: meta.join("tasks"), corrupt: meta.join("corrupt") };
        std::fs::create_dir_all(&checkpoints.tasks).map_err(file("make", &checkpoints.tasks))?;
        // Environments of tasks may hold secrets.
        std::fs::set_permissions(&meta, Permissions::from_mode(0o700)).map_err(file("protect", &meta))?;
        Ok(checkpoints)
    }

    /// The agent's identity; `None` when it never had one.
    pub(crate) fn load_agent(&self) -> Result<Option<AgentRecord>, CheckpointError> {
        let text = match std::fs::read(&self.agent) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            outcome => outcome.map_err(file("read", &self.agent))?,
        };
        let record: AgentRecord = serde_json::from_slice(&text).map_err(|source| CheckpointError::Corrupt {
            path: self.agent.clone(),
            line: 1,
            source,
        })?;
        check_format(&self.agent, record.format)?;
        Ok(Some(record))
    }

    /// Replaces the agent's identity.
    pub(crate) fn store_agent(&self, record: &AgentRecord) -> Result<(), CheckpointError> {
        replace(&self.agent, &serde_json::to_vec(record).map_err(|error| file("write", &self.agent)(error.into()))?)
    }

    /// Forgets the agent's identity.
    pub(crate) fn remove_agent(&self) -> Result<(), CheckpointError> {
        remove(&self.agent)
    }

    fn path(&self, container: &ContainerId) -> PathBuf {
        self.tasks.join(container.as_str())
    }

    /// Begins a task's file.
    pub(crate) fn create_task(&self, record: &TaskRecord) -> Result<(), CheckpointError> {
        let path = self.path(&record.container);
        replace(&path, &line(record).map_err(file("write", &path))?)
    }

    /// Adds a line to a task's file. After an error the file is as it was.
    pub(crate) fn append(&self, container: &ContainerId, entry: &TaskEntry) -> Result<(), CheckpointError> {
        let path = self.path(container);
        let open = || OpenOptions::new().append(true).open(&path);
        let write = |mut file: File| {
            let length = file.metadata()?.len();
            file.write_all(&line(entry)?).inspect_err(|_| {
                // A part of a line would spoil the next one.
                let _still_torn = file.set_len(length);
            })
        };
        open().and_then(write).map_err(file("write", &path))
    }

    /// Removes a task's file.
    pub(crate) fn remove_task(&self, container: &ContainerId) -> Result<(), CheckpointError> {
        remove(&self.path(container))
    }

    /// Every task; a file that cannot be used is put aside and comes as an error.
    pub(crate) fn load_tasks(&self) -> Result<Vec<Result<TaskHistory, CheckpointError>>, CheckpointError> {
        let mut tasks = Vec::new();
        for entry in std::fs::read_dir(&self.tasks).map_err(file("list", &self.tasks))? {
            let name = entry.map_err(file("list", &self.tasks))?.file_name();
            let path = self.tasks.join(&name);
            let Some(container) = name.to_str().and_then(|name| ContainerId::new(name).ok()) else {
                // A temporary file: its writer died before it was a checkpoint.
                remove(&path)?;
                continue;
            };
            let task = load_task(&path, &container);
            if task.is_err() {
                std::fs::create_dir_all(&self.corrupt).map_err(file("make", &self.corrupt))?;
                std::fs::rename(&path, self.corrupt.join(&name)).map_err(file("put aside", &path))?;
            }
            tasks.push(task);
        }
        Ok(tasks)
    }
}

fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CheckpointError {
    move |source| CheckpointError::File { action, path: path.to_owned(), source }
}

fn line<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

fn replace(path: &Path, contents: &[u8]) -> Result<(), CheckpointError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}"));
    std::fs::write(&temporary, contents).and_then(|()| std::fs::rename(&temporary, path)).map_err(file("write", path))
}

fn remove(path: &Path) -> Result<(), CheckpointError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file("remove", path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn check_format(path: &Path, found: u32) -> Result<(), CheckpointError> {
    if found == FORMAT { Ok(()) } else { Err(CheckpointError::Format { path: path.to_owned(), found }) }
}

fn load_task(path: &Path, container: &ContainerId) -> Result<TaskHistory, CheckpointError> {
    let text = std::fs::read(path).map_err(file("read", path))?;
    let mut lines = text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    let first = lines.next().ok_or_else(|| CheckpointError::Torn { path: path.to_owned() })?;
    let corrupt = |line| move |source| CheckpointError::Corrupt { path: path.to_owned(), line, source };
    let record: TaskRecord = serde_json::from_slice(first).map_err(corrupt(1))?;
    check_format(path, record.format)?;
    if record.container != *container {
        return Err(CheckpointError::Misplaced { path: path.to_owned(), found: record.container });
    }
    let entries = lines
        .enumerate()
        .map(|(index, line)| serde_json::from_slice(line).map_err(corrupt(index + 2)))
        .collect::<Result<_, _>>()?;
    cut_torn_line(path, &text).map_err(file("mend", path))?;
    Ok(TaskHistory { record, entries })
}

/// Removes a last line that was never finished: the next one would continue it, and spoil both.
pub(crate) fn cut_torn_line(path: &Path, text: &[u8]) -> io::Result<()> {
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    if whole == text.len() {
        return Ok(());
    }
    OpenOptions::new().write(true).open(path)?.set_len(whole as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> TaskHistory {
        let record =
            TaskRecord::new(ContainerId::new("c1").unwrap(), "f".into(), FrameworkInfo::default(), TaskInfo::default());
        let uuid = Bytes::copy_from_slice(uuid::Uuid::from_u128(7).as_bytes());
        let update = StatusUpdate { framework_id: "f".into(), sequence: 1, ..StatusUpdate::default() };
        let entries = vec![
            TaskEntry::Update(Box::new(update)),
            TaskEntry::Killing { cause: KillCause::Requested, grace_ms: 5 },
            TaskEntry::Acknowledged(uuid),
        ];
        TaskHistory { record, entries }
    }

    #[test]
    fn a_task_is_read_as_it_was_written_and_torn_anywhere_it_is_never_another() {
        let directory = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::open(directory.path()).unwrap();
        let history = history();
        let container = &history.record.container;
        checkpoints.create_task(&history.record).unwrap();
        for entry in &history.entries {
            checkpoints.append(container, entry).unwrap();
        }
        assert_eq!(checkpoints.load_tasks().unwrap().pop().unwrap().unwrap(), history);

        let whole = std::fs::read(checkpoints.path(container)).unwrap();
        for length in 0..whole.len() {
            std::fs::write(checkpoints.path(container), &whole[..length]).unwrap();
            let whole_lines = whole[..length].iter().filter(|byte| **byte == b'\n').count();
            match checkpoints.load_tasks().unwrap().pop().unwrap() {
                Err(CheckpointError::Torn { .. }) => assert_eq!(whole_lines, 0),
                Ok(found) => {
                    assert_eq!(found.record, history.record);
                    assert_eq!(found.entries, history.entries[..whole_lines - 1]);
                    let next = TaskEntry::Killing { cause: KillCause::Shutdown, grace_ms: 1 };
                    checkpoints.append(container, &next).unwrap();
                    let again = checkpoints.load_tasks().unwrap().pop().unwrap().unwrap();
                    assert_eq!(again.entries, [&found.entries[..], &[next]].concat());
                }
                Err(other) => panic!("{length} bytes: {other}"),
            }
        }
    }

    #[test]
    fn a_spoiled_line_makes_the_whole_task_unusable_and_is_kept_for_people() {
        let directory = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::open(directory.path()).unwrap();
        let history = history();
        checkpoints.create_task(&history.record).unwrap();
        let path = checkpoints.path(&history.record.container);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"upd\n").unwrap();
        assert!(matches!(
            checkpoints.load_tasks().unwrap().pop().unwrap(),
            Err(CheckpointError::Corrupt { line: 2, .. })
        ));
        assert!(checkpoints.load_tasks().unwrap().is_empty());
        assert!(directory.path().join("meta/corrupt/c1").exists());
    }

    #[test]
    fn an_identity_is_whole_or_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::open(directory.path()).unwrap();
        assert_eq!(checkpoints.load_agent().unwrap(), None);
        let record = AgentRecord::new("a-S0".into(), AgentInfo::default(), 4, "boot".to_owned());
        checkpoints.store_agent(&record).unwrap();
        assert_eq!(checkpoints.load_agent().unwrap(), Some(record));
        let whole = std::fs::read(&checkpoints.agent).unwrap();
        std::fs::write(&checkpoints.agent, &whole[..whole.len() - 1]).unwrap();
        assert!(matches!(checkpoints.load_agent(), Err(CheckpointError::Corrupt { .. })));
        let newer = String::from_utf8(whole).unwrap().replacen("\"format\":1", "\"format\":2", 1);
        std::fs::write(&checkpoints.agent, newer).unwrap();
        assert!(matches!(checkpoints.load_agent(), Err(CheckpointError::Format { found: 2, .. })));
    }
}
