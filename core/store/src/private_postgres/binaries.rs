//! Finds an installed Postgres.

use std::path::{Path, PathBuf};

use super::PrivatePostgresError;

/// The programs of one installed version.
#[derive(Clone, Debug)]
pub struct Binaries {
    pub(super) initdb: PathBuf,
    pub(super) postgres: PathBuf,
}

/// Where Debian keeps one directory per major version.
const DEBIAN: &str = "/usr/lib/postgresql";

impl Binaries {
    /// The newest of Debian's versions, else what the `PATH` has.
    pub fn find() -> Result<Self, PrivatePostgresError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let directories: Vec<PathBuf> =
            debian_versions(Path::new(DEBIAN)).chain(std::env::split_paths(&path)).collect();
        let found = directories.iter().find_map(|directory| Binaries::within(directory));
        found.ok_or_else(|| PrivatePostgresError::NotInstalled {
            looked_in: format!("{DEBIAN}/*/bin and the PATH ({})", path.to_string_lossy()),
        })
    }

    fn within(directory: &Path) -> Option<Self> {
        let binaries = Binaries { initdb: directory.join("initdb"), postgres: directory.join("postgres") };
        (binaries.initdb.is_file() && binaries.postgres.is_file()).then_some(binaries)
    }
}

/// The `bin` directories, newest version first.
fn debian_versions(root: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_unstable_by(|left, right| right.cmp(left));
    versions.into_iter().map(|(_version, directory)| directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_comes_first() {
        let root = tempfile::tempdir().expect("temporary directory");
        for version in ["9", "15", "17", "common"] {
            std::fs::create_dir(root.path().join(version)).expect("directory");
        }
        let found: Vec<PathBuf> = debian_versions(root.path()).collect();
        let expected: Vec<PathBuf> =
            ["17", "15", "9"].iter().map(|version| root.path().join(version).join("bin")).collect();
        assert_eq!(found, expected);
    }
}
