//! Everything that a master serves: one table, from which requests are dispatched and which tests go through row by row.
//!
//! Every path is there bare and below `/master` (`/state`, `/master/state`). As in Mesos the exact path counts, else the
//! longest known one above it, so that `/api/v1/operator` reaches `/api/v1`. Empty segments (`//state`, `/state/`) and the `.json`
//! of old clients are overlooked.

use attica_core_api::auth::{Action, Realm};
use http::Method;

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub(in crate::master) struct Route {
    /// The segments of the path.
    pub(in crate::master) path: &'static [&'static str],
    /// Who deals with it.
    pub(in crate::master) endpoint: Endpoint,
    /// What rules have to allow first.
    pub(in crate::master) rule: Rule,
    /// Which methods are taken; none: all of them, as Mesos's readable endpoints do it.
    pub(in crate::master) methods: &'static [Method],
    /// What a client has to show.
    pub(in crate::master) needs: Needs,
}

/// Which masters answer, and with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::master) enum Endpoint {
    /// Any master, about itself.
    Every(Own),
    /// The leader; the others redirect.
    Leader(Led),
}

/// What a master tells of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::master) enum Own {
    /// What this master was started with.
    Flags,
    /// Flat JSON with Mesos's names.
    MetricsSnapshot,
    /// Prometheus's text.
    Metrics,
    /// What this master was built from.
    Version,
    /// Whether this master is there.
    Health,
    /// How much is logged.
    LoggingToggle,
    /// A directory.
    FilesBrowse,
    /// A part of a file.
    FilesRead,
    /// A file.
    FilesDownload,
    /// Which files are shown.
    FilesDebug,
    /// The machine that this master runs on.
    SystemStats,
    /// This table, for people.
    Help,
}

/// What only the leader can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::master) enum Led {
    /// Calls of frameworks.
    Scheduler,
    /// The agents' link.
    Agent,
    /// Calls of operators.
    Operator,
    /// The whole cluster.
    State,
    /// Agents.
    Slaves,
    /// Frameworks.
    Frameworks,
    /// Tasks.
    Tasks,
    /// Agents and frameworks, with the number of their tasks.
    StateSummary,
    /// Roles.
    Roles,
    /// The weights of roles.
    Weights,
    /// The quotas of roles.
    Quota,
    /// What is planned for machines.
    MaintenanceSchedule,
    /// Where the machines of the schedule stand.
    MaintenanceStatus,
    /// Machines go down.
    MachineDown,
    /// Machines are back.
    MachineUp,
    /// Make reservations.
    Reserve,
    /// Undo them.
    Unreserve,
    /// Make volumes.
    CreateVolumes,
    /// Undo them.
    DestroyVolumes,
    /// Remove a framework.
    Teardown,
    /// Where the leader is.
    Redirect,
}

/// What rules have to allow whoever answers. What only the leader can judge is judged there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::master) enum Rule {
    /// Nothing.
    None,
    /// To ask at this very path.
    Path,
    /// This.
    Action(Action),
}

/// What a client has to show before it is answered: which of Mesos's realms it must be known in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::master) enum Needs {
    /// Nothing, ever.
    Nothing,
    /// `mesos-master-readonly`
    ReadOnly,
    /// `mesos-master-readwrite`
    ReadWrite,
    /// `mesos-master-scheduler`
    Scheduler,
    /// That it is an agent of this cluster.
    Agent,
}

const ANY: &[Method] = &[];
const GET: &[Method] = &[Method::GET];
const POST: &[Method] = &[Method::POST];
const GET_POST: &[Method] = &[Method::GET, Method::POST];
const GET_PUT: &[Method] = &[Method::GET, Method::PUT];
const GET_POST_DELETE: &[Method] = &[Method::GET, Method::POST, Method::DELETE];

const fn every(path: &'static [&'static str], methods: &'static [Method], needs: Needs, rule: Rule, own: Own) -> Route {
    Route { path, endpoint: Endpoint::Every(own), rule, methods, needs }
}

