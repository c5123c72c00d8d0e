//! REGISTER, and which of an agent's calls it is.
//!
//! The agent sends a digest of its tasks first. Only when it differs from ours is it asked for the list; until both sides agree the
//! agent gets no offers, so nothing can be launched that would confuse the comparison. An agent that was unreachable is always asked:
//! its tasks are reachable again when it has shown that it hears us.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use attica_allocator::Resources;
use attica_core_api::link::{self, CallType, Register, TaskDigest};
use attica_core_api::v1::{AgentId, AgentInfo, check_id};
use attica_core_api::{Tick, resources};

use super::agent::{Agent, Contact};
use super::constraints::region_of;
use super::timers::Timer;
use super::{CloseReason, Effects, Kernel, LinkId, Now, Refusal, Send, View};
use crate::fact::Fact;
use crate::snapshot::Service;

impl Kernel {
    pub(super) fn agent_call(
        &mut self,
        now: Now,
        link: LinkId,
        call: link::Call,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let registered = match call.r#type {
            CallType::Register => None,
            CallType::Heartbeat
            | CallType::Statuses
            | CallType::Tasks
            | CallType::Message
            | CallType::ExecutorExited
            | CallType::OperationStatus => Some(self.links.get(&link).cloned().ok_or(Refusal::LinkStale)?),
        };
        let Some(id) = registered else {
            let register = call.register.ok_or(Refusal::LinkMalformed("register"))?;
            self.register(now, link, register, out);
            return Ok(());
        };
        self.hear(now, &id);
        let agent = self.agent_mut(&id);
        let comparing = matches!(agent.contact, Contact::Comparing(_));
        match call.r#type {
            CallType::Register => {}
            // The list was asked for and has not come: it may have got lost. Or there was something in it that had to go.
            CallType::Heartbeat if comparing => self.tell(&link, link::Event::list_tasks(self.config.epoch), out),
            CallType::Heartbeat => {}
            CallType::Statuses => {
                let statuses = call.statuses.ok_or(Refusal::LinkMalformed("statuses"))?;
                self.statuses(now, &id, &link, statuses.updates, out);
            }
            // A repeated list may be older than what was launched since.
            CallType::Tasks if !comparing => {}
            CallType::Tasks => {
                let tasks = call.tasks.ok_or(Refusal::LinkMalformed("tasks"))?;
                self.tasks_listed(now, &id, &link, &tasks.tasks, out);
            }
            CallType::Message => {
                let message = call.message.ok_or(Refusal::LinkMalformed("message"))?;
                self.message_to_framework(&id, message, out);
            }
            CallType::ExecutorExited => {
                let exited = call.executor_exited.ok_or(Refusal::LinkMalformed("executor_exited"))?;
                self.executor_exited(&id, exited, out);
            }
            CallType::OperationStatus => {
                let status = call.operation_status.ok_or(Refusal::LinkMalformed("operation_status"))?;
                self.operation_answered(now, &id, status, out);
            }
        }
        Ok(())
    }

    fn register(&mut self, now: Now, link: LinkId, register: Register, out: &mut Effects) {
        if let Some(why) = self.unwanted(&register.agent_info) {
            return self.turn_away(link, why, out);
        }
        let (total, digest) = match self.check_register(&register) {
            Ok(checked) => checked,
            Err(reason) => {
                out.sends.push(Send::CloseAgent { link, reason });
                return;
            }
        };
        let Register { mut agent_info, version, boot_id, replaces, executors, .. } = register;
        let inherited = replaces.map(|earlier| self.replace_agent(now, &earlier, out)).unwrap_or_default();
        let id = match agent_info.id.take().filter(|id| !id.as_str().is_empty()) {
            Some(id) => id,
            None => self.new_agent_id(),
        };
        agent_info.id = Some(id.clone());
        let before = self.meet(now, &id, &link, agent_info.clone(), &total, out);
        out.facts.push(Fact::AgentRegistered { info: Box::new(agent_info), version, boot_id, at: now.wall });
        self.inherit(&id, inherited, out);
        self.hear_executors(&id, executors);
        // Its next heartbeat comes too late to prove that it hears us: it is made to say something now.
        let heartbeat_at = now.tick.after(2 * self.config.agent_heartbeat_ms);
        let agent = self.agent_mut(&id);
        let late = agent.silent_at() <= heartbeat_at;
        let doubtful = late || (before == Contact::Unreachable && !agent.tasks.is_empty());
        let matches = agent.digest == digest && !doubtful;
        let registered = link::Registered {
            agent_id: id.clone(),
            master_id: self.config.master_info.id.clone(),
            heartbeat_ms: self.config.agent_heartbeat_ms,
            missed_limit: self.config.agent_missed_limit,
            digest_matches: matches,
        };
        self.tell(&link, link::Event::registered(self.config.epoch, registered), out);
        match matches {
            true => {
                self.settle_tasks(now, &id, &link, None, out);
                self.admit_agent(&id, &link, out);
            }
            false => self.tell(&link, link::Event::list_tasks(self.config.epoch), out),
        }
    }

    /// Why an agent is not let in, whatever it says.
    fn unwanted(&self, info: &AgentInfo) -> Option<&'static str> {
        let known = info.id.as_ref().and_then(|id| self.agents.get(id));
        let gone = known.is_some_and(Agent::is_gone);
        match (gone, self.machines.is_down(info)) {
            (true, _) => Some("Agent has been marked gone"),
            (false, true) => Some("Machine is DOWN"),
            (false, false) => None,
        }
    }

    fn check_register(&self, register: &Register) -> Result<(Resources, TaskDigest), CloseReason> {
        if register.epoch > self.config.epoch {
            return Err(CloseReason::Deposed { seen: register.epoch, ours: self.config.epoch });
        }
        let info = &register.agent_info;
        // They become text in the database, which does not take everything.
        let names = info.id.iter().map(AgentId::as_str).chain([register.version.as_str(), &register.boot_id]);
        for name in names.filter(|name| !name.is_empty()) {
            check_id(name).map_err(|error| CloseReason::Invalid(format!("its id, version or boot id: {error}")))?;
        }
        let total = resources::from_wire(&info.resources).map_err(|error| CloseReason::Invalid(error.to_string()))?;
        if let Some(region) = region_of(info.domain.as_ref()).filter(|_| self.config.master_info.domain.is_none()) {
            let reason =
                format!("it stands in region '{region}', and this master does not know where it stands itself");
            return Err(CloseReason::Invalid(reason));
        }
        if self.config.require_agent_domain && region_of(info.domain.as_ref()).is_none() {
            let reason = "it does not say in which fault domain it stands (--domain), and this master requires it";
            return Err(CloseReason::Invalid(reason.to_owned()));
        }
        let digest = register.digest().ok_or_else(|| CloseReason::Invalid("a digest has 16 bytes".to_owned()))?;
        let used = info.id.as_ref().map(|id| self.used_on(id)).unwrap_or_default();
        let earlier = info.id.as_ref().or(register.replaces.as_ref()).and_then(|id| self.agents.get(id));
        let shaped = earlier.map(|agent| agent.shaped.clone()).unwrap_or_default();
        match total.reshaped(&shaped) {
            Some(total) if total.contains(&used) => Ok((total, digest)),
            Some(total) => Err(CloseReason::TooSmall { total, used }),
            None => Err(CloseReason::TooSmall { total, used: shaped }),
        }
    }

    /// What the executors of an agent use, and those of its tasks that have not ended.
    fn used_on(&self, id: &AgentId) -> Resources {
        let mut used = Resources::new();
        for (framework, task) in self.agents.get(id).into_iter().flat_map(|agent| &agent.tasks) {
            let task = self.frameworks.get(framework).and_then(|framework| framework.tasks.get(task));
            task.filter(|task| !task.is_terminal()).into_iter().for_each(|task| used.add(&task.resources));
        }
        let executors = self.agents.get(id).into_iter().flat_map(|agent| agent.executors.values());
        executors.for_each(|executor| used.add(&executor.resources));
        used
    }

    /// A call on a link shows that the agent hears what is said there. A registration alone does not: it takes one direction only, and
    /// an agent that cannot be told anything is not reachable.
    fn hear(&mut self, now: Now, id: &AgentId) {
        let patience_ms = self.config.agent_silence_ms();
        let agent = self.agent_mut(id);
        agent.heard = now.tick;
        if agent.patience_ms != patience_ms {
            agent.patience_ms = patience_ms;
            self.timers.set(now.tick.after(patience_ms), Timer::AgentSilent(id.clone()));
        }
    }

    /// The agent is on this link now; returns what it was before.
    fn meet(
        &mut self,
        now: Now,
        id: &AgentId,
        link: &LinkId,
        info: AgentInfo,
        total: &Resources,
        out: &mut Effects,
    ) -> Contact {
        let info = Arc::new(info);
        let patience_ms = self.config.agent_silence_ms();
        let agent = self.agents.entry(id.clone()).or_insert_with(|| Agent {
            id: id.clone(),
            info: Arc::clone(&info),
            contact: Contact::Unreachable,
            service: Service::Active,
            heard: Tick::default(),
            patience_ms,
            forget_at: Tick::default(),
            key: None,
            tasks: BTreeSet::new(),
            digest: TaskDigest::default(),
            executors: BTreeMap::new(),
            reported: BTreeSet::new(),
            shaped: Resources::new(),
            operations: BTreeSet::new(),
        });
        let changed = agent.info.attributes != info.attributes || agent.info.hostname != info.hostname;
        agent.info = info;
        let before = std::mem::replace(&mut agent.contact, Contact::Comparing(link.clone()));
        if before == Contact::Unreachable {
            self.forget_no_more(id);
            let agent = self.agent_mut(id);
            agent.heard = now.tick;
            agent.patience_ms = patience_ms;
            self.timers.set(now.tick.after(patience_ms), Timer::AgentSilent(id.clone()));
        }
        self.links.insert(link.clone(), id.clone());
        match &before {
            Contact::Comparing(old) | Contact::Connected(old) => {
                if old != link {
                    self.links.remove(old);
                    out.sends.push(Send::CloseAgent { link: old.clone(), reason: CloseReason::Replaced });
                }
                self.withdraw_agent(id, out);
                self.update_agent(id, total);
            }
            Contact::Away => self.update_agent(id, total),
            Contact::Unreachable => self.add_agent(id, total),
        }
        let key = self.agent_mut(id).key;
        if let Some(key) = key.filter(|_| changed) {
            // What frameworks refused was another agent.
            self.allocator.forget_refusals(key);
        }
        self.apply_constraints(id);
        before
    }

    /// Both sides know the same tasks: the agent takes part.
    pub(super) fn admit_agent(&mut self, id: &AgentId, link: &LinkId, out: &mut Effects) {
        let agent = self.agent_mut(id);
        agent.contact = Contact::Connected(link.clone());
        let draining = agent.is_draining();
        if let Some(key) = agent.key.filter(|_| agent.service == Service::Active) {
            self.allocator.activate_agent(key);
        }
        if draining {
            self.perhaps_drained.insert(id.clone());
        }
        self.recovering.remove(id);
        out.view.push(View::AgentConnected { agent: id.clone() });
    }

    pub(super) fn tell(&self, link: &LinkId, event: link::Event, out: &mut Effects) {
        out.sends.push(Send::Agent { link: link.clone(), event: Box::new(event) });
    }

    fn new_agent_id(&mut self) -> AgentId {
        let number = self.next_agent;
        self.next_agent += 1;
        AgentId::new(format!("{}-S{number}", self.config.master_info.id))
    }
}
