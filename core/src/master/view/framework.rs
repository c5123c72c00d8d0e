//! One framework as `/state` and `/frameworks` show it.

use std::collections::BTreeMap;
use std::sync::Arc;

use attica_allocator::{Resources, Role};
use attica_core_api::Timestamp;
use attica_core_api::v1::{AgentId, FrameworkCapabilityType, FrameworkId, FrameworkInfo, Label, OfferId};
use serde::Serialize;

use super::resources::{Summary, subtract};
use super::task::{Section, encoded, members};
use super::{Document, TaskKey};

/// A framework, its offers and the rendered tasks of its three lists.
pub(super) struct FrameworkView {
    info: FrameworkInfo,
    registered_at: Timestamp,
    reregistered_at: Timestamp,
    unregistered_at: Option<Timestamp>,
    contact: Contact,
    used: Resources,
    offers: BTreeMap<OfferId, OfferView>,
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
        OfferView { rendered: rendered.into(), resources }
    }
}

/// The members before the lists.
#[derive(Serialize)]
struct Head<'a> {
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

impl FrameworkView {
    pub(super) fn new(info: &FrameworkInfo, registered_at: Timestamp, reregistered_at: Timestamp) -> FrameworkView {
        FrameworkView {
            info: info.clone(),
            registered_at,
            reregistered_at,
            unregistered_at: None,
            contact: Contact::Disconnected,
            used: Resources::new(),
            offers: BTreeMap::new(),
            tasks: BTreeMap::new(),
            unreachable_tasks: BTreeMap::new(),
            completed_tasks: BTreeMap::new(),
        }
    }

    pub(super) fn subscribed_again(&mut self, info: &FrameworkInfo, at: Timestamp) {
        self.info = info.clone();
        self.reregistered_at = at;
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

    pub(super) fn use_resources(&mut self, resources: &Resources) {
        self.used.add(resources);
    }

    pub(super) fn release(&mut self, resources: &Resources) {
        subtract(&mut self.used, resources);
    }

    pub(super) fn offer(&mut self, id: &OfferId, offer: OfferView) {
        self.offers.insert(id.clone(), offer);
    }

    pub(super) fn withdraw(&mut self, id: &OfferId) {
        self.offers.remove(id);
    }

    /// Puts a task into a list, or replaces what is shown of it there.
    pub(super) fn show(&mut self, section: Section, key: TaskKey, fragment: Arc<str>) {
        self.section(section).insert(key, fragment);
    }

    /// Takes a task out of a list.
    pub(super) fn hide(&mut self, section: Section, key: TaskKey) {
        self.section(section).remove(&key);
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
        // Executors and offer constraints are not built; readers expect the members.
        document.members("\"executors\":[],\"offer_constraints\":{}".to_owned());
        document.close();
    }

    fn head(&self) -> String {
        let info = &self.info;
        let mut offered = Resources::new();
        self.offers.values().for_each(|offer| offered.add(&offer.resources));
        let is_multi_role = info.has_capability(FrameworkCapabilityType::MultiRole);
        let is_here = self.is_connected();
        members(&Head {
            id: info.id.as_ref().map_or("", FrameworkId::as_str),
            name: &info.name,
            used_resources: Summary(&self.used),
            offered_resources: Summary(&offered),
            capabilities: info.capabilities.iter().filter_map(|known| known.r#type).map(|known| known.name()).collect(),
            hostname: info.hostname.as_deref().unwrap_or_default(),
            webui_url: info.webui_url.as_deref().unwrap_or_default(),
            active: is_here,
            connected: is_here,
            recovered: self.contact == Contact::Recovered,
            user: &info.user,
            failover_timeout: info.failover_timeout,
            checkpoint: info.checkpoint,
            registered_time: self.registered_at.seconds(),
            unregistered_time: self.unregistered_at.map_or(0.0, Timestamp::seconds),
            principal: info.principal.as_deref(),
            reregistered_time: (self.reregistered_at != self.registered_at).then(|| self.reregistered_at.seconds()),
            resources: Summary(&self.used.plus(&offered)),
            role: (!is_multi_role).then(|| info.role.as_deref().unwrap_or("*")),
            roles: is_multi_role.then_some(info.roles.as_slice()),
            labels: info.labels.as_ref().map(|labels| labels.labels.iter().collect()),
        })
    }
}
