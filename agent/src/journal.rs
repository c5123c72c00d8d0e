//! A file to which lines are added, `<container> <JSON>`, each of which tells one thing about one container.
//!
//! One file for all containers, because making a file costs more than everything else that is written down about a task. When most
//! of what it says is history, it is written anew: under another name, and renamed. A last line without its line feed was never
//! finished and nothing was done because of it, so it does not count and is removed. Nothing is synced: a killed process loses nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::launcher::protocol::ContainerId;

/// What the file may hold beyond twice of what it held when it was last written anew, in bytes.
const HISTORY_BYTES: u64 = 4 << 20;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    length: u64,
    /// Its length when it was last written anew.
    base: u64,
}

/// One line of a journal, without its line feed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    /// Counts from 1.
    pub(crate) number: usize,
    pub(crate) text: &'a [u8],
}

impl<'a> Line<'a> {
    /// Whom the line is about, and the JSON that tells what; `None` when it begins with no container.
    pub(crate) fn parts(self) -> Option<(ContainerId, &'a [u8])> {
        let space = self.text.iter().position(|byte| *byte == b' ')?;
        let (container, json) = self.text.split_at(space);
        Some((ContainerId::new(std::str::from_utf8(container).ok()?).ok()?, json.get(1..)?))
    }
}

/// Adds the line that says `value` about `container` to `lines`.
pub(crate) fn push_line<T: Serialize>(
    container: &ContainerId,
    value: &T,
    lines: &mut Vec<u8>,
) -> Result<(), serde_json::Error> {
    let before = lines.len();
    lines.extend_from_slice(container.as_str().as_bytes());
    lines.push(b' ');
    let outcome = serde_json::to_writer(&mut *lines, value);
    match outcome {
        Ok(()) => lines.push(b'\n'),
        Err(_) => lines.truncate(before),
    }
    outcome
}

/// The lines of a journal's text.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let whole = text.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
    whole.zip(1..).map(|(text, number)| Line { number, text })
}

impl Journal {
    /// Opens the file, making it when needed; returns what it says as well, without an unfinished last line.
    pub(crate) fn open(path: PathBuf) -> io::Result<(Journal, Vec<u8>)> {
        let mut text = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                File::create(&path)?;
                Vec::new()
            }
            outcome => outcome?,
        };
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        if whole < text.len() {
            OpenOptions::new().write(true).open(&path)?.set_len(whole as u64)?;
            text.truncate(whole);
        }
        Ok((Journal { path, length: whole as u64, base: 0 }, text))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds lines. After an error the file is as it was.
    pub(crate) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).open(&self.path)?;
        file.write_all(lines).inspect_err(|_| {
            // A part of a line would spoil the next one.
            let _still_torn = file.set_len(self.length);
        })?;
        self.length += lines.len() as u64;
        Ok(())
    }

    /// Whether it is time to write it anew.
    pub(crate) fn is_long(&self) -> bool {
        self.length > 2 * self.base + HISTORY_BYTES
    }

    /// Writes it anew. After an error the file is as it was.
    pub(crate) fn replace(&mut self, lines: &[u8]) -> io::Result<()> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = self.path.with_file_name(format!(".{name}"));
        std::fs::write(&temporary, lines).and_then(|()| std::fs::rename(&temporary, &self.path))?;
        self.length = lines.len() as u64;
        self.base = self.length;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &[u8]) -> Vec<(String, String)> {
        let parts = |line: Line<'_>| {
            let (container, json) = line.parts().unwrap();
            (container.as_str().to_owned(), String::from_utf8(json.to_vec()).unwrap())
        };
        lines(text).map(parts).collect()
    }

    #[test]
    fn torn_anywhere_it_goes_on_behind_its_last_whole_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let (mut journal, text) = Journal::open(path.clone()).unwrap();
        assert!(text.is_empty());
        let mut added = Vec::new();
        for (container, value) in [("a", 1), ("b", 22), ("a", 333)] {
            push_line(&ContainerId::new(container).unwrap(), &value, &mut added).unwrap();
        }
        journal.append(&added).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let all = told(&whole);
        assert_eq!(all, [("a", "1"), ("b", "22"), ("a", "333")].map(|(c, v)| (c.to_owned(), v.to_owned())));
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let (mut journal, text) = Journal::open(path.clone()).unwrap();
            let kept = whole[..length].iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(told(&text), all[..kept]);
            journal.append(b"c 4\n").unwrap();
            let (_, text) = Journal::open(path.clone()).unwrap();
            assert_eq!(told(&text)[kept..], [("c".to_owned(), "4".to_owned())]);
        }
    }

    #[test]
    fn it_is_written_anew_when_most_of_it_is_history() {
        let directory = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(directory.path().join("journal")).unwrap();
        let line = [b"a \"", &b"x".repeat(1 << 20)[..], b"\"\n"].concat();
        let mut appended = 0;
        while !journal.is_long() {
            journal.append(&line).unwrap();
            appended += 1;
        }
        assert_eq!(appended, 4);
        journal.replace(&line).unwrap();
        assert!(!journal.is_long());
        let (_, text) = Journal::open(journal.path().to_owned()).unwrap();
        assert_eq!(text, line);
    }

    #[test]
    fn a_line_that_names_no_container_says_so() {
        for bad in ["", "nothing", " {}", "a/b {}", "\u{fffd} {}"] {
            assert!(Line { number: 1, text: bad.as_bytes() }.parts().is_none(), "{bad:?}");
        }
    }
}
