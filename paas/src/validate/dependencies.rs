//! Dependencies, written relative to the group of the app or from the root.

use super::{Faults, limits};
use crate::model::RunSpecId;

pub(super) fn absolute(written: Option<Vec<String>>, id: &RunSpecId, faults: &mut Faults) -> Option<Vec<String>> {
    let written = written?;
    if written.len() > limits::DEPENDENCIES_MAX {
        faults.add("/dependencies", format!("must not have more than {} items", limits::DEPENDENCIES_MAX));
    }
    let mut paths = Vec::with_capacity(written.len());
    for (index, path) in written.iter().enumerate() {
        match RunSpecId::parse(&resolve(path, id.parent())) {
            Ok(path) if path == *id => {
                faults.add(format!("/dependencies({index})"), "an app cannot depend on itself");
            }
            Ok(path) => paths.push(path.as_str().to_owned()),
            Err(error) => faults.add(format!("/dependencies({index})"), error.to_string()),
        }
    }
    Some(paths)
}

/// `path` from the root, when it was written in the group `group`.
pub(super) fn resolve(path: &str, group: &str) -> String {
    let start = if path.starts_with('/') { "" } else { group };
    let mut segments: Vec<&str> = Vec::new();
    for segment in start.split('/').chain(path.split('/')) {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name),
        }
    }
    segments.join("/")
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn paths_resolve_against_the_enclosing_group() {
        for (path, group, expected) in [
            ("/db", "/shop", "db"),
            ("db", "/shop", "shop/db"),
            ("../db", "/shop/front", "shop/db"),
            ("../../../db", "/shop", "db"),
            ("./db/", "/", "db"),
        ] {
            assert_eq!(resolve(path, group), expected, "{path} in {group}");
        }
    }
}
