//! Archives for sandboxes: plain files, directories and links that stay inside. Owners, set-user-id bits and attributes are not taken over.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tar::EntryType;

use super::bounds::Meter;
use super::format::{Compression, Format};
use super::name::{Absolute, place, shown, stays_inside};
use super::tree::{Existing, Links, Tree};
use super::{Bounds, UnpackError, zip};

/// Who may do what with a file: neither set-user-id nor the like.
const PERMISSIONS: u32 = 0o777;

/// Unpacks `file`, whose name was `name`, into `directory`.
pub(crate) fn unpack(
    file: File,
    name: &str,
    format: Format,
    directory: &Path,
    bounds: Bounds,
) -> Result<(), UnpackError> {
    let tree = Tree::open(directory, Links::Refused, Existing::DirectoriesStay).map_err(UnpackError::Directory)?;
    let mut target = Target { tree, meter: Meter::new(bounds), directories: Vec::new() };
    match format {
        Format::Tar(compression) => target.tar(file, compression)?,
        Format::Zip => zip::unpack(file, &mut target)?,
        Format::Gzip => {
            let packed = target.meter.packed(file);
            let unpacked = Compression::Gzip.decode(packed).map_err(UnpackError::Read)?;
            let path = PathBuf::from(name.strip_suffix(".gz").unwrap_or(name));
            target.file(&path, 0o644, unpacked)?;
        }
    }
    target.finish()
}

/// Where entries go.
pub(super) struct Target {
    tree: Tree,
    pub(super) meter: Meter,
    /// Their permissions are set last: one that cannot be written to would take nothing more.
    directories: Vec<(PathBuf, u32)>,
}

impl Target {
    fn tar(&mut self, file: File, compression: Compression) -> Result<(), UnpackError> {
        let packed = self.meter.packed(file);
        let unpacked = compression.decode(packed).map_err(UnpackError::Read)?;
        let mut archive = tar::Archive::new(unpacked);
        for entry in archive.entries().map_err(UnpackError::Read)? {
            let mut entry = entry.map_err(UnpackError::Read)?;
            self.meter.entry()?;
            let name = entry.path_bytes().into_owned();
            let mode = entry.header().mode().map_err(UnpackError::Read)?;
            let Some(path) = place(&name, Absolute::Refused)? else { continue };
            let kind = entry.header().entry_type();
            let link =
                |entry: &tar::Entry<'_, _>| entry.link_name_bytes().map(|name| name.into_owned()).unwrap_or_default();
            match kind {
                EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                    self.file(&path, mode, &mut entry)?;
                }
                EntryType::Directory => self.directory(path, mode)?,
                EntryType::Symlink => self.symlink(&path, &link(&entry))?,
                EntryType::Link => {
                    let target = place(&link(&entry), Absolute::Refused)?;
                    let target = target.ok_or_else(|| UnpackError::LinkOutside(shown(&name)))?;
                    self.tree.hard_link(&path, &target).map_err(failed(&path))?;
                }
                EntryType::XGlobalHeader => {}
                EntryType::Char | EntryType::Block => return Err(refused(&name, "a device")),
                EntryType::Fifo => return Err(refused(&name, "a pipe")),
                _ => return Err(refused(&name, "of a kind that is not known")),
            }
        }
        Ok(())
    }

    pub(super) fn file(&mut self, path: &Path, mode: u32, contents: impl Read) -> Result<(), UnpackError> {
        let meter = self.meter.clone();
        let write = |tree: &mut Tree| {
            let mut file = tree.file(path)?;
            io::copy(&mut meter.unpacked(contents), &mut file)?;
            file.set_permissions(Permissions::from_mode(mode & PERMISSIONS))
        };
        write(&mut self.tree).map_err(failed(path))
    }

    pub(super) fn directory(&mut self, path: PathBuf, mode: u32) -> Result<(), UnpackError> {
        self.tree.directory(&path).map_err(failed(&path))?;
        self.directories.push((path, mode & PERMISSIONS));
        Ok(())
    }

    pub(super) fn symlink(&mut self, path: &Path, target: &[u8]) -> Result<(), UnpackError> {
        if !stays_inside(path, target) {
            return Err(UnpackError::LinkOutside(path.display().to_string()));
        }
        self.tree.symlink(path, OsStr::from_bytes(target)).map_err(failed(path))
    }

    fn finish(mut self) -> Result<(), UnpackError> {
        for (path, mode) in std::mem::take(&mut self.directories).into_iter().rev() {
            let set = self.tree.opened(&path).and_then(|opened| opened.set_permissions(Permissions::from_mode(mode)));
            set.map_err(failed(&path))?;
        }
        Ok(())
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> UnpackError {
    move |source| UnpackError::Entry { path: path.display().to_string(), source }
}

fn refused(name: &[u8], kind: &'static str) -> UnpackError {
    UnpackError::Kind { path: shown(name), kind }
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
