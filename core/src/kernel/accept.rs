//! ACCEPT: offers become tasks.
//!
//! What is not built is refused before anything is touched. Then the offers end, the operations are applied in order to what the
//! offers held, and what is left is refused for as long as the filters say. A task that cannot be launched is answered with a status
//! of its own and does not hold up the others.

use attica_allocator::{self as allocator, Resources};
use attica_core_api::scheduler::{Accept, Event};
use attica_core_api::v1::{
    AgentId, FrameworkId, OfferId, OfferOperation, OfferOperationType, OperationId, TaskInfo, TaskState, TaskStatus,
    TaskStatusReason,
};

use super::decline::refuse_ms;
use super::status::from_master;
use super::validate::allocate_to;
use super::{Effects, Kernel, Now, Refusal, Send, View};
use crate::fact::Fact;

/// The offers of one call, which belong together: one agent, one role.
struct Combined {
    offers: Vec<allocator::Offer>,
    /// What they hold that no task has taken yet.
    rest: Resources,
}

/// A task of a LAUNCH, and the id that the operation had, if any.
struct Wanted {
    task: TaskInfo,
    feedback: Option<OperationId>,
}

impl Combined {
    fn use_up(&mut self, wanted: &Resources) {
        match self.rest.checked_minus(wanted) {
            Some(rest) => self.rest = rest,
            None => unreachable!("a launch is checked against what is left"),
        }
    }
}

impl Kernel {
    pub(super) fn accept(
        &mut self,
        now: Now,
        id: &FrameworkId,
        accept: Accept,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let wanted = launches(accept.operations)?;
        let combined = self.take_offers(id, &accept.offer_ids, out);
        match combined {
            Ok(combined) => self.launch(now, id, combined, wanted, refuse_ms(accept.filters.as_ref()), out),
            Err(reason) => {
                for wanted in wanted {
                    let message = format!("Task launched with invalid offers: {reason}");
                    self.refuse_task(
                        now,
                        id,
                        &wanted.task,
                        TaskState::Dropped,
                        TaskStatusReason::InvalidOffers,
                        message,
                        out,
                    );
                }
            }
        }
        Ok(())
    }

    /// Ends the offers of the call. If one is not valid, none of them is used and none of them counts as refused.
    fn take_offers(&mut self, id: &FrameworkId, offer_ids: &[OfferId], out: &mut Effects) -> Result<Combined, String> {
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
        let rest = offers.iter().fold(Resources::new(), |sum, offer| sum.plus(&offer.resources));
        invalid.map_or(Ok(Combined { offers, rest }), Err)
    }

    fn launch(
        &mut self,
        now: Now,
        id: &FrameworkId,
        mut combined: Combined,
        wanted: Vec<Wanted>,
        refuse_ms: u64,
        out: &mut Effects,
    ) {
        let Some(first) = combined.offers.first().cloned() else {
            unreachable!("there are no valid offers without an offer")
        };
        let Some(agent) = self.agent_keys.get(&first.agent).cloned() else {
            unreachable!("offers end before their agent does")
        };
        let mut run = Vec::new();
        for Wanted { mut task, feedback } in wanted {
            let checked = match feedback {
                Some(operation) => {
                    Err(format!("LAUNCH has no outcome to report, so it must not have the id '{operation}'"))
                }
                None => self.check_launch(id, &agent, &first.role, &task, &combined.rest),
            };
            match checked {
                Ok(wanted) => {
                    combined.use_up(&wanted);
                    allocate_to(&mut task, &first.role);
                    self.add_task(now, id, &first, &agent, &task, wanted, out);
                    run.push(task);
                }
                Err(message) => {
                    self.refuse_task(now, id, &task, TaskState::Error, TaskStatusReason::TaskInvalid, message, out);
                }
            }
        }
        for offer in &combined.offers {
            self.allocator.decline(now.tick, offer, &combined.rest, refuse_ms);
        }
        let link = self.agent_mut(&agent).link().cloned();
        if let Some(link) = link.filter(|_| !run.is_empty()) {
            self.send_run(id, &link, run, out);
        }
    }

    /// A task that will not be: its framework is told once. There is nothing to remember, so nothing to acknowledge.
    #[expect(clippy::too_many_arguments, reason = "a status has as many parts")]
    fn refuse_task(
        &mut self,
        now: Now,
        id: &FrameworkId,
        task: &TaskInfo,
        state: TaskState,
        reason: TaskStatusReason,
        message: String,
        out: &mut Effects,
    ) {
        let framework = self.framework_mut(id);
        let agent: Option<AgentId> = Some(task.agent_id.clone());
        let status: TaskStatus = from_master(now, task.task_id.clone(), agent, framework.told(state), reason, message);
        if let Some(stream) = framework.stream() {
            out.sends.push(Send::scheduler(stream.clone(), Event::update(status)));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a task is where offer, framework and agent meet")]
    fn add_task(
        &mut self,
        now: Now,
        id: &FrameworkId,
        offer: &allocator::Offer,
        agent: &AgentId,
        task: &TaskInfo,
        resources: Resources,
        out: &mut Effects,
    ) {
        if let Err(error) = self.allocator.use_resources(offer.framework, &offer.role, offer.agent, &resources) {
            unreachable!("what was offered is free once the offer has ended: {error}");
        }
        self.insert_task(id, agent, &offer.role, task, resources);
        out.facts.push(Fact::TaskLaunched {
            framework: id.clone(),
            role: offer.role.clone(),
            task: Box::new(task.clone()),
            at: now.wall,
        });
    }
}

/// The tasks of all LAUNCH operations in order; any other operation refuses the call.
fn launches(operations: Vec<OfferOperation>) -> Result<Vec<Wanted>, Refusal> {
    let mut wanted = Vec::new();
    for operation in operations {
        let name = match operation.r#type {
            Some(OfferOperationType::Launch) => {
                let feedback = operation.id;
                let tasks = operation.launch.unwrap_or_default().task_infos.into_iter();
                wanted.extend(tasks.map(|task| Wanted { task, feedback: feedback.clone() }));
                continue;
            }
            Some(OfferOperationType::LaunchGroup) => "The operation LAUNCH_GROUP",
            Some(OfferOperationType::Reserve) => "The operation RESERVE",
            Some(OfferOperationType::Unreserve) => "The operation UNRESERVE",
            Some(OfferOperationType::Create) => "The operation CREATE",
            Some(OfferOperationType::Destroy) => "The operation DESTROY",
            Some(OfferOperationType::GrowVolume) => "The operation GROW_VOLUME",
            Some(OfferOperationType::ShrinkVolume) => "The operation SHRINK_VOLUME",
            Some(OfferOperationType::CreateDisk) => "The operation CREATE_DISK",
            Some(OfferOperationType::DestroyDisk) => "The operation DESTROY_DISK",
            Some(OfferOperationType::Unknown) | None => "An operation without a known type",
        };
        return Err(Refusal::NotSupported(name));
    }
    Ok(wanted)
}
