//! The rows of the allocation benchmark.

pub(crate) mod backlog;
pub(crate) mod declines;
pub(crate) mod one_change;
pub(crate) mod quotas;
pub(crate) mod reservations;
pub(crate) mod sizes;
