//! Masters with real listeners and a real private Postgres.

mod harness;
mod lists;
mod recordings;
mod standby;
mod streams;
mod takeover;
