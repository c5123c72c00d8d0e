//! From one set of definitions to another: the plan, and what may be started and killed at each moment of it.

mod plan;
mod rolling;
#[cfg(test)]
mod tests;
mod victims;

pub use plan::{Cycle, Place, Planned, layers, steps};
pub use rolling::{Leeway, RollingStep, Standing, maximum_instances, minimum_ready, rolling_step};
pub use victims::victims;