const fn leader(path: &'static [&'static str], methods: &'static [Method], needs: Needs, led: Led) -> Route {
    Route { path, endpoint: Endpoint::Leader(led), rule: Rule::None, methods, needs }
}

/// The only files of a master are its logs.
const LOGS: Rule = Rule::Action(Action::AccessMesosLog);

/// The table. Longer paths come before those that they begin with.
pub(in crate::master) const ROUTES: &[Route] = {
    use Needs::{Agent, Nothing, ReadOnly, ReadWrite, Scheduler};
    &[
        leader(&["api", "v1", "scheduler"], POST, Scheduler, Led::Scheduler),
        leader(&["api", "v1", "agent"], POST, Agent, Led::Agent),
        leader(&["api", "v1"], POST, ReadWrite, Led::Operator),
        leader(&["state"], ANY, ReadOnly, Led::State),
        leader(&["slaves"], ANY, ReadOnly, Led::Slaves),
        leader(&["frameworks"], ANY, ReadOnly, Led::Frameworks),
        leader(&["tasks"], ANY, ReadOnly, Led::Tasks),
        leader(&["state-summary"], ANY, ReadOnly, Led::StateSummary),
        leader(&["roles"], ANY, ReadOnly, Led::Roles),
        leader(&["weights"], GET_PUT, ReadWrite, Led::Weights),
        leader(&["quota"], GET_POST_DELETE, ReadWrite, Led::Quota),
        leader(&["maintenance", "schedule"], GET_POST, ReadWrite, Led::MaintenanceSchedule),
        leader(&["maintenance", "status"], GET, ReadOnly, Led::MaintenanceStatus),
        leader(&["machine", "down"], POST, ReadWrite, Led::MachineDown),
        leader(&["machine", "up"], POST, ReadWrite, Led::MachineUp),
        leader(&["reserve"], POST, ReadWrite, Led::Reserve),
        leader(&["unreserve"], POST, ReadWrite, Led::Unreserve),
        leader(&["create-volumes"], POST, ReadWrite, Led::CreateVolumes),
        leader(&["destroy-volumes"], POST, ReadWrite, Led::DestroyVolumes),
        leader(&["teardown"], POST, ReadWrite, Led::Teardown),
        leader(&["redirect"], ANY, Nothing, Led::Redirect),
        every(&["flags"], ANY, ReadOnly, Rule::Action(Action::ViewFlags), Own::Flags),
        every(&["metrics", "snapshot"], ANY, ReadOnly, Rule::Path, Own::MetricsSnapshot),
        every(&["metrics"], ANY, ReadOnly, Rule::None, Own::Metrics),
        every(&["version"], ANY, Nothing, Rule::None, Own::Version),
        every(&["health"], ANY, Nothing, Rule::None, Own::Health),
        every(&["logging", "toggle"], ANY, ReadWrite, Rule::Path, Own::LoggingToggle),
        every(&["files", "browse"], ANY, ReadOnly, LOGS, Own::FilesBrowse),
        every(&["files", "read"], ANY, ReadOnly, LOGS, Own::FilesRead),
        every(&["files", "download"], ANY, ReadOnly, LOGS, Own::FilesDownload),
        every(&["files", "debug"], ANY, ReadOnly, Rule::Path, Own::FilesDebug),
        every(&["system", "stats"], ANY, Nothing, Rule::None, Own::SystemStats),
        every(&["help"], ANY, Nothing, Rule::None, Own::Help),
    ]
};

impl Needs {
    /// The realm.
    pub(in crate::master) fn realm(self) -> Option<Realm> {
        match self {
            Needs::Nothing => None,
            Needs::ReadOnly => Some(Realm::MasterReadonly),
            Needs::ReadWrite => Some(Realm::MasterReadwrite),
            Needs::Scheduler => Some(Realm::MasterScheduler),
            Needs::Agent => Some(Realm::MasterAgent),
        }
    }
}

