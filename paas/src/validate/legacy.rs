//! Older spellings of what is built.

use attica_paas_api::app::PortDefinition;
use attica_paas_api::container::Artifact;

use super::{Faults, ROOT};

/// The port definitions, from whichever of `ports` and `portDefinitions` is given. Early reads carried both: that is accepted when
/// they agree. Client libraries that know both write an empty `ports` beside the definitions.
pub(super) fn ports(
    ports: Option<Vec<i64>>,
    definitions: Option<Vec<PortDefinition>>,
    faults: &mut Faults,
) -> Option<Vec<PortDefinition>> {
    match (ports, definitions) {
        (None, definitions) => definitions,
        (Some(ports), None) => Some(ports.into_iter().enumerate().map(named).collect()),
        (Some(ports), Some(definitions)) => {
            if !ports.is_empty() && !ports.iter().eq(definitions.iter().map(|definition| &definition.port)) {
                faults.add("/", "cannot specify both ports and port definitions");
            }
            Some(definitions)
        }
    }
}

fn named((index, port): (usize, i64)) -> PortDefinition {
    let name = if index == 0 { "default".to_owned() } else { format!("default-{index}") };
    PortDefinition { port, protocol: "tcp".to_owned(), name: Some(name), labels: Default::default() }
}

/// What ends the names of the archives that were unpacked before one could say whether they are.
const ARCHIVES: [&str; 7] = [".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz", ".zip"];

/// What is to be fetched, from whichever of `uris` and `fetch` is given. An empty `uris` says nothing.
pub(super) fn artifacts(
    uris: Option<Vec<String>>,
    fetch: Option<Vec<Artifact>>,
    faults: &mut Faults,
) -> Option<Vec<Artifact>> {
    let Some(uris) = uris.filter(|uris| !uris.is_empty()) else { return fetch };
    if fetch.is_some_and(|fetch| !fetch.is_empty()) {
        faults.add(ROOT, "cannot specify both uris and fetch fields");
    }
    let artifact = |uri: String| {
        let extract = ARCHIVES.iter().any(|ending| uri.ends_with(ending));
        Artifact { uri, extract, executable: false, cache: false, dest_path: None }
    };
    Some(uris.into_iter().map(artifact).collect())
}
