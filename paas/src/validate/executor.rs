//! Executors of apps, and what executors need.

use attica_paas_api::Number;
use attica_paas_api::pod::{ExecutorResources, PodResources};

use super::{Faults, limits, pod, text};
use crate::engine::Violation;
use crate::model::{CheckKind, CommandLine, Resources, RunSpec};

/// The executor that runs a command by itself: the agent does that.
const COMMAND_EXECUTOR: &str = "//cmd";

/// The path of a program; none in it: the command executor.
pub(super) fn path(written: Option<String>, faults: &mut Faults) -> Option<Option<String>> {
    let written = written?;
    if matches!(written.as_str(), "" | COMMAND_EXECUTOR) {
        return Some(None);
    }
    text::check("/executor", &written, limits::PATH_LENGTH_MAX, faults);
    if written.strip_prefix('/').unwrap_or(&written).split('/').any(str::is_empty) {
        faults.add("/executor", "must fully match regular expression '^(//cmd)|(/?[^/]+(/[^/]+)*)|$'");
    }
    Some(Some(written))
}

/// What an executor needs.
pub(super) fn resources(written: ExecutorResources, faults: &mut Faults) -> Resources {
    let ExecutorResources { cpus, mem, disk } = written;
    pod::resources("/executorResources", PodResources { cpus, mem, disk, gpus: Number(0.0) }, faults)
}

/// What an executor of an app's own would have to do, and agents do only for what they run themselves.
pub(super) fn check(spec: &RunSpec, violations: &mut Vec<Violation>) {
    if spec.executor.is_none() {
        return;
    }
    let by_service = spec.health_checks.iter().position(|check| check.kind == CheckKind::Service);
    if let Some(index) = by_service {
        let error = "of an app with an executor of its own must be one of MESOS_HTTP, MESOS_HTTPS, MESOS_TCP, COMMAND, which that \
                     executor makes";
        violations.push(Violation::new(format!("/healthChecks({index})/protocol"), error));
    }
    let refused = [
        ("/processGraph", matches!(spec.command, CommandLine::Graph(_))),
        ("/readinessChecks", spec.readiness_check.is_some()),
        ("/resourceLimits", !spec.limits.is_empty()),
        ("/secrets", !spec.secrets.is_empty()),
    ];
    for (path, _) in refused.into_iter().filter(|(_, asked)| *asked) {
        violations.push(Violation::new(path, "is not supported together with an executor of the app's own"));
    }
}
