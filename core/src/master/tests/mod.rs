//! Masters with real listeners and a real private Postgres.

mod harness;
mod lists;
mod metrics;
mod operator;
mod recordings;
mod security;
mod standby;
mod statuses;
mod streams;
mod takeover;
