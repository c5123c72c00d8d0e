//! Which tasks this agent runs, and as what. What it would not obey it refuses, by name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use attica_core_api::processes::InvalidGraph;
use attica_core_api::resources::{InvalidResource, from_wire};
use attica_core_api::secrets::Unreadable;
use attica_core_api::v1::{
    AgentId, CommandInfo, ContainerInfo, DiskSource, DiskSourceType, DurationInfo, ExecutorId, ExecutorInfo,
    ExecutorType, FrameworkInfo, ProcessGraph, Resource, TaskInfo, VariableType,
};

use super::executor::Timing;
use super::image::Rooted;
use super::probe::{CheckError, ProbeSpec, milliseconds};
use super::secret::{self, Holder};
use super::task::Task;
use super::{
    Config, Executor, Users, container, controls, device, image, network, output, shortcut, supply, surroundings,
    volume,
};
use crate::fetch::uri::UriError;
use crate::image::Provisioned;
use crate::image::runtime::NoProgram;
use crate::launcher::controls::Controls;
use crate::launcher::protocol::{Limits, SecretVariable, Surroundings};
use crate::network::request;
use crate::rotation::InvalidLimit;

/// Mesos gives each cpu so many shares, and a task at least two.
const SHARES_PER_CPU: f64 = 1024.0;
const MIN_SHARES: u64 = 2;
/// Cpu time that one cpu has in a period of the launcher's, in microseconds; and the least that the kernel accepts.
const QUOTA_PER_CPU_US: f64 = 100_000.0;
const MIN_QUOTA_US: u64 = 1_000;
/// As in Mesos, a task's memory limit is at least 32 MB.
const MIN_MEMORY_BYTES: u64 = 32 << 20;
const BYTES_PER_MEGABYTE: f64 = 1_048_576.0;
/// What a command finds when its environment does not say.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long an executor waits for an agent that has gone: Mesos's `--recovery_timeout`.
const RECOVERY_TIMEOUT_MS: u64 = 900_000;
/// Longest pause between two of its attempts to come back, as in Mesos.
const BACKOFF_MAX_MS: u64 = 2_000;

/// The variable in which an executor finds what it proves with that it is one.
pub(super) const EXECUTORS_TOKEN: &str = "MESOS_EXECUTOR_AUTHENTICATION_TOKEN";

/// How a task is to be started.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) program: String,
    pub(super) argv: Vec<String>,
    pub(super) shortcut: Option<Vec<String>>,
    /// Variables whose values are secrets.
    pub(super) secrets: Vec<SecretVariable>,
    pub(super) user: Option<String>,
    pub(super) limits: Limits,
    pub(super) controls: Option<Box<Controls>>,
    /// What it says about a root of its own. Before the image is here, there is no program.
    pub(super) rooted: Option<Rooted>,
    pub(super) surroundings: Option<Box<Surroundings>>,
}

