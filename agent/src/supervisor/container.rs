//! What of a `ContainerInfo` this agent does besides its image and its volumes: limits of `setrlimit`, a terminal; for its host name and
//! `linux_info` see `surroundings`. Everything else is refused by name.

use attica_core_api::v1::{ContainerInfo, ContainerType, RLimit, RLimitType, TaskInfo, TtyInfo};

use super::accept::{Refusal, refuse};
use super::{Config, volume};
use crate::launcher::protocol::{Streams, TerminalSize};
use crate::network::request::requested;

/// Whether the container of `task` is one that this agent makes; its image and its volumes apart. `grouped`: whether it has a parent.
pub(super) fn check(config: &Config, task: &TaskInfo, grouped: bool) -> Result<(), Refusal> {
    let Some(container) = &task.container else { return Ok(()) };
    let ContainerInfo {
        r#type: _,
        volumes: _,
        hostname: _,
        docker: _,
        mesos: _,
        network_infos,
        linux_info: _,
        rlimit_info,
        tty_info: _,
    } = container.as_ref();
    refuse(&[(
        grouped && !network_infos.is_empty(),
        "container.network_infos of a task in a group: its executor's are those of all",
    )])?;
    if !grouped {
        requested(&config.networks, Some(container), task.resources.iter())?;
    }
    rlimit_info.iter().flat_map(|info| &info.rlimits).try_for_each(check_rlimit)
}

/// Whether the container of a framework's executor is one that this agent makes; its image and its volumes apart.
pub(super) fn check_executors(config: &Config, container: &ContainerInfo) -> Result<(), Refusal> {
    let by_daemon = container.r#type == ContainerType::Docker && config.containerizers.daemon.is_some();
    refuse(&[(by_daemon, "executor.container.type DOCKER with --containerizers=docker")])?;
    container.rlimit_info.iter().flat_map(|info| &info.rlimits).try_for_each(check_rlimit)
}

/// Whether the container of one of the agent's own executors is one that it makes: nothing runs in that but its tasks, which find its
/// volumes as those of their PARENT. What it says of the executor's own process limits nobody, as in Mesos no task.
pub(super) fn check_own_executors(config: &Config, container: &ContainerInfo) -> Result<(), Refusal> {
    let ContainerInfo {
        r#type,
        volumes: _,
        hostname: _,
        docker,
        mesos,
        network_infos: _,
        linux_info: _,
        rlimit_info,
        tty_info,
    } = container;
    refuse(&[
        (
            *r#type == ContainerType::Docker || docker.is_some(),
            "executor.container.type DOCKER with executor.type DEFAULT",
        ),
        (
            mesos.as_ref().is_some_and(|mesos| mesos.image.is_some()),
            "executor.container.mesos.image with executor.type DEFAULT",
        ),
        (tty_info.is_some(), "executor.container.tty_info with executor.type DEFAULT"),
    ])?;
    rlimit_info.iter().flat_map(|info| &info.rlimits).try_for_each(check_rlimit)?;
    volume::check_own_executors(config, container)
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
pub(super) fn rlimits(container: Option<&ContainerInfo>) -> Vec<RLimit> {
    let info = container.and_then(|container| container.rlimit_info.as_ref());
    info.map(|info| info.rlimits.clone()).unwrap_or_default()
}

/// Whether there is a terminal of its own in such a container.
pub(super) fn has_terminal(container: Option<&ContainerInfo>) -> bool {
    container.is_some_and(|container| container.tty_info.is_some())
}

/// Where a program in such a container reads from and writes to.
pub(super) fn streams(container: Option<&ContainerInfo>) -> Streams {
    match container.and_then(|container| container.tty_info.as_ref()) {
        None => Streams::Sandbox,
        Some(TtyInfo { window_size }) => Streams::Kept(window_size.as_ref().map(TerminalSize::from)),
    }
}
