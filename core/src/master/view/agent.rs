//! One agent as `/state` and `/slaves` show it.

use std::collections::BTreeMap;
use std::sync::Arc;

use attica_allocator::{Resources, Role};
use attica_core_api::Timestamp;
use attica_core_api::v1::{AgentId, AgentInfo, Attribute, OfferId};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::resources::{Full, Summary, of_wire, subtract};
use super::task::encoded;

/// An agent, and what of it is in use and on offer.
pub(super) struct AgentView {
    info: AgentInfo,
    version: String,
    registered_at: Timestamp,
    reregistered_at: Timestamp,
    pub(super) contact: Contact,
    pub(super) total: Resources,
    /// By the role that the resources are allocated to.
    used_by_role: BTreeMap<Role, Resources>,
    pub(super) used: Resources,
    offers: BTreeMap<OfferId, (Role, Resources)>,
    /// As rendered last; none after a change.
    rendered: BTreeMap<Detail, Arc<str>>,
}

/// Whether an agent is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contact {
    Connected,
    Disconnected,
    Unreachable,
    /// Known from the last leader, not heard of by this one.
    Recovered,
}

/// How much of an agent is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::master) enum Detail {
    /// As in `/state`.
    Summary,
    /// As in `/slaves`: with full resource messages.
    Full,
}

impl AgentView {
    pub(super) fn new(
        info: &AgentInfo,
        version: &str,
        registered_at: Timestamp,
        reregistered_at: Timestamp,
        contact: Contact,
    ) -> AgentView {
        AgentView {
            total: of_wire(&info.resources),
            info: info.clone(),
            version: version.to_owned(),
            registered_at,
            reregistered_at,
            contact,
            used_by_role: BTreeMap::new(),
            used: Resources::new(),
            offers: BTreeMap::new(),
            rendered: BTreeMap::new(),
        }
    }

    pub(super) fn registered_again(&mut self, info: &AgentInfo, version: &str, at: Timestamp) {
        self.total = of_wire(&info.resources);
        self.info = info.clone();
        version.clone_into(&mut self.version);
        self.reregistered_at = at;
        self.set_contact(Contact::Disconnected);
    }

    pub(super) fn set_contact(&mut self, contact: Contact) {
        self.contact = contact;
        self.rendered.clear();
    }

    /// An agent that is unreachable stays so.
    pub(super) fn disconnected(&mut self) {
        match self.contact {
            Contact::Connected => self.set_contact(Contact::Disconnected),
            Contact::Disconnected | Contact::Unreachable | Contact::Recovered => {}
        }
    }

    pub(super) fn use_resources(&mut self, role: &Role, resources: &Resources) {
        self.used.add(resources);
        self.used_by_role.entry(role.clone()).or_default().add(resources);
        self.rendered.clear();
    }

    pub(super) fn release(&mut self, role: &Role, resources: &Resources) {
        subtract(&mut self.used, resources);
        if let Some(used) = self.used_by_role.get_mut(role) {
            subtract(used, resources);
        }
        self.used_by_role.retain(|_, used| !used.is_empty());
        self.rendered.clear();
    }

    pub(super) fn offer(&mut self, id: &OfferId, role: &Role, resources: &Resources) {
        self.offers.insert(id.clone(), (role.clone(), resources.clone()));
        self.rendered.clear();
    }

    pub(super) fn withdraw(&mut self, id: &OfferId) {
        self.offers.remove(id);
        self.rendered.clear();
    }

    /// The agent as an element of a list.
    pub(super) fn render(&mut self, detail: Detail) -> Arc<str> {
        if let Some(rendered) = self.rendered.get(&detail) {
            return rendered.clone();
        }
        let rendered: Arc<str> = encoded(&Rendered { agent: self, detail }).into();
        self.rendered.insert(detail, rendered.clone());
        rendered
    }
}

struct Rendered<'a> {
    agent: &'a AgentView,
    detail: Detail,
}

