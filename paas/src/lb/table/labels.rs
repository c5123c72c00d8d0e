//! marathon-lb's `HAPROXY_*` labels: which are obeyed, and what they say.
//!
//! A label is data: it is compared, parsed into one of the values here, or refused with a remark. None reaches a configuration.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::app::{App, HostPorts, ServicePort, Transport};
use crate::model::RunSpecId;

/// Hosts that one port may be reached by.
const HOSTS_MAX: usize = 256;
/// A DNS name is not longer.
const HOST_BYTES_MAX: usize = 253;
const PATH_BYTES_MAX: usize = 2_048;
/// Remarks about one app.
const REMARKS_MAX: usize = 32;

/// Which apps are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Groups {
    /// Every group, and service ports of apps in none.
    All,
    /// Only these.
    Only(BTreeSet<String>),
}

impl Groups {
    /// Reads what was asked for; nothing, or a `*`, means every group.
    #[must_use]
    pub fn of(names: &[String]) -> Self {
        if names.is_empty() || names.iter().any(|name| name == "*") {
            Self::All
        } else {
            Self::Only(names.iter().cloned().collect())
        }
    }
}

/// What is understood of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Requests.
    Http,
    /// Bytes.
    Tcp,
}

/// How a backend is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// One after the other.
    RoundRobin,
    /// The one with the fewest requests in progress.
    LeastConnections,
    /// By the client's address.
    Source,
}

/// Whether a client returns to the backend that it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// Any backend will do.
    Free,
    /// A cookie names the backend.
    Sticky,
}

/// How one port of an app is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) port_index: usize,
    /// The number that the app asked for.
    pub(super) port: Option<u16>,
    /// That number, if connections to it are accepted.
    pub(super) listens_on: Option<u16>,
    /// In lower case; none when the app is not routed by name.
    pub(super) hosts: Vec<Box<str>>,
    pub(super) path: Option<Box<str>>,
    pub(super) weight: i32,
    pub(super) mode: Mode,
    pub(super) balance: Balance,
    pub(super) session: Session,
    pub(super) withheld: Option<&'static str>,
}

/// Something that an app asked for and does not get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The app.
    pub app: RunSpecId,
    /// What and why. Text of labels is in it escaped only.
    pub text: String,
}

/// Labels that restrict who may use a service. What we cannot enforce we do not serve.
const RESTRICTIONS: &[(&str, &str)] = &[
    ("AUTH", "HAPROXY_n_AUTH asks for a password, which this load balancer cannot check"),
    (
        "BACKEND_NETWORK_ALLOWED_ACL",
        "HAPROXY_n_BACKEND_NETWORK_ALLOWED_ACL restricts networks, which this load balancer cannot check",
    ),
];

/// What is obeyed, per port.
const OBEYED: &[&str] = &["GROUP", "ENABLED", "VHOST", "PATH", "PORT", "MODE", "BALANCE", "STICKY", "BACKEND_WEIGHT"];

/// The rules of an app, one for each port that is served, and what it does not get.
pub(super) fn rules(app: &App, groups: &Groups) -> (Vec<Rule>, Vec<Remark>) {
    let mut remarks = Remarks { app: &app.id, list: Vec::new() };
    remarks.about_unknown_labels(app);
    let ports = app.ports.iter().enumerate();
    let rules = ports.filter_map(|(index, port)| rule(app, index, *port, groups, &mut remarks)).collect();
    (rules, remarks.list)
}

fn rule(app: &App, index: usize, port: ServicePort, groups: &Groups, remarks: &mut Remarks<'_>) -> Option<Rule> {
    let labels = Labels { app, index };
    if labels.flag("ENABLED", true) {
        match port.transport {
            Transport::Tcp => {}
            Transport::Udp => return None,
        }
    } else {
        return None;
    }
    let membership = labels.membership(groups);
    if membership == Membership::Out {
        return None;
    }
    let wanted = labels.number::<u16>("PORT", remarks).filter(|number| *number > 0).or(port.number);
    let hosts = match membership {
        Membership::In => labels.hosts(remarks),
        Membership::Unlabelled | Membership::Out => Vec::new(),
    };
    let path = labels.path(remarks);
    let listens = match (membership, app.host_ports) {
        (Membership::In, _) | (Membership::Unlabelled, HostPorts::Assigned) => true,
        // The instances themselves need these ports, perhaps on this very machine.
        (Membership::Unlabelled, HostPorts::Required) | (Membership::Out, _) => false,
    };
    let restricted = RESTRICTIONS.iter().find(|(name, _)| labels.get(name).is_some());
    Some(Rule {
        port_index: index,
        port: wanted,
        listens_on: wanted.filter(|_| listens),
        mode: labels.mode(port, &hosts, remarks),
        weight: labels.number("BACKEND_WEIGHT", remarks).filter(|weight| *weight >= 0).unwrap_or(path.is_some().into()),
        hosts,
        path,
        balance: labels.balance(remarks),
        session: if labels.flag("STICKY", false) { Session::Sticky } else { Session::Free },
        withheld: restricted.map(|(_, why)| *why),
    })
}

/// Whether a load balancer serves a port.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Membership {
    /// By name and by port.
    In,
    /// By port only: it is in no group.
    Unlabelled,
    /// Another load balancer may.
    Out,
}

