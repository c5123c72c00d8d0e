//! Older spellings of what is built.

use attica_paas_api::app::PortDefinition;

use super::Faults;

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
