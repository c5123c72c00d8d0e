//! The lists of the operator API.

use attica_core_api::operator::{Executor, Framework, ResponseType};
use attica_core_api::v1::{AgentId, AgentInfo};

use super::agent::{Contact, ExecutorView};
use super::parts::{Content, Fragment, Member};
use super::task::Section;
use super::{Model, ReadModel};

/// The lists there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::master) enum Listing {
    State,
    Agents,
    Frameworks,
    Executors,
    Tasks,
}

impl Listing {
    /// The type of the answer, its member, and that member's number.
    fn place(self) -> (ResponseType, &'static str, u32) {
        match self {
            Listing::State => (ResponseType::GetState, "get_state", 9),
            Listing::Agents => (ResponseType::GetAgents, "get_agents", 10),
            Listing::Frameworks => (ResponseType::GetFrameworks, "get_frameworks", 11),
            Listing::Executors => (ResponseType::GetExecutors, "get_executors", 12),
            Listing::Tasks => (ResponseType::GetTasks, "get_tasks", 13),
        }
    }
}

impl ReadModel {
    /// A list as the answer to a call.
    pub(in crate::master) fn listing(&self, listing: Listing) -> Vec<Member> {
        let (kind, name, tag) = listing.place();
        let kind = Content::Enum(kind.name(), kind.number().unsigned_abs());
        let members = self.lock().members(listing);
        vec![Member { name: "type", tag: 1, content: kind }, Member::parts(name, tag, members)]
    }
}

impl Model {
    /// The members of a list.
    pub(super) fn members(&mut self, listing: Listing) -> Vec<Member> {
        match listing {
            Listing::State => vec![
                Member::parts("get_tasks", 1, self.members(Listing::Tasks)),
                Member::parts("get_executors", 2, self.members(Listing::Executors)),
                Member::parts("get_frameworks", 3, self.members(Listing::Frameworks)),
                Member::parts("get_agents", 4, self.members(Listing::Agents)),
            ],
            Listing::Agents => self.agent_members(),
            Listing::Frameworks => self.framework_members(),
            Listing::Executors => self.executor_members(),
            Listing::Tasks => {
                let list = |name, tag, section| {
                    let tasks = self.tasks.values().filter(|task| task.section() == section);
                    Member::many(name, tag, tasks.map(|task| task.wire()).collect())
                };
                vec![
                    list("tasks", 2, Section::Tasks),
                    list("unreachable_tasks", 5, Section::Unreachable),
                    list("completed_tasks", 3, Section::Completed),
                ]
            }
        }
    }

    fn executor_members(&self) -> Vec<Member> {
        let executors =
            self.agents.iter().flat_map(|(agent, view)| view.executors.values().map(move |one| (agent, one)));
        let fragment = |(agent, executor): (&AgentId, &ExecutorView)| {
            let message = Executor { executor_info: executor.info.clone(), agent_id: agent.clone() };
            Fragment::of::<Executor>(&message)
        };
        vec![Member::many("executors", 1, executors.map(fragment).collect())]
    }

    fn agent_members(&mut self) -> Vec<Member> {
        let (mut agents, mut recovered) = (Vec::new(), Vec::new());
        for agent in self.agents.values_mut() {
            match agent.contact {
                Contact::Connected | Contact::Disconnected => agents.push(agent.wire()),
                Contact::Recovered => recovered.push(Fragment::of::<AgentInfo>(agent.info())),
                Contact::Unreachable => {}
            }
        }
        vec![Member::many("agents", 1, agents), Member::many("recovered_agents", 2, recovered)]
    }

    fn framework_members(&self) -> Vec<Member> {
        let list = |removed| {
            let listed = self.frameworks.values().filter(move |framework| framework.is_removed() == removed);
            listed.map(|framework| Fragment::of::<Framework>(&framework.message(&self.agents))).collect()
        };
        vec![Member::many("frameworks", 1, list(false)), Member::many("completed_frameworks", 2, list(true))]
    }
}
