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

/// What a new leader knows of unacknowledged statuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Outbox {
    /// All of them.
    #[default]
    Durable,
    /// None of them.
    ForgottenOnFailover,
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