/// The labels of one port.
struct Labels<'a> {
    app: &'a App,
    index: usize,
}

impl<'a> Labels<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.app.labels.get(&format!("HAPROXY_{}_{name}", self.index)).map(|value| value.trim())
    }

    fn flag(&self, name: &str, default: bool) -> bool {
        match self.get(name) {
            None => default,
            Some(text) => ["true", "t", "yes", "y", "1"].iter().any(|yes| text.eq_ignore_ascii_case(yes)),
        }
    }

    fn number<N: FromStr>(&self, name: &str, remarks: &mut Remarks<'_>) -> Option<N> {
        let text = self.get(name)?;
        let number = text.parse().ok();
        if number.is_none() {
            remarks.about(self.index, name, "is no number that is possible here");
        }
        number
    }

    fn membership(&self, groups: &Groups) -> Membership {
        let label = self.get("GROUP").or_else(|| self.app.labels.get("HAPROXY_GROUP").map(|label| label.trim()));
        let mut named =
            label.into_iter().flat_map(|label| label.split(',')).map(str::trim).filter(|name| !name.is_empty());
        match groups {
            Groups::All if named.next().is_some() => Membership::In,
            Groups::All => Membership::Unlabelled,
            Groups::Only(ours) if named.any(|name| ours.contains(name)) => Membership::In,
            Groups::Only(_) => Membership::Out,
        }
    }

    fn hosts(&self, remarks: &mut Remarks<'_>) -> Vec<Box<str>> {
        let Some(label) = self.get("VHOST") else { return Vec::new() };
        let mut hosts: Vec<Box<str>> = Vec::new();
        for host in label.split(',').map(str::trim).filter(|host| !host.is_empty()) {
            if !is_host(host) {
                remarks.about(self.index, "VHOST", "holds something that is no host name");
            } else if hosts.len() == HOSTS_MAX {
                remarks.about(self.index, "VHOST", "names more hosts than are served");
                break;
            } else {
                let host = host.to_ascii_lowercase().into_boxed_str();
                if !hosts.contains(&host) {
                    hosts.push(host);
                }
            }
        }
        hosts
    }

    fn path(&self, remarks: &mut Remarks<'_>) -> Option<Box<str>> {
        let path = self.get("PATH")?;
        let is_path = path.starts_with('/')
            && path.len() <= PATH_BYTES_MAX
            && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte));
        if !is_path {
            remarks.about(self.index, "PATH", "is no path");
        }
        is_path.then(|| path.into())
    }

    fn mode(&self, port: ServicePort, hosts: &[Box<str>], remarks: &mut Remarks<'_>) -> Mode {
        // A name can only be seen in a request.
        if !hosts.is_empty() {
            return Mode::Http;
        }
        let default = if port.speaks_http { Mode::Http } else { Mode::Tcp };
        match self.get("MODE") {
            None => default,
            Some(text) if text.eq_ignore_ascii_case("http") => Mode::Http,
            Some(text) if text.eq_ignore_ascii_case("tcp") => Mode::Tcp,
            Some(_) => {
                remarks.about(self.index, "MODE", "is neither http nor tcp");
                default
            }
        }
    }

    fn balance(&self, remarks: &mut Remarks<'_>) -> Balance {
        match self.get("BALANCE").map(str::to_ascii_lowercase).as_deref() {
            None | Some("roundrobin") => Balance::RoundRobin,
            Some("leastconn") => Balance::LeastConnections,
            Some("source") => Balance::Source,
            Some(_) => {
                remarks.about(self.index, "BALANCE", "is none of roundrobin, leastconn and source; roundrobin is used");
                Balance::RoundRobin
            }
        }
    }
}

/// Letters, digits, dots and dashes: what a Host header is compared with.
fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.bytes().all(allowed)
    };
    text.len() <= HOST_BYTES_MAX && text.split('.').all(is_label)
}

struct Remarks<'a> {
    app: &'a RunSpecId,
    list: Vec<Remark>,
}

impl Remarks<'_> {
    fn add(&mut self, text: String) {
        if self.list.len() < REMARKS_MAX {
            self.list.push(Remark { app: self.app.clone(), text });
        }
    }

    fn about(&mut self, index: usize, name: &str, what: &str) {
        self.add(format!("HAPROXY_{index}_{name} {what}"));
    }

    /// Labels that marathon-lb may know and this does not.
    fn about_unknown_labels(&mut self, app: &App) {
        for label in app.labels.keys() {
            let Some(name) = label.strip_prefix("HAPROXY_").filter(|name| *name != "GROUP") else { continue };
            let of_port = name.split_once('_').and_then(|(index, name)| Some((index.parse::<usize>().ok()?, name)));
            match of_port {
                Some((index, _)) if index >= app.ports.len() => {
                    self.add(format!("{} is about a port that the app does not have", label.escape_default()));
                }
                Some((_, name)) if OBEYED.contains(&name) => {}
                Some((_, name)) => match RESTRICTIONS.iter().find(|(restriction, _)| *restriction == name) {
                    Some((_, why)) => self.add(format!("{why}: the port is not served")),
                    None => self.add(format!("{} is not obeyed", label.escape_default())),
                },
                None => self.add(format!("{} is not obeyed", label.escape_default())),
            }
        }
    }
}
