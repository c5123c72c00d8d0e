//! Persistent volumes on disk: the directories that outlive tasks.
//!
//! Which volumes there are, the master alone knows; what is here is safe to do again. A volume's directory is made when the volume is
//! created, or when the first task uses it, and only an explicit order to destroy it removes it: a directory that nobody names stays.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use attica_core_api::v1::{DiskSourceType, OfferOperation, Resource, VolumeMode, check_id};
use nix::unistd::{User, chown};

const BYTES_PER_MEGABYTE: f64 = 1_048_576.0;

/// What goes wrong with a volume.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VolumeError {
    #[error("`{0}` cannot be the name of a volume's directory")]
    Name(String),
    #[error("cannot {verb} the volume {path}")]
    Directory {
        verb: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Where a volume's data is.
enum Home {
    /// In a directory of its own.
    Own(PathBuf),
    /// It is a whole file system, mounted there.
    Mount(PathBuf),
}

impl Home {
    fn path(&self) -> &Path {
        match self {
            Home::Own(path) | Home::Mount(path) => path,
        }
    }
}

/// Does the agent's part of an operation.
pub(crate) fn operate(work_dir: &Path, operation: &OfferOperation) -> Result<(), VolumeError> {
    for (_, home) in homes(work_dir, operation.create.iter().flat_map(|create| &create.volumes))? {
        make(home.path())?;
    }
    for (_, home) in homes(work_dir, operation.destroy.iter().flat_map(|destroy| &destroy.volumes))? {
        destroy(&home)?;
    }
    Ok(())
}

/// How a task comes to see a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// By a link in its sandbox.
    Link,
    /// It is mounted for it.
    Mount,
}

/// The volumes among `resources`: where each is, where the framework wants it in the sandbox, and how.
pub(crate) fn places(
    work_dir: &Path,
    resources: &[Resource],
) -> Result<Vec<(PathBuf, String, VolumeMode)>, VolumeError> {
    let place = |(volume, home): (&Resource, Home)| {
        let wanted = volume.disk.as_ref()?.volume.as_ref()?;
        Some((home.path().to_owned(), wanted.container_path.clone(), wanted.mode))
    };
    Ok(homes(work_dir, resources)?.into_iter().filter_map(place).collect())
}

/// How much each of the volumes among `resources` may hold, in bytes, where its file system does not see to that by itself.
pub(crate) fn sizes(work_dir: &Path, resources: &[Resource]) -> Result<Vec<(PathBuf, u64)>, VolumeError> {
    let mut megabytes = BTreeMap::<PathBuf, f64>::new();
    for (volume, home) in homes(work_dir, resources)? {
        let Home::Own(path) = home else { continue };
        *megabytes.entry(path).or_default() += volume.scalar.as_ref().map_or(0.0, |scalar| scalar.value);
    }
    Ok(megabytes.into_iter().map(|(path, megabytes)| (path, (megabytes * BYTES_PER_MEGABYTE) as u64)).collect())
}

