//! Scenarios: what people ask for, and what becomes of it.

mod apps;
mod conflicts;
mod draining;
mod failures;
mod frames;
mod health;
mod history;
mod placement;
mod pods;
mod rolling;
mod service_ports;
mod world;
