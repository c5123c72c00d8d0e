//! The file: a line that says what it is, what it holds in gzip's format, and the SHA-256 of all before in hexadecimal digits.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use ring::digest::{Context, SHA256};

use super::BackupError;

const NAME: &str = "attica-backup";
/// Another one where a program of before could not read what is written.
const FORMAT: u32 = 2;
const HEADLINE_BYTES_MAX: u64 = 64;
/// The digits and the end of their line.
const CHECKSUM_BYTES: usize = 65;

/// A file that is being written.
pub(super) struct Writer {
    compressed: GzEncoder<Summed>,
}

/// What goes into the file, and the sum of it.
struct Summed {
    file: BufWriter<File>,
    sum: Context,
}

impl Write for Summed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.compressed.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.compressed.flush()
    }
}

impl Writer {
    /// Begins an empty file.
    pub(super) fn begin(file: File) -> io::Result<Self> {
        let mut summed = Summed { file: BufWriter::new(file), sum: Context::new(&SHA256) };
        summed.write_all(format!("{NAME} {FORMAT}\n").as_bytes())?;
        Ok(Self { compressed: GzEncoder::new(summed, Compression::fast()) })
    }

    /// The file, complete, at its beginning.
    pub(super) fn finish(self) -> io::Result<File> {
        let Summed { mut file, sum } = self.compressed.finish()?;
        file.write_all(digits(sum).as_bytes())?;
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }
}

/// What the checksum is written as.
fn digits(sum: Context) -> String {
    let digits = sum.finish().as_ref().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    digits + "\n"
}

/// Has `write` fill a file for its owner alone; it is there as a whole or, if anything goes wrong, as it was before.
pub(super) fn replace(path: &Path, write: impl FnOnce(File) -> Result<File, BackupError>) -> Result<(), BackupError> {
    let failed = |source| BackupError::Io { what: "write", path: path.display().to_string(), source };
    let part = path.with_extension("part");
    let replaced = || {
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(true).mode(0o600);
        let file = write(options.open(&part).map_err(failed)?)?;
        file.sync_all().map_err(failed)?;
        fs::rename(&part, path).map_err(failed)?;
        path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all()).map_err(failed)
    };
    replaced().inspect_err(|_| {
        // What was begun is of no use to anybody.
        let _ = fs::remove_file(&part);
    })
}

/// What a file holds, once it is known to be whole; it is called `path` in what is said about it.
pub(super) fn open(mut file: File, path: &str) -> Result<impl BufRead + use<>, BackupError> {
    let (begin, end) = check(&mut file, path)?;
    let failed = |source| BackupError::Io { what: "read", path: path.to_owned(), source };
    file.seek(SeekFrom::Start(begin)).map_err(failed)?;
    Ok(BufReader::new(GzDecoder::new(BufReader::new(file.take(end - begin)))))
}

/// From where to where the content goes, in bytes.
fn check(file: &mut File, path: &str) -> Result<(u64, u64), BackupError> {
    let failed = |source| BackupError::Io { what: "read", path: path.to_owned(), source };
    let length = file.seek(SeekFrom::End(0)).map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut headline = Vec::new();
    BufReader::new((&mut *file).take(HEADLINE_BYTES_MAX)).read_until(b'\n', &mut headline).map_err(failed)?;
    let foreign = || BackupError::Foreign { path: path.to_owned() };
    let words = headline.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok()).ok_or_else(foreign)?;
    let (NAME, format) = words.split_once(' ').ok_or_else(foreign)? else { return Err(foreign()) };
    let format = format.split(' ').next().unwrap_or_default().parse().map_err(|_| foreign())?;
    if format != FORMAT {
        return Err(BackupError::Format { path: path.to_owned(), format, ours: FORMAT });
    }
    let torn = || BackupError::Torn { path: path.to_owned() };
    let begin = headline.len() as u64;
    let end = length.checked_sub(CHECKSUM_BYTES as u64).filter(|end| *end >= begin).ok_or_else(torn)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut sum = Context::new(&SHA256);
    let mut buffer = vec![0; 64 << 10];
    let mut summed = (&mut *file).take(end);
    loop {
        match summed.read(&mut buffer).map_err(failed)? {
            0 => break,
            read => sum.update(&buffer[..read]),
        }
    }
    let mut written = String::new();
    file.take(CHECKSUM_BYTES as u64).read_to_string(&mut written).map_err(|_| torn())?;
    if written == digits(sum) { Ok((begin, end)) } else { Err(torn()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(content: &[u8]) -> Vec<u8> {
        let mut writer = Writer::begin(tempfile::tempfile().unwrap()).unwrap();
        writer.write_all(content).unwrap();
        let mut bytes = Vec::new();
        writer.finish().unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Vec<u8>, BackupError> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let mut content = Vec::new();
        open(file, "x")?.read_to_end(&mut content).unwrap();
        Ok(content)
    }

    #[test]
    fn a_file_is_there_as_a_whole_or_as_before_and_nobody_else_may_look() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("one");
        let failed = || BackupError::Torn { path: String::new() };
        for content in ["one", "two"] {
            replace(&path, |mut file| file.write_all(content.as_bytes()).map(|()| file).map_err(|_| failed())).unwrap();
            assert!(matches!(replace(&path, |_| Err(failed())), Err(BackupError::Torn { .. })));
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        let nowhere = directory.path().join("missing/one");
        assert!(matches!(replace(&nowhere, Ok), Err(BackupError::Io { what: "write", .. })));
    }

    #[test]
    fn what_is_torn_changed_foreign_or_of_another_format_is_refused_by_name() {
        let whole = written(b"a line\nand another");
        assert_eq!(read(&whole).unwrap(), b"a line\nand another");
        let first_line = whole.iter().position(|byte| *byte == b'\n').unwrap();
        for length in 0..whole.len() {
            let error = read(&whole[..length]).unwrap_err();
            match length > first_line {
                true => assert!(matches!(error, BackupError::Torn { .. }), "{length}: {error}"),
                false => assert!(matches!(error, BackupError::Foreign { .. }), "{length}: {error}"),
            }
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(read(&changed).is_err(), "byte {at}");
        }
        for foreign in [&b"\x1f\x8b\x08"[..], b"", b"attica-backup one\n", b"attica-backup\n", b"{}\n"] {
            assert!(matches!(read(foreign), Err(BackupError::Foreign { .. })));
        }
        let other = read(b"attica-backup 1 2 00\n{}").unwrap_err();
        assert_eq!(other.to_string(), "x has format 1, and this program reads format 2");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_read_is_what_was_written(content in proptest::collection::vec(any::<u8>(), 0..10_000)) {
            prop_assert_eq!(read(&written(&content)).unwrap(), content);
        }
    }
}
