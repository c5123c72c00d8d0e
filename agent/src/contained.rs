//! Containers that operators have asked for, as they are written down: each in a file of its own in `meta/containers`, replaced by write
//! and rename. There are few of them, and what is said of one has no bearing on the others: a file that cannot be read is put aside.

use std::io;
use std::path::{Path, PathBuf};

use attica_core_api::message::Nested;
use attica_core_api::v1::{ContainerId as WireContainerId, ContainerInfo, ExecutorId, FrameworkId};
use serde::{Deserialize, Serialize};

use crate::image::Provisioned;
use crate::launcher::protocol::{ContainerId, Ending, Process, Request};
use crate::seal;

/// The form of the files that this build writes and reads.
const FORMAT: u32 = 2;
const DAMAGED: &str = "damaged";

/// The names from the outermost container to the one that is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct ContainerPath(Vec<String>);

impl ContainerPath {
    /// Of a container that is in no other one.
    pub(crate) fn root(name: &str) -> ContainerPath {
        ContainerPath(vec![name.to_owned()])
    }

    pub(crate) fn within(&self, name: &str) -> ContainerPath {
        ContainerPath(self.0.iter().cloned().chain([name.to_owned()]).collect())
    }

    pub(crate) fn parent(&self) -> Option<ContainerPath> {
        let (_, parents) = self.0.split_last()?;
        (!parents.is_empty()).then(|| ContainerPath(parents.to_vec()))
    }

    /// The last name.
    pub(crate) fn name(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.0
    }

    /// Whether it is, at any depth, within `other`.
    pub(crate) fn is_within(&self, other: &ContainerPath) -> bool {
        self.0.len() > other.0.len() && self.0.starts_with(&other.0)
    }

    pub(crate) fn to_wire(&self) -> WireContainerId {
        let mut wire: Option<WireContainerId> = None;
        for name in &self.0 {
            let parent = wire.take().map(|parent| Nested(Box::new(parent)));
            wire = Some(WireContainerId { value: name.clone(), parent });
        }
        wire.unwrap_or_default()
    }
}

impl From<&WireContainerId> for ContainerPath {
    fn from(id: &WireContainerId) -> ContainerPath {
        let mut names = Vec::new();
        let mut level = Some(id);
        while let Some(WireContainerId { value, parent }) = level {
            names.push(value.clone());
            level = parent.as_ref().map(|parent| parent.0.as_ref());
        }
        names.reverse();
        ContainerPath(names)
    }
}

/// As Mesos writes it.
impl std::fmt::Display for ContainerPath {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0.join("."))
    }
}

/// How long a container may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tenure {
    /// Until its program ends, or what it is within.
    Lasting,
    /// As long as the connection of whoever asked for it, and no longer than the agent.
    Session,
}

/// How far a container has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Progress {
    Launching,
    Running(Process),
    Ended(Ending),
}

/// How a container was asked to end, the mildest way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kill {
    /// By SIGTERM, which it may take its time over.
    Terminate,
    /// By SIGKILL.
    Destroy,
}

impl Kill {
    pub(crate) fn request(self, container: ContainerId) -> Request {
        match self {
            Kill::Terminate => Request::Terminate(container),
            Kill::Destroy => Request::Destroy(container),
        }
    }
}

/// Everything about one container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ContainedRecord {
    pub(crate) format: u32,
    pub(crate) path: ContainerPath,
    /// Its name for the launcher.
    pub(crate) container: ContainerId,
    pub(crate) tenure: Tenure,
    /// The executor whose container it is within, if that is not one without a framework.
    pub(crate) of: Option<(FrameworkId, ExecutorId)>,
    /// As which user the outermost container runs, for the rules.
    pub(crate) owner: String,
    /// As which user it runs; absent: the agent's.
    pub(crate) user: Option<String>,
    /// Where its program begins.
    pub(crate) directory: PathBuf,
    /// For those within it.
    pub(crate) environment: Vec<(String, String)>,
    /// What was said of it, without secrets: for those within it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) info: Option<Box<ContainerInfo>>,
    /// The image that is its root. Present once it is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) image: Option<Box<Provisioned>>,
    pub(crate) progress: Progress,
    /// Present once it is to end: who starts it or finds it running asks for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kill: Option<Kill>,
}

impl ContainedRecord {
    pub(crate) fn format() -> u32 {
        FORMAT
    }

