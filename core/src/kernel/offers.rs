//! Offers: made by the allocator, named and sent here.
//!
//! An offer's id is `<master id>-O<key>`, so no table is needed to find what a scheduler means, and an offer of an earlier leader
//! means nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use attica_allocator::{self as allocator, Capabilities, Capability, OfferKey, Resources, Role};
use attica_core_api::resources::{self, ReservationFormat};
use attica_core_api::scheduler::Event;
use attica_core_api::v1::{
    Address, AgentId, AgentInfo, AllocationInfo, DomainInfo, FrameworkCapabilityType, FrameworkId, FrameworkInfo,
    Offer, OfferId, Url,
};

use super::{Effects, Kernel, Now, Send, View};

/// What the tasks of an agent use that are not over, by whom and for which role.
pub(super) type Used = BTreeMap<(FrameworkId, Role), Resources>;

impl Kernel {
    /// Turns what is free into offers, one OFFERS per framework.
    pub(super) fn make_offers(&mut self, now: Now, out: &mut Effects) {
        let mut made = Vec::new();
        self.allocator.allocate(now.tick, &mut made);
        let mut by_framework: BTreeMap<FrameworkId, Vec<Offer>> = BTreeMap::new();
        for offer in made {
            let (framework, agent) = self.parties(&offer);
            let wire = self.describe(&offer, &framework, &agent);
            out.view.push(View::OfferMade {
                offer: wire.id.clone(),
                framework: framework.clone(),
                agent,
                role: offer.role,
                resources: offer.resources,
            });
            by_framework.entry(framework).or_default().push(wire);
        }
        for (framework, offers) in by_framework {
            let stream = self.frameworks.get(&framework).and_then(|framework| framework.stream());
            let Some(stream) = stream.cloned() else { unreachable!("{framework} gets offers because it is connected") };
            out.sends.push(Send::scheduler(stream, Event::offers(offers)));
        }
    }

    /// Tells the frameworks that these offers are no longer valid.
    pub(super) fn rescind(&mut self, offers: Vec<allocator::Offer>, out: &mut Effects) {
        for offer in offers {
            let id = self.offer_id(offer.key);
            let (framework, _) = self.parties(&offer);
            if let Some(stream) = self.frameworks.get(&framework).and_then(|framework| framework.stream()) {
                out.sends.push(Send::scheduler(stream.clone(), Event::rescind(id.clone())));
            }
            out.view.push(View::OfferGone { offer: id });
        }
    }

    /// Offers of which nobody needs to be told: whoever got them is gone.
    pub(super) fn drop_offers(&mut self, offers: Vec<allocator::Offer>, out: &mut Effects) {
        out.view.extend(offers.into_iter().map(|offer| View::OfferGone { offer: self.offer_id(offer.key) }));
    }

    /// Ends the offers of a framework whose scheduler is gone.
    pub(super) fn deactivate_framework(&mut self, id: &FrameworkId, out: &mut Effects) {
        let key = self.framework_key(id);
        self.drop_inverse(id, out);
        let dropped = self.allocator.deactivate_framework(key);
        self.drop_offers(dropped, out);
    }

    /// Takes back the offers of an agent that does not take part for now.
    pub(super) fn withdraw_agent(&mut self, id: &AgentId, out: &mut Effects) {
        let Some(key) = self.agent_mut(id).key else { return };
        let offers = self.allocator.deactivate_agent(key);
        self.rescind(offers, out);
    }

    /// The allocator learns of an agent, which takes no part yet, and of what its tasks use.
    pub(super) fn add_agent(&mut self, id: &AgentId, total: &Resources) {
        let mut used = Used::default();
        for (framework, task) in self.agent_mut(id).tasks.clone() {
            let task = self.task_mut(&framework, &task);
            if !task.is_terminal() {
                used.entry((framework, task.role.clone())).or_default().add(&task.resources);
            }
        }
        self.add_used_agent(id, total, &used);
    }

    /// The same for an agent of which it is known what its tasks use.
    pub(super) fn add_used_agent(&mut self, id: &AgentId, total: &Resources, used: &Used) {
        let key = self.allocator.add_agent(total.clone());
        // Nothing was offered since the line above.
        self.allocator.deactivate_agent(key);
        self.agent_keys.insert(key, id.clone());
        let agent = self.agent_mut(id);
        agent.key = Some(key);
        let info = Arc::clone(&agent.info);
        self.allocator.set_remote(key, self.is_remote(&info));
        for ((framework, role), resources) in used {
            let framework_key = self.framework_key(framework);
            if let Err(error) = self.allocator.use_resources(framework_key, role, key, resources) {
                unreachable!("an agent is admitted when it holds its tasks: {error}");
            }
        }
        let executors = &self.agent_mut(id).executors;
        let executors = executors
            .iter()
            .map(|(name, executor)| (name.0.clone(), executor.role.clone(), executor.resources.clone()));
        for (framework, role, resources) in executors.collect::<Vec<_>>() {
            let framework_key = self.framework_key(&framework);
            if let Err(error) = self.allocator.use_resources(framework_key, &role, key, &resources) {
                unreachable!("an agent is admitted when it holds its executors: {error}");
            }
        }
    }

