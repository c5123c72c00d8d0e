//! Who the agent is after a restart: the one the master knows, or a new one.

use attica_core_api::resources::from_wire;
use attica_core_api::v1::{AgentId, AgentInfo, Attribute, Range, Resource};

use super::Config;
use crate::checkpoint::Past;

/// Who the agent is.
#[derive(Debug, PartialEq)]
pub(super) enum Identity {
    /// The one that the master knows, if it was ever registered.
    Same(Option<AgentId>),
    /// It is not what it was, and nothing of what it ran runs any more: the master gives it a new id and is told of the old one.
    New { replaces: AgentId },
}

/// The agent cannot take over what it keeps: a master would not let it change under that.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this agent keeps {tasks} checkpointed tasks and {volumes} persistent volumes, and is not what it was when it got them: {differences}. \
     Start it as it was, with flags in the place of what was detected, and they stay; to change it, drain it first (SIGUSR1) and have its \
     volumes destroyed (those are in `volumes` in its work directory). With the reconfiguration policy `additive` more resources and \
     attributes than before are no reason"
)]
pub(crate) struct Incompatible {
    /// Flag by flag.
    pub(crate) differences: String,
    /// How many tasks there are.
    pub(crate) tasks: usize,
    /// How many volumes there are.
    pub(crate) volumes: usize,
}

/// Which changes an agent may come back with that has tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ReconfigurationPolicy {
    /// As it was.
    Equal,
    /// With more resources and attributes than before, and none taken away.
    Additive,
}

/// Decides by what was written down, which tasks of the agent `ran_as` among it. A restart of the machine has ended them all, but for the
/// volumes, which a new agent would not have.
pub(super) fn identify(past: &Past, config: &Config, ran_as: &[AgentId]) -> Result<Identity, Incompatible> {
    let record = match past {
        Past::Known(record) => record,
        Past::None => return Ok(Identity::Same(None)),
        Past::Damaged => {
            // The tasks tell whom they were given to.
            let replaced = ran_as.first().map(|earlier| Identity::New { replaces: earlier.clone() });
            return Ok(replaced.unwrap_or(Identity::Same(None)));
        }
    };
    let differences = differences(&record.info, &config.info, config.reconfiguration);
    let rebooted = record.boot_id != config.boot_id;
    let (tasks, volumes) = (ran_as.len(), config.volumes);
    match differences.is_empty() {
        true => Ok(Identity::Same(Some(record.agent_id.clone()))),
        false if volumes == 0 && (rebooted || tasks == 0) => {
            tracing::warn!(agent = %record.agent_id, differences, tasks, "the agent is not what it was: it registers as a new one, and its tasks are lost");
            Ok(Identity::New { replaces: record.agent_id.clone() })
        }
        false => Err(Incompatible { differences, tasks, volumes }),
    }
}

/// What may not change, in words; the port may.
fn differences(earlier: &AgentInfo, now: &AgentInfo, policy: ReconfigurationPolicy) -> String {
    let both = [earlier, now];
    let (resources_fit, attributes_fit) = match policy {
        ReconfigurationPolicy::Equal => (earlier.resources == now.resources, earlier.attributes == now.attributes),
        ReconfigurationPolicy::Additive => {
            (has_grown(earlier, now), earlier.attributes.iter().all(|it| is_kept(it, now)))
        }
    };
    let told = [
        ("--hostname", earlier.hostname == now.hostname, both.map(|info| info.hostname.clone())),
        ("--resources", resources_fit, both.map(resources)),
        ("--attributes", attributes_fit, both.map(attributes)),
    ];
    let differing = told.into_iter().filter(|(_, fits, _)| !*fits);
    let words = differing.map(|(flag, _, [earlier, now])| format!("{flag} was `{earlier}` and is `{now}`"));
    words.collect::<Vec<_>>().join(", ")
}

/// Whether there is at least as much of everything as before, role by role.
fn has_grown(earlier: &AgentInfo, now: &AgentInfo) -> bool {
    match (from_wire(&earlier.resources), from_wire(&now.resources)) {
        (Ok(earlier), Ok(now)) => now.contains(&earlier),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

/// Whether an attribute says now what it said; one of ranges may say more.
fn is_kept(attribute: &Attribute, now: &AgentInfo) -> bool {
    let Some(found) = now.attributes.iter().find(|found| found.name == attribute.name) else { return false };
    includes(found, attribute).unwrap_or(attribute == found)
}

/// Ranges are compared as those of resources are; `None` for anything else.
fn includes(now: &Attribute, earlier: &Attribute) -> Option<bool> {
    let resources = |attribute: &Attribute| {
        let ranges = Some(attribute.ranges.clone()?);
        let resource =
            Resource { name: attribute.name.clone(), r#type: attribute.r#type, ranges, ..Resource::default() };
        from_wire(&[resource]).ok()
    };
    Some(resources(now)?.contains(&resources(earlier)?))
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
