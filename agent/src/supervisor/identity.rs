//! Who the agent is after a restart: the one the master knows, or a new one.

use attica_core_api::resources::from_wire;
use attica_core_api::v1::{AgentId, AgentInfo, Attribute, Range};

use super::Config;
use crate::checkpoint::AgentRecord;

/// Who the agent is.
#[derive(Debug, PartialEq)]
pub(super) enum Identity {
    /// The one that the master knows, if it was ever registered.
    Same(Option<AgentId>),
    /// It is not what it was, and nothing of what it ran runs any more: the master gives it a new id and is told of the old one.
    New { replaces: AgentId },
}

/// The agent cannot take its tasks over: a master would not let it change under them.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this agent is not what its {tasks} checkpointed tasks were started on: {differences}. Start it as it was, with flags in the place of what \
     was detected, and they go on; to change it, drain it first (SIGUSR1)"
)]
pub(crate) struct Incompatible {
    /// Flag by flag.
    pub(crate) differences: String,
    /// How many tasks there are.
    pub(crate) tasks: usize,
}

/// Decides by what was written down, `tasks` tasks among it. A restart of the machine has ended them all.
pub(super) fn identify(record: Option<&AgentRecord>, config: &Config, tasks: usize) -> Result<Identity, Incompatible> {
    let Some(record) = record else { return Ok(Identity::Same(None)) };
    let differences = differences(&record.info, &config.info);
    let rebooted = record.boot_id != config.boot_id;
    match differences.is_empty() {
        true => Ok(Identity::Same(Some(record.agent_id.clone()))),
        false if rebooted || tasks == 0 => {
            tracing::warn!(agent = %record.agent_id, differences, tasks, "the agent is not what it was: it registers as a new one, and its tasks are lost");
            Ok(Identity::New { replaces: record.agent_id.clone() })
        }
        false => Err(Incompatible { differences, tasks }),
    }
}

/// What a master would not accept to change, in words; the port may.
fn differences(earlier: &AgentInfo, now: &AgentInfo) -> String {
    let both = [earlier, now];
    let told = [
        ("--hostname", earlier.hostname != now.hostname, both.map(|info| info.hostname.clone())),
        ("--resources", earlier.resources != now.resources, both.map(resources)),
        ("--attributes", earlier.attributes != now.attributes, both.map(attributes)),
    ];
    let differing = told.into_iter().filter(|(_, differs, _)| *differs);
    let words = differing.map(|(flag, _, [earlier, now])| format!("{flag} was `{earlier}` and is `{now}`"));
    words.collect::<Vec<_>>().join(", ")
}

fn resources(info: &AgentInfo) -> String {
    from_wire(&info.resources).map_or_else(|error| error.to_string(), |resources| resources.to_string())
}

fn attributes(info: &AgentInfo) -> String {
    info.attributes.iter().map(attribute).collect::<Vec<_>>().join(";")
}

/// As `--attributes` has it.
fn attribute(attribute: &Attribute) -> String {
    let text = attribute.text.as_ref().map(|text| text.value.clone());
    let scalar = attribute.scalar.as_ref().map(|scalar| scalar.value.to_string());
    let range = |range: &Range| format!("{}-{}", range.begin, range.end);
    let ranges = attribute.ranges.as_ref().map(|ranges| ranges.range.iter().map(range).collect::<Vec<_>>().join(","));
    let set = attribute.set.as_ref().map(|set| format!("{{{}}}", set.item.join(",")));
    let value = text.or(scalar).or(ranges.map(|ranges| format!("[{ranges}]"))).or(set);
    format!("{}:{}", attribute.name, value.unwrap_or_default())
}
