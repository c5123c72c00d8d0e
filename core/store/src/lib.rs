//! The durable half of every leader: what a core has decided goes through this crate into Postgres, and only then is
//! it visible to anybody. Master and paas use it alike; the facts and the tables are theirs.
//!
//! Code map: [`database`] says where Postgres is; [`election`] decides who leads; [`lead`] has the names and numbers
//! that leadership is made of; [`writer`] commits batches of facts, many per transaction, fenced by the lead;
//! [`journal`] reads the facts back and forgets the oldest; [`migrations`] brings the schema up to date;
//! [`private_postgres`] and [`private_zookeeper`] run servers of our own, for a cluster on one machine and for tests.
//!
//! Architecture invariants: nothing of an epoch is written after a later epoch began (the fence, first in every
//! transaction). A batch is committed exactly once even when the answer to its commit is lost, and batches come out
//! in the order in which they went in. This crate knows no fact by name and no table but `lead` and `journal`.
//!
//! Durable: the `lead` row of each role, the `journal`, and, in the same transaction, whatever tables a core keeps.
//! The queue in front of the writer is not: what is in it has been promised to nobody.

pub mod database;
pub mod election;
pub mod journal;
pub mod lead;
pub mod migrations;
pub mod private_postgres;
pub mod private_zookeeper;
#[cfg(test)]
mod testing;
pub mod writer;

pub use database::Database;
pub use lead::{Epoch, Lead, LeaderRole, Position};
pub use private_postgres::{PrivatePostgres, PrivatePostgresError, PrivatePostgresOptions};
pub use private_zookeeper::{PrivateZooKeeper, PrivateZooKeeperError};
pub use writer::{Batch, Committed, Fact, Tables, Transaction, Writer, WriterHandle};
