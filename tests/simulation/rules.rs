//! Rules that can be broken on purpose, to see whether the simulator notices.

/// One choice per rule; the default is the right one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) release: Release,
    pub(crate) outbox: Outbox,
    pub(crate) epochs: Epochs,
    /// When the service layer calls the master and answers its clients.
    pub(crate) paas_release: Release,
    pub(crate) capacity: Capacity,
    pub(crate) instances: Instances,
    pub(crate) ends: Ends,
    pub(crate) resume: Resume,
    pub(crate) tables: Tables,
    pub(crate) deadlines: Deadlines,
    pub(crate) doubt: Doubt,
    pub(crate) removals: Removals,
    pub(crate) promises: Promises,
    pub(crate) volumes: Volumes,
    pub(crate) groups: Groups,
}

/// When a shell lets out what its core said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Release {
    /// When the facts, and all earlier ones, are committed.
    #[default]
    AfterCommit,
    /// At once.
    BeforeCommit,
}

/// Which unacknowledged statuses a leader delivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Outbox {
    /// All of them.
    #[default]
    Delivered,
    /// Only those that it took itself.
    NewOnly,
}

/// What an agent does with a message of an epoch below the highest that it has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Epochs {
    /// Refuses it.
    #[default]
    Checked,
    /// Obeys it, on whatever stream it comes.
    Ignored,
}

/// What the service layer's planner knows of minimumHealthCapacity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Capacity {
    /// What the definition says.
    #[default]
    Kept,
    /// Nothing: what clients ask for is lost on its way to the engine.
    Ignored,
}

/// How many instances the service layer's engine makes where the plan wants one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Instances {
    /// One.
    #[default]
    Planned,
    /// One too many.
    Twins,
}

/// What the service layer's engine hears of the end of tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ends {
    /// What the master says.
    #[default]
    Told,
    /// Nothing: the shell acknowledges it and keeps it to itself.
    Withheld,
}

/// Where an event stream goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Resume {
    /// After the event that the client names.
    #[default]
    Exact,
    /// With that event.
    Repeating,
    /// Without the events of the next fact.
    Skipping,
}

/// Which facts become rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tables {
    /// All that the tables keep.
    #[default]
    Complete,
    /// Not that an agent is unreachable.
    WithoutUnreachableAgents,
    /// Not how failures slow a run spec down.
    WithoutDelays,
}

/// What becomes of a master's deadlines while nobody can come back to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Deadlines {
    /// They do not pass.
    #[default]
    Held,
    /// They do: the kernel is not told that its store is away.
    Passing,
}

/// What a master does whose lease has run out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It says nothing and begins nothing.
    #[default]
    Heeded,
    /// It goes on.
    Ignored,
}

/// What the load balancer acknowledges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Removals {
    /// What its routes in use show.
    #[default]
    Done,
    /// What it has heard of.
    Promised,
}

/// What a kernel hears of what operators promise roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Promises {
    /// All of it.
    #[default]
    Heard,
    /// The limits alone.
    Unheard,
}

/// Which volumes the service layer's engine notes for an instance that comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Volumes {
    /// Its own.
    #[default]
    Kept,
    /// Others.
    Exchanged,
}

/// What the service layer launches of a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Groups {
    /// All of it.
    #[default]
    Whole,
    /// All but one container.
    Halved,
}
