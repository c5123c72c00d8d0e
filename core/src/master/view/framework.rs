//! One framework as `/state` and `/frameworks` show it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use attica_allocator::{Resources, Role};
use attica_core_api::resources::{ReservationFormat, to_wire};
use attica_core_api::scheduler::OfferConstraints;
use attica_core_api::v1::{
    AgentId, AllocationInfo, ExecutorId, ExecutorInfo, FrameworkCapabilityType, FrameworkId, FrameworkInfo,
    InverseOffer, Label, Offer, OfferId, TimeInfo,
};
use attica_core_api::{Timestamp, operator};
use serde::Serialize;

use super::agent::AgentView;
use super::resources::{Summary, messages, subtract};
use super::task::{Section, encoded, members};
use super::{Document, TaskCounts, TaskKey};
use crate::kernel::agent_url;

/// A framework, its offers and the rendered tasks of its three lists.
pub(super) struct FrameworkView {
    info: FrameworkInfo,
    constraints: OfferConstraints,
    registered_at: Timestamp,
    reregistered_at: Timestamp,
    unregistered_at: Option<Timestamp>,
    contact: Contact,
    used: Resources,
    /// By the role that the resources are allocated to.
    used_by_role: BTreeMap<Role, Resources>,
    offers: BTreeMap<OfferId, OfferView>,
    /// What it is asked to leave.
    pub(super) inverse_offers: BTreeMap<OfferId, InverseOffer>,
    /// Rendered.
    executors: BTreeMap<(AgentId, ExecutorId), Arc<str>>,
    /// The roles for which it wants no offers now.
    pub(super) suppressed: BTreeSet<String>,
    pub(super) counts: TaskCounts,
    tasks: BTreeMap<TaskKey, Arc<str>>,
    unreachable_tasks: BTreeMap<TaskKey, Arc<str>>,
    completed_tasks: BTreeMap<TaskKey, Arc<str>>,
}

/// Whether a framework is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contact {
    Connected,
    Disconnected,
    /// Known from the last leader, not heard of by this one.
    Recovered,
}

/// An offer of a framework.
pub(super) struct OfferView {
    rendered: Arc<str>,
    agent: AgentId,
    role: Role,
    resources: Resources,
}

#[derive(Serialize)]
struct RenderedOffer<'a> {
    id: &'a str,
    framework_id: &'a str,
    allocation_info: Allocation<'a>,
    slave_id: &'a str,
    resources: Summary<'a>,
}

#[derive(Serialize)]
struct Allocation<'a> {
    role: &'a str,
}

impl OfferView {
    pub(super) fn new(
        id: &OfferId,
        framework: &FrameworkId,
        agent: &AgentId,
        role: &Role,
        resources: Resources,
    ) -> OfferView {
        let rendered = encoded(&RenderedOffer {
            id: id.as_str(),
            framework_id: framework.as_str(),
            allocation_info: Allocation { role: role.as_str() },
            slave_id: agent.as_str(),
            resources: Summary(&resources),
        });
        OfferView { rendered: rendered.into(), agent: agent.clone(), role: role.clone(), resources }
    }
}

impl OfferView {
    fn message(&self, id: &OfferId, framework: &FrameworkView, agent: &AgentView) -> Offer {
        let format = match framework.info.has_capability(FrameworkCapabilityType::ReservationRefinement) {
            true => ReservationFormat::Refined,
            false => ReservationFormat::Legacy,
        };
        let info = agent.info();
        Offer {
            id: id.clone(),
            framework_id: framework.info.id.clone().unwrap_or_default(),
            agent_id: self.agent.clone(),
            hostname: info.hostname.clone(),
            url: Some(agent_url(info)),
            domain: info.domain.clone(),
            resources: to_wire(&self.resources, Some(&self.role), format),
            attributes: info.attributes.clone(),
            allocation_info: Some(AllocationInfo { role: Some(self.role.as_str().to_owned()) }),
            ..Offer::default()
        }
    }
}

/// A part of what a framework holds.
pub(super) enum Share<'v> {
    /// Its tasks use it.
    Used(&'v Resources),
    /// It may use it.
    Offered(&'v Resources),
}

/// The members that `/state-summary` shows as well.
#[derive(Serialize)]
struct Shell<'a> {
    id: &'a str,
    name: &'a str,
    used_resources: Summary<'a>,
    offered_resources: Summary<'a>,
    capabilities: Vec<&'static str>,
    hostname: &'a str,
    webui_url: &'a str,
    active: bool,
    connected: bool,
    recovered: bool,
}

