//! Zip files.

use std::fs::File;
use std::io::{self, Read};

use super::UnpackError;
use super::archive::Target;
use super::name::{Absolute, place, shown};

/// The longest target of a symbolic link, in bytes.
const LINK_MAX_BYTES: u64 = 4_096;
/// What a file is, in its mode.
const KIND: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;

pub(super) fn unpack(file: File, target: &mut Target) -> Result<(), UnpackError> {
    let read = |error: ::zip::result::ZipError| UnpackError::Read(io::Error::other(error));
    let mut archive = ::zip::ZipArchive::new(target.meter.whole(file)?).map_err(read)?;
    for index in 0..archive.len() {
        target.meter.entry()?;
        let mut entry = archive.by_index(index).map_err(read)?;
        let name = entry.name_raw().to_vec();
        let Some(path) = place(&name, Absolute::Refused)? else { continue };
        let mode = entry.unix_mode();
        if entry.is_symlink() {
            let mut link = Vec::new();
            entry.by_ref().take(LINK_MAX_BYTES).read_to_end(&mut link).map_err(UnpackError::Read)?;
            target.symlink(&path, &link)?;
        } else if entry.is_dir() {
            target.directory(path, mode.unwrap_or(0o755))?;
        } else if matches!(mode.unwrap_or(0) & KIND, 0 | REGULAR | DIRECTORY) {
            target.file(&path, mode.unwrap_or(0o644), &mut entry)?;
        } else {
            return Err(UnpackError::Kind { path: shown(&name), kind: "a special file" });
        }
    }
    Ok(())
}
