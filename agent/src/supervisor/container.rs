//! What of a `ContainerInfo` this agent does without an image: limits of `setrlimit`, and directories that tasks of a group share.
//! Everything else is refused by name.

use std::path::{Component, Path, PathBuf};

use attica_core_api::v1::{
    ContainerInfo, ContainerType, RLimit, RLimitType, SandboxPathType, TaskInfo, Volume, VolumeMode, VolumeSourceType,
};

use super::Config;
use super::accept::{Refusal, refuse};
use super::task::Task;
use crate::network::request::requested;
use crate::sandbox::DirectoryLink;

/// Whether the container of `task` is one that this agent makes. `grouped`: whether it has a parent's sandbox to share.
pub(super) fn check(config: &Config, task: &TaskInfo, grouped: bool) -> Result<(), Refusal> {
    let Some(container) = &task.container else { return Ok(()) };
    let ContainerInfo { r#type, volumes, hostname, docker, mesos, network_infos, linux_info, rlimit_info, tty_info } =
        container.as_ref();
    refuse(&[
        (*r#type == ContainerType::Docker || docker.is_some(), "container.type DOCKER"),
        (mesos.as_ref().is_some_and(|mesos| mesos.image.is_some()), "container.mesos.image"),
        (hostname.is_some(), "container.hostname"),
        (
            grouped && !network_infos.is_empty(),
            "container.network_infos of a task in a group: its executor's are those of all",
        ),
        (linux_info.is_some(), "container.linux_info"),
        (tty_info.is_some(), "container.tty_info"),
    ])?;
    if !grouped {
        requested(&config.networks, Some(container), task.resources.iter())?;
    }
    volumes.iter().try_for_each(|volume| check_volume(volume, grouped))?;
    rlimit_info.iter().flat_map(|info| &info.rlimits).try_for_each(check_rlimit)
}

/// Whether the container of an executor is one that this agent makes: one of Mesos's kind, in a network of its own.
pub(super) fn check_executors(container: &ContainerInfo) -> Result<(), Refusal> {
    let ContainerInfo { r#type, volumes, hostname, docker, mesos, network_infos: _, linux_info, rlimit_info, tty_info } =
        container;
    refuse(&[
        (*r#type == ContainerType::Docker || docker.is_some(), "executor.container.type DOCKER"),
        (!volumes.is_empty(), "executor.container.volumes"),
        (hostname.is_some(), "executor.container.hostname"),
        (mesos.as_ref().is_some_and(|mesos| mesos.image.is_some()), "executor.container.mesos.image"),
        (linux_info.is_some(), "executor.container.linux_info"),
        (rlimit_info.is_some(), "executor.container.rlimit_info"),
        (tty_info.is_some(), "executor.container.tty_info"),
    ])
}

fn check_volume(volume: &Volume, grouped: bool) -> Result<(), Refusal> {
    let Volume { mode, container_path, host_path, image, source } = volume;
    let source_type = source.as_ref().and_then(|source| source.r#type);
    refuse(&[
        (host_path.is_some() || source_type == Some(VolumeSourceType::HostPath), "container.volumes.host_path"),
        (image.is_some(), "container.volumes.image"),
        (source_type != Some(VolumeSourceType::SandboxPath), "container.volumes.source other than SANDBOX_PATH"),
        (*mode == VolumeMode::ReadOnly, "container.volumes.mode RO"),
    ])?;
    let sandbox = source.as_ref().and_then(|source| source.sandbox_path.as_ref());
    let sandbox = sandbox.ok_or(Refusal::Volume("it lacks `source.sandbox_path`"))?;
    match sandbox.r#type {
        Some(SandboxPathType::Parent) if grouped => {}
        Some(SandboxPathType::Itself) => {}
        Some(SandboxPathType::Parent) => return Err(Refusal::Volume("a PARENT is what only tasks of a group have")),
        Some(SandboxPathType::Unknown) | None => return Err(Refusal::Volume("it lacks `source.sandbox_path.type`")),
    }
    if !is_beneath(container_path) {
        return Err(Refusal::Volume("`container_path` has to be relative, without `..`"));
    }
    // Of several, another task could have replaced one by a link.
    let single = Path::new(&sandbox.path).components().count() == 1;
    (single && is_beneath(&sandbox.path))
        .then_some(())
        .ok_or(Refusal::Volume("`source.sandbox_path.path` has to be one name"))
}

fn is_beneath(path: &str) -> bool {
    !path.is_empty()
        && !path.contains('\0')
        && Path::new(path).components().all(|component| matches!(component, Component::Normal(_)))
}

fn check_rlimit(limit: &RLimit) -> Result<(), Refusal> {
    match limit.r#type {
        Some(RLimitType::Unknown) | None => return Err(Refusal::RLimit("it lacks its `type`")),
        Some(_) => {}
    }
    match (limit.soft, limit.hard) {
        (None, None) => Ok(()),
        (Some(soft), Some(hard)) if soft <= hard => Ok(()),
        (Some(_), Some(_)) => Err(Refusal::RLimit("`soft` is above `hard`")),
        (Some(_), None) | (None, Some(_)) => Err(Refusal::RLimit("it has only one of `soft` and `hard`")),
    }
}

/// To be set for the task's processes.
pub(super) fn rlimits(task: &TaskInfo) -> Vec<RLimit> {
    let info = task.container.as_ref().and_then(|container| container.rlimit_info.as_ref());
    info.map(|info| info.rlimits.clone()).unwrap_or_default()
}

/// To be made in the task's sandbox.
pub(super) fn links(task: &Task, work_dir: &Path) -> Vec<DirectoryLink> {
    let (own, parent) = (task.sandbox(work_dir), task.run_directory(work_dir));
    let link = |volume: &Volume| {
        let sandbox = volume.source.as_ref()?.sandbox_path.as_ref()?;
        let of: &PathBuf = if sandbox.r#type == Some(SandboxPathType::Parent) { &parent } else { &own };
        Some(DirectoryLink { at: own.join(&volume.container_path), to: of.join(&sandbox.path) })
    };
    task.info.container.iter().flat_map(|container| &container.volumes).filter_map(link).collect()
}
