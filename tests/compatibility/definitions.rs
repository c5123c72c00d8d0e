//! Marathon's own app definitions: each runs, or is refused with a 422 that names what is not built; none is half obeyed.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::harness::{Cluster, shared};

fn definitions() -> Option<Vec<PathBuf>> {
    let root = shared("data/marathon")?;
    let all =
        ["apps", "docs"].into_iter().flat_map(|folder| fs::read_dir(root.join(folder)).into_iter().flatten().flatten());
    let mut paths: Vec<PathBuf> = all.map(|entry| entry.path()).collect();
    // The documentation's events, fragments and pods are not apps.
    paths.retain(|path| {
        let name = path.to_string_lossy();
        name.contains("/apps/") || name.ends_with("-app.json")
    });
    paths.sort();
    Some(paths)
}

#[test]
fn every_definition_runs_or_is_refused_by_name() {
    let Some(paths) = definitions() else { return };
    let mut cluster = Cluster::start();
    let (mut accepted, mut refused) = (0, 0);
    for path in paths {
        let text = fs::read_to_string(&path).expect("readable");
        let Ok(mut app) = serde_json::from_str::<Value>(&text) else {
            continue;
        };
        // Two definitions share an id, and some ask for more than a test cluster has: what counts is whether every field is obeyed.
        app["id"] = format!("/definition-{}", accepted + refused).into();
        app["instances"] = 0.into();
        let (status, answer) = cluster.request("POST", "/v2/apps", Some(&app));
        match status {
            201 => accepted += 1,
            422 => {
                refused += 1;
                let named = answer["details"].as_array().is_some_and(|details| !details.is_empty());
                assert!(named, "{}: refused without saying why: {answer}", path.display());
            }
            _ => panic!("{}: {status} {answer}", path.display()),
        }
    }
    assert!(accepted > 0 && refused > 0, "{accepted} accepted, {refused} refused");
    cluster.stop_up();
}