/// The other members before the lists.
#[derive(Serialize)]
struct Head<'a> {
    user: &'a str,
    failover_timeout: f64,
    checkpoint: bool,
    registered_time: f64,
    unregistered_time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reregistered_time: Option<f64>,
    resources: Summary<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<&'a Label>>,
}

/// The member after the lists.
#[derive(Serialize)]
struct Tail<'a> {
    offer_constraints: &'a OfferConstraints,
}

impl FrameworkView {
    pub(super) fn user(&self) -> &str {
        &self.info.user
    }

    pub(super) fn principal(&self) -> Option<&str> {
        self.info.principal.as_deref()
    }

    pub(super) fn new(info: &FrameworkInfo, registered_at: Timestamp, reregistered_at: Timestamp) -> FrameworkView {
        FrameworkView {
            info: info.clone(),
            constraints: OfferConstraints::default(),
            registered_at,
            reregistered_at,
            unregistered_at: None,
            contact: Contact::Disconnected,
            used: Resources::new(),
            used_by_role: BTreeMap::new(),
            offers: BTreeMap::new(),
            inverse_offers: BTreeMap::new(),
            executors: BTreeMap::new(),
            suppressed: BTreeSet::new(),
            counts: TaskCounts::default(),
            tasks: BTreeMap::new(),
            unreachable_tasks: BTreeMap::new(),
            completed_tasks: BTreeMap::new(),
        }
    }

    pub(super) fn subscribed_again(&mut self, info: &FrameworkInfo, at: Timestamp) {
        self.info = info.clone();
        self.reregistered_at = at;
    }

    pub(super) fn described(&mut self, info: &FrameworkInfo) {
        self.info = info.clone();
    }

    pub(super) fn constrain(&mut self, constraints: &OfferConstraints) {
        self.constraints = constraints.clone();
    }

    pub(super) fn connected(&mut self) {
        self.contact = Contact::Connected;
    }

    pub(super) fn disconnected(&mut self) {
        self.contact = Contact::Disconnected;
    }

    pub(super) fn recovered(&mut self) {
        self.contact = Contact::Recovered;
    }

    pub(super) fn removed(&mut self, at: Timestamp) {
        self.contact = Contact::Disconnected;
        self.unregistered_at = Some(at);
    }

    pub(super) fn is_removed(&self) -> bool {
        self.unregistered_at.is_some()
    }

    pub(super) fn is_connected(&self) -> bool {
        self.contact == Contact::Connected
    }

    pub(super) fn use_resources(&mut self, role: &Role, resources: &Resources) {
        self.used.add(resources);
        self.used_by_role.entry(role.clone()).or_default().add(resources);
    }

    pub(super) fn release(&mut self, role: &Role, resources: &Resources) {
        subtract(&mut self.used, resources);
        if let Some(used) = self.used_by_role.get_mut(role) {
            subtract(used, resources);
        }
        self.used_by_role.retain(|_, used| !used.is_empty());
    }

    pub(super) fn offer(&mut self, id: &OfferId, offer: OfferView) {
        self.offers.insert(id.clone(), offer);
    }

    pub(super) fn withdraw(&mut self, id: &OfferId) {
        self.offers.remove(id);
    }

    pub(super) fn run_executor(&mut self, agent: &AgentId, info: &ExecutorInfo, rendered: Arc<str>) {
        self.executors.insert((agent.clone(), info.executor_id.clone()), rendered);
    }

    pub(super) fn end_executor(&mut self, agent: &AgentId, executor: &ExecutorId) {
        self.executors.remove(&(agent.clone(), executor.clone()));
    }

    /// Puts a task into a list, or replaces what is shown of it there.
    pub(super) fn show(&mut self, section: Section, key: TaskKey, fragment: Arc<str>) {
        self.section(section).insert(key, fragment);
    }

    /// Takes a task out of a list.
    pub(super) fn hide(&mut self, section: Section, key: TaskKey) {
        self.section(section).remove(&key);
    }

    /// As it subscribed last.
    pub(super) fn info(&self) -> &FrameworkInfo {
        &self.info
    }

    /// What its roles use, and what is on offer to them.
    pub(super) fn shares(&self) -> impl Iterator<Item = (&Role, Share<'_>)> {
        let used = self.used_by_role.iter().map(|(role, used)| (role, Share::Used(used)));
        used.chain(self.offers.values().map(|offer| (&offer.role, Share::Offered(&offer.resources))))
    }

