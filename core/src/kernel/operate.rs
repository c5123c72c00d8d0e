//! Reservations and volumes are made and undone: by frameworks with what they were offered, and by operators with what is free.
//!
//! The books change at once; [`operation`](super::operation) is what follows.

use std::sync::Arc;

use attica_allocator::{AgentKey, Conversion, Resource, Resources};
use attica_core_api::link;
use attica_core_api::resources::{self, ReservationFormat};
use attica_core_api::scheduler::Event;
use attica_core_api::v1::{
    AgentId, FrameworkId, OfferOperation, OfferOperationType, OperationId, OperationState, OperationStatus,
};

use super::accept::Acceptance;
use super::conversion::{Author, conversion_of};
use super::operation::Operation;
use super::validate::allocate_to;
use super::{Effects, Kernel, Now, Refusal, Send, View};
use crate::fact::Fact;

/// Operations of one framework that are under way or not acknowledged.
const OPERATIONS_LIMIT: usize = 10_000;

impl Kernel {
    /// One operation of an ACCEPT.
    pub(super) fn operate(
        &mut self,
        now: Now,
        acceptance: &mut Acceptance,
        mut operation: OfferOperation,
        out: &mut Effects,
    ) {
        let Acceptance { framework: id, agent, agent_key, role, rest, .. } = acceptance;
        let info = Arc::clone(&self.framework_mut(id).info);
        let kind = operation.r#type.unwrap_or(OfferOperationType::Unknown);
        let permitted = self.authorize_operation(id, &operation);
        let checked = permitted.and_then(|()| self.check_feedback(id, operation.id.as_ref())).and_then(|()| {
            let conversion = self.check_operation(Author::Framework(&info, role), agent, &operation)?;
            match rest.converted(&conversion) {
                Some(left) => Ok((conversion, left)),
                None => Err(format!("{} is not contained in the offered resources {rest}", conversion.consumed)),
            }
        });
        match checked {
            Ok((conversion, left)) => {
                *rest = left;
                lists(&mut operation).for_each(|list| allocate_to(list, role));
                self.start_operation(now, Some(id), agent, *agent_key, operation, &conversion, out);
            }
            Err(message) => self.refuse_operation(id, Some(agent), kind, operation.id, message, out),
        }
    }

    /// An operation of an operator, named `principal` if he was authenticated. Offers that hold what it takes are rescinded.
    ///
    /// # Errors
    /// When there is no such agent here, the operation makes no sense, or the resources are in use; nothing has changed then.
    pub(super) fn operate_for_operator(
        &mut self,
        now: Now,
        agent: &AgentId,
        operation: OfferOperation,
        principal: Option<&str>,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let key = self.agents.get(agent).and_then(|agent| agent.key);
        let key = key.ok_or_else(|| Refusal::Invalid("No agent found with specified ID".to_owned()))?;
        let invalid = |message| Refusal::Invalid(format!("Invalid operation: {message}"));
        let conversion = self.check_operation(Author::Operator(principal), agent, &operation).map_err(invalid)?;
        let within_reach = self.allocator.free(key).plus(&self.allocator.offered(key));
        if !within_reach.contains(&conversion.consumed) {
            let listed = |resources: &Resources| resources.to_string().replace(';', "; ");
            let (free, wanted) = (listed(&within_reach), listed(&conversion.consumed));
            return Err(Refusal::Conflict(format!("{free} does not contain {wanted}")));
        }
        while !self.allocator.free(key).contains(&conversion.consumed) {
            let Some(offer) = self.allocator.outstanding().find(|offer| offer.agent == key) else {
                unreachable!("what is not free is offered")
            };
            let withdrawn = self.allocator.withdraw(offer.key);
            self.rescind(withdrawn.into_iter().collect(), out);
        }
        self.start_operation(now, None, agent, key, operation, &conversion, out);
        Ok(())
    }

    /// An operation that will not be: its framework is told once, if it wants to hear of it.
    pub(super) fn refuse_operation(
        &mut self,
        framework: &FrameworkId,
        agent: Option<&AgentId>,
        kind: OfferOperationType,
        id: Option<OperationId>,
        message: String,
        out: &mut Effects,
    ) {
        out.view.push(View::OperationOver { kind, state: OperationState::Error });
        let Some(id) = id else { return };
        let Some(stream) = self.framework_mut(framework).stream().cloned() else { return };
        let status = OperationStatus {
            operation_id: Some(id),
            state: OperationState::Error,
            message: Some(message),
            agent_id: agent.cloned(),
            ..OperationStatus::default()
        };
        out.sends.push(Send::scheduler(stream, Event::update_operation_status(status)));
    }

