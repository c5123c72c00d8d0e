use super::{Allocator, ClientIndex};
use crate::{AgentKey, FrameworkKey, Quantities, Role};

/// What a framework asks for beyond its capabilities, and what an agent's place rules out.
impl Allocator {
    /// Bars a framework from agents in one role, as the caller judges them: it is asked about every agent now, and is to tell
    /// of [agents that come or change](Allocator::bar_from_agent). Offers that are out stay. No effect in a role that the
    /// framework is not in.
    pub fn bar_framework(&mut self, framework: FrameworkKey, role: &Role, barred: impl Fn(AgentKey) -> bool) {
        let Some(client) = self.member(framework, role) else { return };
        let agents: Vec<AgentKey> = self.agents.iter().map(|(index, _)| AgentKey(index)).collect();
        for agent in agents {
            self.bar(client, agent, barred(agent));
        }
    }

    /// Bars frameworks from an agent that came or changed: the caller is asked about each role that each framework is in.
    pub fn bar_from_agent(&mut self, agent: AgentKey, barred: impl Fn(FrameworkKey, &Role) -> bool) {
        let clients = self.clients.iter().map(|(index, client)| (index, barred(client.framework, &client.role)));
        let judged: Vec<(ClientIndex, bool)> = clients.collect();
        for (client, barred) in judged {
            self.bar(client, agent, barred);
        }
    }

    /// Sets what the offers of a framework in one role have to hold, one of these at least; `None`: the general minima. No
    /// effect in a role that the framework is not in.
    pub fn set_minimum(&mut self, framework: FrameworkKey, role: &Role, minimum: Option<Vec<Quantities>>) {
        let Some(client) = self.member(framework, role) else { return };
        self.with_own_minimum.set(client, minimum.is_some());
        let before = std::mem::replace(&mut self.clients[client].own_minimum, minimum);
        self.woken |= before != self.clients[client].own_minimum;
    }

    /// Says that an agent is in another region than the master, or that it is not. Only frameworks that are aware of regions
    /// are offered such agents. Offers that are out stay.
    pub fn set_remote(&mut self, agent: AgentKey, remote: bool) {
        self.agents[agent.0].remote = remote;
        self.queue(agent);
    }

    fn bar(&mut self, client: ClientIndex, agent: AgentKey, barred: bool) {
        let place = &mut self.agents[agent.0];
        if barred {
            place.barred.insert(client);
            self.clients[client].barred_agents.insert(agent.0);
        } else if place.barred.remove(client) {
            self.clients[client].barred_agents.remove(agent.0);
            self.queue(agent);
        }
    }

    /// The client's number is about to be somebody else's.
    pub(super) fn forget_barred(&mut self, client: ClientIndex) {
        for agent in std::mem::take(&mut self.clients[client].barred_agents).iter() {
            self.agents[agent].barred.remove(client);
        }
    }
}
