//! The realms: what a set of routes asks its callers for.

/// A set of routes that ask for the same proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Realm {
    /// What shows a master's state.
    MasterReadonly,
    /// What changes it: operator calls.
    MasterReadwrite,
    /// The scheduler API.
    MasterScheduler,
    /// The agents' link. Of our own: Mesos's agents do not speak HTTP.
    MasterAgent,
    /// What shows an agent's state.
    AgentReadonly,
    /// What changes it: operator calls.
    AgentReadwrite,
    /// The executor API.
    AgentExecutor,
}

impl Realm {
    /// The name in a challenge.
    pub fn name(self) -> &'static str {
        match self {
            Realm::MasterReadonly => "mesos-master-readonly",
            Realm::MasterReadwrite => "mesos-master-readwrite",
            Realm::MasterScheduler => "mesos-master-scheduler",
            Realm::MasterAgent => "attica-master-agent",
            Realm::AgentReadonly => "mesos-agent-readonly",
            Realm::AgentReadwrite => "mesos-agent-readwrite",
            Realm::AgentExecutor => "mesos-agent-executor",
        }
    }
}
