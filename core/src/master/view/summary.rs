//! `/state-summary`: agents and frameworks with the number of their tasks in each state, in place of the tasks.

use std::collections::{BTreeMap, BTreeSet};

use attica_core_api::v1::{AgentId, FrameworkId, TaskState};
use serde_json::{Map, Value};

use super::agent::{Contact, Detail};
use super::task::members;
use super::{Document, ReadModel};

/// The states that are counted, in Mesos's order.
const COUNTED: [TaskState; 10] = [
    TaskState::Staging,
    TaskState::Starting,
    TaskState::Running,
    TaskState::Killing,
    TaskState::Finished,
    TaskState::Killed,
    TaskState::Failed,
    TaskState::Lost,
    TaskState::Error,
    TaskState::Unreachable,
];

/// The tasks of an agent or a framework.
#[derive(Default)]
struct Tally<'m> {
    states: BTreeMap<TaskState, u64>,
    /// The other side: whose tasks they are, or where.
    others: BTreeSet<&'m str>,
}

impl<'m> Tally<'m> {
    fn add(&mut self, state: TaskState, other: &'m str) {
        *self.states.entry(state).or_default() += 1;
        self.others.insert(other);
    }

    /// As members, the list of the others under `name`.
    fn members(&self, name: &str) -> String {
        let count = |state: TaskState| Value::from(self.states.get(&state).copied().unwrap_or(0));
        let mut map: Map<String, Value> =
            COUNTED.iter().map(|state| (state.name().to_owned(), count(*state))).collect();
        map.insert(name.to_owned(), self.others.iter().copied().map(Value::from).collect());
        members(&map)
    }
}

impl ReadModel {
    /// The members `slaves` and `frameworks`.
    pub(in crate::master) fn summary(&self, document: &mut Document) {
        let mut model = self.lock();
        let shells: Vec<_> = model
            .agents
            .iter_mut()
            .filter(|(_, agent)| matches!(agent.contact, Contact::Connected | Contact::Disconnected))
            .map(|(id, agent)| (id.clone(), agent.render(Detail::Summary)))
            .collect();
        let mut by_agent: BTreeMap<&AgentId, Tally<'_>> = BTreeMap::new();
        let mut by_framework: BTreeMap<&FrameworkId, Tally<'_>> = BTreeMap::new();
        for task in model.tasks.values() {
            by_agent.entry(&task.agent).or_default().add(task.state(), task.framework.as_str());
            by_framework.entry(&task.framework).or_default().add(task.state(), task.agent.as_str());
        }
        document.open_list("slaves");
        for (id, shell) in shells {
            let tally = by_agent.remove(&id).unwrap_or_default();
            // The shell is an object: what is added comes before its closing brace.
            let shell = shell.strip_suffix('}').unwrap_or(&shell);
            document.element(format!("{shell},{}}}", tally.members("framework_ids")).into());
        }
        document.close();
        document.open_list("frameworks");
        for (id, framework) in model.frameworks.iter().filter(|(_, framework)| !framework.is_removed()) {
            let tally = by_framework.remove(id).unwrap_or_default();
            document.element(format!("{{{},{}}}", framework.shell(), tally.members("slave_ids")).into());
        }
        document.close();
    }
}
