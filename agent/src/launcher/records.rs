//! What the launcher writes down about each container: who its first process is and how it ended.
//!
//! A record is written before the child is allowed to execute the task's program: no program runs that a later launcher would
//! not find. The exit status is written before anybody is told of it. Both by write and rename without `fsync`: a killed
//! process loses nothing, and a reboot ends the tasks anyhow.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::protocol::{ContainerId, Ending, Process};

/// One container's record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The container.
    pub(crate) container: ContainerId,
    /// Its first process.
    pub(crate) process: Process,
    /// How the first process ended.
    pub(crate) ending: Option<Ending>,
}

/// A record that could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("cannot read the container record {path}")]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the container record {path} is torn or corrupt")]
    Corrupt {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("the container record {path} tells of another container, {found}")]
    Misplaced { path: PathBuf, found: ContainerId },
}

/// The directory of the records.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    directory: PathBuf,
}

impl Records {
    /// Opens the directory, making it when needed.
    pub(crate) fn open(directory: PathBuf) -> io::Result<Records> {
        std::fs::create_dir_all(&directory)?;
        Ok(Records { directory })
    }

    fn path(&self, container: &ContainerId) -> PathBuf {
        self.directory.join(container.as_str())
    }

    /// Writes the record, replacing an earlier one in one step.
    pub(crate) fn write(&self, record: &Record) -> io::Result<()> {
        let temporary = self.directory.join(format!(".{}", record.container));
        let mut file = std::fs::File::create(&temporary)?;
        file.write_all(&serde_json::to_vec(record)?)?;
        std::fs::rename(&temporary, self.path(&record.container))
    }

    /// Removes the record; that it is missing already is no error.
    pub(crate) fn remove(&self, container: &ContainerId) -> io::Result<()> {
        match std::fs::remove_file(self.path(container)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Every record; one that cannot be trusted comes as an error, with the name of the container it should be about.
    pub(crate) fn load(&self) -> io::Result<Vec<(ContainerId, Result<Record, RecordError>)>> {
        let mut records = Vec::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let name = entry?.file_name();
            let Some(container) = name.to_str().and_then(|name| ContainerId::new(name).ok()) else {
                // A temporary file: its writer died before it was a record.
                std::fs::remove_file(self.directory.join(&name))?;
                continue;
            };
            let record = read(&self.path(&container), &container);
            records.push((container, record));
        }
        Ok(records)
    }
}

fn read(path: &Path, container: &ContainerId) -> Result<Record, RecordError> {
    let text = std::fs::read(path).map_err(|source| RecordError::Unreadable { path: path.to_owned(), source })?;
    let record: Record =
        serde_json::from_slice(&text).map_err(|source| RecordError::Corrupt { path: path.to_owned(), source })?;
    if record.container != *container {
        return Err(RecordError::Misplaced { path: path.to_owned(), found: record.container });
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launcher::protocol::{Exit, MemoryVerdict};

    #[test]
    fn a_record_is_replaced_in_one_step_and_a_torn_one_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let records = Records::open(directory.path().join("containers")).unwrap();
        let container = ContainerId::new("c1").unwrap();
        let mut record =
            Record { container: container.clone(), process: Process { pid: 7, start_ticks: 9 }, ending: None };
        records.write(&record).unwrap();
        record.ending = Some(Ending { exit: Exit::Code(3), memory: MemoryVerdict::WithinLimit });
        records.write(&record).unwrap();
        assert_eq!(records.load().unwrap().pop().unwrap().1.unwrap(), record);

        let whole = std::fs::read(records.path(&container)).unwrap();
        for length in 0..whole.len() {
            std::fs::write(records.path(&container), &whole[..length]).unwrap();
            assert!(
                matches!(records.load().unwrap().pop().unwrap().1, Err(RecordError::Corrupt { .. })),
                "{length} bytes"
            );
        }
        std::fs::write(directory.path().join("containers/c2"), &whole).unwrap();
        assert!(
            records.load().unwrap().into_iter().any(|(_, record)| matches!(record, Err(RecordError::Misplaced { .. })))
        );
    }
}