impl Route {
    /// The row of a path, if there is one.
    pub(in crate::master) fn of(path: &str) -> Option<&'static Route> {
        let segments = segments(path);
        // Longer paths come first, so the first match is the longest.
        ROUTES.iter().find(|route| is_above(route.path, &segments))
    }

    /// The path as people write it.
    pub(in crate::master) fn pattern(&self) -> String {
        format!("/{}", self.path.join("/"))
    }

    /// What a path has below this row: `role` of `/quota/role`.
    pub(in crate::master) fn rest(&self, path: &str) -> String {
        let segments = segments(path);
        segments.get(self.path.len()..).unwrap_or_default().join("/")
    }

    /// Whether a method is taken.
    pub(in crate::master) fn takes(&self, method: &Method) -> bool {
        self.methods.is_empty() || self.methods.contains(method)
    }
}

fn segments(path: &str) -> Vec<&str> {
    let mut segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    if segments.first() == Some(&"master") {
        segments.remove(0);
    }
    segments
}

fn is_above(name: &[&str], segments: &[&str]) -> bool {
    let Some(found) = segments.get(..name.len()) else { return false };
    let Some(((last, parents), (found_last, found_parents))) = name.split_last().zip(found.split_last()) else {
        return false;
    };
    parents == found_parents && (last == found_last || Some(*last) == found_last.strip_suffix(".json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let cases = [
            ("/api/v1/scheduler", Some(Endpoint::Leader(Led::Scheduler))),
            ("/master/api/v1/scheduler/", Some(Endpoint::Leader(Led::Scheduler))),
            ("//api//v1/scheduler", Some(Endpoint::Leader(Led::Scheduler))),
            ("/api/v1/agent", Some(Endpoint::Leader(Led::Agent))),
            ("/api/v1", Some(Endpoint::Leader(Led::Operator))),
            ("/api/v1/operator", Some(Endpoint::Leader(Led::Operator))),
            ("/state", Some(Endpoint::Leader(Led::State))),
            ("/master/state", Some(Endpoint::Leader(Led::State))),
            ("/state.json", Some(Endpoint::Leader(Led::State))),
            ("/master/state.json", Some(Endpoint::Leader(Led::State))),
            ("/master/slaves", Some(Endpoint::Leader(Led::Slaves))),
            ("/master/frameworks/", Some(Endpoint::Leader(Led::Frameworks))),
            ("/tasks.json", Some(Endpoint::Leader(Led::Tasks))),
            ("/metrics/snapshot", Some(Endpoint::Every(Own::MetricsSnapshot))),
            ("/metrics", Some(Endpoint::Every(Own::Metrics))),
            ("/system/stats.json", Some(Endpoint::Every(Own::SystemStats))),
            ("/health", Some(Endpoint::Every(Own::Health))),
            ("/master/redirect", Some(Endpoint::Leader(Led::Redirect))),
            ("/help/master/state", Some(Endpoint::Every(Own::Help))),
            ("/", None),
            ("/nope", None),
            ("/master", None),
            ("/api", None),
            ("/states", None),
            ("/system", None),
            ("/state-summary", Some(Endpoint::Leader(Led::StateSummary))),
            ("/master/quota/a/b", Some(Endpoint::Leader(Led::Quota))),
            ("/maintenance/schedule.json", Some(Endpoint::Leader(Led::MaintenanceSchedule))),
        ];
        for (path, expected) in cases {
            assert_eq!(Route::of(path).map(|route| route.endpoint), expected, "{path}");
        }
    }

    #[test]
    fn what_is_below_a_row() {
        let quota = Route::of("/master/quota/a/b").unwrap();
        assert_eq!(quota.rest("/master/quota/a/b"), "a/b");
        assert_eq!(quota.rest("//quota/"), "");
    }

    #[test]
    fn every_row_is_found_by_its_own_path() {
        for route in ROUTES {
            let found = Route::of(&route.pattern()).map(|found| found.endpoint);
            assert_eq!(found, Some(route.endpoint), "{}: a shorter path comes before it", route.pattern());
        }
    }
}
