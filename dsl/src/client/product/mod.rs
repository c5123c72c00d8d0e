//! `attica config apply`, `diff` and `export`: a file against what runs.

mod apply;
mod export;
mod plan;

pub use apply::{Apply, Diff};
pub use export::Export;
