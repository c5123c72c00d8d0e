//! The state machine.
//!
//! Architecture invariant: no async, clock, randomness or IO in here. [`Kernel::apply`] takes one input and says what is to become
//! durable and what is to be sent; the shell around it does both, in this order. After the inputs that were waiting, the shell calls
//! [`Kernel::settle`] once: it lets deadlines that have passed take effect and turns what is free into offers.
//!
//! One file per input or command; beside them the things that the kernel knows ([`framework`], [`agent`], [`executor`], [`task`]), what becomes
//! of them whatever the cause ([`agent_lost`], [`framework_lost`], [`operation`], [`outbox`], [`offers`]), and how it wakes up
//! ([`settle`], [`timers`]). [`durable`] says what of all this a new leader must find again.

mod accept;
mod acknowledge;
mod agent;
mod agent_closed;
mod agent_forgotten;
mod agent_lost;
mod agent_register;
mod agent_replaced;
mod agent_statuses;
mod agent_tasks;
mod authorize;
mod command;
mod config;
mod constraints;
mod conversion;
mod decline;
mod durable;
mod effects;
mod executor;
mod framework;
mod framework_lost;
mod input;
mod inverse_offers;
mod kill;
mod launch;
mod maintenance;
mod message;
mod offers;
mod operate;
mod operation;
mod order;
mod outbox;
mod permits;
mod quota;
mod reconcile;
mod recover;
mod revive;
mod scheduler_closed;
mod service;
mod settle;
mod status;
mod store_contact;
mod subscribe;
mod suppress;
mod task;
mod teardown;
#[cfg(test)]
mod tests;
mod timers;
mod transition;
mod update_framework;
mod validate;
mod weights;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use attica_allocator::{AgentKey, Allocator, FrameworkKey, Quota, Role};
pub use attica_core_api::Now;
use attica_core_api::auth::Acls;
use attica_core_api::v1::{AgentId, FrameworkId, TaskId};
use attica_core_api::{Entropy, Tick};
use uuid::Uuid;

pub use config::{Config, RateLimit};
pub use effects::{CloseReason, Effects, Refusal, Reply, Send, View};
pub use input::{Input, LinkId, ReplyTo, StreamId};
pub use inverse_offers::{Answer, Asking};
pub(crate) use offers::agent_url;
pub use order::Order;
pub use quota::QuotaChange;

use agent::Agent;
use framework::Framework;
use inverse_offers::Inverse;
use maintenance::Machines;
use operation::Operation;
use permits::Permits;
use store_contact::StoreContact;
use task::Task;
use timers::Timers;

/// The state machine of one leader.
#[derive(Debug)]
pub struct Kernel {
    config: Config,
    entropy: Entropy,
    allocator: Allocator,
    frameworks: BTreeMap<FrameworkId, Framework>,
    agents: BTreeMap<AgentId, Agent>,
    /// Durable. Operations that are under way, or whose outcome is not acknowledged.
    operations: BTreeMap<Uuid, Operation>,
    /// Agents of earlier leaders whose tasks have not been compared with ours yet.
    recovering: BTreeSet<AgentId>,
    /// Who listens on a scheduler's stream.
    streams: BTreeMap<StreamId, FrameworkId>,
    /// Who listens on an agent's stream.
    links: BTreeMap<LinkId, AgentId>,
    /// What the allocator's numbers stand for.
    framework_keys: BTreeMap<FrameworkKey, FrameworkId>,
    agent_keys: BTreeMap<AgentKey, AgentId>,
    /// Durable. What operators decided about roles; the allocator keeps to it.
    quotas: BTreeMap<Role, Quota>,
    weights: BTreeMap<String, f64>,
    /// Removed frameworks whose tasks have all ended, oldest first.
    removed: VecDeque<FrameworkId>,
    /// The numbers of the next framework and the next agent.
    next_framework: u64,
    next_agent: u64,
    /// Not durable. Who is asked to leave which agent.
    inverse: Inverse,
    /// Not durable. Who may do what; `None`: everyone everything.
    acls: Option<Arc<Acls>>,
    timers: Timers,
    permits: Permits,
    /// Agents that are silent for too long and wait for a permit, oldest first.
    silent: VecDeque<AgentId>,
    /// What is planned for machines.
    machines: Machines,
    /// Whether a framework has ever had constraints: until then none is looked through for an agent that comes.
    constrained: bool,
    /// Draining agents that may have nothing left.
    perhaps_drained: BTreeSet<AgentId>,
    /// Unreachable agents, by when they are forgotten.
    unreachable: BTreeSet<(Tick, AgentId)>,
    /// Whether anybody can come back at the moment.
    store: StoreContact,
    /// Before then no framework is removed for being away.
    lenient_until: Tick,
    /// Counts the calls of `settle`: what is decided between two of them is in one batch. What was recovered is of turn 0.
    turn: u64,
    /// When the shell was asked to wake the kernel, to tell a late call from a quiet time.
    wake: Option<Tick>,
}

