//! Volumes of tasks and executors: directories of the machine, of a sandbox, and persistent ones.
//!
//! A task without a root of its own finds a directory of its sandbox, or a persistent volume, by a link in its sandbox, which costs nothing.
//! All else is mounted for it: whatever a task with a root sees, what can only be read, and directories of the machine.

use std::path::{Component, Path, PathBuf};

use attica_core_api::v1::{
    ContainerInfo, ContainerType, Resource, SandboxPathType, SandboxPathVolume, Secret, Volume, VolumeMode,
    VolumeSource, VolumeSourceType,
};

use super::accept::{Refusal, refuse};
use super::secret::{self, Holder};
use super::{Config, image};
use crate::launcher::protocol::{Access, Mount, MountKind, SANDBOX};
use crate::sandbox::DirectoryLink;
use crate::volumes::{self, Show};

/// Who sees volumes: a task, or an executor with its tasks.
#[derive(Debug)]
pub(super) struct Beholder<'a> {
    /// Whom its secrets are sealed for.
    pub(super) holder: Holder<'a>,
    pub(super) container: Option<&'a ContainerInfo>,
    /// Those with persistent volumes among them.
    pub(super) resources: &'a [Resource],
    pub(super) sandbox: PathBuf,
    /// What it shares with others of its group.
    pub(super) shared: PathBuf,
    /// The persistent volumes that are in what it shares, under their container paths, among the resources of what holds the group.
    pub(super) shared_volumes: &'a [Resource],
}

