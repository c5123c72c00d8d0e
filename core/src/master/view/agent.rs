//! One agent as `/state` and `/slaves` show it.

use std::collections::BTreeMap;
use std::sync::Arc;

use attica_allocator::{Resources, Role};
use attica_core_api::resources::{ReservationFormat, to_wire};
use attica_core_api::v1::{
    AgentCapability, AgentCapabilityType, AgentId, AgentInfo, Attribute, DrainConfig, DrainInfo, DrainState,
    ExecutorId, ExecutorInfo, FrameworkId, OfferId, Resource,
};
use attica_core_api::{Timestamp, encode_proto, operator};
use bytes::Bytes;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::parts;
use super::resources::{Full, Summary, messages, of_wire, subtract};
use super::task::encoded;
use crate::snapshot::Service;

/// An agent, and what of it is in use and on offer.
pub(super) struct AgentView {
    info: AgentInfo,
    version: String,
    registered_at: Timestamp,
    reregistered_at: Timestamp,
    pub(super) contact: Contact,
    service: Service,
    pub(super) total: Resources,
    /// By the role that the resources are allocated to.
    pub(super) used_by_role: BTreeMap<Role, Resources>,
    pub(super) used: Resources,
    pub(super) offers: BTreeMap<OfferId, (Role, Resources)>,
    /// What was made of its resources while it ran.
    shaped: Resources,
    /// What its executors use themselves, and in which role.
    pub(super) executors: BTreeMap<(FrameworkId, ExecutorId), ExecutorView>,
    /// As rendered last; none after a change.
    rendered: BTreeMap<Detail, Arc<str>>,
    /// The same for operators: an `Agent` in protobuf.
    wire: Option<Bytes>,
    /// Whether subscribed operators know that it is here.
    pub(super) announced: bool,
}

