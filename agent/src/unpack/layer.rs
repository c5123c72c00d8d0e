//! Layers of images, in the form that an overlay wants its lower directories in.
//!
//! Owners and permissions are an image's own business: they are taken over, and nobody but root can enter the directory where layers are.
//! What a layer removes from those beneath it becomes the overlay's own marks.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::{self, Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::AtFlags;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchownat};
use tar::{Entry, EntryType};
use xattr::FileExt;

use super::bounds::Meter;
use super::format::Compression;
use super::name::{Absolute, place, shown};
use super::tree::{Existing, Links, Tree};
use super::{Bounds, UnpackError};

/// Says of a file with this before its name that it is gone.
const WHITEOUT: &[u8] = b".wh.";
/// Says of its directory that nothing of the layers beneath is left in it.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Marks of a file system that layers are not made for any more.
const FOREIGN: &[u8] = b".wh..wh.";
/// What an overlay knows an opaque directory by.
const OPAQUE_ATTRIBUTE: &str = "trusted.overlay.opaque";
/// What a program may do beyond its user, the only attribute that is taken over.
const CAPABILITY: &str = "security.capability";
const CAPABILITY_RECORD: &str = "SCHILY.xattr.security.capability";

/// Unpacks the layer in `file` into the empty `directory`.
pub(crate) fn unpack(mut file: File, directory: &Path, bounds: Bounds) -> Result<(), UnpackError> {
    let mut beginning = [0; 6];
    let read = file.read(&mut beginning).map_err(UnpackError::Read)?;
    file.rewind().map_err(UnpackError::Read)?;
    let meter = Meter::new(bounds);
    let packed = meter.packed(file);
    let unpacked = Compression::of(&beginning[..read]).decode(packed).map_err(UnpackError::Read)?;
    let tree = Tree::open(directory, Links::Inside, Existing::Replaced).map_err(UnpackError::Directory)?;
    let mut layer = Layer { tree, meter, directories: Vec::new() };
    let mut archive = tar::Archive::new(unpacked);
    for entry in archive.entries().map_err(UnpackError::Read)? {
        layer.entry(entry.map_err(UnpackError::Read)?)?;
    }
    layer.finish()
}

struct Layer {
    tree: Tree,
    meter: Meter,
    /// With their permissions and times, which are set last: what is put into one changes them.
    directories: Vec<(PathBuf, u32, i64)>,
}

/// What a header says of a file beyond its contents.
struct About {
    mode: u32,
    user: Uid,
    group: Gid,
    modified: i64,
}

