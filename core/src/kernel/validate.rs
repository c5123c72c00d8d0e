//! What a task has to be like to be launched. The rules are Mesos's, and so are the texts as far as they are known.

use std::collections::{BTreeMap, BTreeSet};

use attica_allocator::{Guarantee, Name, Resources, Role};
use attica_core_api::resources;
use attica_core_api::v1::{
    AllocationInfo, CheckInfo, CheckType, ContainerInfo, ContainerType, ExecutorInfo, ExecutorType, HealthCheck,
    HealthCheckType, Resource, Scalar, TaskInfo, ValueType, check_id,
};

use super::Kernel;
use super::accept::Acceptance;

/// What a launch takes of the offers.
pub(super) struct Needs<T> {
    /// For an executor that is not there yet.
    pub executor: Option<Resources>,
    /// For the task, or each task.
    pub task: T,
}

impl Kernel {
    /// Checks a task against what the framework has already, and against what is left of the offers it uses.
    pub(super) fn check_launch(&self, acceptance: &Acceptance, task: &TaskInfo) -> Result<Needs<Resources>, String> {
        self.check_identity(acceptance, task)?;
        match (&task.command, &task.executor) {
            (Some(_), None) | (None, Some(_)) => {}
            (None, None) | (Some(_), Some(_)) => {
                return Err(
                    "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present".to_owned()
                );
            }
        }
        check_shape(task)?;
        let wanted = check_task_resources(task, &acceptance.role)?;
        check_limits(&task.limits, &wanted)?;
        let executor = match &task.executor {
            Some(executor) if executor.r#type == Some(ExecutorType::Default) => {
                return Err("The default executor runs task groups only; use LAUNCH_GROUP".to_owned());
            }
            Some(executor) => self.check_executor(acceptance, executor)?,
            None => None,
        };
        let total = executor.iter().fold(wanted.clone(), |sum, own| sum.plus(own));
        check_mixture(&total)?;
        check_fits(acceptance, &total, "task and its executor is")?;
        Ok(Needs { executor: executor.map(|own| own.exclusive()), task: wanted.exclusive() })
    }

    /// Checks the tasks of a group, which are launched all or not at all.
    pub(super) fn check_group(
        &self,
        acceptance: &Acceptance,
        executor: &ExecutorInfo,
        tasks: &[TaskInfo],
    ) -> Result<Needs<Vec<Resources>>, String> {
        if tasks.is_empty() {
            return Err("Task group cannot be empty".to_owned());
        }
        match executor.r#type {
            Some(ExecutorType::Default | ExecutorType::Custom) => {}
            Some(ExecutorType::Unknown) | None => return Err("'ExecutorInfo.type' must be set".to_owned()),
        }
        let own = self.check_executor(acceptance, executor)?;
        let mut ids = BTreeSet::new();
        let mut each = Vec::with_capacity(tasks.len());
        for task in tasks {
            let checked = match ids.insert(&task.task_id) {
                true => self.check_member(acceptance, task),
                false => Err(format!("Task has duplicate ID: {}", task.task_id)),
            };
            each.push(checked.map_err(|error| format!("Task '{}' in group is invalid: {error}", task.task_id))?);
        }
        let total = each.iter().chain(&own).fold(Resources::new(), |sum, part| sum.plus(&part.exclusive()));
        check_mixture(&total)?;
        check_fits(acceptance, &total, "task group and its executor are")?;
        let each = each.into_iter().map(|wanted| wanted.exclusive()).collect();
        Ok(Needs { executor: own.map(|own| own.exclusive()), task: each })
    }

    fn check_member(&self, acceptance: &Acceptance, task: &TaskInfo) -> Result<Resources, String> {
        self.check_identity(acceptance, task)?;
        if task.executor.is_some() {
            return Err("'TaskInfo.executor' must not be set".to_owned());
        }
        if let Some(container) = task.container.as_deref() {
            check_member_container(container)?;
        }
        check_shape(task)?;
        let wanted = check_task_resources(task, &acceptance.role)?;
        check_limits(&task.limits, &wanted)?;
        let shares = |container: &ContainerInfo| container.linux_info.as_ref().is_none_or(|info| info.share_cgroups);
        if !task.limits.is_empty() && task.container.as_deref().is_none_or(shares) {
            return Err("'limits' need 'container.linux_info.share_cgroups' to be false".to_owned());
        }
        check_mixture(&wanted)?;
        let missing = wanted.shared();
        if !acceptance.rest.contains(&missing) {
            return Err(format!("Shared resources {missing} are not offered"));
        }
        Ok(wanted)
    }

    fn check_identity(&self, acceptance: &Acceptance, task: &TaskInfo) -> Result<(), String> {
        check_id(task.task_id.as_str()).map_err(|error| format!("Task uses invalid ID: {error}"))?;
        let used = self.frameworks.get(&acceptance.framework).is_some_and(|framework| {
            framework.tasks.contains_key(&task.task_id) || framework.history.contains(&task.task_id)
        });
        if used {
            return Err(format!("Task has duplicate ID: {}", task.task_id));
        }
        let agent = &acceptance.agent;
        match task.agent_id == *agent {
            true => Ok(()),
            false => Err(format!("Task uses invalid agent {} while agent {agent} is expected", task.agent_id)),
        }
    }

    /// What the executor needs; `None` when it is there already.
    fn check_executor(&self, acceptance: &Acceptance, executor: &ExecutorInfo) -> Result<Option<Resources>, String> {
        let id = &executor.executor_id;
        check_id(id.as_str()).map_err(|error| format!("Executor uses invalid ID: {error}"))?;
        let (actual, expected) = (executor.framework_id.as_ref(), &acceptance.framework);
        if actual.is_some_and(|actual| actual != expected) {
            let actual = actual.map(ToString::to_string).unwrap_or_default();
            return Err(format!("ExecutorInfo has an invalid FrameworkID (Actual: {actual} vs Expected: {expected})"));
        }
        match (executor.r#type, &executor.command) {
            (Some(ExecutorType::Unknown), _) => return Err("Unknown executor type".to_owned()),
            (Some(ExecutorType::Default), Some(_)) => {
                return Err("'ExecutorInfo.command' must not be set for 'DEFAULT' executor".to_owned());
            }
            (Some(ExecutorType::Custom), None) => {
                return Err("'ExecutorInfo.command' must be set for 'CUSTOM' executor".to_owned());
            }
            (None, None) => return Err("'ExecutorInfo.command' must be set".to_owned()),
            (Some(ExecutorType::Default), None) | (Some(ExecutorType::Custom) | None, Some(_)) => {}
        }
        if executor.shutdown_grace_period.as_ref().is_some_and(|grace| grace.nanoseconds < 0) {
            return Err("ExecutorInfo's 'shutdown_grace_period' must be non-negative".to_owned());
        }
        let own = check_resources("Executor", &executor.resources, &acceptance.role)?;
        let name = (acceptance.framework.clone(), id.clone());
        let Some(known) = self.agents.get(&acceptance.agent).and_then(|agent| agent.executors.get(&name)) else {
            return Ok(Some(own));
        };
        let mut described = executor.clone();
        allocate_to(&mut described.resources, &known.role);
        match described == *known.info {
            true => Ok(None),
            false => {
                Err(format!("ExecutorInfo of '{id}' is not compatible with existing ExecutorInfo with same ExecutorID"))
            }
        }
    }
}

