//! Who may import whom: the house plan as a test over `cargo metadata`.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// The arrows that are allowed, by package; nothing else of ours may be a dependency (build and development ones included).
/// The root package (the binary and the whole-system tests) may see everything and is not listed.
const ALLOWED: &[(&str, &[&str])] = &[
    ("attica-allocator", &[]),
    ("attica-core-api", &["attica-allocator"]),
    ("attica-core-store", &["attica-core-api"]),
    ("attica-core", &["attica-allocator", "attica-core-api", "attica-core-store"]),
    ("attica-agent", &["attica-core-api"]),
    ("attica-paas-api", &[]),
    ("attica-dsl", &["attica-paas-api"]),
    ("attica-web", &[]),
    ("attica-paas", &["attica-core-api", "attica-core-store", "attica-paas-api"]),
];

fn our_dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let ours = package["dependencies"].as_array().expect("dependencies").iter();
            let ours = ours.filter(|dependency| dependency["path"].is_string());
            let ours = ours.filter_map(|dependency| dependency["name"].as_str()).map(str::to_owned);
            (package["name"].as_str().expect("name").to_owned(), ours.collect())
        })
        .collect()
}

#[test]
fn no_arrow_beyond_the_plan() {
    for (package, dependencies) in our_dependencies() {
        if package == "attica" {
            continue;
        }
        let allowed = ALLOWED.iter().find(|(name, _)| *name == package);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{package} is not in the plan: add it, with its arrows"));
        for dependency in dependencies {
            assert!(allowed.contains(&dependency.as_str()), "{package} may not import {dependency}");
        }
    }
}

#[test]
fn every_planned_package_exists() {
    let packages = our_dependencies();
    for (package, _) in ALLOWED {
        assert!(packages.contains_key(*package), "{package} is in the plan but not in the workspace");
    }
}