impl Layer {
    fn entry(&mut self, mut entry: Entry<'_, impl Read>) -> Result<(), UnpackError> {
        self.meter.entry()?;
        let name = entry.path_bytes().into_owned();
        let Some(path) = place(&name, Absolute::Inside)? else { return Ok(()) };
        if let Some(mark) = path.file_name().filter(|last| last.as_bytes().starts_with(WHITEOUT)) {
            return self.mark(&name, &path, mark.as_bytes());
        }
        let about = about(&entry).map_err(UnpackError::Read)?;
        let link = entry.link_name_bytes().map(|link| link.into_owned()).unwrap_or_default();
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let capability = capability(&mut entry).map_err(UnpackError::Read)?;
                self.file(&path, &about, capability, entry).map_err(failed(&path))
            }
            EntryType::Directory => {
                self.tree.directory(&path).and_then(|()| self.own(&path, &about)).map_err(failed(&path))?;
                self.directories.push((path, about.mode, about.modified));
                Ok(())
            }
            EntryType::Symlink => {
                let made = self.tree.symlink(&path, OsStr::from_bytes(&link));
                made.and_then(|()| self.own(&path, &about)).map_err(failed(&path))
            }
            EntryType::Link => {
                let target = place(&link, Absolute::Inside)?.ok_or_else(|| UnpackError::LinkOutside(shown(&name)))?;
                self.tree.hard_link(&path, &target).map_err(failed(&path))
            }
            EntryType::XGlobalHeader => Ok(()),
            EntryType::Char | EntryType::Block => Err(UnpackError::Kind { path: shown(&name), kind: "a device" }),
            EntryType::Fifo => Err(UnpackError::Kind { path: shown(&name), kind: "a pipe" }),
            _ => Err(UnpackError::Kind { path: shown(&name), kind: "of a kind that is not known" }),
        }
    }

    fn mark(&mut self, name: &[u8], path: &Path, mark: &[u8]) -> Result<(), UnpackError> {
        let parent = path.parent().unwrap_or(Path::new(""));
        if mark == OPAQUE {
            // Of the root nothing is beneath, unless an image removes everything; then its own layers do not need those beneath.
            let opened = match parent.as_os_str().is_empty() {
                true => self.tree.root(),
                // A layer need not say more of a directory than that.
                false => self.tree.directory(parent).and_then(|()| self.tree.opened(parent)),
            };
            return opened.and_then(|directory| directory.set_xattr(OPAQUE_ATTRIBUTE, b"y")).map_err(failed(path));
        }
        if mark.starts_with(FOREIGN) {
            return Ok(());
        }
        match &mark[WHITEOUT.len()..] {
            b"" | b"." | b".." => Err(UnpackError::Outside(shown(name))),
            gone => {
                let gone = parent.join(OsStr::from_bytes(gone));
                self.tree.whiteout(&gone).map_err(failed(path))
            }
        }
    }

    fn file(&mut self, path: &Path, about: &About, capability: Option<Vec<u8>>, contents: impl Read) -> io::Result<()> {
        let mut file = self.tree.file(path)?;
        io::copy(&mut self.meter.unpacked(contents), &mut file)?;
        // In this order: each takes away what follows.
        nix::unistd::fchown(&file, Some(about.user), Some(about.group))?;
        file.set_permissions(Permissions::from_mode(about.mode))?;
        if let Some(capability) = capability {
            file.set_xattr(CAPABILITY, &capability)?;
        }
        let modified = TimeSpec::new(about.modified, 0);
        Ok(nix::sys::stat::futimens(&file, &modified, &modified)?)
    }

    fn own(&mut self, path: &Path, about: &About) -> io::Result<()> {
        let (parent, name) = self.tree.located(path)?;
        let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
        Ok(fchownat(&*parent, name, Some(about.user), Some(about.group), flags)?)
    }

    fn finish(mut self) -> Result<(), UnpackError> {
        for (path, mode, modified) in std::mem::take(&mut self.directories).into_iter().rev() {
            self.complete(&path, mode, modified).map_err(failed(&path))?;
        }
        Ok(())
    }

    /// One that was replaced by something else later is left alone.
    fn complete(&mut self, path: &Path, mode: u32, modified: i64) -> io::Result<()> {
        let (parent, name) = self.tree.located(path)?;
        match self.tree.opened(path) {
            Ok(opened) if opened.metadata()?.is_dir() => opened.set_permissions(Permissions::from_mode(mode))?,
            Ok(_) | Err(_) => return Ok(()),
        }
        let modified = TimeSpec::new(modified, 0);
        Ok(utimensat(&*parent, name, &modified, &modified, UtimensatFlags::NoFollowSymlink)?)
    }
}

fn about(entry: &Entry<'_, impl Read>) -> io::Result<About> {
    let header = entry.header();
    let id = |id: u64| u32::try_from(id).map_err(|_| io::Error::other("an owner's number is too large"));
    Ok(About {
        mode: header.mode()? & 0o7777,
        user: Uid::from_raw(id(header.uid()?)?),
        group: Gid::from_raw(id(header.gid()?)?),
        modified: i64::try_from(header.mtime()?).unwrap_or(0),
    })
}

fn capability(entry: &mut Entry<'_, impl Read>) -> io::Result<Option<Vec<u8>>> {
    let Some(records) = entry.pax_extensions()? else { return Ok(None) };
    for record in records {
        let record = record?;
        if record.key_bytes() == CAPABILITY_RECORD.as_bytes() {
            return Ok(Some(record.value_bytes().to_vec()));
        }
    }
    Ok(None)
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> UnpackError {
    move |source| UnpackError::Entry { path: path.display().to_string(), source }
}

#[cfg(test)]
#[path = "layer_tests.rs"]
mod tests;
