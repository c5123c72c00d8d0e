//! What the launcher writes down about each container: who its first process is and how it ended.
//!
//! The line that begins a container is the last thing that its first process writes before it executes the task's program: no program runs
//! that a later launcher would not find, and what has no record never ran. Where the program cannot be executed that process takes its line
//! back, whether or not its launcher still lives. The line of its end is written before anybody is told of it. A record of an earlier boot
//! of the machine is none: the reboot has ended the task, and its process id and start time may be a stranger's by now.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::isolation::Place;
use super::protocol::{ContainerId, Ending, Process};
use super::surroundings::Holder;
use crate::journal::{self, Journal, Pen};

/// One container's record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    /// Where its cgroups are, which tells what it is a part of.
    pub(crate) place: Place,
    /// Its first process.
    pub(crate) process: Process,
    /// What holds its namespaces, if it has any or is a part of something that has.
    pub(crate) holder: Option<Holder>,
    /// How the first process ended.
    pub(crate) ending: Option<Ending>,
}

impl Record {
    fn beginning(&self, boot_id: &str) -> Told {
        let place = self.place.parent().map(|_whole| self.place.clone());
        Told::Begun { boot_id: boot_id.to_owned(), process: self.process, place, holder: self.holder }
    }
}

/// A record in the hands of the process that it is about, which shares the launcher's memory but may outlive it.
#[derive(Debug)]
pub(crate) struct Entry {
    container: ContainerId,
    boot_id: String,
    pen: Pen,
    drafted: Option<Record>,
    begun: Vec<u8>,
    forgotten: Vec<u8>,
    written: bool,
}

impl Entry {
    /// Puts into words what [`Entry::write`] will write.
    pub(crate) fn draft(&mut self, record: Record) -> io::Result<()> {
        journal::push_line(&self.container, &record.beginning(&self.boot_id), &mut self.begun)?;
        self.drafted = Some(record);
        Ok(())
    }

    /// From now on the container is on record. Asks for no memory, which a thread of a launcher that was killed may have held the lock of.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        self.pen.write(&self.begun)?;
        self.written = true;
        Ok(())
    }

    /// Its program does not run after all. As far as that can still be said: the process may have given up its right to write.
    pub(crate) fn take_back(&mut self) {
        if self.written {
            let _said_by_the_launcher = self.pen.write(&self.forgotten);
        }
    }
}

/// A line about a container.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    Begun {
        boot_id: String,
        process: Process,
        /// That of a part; `None` where it follows from the container's name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        place: Option<Place>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        holder: Option<Holder>,
    },
    Ended(Ending),
    Forgotten,
}

/// A record that cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("line {line} of {path} is corrupt")]
    Corrupt {
        path: PathBuf,
        line: usize,
        #[source]
        source: serde_json::Error,
    },
    #[error("line {line} of {path} is not as it was written")]
    Damaged { path: PathBuf, line: usize },
    #[error("line {line} of {path} does not follow from what stands before it")]
    Disorder { path: PathBuf, line: usize },
    #[error("line {line} of {path} is of an earlier boot of the machine")]
    EarlierBoot { path: PathBuf, line: usize },
}

/// What the records tell of a container, as far as they can be trusted.
pub(crate) type Loaded = BTreeMap<ContainerId, Result<Record, RecordError>>;

/// The records of all containers that are not forgotten.
#[derive(Debug)]
pub(crate) struct Records {
    journal: Journal,
    /// Names this boot of the machine.
    boot_id: String,
    records: BTreeMap<ContainerId, Record>,
}

impl Records {
    /// Opens the journal at `path`, making it when needed, and returns what it tells.
    pub(crate) fn open(path: PathBuf, boot_id: String) -> io::Result<(Records, Loaded)> {
        let (journal, text) = Journal::open(path)?;
        let mut records = Records { journal, boot_id, records: BTreeMap::new() };
        let loaded = records.fold(&text);
        let is_trusted = |container: &ContainerId| match loaded.get(container) {
            Some(Ok(_) | Err(RecordError::EarlierBoot { .. })) | None => true,
            Some(Err(_)) => false,
        };
        records.journal.put_aside(&text, is_trusted)?;
        let trusted =
            loaded.iter().filter_map(|(container, record)| Some((container.clone(), record.as_ref().ok()?.clone())));
        records.records = trusted.collect();
        records.write_anew();
        Ok((records, loaded))
    }