/// Names the role in every resource, for the agent and for whoever looks at it: most frameworks leave that to the master.
pub(super) fn allocate_to(resources: &mut [Resource], role: &Role) {
    for resource in resources {
        resource.allocation_info = Some(AllocationInfo { role: Some(role.as_str().to_owned()) });
    }
}

fn check_member_container(container: &ContainerInfo) -> Result<(), String> {
    if container.r#type == ContainerType::Docker {
        return Err("Docker ContainerInfo is not supported on the task".to_owned());
    }
    match container.network_infos.is_empty() {
        true => Ok(()),
        false => Err("NetworkInfos must not be set on the task".to_owned()),
    }
}

fn check_shape(task: &TaskInfo) -> Result<(), String> {
    let grace = task.kill_policy.as_ref().and_then(|policy| policy.grace_period.as_ref());
    if grace.is_some_and(|grace| grace.nanoseconds < 0) {
        return Err("Task's 'kill_policy.grace_period' must be non-negative".to_owned());
    }
    if task.max_completion_time.as_ref().is_some_and(|time| time.nanoseconds < 0) {
        return Err("Task's 'max_completion_time' must be non-negative".to_owned());
    }
    if let Some(check) = &task.check {
        check_check(check).map_err(|reason| format!("Task uses invalid check: {reason}"))?;
    }
    for check in task.health_check.iter().chain(&task.health_checks) {
        check_health_check(check).map_err(|reason| format!("Task uses invalid health check: {reason}"))?;
    }
    Ok(())
}

