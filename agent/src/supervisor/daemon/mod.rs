//! Tasks whose containers a Docker daemon runs: what is asked of it for them, and what is refused.

mod parameters;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use attica_core_api::Now;
use attica_core_api::v1::{
    CommandInfo, ContainerInfo, ContainerType, DockerInfo, DockerNetwork, NetworkInfo, RLimitType, TaskInfo,
};

use super::accept::{self, Refusal, refuse};
use super::limitation::disk_bytes;
use super::supply::{FetchOrder, Supply, wanted};
use super::task::{Phase, Task};
use super::{Config, Effect, LauncherState, Supervisor, TaskKey, container, device};
use crate::checkpoint::TaskEntry;
use crate::daemon::spec::{Create, DaemonSpec, Exec, HostConfig, Mount, PortBinding, Ulimit};
use crate::daemon::{Containerizer, LABEL};
use crate::image::Wish;
use crate::launcher::protocol::{Access, ContainerId, MountKind, SANDBOX};
use crate::network::request::{self, check_owned};
use crate::network::{Attachment, Mapping};
use crate::volumes::Show;

/// Who runs containers: `--containerizers`.
#[derive(Clone, Debug)]
pub(crate) struct Containerizers {
    /// Whether the launcher does.
    pub(crate) launcher: bool,
    /// Whether a Docker daemon does, those of the type DOCKER.
    pub(crate) daemon: Option<DaemonConfig>,
}

/// What is to be known of the daemon's part.
#[derive(Clone, Debug)]
pub(crate) struct DaemonConfig {
    /// What tells this agent's containers from others'.
    pub(crate) owner: String,
    /// Whether tasks may have more of the machine than containers usually have.
    pub(crate) privileged: bool,
}

impl Containerizers {
    /// Who runs the container of this task. Whatever belongs to an executor or a group stays with the launcher.
    pub(super) fn of(&self, task: &TaskInfo, belongs: bool) -> Containerizer {
        let is_docker = task.container.as_ref().is_some_and(|container| container.r#type == ContainerType::Docker);
        match self.daemon {
            Some(_) if is_docker && !belongs => Containerizer::Daemon,
            Some(_) | None => Containerizer::Launcher,
        }
    }

    pub(super) fn check_launcher(&self) -> Result<(), Refusal> {
        if self.launcher { Ok(()) } else { Err(Refusal::DaemonOnly) }
    }
}

/// How a container is in a network.
struct Wiring {
    mode: String,
    mappings: Vec<Mapping>,
    info: NetworkInfo,
}

impl Supervisor {
    /// As for the launcher: first the image and the files, then the container.
    pub(super) fn launch_in_daemon(&mut self, now: Now, key: &TaskKey, out: &mut Vec<Effect>) {
        let Some(task) = self.tasks.get(key) else { return };
        let planned = plan(&self.config, task).and_then(|spec| Ok((spec, wanted(task.info.command.as_ref())?)));
        let (spec, items) = match planned {
            Ok(planned) => planned,
            Err(refusal) => return self.refuse(now, key, refusal.to_string(), out),
        };
        match task.supply {
            Supply::UnderWay => {}
            Supply::Missing => {
                let docker = task.info.container.as_ref().and_then(|container| container.docker.as_ref());
                let fresh = docker.and_then(|docker| docker.force_pull_image).unwrap_or(false);
                let command = task.info.command.as_ref();
                let order = FetchOrder {
                    container: task.container.clone(),
                    items,
                    image: Some(Wish { name: spec.create.image, fresh, credentials: None }),
                    containerizer: Containerizer::Daemon,
                    sandbox: task.sandbox(&self.config.work_dir),
                    links: task.beholder(&self.config.work_dir).links(&self.config.work_dir),
                    show: Show::Mount,
                    user: accept::user_of(&self.config, &task.framework, command),
                    disk_bytes: disk_bytes(&task.info.resources),
                };
                out.push(Effect::Fetch(Box::new(order)));
                self.supply_is_under_way(key);
            }
            Supply::Here if self.daemon == LauncherState::Ready => out.push(Effect::LaunchInDaemon(Box::new(spec))),
            // It is launched once the daemon tells what it has.
            Supply::Here => {}
        }
    }

