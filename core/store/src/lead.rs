//! The names and numbers that leadership is made of.

use std::fmt;

/// What there is one leader of: each role has its own `lead` row, positions and journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LeaderRole {
    /// The kernel.
    Master,
    /// The service scheduler.
    Paas,
}

impl LeaderRole {
    /// The value of the `role` columns.
    pub fn as_str(self) -> &'static str {
        match self {
            LeaderRole::Master => "master",
            LeaderRole::Paas => "paas",
        }
    }
}

impl fmt::Display for LeaderRole {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Counts the leaders a role has had; a higher epoch fences a lower one. The first leader has epoch 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub i64);

impl fmt::Display for Epoch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The place of a fact in the history of its role: the first is 1, the next one more, without gaps, across leaders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Position(pub i64);

impl Position {
    /// Before the first fact.
    pub const START: Position = Position(0);

    /// The position `count` facts later.
    pub fn after(self, count: usize) -> Position {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        Position(self.0.saturating_add(count))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A won election, in numbers: the tables hold the fold of all facts up to `seq`, and nobody but the winner can add more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lead {
    /// What is led.
    pub role: LeaderRole,
    /// The winner's epoch.
    pub epoch: Epoch,
    /// The position of the last fact that was written.
    pub seq: Position,
}
