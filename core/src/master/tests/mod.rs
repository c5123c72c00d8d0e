//! Masters with real listeners and a real private Postgres.

mod harness;
mod idle;
mod lists;
mod metrics;
mod operator;
mod orders;
mod recordings;
mod security;
mod session;
mod standby;
mod statuses;
mod streams;
mod takeover;
mod watching;
