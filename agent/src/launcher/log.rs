//! The launcher's log, which is its standard error, kept within bounds: a launcher lives as long as its tasks.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::stat::fstat;

/// The log's name in the launcher's directory, where agents make it.
pub(crate) const NAME: &str = "launcher.log";
/// What came before the log was begun anew.
const EARLIER: &str = "launcher.log.1";
/// The length at which it is begun anew, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Log;

impl Log {
    /// Begins the log anew when it is long, if it is standard error.
    pub(super) fn keep_short(&self) {
        let Ok(own) = fstat(io::stderr()) else { return };
        if u64::try_from(own.st_size).unwrap_or(0) < MAX_BYTES {
            return;
        }
        let is_log = |file: std::fs::Metadata| (file.dev(), file.ino()) == (own.st_dev, own.st_ino);
        if !std::fs::metadata(NAME).is_ok_and(is_log) {
            return;
        }
        // Not said where it fails: that would make it longer still.
        let _long = begin_anew(Path::new(".")).and_then(|log| nix::unistd::dup2_stderr(log).map_err(io::Error::from));
    }
}

fn begin_anew(directory: &Path) -> io::Result<File> {
    std::fs::rename(directory.join(NAME), directory.join(EARLIER))?;
    File::options().create(true).append(true).open(directory.join(NAME))
}
