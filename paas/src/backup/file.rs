//! The file: one line that says what it is, and JSON. The line is `attica-backup`, the version of the format, the number of bytes that
//! follow, and their SHA-256 in hexadecimal digits. In the JSON, definitions are as the tables hold them: what a program of before
//! wrote stays readable.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ring::digest::{SHA256, digest};

use super::Backup;

const NAME: &str = "attica-backup";
/// Goes up when a program of before could not read what is written.
const VERSION: u32 = 1;
const HEADLINE_BYTES_MAX: usize = 200;
/// No cluster has so much to say.
const BYTES_MAX: u64 = 4 << 30;

/// Why there is no backup, or none that can be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be written or read.
    #[error("cannot {what} {path}")]
    Io {
        /// `write`, `read`
        what: &'static str,
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is something else.
    #[error("{path} is not a backup of Attica's")]
    Foreign {
        /// The file.
        path: String,
    },
    /// A program of later wrote it.
    #[error("{path} has format {version}, and this program reads formats up to {VERSION}")]
    Newer {
        /// The file.
        path: String,
        /// Its format.
        version: u32,
    },
    /// Not all of it is there, or not as it was written.
    #[error("{path} is damaged: its {what} is not what its first line says")]
    Torn {
        /// The file.
        path: String,
        /// `length`, `checksum`
        what: &'static str,
    },
    /// It is whole, and says what makes no sense.
    #[error("{path} holds what is no backup")]
    Content {
        /// The file.
        path: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// Writes a backup; the file is there as a whole or, if anything goes wrong, as it was before.
///
/// # Errors
/// [`FileError::Io`].
pub fn write(path: &Path, backup: &Backup) -> Result<(), FileError> {
    let failed = |source| FileError::Io { what: "write", path: path.display().to_string(), source };
    let part = path.with_extension("part");
    let written = encode(backup).map_err(io::Error::from).and_then(|bytes| {
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
    });
    written.map_err(|error| {
        // What was begun is of no use to anybody.
        let _ = fs::remove_file(&part);
        failed(error)
    })
}

/// Reads a backup.
///
/// # Errors
/// See [`FileError`].
pub fn read(path: &Path) -> Result<Backup, FileError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BYTES_MAX).read_to_end(&mut bytes));
    let name = path.display().to_string();
    read.map_err(|source| FileError::Io { what: "read", path: name.clone(), source })?;
    decode(name, &bytes)
}

/// The bytes of the file.
///
/// # Errors
/// None that a backup is known to have.
pub fn encode(backup: &Backup) -> Result<Vec<u8>, serde_json::Error> {
    let body = serde_json::to_vec(backup)?;
    let mut bytes = format!("{NAME} {VERSION} {} {}\n", body.len(), checksum(&body)).into_bytes();
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// A backup from the bytes of a file, which is called `path` in what is said about it.
///
/// # Errors
/// All of [`FileError`] but [`FileError::Io`].
pub fn decode(path: String, bytes: &[u8]) -> Result<Backup, FileError> {
    let end = bytes.iter().take(HEADLINE_BYTES_MAX).position(|byte| *byte == b'\n');
    let headline = end.and_then(|end| std::str::from_utf8(&bytes[..end]).ok()).unwrap_or_default();
    let words: Vec<&str> = headline.split(' ').collect();
    let (Some(end), [NAME, version, rest @ ..]) = (end, words.as_slice()) else {
        return Err(FileError::Foreign { path });
    };
    let version = version.parse::<u32>().ok().filter(|version| *version > 0);
    let Some(version) = version else { return Err(FileError::Foreign { path }) };
    if version > VERSION {
        return Err(FileError::Newer { path, version });
    }
    let [length, expected] = rest else { return Err(FileError::Foreign { path }) };
    let body = &bytes[end + 1..];
    if length.parse() != Ok(body.len()) {
        return Err(FileError::Torn { path, what: "length" });
    }
    if *expected != checksum(body) {
        return Err(FileError::Torn { path, what: "checksum" });
    }
    serde_json::from_slice(body).map_err(|source| FileError::Content { path, source })
}

fn checksum(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Snapshot;
    use crate::tables::tests::history;
    use attica_core_store::Position;
    use proptest::prelude::*;

    fn backup() -> Backup {
        let mut snapshot = Snapshot::default();
        history().iter().for_each(|fact| snapshot.apply(fact));
        Backup::of(Position(7), &snapshot)
    }

    #[test]
    fn what_was_written_is_read_and_nobody_else_may_look() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("one");
        write(&path, &backup()).unwrap();
        assert_eq!(read(&path).unwrap(), backup());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        let nowhere = directory.path().join("missing/one");
        assert!(matches!(write(&nowhere, &backup()), Err(FileError::Io { what: "write", .. })));
        assert!(matches!(read(&nowhere), Err(FileError::Io { what: "read", .. })));
    }

    #[test]
    fn what_is_torn_changed_foreign_or_newer_is_refused_by_name() {
        let whole = encode(&backup()).unwrap();
        let decoded = |bytes: &[u8]| decode("x".to_owned(), bytes);
        assert_eq!(decoded(&whole).unwrap(), backup());
        let first_line = whole.iter().position(|byte| *byte == b'\n').unwrap();
        for length in 0..whole.len() {
            let error = decoded(&whole[..length]).unwrap_err();
            match length > first_line {
                true => assert!(matches!(error, FileError::Torn { what: "length", .. }), "{length}: {error}"),
                false => assert!(matches!(error, FileError::Foreign { .. }), "{length}: {error}"),
            }
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(decoded(&changed).is_err(), "byte {at}");
        }
        for foreign in [&b"\x1f\x8b\x08"[..], b"", b"attica-backup one 2 3\n{}", b"attica-backup 1\n", b"{}\n"] {
            assert!(matches!(decoded(foreign), Err(FileError::Foreign { .. })));
        }
        let newer = decoded(b"attica-backup 2 whatever it says then\n{}").unwrap_err();
        assert_eq!(newer.to_string(), "x has format 2, and this program reads formats up to 1");
        let empty = format!("{NAME} 1 2 {}\n{{}}", checksum(b"{}"));
        assert!(matches!(decoded(empty.as_bytes()), Err(FileError::Content { .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// After any beginning of a history in which everything happens.
        #[test]
        fn what_is_read_is_what_was_written(facts in 0..history().len(), position in 0..i64::MAX) {
            let mut snapshot = Snapshot::default();
            history().iter().take(facts).for_each(|fact| snapshot.apply(fact));
            let backup = Backup::of(Position(position), &snapshot);
            let read = decode("x".to_owned(), &encode(&backup).unwrap()).unwrap();
            prop_assert_eq!(&read, &backup);
            let known = snapshot.run_specs.values().filter(|state| state.current.is_some()).count();
            prop_assert_eq!((read.run_specs.len(), read.secrets.len()), (known, snapshot.secrets.len()));
        }
    }
}
