//! What the launcher writes down about each container: who its first process is and how it ended.
//!
//! A record is a file with a line for each. The first is written before the child is allowed to execute the task's program: no
//! program runs that a later launcher would not find. The second is written before anybody is told of it. A last line without its
//! line feed was never finished, does not count and is removed. Nothing is synced: a killed process loses nothing, and a reboot
//! ends the tasks anyhow: a record of an earlier boot is none, because its process id and start time may be a stranger's by now. (Lines are appended rather than files replaced because making files where others were just removed is
//! slow on ext4.)

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::protocol::{ContainerId, Ending, Process};
use crate::checkpoint::cut_torn_line;

/// One container's record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    /// The container.
    pub(crate) container: ContainerId,
    /// Its first process.
    pub(crate) process: Process,
    /// How the first process ended.
    pub(crate) ending: Option<Ending>,
}

/// The first line of a record.
#[derive(Serialize, Deserialize)]
struct Birth {
    container: ContainerId,
    boot_id: String,
    process: Process,
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
    #[error("the container record {path} is torn: it has no whole line")]
    Torn { path: PathBuf },
    #[error("the container record {path} is corrupt")]
    Corrupt {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("the container record {path} tells of another container, {found}")]
    Misplaced { path: PathBuf, found: ContainerId },
    #[error("the container record {path} is of an earlier boot of the machine")]
    EarlierBoot { path: PathBuf },
}

/// The directory of the records.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    directory: PathBuf,
    /// Names this boot of the machine.
    boot_id: String,
}

impl Records {
    /// Opens the directory, making it when needed.
    pub(crate) fn open(directory: PathBuf, boot_id: String) -> io::Result<Records> {
        std::fs::create_dir_all(&directory)?;
        Ok(Records { directory, boot_id })
    }

    fn path(&self, container: &ContainerId) -> PathBuf {
        self.directory.join(container.as_str())
    }

    /// Begins the record of a container that has none.
    pub(crate) fn begin(&self, container: &ContainerId, process: Process) -> io::Result<()> {
        let file = File::options().write(true).create_new(true).open(self.path(container))?;
        write_line(file, &Birth { container: container.clone(), boot_id: self.boot_id.clone(), process })
    }

    /// Completes a record.
    pub(crate) fn complete(&self, container: &ContainerId, ending: Ending) -> io::Result<()> {
        write_line(File::options().append(true).open(self.path(container))?, &ending)
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
            // Whatever else people put there is not ours.
            let Some(container) = name.to_str().and_then(|name| ContainerId::new(name).ok()) else { continue };
            let record = self.read(&container);
            records.push((container, record));
        }
        Ok(records)
    }

    fn read(&self, container: &ContainerId) -> Result<Record, RecordError> {
        let path = self.path(container);
        let unreadable = |source| RecordError::Unreadable { path: path.clone(), source };
        let corrupt = |source| RecordError::Corrupt { path: path.clone(), source };
        let text = std::fs::read(&path).map_err(unreadable)?;
        let mut lines = text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        let first = lines.next().ok_or_else(|| RecordError::Torn { path: path.clone() })?;
        let birth: Birth = serde_json::from_slice(first).map_err(corrupt)?;
        if birth.container != *container {
            return Err(RecordError::Misplaced { path, found: birth.container });
        }
        if birth.boot_id != self.boot_id {
            return Err(RecordError::EarlierBoot { path });
        }
        let ending = lines.next().map(serde_json::from_slice).transpose().map_err(corrupt)?;
        cut_torn_line(&path, &text).map_err(unreadable)?;
        Ok(Record { container: birth.container, process: birth.process, ending })
    }
}

fn write_line<T: Serialize>(mut file: File, value: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    file.write_all(&line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launcher::protocol::{Exit, MemoryVerdict};

    #[test]
    fn a_record_is_read_as_it_was_written_and_torn_anywhere_it_is_never_another() {
        let directory = tempfile::tempdir().unwrap();
        let records = Records::open(directory.path().join("containers"), "boot".to_owned()).unwrap();
        let container = ContainerId::new("c1").unwrap();
        let process = Process { pid: 7, start_ticks: 9 };
        records.begin(&container, process).unwrap();
        assert!(records.begin(&container, process).is_err(), "a container has one record");
        let ending = Ending { exit: Exit::Code(3), memory: MemoryVerdict::WithinLimit };
        records.complete(&container, ending).unwrap();
        let mut expected = Record { container: container.clone(), process, ending: Some(ending) };
        let load = || records.load().unwrap().pop().unwrap().1;
        assert_eq!(load().unwrap(), expected);

        let whole = std::fs::read(records.path(&container)).unwrap();
        let first_line = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        expected.ending = None;
        for length in 0..whole.len() {
            std::fs::write(records.path(&container), &whole[..length]).unwrap();
            match load() {
                Err(RecordError::Torn { .. }) => assert!(length < first_line),
                Ok(found) => {
                    assert_eq!((found, length >= first_line), (expected.clone(), true));
                    records.complete(&container, ending).unwrap();
                    assert_eq!(load().unwrap().ending, Some(ending));
                }
                Err(other) => panic!("{length} bytes: {other}"),
            }
        }
        std::fs::write(records.path(&container), &whole).unwrap();
        let rebooted = Records { boot_id: "another".to_owned(), ..records.clone() };
        assert!(matches!(rebooted.load().unwrap().pop().unwrap().1, Err(RecordError::EarlierBoot { .. })));
        std::fs::write(records.path(&container), [b"{\n", &whole[..]].concat()).unwrap();
        assert!(matches!(load(), Err(RecordError::Corrupt { .. })));
        records.remove(&container).unwrap();
        std::fs::write(directory.path().join("containers/c2"), &whole).unwrap();
        assert!(matches!(load(), Err(RecordError::Misplaced { .. })));
    }
}