/// Makes the volumes among a task's resources, gives them to its user, and shows them where the framework wants them in the sandbox.
pub(crate) fn show(
    work_dir: &Path,
    resources: &[Resource],
    sandbox: &Path,
    user: Option<&str>,
    how: Show,
) -> Result<(), VolumeError> {
    for (volume, home) in homes(work_dir, resources)? {
        let Some(mount) = volume.disk.as_ref().and_then(|disk| disk.volume.as_ref()) else { continue };
        let path = home.path();
        make_for(path, user)?;
        let failed = |source| VolumeError::Directory { verb: "show", path: path.to_owned(), source };
        check_id(&mount.container_path).map_err(|_| VolumeError::Name(mount.container_path.clone()))?;
        if how == Show::Mount {
            continue;
        }
        match std::os::unix::fs::symlink(path, sandbox.join(&mount.container_path)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Makes those volumes whose place `is_wanted`, and gives them to the user of a task that is about to see them.
pub(crate) fn hand_over(
    work_dir: &Path,
    resources: &[Resource],
    user: Option<&str>,
    is_wanted: impl Fn(&Path) -> bool,
) -> Result<(), VolumeError> {
    let homes = homes(work_dir, resources)?.into_iter().map(|(_, home)| home);
    homes.filter(|home| is_wanted(home.path())).try_for_each(|home| make_for(home.path(), user))
}

fn homes<'r>(
    work_dir: &Path,
    resources: impl IntoIterator<Item = &'r Resource>,
) -> Result<Vec<(&'r Resource, Home)>, VolumeError> {
    let is_volume = |resource: &&Resource| resource.disk.as_ref().is_some_and(|disk| disk.persistence.is_some());
    resources.into_iter().filter(is_volume).map(|volume| Ok((volume, home(work_dir, volume)?))).collect()
}

/// Where the volumes of a disk are, each in the directory of its role.
pub(crate) fn directory(root: &Path) -> PathBuf {
    root.join("volumes/roles")
}

/// How many volumes are in the work directory.
pub(crate) fn count(work_dir: &Path) -> usize {
    let entries = |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    entries(&directory(work_dir)).map(|role| entries(&role).count()).sum()
}

/// `<root>/volumes/roles/<role>/<id>`, as in Mesos: the slashes of a role become spaces, which no role has. The root of a disk that is no
/// absolute path is beneath the work directory.
fn home(work_dir: &Path, volume: &Resource) -> Result<Home, VolumeError> {
    let disk = volume.disk.as_deref();
    let source = disk.and_then(|disk| disk.source.as_ref());
    let path = source.and_then(|source| source.path.as_ref()?.root.as_deref());
    let mount = source.and_then(|source| source.mount.as_ref()?.root.as_deref());
    let root = match (source.map(|source| source.r#type), path, mount) {
        (Some(DiskSourceType::Mount), _, Some(root)) => return Ok(Home::Mount(work_dir.join(root))),
        (Some(DiskSourceType::Path), Some(root), _) => work_dir.join(root),
        _ => work_dir.to_owned(),
    };
    let id = disk.and_then(|disk| disk.persistence.as_ref()).map_or("", |persistence| &persistence.id);
    check_id(id).map_err(|_| VolumeError::Name(id.to_owned()))?;
    // Of a stack of reservations the finest counts; the old way to write the only one is `role`.
    let finest = volume.reservations.last().and_then(|reservation| reservation.role.as_deref());
    let role = finest.or(volume.role.as_deref()).unwrap_or("*").replace('/', " ");
    Ok(Home::Own(directory(&root).join(role).join(id)))
}

fn make(path: &Path) -> Result<(), VolumeError> {
    std::fs::create_dir_all(path).map_err(|source| VolumeError::Directory {
        verb: "make",
        path: path.to_owned(),
        source,
    })
}

/// What the agent makes as root is root's already.
fn make_for(path: &Path, user: Option<&str>) -> Result<(), VolumeError> {
    make(path)?;
    let owner = user.filter(|user| *user != "root").and_then(|user| User::from_name(user).ok().flatten());
    let Some(owner) = owner.filter(|owner| !owner.uid.is_root()) else { return Ok(()) };
    chown(path, Some(owner.uid), Some(owner.gid)).map_err(|error| VolumeError::Directory {
        verb: "give away",
        path: path.to_owned(),
        source: error.into(),
    })
}

fn destroy(home: &Home) -> Result<(), VolumeError> {
    let outcome = match home {
        Home::Own(path) => std::fs::remove_dir_all(path),
        // The file system stays: what is in it goes.
        Home::Mount(path) => std::fs::read_dir(path).and_then(|entries| {
            for entry in entries {
                let entry = entry?;
                match entry.file_type()?.is_dir() {
                    true => std::fs::remove_dir_all(entry.path())?,
                    false => std::fs::remove_file(entry.path())?,
                }
            }
            Ok(())
        }),
    };
    match outcome {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(VolumeError::Directory { verb: "destroy", path: home.path().to_owned(), source })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use attica_core_api::decode_json;

    fn operation(json: &str) -> OfferOperation {
        decode_json(json.as_bytes()).unwrap()
    }

    fn volume(extra: &str) -> String {
        format!(
            r#"{{"name":"disk","type":"SCALAR","scalar":{{"value":64}},"reservations":[{{"type":"DYNAMIC","role":"a/b"}}],
                "disk":{{"persistence":{{"id":"v1"}},"volume":{{"container_path":"data","mode":"RW"}}{extra}}}}}"#
        )
    }

    #[test]
    fn data_outlives_tasks_until_the_volume_is_destroyed() {
        let work_dir = tempfile::tempdir().unwrap();
        let create = operation(&format!(r#"{{"type":"CREATE","create":{{"volumes":[{}]}}}}"#, volume("")));
        let destroy = operation(&format!(r#"{{"type":"DESTROY","destroy":{{"volumes":[{}]}}}}"#, volume("")));
        let home = work_dir.path().join("volumes/roles/a b/v1");
        for _ in 0..2 {
            operate(work_dir.path(), &create).unwrap();
            assert!(home.is_dir());
        }
        let volumes = create.create.unwrap().volumes;
        for task in ["t1", "t2"] {
            let sandbox = work_dir.path().join(task);
            std::fs::create_dir(&sandbox).unwrap();
            show(work_dir.path(), &volumes, &sandbox, None, Show::Link).unwrap();
            let file = sandbox.join("data/file");
            assert_eq!(file.exists(), task == "t2");
            std::fs::write(file, "kept").unwrap();
        }
        for _ in 0..2 {
            operate(work_dir.path(), &destroy).unwrap();
            assert!(!home.exists());
        }
    }

    #[test]
    fn a_mounted_file_system_is_emptied_and_stays() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("mnt");
        std::fs::create_dir_all(root.join("d")).unwrap();
        std::fs::write(root.join("f"), "x").unwrap();
        let source = format!(r#","source":{{"type":"MOUNT","mount":{{"root":"{}"}}}}"#, root.display());
        let destroy = operation(&format!(r#"{{"type":"DESTROY","destroy":{{"volumes":[{}]}}}}"#, volume(&source)));
        operate(directory.path(), &destroy).unwrap();
        assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0);
    }

    #[test]
    fn disks_are_where_they_say_and_have_a_size_unless_they_are_whole() {
        let read = |source: &str| -> Resource { decode_json(volume(source).as_bytes()).unwrap() };
        let path = |root: &str| read(&format!(r#","source":{{"type":"PATH","path":{{"root":"{root}"}}}}"#));
        let mount = read(r#","source":{"type":"MOUNT","mount":{"root":"mnt"}}"#);
        let all = [path("/disk"), path("disk"), read(""), read(""), mount.clone()];
        let megabytes = |path: &str, count: u64| (PathBuf::from(path).join("volumes/roles/a b/v1"), count << 20);
        let expected = [megabytes("/agent/disk", 64), megabytes("/agent", 128), megabytes("/disk", 64)];
        assert_eq!(sizes(Path::new("/agent"), &all).unwrap(), expected);
        assert_eq!(places(Path::new("/agent"), &[mount]).unwrap()[0].0, Path::new("/agent/mnt"));
    }

    #[test]
    fn no_name_leads_out_of_the_place_of_volumes() {
        let work_dir = tempfile::tempdir().unwrap();
        let escape = volume("").replace("v1", "../../x");
        let destroy = operation(&format!(r#"{{"type":"DESTROY","destroy":{{"volumes":[{escape}]}}}}"#));
        assert!(matches!(operate(work_dir.path(), &destroy), Err(VolumeError::Name(_))));
    }
}
