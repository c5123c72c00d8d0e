//! A file to which lines are added, `<container> <JSON> <seal>`, each of which tells one thing about one container.
//!
//! One file for all containers, because making a file costs more than everything else that is written down about a task. When most
//! of what it says is history, it is written anew: under another name, and renamed. A last line without its line feed was never
//! finished and nothing was done because of it, so it does not count and is removed. Nothing is synced: a killed process loses nothing, and what a machine loses that goes down is of
//! an earlier boot. The seal is a checksum of the container's name and one of all that stands before it: a line that has changed is
//! known, and whose it was, as long as either its name or its seal is whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::launcher::protocol::ContainerId;
use crate::seal::{self, checksum};

/// What the file may hold beyond twice of what it held when it was last written anew, in bytes.
const HISTORY_BYTES: u64 = 4 << 20;
/// Two checksums, in hexadecimal digits.
const SEAL_LENGTH: usize = 16;
/// Where lines that are not trusted are put aside, beside the journal.
const ASIDE: &str = "corrupt";

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    length: u64,
    /// Its length when it was last written anew.
    base: u64,
}

/// A journal that is open, for whoever cannot open it when it comes to writing.
#[derive(Debug)]
pub(crate) struct Pen {
    file: File,
    end: u64,
}

impl Pen {
    /// Adds lines, and asks for no memory to do so. After an error the file is as it was.
    pub(crate) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.file.write_all(lines).inspect_err(|_| {
            // A part of a line would spoil the next one.
            let _still_torn = self.file.set_len(self.end);
        })?;
        self.end += lines.len() as u64;
        Ok(())
    }
}

/// One line of a journal, without its line feed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    /// Counts from 1.
    pub(crate) number: usize,
    pub(crate) text: &'a [u8],
}

/// A line that is not as it was written, and what it still tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    /// The container it seems to be about.
    named: Option<ContainerId>,
    /// The checksum of a container's name that its seal seems to have.
    sealed: Option<u32>,
}

impl Damage {
    /// Whom the line may have been about: those of `known`, or one that nothing else is known of.
    pub(crate) fn suspects<'a>(&self, known: impl Iterator<Item = &'a ContainerId>) -> Vec<ContainerId> {
        let is_named = |container: &ContainerId| self.named.as_ref() == Some(container);
        let is_sealed = |container: &ContainerId| self.sealed == Some(checksum(container.as_str().as_bytes()));
        let known: Vec<ContainerId> =
            known.filter(|container| is_named(container) || is_sealed(container)).cloned().collect();
        match known.is_empty() {
            true => self.named.iter().filter(|container| is_sealed(container)).cloned().collect(),
            false => known,
        }
    }
}

impl<'a> Line<'a> {
    /// Whom the line is about, and the JSON that tells what.
    pub(crate) fn read(self) -> Result<(ContainerId, &'a [u8]), Damage> {
        let name = self.text.split(|byte| *byte == b' ').next().unwrap_or_default();
        let named = std::str::from_utf8(name).ok().and_then(|name| ContainerId::new(name).ok());
        let (told, end) = self.text.split_at(self.text.len().saturating_sub(SEAL_LENGTH));
        let json = told.get(name.len() + 1..).and_then(|rest| rest.strip_suffix(b" "));
        match (named, json) {
            (Some(named), Some(json)) if *end == *seal(name, told).as_bytes() => Ok((named, json)),
            (named, _) => Err(Damage { named, sealed: end.get(..SEAL_LENGTH / 2).and_then(seal::digits) }),
        }
    }
}