/// An executor, and what it uses itself.
pub(super) struct ExecutorView {
    pub(super) role: Role,
    pub(super) resources: Resources,
    pub(super) info: ExecutorInfo,
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
            service: Service::Active,
            used_by_role: BTreeMap::new(),
            used: Resources::new(),
            offers: BTreeMap::new(),
            shaped: Resources::new(),
            executors: BTreeMap::new(),
            rendered: BTreeMap::new(),
            wire: None,
            announced: false,
        }
    }

    pub(super) fn registered_again(&mut self, info: &AgentInfo, version: &str, at: Timestamp) {
        self.info = info.clone();
        self.count_total();
        version.clone_into(&mut self.version);
        self.reregistered_at = at;
        self.set_contact(Contact::Disconnected);
    }

    /// Reservations and volumes have been made or undone.
    pub(super) fn reshape(&mut self, resources: &[Resource]) {
        self.shaped = of_wire(resources);
        self.count_total();
        self.rendered.clear();
    }

    fn count_total(&mut self) {
        let declared = of_wire(&self.info.resources);
        self.total = declared.reshaped(&self.shaped).unwrap_or(declared);
    }

    pub(super) fn set_contact(&mut self, contact: Contact) {
        self.contact = contact;
        self.changed();
    }

    pub(super) fn set_service(&mut self, service: &Service) {
        self.service = service.clone();
        self.changed();
    }

    /// Whether it is here and takes part.
    pub(super) fn is_active(&self) -> bool {
        self.contact == Contact::Connected && self.service == Service::Active
    }

    /// Whether it will never be back.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.service, Service::Gone { .. })
    }

    /// Whether this leader has heard of it, and it counts as reachable.
    pub(super) fn is_registered(&self) -> bool {
        matches!(self.contact, Contact::Connected | Contact::Disconnected)
    }

    /// How far its drain has come, and when it began.
    fn drain(&self) -> Option<(DrainInfo, Timestamp)> {
        let info = |state, config: &DrainConfig| DrainInfo { state, config: config.clone() };
        match &self.service {
            Service::Draining { config, since } => Some((info(DrainState::Draining, config), *since)),
            Service::Drained { config, since } => Some((info(DrainState::Drained, config), *since)),
            Service::Active | Service::Deactivated | Service::Gone { .. } => None,
        }
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
        self.changed();
    }

    pub(super) fn release(&mut self, role: &Role, resources: &Resources) {
        subtract(&mut self.used, resources);
        if let Some(used) = self.used_by_role.get_mut(role) {
            subtract(used, resources);
        }
        self.used_by_role.retain(|_, used| !used.is_empty());
        self.changed();
    }

    pub(super) fn offer(&mut self, id: &OfferId, role: &Role, resources: &Resources) {
        self.offers.insert(id.clone(), (role.clone(), resources.clone()));
        self.changed();
    }

    pub(super) fn withdraw(&mut self, id: &OfferId) {
        self.offers.remove(id);
        self.changed();
    }

    fn changed(&mut self) {
        self.rendered.clear();
        self.wire = None;
    }

    /// As it registered.
    pub(super) fn info(&self) -> &AgentInfo {
        &self.info
    }

    /// The agent as operators are shown it.
    pub(super) fn wire(&mut self) -> parts::Fragment {
        let wire = match &self.wire {
            Some(wire) => wire.clone(),
            None => encode_proto(&self.message()).into(),
        };
        self.wire = Some(wire.clone());
        parts::Fragment::kept::<operator::Agent>(wire)
    }

    /// The agent as a message.
    pub(super) fn message(&self) -> operator::Agent {
        let drain = self.drain();
        let reregistered = (self.reregistered_at != self.registered_at).then(|| self.reregistered_at.time_info());
        operator::Agent {
            agent_info: self.info.clone(),
            active: self.is_active(),
            deactivated: Some(self.service != Service::Active),
            version: self.version.clone(),
            pid: Some(self.pid()),
            registered_time: Some(self.registered_at.time_info()),
            reregistered_time: reregistered,
            total_resources: to_wire(&self.total, None, ReservationFormat::Legacy),
            allocated_resources: messages(self.used_by_role.iter()),
            offered_resources: messages(self.offers.values().map(|(role, offered)| (role, offered))),
            capabilities: CAPABILITIES.map(|kind| AgentCapability { r#type: Some(kind) }).to_vec(),
            drain_info: drain.as_ref().map(|(info, _)| info.clone()),
            estimated_drain_start_time: drain.map(|(_, since)| since.time_info()),
        }
    }

    fn pid(&self) -> String {
        format!("slave(1)@{}:{}", self.info.hostname, self.info.port)
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
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", info.id.as_ref().map_or("", AgentId::as_str))?;
        map.serialize_entry("hostname", &info.hostname)?;
        map.serialize_entry("port", &info.port)?;
        map.serialize_entry("attributes", &Attributes(&info.attributes))?;
        if let Some(domain) = &info.domain {
            map.serialize_entry("domain", domain)?;
        }
        map.serialize_entry("pid", &agent.pid())?;
        map.serialize_entry("registered_time", &agent.registered_at.seconds())?;
        if agent.reregistered_at != agent.registered_at {
            map.serialize_entry("reregistered_time", &agent.reregistered_at.seconds())?;
        }
        map.serialize_entry("resources", &Summary(&agent.total))?;
        map.serialize_entry("used_resources", &Summary(&agent.used))?;
        map.serialize_entry("offered_resources", &Summary(&offered))?;
        map.serialize_entry("reserved_resources", &reserved.map(Summary))?;
        map.serialize_entry("unreserved_resources", &Summary(&unreserved))?;
        map.serialize_entry("active", &agent.is_active())?;
        map.serialize_entry("deactivated", &(agent.service != Service::Active))?;
        map.serialize_entry("version", &agent.version)?;
        map.serialize_entry("capabilities", &CAPABILITIES.map(AgentCapabilityType::name))?;
        if let Some(abilities) = &info.abilities {
            map.serialize_entry("abilities", abilities)?;
        }
        if let Some((info, since)) = agent.drain() {
            map.serialize_entry("drain_info", &info)?;
            map.serialize_entry("estimated_drain_start_time_seconds", &(since.0 / 1_000))?;
        }
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
const CAPABILITIES: [AgentCapabilityType; 7] = [
    AgentCapabilityType::MultiRole,
    AgentCapabilityType::HierarchicalRole,
    AgentCapabilityType::ReservationRefinement,
    AgentCapabilityType::ResizeVolume,
    AgentCapabilityType::AgentOperationFeedback,
    AgentCapabilityType::AgentDraining,
    AgentCapabilityType::TaskResourceLimits,
];

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
