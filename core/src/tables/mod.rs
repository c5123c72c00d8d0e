//! The kernel's tables: every committed fact becomes rows here, in the same transaction as its journal entry, and a new leader starts
//! from them. Rows are a function of the facts: [`rows`] folds the facts of a transaction into what changes, [`write`] says it to
//! Postgres in a few multi-row statements, [`load`] reads everything back.

mod load;
mod rows;
mod write;
mod write_operations;

#[cfg(test)]
mod tests;

pub use load::{LoadError, load};
pub use write::KernelTables;