fn check_task_resources(task: &TaskInfo, role: &Role) -> Result<Resources, String> {
    match task.resources.is_empty() {
        true => Err("Task uses no resources".to_owned()),
        false => check_resources("Task", &task.resources, role),
    }
}

/// A task cannot count on half of something: all of a name is firm, or all of it is revocable. And a volume has one name.
fn check_mixture(total: &Resources) -> Result<(), String> {
    let mut guarantees: BTreeMap<&Name, Guarantee> = BTreeMap::new();
    let mut volumes = BTreeSet::new();
    for resource in total {
        let first = *guarantees.entry(resource.name()).or_insert(resource.guarantee());
        if first != resource.guarantee() {
            return Err(format!(
                "Task (and its executor, if exists) uses both revocable and non-revocable {}",
                resource.name()
            ));
        }
        if let Some(persistence) = resource.disk().and_then(|disk| disk.persistence.as_ref())
            && !volumes.insert((resource.reserved_role(), &persistence.id))
        {
            return Err(format!("Task uses duplicate persistence ID {}", persistence.id));
        }
    }
    Ok(())
}

fn check_fits(acceptance: &Acceptance, total: &Resources, who: &str) -> Result<(), String> {
    let Acceptance { role, rest, .. } = acceptance;
    match rest.contains(total) {
        true => Ok(()),
        false => Err(format!(
            "Total resources {} required by {who} more than available {}",
            allocated(total, role),
            allocated(rest, role)
        )),
    }
}

fn check_resources(owner: &str, wanted: &[Resource], role: &Role) -> Result<Resources, String> {
    if let Some(empty) = wanted.iter().find(|resource| is_empty(resource)) {
        return Err(format!("{owner} uses invalid resources: '{}' is empty", empty.name));
    }
    let bag = resources::from_wire(wanted).map_err(|error| format!("{owner} uses invalid resources: {error}"))?;
    let allocated_to = resources::allocation_role(wanted).map_err(|error| {
        format!(
            "The resources have multiple allocation roles ('{}' and '{}') but only one allocation role is allowed",
            error.first, error.second
        )
    })?;
    match allocated_to {
        Some(other) if other != role.as_str() => {
            Err(format!("{owner} uses resources allocated to role '{other}' while role '{role}' is expected"))
        }
        Some(_) | None => Ok(bag),
    }
}

fn is_empty(resource: &Resource) -> bool {
    match resource.r#type {
        ValueType::Scalar => resource.scalar.as_ref().is_some_and(|scalar| scalar.value == 0.0),
        ValueType::Ranges => resource.ranges.as_ref().is_some_and(|ranges| ranges.range.is_empty()),
        ValueType::Set => resource.set.as_ref().is_some_and(|set| set.item.is_empty()),
        ValueType::Text => false,
    }
}

