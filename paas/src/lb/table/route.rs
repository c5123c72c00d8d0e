use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use super::labels::{Balance, Mode, Remark, Rule, Session};
use crate::model::{InstanceId, RunSpecId, TaskIdentity};

/// Who gets a request. Immutable; the next one shares with it whatever did not change.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    /// Names and ports. Changes only with definitions.
    pub names: Arc<Names>,
    /// Services by [`ServiceIndex`].
    pub services: Vec<Arc<Service>>,
}

/// The place of a service in its table; meaningless in a table with other [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceIndex(pub(super) usize);

/// Which service is meant.
#[derive(Debug, Default)]
pub struct Names {
    /// Virtual hosts, in lower case, each with its paths in the order in which they are tried.
    pub hosts: HashMap<Box<str>, Vec<PathRoute>>,
    /// Service ports.
    pub ports: BTreeMap<u16, PortRoute>,
    /// What apps asked for and do not get.
    pub remarks: Vec<Remark>,
}

/// Requests for a host whose path begins with this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRoute {
    /// The beginning; none: any path.
    pub prefix: Option<Box<str>>,
    /// Higher ones are tried first.
    pub weight: i32,
    /// Who answers.
    pub service: ServiceIndex,
}

/// What is done with connections to a service port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRoute {
    /// What is understood of them.
    pub mode: Mode,
    /// Who answers.
    pub service: ServiceIndex,
}

/// A port of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Which one.
    pub id: ServiceId,
    /// Its number for clients.
    pub port: Option<u16>,
    /// How a backend is chosen.
    pub balance: Balance,
    /// Whether a client returns to the same one.
    pub session: Session,
    /// Why it gets no requests although it has backends.
    pub withheld: Option<&'static str>,
    /// Who may get a request, ordered by instance.
    pub backends: Vec<Arc<Backend>>,
}

/// The name of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId {
    /// The app.
    pub app: RunSpecId,
    /// Which of its ports.
    pub port_index: usize,
}

/// A port of a running instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The task, which names the instance.
    pub task: TaskIdentity,
    /// Name or address of its machine.
    pub host: Arc<str>,
    /// The port there.
    pub port: u16,
}

impl RouteTable {
    /// The service that requests for `host` (lower case, without a port) and `path` go to.
    #[must_use]
    pub fn by_name(&self, host: &str, path: &str) -> Option<ServiceIndex> {
        let routes = self.names.hosts.get(host)?;
        routes.iter().find(|route| route.matches(path)).map(|route| route.service)
    }

    /// The service that connections to a service port go to.
    #[must_use]
    pub fn by_port(&self, port: u16) -> Option<PortRoute> {
        self.names.ports.get(&port).copied()
    }

    /// A service of this table.
    #[must_use]
    pub fn service(&self, index: ServiceIndex) -> &Arc<Service> {
        &self.services[index.0]
    }

    /// Whether a request can come to an instance.
    #[must_use]
    pub fn routes_to(&self, instance: &InstanceId) -> bool {
        let of_app = self.services.iter().filter(|service| service.id.app == instance.run_spec);
        of_app.flat_map(|service| &service.backends).any(|backend| backend.task.instance == *instance)
    }
}

impl ServiceIndex {
    /// As an index into [`RouteTable::services`].
    #[must_use]
    pub fn get(self) -> usize {
        self.0
    }
}

impl Names {
    /// Takes in the rules of an app whose services begin at `first`.
    pub(super) fn add(&mut self, app: &RunSpecId, rules: &[Rule], first: usize) {
        for (offset, rule) in rules.iter().enumerate() {
            let service = ServiceIndex(first + offset);
            for host in &rule.hosts {
                let route = PathRoute { prefix: rule.path.clone(), weight: rule.weight, service };
                self.hosts.entry(host.clone()).or_default().push(route);
            }
            let Some(port) = rule.listens_on else { continue };
            match self.ports.entry(port) {
                Entry::Vacant(free) => {
                    free.insert(PortRoute { mode: rule.mode, service });
                }
                Entry::Occupied(_) => {
                    let text = format!("service port {port} belongs to another app already");
                    self.remarks.push(Remark { app: app.clone(), text });
                }
            }
        }
    }

    /// Puts paths into the order in which they are tried: by weight, then the longest first, then in the order of the apps.
    pub(super) fn arrange(&mut self) {
        for routes in self.hosts.values_mut() {
            routes.sort_by_key(|route| {
                std::cmp::Reverse((route.weight, route.prefix.as_ref().map_or(0, |path| path.len())))
            });
        }
    }
}

impl PathRoute {
    fn matches(&self, path: &str) -> bool {
        self.prefix.as_ref().is_none_or(|prefix| path.starts_with(&**prefix))
    }
}

impl fmt::Display for ServiceId {
    /// As marathon-lb names backends, with the index of the port in place of its number: `shop_web_0`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}_{}", self.app.safe_path(), self.port_index)
    }
}
