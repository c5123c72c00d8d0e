//! Files that are brought into the sandbox.

use attica_paas_api::container::Artifact as Written;

use super::{Faults, limits, text};
use crate::model::Artifact;

pub(super) fn artifacts(written: Option<Vec<Written>>, faults: &mut Faults) -> Option<Vec<Artifact>> {
    Some(checked("/fetch", written?, faults))
}

pub(super) fn checked(path: &str, written: Vec<Written>, faults: &mut Faults) -> Vec<Artifact> {
    if written.len() > limits::ARTIFACTS_MAX {
        faults.add(path, format!("must not have more than {} items", limits::ARTIFACTS_MAX));
    }
    for (index, artifact) in written.iter().enumerate() {
        check(&format!("{path}({index})"), artifact, faults);
    }
    let artifacts = written.into_iter().map(|Written { uri, extract, executable, cache, dest_path }| Artifact {
        uri,
        extract,
        executable,
        cache,
        name: dest_path,
    });
    artifacts.collect()
}

/// Whether agents know how to get it. Marathon leaves that to a task that fails, over and over.
fn is_fetched(uri: &str) -> bool {
    match uri.split_once("://") {
        Some((scheme, _)) => ["file", "http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)),
        None => uri.starts_with('/'),
    }
}

fn check(path: &str, artifact: &Written, faults: &mut Faults) {
    let uri = &artifact.uri;
    text::check(&format!("{path}/uri"), uri, limits::URI_LENGTH_MAX, faults);
    if uri.is_empty() || uri.chars().any(|character| character.is_whitespace() || character.is_control()) {
        faults.add(format!("{path}/uri"), "URI has invalid syntax.");
    } else if !is_fetched(uri) {
        let text = "no agent fetches this: file://, http:// and https:// can be had, and absolute paths";
        faults.add(format!("{path}/uri"), text);
    }
    if let Some(name) = &artifact.dest_path {
        let path = format!("{path}/destPath");
        text::check(&path, name, limits::PATH_LENGTH_MAX, faults);
        if name.is_empty() || name.starts_with('/') || name.split('/').any(|segment| segment == "..") {
            faults.add(path, "must be a relative path that stays in the sandbox");
        }
    }
}