    /// Damaged lines that cannot be told whose they are are left out: what they told of has no record, and is ended for that.
    fn fold(&self, text: &[u8]) -> Loaded {
        let mut loaded = Loaded::new();
        for line in journal::lines(text) {
            let path = || self.journal.path().to_owned();
            let (container, json) = match line.read() {
                Ok(parts) => parts,
                Err(damage) => {
                    tracing::error!(path = %path().display(), line = line.number, "a line is not as it was written: it is put aside");
                    for container in damage.suspects(loaded.keys()) {
                        loaded.insert(container, Err(RecordError::Damaged { path: path(), line: line.number }));
                    }
                    continue;
                }
            };
            let disorder = || RecordError::Disorder { path: path(), line: line.number };
            let corrupt = |source| RecordError::Corrupt { path: path(), line: line.number, source };
            match (serde_json::from_slice(json).map_err(corrupt), loaded.get_mut(&container)) {
                (Ok(Told::Forgotten), _) => drop(loaded.remove(&container)),
                (_, Some(Err(_))) => {}
                (Ok(Told::Ended(ending)), Some(Ok(record))) if record.ending.is_none() => record.ending = Some(ending),
                (Ok(Told::Begun { boot_id, .. }), None) if boot_id != self.boot_id => {
                    loaded.insert(container, Err(RecordError::EarlierBoot { path: path(), line: line.number }));
                }
                (Ok(Told::Begun { process, place, holder, .. }), None) => {
                    let place = place.unwrap_or_else(|| Place::of(&container));
                    loaded.insert(container, Ok(Record { place, process, holder, ending: None }));
                }
                (Ok(Told::Begun { .. } | Told::Ended(_)), _) => drop(loaded.insert(container, Err(disorder()))),
                (Err(error), _) => drop(loaded.insert(container, Err(error))),
            }
        }
        loaded
    }

    /// What the first process of a container that has no record is to write.
    pub(crate) fn entry(&self, container: &ContainerId) -> io::Result<Entry> {
        if self.records.contains_key(container) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut forgotten = Vec::new();
        journal::push_line(container, &Told::Forgotten, &mut forgotten)?;
        Ok(Entry {
            container: container.clone(),
            boot_id: self.boot_id.clone(),
            pen: self.journal.pen()?,
            drafted: None,
            begun: Vec::new(),
            forgotten,
            written: false,
        })
    }

    /// Takes the entry from a process that has executed its program, or ended; returns what is on record of it now.
    pub(crate) fn take(&mut self, entry: Entry) -> Option<Record> {
        let Entry { container, pen, drafted, written, .. } = entry;
        self.journal.put_back(pen);
        let record = drafted.filter(|_| written)?;
        self.records.insert(container, record.clone());
        self.keep_short();
        Some(record)
    }

    /// Begins the record of a container that has none, and in which no program runs.
    pub(crate) fn begin(&mut self, container: &ContainerId, record: Record) -> io::Result<()> {
        if self.records.contains_key(container) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.tell(container, &record.beginning(&self.boot_id))?;
        self.records.insert(container.clone(), record);
        Ok(())
    }

    /// Completes a record.
    pub(crate) fn complete(&mut self, container: &ContainerId, ending: Ending) -> io::Result<()> {
        match self.records.get_mut(container) {
            Some(record) if record.ending.is_none() => record.ending = Some(ending),
            Some(_) | None => return Err(io::ErrorKind::NotFound.into()),
        }
        self.tell(container, &Told::Ended(ending))
    }

    /// Removes the record; that it is missing already is no error.
    pub(crate) fn remove(&mut self, container: &ContainerId) -> io::Result<()> {
        match self.records.remove(container) {
            Some(_) => self.tell(container, &Told::Forgotten),
            None => Ok(()),
        }
    }

    fn tell(&mut self, container: &ContainerId, told: &Told) -> io::Result<()> {
        let mut line = Vec::new();
        journal::push_line(container, told, &mut line)?;
        self.journal.append(&line)?;
        self.keep_short();
        Ok(())
    }

    fn keep_short(&mut self) {
        if self.journal.is_long() {
            self.write_anew();
        }
    }

