//! Masters with real listeners and a real private Postgres.

mod harness;
mod lists;
mod recordings;
mod streams;
mod takeover;
