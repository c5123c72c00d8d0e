//! ACCEPT: offers become tasks, reservations and volumes.
//!
//! The offers end, the operations are applied in order to what the offers held, and what is left is refused for as long as the
//! filters say. An operation that is not valid is answered by itself and does not hold up the others.

use attica_allocator::{self as allocator, AgentKey, FrameworkKey, Resources, Role};
use attica_core_api::link;
use attica_core_api::scheduler::Accept;
use attica_core_api::v1::{
    AgentId, FrameworkId, OfferId, OfferOperation, OfferOperationType, TaskInfo, TaskState, TaskStatusReason,
};

use super::decline::refuse_ms;
use super::{Effects, Kernel, Now, View};

/// The offers of one call, which belong together: one framework, agent and role. What is done with them goes through here.
pub(super) struct Acceptance {
    pub framework: FrameworkId,
    pub framework_key: FrameworkKey,
    pub agent: AgentId,
    pub agent_key: AgentKey,
    pub role: Role,
    /// What they hold that no operation has used yet.
    pub rest: Resources,
    /// What the agent is to run.
    pub tasks: Vec<TaskInfo>,
    pub groups: Vec<link::TaskGroup>,
}

impl Acceptance {
    /// A task or an executor has taken its resources.
    pub fn use_up(&mut self, used: &Resources) {
        match self.rest.checked_minus(used) {
            Some(rest) => self.rest = rest,
            None => unreachable!("a launch is checked against what is left"),
        }
    }
}

impl Kernel {
    pub(super) fn accept(&mut self, now: Now, id: &FrameworkId, accept: Accept, out: &mut Effects) {
        let offers = match self.take_offers(id, &accept.offer_ids, out) {
            Ok(offers) => offers,
            Err(reason) => {
                for operation in accept.operations {
                    self.refuse_for_offers(now, id, operation, &reason, out);
                }
                return;
            }
        };
        let mut acceptance = self.acceptance(id, &offers);
        for operation in accept.operations {
            self.perform(now, &mut acceptance, operation, out);
        }
        let refuse_ms = refuse_ms(accept.filters.as_ref());
        for offer in &offers {
            self.allocator.decline(now.tick, offer, &acceptance.rest, refuse_ms);
        }
        let link = self.agent_mut(&acceptance.agent).link().cloned();
        if let Some(link) = link {
            self.send_run(id, &link, acceptance.tasks, acceptance.groups, out);
        }
        self.ask_to_leave(now, &acceptance.agent, out);
    }

    /// Ends the offers of the call. If one is not valid, none of them is used and none of them counts as refused.
    fn take_offers(
        &mut self,
        id: &FrameworkId,
        offer_ids: &[OfferId],
        out: &mut Effects,
    ) -> Result<Vec<allocator::Offer>, String> {
        let framework = self.framework_key(id);
        let mut offers: Vec<allocator::Offer> = Vec::new();
        let mut invalid = offer_ids.is_empty().then(|| "No offers specified".to_owned());
        for offer_id in offer_ids {
            let key = self.offer_key(offer_id).filter(|key| self.allocator.offered_to(*key) == Some(framework));
            let Some(offer) = key.and_then(|key| self.allocator.take(key)) else {
                invalid.get_or_insert_with(|| match offer_ids.iter().filter(|other| *other == offer_id).count() {
                    0 | 1 => format!("Offer {offer_id} is no longer valid"),
                    _ => format!("Duplicate offer {offer_id} in offer list"),
                });
                continue;
            };
            out.view.push(View::OfferGone { offer: offer_id.clone() });
            offers.push(offer);
        }
        if let Some(first) = offers.first() {
            if offers.iter().any(|offer| offer.agent != first.agent) {
                invalid.get_or_insert_with(|| "Aggregated offers must belong to one single agent".to_owned());
            }
            if offers.iter().any(|offer| offer.role != first.role) {
                invalid.get_or_insert_with(|| "Aggregated offers must be allocated to the same role".to_owned());
            }
        }
        invalid.map_or(Ok(offers), Err)
    }

    fn acceptance(&self, id: &FrameworkId, offers: &[allocator::Offer]) -> Acceptance {
        let Some(first) = offers.first() else { unreachable!("there are no valid offers without an offer") };
        let Some(agent) = self.agent_keys.get(&first.agent) else { unreachable!("offers end before their agent does") };
        Acceptance {
            framework: id.clone(),
            framework_key: first.framework,
            agent: agent.clone(),
            agent_key: first.agent,
            role: first.role.clone(),
            rest: offers.iter().fold(Resources::new(), |sum, offer| sum.plus(&offer.resources)),
            tasks: Vec::new(),
            groups: Vec::new(),
        }
    }

    fn perform(&mut self, now: Now, acceptance: &mut Acceptance, operation: OfferOperation, out: &mut Effects) {
        let feedback = operation.id;
        match operation.r#type.unwrap_or(OfferOperationType::Unknown) {
            OfferOperationType::Launch => {
                for task in operation.launch.unwrap_or_default().task_infos {
                    self.launch(now, acceptance, task, feedback.as_ref(), out);
                }
            }
            OfferOperationType::LaunchGroup => {
                let group = operation.launch_group.map(|group| *group).unwrap_or_default();
                self.launch_group(now, acceptance, group, feedback.as_ref(), out);
            }
            OfferOperationType::Reserve
            | OfferOperationType::Unreserve
            | OfferOperationType::Create
            | OfferOperationType::Destroy
            | OfferOperationType::GrowVolume
            | OfferOperationType::ShrinkVolume
            | OfferOperationType::CreateDisk
            | OfferOperationType::DestroyDisk
            | OfferOperationType::Unknown => {
                self.operate(now, acceptance, OfferOperation { id: feedback, ..operation }, out);
            }
        }
    }

    /// The offers are not there: nothing of the operation happens.
    fn refuse_for_offers(
        &mut self,
        now: Now,
        id: &FrameworkId,
        operation: OfferOperation,
        reason: &str,
        out: &mut Effects,
    ) {
        let launched = operation.launch.into_iter().flat_map(|launch| launch.task_infos);
        let grouped = operation.launch_group.into_iter().flat_map(|group| group.task_group.tasks);
        for task in launched.chain(grouped) {
            let message = format!("Task launched with invalid offers: {reason}");
            self.refuse_task(now, id, &task, TaskState::Dropped, TaskStatusReason::InvalidOffers, message, out);
        }
        match operation.r#type {
            // Their tasks have been answered for.
            Some(OfferOperationType::Launch | OfferOperationType::LaunchGroup) => {}
            kind => {
                let message = format!("Operation attempted with invalid offers: {reason}");
                let kind = kind.unwrap_or(OfferOperationType::Unknown);
                self.refuse_operation(id, None, kind, operation.id, message, out);
            }
        }
    }
}
