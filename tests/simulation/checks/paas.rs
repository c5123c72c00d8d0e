//! The invariants of the service layer together.

use attica_core_api::scheduler::Command;
use attica_paas::engine::{Cause, Fact, Snapshot};
use attica_paas::events::Event;
use attica_paas::model::Ending;

use super::i1_writes::Written;
use super::i8_one_writer::OneWriter;
use super::i9_events::Events;
use super::i11_removals::Removals;
use super::{i2_plan, i3_capacity, i10_fold, i12_deployments, i15_kept};
use crate::agent::{Agent, Obeyed};
use crate::paas::{Answer, Balancer, Client, Entry, Paas, Store};
use crate::summary::Summary;

/// What the checks have to remember.
#[derive(Default)]
pub(crate) struct PaasChecks {
    one_writer: OneWriter,
    written: Written,
    events: Events,
    removals: Removals,
    /// The fold of all facts, one at a time.
    state: Snapshot,
    /// Removals that the load balancer acknowledged.
    acknowledged: usize,
    counts: Summary,
}

impl PaasChecks {
    /// Facts went into the store.
    pub(crate) fn committed(&mut self, epoch: u64, entries: &[Entry]) -> Result<(), String> {
        self.one_writer.committed(epoch)?;
        for entry in entries {
            let fact = &entry.recorded.fact;
            i3_capacity::committed(entry, &self.state)?;
            i15_kept::committed(fact, &self.state)?;
            self.state.apply(fact);
            i2_plan::committed(fact, &self.state)?;
            self.written.committed(fact);
            for event in self.events.committed(entry)? {
                self.removals.committed(event);
            }
            self.count(fact);
        }
        Ok(())
    }

    /// The service layer asks a master for something.
    pub(crate) fn called(&self, command: &Command) -> Result<(), String> {
        self.written.called(command)
    }

    /// An agent carried an order out.
    pub(crate) fn obeyed(&mut self, obeyed: &Obeyed) -> Result<(), String> {
        let Some(framework) = &self.state.framework_id else { return Ok(()) };
        obeyed.destroyed.iter().for_each(|_| self.counts.count("volumes destroyed"));
        i15_kept::obeyed(framework, obeyed, &self.state)
    }

    /// A client received an answer.
    pub(crate) fn answered(&mut self, answer: &Answer) -> Result<(), String> {
        self.counts.count(if answer.answer.is_ok() { "writes done" } else { "writes refused" });
        self.written.answered(answer)
    }

    /// The load balancer has done something.
    pub(crate) fn routed(&mut self, balancer: &Balancer) -> Result<(), String> {
        self.acknowledged = self.removals.check(balancer)?;
        Ok(())
    }

    /// A client received events.
    pub(crate) fn received(&mut self, client: &Client, events: &[Event]) -> Result<(), String> {
        events.iter().for_each(|_| self.counts.count("events received"));
        self.events.received(client, events)
    }

    /// Everything is compared with everything.
    pub(crate) fn survey(&self, store: &Store, processes: &[Paas], agents: &[Agent]) -> Result<(), String> {
        let leader = processes.iter().filter_map(Paas::leader).find(|leader| leader.epoch == store.lead.epoch);
        if let Some(leader) = leader.filter(|leader| leader.is_settled()) {
            i10_fold::engine(leader, store)?;
        }
        store.snapshot.framework_id.as_ref().map_or(Ok(()), |framework| i2_plan::processes(framework, agents))
    }

    /// Long after the last fault.
    pub(crate) fn finally(
        &self,
        now: u64,
        store: &Store,
        processes: &mut [Paas],
        clients: &[Client],
        agents: &[Agent],
    ) -> Result<(), String> {
        self.events.finally(store, clients)?;
        i12_deployments::finally(now, store, processes, agents)
    }

    pub(crate) fn summarise(&self, summary: &mut Summary) {
        summary.merge(&self.counts);
        summary.add("removals acknowledged", u64::try_from(self.acknowledged).expect("few"));
    }

    fn count(&mut self, fact: &Fact) {
        let counts = &mut self.counts;
        match fact {
            Fact::DeploymentEnded { ending: Ending::Done, .. } => counts.count("deployments done"),
            Fact::DeploymentEnded { ending: Ending::Cancelled | Ending::Superseded { .. }, .. } => {
                counts.count("deployments interrupted")
            }
            Fact::DeploymentEnded { ending: Ending::RolledBack { .. } | Ending::Failed { .. }, .. } => {
                counts.count("deployments failed")
            }
            Fact::InstanceChanged { instance, cause: Cause::Provisioned } => {
                let task = instance.task.iter().flat_map(|task| &task.containers);
                if task.count() > 0 {
                    counts.count("pods launched");
                }
                if instance.reservation.as_ref().is_some_and(|kept| kept.confirmed) {
                    counts.count("returns to volumes");
                }
            }
            Fact::InstanceChanged { cause: Cause::KilledAsUnhealthy { .. }, .. } => {
                counts.count("instances killed as unhealthy")
            }
            _ => {}
        }
    }
}