    /// The framework as a message. `agents` are those that its offers may be about.
    pub(super) fn message(&self, agents: &BTreeMap<AgentId, AgentView>) -> operator::Framework {
        let offers =
            self.offers.iter().filter_map(|(id, offer)| Some(offer.message(id, self, agents.get(&offer.agent)?)));
        operator::Framework {
            framework_info: self.info.clone(),
            active: self.is_connected(),
            connected: self.is_connected(),
            recovered: self.contact == Contact::Recovered,
            registered_time: Some(self.registered_at.time_info()),
            reregistered_time: Some(self.reregistered_at.time_info()),
            unregistered_time: self.unregistered_at.map(Timestamp::time_info),
            offers: offers.collect(),
            inverse_offers: self.inverse_offers.values().cloned().collect(),
            allocated_resources: messages(self.used_by_role.iter()),
            offered_resources: messages(self.offers.values().map(|offer| (&offer.role, &offer.resources))),
            offer_constraints: Some(self.constraints.clone()),
        }
    }

    /// The framework as it is told of when it changes: without what it has, and with the time when it ended, if only as 0.
    pub(super) fn news(&self) -> operator::Framework {
        operator::Framework {
            framework_info: self.info.clone(),
            active: self.is_connected(),
            connected: self.is_connected(),
            registered_time: Some(self.registered_at.time_info()),
            reregistered_time: Some(self.reregistered_at.time_info()),
            unregistered_time: Some(self.unregistered_at.map_or_else(TimeInfo::default, Timestamp::time_info)),
            ..operator::Framework::default()
        }
    }

    /// All its tasks.
    pub(super) fn task_keys(&self) -> Vec<TaskKey> {
        [&self.tasks, &self.unreachable_tasks, &self.completed_tasks]
            .iter()
            .flat_map(|list| list.keys().copied())
            .collect()
    }

    fn section(&mut self, section: Section) -> &mut BTreeMap<TaskKey, Arc<str>> {
        match section {
            Section::Tasks => &mut self.tasks,
            Section::Unreachable => &mut self.unreachable_tasks,
            Section::Completed => &mut self.completed_tasks,
        }
    }

    /// Adds the framework to the open list.
    pub(super) fn render(&self, document: &mut Document) {
        document.open_element();
        document.members(self.shell());
        document.members(self.head());
        for (name, tasks) in [
            ("tasks", &self.tasks),
            ("unreachable_tasks", &self.unreachable_tasks),
            ("completed_tasks", &self.completed_tasks),
        ] {
            document.open_list(name);
            tasks.values().for_each(|task| document.element(task.clone()));
            document.close();
        }
        document.open_list("offers");
        self.offers.values().for_each(|offer| document.element(offer.rendered.clone()));
        document.close();
        document.open_list("executors");
        self.executors.values().for_each(|executor| document.element(executor.clone()));
        document.close();
        document.members(members(&Tail { offer_constraints: &self.constraints }));
        document.close();
    }

    /// The roles in which it may be offered resources.
    pub(super) fn role_names(&self) -> Vec<&str> {
        match self.info.has_capability(FrameworkCapabilityType::MultiRole) {
            true => self.info.roles.iter().map(String::as_str).collect(),
            false => vec![self.info.role.as_deref().unwrap_or("*")],
        }
    }

    fn offered(&self) -> Resources {
        let mut offered = Resources::new();
        self.offers.values().for_each(|offer| offered.add(&offer.resources));
        offered
    }

    /// What it is and how it stands, without what it has.
    pub(super) fn shell(&self) -> String {
        let info = &self.info;
        members(&Shell {
            id: info.id.as_ref().map_or("", FrameworkId::as_str),
            name: &info.name,
            used_resources: Summary(&self.used),
            offered_resources: Summary(&self.offered()),
            capabilities: info.capabilities.iter().filter_map(|known| known.r#type).map(|known| known.name()).collect(),
            hostname: info.hostname.as_deref().unwrap_or_default(),
            webui_url: info.webui_url.as_deref().unwrap_or_default(),
            active: self.is_connected(),
            connected: self.is_connected(),
            recovered: self.contact == Contact::Recovered,
        })
    }

    fn head(&self) -> String {
        let info = &self.info;
        let is_multi_role = info.has_capability(FrameworkCapabilityType::MultiRole);
        members(&Head {
            user: &info.user,
            failover_timeout: info.failover_timeout,
            checkpoint: info.checkpoint,
            registered_time: self.registered_at.seconds(),
            unregistered_time: self.unregistered_at.map_or(0.0, Timestamp::seconds),
            principal: info.principal.as_deref(),
            reregistered_time: (self.reregistered_at != self.registered_at).then(|| self.reregistered_at.seconds()),
            resources: Summary(&self.used.plus(&self.offered())),
            role: (!is_multi_role).then(|| info.role.as_deref().unwrap_or("*")),
            roles: is_multi_role.then_some(info.roles.as_slice()),
            labels: info.labels.as_ref().map(|labels| labels.labels.iter().collect()),
        })
    }
}