fn check_limits(limits: &BTreeMap<String, Scalar>, wanted: &Resources) -> Result<(), String> {
    for (name, limit) in limits {
        if name != "cpus" && name != "mem" {
            return Err(format!("Task has a limit on '{name}', but only 'cpus' and 'mem' can have one"));
        }
        let requested = wanted.scalar(&Name::from(name.as_str())).to_f64();
        if limit.value.is_nan() || limit.value < requested {
            return Err(format!("Task's limit {} on '{name}' is below its request {requested}", limit.value));
        }
    }
    Ok(())
}

fn check_health_check(check: &HealthCheck) -> Result<(), String> {
    match check.r#type {
        None | Some(HealthCheckType::Unknown) => return Err("HealthCheck must specify 'type'".to_owned()),
        Some(HealthCheckType::Command) if check.command.is_none() => {
            return Err("Expecting 'command' to be set for COMMAND health check".to_owned());
        }
        Some(HealthCheckType::Http) => match &check.http {
            None => return Err("Expecting 'http' to be set for HTTP health check".to_owned()),
            Some(http) => {
                let scheme = http.scheme.as_deref().unwrap_or("http");
                if scheme != "http" && scheme != "https" {
                    return Err(format!("Unsupported HTTP health check scheme: '{scheme}'"));
                }
                check_path("health check", http.path.as_deref())?;
            }
        },
        Some(HealthCheckType::Tcp) if check.tcp.is_none() => {
            return Err("Expecting 'tcp' to be set for TCP health check".to_owned());
        }
        Some(HealthCheckType::Command | HealthCheckType::Tcp) => {}
    }
    check_seconds("delay_seconds", check.delay_seconds)?;
    check_seconds("interval_seconds", check.interval_seconds)?;
    check_seconds("timeout_seconds", check.timeout_seconds)?;
    check_seconds("grace_period_seconds", check.grace_period_seconds)
}

fn check_check(check: &CheckInfo) -> Result<(), String> {
    match check.r#type {
        None | Some(CheckType::Unknown) => return Err("CheckInfo must specify 'type'".to_owned()),
        Some(CheckType::Command) if check.command.is_none() => {
            return Err("Expecting 'command' to be set for COMMAND check".to_owned());
        }
        Some(CheckType::Http) => match &check.http {
            None => return Err("Expecting 'http' to be set for HTTP check".to_owned()),
            Some(http) => check_path("check", http.path.as_deref())?,
        },
        Some(CheckType::Tcp) if check.tcp.is_none() => return Err("Expecting 'tcp' to be set for TCP check".to_owned()),
        Some(CheckType::Command | CheckType::Tcp) => {}
    }
    check_seconds("delay_seconds", check.delay_seconds)?;
    check_seconds("interval_seconds", check.interval_seconds)?;
    check_seconds("timeout_seconds", check.timeout_seconds)
}

fn check_path(kind: &str, path: Option<&str>) -> Result<(), String> {
    match path {
        Some(path) if !path.starts_with('/') => Err(format!("The path '{path}' of HTTP {kind} must start with '/'")),
        Some(_) | None => Ok(()),
    }
}

fn check_seconds(name: &str, seconds: f64) -> Result<(), String> {
    if seconds >= 0.0 { Ok(()) } else { Err(format!("Expecting '{name}' to be non-negative")) }
}

/// Resources as Mesos writes them in this message, with the role they are allocated to.
fn allocated(resources: &Resources, role: &Role) -> String {
    let one = |resource: &attica_allocator::Resource| {
        let reserved = resource.reserved_role().map(|role| format!("({role})")).unwrap_or_default();
        format!("{}(allocated: {role}){reserved}:{}", resource.name(), resource.value())
    };
    let all: Vec<String> = resources.iter().map(one).collect();
    if all.is_empty() { "{}".to_owned() } else { all.join("; ") }
}