impl Serialize for Rendered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let agent = self.agent;
        let info = &agent.info;
        let mut offered = Resources::new();
        agent.offers.values().for_each(|(_, resources)| offered.add(resources));
        let unreserved = agent.total.unreserved();
        let reserved = Reserved::of(&agent.total);
        let is_here = agent.contact == Contact::Connected;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", info.id.as_ref().map_or("", AgentId::as_str))?;
        map.serialize_entry("hostname", &info.hostname)?;
        map.serialize_entry("port", &info.port)?;
        map.serialize_entry("attributes", &Attributes(&info.attributes))?;
        map.serialize_entry("pid", &format!("slave(1)@{}:{}", info.hostname, info.port))?;
        map.serialize_entry("registered_time", &agent.registered_at.seconds())?;
        if agent.reregistered_at != agent.registered_at {
            map.serialize_entry("reregistered_time", &agent.reregistered_at.seconds())?;
        }
        map.serialize_entry("resources", &Summary(&agent.total))?;
        map.serialize_entry("used_resources", &Summary(&agent.used))?;
        map.serialize_entry("offered_resources", &Summary(&offered))?;
        map.serialize_entry("reserved_resources", &reserved.map(Summary))?;
        map.serialize_entry("unreserved_resources", &Summary(&unreserved))?;
        map.serialize_entry("active", &is_here)?;
        map.serialize_entry("deactivated", &false)?;
        map.serialize_entry("version", &agent.version)?;
        map.serialize_entry("capabilities", &CAPABILITIES)?;
        match self.detail {
            Detail::Summary => {}
            Detail::Full => {
                let used = agent.used_by_role.iter().map(|(role, used)| (Some(role), used)).collect();
                let offered = agent.offers.values().map(|(role, offered)| (Some(role), offered)).collect();
                map.serialize_entry("reserved_resources_full", &reserved.map(|part| Full(vec![(None, part)])))?;
                map.serialize_entry("unreserved_resources_full", &Full(vec![(None, &unreserved)]))?;
                map.serialize_entry("used_resources_full", &Full(used))?;
                map.serialize_entry("offered_resources_full", &Full(offered))?;
            }
        }
        map.end()
    }
}

/// What agents of ours can do, in Mesos's terms.
const CAPABILITIES: [&str; 2] = ["MULTI_ROLE", "HIERARCHICAL_ROLE"];

/// The reserved part of a total, by role.
struct Reserved(BTreeMap<Role, Resources>);

impl Reserved {
    fn of(total: &Resources) -> Reserved {
        let mut roles = BTreeMap::new();
        for resource in total {
            if let Some(role) = resource.reserved_role() {
                roles.entry(role.clone()).or_insert_with(|| total.reserved_for(role));
            }
        }
        Reserved(roles)
    }

    fn map<'a, T>(&'a self, written: impl Fn(&'a Resources) -> T) -> BTreeMap<&'a str, T> {
        self.0.iter().map(|(role, part)| (role.as_str(), written(part))).collect()
    }
}

/// Attributes as `{name: value}`: numbers for scalars, text for all else.
struct Attributes<'a>(&'a [Attribute]);

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for attribute in self.0 {
            if let Some(scalar) = &attribute.scalar {
                map.serialize_entry(&attribute.name, &scalar.value)?;
            } else if let Some(ranges) = &attribute.ranges {
                let pairs: Vec<String> =
                    ranges.range.iter().map(|range| format!("{}-{}", range.begin, range.end)).collect();
                map.serialize_entry(&attribute.name, &format!("[{}]", pairs.join(", ")))?;
            } else if let Some(set) = &attribute.set {
                map.serialize_entry(&attribute.name, &format!("{{{}}}", set.item.join(", ")))?;
            } else if let Some(text) = &attribute.text {
                map.serialize_entry(&attribute.name, &text.value)?;
            }
        }
        map.end()
    }
}
