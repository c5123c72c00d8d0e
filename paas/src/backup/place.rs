//! Which files clients may name: those directly in the directory that the operator names.

use std::path::{Path, PathBuf};

/// Why a URI names no file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPlace {
    /// Nobody may name any.
    #[error("no directory for backups is named: --backup-directory")]
    NoDirectory,
    /// It is somewhere else.
    #[error("only files are written and read: file:///…; there is no access to '{0}'")]
    Scheme(String),
    /// The file would lie elsewhere.
    #[error("must be a file directly in {0}, with a name of letters, digits, '.', '_' and '-'")]
    Outside(String),
}

/// The file that a URI like `file:///var/backups/one` names.
///
/// # Errors
/// See [`InvalidPlace`].
pub fn place(uri: &str, directory: Option<&Path>) -> Result<PathBuf, InvalidPlace> {
    let directory = directory.ok_or(InvalidPlace::NoDirectory)?;
    let path = uri.strip_prefix("file://").ok_or_else(|| {
        let scheme = uri.split_once("://").map_or(uri, |(scheme, _)| scheme);
        InvalidPlace::Scheme(format!("{}://", scheme.chars().take(20).collect::<String>()))
    })?;
    let outside = || InvalidPlace::Outside(directory.display().to_string());
    let path = Path::new(path);
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(outside)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_name = !name.starts_with('.') && name.len() <= 200 && name.bytes().all(is_plain);
    match path.parent() == Some(directory) && is_name {
        true => Ok(directory.join(name)),
        false => Err(outside()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_lies_directly_in_the_directory() {
        let directory = Path::new("/var/backups");
        let named = |uri: &str| place(uri, Some(directory));
        assert_eq!(named("file:///var/backups/one.2026"), Ok(PathBuf::from("/var/backups/one.2026")));
        for outside in [
            "file:///etc/passwd",
            "file:///var/backups",
            "file:///var/backups/",
            "file:///var/backups/../one",
            "file:///var/backups/a/one",
            "file://one",
            "file:///var/backups/.one",
            "file:///var/backups/a b",
            "file:///var/backups/a%2fb",
            "file:///var/backups/a\0b",
            "file:///var/backups/..",
        ] {
            assert!(matches!(named(outside), Err(InvalidPlace::Outside(_))), "{outside}");
        }
        assert_eq!(
            named("s3://bucket/one").unwrap_err().to_string(),
            "only files are written and read: file:///…; there is no access to 's3://'"
        );
        assert_eq!(place("file:///one", None), Err(InvalidPlace::NoDirectory));
    }
}
