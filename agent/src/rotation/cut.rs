//! One file that has become too large.
//!
//! Somebody appends to it all the while. Where the file system can, whole blocks are taken out of its front in one step, and nothing is
//! ever lost; elsewhere it is copied to its end and emptied, and what is written between these two is. The file is in a directory that
//! may belong to a task: what is opened, made and renamed there is so beneath the directory as it was opened, and never through a link.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, FallocateFlags, OFlag, OpenHow, ResolveFlag, fallocate, openat2, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, unlinkat};

use super::Limit;

/// Copied at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// Where the file was before it was cut the last time.
pub(crate) fn former(name: &str) -> String {
    format!("{name}.1")
}

/// Moves what is in the file aside, if that is more than `limit`.
pub(super) fn rotate(directory: &Path, name: &str, limit: Limit) -> io::Result<()> {
    let place = open(AT_FDCWD, directory, OFlag::O_RDONLY | OFlag::O_DIRECTORY, Mode::empty())?;
    let flags = OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = open(&place, Path::new(name), flags, Mode::empty())?;
    let found = file.metadata()?;
    // Another name for somebody else's file could be there, and could be gone the moment after.
    if !found.is_file() || found.nlink() != 1 || found.uid() != place.metadata()?.uid() {
        return Err(io::Error::other("it is not a file of this sandbox alone"));
    }
    if found.len() <= limit.bytes {
        return Ok(());
    }
    let block = nix::sys::statvfs::fstatvfs(&file)?.block_size().max(1);
    // Its end stays: it is not only blocks, or about to be more.
    let whole = (found.len() - 1) / block * block;
    let mut kept = match limit.backups {
        0 => None,
        backups => Some(keep(&place, &file, name, whole, backups)?),
    };
    let (Ok(length), true) = (i64::try_from(whole), whole > 0) else { return Ok(()) };
    match fallocate(&file, FallocateFlags::FALLOC_FL_COLLAPSE_RANGE, 0, length) {
        Err(Errno::EOPNOTSUPP | Errno::EINVAL | Errno::ENOSYS) => {
            if let Some(kept) = &mut kept {
                copy(&file, whole, None, kept)?;
            }
            file.set_len(0)
        }
        outcome => Ok(outcome?),
    }
}

/// Copies the front of the file to where it is kept, and pushes on what was there.
fn keep(place: &File, file: &File, name: &str, length: u64, backups: u32) -> io::Result<File> {
    let fresh = format!(".{name}.rotating");
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
    let found = file.metadata()?;
    let mode = Mode::from_bits_truncate(found.mode());
    let mut kept = match open(place, Path::new(&fresh), flags, mode) {
        // Left by an agent that ended just then, or planted.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            unlinkat(place, fresh.as_str(), UnlinkatFlags::NoRemoveDir)?;
            open(place, Path::new(&fresh), flags, mode)?
        }
        opened => opened?,
    };
    fchown(&kept, Some(Uid::from_raw(found.uid())), Some(Gid::from_raw(found.gid())))?;
    copy(file, 0, Some(length), &mut kept)?;
    for number in (1..backups).rev() {
        match renameat(place, format!("{name}.{number}").as_str(), place, format!("{name}.{}", number + 1).as_str()) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    renameat(place, fresh.as_str(), place, former(name).as_str())?;
    Ok(kept)
}

/// From `offset` on, so many bytes or all that there are.
fn copy(from: &File, mut offset: u64, length: Option<u64>, to: &mut File) -> io::Result<()> {
    let end = length.map(|length| offset + length);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let wanted = end.map_or(CHUNK_BYTES as u64, |end| (end - offset).min(CHUNK_BYTES as u64));
        let wanted = usize::try_from(wanted).unwrap_or(CHUNK_BYTES);
        match from.read_at(&mut chunk[..wanted], offset)? {
            0 => return Ok(()),
            length => {
                io::Write::write_all(to, &chunk[..length])?;
                offset += length as u64;
            }
        }
    }
}

