//! Scenarios: what people ask for, and what becomes of it.

mod apps;
mod world;
