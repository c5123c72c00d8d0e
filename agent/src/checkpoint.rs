//! What the agent keeps on disk to recognise itself and its tasks after a restart.
//!
//! `meta/agent.json` is the agent's identity, replaced by write and rename. `meta/tasks.journal` tells of all tasks: a line that begins
//! one with everything about it, a line for each thing that happened to it, a line when it is forgotten. It is written anew when most of
//! it is history, so it stays in proportion to the tasks there are. A line that cannot be read is an error: its task is not adopted,
//! and what was said of it is put aside for people to look at.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use attica_core_api::link::StatusUpdate;
use attica_core_api::v1::{AgentId, AgentInfo, FrameworkId, FrameworkInfo, TaskInfo, TaskState};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::journal::{self, Journal};
use crate::launcher::protocol::ContainerId;

/// The form of the files that this build writes and reads.
const FORMAT: u32 = 1;
/// Pause after the tasks could not be written anew.
const REPLACE_PAUSE: Duration = Duration::from_secs(1);

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

/// What happened to a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TaskEntry {
    /// A status update was made.
    Update(Box<StatusUpdate>),
    /// The master has committed the update with this UUID.
    Acknowledged(#[serde(with = "as_hex")] Bytes),
    /// The task is to be killed.
    Killing { cause: KillCause, grace_ms: u64 },
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
}

/// A line of the tasks' journal; which task it is about stands before it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told<Record, Entry> {
    Begun(Record),
    Happened(Entry),
    Forgotten,
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

/// A task as the journal tells of it.
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
    #[error("line {line} of the checkpoint {path} names no task")]
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

/// The tasks of a journal; one that cannot be used comes as an error.
pub(crate) type LoadedTasks = Vec<Result<TaskHistory, CheckpointError>>;

