//! Scenarios: what people ask for, and what becomes of it.

mod apps;
mod conflicts;
mod draining;
mod failures;
mod forecasts;
mod frames;
mod groups;
mod health;
mod history;
mod kept;
mod own_events;
mod placement;
mod pods;
mod policy;
mod queue;
mod residents;
mod roles;
mod rolling;
mod service_ports;
mod world;
