//! Which endpoint a path means.
//!
//! Every endpoint is there bare and below `/master` (`/state`, `/master/state`). As in Mesos the exact path counts, else the
//! longest known one above it, so that `/api/v1/operator` reaches `/api/v1`. Empty segments (`//state`, `/state/`) and the `.json`
//! of old clients are overlooked.

/// What this master serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// `POST /api/v1/scheduler`
    Scheduler,
    /// `POST /api/v1/agent`: the agents' link.
    Agent,
    /// `POST /api/v1`: operator calls.
    Operator,
    /// `GET /state`
    State,
    /// `GET /slaves`
    Slaves,
    /// `GET /frameworks`
    Frameworks,
    /// `GET /tasks`
    Tasks,
    /// `GET /metrics/snapshot`: flat JSON with Mesos's names.
    MetricsSnapshot,
    /// `GET /metrics`: Prometheus text.
    Metrics,
    /// `GET /version`
    Version,
    /// `GET /health`
    Health,
    /// `GET /redirect`
    Redirect,
}

/// Who may answer a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// Any master, about itself.
    Every,
    /// The leader; the others redirect.
    Leader,
}

const ENDPOINTS: [(&[&str], Endpoint); 12] = [
    (&["api", "v1", "scheduler"], Endpoint::Scheduler),
    (&["api", "v1", "agent"], Endpoint::Agent),
    (&["api", "v1"], Endpoint::Operator),
    (&["metrics", "snapshot"], Endpoint::MetricsSnapshot),
    (&["metrics"], Endpoint::Metrics),
    (&["state"], Endpoint::State),
    (&["slaves"], Endpoint::Slaves),
    (&["frameworks"], Endpoint::Frameworks),
    (&["tasks"], Endpoint::Tasks),
    (&["version"], Endpoint::Version),
    (&["health"], Endpoint::Health),
    (&["redirect"], Endpoint::Redirect),
];

impl Endpoint {
    /// The endpoint of a path, if there is one.
    pub(super) fn of(path: &str) -> Option<Endpoint> {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let segments = segments.strip_prefix(["master"].as_slice()).unwrap_or(&segments);
        // Longer names come first in the table, so the first match is the longest.
        ENDPOINTS.iter().find(|(name, _)| is_above(name, segments)).map(|(_, endpoint)| *endpoint)
    }

    /// Who answers.
    pub(super) fn audience(self) -> Audience {
        match self {
            Endpoint::MetricsSnapshot | Endpoint::Metrics | Endpoint::Version | Endpoint::Health => Audience::Every,
            Endpoint::Scheduler
            | Endpoint::Agent
            | Endpoint::Operator
            | Endpoint::State
            | Endpoint::Slaves
            | Endpoint::Frameworks
            | Endpoint::Tasks
            | Endpoint::Redirect => Audience::Leader,
        }
    }
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
            ("/health", Some(Endpoint::Health)),
            ("/master/redirect", Some(Endpoint::Redirect)),
            ("/", None),
            ("/nope", None),
            ("/master", None),
            ("/api", None),
            ("/states", None),
            ("/state-summary", None),
        ];
        for (path, expected) in cases {
            assert_eq!(Endpoint::of(path), expected, "{path}");
        }
    }
}