fn open(directory: impl std::os::fd::AsFd, path: &Path, flags: OFlag, mode: Mode) -> io::Result<File> {
    let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
    let how = if flags.contains(OFlag::O_CREAT) { how.mode(mode & Mode::from_bits_truncate(0o777)) } else { how };
    Ok(openat2(directory, path, how)?.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn directory() -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap();
        (directory, path)
    }

    /// Whether the file system takes blocks out of the front of files; says so when it does not.
    #[allow(clippy::print_stdout, reason = "people read what was skipped")]
    fn can_collapse(directory: &Path) -> bool {
        let file = File::options().write(true).create_new(true).open(directory.join("probe")).unwrap();
        file.set_len(1 << 20).unwrap();
        let block = i64::try_from(nix::sys::statvfs::fstatvfs(&file).unwrap().block_size()).unwrap();
        let can = fallocate(&file, FallocateFlags::FALLOC_FL_COLLAPSE_RANGE, 0, block).is_ok();
        std::fs::remove_file(directory.join("probe")).unwrap();
        if !can {
            println!("skipped: {} cannot take blocks out of files", directory.display());
        }
        can
    }

    #[test]
    fn nothing_is_lost_while_somebody_writes() {
        let (_directory, path) = directory();
        if !can_collapse(&path) {
            return;
        }
        let over = AtomicBool::new(false);
        let written = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut file = File::options().append(true).create(true).open(path.join("stdout")).unwrap();
                let mut number = 0_u64;
                while !over.load(Ordering::Relaxed) {
                    file.write_all(format!("{number:015}\n").as_bytes()).unwrap();
                    number += 1;
                }
                number
            });
            let mut cuts = 0;
            while cuts < 20 {
                if !path.join("stdout").exists() {
                    continue;
                }
                rotate(&path, "stdout", Limit { bytes: 64 << 10, backups: 100 }).unwrap();
                cuts = std::fs::read_dir(&path).unwrap().count() - 1;
            }
            over.store(true, Ordering::Relaxed);
            writer.join().unwrap()
        });
        let mut text = String::new();
        for number in (1..=20).rev() {
            let name = path.join(format!("stdout.{number}"));
            text += &std::fs::read_to_string(name).unwrap_or_default();
        }
        text += &std::fs::read_to_string(path.join("stdout")).unwrap();
        let numbers: Vec<u64> = text.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(numbers, (0..written).collect::<Vec<_>>());
    }

    #[test]
    fn so_many_are_kept_and_no_more() {
        let (_directory, path) = directory();
        let limit = Limit { bytes: 8192, backups: 2 };
        for round in 0..4_u8 {
            let mut file = File::options().append(true).create(true).open(path.join("stderr")).unwrap();
            file.write_all(&[b'a' + round; 40_000]).unwrap();
            rotate(&path, "stderr", limit).unwrap();
            rotate(&path, "stderr", limit).unwrap();
        }
        let mut names: Vec<_> = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["stderr", "stderr.1", "stderr.2"]);
        let last = |name: &str| std::fs::read(path.join(name)).unwrap().pop().unwrap();
        assert_eq!([last("stderr.1"), last("stderr.2")], [b'd', b'c']);
        assert!(std::fs::metadata(path.join("stderr")).unwrap().len() <= 8192);

        rotate(&path, "stderr", Limit { bytes: 0, backups: 0 }).unwrap();
        assert_eq!([last("stderr.1"), last("stderr.2")], [b'd', b'c'], "what is not to be kept is not");
    }

    #[test]
    fn nothing_elsewhere_is_touched() {
        let (_directory, path) = directory();
        let (sandbox, elsewhere) = (path.join("sandbox"), path.join("elsewhere"));
        std::fs::create_dir(&sandbox).unwrap();
        std::fs::create_dir(&elsewhere).unwrap();
        let limit = Limit { bytes: 1, backups: 1 };
        let big = || vec![b'x'; 20_000];
        std::fs::write(elsewhere.join("file"), big()).unwrap();
        std::os::unix::fs::symlink(elsewhere.join("file"), sandbox.join("stdout")).unwrap();
        assert!(rotate(&sandbox, "stdout", limit).is_err());
        std::fs::remove_file(sandbox.join("stdout")).unwrap();
        std::fs::hard_link(elsewhere.join("file"), sandbox.join("stdout")).unwrap();
        assert!(rotate(&sandbox, "stdout", limit).is_err());
        nix::unistd::mkfifo(&sandbox.join("stderr"), Mode::S_IRWXU).unwrap();
        assert!(rotate(&sandbox, "stderr", limit).is_err());
        std::os::unix::fs::symlink(&elsewhere, path.join("link")).unwrap();
        assert!(rotate(&path.join("link"), "file", limit).is_err());
        assert_eq!(std::fs::read(elsewhere.join("file")).unwrap(), big());

        // Links where files are kept are replaced, not followed.
        std::fs::remove_file(sandbox.join("stdout")).unwrap();
        std::fs::write(sandbox.join("stdout"), big()).unwrap();
        for planted in ["stdout.1", ".stdout.rotating"] {
            std::os::unix::fs::symlink(elsewhere.join("planted"), sandbox.join(planted)).unwrap();
        }
        rotate(&sandbox, "stdout", limit).unwrap();
        assert!(std::fs::symlink_metadata(sandbox.join("stdout.1")).unwrap().is_file());
        assert!(!elsewhere.join("planted").exists());
    }
}
