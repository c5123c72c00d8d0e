//! Everything that a master serves: one table, from which requests are dispatched and which tests go through row by row.
//!
//! Every path is there bare and below `/master` (`/state`, `/master/state`). As in Mesos the exact path counts, else the
//! longest known one above it, so that `/api/v1/operator` reaches `/api/v1`. Empty segments (`//state`, `/state/`) and the `.json`
//! of old clients are overlooked.

use attica_core_api::auth::Realm;
use http::Method;

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub(in crate::master) struct Route {
    /// The segments of the path.
    pub(in crate::master) path: &'static [&'static str],
    /// Who deals with it.
    pub(in crate::master) endpoint: Endpoint,
    /// Which methods are taken; none: all of them, as Mesos's readable endpoints do it.
    pub(in crate::master) methods: &'static [Method],
    /// Which masters answer.
    pub(in crate::master) audience: Audience,
    /// What a client has to show.
    pub(in crate::master) needs: Needs,
}

/// What this master serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::master) enum Endpoint {
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
    /// Where the leader is.
    Redirect,
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

/// Who may answer a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::master) enum Audience {
    /// Any master, about itself.
    Every,
    /// The leader; the others redirect.
    Leader,
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

const fn row(
    path: &'static [&'static str],
    methods: &'static [Method],
    audience: Audience,
    needs: Needs,
    endpoint: Endpoint,
) -> Route {
    Route { path, endpoint, methods, audience, needs }
}

/// The table. Longer paths come before those that they begin with.
pub(in crate::master) const ROUTES: &[Route] = {
    use Audience::{Every, Leader};
    use Needs::{Agent, Nothing, ReadOnly, ReadWrite, Scheduler};
    &[
        row(&["api", "v1", "scheduler"], POST, Leader, Scheduler, Endpoint::Scheduler),
        row(&["api", "v1", "agent"], POST, Leader, Agent, Endpoint::Agent),
        row(&["api", "v1"], POST, Leader, ReadWrite, Endpoint::Operator),
        row(&["state"], ANY, Leader, ReadOnly, Endpoint::State),
        row(&["slaves"], ANY, Leader, ReadOnly, Endpoint::Slaves),
        row(&["frameworks"], ANY, Leader, ReadOnly, Endpoint::Frameworks),
        row(&["tasks"], ANY, Leader, ReadOnly, Endpoint::Tasks),
        row(&["state-summary"], ANY, Leader, ReadOnly, Endpoint::StateSummary),
        row(&["roles"], ANY, Leader, ReadOnly, Endpoint::Roles),
        row(&["weights"], GET_PUT, Leader, ReadWrite, Endpoint::Weights),
        row(&["quota"], GET_POST_DELETE, Leader, ReadWrite, Endpoint::Quota),
        row(&["maintenance", "schedule"], GET_POST, Leader, ReadWrite, Endpoint::MaintenanceSchedule),
        row(&["maintenance", "status"], GET, Leader, ReadOnly, Endpoint::MaintenanceStatus),
        row(&["machine", "down"], POST, Leader, ReadWrite, Endpoint::MachineDown),
        row(&["machine", "up"], POST, Leader, ReadWrite, Endpoint::MachineUp),
        row(&["reserve"], POST, Leader, ReadWrite, Endpoint::Reserve),
        row(&["unreserve"], POST, Leader, ReadWrite, Endpoint::Unreserve),
        row(&["create-volumes"], POST, Leader, ReadWrite, Endpoint::CreateVolumes),
        row(&["destroy-volumes"], POST, Leader, ReadWrite, Endpoint::DestroyVolumes),
        row(&["teardown"], POST, Leader, ReadWrite, Endpoint::Teardown),
        row(&["redirect"], ANY, Leader, Nothing, Endpoint::Redirect),
        row(&["flags"], ANY, Every, ReadOnly, Endpoint::Flags),
        row(&["metrics", "snapshot"], ANY, Every, ReadOnly, Endpoint::MetricsSnapshot),
        row(&["metrics"], ANY, Every, ReadOnly, Endpoint::Metrics),
        row(&["version"], ANY, Every, Nothing, Endpoint::Version),
        row(&["health"], ANY, Every, Nothing, Endpoint::Health),
        row(&["logging", "toggle"], ANY, Every, ReadWrite, Endpoint::LoggingToggle),
        row(&["files", "browse"], ANY, Every, ReadOnly, Endpoint::FilesBrowse),
        row(&["files", "read"], ANY, Every, ReadOnly, Endpoint::FilesRead),
        row(&["files", "download"], ANY, Every, ReadOnly, Endpoint::FilesDownload),
        row(&["files", "debug"], ANY, Every, ReadOnly, Endpoint::FilesDebug),
        row(&["system", "stats"], ANY, Every, Nothing, Endpoint::SystemStats),
        row(&["help"], ANY, Every, Nothing, Endpoint::Help),
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
            ("/api/v1/scheduler", Some(Endpoint::Scheduler)),
            ("/master/api/v1/scheduler/", Some(Endpoint::Scheduler)),
            ("//api//v1/scheduler", Some(Endpoint::Scheduler)),
            ("/api/v1/agent", Some(Endpoint::Agent)),
            ("/api/v1", Some(Endpoint::Operator)),
            ("/api/v1/operator", Some(Endpoint::Operator)),
            ("/state", Some(Endpoint::State)),
            ("/master/state", Some(Endpoint::State)),
            ("/state.json", Some(Endpoint::State)),
            ("/master/state.json", Some(Endpoint::State)),
            ("/master/slaves", Some(Endpoint::Slaves)),
            ("/master/frameworks/", Some(Endpoint::Frameworks)),
            ("/tasks.json", Some(Endpoint::Tasks)),
            ("/metrics/snapshot", Some(Endpoint::MetricsSnapshot)),
            ("/metrics", Some(Endpoint::Metrics)),
            ("/system/stats.json", Some(Endpoint::SystemStats)),
            ("/health", Some(Endpoint::Health)),
            ("/master/redirect", Some(Endpoint::Redirect)),
            ("/help/master/state", Some(Endpoint::Help)),
            ("/", None),
            ("/nope", None),
            ("/master", None),
            ("/api", None),
            ("/states", None),
            ("/system", None),
            ("/state-summary", Some(Endpoint::StateSummary)),
            ("/master/quota/a/b", Some(Endpoint::Quota)),
            ("/maintenance/schedule.json", Some(Endpoint::MaintenanceSchedule)),
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