    /// A container of the daemon's is about to run.
    pub(super) fn located(&mut self, container: &ContainerId, address: Option<Ipv4Addr>, out: &mut Vec<Effect>) {
        let Some(key) = self.key_of(container) else { return };
        let Some(task) = self.tasks.get_mut(&key).filter(|task| task.phase == Phase::Launching) else { return };
        let Ok(Some(wiring)) =
            docker_of(&task.info).and_then(|(container, docker)| wiring(&task.info, container, docker))
        else {
            return;
        };
        let attachment = Attachment { address, mappings: wiring.mappings, info: wiring.info, hostname: None };
        let attachment = Box::new(attachment);
        out.push(Effect::AppendTask(container.clone(), TaskEntry::Attached(attachment.clone())));
        task.network = Some(attachment);
    }
}

/// A command in a running container, in its environment.
pub(super) fn exec(run: ContainerId, container: ContainerId, command: &CommandInfo) -> Exec {
    // One that cannot be run was refused with the task.
    let (program, argv) = accept::program(command).unwrap_or_default();
    let argv = std::iter::once(program).chain(argv.into_iter().skip(1)).collect();
    let environment = accept::asked_environment(Some(command)).into_iter().collect();
    Exec { run, container, argv, environment }
}

fn docker_of(task: &TaskInfo) -> Result<(&ContainerInfo, &DockerInfo), Refusal> {
    let container = task.container.as_ref().ok_or(Refusal::NoImage)?;
    Ok((container, container.docker.as_ref().ok_or(Refusal::NoImage)?))
}

/// How to start `task`, or why not.
fn plan(config: &Config, task: &Task) -> Result<DaemonSpec, Refusal> {
    let info = task.info.as_ref();
    let (container, docker) = docker_of(info)?;
    let (command, limits) = accept::checked(config, info, false)?;
    accept::refuse_bad_variables(command)?;
    refuse(&[(
        accept::variables(command).any(|variable| variable.secret.is_some()),
        "command.environment.variables.secret with --containerizers=docker, whose daemon would write it down",
    )])?;
    let daemon = config.containerizers.daemon.as_ref().ok_or(Refusal::Unsupported("container.type DOCKER"))?;
    let ContainerInfo {
        r#type: _,
        volumes: _,
        hostname,
        docker: _,
        mesos,
        network_infos,
        linux_info,
        rlimit_info: _,
        tty_info,
    } = container;
    refuse(&[
        (mesos.is_some(), "container.mesos with container.type DOCKER"),
        (linux_info.is_some(), "container.linux_info with --containerizers=docker"),
        (tty_info.is_some(), "container.tty_info with --containerizers=docker"),
        (info.processes.is_some(), "processes with --containerizers=docker"),
        (docker.volume_driver.is_some(), "container.docker.volume_driver"),
        (
            info.resources.iter().any(|resource| resource.name.starts_with("hugepages_")),
            "hugepages with --containerizers=docker",
        ),
        (device::check_none(config, &info.resources).is_err(), "devices with --containerizers=docker"),
        (network_infos.len() > 1, "container.network_infos with more than one network"),
    ])?;
    if docker.privileged && !daemon.privileged {
        return Err(Refusal::Privileged("container.docker.privileged".to_owned()));
    }
    let wiring = wiring(info, container, docker)?;
    let (entrypoint, cmd) = program(command)?;
    let mut create = Create {
        image: docker.image.clone(),
        entrypoint,
        cmd,
        env: environment(config, task),
        hostname: hostname.clone(),
        user: command.user.clone(),
        labels: BTreeMap::from([(LABEL.to_owned(), daemon.owner.clone())]),
        host_config: HostConfig {
            privileged: docker.privileged,
            mounts: mounts(config, task),
            ulimits: container::rlimits(info.container.as_deref()).iter().filter_map(ulimit).collect(),
            network_mode: wiring.as_ref().map_or("host", |wiring| wiring.mode.as_str()).to_owned(),
            ..HostConfig::limited(&limits)
        },
        ..Create::default()
    };
    for mapping in wiring.iter().flat_map(|wiring| &wiring.mappings) {
        let port = format!("{}/{}", mapping.container_port, mapping.protocol.name());
        let binding = PortBinding { host_port: mapping.host_port.to_string() };
        create.exposed_ports.insert(port.clone(), serde_json::Map::new());
        create.host_config.port_bindings.entry(port).or_default().push(binding);
    }
    for parameter in &docker.parameters {
        parameters::apply(config, daemon, parameter, &mut create)?;
    }
    parameters::find_names(&config.defaults.dns, &mut create.host_config);
    Ok(DaemonSpec { container: task.container.clone(), create })
}

/// `None` is the machine's network.
fn wiring(task: &TaskInfo, container: &ContainerInfo, docker: &DockerInfo) -> Result<Option<Wiring>, Refusal> {
    let info = container.network_infos.first().cloned().unwrap_or_default();
    let of_docker =
        docker.port_mappings.iter().map(|told| (told.host_port, told.container_port, told.protocol.as_deref()));
    let of_info = info.port_mappings.iter().map(|told| (told.host_port, told.container_port, told.protocol.as_deref()));
    let mappings = of_docker.chain(of_info).map(|(host, inner, protocol)| request::mapping(host, inner, protocol));
    let mappings = mappings.collect::<Result<Vec<Mapping>, _>>()?;
    let mode = match docker.network {
        DockerNetwork::Host | DockerNetwork::None if !mappings.is_empty() => {
            return Err(request::Refusal::NothingToMap.into());
        }
        DockerNetwork::Host => return Ok(None),
        DockerNetwork::None => "none".to_owned(),
        DockerNetwork::Bridge => "bridge".to_owned(),
        DockerNetwork::User => info.name.clone().ok_or(request::Refusal::Nameless)?,
    };
    check_owned(&mappings, task.resources.iter())?;
    Ok(Some(Wiring { mode, mappings, info }))
}

/// The entry point and what follows it; `None` is the image's.
#[allow(clippy::type_complexity, reason = "two lists of words, either of which the image may have")]
fn program(command: &CommandInfo) -> Result<(Option<Vec<String>>, Option<Vec<String>>), Refusal> {
    let CommandInfo { shell, value, arguments, .. } = command;
    if *shell {
        let value = value.clone().ok_or(Refusal::NoValue)?;
        return Ok((Some(vec!["/bin/sh".to_owned()]), Some(vec!["-c".to_owned(), value])));
    }
    // A task whose arguments begin with the program's own name names it twice.
    let rest = match value {
        Some(value) => arguments.strip_prefix(std::slice::from_ref(value)).unwrap_or(arguments),
        None => arguments,
    };
    let words: Vec<String> = value.iter().chain(rest).cloned().collect();
    Ok((None, (!words.is_empty()).then_some(words)))
}

/// What the agent says to every task, unless that is about places that it does not see.
fn environment(config: &Config, task: &Task) -> Vec<String> {
    let asked = accept::asked_environment(task.info.command.as_ref());
    let own_network = task.info.container.as_ref().and_then(|container| container.docker.as_ref());
    let own_network = own_network.is_some_and(|docker| docker.network != DockerNetwork::Host);
    let given = accept::environment(config, task, SANDBOX.as_ref()).into_iter().filter(|(name, _)| {
        let by_place = name == "PATH" || own_network && (name == "LIBPROCESS_IP" || name == "MESOS_CONTAINER_IP");
        asked.contains_key(name) || !by_place
    });
    let named = ("MESOS_CONTAINER_NAME".to_owned(), format!("mesos-{}", task.container));
    let named = std::iter::once(named).filter(|(name, _)| !asked.contains_key(name));
    given.chain(named).map(|(name, value)| format!("{name}={value}")).collect()
}

/// The sandbox, and volumes.
fn mounts(config: &Config, task: &Task) -> Vec<Mount> {
    let bind = |source, target, read_only| Mount { r#type: "bind", source, target, read_only };
    let sandbox = bind(task.sandbox(&config.work_dir), SANDBOX.into(), false);
    let volumes = task.beholder(&config.work_dir).mounts(config).into_iter().filter_map(|mount| match mount.kind {
        MountKind::Bind(source) => Some(bind(source, mount.target, mount.access == Access::ReadOnly)),
        // No volume of a task is the one, and the other is refused.
        MountKind::Tmpfs { .. } | MountKind::Secret(_) => None,
    });
    std::iter::once(sandbox).chain(volumes).collect()
}

fn ulimit(limit: &attica_core_api::v1::RLimit) -> Option<Ulimit> {
    let name = RLimitType::name(limit.r#type?).strip_prefix("RLMT_")?.to_ascii_lowercase();
    // The daemon, too, writes no limit as -1.
    let number = |value: Option<u64>| value.map_or(-1, |value| i64::try_from(value).unwrap_or(-1));
    Some(Ulimit { name, soft: number(limit.soft), hard: number(limit.hard) })
}