    /// Whether its directory goes with it: others have that of what they are within.
    pub(crate) fn has_own_directory(&self) -> bool {
        match self.tenure {
            Tenure::Lasting => true,
            Tenure::Session => self.path.parent().is_none(),
        }
    }
}

/// Why there is nothing to be made of a file.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    #[error("it is not as it was written")]
    Damaged,
    #[error("it is corrupt")]
    Corrupt(#[source] serde_json::Error),
    #[error("it has format {0}; this program reads format {FORMAT}")]
    Format(u32),
}

/// The directory of the files.
#[derive(Debug)]
pub(crate) struct ContainedFiles(PathBuf);

impl ContainedFiles {
    /// Opens `<work_dir>/meta/containers`, making it when needed, and reads what is in it.
    pub(crate) fn open(work_dir: &Path) -> io::Result<(ContainedFiles, Vec<ContainedRecord>)> {
        let directory = work_dir.join("meta/containers");
        std::fs::create_dir_all(&directory)?;
        let mut records = Vec::new();
        for entry in std::fs::read_dir(&directory)? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            match read(&path) {
                Ok(record) => records.push(record),
                Err(error) => {
                    let aside = path.with_extension(DAMAGED);
                    tracing::error!(
                        path = %aside.display(), error = &error as &dyn std::error::Error,
                        "a container is not adopted, and ended if it runs: its record is put aside"
                    );
                    std::fs::rename(&path, aside)?;
                }
            }
        }
        Ok((ContainedFiles(directory), records))
    }

    /// Writes one down, in place of what was said of it before.
    pub(crate) fn store(&self, record: &ContainedRecord) -> io::Result<()> {
        let path = self.path(&record.container);
        let new = path.with_extension("new");
        std::fs::write(&new, seal::sealed(serde_json::to_vec(record)?))?;
        std::fs::rename(&new, &path)
    }

    pub(crate) fn remove(&self, container: &ContainerId) -> io::Result<()> {
        match std::fs::remove_file(self.path(container)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn path(&self, container: &ContainerId) -> PathBuf {
        self.0.join(format!("{container}.json"))
    }
}

fn read(path: &Path) -> Result<ContainedRecord, Unusable> {
    let contents = std::fs::read(path).map_err(Unusable::Read)?;
    let text = seal::opened(&contents).ok_or(Unusable::Damaged)?;
    let record: ContainedRecord = serde_json::from_slice(text).map_err(Unusable::Corrupt)?;
    if record.format == FORMAT { Ok(record) } else { Err(Unusable::Format(record.format)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str) -> ContainedRecord {
        ContainedRecord {
            format: FORMAT,
            path: ContainerPath::root("whole").within(name),
            container: ContainerId::new(name).unwrap(),
            tenure: Tenure::Lasting,
            of: None,
            owner: "root".to_owned(),
            user: None,
            directory: "/x".into(),
            environment: Vec::new(),
            info: Some(Box::default()),
            image: None,
            progress: Progress::Launching,
            kill: Some(Kill::Terminate),
        }
    }

    #[test]
    fn records_are_read_as_they_were_written_and_damaged_ones_put_aside() {
        let work_dir = tempfile::tempdir().unwrap();
        let (files, none) = ContainedFiles::open(work_dir.path()).unwrap();
        assert_eq!(none, []);
        for name in ["good", "gone", "torn", "newer"] {
            files.store(&record(name)).unwrap();
        }
        files.remove(&ContainerId::new("gone").unwrap()).unwrap();
        files.remove(&ContainerId::new("gone").unwrap()).unwrap();
        files.store(&ContainedRecord { format: FORMAT + 1, ..record("newer") }).unwrap();
        let torn = work_dir.path().join("meta/containers/torn.json");
        std::fs::write(&torn, &std::fs::read(&torn).unwrap()[..40]).unwrap();
        for _ in 0..2 {
            assert_eq!(ContainedFiles::open(work_dir.path()).unwrap().1, [record("good")]);
        }
        assert!(torn.with_extension(DAMAGED).exists());
    }

    #[test]
    fn a_path_is_an_id_turned_inside_out() {
        let path = ContainerPath::root("a").within("b").within("c");
        assert_eq!(ContainerPath::from(&path.to_wire()), path);
        assert_eq!((path.to_string().as_str(), path.name()), ("a.b.c", "c"));
        assert!(path.is_within(&ContainerPath::root("a")) && !path.is_within(&path));
        assert_eq!(ContainerPath::root("a").parent(), None);
    }
}
