//! Scenarios: what people ask for, and what becomes of it.

mod apps;
mod conflicts;
mod draining;
mod failures;
mod frames;
mod groups;
mod health;
mod history;
mod kept;
mod placement;
mod pods;
mod policy;
mod residents;
mod rolling;
mod service_ports;
mod world;
