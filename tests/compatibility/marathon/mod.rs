//! What Marathon's own integration tests assert, over HTTP and the event stream. Each test has a cluster, each scenario apps of its own.

mod applications;
mod client;
mod failures;
mod health;
mod operator;
mod plans;