    /// Only makes it shorter: it goes on as it is where that fails.
    fn write_anew(&mut self) {
        let mut lines = Vec::new();
        for (container, record) in &self.records {
            let begun = record.beginning(&self.boot_id);
            let ended = record.ending.map(Told::Ended);
            for told in [Some(begun), ended].iter().flatten() {
                if let Err(error) = journal::push_line(container, told, &mut lines) {
                    return tracing::error!(%error, "the records cannot be put into words");
                }
            }
        }
        if let Err(error) = self.journal.replace(&lines) {
            tracing::warn!(%error, "the records are not written anew");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::launcher::protocol::{Exit, MemoryVerdict};

    const ENDING: Ending = Ending { exit: Exit::Code(3), memory: MemoryVerdict::WithinLimit };
    const PROCESS: Process = Process { pid: 7, start_ticks: 9 };

    fn container(name: &str) -> ContainerId {
        ContainerId::new(name).unwrap()
    }

    fn place(name: &str) -> Place {
        Place::of(&container(name))
    }

    fn record(place: Place, ending: Option<Ending>) -> Record {
        let holder = place.parent().map(|_| Holder { process: PROCESS, rooted: true });
        Record { place, process: PROCESS, holder, ending }
    }

    fn part() -> Place {
        place("whole").part(&container("lives"))
    }

    #[test]
    fn records_are_read_as_they_were_written_until_they_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("containers");
        let open = |boot_id: &str| Records::open(path.clone(), boot_id.to_owned()).unwrap();
        let (mut records, _) = open("boot");
        records.begin(&container("lives"), record(part(), None)).unwrap();
        assert!(records.begin(&container("lives"), record(part(), None)).is_err(), "a container has one record");
        records.begin(&container("ends"), record(place("ends"), None)).unwrap();
        records.complete(&container("ends"), ENDING).unwrap();
        records.begin(&container("gone"), record(place("gone"), None)).unwrap();
        records.remove(&container("gone")).unwrap();
        records.remove(&container("never")).unwrap();
        let (_, loaded) = open("boot");
        let found: Vec<_> = loaded.iter().map(|(id, record)| (id.as_str(), record.as_ref().unwrap().clone())).collect();
        assert_eq!(found, [("ends", record(place("ends"), Some(ENDING))), ("lives", record(part(), None))]);
        let (_, loaded) = open("another");
        assert_eq!(loaded.len(), 2);
        assert!(loaded.values().all(|record| matches!(record, Err(RecordError::EarlierBoot { .. }))));
        assert!(open("boot").1.is_empty(), "they are not carried on");
    }

    #[test]
    fn a_process_puts_itself_on_record_and_takes_that_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("containers");
        let open = || Records::open(path.clone(), "boot".to_owned()).unwrap();
        let (mut records, _) = open();
        let mut entry = |name: &str, write: bool, take_back: bool| {
            let mut entry = records.entry(&container(name)).unwrap();
            entry.draft(record(place(name), None)).unwrap();
            if write {
                entry.write().unwrap();
            }
            if take_back {
                entry.take_back();
            }
            records.take(entry)
        };
        assert_eq!(entry("runs", true, false), Some(record(place("runs"), None)));
        assert_eq!(entry("failed", true, true), Some(record(place("failed"), None)), "the launcher takes it back, too");
        assert_eq!(entry("vanished", false, true), None);
        assert!(records.entry(&container("runs")).is_err(), "a container has one record");
        records.complete(&container("runs"), ENDING).unwrap();
        let found: Vec<_> = open().1.into_iter().map(|(id, record)| (id, record.unwrap())).collect();
        assert_eq!(found, [(container("runs"), record(place("runs"), Some(ENDING)))]);
    }

    fn two_records(path: &Path) -> Vec<u8> {
        let (mut records, _) = Records::open(path.to_owned(), "boot".to_owned()).unwrap();
        records.begin(&container("good"), record(place("good"), None)).unwrap();
        records.begin(&container("bad"), record(place("bad"), None)).unwrap();
        records.complete(&container("bad"), ENDING).unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn what_is_spoiled_is_not_trusted_and_spoils_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("containers");
        let text = String::from_utf8(two_records(&path)).unwrap();
        let spoiled = text.replace("{\"ended\"", "{\"ended");
        let twice = format!("{text}{}", text.lines().last().unwrap().to_owned() + "\n");
        let orphan =
            text.lines().filter(|line| !line.starts_with("bad {\"begun\"")).collect::<Vec<_>>().join("\n") + "\n";
        for text in [spoiled, twice, orphan] {
            std::fs::write(&path, format!("nothing\n{text}")).unwrap();
            let (_, loaded) = Records::open(path.clone(), "boot".to_owned()).unwrap();
            assert!(loaded[&container("good")].is_ok() && loaded[&container("bad")].is_err(), "{loaded:?}");
            let aside = std::fs::read_to_string(directory.path().join("corrupt")).unwrap();
            assert!(aside.contains("nothing") && aside.contains("bad") && !aside.contains("good"), "{aside}");
        }
    }

    #[test]
    fn whatever_byte_changes_nothing_is_adopted_that_was_not_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("containers");
        let whole = two_records(&path);
        let (_, before) = Records::open(path.clone(), "boot".to_owned()).unwrap();
        let whole_record = |id: &ContainerId, record: &Record| before[id].as_ref().is_ok_and(|it| it == record);
        for (at, flip) in (0..whole.len()).flat_map(|at| [1, 0x20, 0x80].map(|flip| (at, flip))) {
            let mut text = whole.clone();
            text[at] ^= flip;
            std::fs::write(&path, &text).unwrap();
            let (_, loaded) = Records::open(path.clone(), "boot".to_owned()).unwrap();
            let trusted = loaded.iter().filter_map(|(container, record)| Some((container, record.as_ref().ok()?)));
            let trusted: Vec<_> = trusted.collect();
            assert!(trusted.iter().all(|(id, record)| whole_record(id, record)), "{}", String::from_utf8_lossy(&text));
            assert!(trusted.len() < 2 || at == whole.len() - 1, "{}", String::from_utf8_lossy(&text));
        }
    }
}
