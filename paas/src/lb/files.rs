//! Open files: how many connections this process can have, and who may have them.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// More than this is not asked for: each connection costs memory too.
const FILES_MAX: u64 = 65_536;
/// When the system does not tell.
const FILES_DEFAULT: u64 = 1_024;

/// A share of the open files for each use. A quarter is left for service ports, and for connections whose other side is just closing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shares {
    /// Clients that are connected at once. Each may have a connection to a backend, which comes out of a share of the same size.
    pub(super) clients: usize,
    /// Connections to backends that wait for use.
    pub(super) idle: usize,
}

impl Shares {
    /// Asks the system for as many open files as it allows, and shares them out.
    pub(super) fn take() -> Self {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((FILES_DEFAULT, FILES_DEFAULT));
        let wanted = hard.min(FILES_MAX);
        let files = match soft < wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok() {
            true => wanted,
            false => soft.min(FILES_MAX),
        };
        Self::of(usize::try_from(files).unwrap_or(usize::MAX))
    }

    fn of(files: usize) -> Self {
        Self { clients: (files / 4).max(1), idle: files / 4 }
    }
}

#[cfg(test)]
mod tests {
    use super::Shares;

    #[test]
    fn everything_fits_into_the_files_there_are() {
        for files in [4, 1_024, 20_000, 65_536] {
            let Shares { clients, idle } = Shares::of(files);
            assert!(2 * clients + idle <= files, "{files}");
        }
        assert!(Shares::take().clients > 0);
    }
}
