//! What a journal tells of tasks and executors, and of which of them it does not tell what was written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{
    CheckpointError, ExecutorHistory, ExecutorRecord, History, TaskEntry, TaskHistory, TaskRecord, Told, check_format,
};
use crate::journal;
use crate::launcher::protocol::ContainerId;

/// A task or an executor that is not adopted.
#[derive(Debug)]
pub(crate) struct Unusable {
    pub(crate) error: CheckpointError,
    /// None: it is not known which.
    pub(crate) container: Option<ContainerId>,
    /// What began it, if it is a task of which that is as it was written.
    pub(crate) record: Option<Box<TaskRecord>>,
}

/// A task that is not adopted, for its framework to hear why.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lost {
    pub(crate) record: TaskRecord,
    pub(crate) why: String,
}

/// The tasks and executors of a journal.
pub(crate) type Loaded = Vec<Result<History, Unusable>>;

/// From now on it cannot be used, unless that was so before.
fn spoil(history: &mut Result<History, Unusable>, error: CheckpointError) {
    let Ok(sound) = history else { return };
    let record = match sound {
        History::Task(task) => Some(Box::new(task.record.clone())),
        History::Executor(_) => None,
    };
    *history = Err(Unusable { error, container: Some(sound.container().clone()), record });
}

/// Folds the lines of a journal, in the order in which what they tell of began. With those containers of which something is damaged.
pub(super) fn load(path: &Path, text: &[u8]) -> (Loaded, BTreeSet<ContainerId>) {
    let mut found: BTreeMap<ContainerId, (usize, Result<History, Unusable>)> = BTreeMap::new();
    let unusable =
        |container: &ContainerId, error| Unusable { error, container: Some(container.clone()), record: None };
    let mut nameless = Vec::new();
    for line in journal::lines(text) {
        let damaged = || CheckpointError::Damaged { path: path.to_owned(), line: line.number };
        let (container, json) = match line.read() {
            Ok(parts) => parts,
            Err(damage) => {
                let suspects = damage.suspects(found.keys());
                if suspects.is_empty() {
                    let error = CheckpointError::Nameless { path: path.to_owned(), line: line.number };
                    nameless.push(Err(Unusable { error, container: None, record: None }));
                }
                for container in suspects {
                    let unheard_of = || (line.number, Err(unusable(&container, damaged())));
                    let (_, history) = found.entry(container.clone()).or_insert_with(unheard_of);
                    spoil(history, damaged());
                }
                continue;
            }
        };
        let disorder = || CheckpointError::Disorder { path: path.to_owned(), line: line.number };
        let told = serde_json::from_slice(json);
        let corrupt = |source| CheckpointError::Corrupt { path: path.to_owned(), line: line.number, source };
        match (told.map_err(corrupt), found.get_mut(&container)) {
            (Ok(Told::Forgotten), _) => drop(found.remove(&container)),
            (_, Some((_, Err(_)))) => {}
            (Ok(Told::Happened(entry)), Some((_, Ok(History::Task(task))))) => task.entries.push(entry),
            (Ok(Told::ExecutorHappened(entry)), Some((_, Ok(History::Executor(executor))))) => {
                executor.entries.push(entry);
            }
            (Ok(_), Some((_, history))) => spoil(history, disorder()),
            (Err(error), Some((_, history))) => spoil(history, error),
            (told, None) => {
                let begun = told.and_then(|told| begin(path, told)?.ok_or_else(disorder));
                let begun =
                    begun.and_then(|begun| (*begun.container() == container).then_some(begun).ok_or_else(disorder));
                let begun = begun.map_err(|error| unusable(&container, error));
                found.insert(container, (line.number, begun));
            }
        }
    }
    let damaged = found.iter().filter(|(_, (_, history))| history.is_err()).map(|(container, _)| container.clone());
    let damaged = damaged.collect();
    let mut found: Vec<_> = found.into_values().collect();
    found.sort_by_key(|(line, _)| *line);
    (found.into_iter().map(|(_, history)| history).chain(nameless).collect(), damaged)
}

/// What a line begins; `None` when it does not begin anything.
fn begin(path: &Path, told: Told<TaskRecord, TaskEntry, ExecutorRecord>) -> Result<Option<History>, CheckpointError> {
    match told {
        Told::Begun(record) => {
            check_format(path, record.format)?;
            Ok(Some(History::Task(Box::new(TaskHistory { record, entries: Vec::new() }))))
        }
        Told::ExecutorBegun(record) => {
            check_format(path, record.format)?;
            Ok(Some(History::Executor(Box::new(ExecutorHistory { record, entries: Vec::new() }))))
        }
        Told::Happened(_) | Told::ExecutorHappened(_) | Told::Forgotten => Ok(None),
    }
}
