//! Inverse offers: an agent is to go away for a while, and the frameworks that use it are asked to give it back in time.
//!
//! Nothing of it is durable: what is scheduled is, and from that a new leader asks anew. An inverse offer takes nothing away; the answer
//! is only shown to operators.

use std::collections::{BTreeMap, BTreeSet};

use attica_core_api::scheduler::Event;
use attica_core_api::v1::{AgentId, Filters, FrameworkId, InverseOffer, OfferId};
use attica_core_api::{Tick, Timestamp};

use super::decline::refuse_ms;
use super::offers::agent_url;
use super::timers::Timer;
use super::{Effects, Kernel, Now, Send, View};

/// How a framework has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It will be gone by then.
    Accepted,
    /// It will not.
    Declined,
}

/// What operators are shown of all this.
#[derive(Clone, Debug, PartialEq)]
pub enum Asking {
    /// An agent's users are asked as if they had never been.
    Anew {
        /// The agent.
        agent: AgentId,
    },
    /// An inverse offer is out.
    Asked(Box<InverseOffer>),
    /// It was answered.
    Answered {
        /// The agent.
        agent: AgentId,
        /// By whom.
        framework: FrameworkId,
        /// How.
        answer: Answer,
        /// When.
        at: Timestamp,
    },
    /// It is out no longer: answered, rescinded or dropped.
    Over {
        /// Who got it.
        framework: FrameworkId,
        /// Its id.
        offer: OfferId,
    },
}

/// An inverse offer that is out.
#[derive(Debug)]
pub(super) struct Asked {
    framework: FrameworkId,
    agent: AgentId,
}

/// What is known of inverse offers.
#[derive(Debug, Default)]
pub(super) struct Inverse {
    /// Not durable. By number.
    asked: BTreeMap<u64, Asked>,
    next: u64,
    /// Not durable. Whom not to ask again before then.
    silence: BTreeMap<(AgentId, FrameworkId), Tick>,
}

impl Kernel {
    /// What is planned for an agent has changed: what its users were asked is void, and they are asked anew.
    pub(super) fn ask_anew(&mut self, now: Now, id: &AgentId, out: &mut Effects) {
        self.rescind_inverse(id, out);
        self.inverse.silence.retain(|(agent, _), _| agent != id);
        out.view.push(View::InverseOffer(Asking::Anew { agent: id.clone() }));
        self.ask_to_leave(now, id, out);
    }

    /// Asks every framework that uses an agent which is to go away, and has not been asked.
    pub(super) fn ask_to_leave(&mut self, now: Now, id: &AgentId, out: &mut Effects) {
        let Some(agent) = self.agents.get(id) else { return };
        let Some(unavailability) = self.machines.unavailability(&agent.info).cloned() else { return };
        let users: BTreeSet<FrameworkId> = agent.tasks.iter().map(|(framework, _)| framework.clone()).collect();
        let url = agent_url(&agent.info);
        for framework in users {
            let Some(stream) = self.frameworks.get(&framework).and_then(|framework| framework.stream()).cloned() else {
                continue;
            };
            let name = (id.clone(), framework.clone());
            let silent = self.inverse.silence.get(&name).is_some_and(|until| *until > now.tick);
            let out_already =
                self.inverse.asked.values().any(|asked| asked.agent == *id && asked.framework == framework);
            if silent || out_already {
                continue;
            }
            let number = self.inverse.next;
            self.inverse.next += 1;
            self.inverse.asked.insert(number, Asked { framework: framework.clone(), agent: id.clone() });
            let offer = InverseOffer {
                id: self.inverse_id(number),
                url: Some(url.clone()),
                framework_id: framework.clone(),
                agent_id: Some(id.clone()),
                unavailability: unavailability.clone(),
                ..InverseOffer::default()
            };
            out.view.push(View::InverseOffer(Asking::Asked(Box::new(offer.clone()))));
            out.sends.push(Send::scheduler(stream, Event::inverse_offers(vec![offer])));
        }
    }

    /// ACCEPT_INVERSE_OFFERS and DECLINE_INVERSE_OFFERS. Those that are not (or no longer) this framework's are passed over. It is not
    /// asked again before its filter has run out.
    pub(super) fn answer_inverse(
        &mut self,
        now: Now,
        framework: &FrameworkId,
        ids: &[OfferId],
        filters: Option<&Filters>,
        answer: Answer,
        out: &mut Effects,
    ) {
        let until = now.tick.after(refuse_ms(filters));
        for id in ids {
            let Some(number) = self.inverse_number(id) else { continue };
            let theirs = self.inverse.asked.get(&number).is_some_and(|asked| asked.framework == *framework);
            let Some(asked) = theirs.then(|| self.inverse.asked.remove(&number)).flatten() else { continue };
            self.inverse.silence.insert((asked.agent.clone(), framework.clone()), until);
            self.timers.set(until, Timer::AskToLeave(asked.agent.clone()));
            let framework = framework.clone();
            out.view.push(View::InverseOffer(Asking::Over { framework: framework.clone(), offer: id.clone() }));
            out.view.push(View::InverseOffer(Asking::Answered { agent: asked.agent, framework, answer, at: now.wall }));
        }
    }

    /// The scheduler is another one, or gone: what it was asked is void.
    pub(super) fn drop_inverse(&mut self, framework: &FrameworkId, out: &mut Effects) {
        for number in self.asked(|asked| asked.framework == *framework) {
            self.inverse.asked.remove(&number);
            let offer = self.inverse_id(number);
            out.view.push(View::InverseOffer(Asking::Over { framework: framework.clone(), offer }));
        }
        self.inverse.silence.retain(|(_, asked), _| asked != framework);
    }

    /// A new scheduler is asked as if it had never been.
    pub(super) fn ask_framework(&mut self, now: Now, framework: &FrameworkId, out: &mut Effects) {
        let leaving = self.agents.iter().filter(|(_, agent)| self.machines.unavailability(&agent.info).is_some());
        let leaving = leaving.filter(|(_, agent)| agent.tasks.iter().any(|(owner, _)| owner == framework));
        let leaving: Vec<AgentId> = leaving.map(|(id, _)| id.clone()).collect();
        for agent in &leaving {
            self.ask_to_leave(now, agent, out);
        }
    }

    /// Nobody is asked to leave the agent any more.
    pub(super) fn rescind_inverse(&mut self, agent: &AgentId, out: &mut Effects) {
        for number in self.asked(|asked| asked.agent == *agent) {
            let Some(asked) = self.inverse.asked.remove(&number) else { continue };
            let id = self.inverse_id(number);
            if let Some(stream) = self.frameworks.get(&asked.framework).and_then(|framework| framework.stream()) {
                out.sends.push(Send::scheduler(stream.clone(), Event::rescind_inverse_offer(id.clone())));
            }
            out.view.push(View::InverseOffer(Asking::Over { framework: asked.framework, offer: id }));
        }
    }

    fn asked(&self, which: impl Fn(&Asked) -> bool) -> Vec<u64> {
        self.inverse.asked.iter().filter(|(_, asked)| which(asked)).map(|(number, _)| *number).collect()
    }

    fn inverse_id(&self, number: u64) -> OfferId {
        OfferId::new(format!("{}-I{number}", self.config.master_info.id))
    }

    fn inverse_number(&self, id: &OfferId) -> Option<u64> {
        let number = id.as_str().strip_prefix(self.config.master_info.id.as_str())?.strip_prefix("-I")?;
        number.parse().ok().filter(|number| self.inverse_id(*number) == *id)
    }
}
