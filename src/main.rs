//! The one binary: parses arguments, calls a role.

fn main() {}
