//! What a task has to be like to be launched. The rules are Mesos's, and so are the texts as far as they are known.

use std::collections::BTreeMap;

use attica_allocator::{Name, Resources, Role};
use attica_core_api::resources;
use attica_core_api::v1::{
    AgentId, AllocationInfo, CheckInfo, CheckType, FrameworkId, HealthCheck, HealthCheckType, Resource, Scalar,
    TaskInfo, ValueType, check_id,
};

use super::Kernel;

impl Kernel {
    /// Checks a task against what the framework has already, and against what is left of the offers it uses. Returns what the
    /// task will use.
    pub(super) fn check_launch(
        &self,
        framework: &FrameworkId,
        agent: &AgentId,
        role: &Role,
        task: &TaskInfo,
        rest: &Resources,
    ) -> Result<Resources, String> {
        check_id(task.task_id.as_str()).map_err(|error| format!("Task uses invalid ID: {error}"))?;
        let used = self.frameworks.get(framework).is_some_and(|framework| {
            framework.tasks.contains_key(&task.task_id) || framework.history.contains(&task.task_id)
        });
        if used {
            return Err(format!("Task has duplicate ID: {}", task.task_id));
        }
        if task.agent_id != *agent {
            return Err(format!("Task uses invalid agent {} while agent {agent} is expected", task.agent_id));
        }
        check_shape(task)?;
        let wanted = check_resources(task, role)?;
        check_limits(&task.limits, &wanted)?;
        match rest.contains(&wanted) {
            true => Ok(wanted),
            false => Err(format!(
                "Total resources {} required by task and its executor is more than available {}",
                allocated(&wanted, role),
                allocated(rest, role)
            )),
        }
    }
}

/// Names the role in every resource, for the agent and for whoever looks at the task: most frameworks leave that to the master.
pub(super) fn allocate_to(task: &mut TaskInfo, role: &Role) {
    for resource in &mut task.resources {
        resource.allocation_info = Some(AllocationInfo { role: Some(role.as_str().to_owned()) });
    }
}

fn check_shape(task: &TaskInfo) -> Result<(), String> {
    match (&task.command, &task.executor) {
        (Some(_), None) => {}
        (None, Some(_)) => return Err("Task uses 'executor', which is not supported yet; use 'command'".to_owned()),
        (None, None) | (Some(_), Some(_)) => {
            return Err(
                "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present".to_owned()
            );
        }
    }
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

fn check_resources(task: &TaskInfo, role: &Role) -> Result<Resources, String> {
    if task.resources.is_empty() {
        return Err("Task uses no resources".to_owned());
    }
    if let Some(empty) = task.resources.iter().find(|resource| is_empty(resource)) {
        return Err(format!("Task uses invalid resources: '{}' is empty", empty.name));
    }
    let wanted =
        resources::from_wire(&task.resources).map_err(|error| format!("Task uses invalid resources: {error}"))?;
    let allocated_to = resources::allocation_role(&task.resources).map_err(|error| {
        format!(
            "The resources have multiple allocation roles ('{}' and '{}') but only one allocation role is allowed",
            error.first, error.second
        )
    })?;
    match allocated_to {
        Some(other) if other != role.as_str() => {
            Err(format!("Task uses resources allocated to role '{other}' while role '{role}' is expected"))
        }
        Some(_) | None => Ok(wanted),
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