    /// The allocator learns that an agent may have other resources now.
    pub(super) fn update_agent(&mut self, id: &AgentId, total: &Resources) {
        let Some(key) = self.agent_mut(id).key else { return };
        match self.allocator.update_agent(key, total.clone()) {
            Ok(offers) => assert!(offers.is_empty(), "the offers of an agent end before it changes"),
            Err(error) => unreachable!("an agent is admitted when it holds its tasks: {error}"),
        }
        let info = Arc::clone(&self.agent_mut(id).info);
        self.allocator.set_remote(key, self.is_remote(&info));
    }

    /// Whether an agent is in another region than this master. Who has no domain is where the master is.
    fn is_remote(&self, agent: &AgentInfo) -> bool {
        let region = |domain: &Option<DomainInfo>| {
            let fault_domain = domain.as_ref().and_then(|domain| domain.fault_domain.as_ref());
            fault_domain.map(|fault_domain| fault_domain.region.name.clone())
        };
        region(&agent.domain)
            .is_some_and(|theirs| region(&self.config.master_info.domain).is_none_or(|ours| ours != theirs))
    }

    pub(super) fn offer_id(&self, key: OfferKey) -> OfferId {
        OfferId::new(format!("{}-O{key}", self.config.master_info.id))
    }

    /// The key in an id of ours; the offer need not be outstanding.
    pub(super) fn offer_key(&self, id: &OfferId) -> Option<OfferKey> {
        let number = id.as_str().strip_prefix(self.config.master_info.id.as_str())?.strip_prefix("-O")?;
        number.parse().ok().map(OfferKey).filter(|key| self.offer_id(*key) == *id)
    }

    pub(super) fn framework_key(&self, id: &FrameworkId) -> allocator::FrameworkKey {
        match self.frameworks.get(id).and_then(|framework| framework.key) {
            Some(key) => key,
            None => unreachable!("the allocator knows {id} as long as it has tasks or may subscribe"),
        }
    }

    /// Sets which roles are suppressed, and tells the read model.
    pub(super) fn set_suppressed(&mut self, id: &FrameworkId, suppressed: &[Role], out: &mut Effects) {
        let key = self.framework_key(id);
        for role in self.framework_mut(id).roles.clone() {
            match suppressed.contains(&role) {
                true => self.allocator.suppress(key, &role),
                false => self.allocator.revive(key, &role),
            }
        }
        self.view_suppressed(id, out);
    }

    pub(super) fn view_suppressed(&mut self, id: &FrameworkId, out: &mut Effects) {
        let key = self.framework_key(id);
        let mut roles = self.framework_mut(id).roles.clone();
        roles.retain(|role| self.allocator.is_suppressed(key, role));
        out.view.push(View::RolesSuppressed { framework: id.clone(), roles });
    }

    fn parties(&self, offer: &allocator::Offer) -> (FrameworkId, AgentId) {
        match (self.framework_keys.get(&offer.framework), self.agent_keys.get(&offer.agent)) {
            (Some(framework), Some(agent)) => (framework.clone(), agent.clone()),
            _ => unreachable!("offers end before their framework or agent does"),
        }
    }

    fn describe(&self, offer: &allocator::Offer, framework: &FrameworkId, agent: &AgentId) -> Offer {
        let Some(place) = self.agents.get(agent) else { unreachable!("agents stay") };
        let info = Arc::clone(&place.info);
        let theirs = place.executors.keys().filter(|(owner, _)| owner == framework);
        let refinement = FrameworkCapabilityType::ReservationRefinement;
        let format = match self.frameworks.get(framework) {
            Some(framework) if framework.info.has_capability(refinement) => ReservationFormat::Refined,
            Some(_) | None => ReservationFormat::Legacy,
        };
        Offer {
            id: self.offer_id(offer.key),
            framework_id: framework.clone(),
            agent_id: agent.clone(),
            hostname: info.hostname.clone(),
            url: Some(agent_url(&info)),
            domain: info.domain.clone(),
            resources: resources::to_wire(&offer.resources, Some(&offer.role), format),
            attributes: info.attributes.clone(),
            unavailability: self.machines.unavailability(&info).cloned(),
            executor_ids: theirs.map(|(_, executor)| executor.clone()).collect(),
            allocation_info: Some(AllocationInfo { role: Some(offer.role.as_str().to_owned()) }),
            abilities: info.abilities.clone(),
        }
    }
}

/// Where the agent answers. The path is the one that Mesos's agents have.
pub(crate) fn agent_url(agent: &AgentInfo) -> Url {
    let ip = agent.hostname.parse::<std::net::IpAddr>().ok().map(|ip| ip.to_string());
    Url {
        scheme: agent.scheme.as_deref().unwrap_or("http").to_owned(),
        address: Address { hostname: Some(agent.hostname.clone()), ip, port: agent.port },
        path: Some("/slave(1)".to_owned()),
        ..Url::default()
    }
}

/// What decides which resources a framework is offered.
pub(super) fn capabilities_of(info: &FrameworkInfo) -> Capabilities {
    let known = [
        (FrameworkCapabilityType::RevocableResources, Capability::RevocableResources),
        (FrameworkCapabilityType::SharedResources, Capability::SharedResources),
        (FrameworkCapabilityType::GpuResources, Capability::GpuResources),
        (FrameworkCapabilityType::ReservationRefinement, Capability::ReservationRefinement),
        (FrameworkCapabilityType::RegionAware, Capability::RegionAware),
    ];
    known.into_iter().filter(|(declared, _)| info.has_capability(*declared)).map(|(_, capability)| capability).collect()
}
