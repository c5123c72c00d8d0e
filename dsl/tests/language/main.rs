//! The config language from outside: what files mean, what users are told, what harm is refused.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on stops, and says why it skips")]

mod corpus;
mod editor;
mod error_cases;
mod errors;
mod examples;
mod fixes;
mod format;
mod fuzz;
mod hostile;
mod lint;
mod products;
mod python;
mod schema;

use std::path::{Path, PathBuf};

/// The public configurations with their known meaning, if this machine has them.
fn public_data() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("ATTICA_SHARED").map_or(default, PathBuf::from);
    let data = shared.join("data/aurora");
    let found = data.is_dir();
    if !found {
        println!("skipped: no {} (set ATTICA_SHARED)", data.display());
    }
    found.then_some(data)
}
