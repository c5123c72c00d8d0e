//! The agent: runs tasks in cgroups and tells how they fare.

pub mod launcher;

/// An error with its causes on one line.
fn error_chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
