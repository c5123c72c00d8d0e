//! Which call may leave now: calls that have nothing to do with each other do not wait for each other.
//!
//! Each call waits for a commit of the master, which takes those that arrive together together. So how many are under way at once
//! decides how fast a large deployment is.

use std::collections::{HashSet, VecDeque};

use attica_core_api::scheduler::{Call, CallType};
use attica_core_api::v1::TaskId;

/// So many answers to offers, and so many kills, are under way at once.
const UNDER_WAY_MAX: usize = 64;

/// The calls that wait, and what is known of those under way.
#[derive(Default)]
pub(super) struct Outgoing {
    /// All but kills, in the engine's order.
    ordered: VecDeque<Call>,
    kills: VecDeque<Call>,
    /// Tasks whose launch waits or is under way: their kills must not overtake it.
    launching: HashSet<TaskId>,
    offers_under_way: usize,
    kills_under_way: usize,
    alone_under_way: bool,
}

/// Proves that a call is under way; given back when it is answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ticket {
    /// ACCEPT or DECLINE, each about offers of its own, with the tasks that it launches.
    Offers(Vec<TaskId>),
    /// KILL, about a task of its own.
    Kill,
    /// Everything else keeps its place: a DECLINE that arrived behind a later REVIVE would undo it.
    Alone,
}

impl Outgoing {
    /// A call of the engine, behind all earlier ones.
    pub(super) fn push(&mut self, call: Call) {
        if call.kill.is_some() {
            self.kills.push_back(call);
        } else {
            self.launching.extend(launched(&call).cloned());
            self.ordered.push_back(call);
        }
    }

    /// How many calls wait.
    pub(super) fn waiting(&self) -> usize {
        self.ordered.len() + self.kills.len()
    }

    /// The next call that may leave now.
    pub(super) fn next(&mut self) -> Option<(Ticket, Call)> {
        self.next_ordered().or_else(|| self.next_kill())
    }

    fn next_ordered(&mut self) -> Option<(Ticket, Call)> {
        let answers_offers = matches!(self.ordered.front()?.r#type, Some(CallType::Accept | CallType::Decline));
        let room = if answers_offers { UNDER_WAY_MAX } else { 1 };
        if self.alone_under_way || self.offers_under_way >= room {
            return None;
        }
        let call = self.ordered.pop_front()?;
        if answers_offers {
            self.offers_under_way += 1;
            return Some((Ticket::Offers(launched(&call).cloned().collect()), call));
        }
        self.alone_under_way = true;
        Some((Ticket::Alone, call))
    }

    fn next_kill(&mut self) -> Option<(Ticket, Call)> {
        if self.kills_under_way >= UNDER_WAY_MAX {
            return None;
        }
        let launching = &self.launching;
        let is_launched = |call: &Call| call.kill.as_ref().is_none_or(|kill| !launching.contains(&kill.task_id));
        let call = self.kills.iter().position(is_launched).and_then(|place| self.kills.remove(place))?;
        self.kills_under_way += 1;
        Some((Ticket::Kill, call))
    }

    /// A call is answered.
    pub(super) fn done(&mut self, ticket: Ticket) {
        match ticket {
            Ticket::Offers(launched) => {
                self.offers_under_way -= 1;
                launched.iter().for_each(|task| {
                    self.launching.remove(task);
                });
            }
            Ticket::Kill => self.kills_under_way -= 1,
            Ticket::Alone => self.alone_under_way = false,
        }
    }
}

/// The tasks that a call launches.
fn launched(call: &Call) -> impl Iterator<Item = &TaskId> {
    let operations = call.accept.iter().flat_map(|accept| &accept.operations);
    let launches = operations.filter_map(|operation| operation.launch.as_ref());
    launches.flat_map(|launch| &launch.task_infos).map(|task| &task.task_id)
}

#[cfg(test)]
mod tests {
    use attica_core_api::scheduler::{Accept, Decline, Kill, Revive};
    use attica_core_api::v1::{LaunchOperation, OfferOperation, TaskInfo};

    use super::*;

    fn revive() -> Call {
        Call { r#type: Some(CallType::Revive), revive: Some(Revive::default()), ..Call::default() }
    }

    fn decline() -> Call {
        Call { r#type: Some(CallType::Decline), decline: Some(Decline::default()), ..Call::default() }
    }

    fn kill(task: &str) -> Call {
        let kill = Kill { task_id: TaskId::from(task), ..Kill::default() };
        Call { r#type: Some(CallType::Kill), kill: Some(kill), ..Call::default() }
    }

    fn launch(task: &str) -> Call {
        let launch =
            LaunchOperation { task_infos: vec![TaskInfo { task_id: TaskId::from(task), ..TaskInfo::default() }] };
        let operation = OfferOperation { launch: Some(launch), ..OfferOperation::default() };
        let accept = Accept { operations: vec![operation], ..Accept::default() };
        Call { r#type: Some(CallType::Accept), accept: Some(accept), ..Call::default() }
    }

    fn outgoing(calls: impl IntoIterator<Item = Call>) -> Outgoing {
        let mut outgoing = Outgoing::default();
        calls.into_iter().for_each(|call| outgoing.push(call));
        outgoing
    }

    fn leaving(outgoing: &mut Outgoing) -> Vec<Ticket> {
        std::iter::from_fn(|| outgoing.next()).map(|(ticket, _)| ticket).collect()
    }

    #[test]
    fn answers_to_offers_leave_together_and_whatever_else_leaves_alone() {
        let mut outgoing = outgoing([decline(), launch("a"), revive(), decline()]);
        let offers = leaving(&mut outgoing);
        assert_eq!(offers, [Ticket::Offers(vec![]), Ticket::Offers(vec![TaskId::from("a")])]);
        for ticket in offers {
            assert_eq!(leaving(&mut outgoing), []);
            outgoing.done(ticket);
        }
        assert_eq!(leaving(&mut outgoing), [Ticket::Alone]);
        outgoing.done(Ticket::Alone);
        assert_eq!(leaving(&mut outgoing), [Ticket::Offers(vec![])]);
        assert_eq!(outgoing.waiting(), 0);
    }

    #[test]
    fn a_kill_overtakes_everything_but_the_launch_of_its_task() {
        let mut outgoing = outgoing([revive(), launch("a"), kill("a"), kill("b")]);
        let (first, second) = (outgoing.next().unwrap(), outgoing.next().unwrap());
        assert_eq!(first.0, Ticket::Alone);
        assert_eq!(second.1.kill.unwrap().task_id, TaskId::from("b"));
        assert_eq!(leaving(&mut outgoing), []);
        outgoing.done(Ticket::Alone);
        let launch = leaving(&mut outgoing);
        assert_eq!(launch, [Ticket::Offers(vec![TaskId::from("a")])]);
        launch.into_iter().for_each(|ticket| outgoing.done(ticket));
        assert_eq!(leaving(&mut outgoing), [Ticket::Kill]);
    }

    #[test]
    fn not_too_many_are_under_way() {
        let mut outgoing = outgoing((0..200).map(|task| kill(&task.to_string())));
        assert_eq!(leaving(&mut outgoing).len(), UNDER_WAY_MAX);
        outgoing.done(Ticket::Kill);
        assert_eq!(leaving(&mut outgoing).len(), 1);
    }
}
