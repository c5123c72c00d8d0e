//! The service layer's tables: every committed fact becomes rows here, in the same transaction as its journal entry, and a new leader
//! starts from them. Rows are a function of the facts: [`rows`] folds a batch of them into what changes, [`write`] says it to
//! Postgres, [`load`] reads everything back. Who did what is not read back, but looked up where it lies ([`audit`]).

mod audit;
mod load;
mod recorded;
mod rows;
mod write;

#[cfg(test)]
pub(crate) mod tests;

pub use audit::{AuditFilter, AuditLog};
pub use load::{LoadError, load, load_definitions};
pub use recorded::{StoredFrame, decode_frames};
pub use write::PaasTables;