impl Checkpoints {
    /// Opens `<work_dir>/meta`, making it when needed; returns the tasks as well.
    pub(crate) fn open(work_dir: &Path) -> Result<(Checkpoints, LoadedTasks), CheckpointError> {
        let meta = work_dir.join("meta");
        std::fs::create_dir_all(&meta).map_err(file("make", &meta))?;
        // Environments of tasks may hold secrets.
        std::fs::set_permissions(&meta, Permissions::from_mode(0o700)).map_err(file("protect", &meta))?;
        let path = meta.join("tasks.journal");
        let (journal, text) = Journal::open(path.clone()).map_err(file("read", &path))?;
        let checkpoints = Checkpoints {
            agent: meta.join("agent.json"),
            tasks: journal,
            completeness: Completeness::Complete,
            replace_after: Instant::now(),
            unwritten: Vec::new(),
        };
        let tasks = load_tasks(&path, &text)?;
        Ok((checkpoints, tasks))
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
        match std::fs::remove_file(&self.agent) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file("remove", &self.agent)(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Notes that a task begins; [`Checkpoints::write`] writes it.
    pub(crate) fn begin(&mut self, record: &TaskRecord) {
        self.note(&record.container, &Told::<_, &TaskEntry>::Begun(record));
    }

    /// Notes what happened to a task.
    pub(crate) fn add(&mut self, container: &ContainerId, entry: &TaskEntry) {
        self.note(container, &Told::<&TaskRecord, _>::Happened(entry));
    }

    /// Notes that a task is over.
    pub(crate) fn forget(&mut self, container: &ContainerId) {
        self.note(container, &Told::<&TaskRecord, &TaskEntry>::Forgotten);
    }

    fn note(&mut self, container: &ContainerId, told: &Told<impl Serialize, impl Serialize>) {
        if let Err(error) = journal::push_line(container, told, &mut self.unwritten) {
            tracing::error!(%container, %error, "a checkpoint cannot be put into words");
            self.completeness = Completeness::Lacking;
        }
    }

    /// Writes what was noted, or everything anew from `tasks`: when most of the journal is history, or something could not be written
    /// earlier. After an error nothing of what was noted is written.
    pub(crate) fn write(&mut self, tasks: impl Iterator<Item = TaskHistory>) -> Result<(), CheckpointError> {
        let lines = std::mem::take(&mut self.unwritten);
        let now = Instant::now();
        if (self.tasks.is_long() || self.completeness == Completeness::Lacking) && self.replace_after <= now {
            match self.write_anew(tasks) {
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

    fn write_anew(&mut self, tasks: impl Iterator<Item = TaskHistory>) -> Result<(), CheckpointError> {
        for TaskHistory { record, entries } in tasks {
            self.begin(&record);
            entries.iter().for_each(|entry| self.add(&record.container, entry));
        }
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

/// Folds the lines of a journal, in the order in which their tasks began.
fn load_tasks(path: &Path, text: &[u8]) -> Result<LoadedTasks, CheckpointError> {
    let mut tasks: BTreeMap<ContainerId, (usize, Result<TaskHistory, CheckpointError>)> = BTreeMap::new();
    let mut nameless = Vec::new();
    for line in journal::lines(text) {
        let Some((container, json)) = line.parts() else {
            nameless.push(Err(CheckpointError::Nameless { path: path.to_owned(), line: line.number }));
            continue;
        };
        let disorder = || CheckpointError::Disorder { path: path.to_owned(), line: line.number };
        let told = serde_json::from_slice(json);
        let corrupt = |source| CheckpointError::Corrupt { path: path.to_owned(), line: line.number, source };
        match (told.map_err(corrupt), tasks.get_mut(&container)) {
            (Ok(Told::Forgotten), _) => drop(tasks.remove(&container)),
            (_, Some((_, Err(_)))) => {}
            (Ok(Told::Happened(entry)), Some((_, Ok(task)))) => task.entries.push(entry),
            (Ok(Told::Begun(_)), Some((_, task))) => *task = Err(disorder()),
            (Err(error), Some((_, task))) => *task = Err(error),
            (told, None) => {
                let begun =
                    told.and_then(|told| begin(path, &container, told).and_then(|task| task.ok_or_else(disorder)));
                tasks.insert(container, (line.number, begun));
            }
        }
    }
    put_aside(path, text, &|container| {
        container.is_none_or(|container| matches!(tasks.get(container), Some((_, Err(_)))))
    })?;
    let mut tasks: Vec<_> = tasks.into_values().collect();
    tasks.sort_by_key(|(line, _)| *line);
    Ok(tasks.into_iter().map(|(_, task)| task).chain(nameless).collect())
}

/// The task that a line begins; `None` when it does not begin one.
fn begin(
    path: &Path,
    container: &ContainerId,
    told: Told<TaskRecord, TaskEntry>,
) -> Result<Option<TaskHistory>, CheckpointError> {
    match told {
        Told::Begun(record) => {
            check_format(path, record.format)?;
            Ok((record.container == *container).then(|| TaskHistory { record, entries: Vec::new() }))
        }
        Told::Happened(_) | Told::Forgotten => Ok(None),
    }
}

/// Keeps the lines that `is_bad` (about this container, or about nobody one knows) in `meta/corrupt`, for people to look at.
fn put_aside(path: &Path, text: &[u8], is_bad: &dyn Fn(Option<&ContainerId>) -> bool) -> Result<(), CheckpointError> {
    let mut bad = Vec::new();
    for line in journal::lines(text) {
        if is_bad(line.parts().map(|(container, _)| container).as_ref()) {
            bad.extend_from_slice(line.text);
            bad.push(b'\n');
        }
    }
    if bad.is_empty() {
        return Ok(());
    }
    let aside = path.with_file_name("corrupt");
    std::fs::write(&aside, bad).map_err(file("put aside a part of", &aside))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(container: &str) -> TaskRecord {
        TaskRecord::new(ContainerId::new(container).unwrap(), "f".into(), FrameworkInfo::default(), TaskInfo::default())
    }

    fn history() -> TaskHistory {
        let uuid = Bytes::copy_from_slice(uuid::Uuid::from_u128(7).as_bytes());
        let update = StatusUpdate { framework_id: "f".into(), sequence: 1, ..StatusUpdate::default() };
        let standing = TaskStanding {
            state: TaskState::Running,
            updates: 9,
            running_since: Some(1.5),
            checks: vec![CheckStanding { failures: 2, healthy: Some(false), ..CheckStanding::default() }],
        };
        let entries = vec![
            TaskEntry::Update(Box::new(update)),
            TaskEntry::Killing { cause: KillCause::Requested, grace_ms: 5 },
            TaskEntry::Acknowledged(uuid),
            TaskEntry::Standing(Box::new(standing)),
        ];
        TaskHistory { record: record("c1"), entries }
    }

    fn note(checkpoints: &mut Checkpoints, task: &TaskHistory) {
        checkpoints.begin(&task.record);
        task.entries.iter().for_each(|entry| checkpoints.add(&task.record.container, entry));
    }

    fn load(directory: &Path) -> LoadedTasks {
        Checkpoints::open(directory).unwrap().1
    }

    #[test]
    fn tasks_are_read_as_they_were_written_until_they_are_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let (mut checkpoints, _) = Checkpoints::open(directory.path()).unwrap();
        let (history, other) = (history(), TaskHistory { record: record("c0"), entries: Vec::new() });
        note(&mut checkpoints, &history);
        note(&mut checkpoints, &other);
        checkpoints.write(std::iter::empty()).unwrap();
        let found: Vec<TaskHistory> = load(directory.path()).into_iter().map(Result::unwrap).collect();
        assert_eq!(found, [history.clone(), other.clone()]);
        checkpoints.forget(&history.record.container);
        checkpoints.write(std::iter::empty()).unwrap();
        let found: Vec<TaskHistory> = load(directory.path()).into_iter().map(Result::unwrap).collect();
        assert_eq!(found, [other]);
    }

    #[test]
    fn a_spoiled_line_makes_its_task_unusable_and_is_kept_for_people() {
        let directory = tempfile::tempdir().unwrap();
        let (mut checkpoints, _) = Checkpoints::open(directory.path()).unwrap();
        let good = TaskHistory { record: record("good"), entries: Vec::new() };
        note(&mut checkpoints, &history());
        note(&mut checkpoints, &good);
        checkpoints.write(std::iter::empty()).unwrap();
        let entry = r#"{"happened":{"killing":{"cause":"requested","grace_ms":1}}}"#;
        let spoiled = ["c1 {\"happened\":{\n", "nobody\n", &format!("stranger {entry}\n"), &format!("c1 {entry}\n")];
        checkpoints.tasks.append(spoiled.concat().as_bytes()).unwrap();
        let found = load(directory.path());
        assert!(
            matches!(
                &found[..],
                [
                    Err(CheckpointError::Corrupt { line: 7, .. }),
                    Ok(task),
                    Err(CheckpointError::Disorder { line: 9, .. }),
                    Err(CheckpointError::Nameless { line: 8, .. }),
                ] if *task == good
            ),
            "{found:?}"
        );
        let aside = std::fs::read_to_string(directory.path().join("meta/corrupt")).unwrap();
        assert!(spoiled.iter().all(|line| aside.contains(line)) && !aside.contains("good"), "{aside}");
    }

    #[test]
    fn what_could_not_be_written_is_made_up_for_by_writing_everything_anew() {
        let directory = tempfile::tempdir().unwrap();
        let (mut checkpoints, _) = Checkpoints::open(directory.path()).unwrap();
        let (meta, away) = (directory.path().join("meta"), directory.path().join("away"));
        std::fs::rename(&meta, &away).unwrap();
        note(&mut checkpoints, &history());
        assert!(matches!(checkpoints.write(std::iter::empty()), Err(CheckpointError::File { .. })));
        assert!(matches!(checkpoints.write(std::iter::once(history())), Err(CheckpointError::File { .. })));
        assert!(matches!(checkpoints.write(std::iter::once(history())), Err(CheckpointError::Lacking { .. })));
        std::fs::rename(&away, &meta).unwrap();
        assert!(load(directory.path()).is_empty());
        checkpoints.replace_after = Instant::now();
        checkpoints.write(std::iter::once(history())).unwrap();
        assert_eq!(load(directory.path()).pop().unwrap().unwrap(), history());
    }

    #[test]
    fn the_journal_stays_in_proportion_to_the_tasks() {
        let directory = tempfile::tempdir().unwrap();
        let (mut checkpoints, _) = Checkpoints::open(directory.path()).unwrap();
        note(&mut checkpoints, &history());
        let entry = TaskEntry::Update(Box::default());
        for _ in 0..200 {
            (0..1_000).for_each(|_| checkpoints.add(&history().record.container, &entry));
            checkpoints.write(std::iter::once(history())).unwrap();
            assert!(std::fs::metadata(checkpoints.tasks.path()).unwrap().len() < 8 << 20);
        }
        assert_eq!(checkpoints.completeness, Completeness::Complete);
    }

    #[test]
    fn an_identity_is_whole_or_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let (checkpoints, _) = Checkpoints::open(directory.path()).unwrap();
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