/// Why a task is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("This agent does not support `{0}`")]
    Unsupported(&'static str),
    #[error("The task has neither a command nor an executor")]
    NoCommand,
    #[error("The executor has no command")]
    NoExecutorCommand,
    #[error("The command has no `value`")]
    NoValue,
    #[error("The command contains a NUL character")]
    Nul,
    #[error(
        "The environment variable `{0}` cannot be set: its name is empty or contains `=` or NUL, or its value contains NUL"
    )]
    Variable(String),
    #[error(
        "The environment variable `{0}` has to have either a `value`, with the type VALUE, or a `secret`, with the type SECRET"
    )]
    VariableType(String),
    #[error("The task has a secret that cannot be had: {0}")]
    Secret(#[from] Unreadable),
    #[error("The task has secrets that are sealed, and this agent has no key to open them (--secrets-key-file)")]
    NoSecretsKey,
    #[error("The agent does not run as root: it cannot run the command as user `{0}`")]
    User(String),
    #[error("The task's resources are invalid: {0}")]
    Resources(#[from] InvalidResource),
    #[error(
        "The task's limit of `{0}` cannot be {1}: it has to be positive, and of memory no less than what it requests"
    )]
    Limit(String, f64),
    #[error("The task has a limit of `{0}`: there are only those of `cpus` and `mem`")]
    LimitOf(String),
    #[error("The task has `{0}`, which this agent hands out with the isolator `cgroups/hugetlb` only")]
    HugePages(String),
    #[error("This agent has no `{0}` that is free: they are what --devices and --nvidia-gpu-devices name")]
    NoDevices(String),
    #[error("The task has a part of one of the `{0}`: they are given whole")]
    PartOfDevice(String),
    #[error(
        "`{0}` can be given to a task of its own, and to a framework's executor that does not run yet, with its first tasks"
    )]
    DevicesElsewhere(String),
    #[error("The task's `max_completion_time` is negative")]
    CompletionTime,
    #[error("The task has a volume that cannot be made: {0}")]
    Volume(&'static str),
    #[error("The task has a `linux_info` that cannot be done: {0}")]
    LinuxInfo(&'static str),
    #[error("The task has a limit in `rlimit_info` that cannot be set: {0}")]
    RLimit(&'static str),
    #[error("This agent cannot make roots of images, nor mount volumes: {0}")]
    NoMounts(&'static str),
    #[error("`container.volumes`: {0} is not beneath a directory of --host-path-volume-allow-list")]
    HostPath(PathBuf),
    #[error("This agent runs tasks of `container.type` DOCKER only: --containerizers is `docker`")]
    DaemonOnly,
    #[error(
        "The task asks for more of the machine than containers have, by `{0}`, which this agent does not allow (--docker-allow-privileged)"
    )]
    Privileged(String),
    #[error("The container names no image")]
    NoImage,
    #[error("`container.docker.parameters`: `{0}` cannot be `{1}`")]
    Parameter(String, String),
    #[error("This agent does not support the parameter `{0}` in `container.docker.parameters`")]
    UnknownParameter(String),
    #[error(transparent)]
    NoProgram(#[from] NoProgram),
    #[error(transparent)]
    Uri(#[from] UriError),
    #[error(transparent)]
    Network(#[from] request::Refusal),
    #[error("The task's processes cannot be run: {0}")]
    Graph(#[from] InvalidGraph),
    #[error("The task has processes: its command has an environment and a user, and nothing to run")]
    TwoCommands,
    #[error("What is to be kept of its output cannot be obeyed: {0}")]
    Output(#[from] InvalidLimit),
    #[error("The task's check cannot be made: {0}")]
    Check(#[from] CheckError),
}

/// How to start `task`, or why not.
pub(super) fn plan(
    config: &Config,
    framework: &FrameworkInfo,
    task: &TaskInfo,
    grouped: bool,
    image: Option<&Provisioned>,
) -> Result<Plan, Refusal> {
    config.containerizers.check_launcher()?;
    container::check(config, task, grouped)?;
    let (command, limits) = checked(config, task, grouped)?;
    let cpus_limit = task.limits.get("cpus").map(|limit| limit.value);
    let (own, holder) = (task.container.as_deref(), Holder::Task(&task.task_id));
    let plan = match (&task.processes, image::of(config, holder, own)?) {
        (Some(graph), rooted) => of_graph(config, framework, (own, command), graph, limits, rooted),
        (None, None) => of_command(config, framework, command, limits, own),
        (None, Some(rooted)) => of_image(config, framework, (own, command), limits, rooted, image),
    }?;
    let secrets = secret::of_command(config, holder, task.command.as_ref())?;
    Ok(Plan { controls: controls::of(config, &task.resources, cpus_limit)?, secrets, ..plan })
}

/// What has nothing to do with who runs the task's container.
pub(super) fn checked<'t>(
    config: &Config,
    task: &'t TaskInfo,
    grouped: bool,
) -> Result<(&'t CommandInfo, Limits), Refusal> {
    supply::wanted(task.command.as_ref())?;
    volume::check(config, Holder::Task(&task.task_id), task.container.as_deref(), &task.resources, grouped)?;
    refuse_resources(&task.resources)?;
    device::check(config, &task.resources)?;
    let command = task.command.as_ref().ok_or(Refusal::NoCommand)?;
    output::limits(config, Some(command))?;
    if task.max_completion_time.as_ref().is_some_and(|time| time.milliseconds().is_none()) {
        return Err(Refusal::CompletionTime);
    }
    for check in task.health_check.iter().chain(&task.health_checks) {
        ProbeSpec::of_health_check(check)?;
        milliseconds(check.grace_period_seconds, "grace_period_seconds")?;
    }
    task.check.as_ref().map(ProbeSpec::of_check).transpose()?;
    check_commands(task)?;
    Ok((command, task_limits(config, task)?))
}

fn of_image(
    config: &Config,
    framework: &FrameworkInfo,
    (container, command): (Option<&ContainerInfo>, &CommandInfo),
    limits: Limits,
    rooted: Rooted,
    image: Option<&Provisioned>,
) -> Result<Plan, Refusal> {
    config.mounts.map_err(Refusal::NoMounts)?;
    refuse_bad_variables(command)?;
    let known = image.map(|image| rooted.argv(image, command)).transpose()?;
    let (program, argv) = known.unwrap_or_default();
    let user = user(config, framework, command)?;
    let surroundings = surroundings::surroundings(&config.isolators, container)?;
    // What stands for a shell on the machine need not do so in an image.
    let (shortcut, secrets) = (None, Vec::new());
    Ok(Plan { program, argv, shortcut, secrets, user, limits, controls: None, surroundings, rooted: Some(rooted) })
}

/// How to start an executor for its first tasks, which use `resources` together with it.
pub(super) fn executor_plan(
    config: &Config,
    framework: &FrameworkInfo,
    executor: &ExecutorInfo,
    resources: &[Resource],
    image: Option<&Provisioned>,
) -> Result<Plan, Refusal> {
    let command = executor.command.as_ref();
    let container = executor.container.as_deref();
    config.containerizers.check_launcher()?;
    refuse(&[(executor.r#type == Some(ExecutorType::Default), "executor.type DEFAULT")])?;
    supply::wanted(command)?;
    output::limits(config, command)?;
    container.map_or(Ok(()), |container| container::check_executors(config, container))?;
    volume::check(config, Holder::Other, container, resources, false)?;
    refuse_resources(resources)?;
    device::check(config, resources)?;
    let command = command.ok_or(Refusal::NoExecutorCommand)?;
    let limits = limits(config, resources)?;
    let plan = match image::of(config, Holder::Other, container)? {
        None => of_command(config, framework, command, limits, container),
        Some(rooted) => of_image(config, framework, (container, command), limits, rooted, image),
    }?;
    let secrets = secret::of_command(config, Holder::Other, Some(command))?;
    Ok(Plan { controls: controls::of(config, resources, None)?, secrets, ..plan })
}

/// Whether the agent does its part for a task that an executor runs: the rest is the executor's. Volumes are shown in a sandbox, and
/// devices given, before anything runs in it: that is too late once the executor `has_begun`.
pub(super) fn check_executors_task(config: &Config, task: &TaskInfo, has_begun: bool) -> Result<(), Refusal> {
    match has_begun {
        true => device::check_none(config, &task.resources),
        false => device::check(config, &task.resources),
    }?;
    let shows_volume = |resource: &Resource| resource.disk.as_ref().is_some_and(|disk| disk.volume.is_some());
    refuse(&[
        (!task.limits.is_empty(), "limits"),
        (!task.health_checks.is_empty(), "health_checks with an executor"),
        (
            has_begun && task.resources.iter().any(shows_volume),
            "resources.disk.volume with an executor that runs already",
        ),
    ])?;
    refuse_resources(&task.resources)
}

/// Whether the agent's own executor is all that is asked of it.
pub(super) fn check_own_executor(config: &Config, executor: &ExecutorInfo) -> Result<(), Refusal> {
    device::check_none(config, &executor.resources)?;
    refuse(&[
        (executor.command.is_some(), "executor.command with executor.type DEFAULT"),
        // Tasks say themselves how they mount what they share.
        (
            executor.resources.iter().any(volume::is_read_only),
            "executor.resources.disk.volume.mode RO with executor.type DEFAULT",
        ),
    ])?;
    let container = executor.container.as_deref();
    container.map_or(Ok(()), |container| container::check_own_executors(config, container))?;
    refuse_resources(&executor.resources)
}

fn of_command(
    config: &Config,
    framework: &FrameworkInfo,
    command: &CommandInfo,
    limits: Limits,
    container: Option<&ContainerInfo>,
) -> Result<Plan, Refusal> {
    refuse_bad_variables(command)?;
    let (program, argv) = program(command)?;
    let shortcut = command.value.as_deref().filter(|_| command.shell).and_then(shortcut::words);
    let surroundings = surroundings::surroundings(&config.isolators, container)?;
    let user = user(config, framework, command)?;
    let secrets = Vec::new();
    Ok(Plan { program, argv, shortcut, secrets, user, limits, controls: None, surroundings, rooted: None })
}

/// The container of a task of processes: nothing runs in it but these.
fn of_graph(
    config: &Config,
    framework: &FrameworkInfo,
    (container, command): (Option<&ContainerInfo>, &CommandInfo),
    graph: &ProcessGraph,
    limits: Limits,
    rooted: Option<Rooted>,
) -> Result<Plan, Refusal> {
    refuse(&[(container::has_terminal(container), "container.tty_info with processes")])?;
    if command.value.is_some() || !command.arguments.is_empty() {
        return Err(Refusal::TwoCommands);
    }
    if rooted.is_some() {
        config.mounts.map_err(Refusal::NoMounts)?;
    }
    graph.predecessors()?;
    refuse_bad_variables(command)?;
    let user = user(config, framework, command)?;
    let surroundings = surroundings::surroundings(&config.isolators, container)?;
    let (program, argv, shortcut, secrets) = (String::new(), Vec::new(), None, Vec::new());
    Ok(Plan { program, argv, shortcut, secrets, user, limits, controls: None, surroundings, rooted })
}

pub(super) fn refuse(unsupported: &[(bool, &'static str)]) -> Result<(), Refusal> {
    match unsupported.iter().find(|(present, _)| *present) {
        Some((_, name)) => Err(Refusal::Unsupported(name)),
        None => Ok(()),
    }
}

fn refuse_resources(resources: &[Resource]) -> Result<(), Refusal> {
    let disks = || resources.iter().filter_map(|resource| resource.disk.as_deref());
    let has_files = |source: &DiskSource| matches!(source.r#type, DiskSourceType::Path | DiskSourceType::Mount);
    refuse(&[
        (disks().any(|disk| disk.source.as_ref().is_some_and(|source| !has_files(source))), "resources.disk.source"),
        (resources.iter().any(|resource| resource.revocable.is_some()), "resources.revocable"),
    ])
}

pub(super) fn variables(command: &CommandInfo) -> impl Iterator<Item = &attica_core_api::v1::Variable> {
    command.environment.iter().flat_map(|environment| &environment.variables)
}

pub(super) fn refuse_bad_variables(command: &CommandInfo) -> Result<(), Refusal> {
    for variable in variables(command) {
        match variable.r#type {
            VariableType::Value if variable.secret.is_none() => {}
            // Whether the secret can be had is looked at where it is used.
            VariableType::Secret if variable.value.is_none() => {}
            VariableType::Value | VariableType::Secret | VariableType::Unknown => {
                return Err(Refusal::VariableType(variable.name.clone()));
            }
        }
        let value = variable.value.as_deref().unwrap_or_default();
        if variable.name.is_empty() || variable.name.contains(['=', '\0']) || value.contains('\0') {
            return Err(Refusal::Variable(variable.name.clone()));
        }
    }
    Ok(())
}

pub(super) fn program(command: &CommandInfo) -> Result<(String, Vec<String>), Refusal> {
    let value = command.value.clone().ok_or(Refusal::NoValue)?;
    if value.contains('\0') || command.arguments.iter().any(|argument| argument.contains('\0')) {
        return Err(Refusal::Nul);
    }
    if command.shell {
        return Ok(("/bin/sh".to_owned(), vec!["sh".to_owned(), "-c".to_owned(), value]));
    }
    let argv = if command.arguments.is_empty() { vec![value.clone()] } else { command.arguments.clone() };
    Ok((value, argv))
}

pub(super) fn user(
    config: &Config,
    framework: &FrameworkInfo,
    command: &CommandInfo,
) -> Result<Option<String>, Refusal> {
    let asked = command.user.clone();
    match &config.users {
        Users::Any => Ok(asked.or_else(|| Some(framework.user.clone())).filter(|user| !user.is_empty())),
        Users::Own(own) => match asked {
            Some(user) if user != *own => Err(Refusal::User(user)),
            Some(_) | None => Ok(None),
        },
    }
}

/// As which user a command of this framework runs; absent: the agent's own.
pub(super) fn user_of(config: &Config, framework: &FrameworkInfo, command: Option<&CommandInfo>) -> Option<String> {
    // What runs was not refused.
    user(config, framework, command?).ok().flatten()
}

/// Of what belongs to no framework.
pub(super) fn bare_environment() -> Vec<(String, String)> {
    vec![("PATH".to_owned(), DEFAULT_PATH.to_owned())]
}

/// What the processes that have these resources are confined to.
pub(super) fn limits(config: &Config, resources: &[Resource]) -> Result<Limits, Refusal> {
    let resources = from_wire(resources)?;
    let shares = (resources.cpus().to_f64() * SHARES_PER_CPU) as u64;
    let memory_bytes = (resources.mem().to_f64() * BYTES_PER_MEGABYTE) as u64;
    Ok(Limits {
        cpu_shares: shares.max(MIN_SHARES),
        cpu_quota_us: None,
        memory_bytes: memory_bytes.max(MIN_MEMORY_BYTES),
        memory_request_bytes: None,
        pids: config.pids_limit,
    })
}

/// As [`limits`], with what the task says of its own: it may use more than it has for itself, and cpus no more than so many.
fn task_limits(config: &Config, task: &TaskInfo) -> Result<Limits, Refusal> {
    let mut limits = limits(config, &task.resources)?;
    for (name, limit) in &task.limits {
        let limit = limit.value;
        match name.as_str() {
            _ if limit.is_nan() || limit <= 0.0 => return Err(Refusal::Limit(name.clone(), limit)),
            "cpus" => {
                limits.cpu_quota_us = limit.is_finite().then_some(((limit * QUOTA_PER_CPU_US) as u64).max(MIN_QUOTA_US))
            }
            "mem" => {
                let bytes = if limit.is_finite() { (limit * BYTES_PER_MEGABYTE) as u64 } else { u64::MAX };
                let request = std::mem::replace(&mut limits.memory_bytes, bytes.max(MIN_MEMORY_BYTES));
                if limits.memory_bytes < request {
                    return Err(Refusal::Limit(name.clone(), limit));
                }
                limits.memory_request_bytes = Some(request);
            }
            _ => return Err(Refusal::LimitOf(name.clone())),
        }
    }
    Ok(limits)
}

/// A task's whole environment: what Mesos's agent sets, overridden by what the command asks for.
pub(super) fn environment(config: &Config, task: &Task, sandbox: &Path) -> Vec<(String, String)> {
    let Task { framework, info, .. } = task;
    let mut environment = common(config, framework, &task.executor_id(), &info.agent_id, &info.resources, sandbox);
    environment.insert("MESOS_TASK_ID".to_owned(), info.task_id.as_str().to_owned());
    let network = task.network.as_deref();
    let addresses = [
        ("LIBPROCESS_IP", network::listening_address(config, network)),
        ("MESOS_CONTAINER_IP", network::own_address(config, network)),
    ];
    environment.extend(addresses.map(|(name, address)| (name.to_owned(), address.to_string())));
    completed(environment, info.command.as_ref())
}

/// An executor's whole environment, as above.
pub(super) fn executor_environment(config: &Config, executor: &Executor, sandbox: &Path) -> Vec<(String, String)> {
    let Executor { framework, info, agent_id, token, network, .. } = executor;
    let mut environment = common(config, framework, &info.executor_id, agent_id, &info.resources, sandbox);
    let Timing { shutdown_grace_ms, reregistration_ms, .. } = config.executors;
    let grace = info.shutdown_grace_period.as_ref().and_then(DurationInfo::milliseconds).unwrap_or(shutdown_grace_ms);
    let mut set = |name: &str, value: String| environment.insert(name.to_owned(), value);
    set("LIBPROCESS_IP", network::listening_address(config, network.as_deref()).to_string());
    set("LIBPROCESS_PORT", "0".to_owned());
    set("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", duration(grace));
    set("MESOS_HTTP_COMMAND_EXECUTOR", "0".to_owned());
    set("MESOS_SLAVE_PID", format!("slave(1)@{}:{}", config.ip, config.info.port));
    if let Some(token) = token {
        set(EXECUTORS_TOKEN, token.clone());
    }
    if let Some(authority) = &config.authority {
        set("LIBPROCESS_SSL_ENABLED", "1".to_owned());
        set("LIBPROCESS_SSL_CA_FILE", authority.to_string_lossy().into_owned());
    }
    if framework.checkpoint {
        set("MESOS_RECOVERY_TIMEOUT", duration(RECOVERY_TIMEOUT_MS));
        set("MESOS_SUBSCRIPTION_BACKOFF_MAX", duration(reregistration_ms.min(BACKOFF_MAX_MS)));
    }
    completed(environment, info.command.as_ref())
}

fn common(
    config: &Config,
    framework: &FrameworkInfo,
    executor_id: &ExecutorId,
    agent_id: &AgentId,
    resources: &[Resource],
    sandbox: &Path,
) -> BTreeMap<String, String> {
    let sandbox = sandbox.to_string_lossy();
    let role = framework.roles.first().or(framework.role.as_ref()).map_or("*", String::as_str);
    let allocated = resources.iter().find_map(|resource| resource.allocation_info.as_ref()?.role.as_deref());
    let framework_id = framework.id.as_ref().map_or("", |id| id.as_str());
    let endpoint = format!("{}:{}", config.ip, config.info.port);
    let mut environment = BTreeMap::from([("PATH".to_owned(), DEFAULT_PATH.to_owned())]);
    environment.extend(config.defaults.variables.clone());
    let given = [
        ("MESOS_AGENT_ENDPOINT", &*endpoint),
        ("MESOS_ALLOCATION_ROLE", allocated.unwrap_or(role)),
        ("MESOS_CHECKPOINT", if framework.checkpoint { "1" } else { "0" }),
        ("MESOS_DIRECTORY", &sandbox),
        ("MESOS_EXECUTOR_ID", executor_id.as_str()),
        ("MESOS_FRAMEWORK_ID", framework_id),
        ("MESOS_SANDBOX", &sandbox),
        ("MESOS_SLAVE_ID", agent_id.as_str()),
    ];
    environment.extend(given.map(|(name, value)| (name.to_owned(), value.to_owned())));
    environment
}

fn completed(mut environment: BTreeMap<String, String>, command: Option<&CommandInfo>) -> Vec<(String, String)> {
    environment.extend(asked_environment(command));
    environment.into_iter().collect()
}

/// What a command asks for itself.
pub(super) fn asked_environment(command: Option<&CommandInfo>) -> BTreeMap<String, String> {
    let variables = command.into_iter().flat_map(variables).filter(|variable| variable.secret.is_none());
    variables.map(|variable| (variable.name.clone(), variable.value.clone().unwrap_or_default())).collect()
}

/// Whether a check's command can be run.
fn check_commands(task: &TaskInfo) -> Result<(), Refusal> {
    let of_health = task.health_check.iter().chain(&task.health_checks).filter_map(|check| check.command.as_ref());
    let of_check = task.check.iter().filter_map(|check| Some(&check.command.as_ref()?.command));
    for command in of_health.chain(of_check) {
        refuse(&[
            (!command.uris.is_empty(), "uris of a check's command"),
            (command.user.is_some(), "user of a check's command"),
        ])?;
        refuse_bad_variables(command)?;
        program(command)?;
    }
    Ok(())
}

/// As Mesos writes durations: in the largest unit that needs no fraction.
pub(crate) fn duration(milliseconds: u64) -> String {
    let units = [(3_600_000, "hrs"), (60_000, "mins"), (1_000, "secs")];
    match units.into_iter().find(|(unit, _)| milliseconds >= *unit && milliseconds.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", milliseconds / unit),
        None => format!("{milliseconds}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_written_as_mesos_does() {
        let cases = [
            (5_000, "5secs"),
            (60_000, "1mins"),
            (900_000, "15mins"),
            (1_500, "1500ms"),
            (0, "0ms"),
            (7_200_000, "2hrs"),
        ];
        for (milliseconds, text) in cases {
            assert_eq!(duration(milliseconds), text);
        }
    }
}
