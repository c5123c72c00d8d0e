//! Names of an archive's entries.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::UnpackError;

/// Directories above a file.
const DEPTH_MAX: usize = 256;

/// What to make of a name that begins with `/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absolute {
    Refused,
    /// Means the archive's directory.
    Inside,
}

/// Where in the directory an entry of this name is to be; `None` is the directory itself.
pub(super) fn place(name: &[u8], absolute: Absolute) -> Result<Option<PathBuf>, UnpackError> {
    let outside = || UnpackError::Outside(shown(name));
    let mut place = PathBuf::new();
    for component in Path::new(OsStr::from_bytes(name)).components() {
        match component {
            Component::Normal(part) => place.push(part),
            Component::CurDir => {}
            Component::RootDir if absolute == Absolute::Inside => {}
            Component::RootDir | Component::ParentDir | Component::Prefix(_) => return Err(outside()),
        }
    }
    if name.contains(&0) || place.components().count() > DEPTH_MAX {
        return Err(outside());
    }
    Ok(Some(place).filter(|place| !place.as_os_str().is_empty()))
}

/// Whether a symbolic link at `place` to `target` stays in the directory, as far as names tell.
pub(super) fn stays_inside(place: &Path, target: &[u8]) -> bool {
    let mut depth = place.components().count().saturating_sub(1);
    for component in Path::new(OsStr::from_bytes(target)).components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    !target.is_empty() && !target.contains(&0)
}

/// For people.
pub(super) fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_beneath_the_directory() {
        for (name, expected) in [("a/b", Some("a/b")), ("./a//b/.", Some("a/b")), ("./", None), ("", None)] {
            assert_eq!(place(name.as_bytes(), Absolute::Refused).unwrap(), expected.map(PathBuf::from), "{name}");
        }
        for name in ["../a", "a/../../b", "a/..", "/etc/passwd", "a\0b"] {
            assert!(place(name.as_bytes(), Absolute::Refused).is_err(), "{name}");
        }
        assert_eq!(place(b"/etc/passwd", Absolute::Inside).unwrap(), Some(PathBuf::from("etc/passwd")));
        assert!(place(b"/../etc", Absolute::Inside).is_err());
    }

    #[test]
    fn links_are_judged_from_where_they_stand() {
        let cases = [
            ("a", "b", true),
            ("a/b", "../c", true),
            ("a", "../c", false),
            ("a/b", "../../c", false),
            ("a", "/c", false),
        ];
        for (place, target, inside) in cases {
            assert_eq!(stays_inside(Path::new(place), target.as_bytes()), inside, "{place} -> {target}");
        }
    }
}
