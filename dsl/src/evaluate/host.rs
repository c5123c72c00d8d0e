//! The little of its machine a configuration may see: the user's name, three variables, and files below a few directories.

use std::path::{Component, Path, PathBuf};

/// Variables of the environment a configuration may read without asking.
const VARIABLES: &[&str] = &["HOME", "LOGNAME", "USER"];

/// Which part of the machine a configuration sees.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// The values of [`VARIABLES`] that are set.
    variables: Vec<(String, String)>,
    /// Directories that stand in for paths of the configuration, longest first.
    maps: Vec<(PathBuf, PathBuf)>,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("`{0}` leads out of the directory tree of the configuration")]
    Outside(String),
    #[error("`{path}` cannot be read: {source}")]
    Unreadable { path: String, source: std::io::Error },
    #[error("`{0}` is longer than {limit} MiB", limit = crate::source::FILE_LIMIT_BYTES >> 20)]
    TooLong(String),
    #[error("`{0}` is no text in UTF-8")]
    NoText(String),
}

impl Host {
    /// What this process may show.
    pub fn of_process(maps: Vec<(PathBuf, PathBuf)>) -> Self {
        let variable = |name: &&str| Some(((*name).to_owned(), std::env::var(name).ok()?));
        Self::new(VARIABLES.iter().filter_map(variable).collect(), maps)
    }

    /// A machine with these variables and these directories instead of others.
    pub fn new(variables: Vec<(String, String)>, mut maps: Vec<(PathBuf, PathBuf)>) -> Self {
        maps.sort_by_key(|(path, _)| std::cmp::Reverse(path.as_os_str().len()));
        Self { variables, maps }
    }

    /// Whether a configuration may ask for the variable at all.
    pub(crate) fn is_visible(name: &str) -> bool {
        VARIABLES.contains(&name)
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The user's name.
    pub(crate) fn user(&self) -> &str {
        self.variable("LOGNAME").or_else(|| self.variable("USER")).unwrap_or("nobody")
    }

    /// Where a path of the configuration is read from: relative to `base`, and within the tree of `root` or a mapped directory.
    pub(crate) fn locate(&self, path: &str, base: &Path, root: &Path) -> Result<PathBuf, Refused> {
        let outside = || Refused::Outside(path.to_owned());
        let unreadable = |source| Refused::Unreadable { path: path.to_owned(), source };
        let mapped = self.maps.iter().find_map(|(from, to)| Some((to, Path::new(path).strip_prefix(from).ok()?)));
        let tree = mapped.map_or(root, |(to, _)| to).canonicalize().map_err(unreadable)?;
        let wanted = mapped.map_or_else(|| base.join(path), |(_, rest)| tree.join(rest));
        // What lies outside is not even looked at: whether it exists is nobody's business. A link inside may still lead out.
        if !normal(&wanted).starts_with(&tree) {
            return Err(outside());
        }
        let found = wanted.canonicalize().map_err(unreadable)?;
        if found.starts_with(&tree) { Ok(found) } else { Err(outside()) }
    }
}

/// The path without `.` and `..`, links not followed.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(normal.pop()),
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => normal.push(part),
        }
    }
    normal
}

/// A file's bytes, no more than a configuration may have.
pub(crate) fn read(path: &Path, shown: &str) -> Result<Vec<u8>, Refused> {
    use std::io::Read as _;
    let limit = crate::source::FILE_LIMIT_BYTES;
    let unreadable = |source| Refused::Unreadable { path: shown.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > limit { Err(Refused::TooLong(shown.to_owned())) } else { Ok(bytes) }
}

/// A file's text.
pub(crate) fn read_text(path: &Path, shown: &str) -> Result<String, Refused> {
    String::from_utf8(read(path, shown)?).map_err(|_| Refused::NoText(shown.to_owned()))
}

/// The tree a configuration may include from: the repository it is in, or else its directory.
pub(crate) fn root_of(file: &Path) -> PathBuf {
    let directory = file.parent().unwrap_or(Path::new("."));
    let repository = directory.ancestors().find(|directory| directory.join(".git").exists());
    repository.unwrap_or(directory).to_owned()
}