/// Where a volume comes from.
enum Source<'v> {
    Sandbox(&'v SandboxPathVolume),
    Host(&'v str),
    Secret(&'v Secret),
}

/// Whether volumes are ones that this agent makes. `grouped`: whether there is a parent's sandbox to share.
pub(super) fn check(
    config: &Config,
    holder: Holder<'_>,
    container: Option<&ContainerInfo>,
    resources: &[Resource],
    grouped: bool,
) -> Result<(), Refusal> {
    let rooted = image::is_root(container);
    for volume in of(container) {
        let path = Path::new(&volume.container_path);
        if !(is_beneath(path) || rooted && path.is_absolute() && is_beneath(path.strip_prefix("/").unwrap_or(path))) {
            return Err(Refusal::Volume(
                "`container_path` has to be relative, or absolute with an image, without `..`",
            ));
        }
        match source(volume)? {
            Source::Sandbox(sandbox) => check_sandbox_path(sandbox, grouped)?,
            Source::Host(path) => check_host_path(config, path)?,
            Source::Secret(secret) => {
                let is_docker = container.is_some_and(|container| container.r#type == ContainerType::Docker);
                let with_daemon = config.containerizers.daemon.is_some() && is_docker;
                refuse(&[(with_daemon, "container.volumes.source SECRET with --containerizers=docker")])?;
                secret::hidden(config, holder, secret).map(drop)?;
            }
        }
    }
    if is_mounted(container, resources) {
        config.mounts.map_err(Refusal::NoMounts)?;
    }
    Ok(())
}

fn source(volume: &Volume) -> Result<Source<'_>, Refusal> {
    let Volume { mode: _, container_path: _, host_path, image, source } = volume;
    refuse(&[(image.is_some(), "container.volumes.image")])?;
    let Some(source) = source else {
        return host_path.as_deref().map(Source::Host).ok_or(Refusal::Volume("it has no source"));
    };
    let VolumeSource { r#type, docker_volume, host_path: of_host, sandbox_path, secret } = source;
    refuse(&[
        (
            docker_volume.is_some() || *r#type == Some(VolumeSourceType::DockerVolume),
            "container.volumes.source DOCKER_VOLUME",
        ),
        (host_path.is_some(), "container.volumes.host_path with a source"),
        (
            of_host.as_ref().is_some_and(|host| host.mount_propagation.is_some()),
            "container.volumes.source.host_path.mount_propagation",
        ),
    ])?;
    match (r#type, sandbox_path, of_host) {
        (Some(VolumeSourceType::SandboxPath), Some(sandbox), _) => Ok(Source::Sandbox(sandbox)),
        (Some(VolumeSourceType::SandboxPath), None, _) => Err(Refusal::Volume("it lacks `source.sandbox_path`")),
        (Some(VolumeSourceType::HostPath), _, Some(host)) => Ok(Source::Host(&host.path)),
        (Some(VolumeSourceType::HostPath), _, None) => Err(Refusal::Volume("it lacks `source.host_path`")),
        (Some(VolumeSourceType::Secret), _, _) => {
            secret.as_ref().map(Source::Secret).ok_or(Refusal::Volume("it lacks `source.secret`"))
        }
        (_, _, _) => {
            Err(Refusal::Unsupported("container.volumes.source other than SANDBOX_PATH, HOST_PATH and SECRET"))
        }
    }
}

fn check_sandbox_path(sandbox: &SandboxPathVolume, grouped: bool) -> Result<(), Refusal> {
    match sandbox.r#type {
        Some(SandboxPathType::Parent) if grouped => {}
        Some(SandboxPathType::Itself) => {}
        Some(SandboxPathType::Parent) => return Err(Refusal::Volume("a PARENT is what only tasks of a group have")),
        Some(SandboxPathType::Unknown) | None => return Err(Refusal::Volume("it lacks `source.sandbox_path.type`")),
    }
    // Of several, another task could have replaced one by a link.
    let path = Path::new(&sandbox.path);
    (path.components().count() == 1 && is_beneath(path))
        .then_some(())
        .ok_or(Refusal::Volume("`source.sandbox_path.path` has to be one name"))
}

/// As far as names tell; where links lead is looked at when the volume is mounted.
pub(super) fn check_host_path(config: &Config, path: &str) -> Result<(), Refusal> {
    let path = Path::new(path);
    if !path.is_absolute() || !is_beneath(path.strip_prefix("/").unwrap_or(path)) {
        return Err(Refusal::Volume("`host_path` has to be absolute, without `..`"));
    }
    let allowed = config.host_paths.iter().any(|allowed| path.starts_with(allowed));
    allowed.then_some(()).ok_or_else(|| Refusal::HostPath(path.to_owned()))
}

fn is_beneath(path: &Path) -> bool {
    !path.as_os_str().is_empty()
        && !path.as_os_str().as_encoded_bytes().contains(&0)
        && path.components().all(|component| matches!(component, Component::Normal(_)))
}

fn of(container: Option<&ContainerInfo>) -> impl Iterator<Item = &Volume> {
    container.into_iter().flat_map(|container| &container.volumes)
}

/// The names of the directories of sandboxes that are among its volumes: those of its parent's, and of its own.
pub(super) fn in_sandboxes(container: Option<&ContainerInfo>) -> (Vec<String>, Vec<String>) {
    let (mut shared, mut own) = (Vec::new(), Vec::new());
    for volume in of(container) {
        if let Ok(Source::Sandbox(SandboxPathVolume { r#type, path })) = source(volume) {
            let of = if *r#type == Some(SandboxPathType::Parent) { &mut shared } else { &mut own };
            of.push(path.clone());
        }
    }
    (shared, own)
}

/// A task's container, in which volumes of its executor's take the place of the PARENT that names them. What its executor can only read,
/// it can only read.
pub(super) fn resolved(container: ContainerInfo, executors: Option<&ContainerInfo>) -> ContainerInfo {
    let resolve = |volume: Volume| {
        let Ok(Source::Sandbox(SandboxPathVolume { r#type: Some(SandboxPathType::Parent), path })) = source(&volume)
        else {
            return volume;
        };
        let Some(shared) = of(executors).find(|shared| Path::new(&shared.container_path) == Path::new(path)) else {
            return volume;
        };
        let mode = if shared.mode == VolumeMode::ReadOnly { shared.mode } else { volume.mode };
        let mut resolved = Volume { mode, container_path: volume.container_path, ..shared.clone() };
        if let Some(sandbox) = resolved.source.as_mut().and_then(|source| source.sandbox_path.as_mut()) {
            sandbox.r#type = Some(SandboxPathType::Parent);
        }
        resolved
    };
    let ContainerInfo { volumes, .. } = container;
    ContainerInfo { volumes: volumes.into_iter().map(resolve).collect(), ..container }
}

/// Whether the tasks of one of the agent's own executors can be given what is among its volumes.
pub(super) fn check_own_executors(config: &Config, container: &ContainerInfo) -> Result<(), Refusal> {
    let is_secret = |volume: &Volume| matches!(source(volume), Ok(Source::Secret(_)));
    refuse(&[(
        container.volumes.iter().any(is_secret),
        "executor.container.volumes.source SECRET with executor.type DEFAULT",
    )])?;
    check(config, Holder::Other, Some(container), &[], false)
}

pub(super) fn is_read_only(resource: &Resource) -> bool {
    let volume = resource.disk.as_ref().and_then(|disk| disk.volume.as_ref());
    volume.is_some_and(|volume| volume.mode == VolumeMode::ReadOnly)
}

/// Whether volumes are mounted, rather than shown by links.
pub(super) fn is_mounted(container: Option<&ContainerInfo>, resources: &[Resource]) -> bool {
    let more_than_links =
        |volume: &Volume| volume.mode == VolumeMode::ReadOnly || !matches!(source(volume), Ok(Source::Sandbox(_)));
    image::is_root(container) || of(container).any(more_than_links) || resources.iter().any(is_read_only)
}

impl Beholder<'_> {
    /// How its persistent volumes are shown in its sandbox.
    pub(super) fn show(&self) -> Show {
        if is_mounted(self.container, self.resources) { Show::Mount } else { Show::Link }
    }

    /// Directories to be made, and links to them, before anything runs in its sandbox.
    pub(super) fn links(&self, work_dir: &Path) -> Vec<DirectoryLink> {
        let mounted = is_mounted(self.container, self.resources);
        let rooted = image::is_root(self.container);
        let link = |volume: &Volume| {
            let at = self.sandbox.join(&volume.container_path);
            match source(volume).ok()? {
                Source::Sandbox(sandbox) => {
                    let to = self.directory(sandbox, work_dir);
                    if !mounted {
                        return Some(vec![DirectoryLink { at, to }]);
                    }
                    // What it is mounted on; in a root of its own the launcher makes that.
                    let on = (!rooted && at != to).then(|| DirectoryLink { at: at.clone(), to: at });
                    Some(std::iter::once(DirectoryLink { at: to.clone(), to }).chain(on).collect())
                }
                Source::Host(_) => {
                    Some(if rooted { Vec::new() } else { vec![DirectoryLink { at: at.clone(), to: at }] })
                }
                // What a file is mounted on is made when it is.
                Source::Secret(_) => None,
            }
        };
        let of_resources = self.persistent(work_dir).into_iter().filter(|_| mounted && !rooted).map(|(_, path, _)| {
            let at = self.sandbox.join(path);
            DirectoryLink { at: at.clone(), to: at }
        });
        of(self.container).filter_map(link).flatten().chain(of_resources).collect()
    }

    fn directory(&self, sandbox: &SandboxPathVolume, work_dir: &Path) -> PathBuf {
        match sandbox.r#type {
            Some(SandboxPathType::Parent) => {
                let mut volumes = volumes::places(work_dir, self.shared_volumes).unwrap_or_default().into_iter();
                let volume = volumes.find(|(_, name, _)| *name == sandbox.path);
                volume.map_or_else(|| self.shared.join(&sandbox.path), |(home, _, _)| home)
            }
            Some(SandboxPathType::Itself | SandboxPathType::Unknown) | None => self.sandbox.join(&sandbox.path),
        }
    }

    /// Persistent volumes: where they are, where they are wanted, and how. A name that is wrong is refused when they are made.
    fn persistent(&self, work_dir: &Path) -> Vec<(PathBuf, String, VolumeMode)> {
        volumes::places(work_dir, self.resources).unwrap_or_default()
    }

    /// What is mounted for it.
    pub(super) fn mounts(&self, config: &Config) -> Vec<Mount> {
        if !is_mounted(self.container, self.resources) {
            return Vec::new();
        }
        let sandbox = if image::is_root(self.container) { Path::new(SANDBOX) } else { &self.sandbox };
        let mount = |source: PathBuf, path: &str, mode: VolumeMode| {
            let access = if mode == VolumeMode::ReadOnly { Access::ReadOnly } else { Access::ReadWrite };
            Mount { kind: MountKind::Bind(source), target: sandbox.join(path), access }
        };
        let own = of(self.container).filter_map(|volume| {
            let from = match source(volume).ok()? {
                Source::Sandbox(sandbox) => self.directory(sandbox, &config.work_dir),
                Source::Host(path) => PathBuf::from(path),
                Source::Secret(secret) => {
                    // One that cannot be had was refused before.
                    let hidden = secret::hidden(config, self.holder, secret).ok()?;
                    let (kind, target) = (MountKind::Secret(hidden), sandbox.join(&volume.container_path));
                    return Some(Mount { kind, target, access: Access::ReadOnly });
                }
            };
            Some(mount(from, &volume.container_path, volume.mode))
        });
        let persistent =
            self.persistent(&config.work_dir).into_iter().map(|(home, path, mode)| mount(home, &path, mode));
        own.chain(persistent).collect()
    }
}