/// Of a line that says `told` about the container with this name.
fn seal(name: &[u8], told: &[u8]) -> String {
    format!("{:08x}{:08x}", checksum(name), checksum(told))
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
        Ok(()) => {
            lines.push(b' ');
            let seal = seal(container.as_str().as_bytes(), &lines[before..]);
            lines.extend_from_slice(seal.as_bytes());
            lines.push(b'\n');
        }
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
        let mut whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        if let Some((_line_feed, last)) = text[whole..].split_last()
            && (Line { number: 0, text: last }).read().is_ok()
        {
            // Nothing is torn: something else stands in the place of the line feed.
            let end = text.len() - 1;
            OpenOptions::new().write(true).open(&path)?.write_all_at(b"\n", end as u64)?;
            text[end] = b'\n';
            whole = text.len();
        }
        if whole < text.len() {
            OpenOptions::new().write(true).open(&path)?.set_len(whole as u64)?;
            text.truncate(whole);
        }
        Ok((Journal { path, length: whole as u64, base: 0 }, text))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where lines are put that are not trusted.
    pub(crate) fn aside(&self) -> PathBuf {
        self.path.with_file_name(ASIDE)
    }

    /// Adds those of the lines in `text` that are not trusted to a file beside the journal, for people to look at, unless they are the last
    /// that was added.
    pub(crate) fn put_aside(&self, text: &[u8], is_trusted: impl Fn(&ContainerId) -> bool) -> io::Result<()> {
        let bad = |line: &Line<'_>| !line.read().is_ok_and(|(container, _)| is_trusted(&container));
        let bad: Vec<u8> = lines(text).filter(bad).flat_map(|line| [line.text, b"\n"].concat()).collect();
        let aside = self.aside();
        let before = match std::fs::read(&aside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            outcome => outcome?,
        };
        if before.ends_with(&bad) {
            return Ok(());
        }
        OpenOptions::new().create(true).append(true).open(aside)?.write_all(&bad)
    }

    /// Adds lines. After an error the file is as it was.
    pub(crate) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut pen = self.pen()?;
        pen.write(lines)?;
        self.put_back(pen);
        Ok(())
    }

    /// Opens it for lines to be added later; nobody else writes to it before the pen is put back.
    pub(crate) fn pen(&self) -> io::Result<Pen> {
        Ok(Pen { file: OpenOptions::new().append(true).open(&self.path)?, end: self.length })
    }

    /// What was written with it counts.
    pub(crate) fn put_back(&mut self, pen: Pen) {
        self.length = pen.end;
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
            let (container, json) = line.read().unwrap();
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
            let mut more = Vec::new();
            push_line(&ContainerId::new("c").unwrap(), &4, &mut more).unwrap();
            journal.append(&more).unwrap();
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
    fn a_line_that_has_changed_is_known_and_whose_it_was() {
        let (own, other) = (ContainerId::new("own").unwrap(), ContainerId::new("other").unwrap());
        let mut text = Vec::new();
        push_line(&own, &"something", &mut text).unwrap();
        text.pop();
        for place in 0..text.len() {
            for flip in 1..=255 {
                let mut text = text.clone();
                text[place] ^= flip;
                let damage = Line { number: 1, text: &text }.read().unwrap_err();
                let suspects = damage.suspects([&own, &other].into_iter());
                assert!(suspects.contains(&own), "{}", String::from_utf8_lossy(&text));
            }
        }
        for bad in ["", "nothing", " {}", "a/b {} 0000000000000000", "\u{fffd} {}"] {
            let damage = Line { number: 1, text: bad.as_bytes() }.read().unwrap_err();
            assert!(damage.suspects([&own, &other].into_iter()).is_empty(), "{bad:?}");
        }
    }

    #[test]
    fn a_line_feed_that_has_changed_makes_no_line_unfinished() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let mut text = Vec::new();
        push_line(&ContainerId::new("a").unwrap(), &1, &mut text).unwrap();
        let changed = [&text[..text.len() - 1], b"x"].concat();
        std::fs::write(&path, changed).unwrap();
        assert_eq!(Journal::open(path.clone()).unwrap().1, text);
        assert_eq!(std::fs::read(&path).unwrap(), text);
    }
}
