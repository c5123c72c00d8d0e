//! Which parts of apps and groups are asked for.

use attica_core_api::Timestamp;

/// The parts of an app beside its definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppParts {
    /// The numbers of tasks.
    pub counts: bool,
    /// The deployments that touch it.
    pub deployments: bool,
    /// Its tasks.
    pub tasks: bool,
    /// What its readiness check has found, if it has one.
    pub readiness: bool,
    /// Its latest failure.
    pub last_task_failure: bool,
    /// Its tasks in numbers, as they are at this moment.
    pub task_stats: Option<Timestamp>,
    /// The container of an app that has none.
    pub no_container: NoContainer,
    /// Its service ports as they were shown before there were port definitions.
    pub legacy_ports: bool,
}

/// How an app without a container is shown. Clients of Marathon disagree: some index the member without looking, as its early versions
/// allowed, and some look into whatever is there, as its late versions allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoContainer {
    /// `"container":null`, as in Marathon up to 1.4: for people's tools (dcoscli).
    Null,
    /// No member, as in Marathon from 1.5: for lists with their tasks, which load balancers read (marathon-lb).
    Absent,
}

impl AppParts {
    /// What a list shows when nothing more is asked for.
    pub(super) const LISTED: Self = Self {
        counts: true,
        deployments: true,
        tasks: false,
        readiness: false,
        last_task_failure: false,
        task_stats: None,
        no_container: NoContainer::Null,
        legacy_ports: false,
    };

    /// What a list shows, with what `embed` adds at `now`. Unknown values are passed over.
    pub fn list<'a>(embed: impl Iterator<Item = &'a str>, now: Timestamp) -> Self {
        let mut parts = Self::LISTED;
        embed.for_each(|value| parts.add(value, now));
        if parts.tasks {
            parts.no_container = NoContainer::Absent;
        }
        parts
    }

    /// What the view of one app shows: everything that does not change with time alone, and what `embed` adds to that at `now`.
    pub fn single<'a>(embed: impl Iterator<Item = &'a str>, now: Timestamp) -> Self {
        let mut parts = Self {
            counts: true,
            deployments: true,
            tasks: true,
            readiness: true,
            last_task_failure: true,
            task_stats: None,
            no_container: NoContainer::Null,
            legacy_ports: false,
        };
        embed.for_each(|value| parts.add(value, now));
        parts
    }

    /// The same, with the service ports as they were shown before there were port definitions, or without.
    #[must_use]
    pub fn with_legacy_ports(self, legacy_ports: bool) -> Self {
        Self { legacy_ports, ..self }
    }

    /// Adds a part, named with or without the place at which it is embedded.
    fn add(&mut self, value: &str, now: Timestamp) {
        let name =
            ["group.apps.", "apps.", "app."].iter().find_map(|prefix| value.strip_prefix(prefix)).unwrap_or(value);
        match name {
            "tasks" => {
                self.tasks = true;
                self.deployments = true;
            }
            "counts" => self.counts = true,
            "deployments" => self.deployments = true,
            "readiness" => self.readiness = true,
            "lastTaskFailure" => self.last_task_failure = true,
            "taskStats" => self.task_stats = Some(now),
            "failures" => {
                self.tasks = true;
                self.deployments = true;
                self.last_task_failure = true;
            }
            _ => {}
        }
    }
}

/// The parts of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupParts {
    /// The groups below.
    pub groups: bool,
    /// The apps in it, with these parts.
    pub apps: Option<AppParts>,
    /// The pods in it.
    pub pods: bool,
}

impl GroupParts {
    /// The same, with the service ports of apps as they were shown before there were port definitions, or without.
    #[must_use]
    pub fn with_legacy_ports(self, legacy_ports: bool) -> Self {
        Self { apps: self.apps.map(|parts| parts.with_legacy_ports(legacy_ports)), ..self }
    }

    /// Everything, unless `embed` names parts of groups: then only those, as they are at `now`.
    pub fn new<'a>(embed: impl Iterator<Item = &'a str>, now: Timestamp) -> Self {
        let named: Vec<&str> = embed.filter(|value| value.starts_with("group.")).collect();
        let none = AppParts {
            counts: false,
            deployments: false,
            tasks: false,
            readiness: false,
            last_task_failure: false,
            task_stats: None,
            no_container: NoContainer::Null,
            legacy_ports: false,
        };
        if named.is_empty() {
            return Self { groups: true, apps: Some(none), pods: true };
        }
        let mut parts = none;
        named.iter().for_each(|value| parts.add(value, now));
        let shows_apps = named.iter().any(|value| *value == "group.apps" || value.starts_with("group.apps."));
        Self {
            groups: named.contains(&"group.groups"),
            apps: shows_apps.then_some(parts),
            pods: named.contains(&"group.pods"),
        }
    }
}