impl Kernel {
    /// Applies one input; the effects are added to `out`.
    pub fn apply(&mut self, now: Now, input: Input, out: &mut Effects) {
        match input {
            Input::Subscribe { stream, subscribe } => self.subscribe(now, stream, *subscribe, out),
            Input::Command { framework, stream, command, reply } => {
                let answer = match self.command(now, &framework, stream, *command, out) {
                    Ok(()) => Reply::Accepted,
                    Err(refusal) => Reply::Refused(refusal),
                };
                out.replies.push((reply, answer));
            }
            Input::Order { order, reply } => {
                let answer = match self.order(now, *order, out) {
                    Ok(()) => Reply::Accepted,
                    Err(refusal) => Reply::Refused(refusal),
                };
                out.replies.push((reply, answer));
            }
            Input::SchedulerClosed { stream } => self.scheduler_closed(now, &stream, out),
            Input::AgentCall { link, call, reply } => {
                let answer = match self.agent_call(now, link, *call, out) {
                    Ok(()) => Reply::Accepted,
                    Err(refusal) => Reply::Refused(refusal),
                };
                out.replies.extend(reply.map(|reply| (reply, answer)));
            }
            Input::LinkClosed { link } => self.agent_closed(&link, out),
            Input::Rules { acls } => self.acls = acls,
            Input::FirstWeights { weights } => self.first_weights(weights, out),
            Input::StoreAway => self.store_away(now),
            Input::StoreBack => self.store_back(now),
        }
    }

    /// The books of who has what, to look at.
    pub fn allocator(&self) -> &Allocator {
        &self.allocator
    }

    /// Checks what must hold whatever happens: the books of the allocator (I7), and that the kernel's indexes agree.
    ///
    /// # Panics
    /// When it does not.
    pub fn assert_consistent(&self) {
        self.allocator.assert_consistent();
        for (id, framework) in &self.frameworks {
            for (task_id, task) in &framework.tasks {
                let listed = self
                    .agents
                    .get(&task.agent)
                    .is_some_and(|agent| agent.tasks.contains(&(id.clone(), task_id.clone())));
                assert!(listed, "the task {task_id} of {id} is in the list of its agent {}", task.agent);
                assert_eq!(
                    task.outbox.is_some(),
                    framework.undelivered.contains(task_id),
                    "{task_id} of {id} is listed as undelivered"
                );
            }
        }
        for (uuid, operation) in &self.operations {
            let listed = self.agents.get(&operation.agent).is_some_and(|agent| agent.operations.contains(uuid));
            assert_eq!(operation.status.is_none(), listed, "{uuid} is listed at its agent while it is under way");
        }
        let executors: usize = self.frameworks.values().map(|framework| framework.executors.len()).sum();
        let running: usize = self.agents.values().map(|agent| agent.executors.len()).sum();
        assert_eq!(executors, running, "every executor is listed at its framework");
        let tasks: usize = self.frameworks.values().map(|framework| framework.tasks.len()).sum();
        let listed: usize = self.agents.values().map(|agent| agent.tasks.len()).sum();
        assert_eq!(tasks, listed, "agents list no task that is not there");
    }

    fn framework_mut(&mut self, id: &FrameworkId) -> &mut Framework {
        match self.frameworks.get_mut(id) {
            Some(framework) => framework,
            None => unreachable!("the framework {id} was looked up before"),
        }
    }

    fn agent_mut(&mut self, id: &AgentId) -> &mut Agent {
        match self.agents.get_mut(id) {
            Some(agent) => agent,
            None => unreachable!("an agent stays while it has tasks or a link: {id} was looked up before"),
        }
    }

    fn task_mut(&mut self, framework: &FrameworkId, task: &TaskId) -> &mut Task {
        match self.framework_mut(framework).tasks.get_mut(task) {
            Some(task) => task,
            None => unreachable!("the task {task} of {framework} was looked up before"),
        }
    }
}
