//! The invariants, one file each, and what they have to remember.

mod i10_fold;
mod i11_removals;
mod i12_deployments;
pub(crate) mod i13_guarantees;
mod i14_delivery;
mod i15_kept;
mod i1_acknowledged;
mod i1_writes;
mod i2_plan;
mod i3_capacity;
mod i4_orphans;
mod i5_zombies;
mod i6_forward;
mod i7_resources;
mod i8_one_writer;
mod i9_events;
mod paas;

use attica_core::fact::Fact;
use attica_core::snapshot::Service;
use attica_core_api::link;
use attica_core_api::v1::{FrameworkId, TaskStatus};

use crate::agent::{Agent, Obeyed, TaskName};
use crate::faults::Scenario;
use crate::master::Master;
use crate::network::Message;
use crate::scheduler::{Asked, Scheduler};
use crate::store::Store;
use crate::summary::Summary;

pub(crate) use paas::PaasChecks;

/// All checks. An error begins with the name of the invariant that was violated.
pub(crate) struct Checks {
    scenario: Scenario,
    one_writer: i8_one_writer::OneWriter,
    forward: i6_forward::Forward,
    delivery: i14_delivery::Delivery,
    orphans: i4_orphans::Orphans,
    zombies: i5_zombies::Zombies,
    counts: Summary,
}

impl Checks {
    pub(crate) fn new(scenario: Scenario) -> Self {
        Self {
            scenario,
            one_writer: i8_one_writer::OneWriter::default(),
            forward: i6_forward::Forward::default(),
            delivery: i14_delivery::Delivery::default(),
            orphans: i4_orphans::Orphans::default(),
            zombies: i5_zombies::Zombies::default(),
            counts: Summary::default(),
        }
    }

    /// Facts went into the store.
    pub(crate) fn committed(&mut self, epoch: u64, facts: &[Fact], store: &Store) -> Result<(), String> {
        self.one_writer.committed(epoch)?;
        for fact in facts {
            self.forward.committed(fact)?;
            self.delivery.committed(fact, store)?;
            self.count(fact);
        }
        self.delivery.end_of_commit(epoch);
        Ok(())
    }

    /// Facts went into the store that somebody may be hurt by.
    pub(crate) fn given_up(&self, facts: &[Fact], agents: &[Agent], schedulers: &[Scheduler]) -> Result<(), String> {
        match self.scenario {
            Scenario::Everything => Ok(()),
            Scenario::Outages => facts.iter().try_for_each(|fact| i5_zombies::given_up(fact, agents, schedulers)),
        }
    }

    /// The fence held a commit back.
    pub(crate) fn fenced(&mut self, _epoch: u64, _facts: usize) {
        self.counts.count("commits fenced");
    }

    /// The databases went away.
    pub(crate) fn count_outage(&mut self) {
        self.counts.count("stores lost");
    }

    /// Somebody sends something.
    pub(crate) fn released(&mut self, message: &Message, epoch: Option<u64>) -> Result<(), String> {
        self.delivery.released(message, epoch)
    }

    /// An agent carried an order out.
    pub(crate) fn obeyed(
        &mut self,
        agent: &Agent,
        event: &link::Event,
        obeyed: &Obeyed,
        store: &Store,
    ) -> Result<(), String> {
        i8_one_writer::obeyed(obeyed)?;
        i1_acknowledged::obeyed(event, obeyed, &self.forward, store)?;
        self.forward.started(obeyed)?;
        if obeyed.started.is_empty() { Ok(()) } else { i7_resources::processes(agent) }
    }

    /// A scheduler received a status.
    pub(crate) fn heard(&mut self, framework: Option<&FrameworkId>, status: &TaskStatus) -> Result<(), String> {
        let (Some(framework), Some(uuid)) = (framework, &status.uuid) else { return Ok(()) };
        let name: TaskName = (framework.clone(), status.task_id.clone());
        if self.delivery.heard(&name, uuid)? {
            self.counts.count("updates repeated");
        }
        Ok(())
    }

    /// A scheduler received the answer to a call.
    pub(crate) fn answered(&mut self, asked: &Asked, accepted: bool, store: &Store) -> Result<(), String> {
        if accepted { i1_acknowledged::accepted(asked, store) } else { Ok(()) }
    }

    /// Everything is compared with everything.
    pub(crate) fn survey(
        &mut self,
        now: u64,
        store: &Store,
        store_away: bool,
        masters: &[Master],
        agents: &[Agent],
    ) -> Result<(), String> {
        self.counts.add("folds compared", i10_fold::kernel(now, masters, store)?);
        self.orphans.survey(now, store, store_away, agents)?;
        self.zombies.survey(now, store, store_away, masters, agents)
    }

    /// Long after the last fault.
    pub(crate) fn finally(
        &self,
        store: &Store,
        masters: &[Master],
        agents: &[Agent],
        schedulers: &[Scheduler],
    ) -> Result<(), String> {
        i14_delivery::finally(store, masters, agents, schedulers)
    }

    pub(crate) fn summarise(&self, summary: &mut Summary) {
        summary.merge(&self.counts);
    }

    fn count(&mut self, fact: &Fact) {
        let counts = &mut self.counts;
        counts.count("facts");
        match fact {
            Fact::TaskLaunched { .. } => counts.count("tasks launched"),
            Fact::TaskUnreachable { .. } => counts.count("tasks unreachable"),
            Fact::AgentForgotten { .. } => counts.count("agents forgotten"),
            Fact::TaskReachable { .. } => counts.count("tasks returned"),
            Fact::UpdateAcknowledged { .. } => counts.count("updates acknowledged"),
            Fact::FrameworkRemoved { .. } => counts.count("frameworks removed"),
            Fact::QuotasUpdated { .. } => counts.count("quotas set"),
            Fact::AgentServiceChanged { service: Service::Draining { .. }, .. } => counts.count("drains"),
            Fact::AgentServiceChanged { service: Service::Drained { .. }, .. } => counts.count("agents drained"),
            _ => {}
        }
    }
}