    fn check_feedback(&mut self, framework: &FrameworkId, id: Option<&OperationId>) -> Result<(), String> {
        let operations = &self.framework_mut(framework).operations;
        match id {
            Some(id) if operations.contains_key(id) => Err(format!("Operation ID '{id}' is in use already")),
            Some(_) if operations.len() >= OPERATIONS_LIMIT => {
                Err(format!("{OPERATIONS_LIMIT} operations are not acknowledged yet"))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_operation(
        &self,
        author: Author<'_>,
        agent: &AgentId,
        operation: &OfferOperation,
    ) -> Result<Conversion, String> {
        let conversion = conversion_of(author, operation)?;
        match operation.r#type {
            Some(OfferOperationType::Create) => {
                for volume in &conversion.produced {
                    self.check_unused_name(agent, volume)?;
                }
            }
            Some(OfferOperationType::Destroy) if self.is_shared_in_use(agent, &conversion) => {
                return Err(format!("Persistent volumes in use: {}", conversion.consumed));
            }
            Some(_) | None => {}
        }
        Ok(conversion)
    }

    /// The directory of a volume that is still to be destroyed must not be taken for that of a new one.
    fn check_unused_name(&self, agent: &AgentId, volume: &Resource) -> Result<(), String> {
        let Some(agent) = self.agents.get(agent) else { return Ok(()) };
        let name = volume_name(volume);
        if agent.shaped.iter().any(|other| volume_name(other) == name) {
            return Err(format!("Persistence ID '{}' already exists", name.map_or("", |(_, id)| id)));
        }
        let destroying = agent.operations.iter().filter_map(|id| self.operations.get(id)?.info.destroy.as_ref());
        let mut volumes = destroying.flat_map(|destroy| resources::from_wire(&destroy.volumes)).collect::<Vec<_>>();
        match volumes.iter_mut().any(|volumes| volumes.iter().any(|other| volume_name(other) == name)) {
            true => Err(format!("Persistence ID '{}' is still being destroyed", name.map_or("", |(_, id)| id))),
            false => Ok(()),
        }
    }

    fn is_shared_in_use(&self, agent: &AgentId, conversion: &Conversion) -> bool {
        let shared = conversion.consumed.shared();
        let Some(agent) = self.agents.get(agent).filter(|_| !shared.is_empty()) else { return false };
        agent.tasks.iter().any(|(framework, task)| {
            let task = self.frameworks.get(framework).and_then(|framework| framework.tasks.get(task));
            let live = task.filter(|task| !task.is_terminal());
            live.is_some_and(|task| task.shared.iter().any(|used| shared.iter().any(|volume| volume == used)))
        })
    }

    #[expect(clippy::too_many_arguments, reason = "an operation is where author, agent and resources meet")]
    fn start_operation(
        &mut self,
        now: Now,
        framework: Option<&FrameworkId>,
        agent_id: &AgentId,
        key: AgentKey,
        operation: OfferOperation,
        conversion: &Conversion,
        out: &mut Effects,
    ) {
        if let Err(error) = self.allocator.convert(key, conversion) {
            unreachable!("an operation takes what is free: {error}");
        }
        let uuid = self.entropy.uuid();
        let agent = self.agent_mut(agent_id);
        let Some(shaped) = agent.shaped.checked_minus(&conversion.consumed.shaped()) else {
            unreachable!("what was made of an agent's resources is noted: {}", agent.shaped)
        };
        agent.shaped = shaped.plus(&conversion.produced.shaped());
        agent.operations.insert(uuid);
        let resources = resources::to_wire(&agent.shaped, None, ReservationFormat::Refined);
        let link = agent.link().cloned();
        out.facts.push(Fact::AgentShaped { agent: agent_id.clone(), resources });
        out.facts.push(Fact::OperationStarted {
            operation: uuid,
            framework: framework.cloned(),
            agent: agent_id.clone(),
            info: Box::new(operation.clone()),
            at: now.wall,
        });
        if let Some(link) = link {
            let order = link::Operation { uuid: uuid.as_bytes().to_vec().into(), info: operation.clone() };
            self.tell(&link, link::Event::operation(self.config.epoch, order), out);
        }
        self.insert_operation(uuid, Operation::new(framework.cloned(), agent_id.clone(), operation));
    }
}

/// For whom a volume is, and what it is called: unique on an agent.
fn volume_name(resource: &Resource) -> Option<(&str, &str)> {
    let persistence = resource.disk()?.persistence.as_ref()?;
    Some((resource.reserved_role()?.as_str(), &persistence.id))
}

/// Every list of resources in an operation.
fn lists(operation: &mut OfferOperation) -> impl Iterator<Item = &mut [attica_core_api::v1::Resource]> {
    let OfferOperation { reserve, unreserve, create, destroy, grow_volume, shrink_volume, .. } = operation;
    let reserve = reserve.iter_mut().flat_map(|reserve| [&mut reserve.source[..], &mut reserve.resources[..]]);
    let unreserve = unreserve.iter_mut().map(|unreserve| &mut unreserve.resources[..]);
    let create = create.iter_mut().map(|create| &mut create.volumes[..]);
    let destroy = destroy.iter_mut().map(|destroy| &mut destroy.volumes[..]);
    let grow = grow_volume.iter_mut().flat_map(|grow| {
        let grow = &mut **grow;
        [std::slice::from_mut(&mut grow.volume), std::slice::from_mut(&mut grow.addition)]
    });
    let shrink = shrink_volume.iter_mut().map(|shrink| std::slice::from_mut(&mut shrink.volume));
    reserve.chain(unreserve).chain(create).chain(destroy).chain(grow).chain(shrink)
}
