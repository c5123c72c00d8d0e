//! Profiles of system calls in the JSON that Docker and Mesos read.
//!
//! A profile has an action for the calls that it does not name, and groups of calls with an action each, some of which are there for one
//! architecture, kernel or set of capabilities only. Of several filters the kernel obeys the strictest: one here answers what no group
//! names, and one more for each other action answers that action's calls.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use attica_core_api::v1::LinuxCapability;
use seccompiler::{BpfProgram, TargetArch};
use serde::Deserialize;
use serde_json::{Value, json};

/// A profile that is longer is none.
const MAX_BYTES: u64 = 1 << 20;
const EPERM: u32 = libc::EPERM as u32;

/// Why a profile cannot be obeyed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProfileError {
    #[error("cannot read the profile of system calls {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("the profile of system calls {0} is longer than {MAX_BYTES} bytes")]
    TooLong(PathBuf),
    #[error("the profile of system calls {path} is malformed")]
    Malformed { path: PathBuf, source: serde_json::Error },
    #[error("the profile of system calls has the {what} `{value}`, which is not known here")]
    Unknown { what: &'static str, value: String },
    #[error("the profile of system calls cannot be made a filter: {0}")]
    Compile(String),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: Action,
    default_errno_ret: Option<u32>,
    syscalls: Option<Vec<Group>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
enum Action {
    #[serde(rename = "SCMP_ACT_ALLOW")]
    Allow,
    #[serde(rename = "SCMP_ACT_LOG")]
    Log,
    #[serde(rename = "SCMP_ACT_TRACE")]
    Trace,
    #[serde(rename = "SCMP_ACT_ERRNO")]
    Errno,
    #[serde(rename = "SCMP_ACT_TRAP")]
    Trap,
    #[serde(rename = "SCMP_ACT_KILL", alias = "SCMP_ACT_KILL_THREAD")]
    KillThread,
    #[serde(rename = "SCMP_ACT_KILL_PROCESS")]
    KillProcess,
}

/// An action with the number that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Answer {
    action: Action,
    number: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    name: Option<String>,
    names: Option<Vec<String>>,
    action: Action,
    errno_ret: Option<u32>,
    args: Option<Vec<Argument>>,
    includes: Option<Conditions>,
    excludes: Option<Conditions>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Argument {
    index: u8,
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Conditions {
    arches: Option<Vec<String>>,
    caps: Option<Vec<String>>,
    min_kernel: Option<String>,
}

/// For what a profile is made a filter.
#[derive(Clone, Copy, Debug)]
struct Machine<'a> {
    /// In the profiles' word.
    architecture: &'a str,
    kernel: (u32, u32),
    /// The bits of their numbers.
    capabilities: u64,
}

impl Answer {
    fn of(action: Action, errno: Option<u32>) -> Answer {
        let number = match action {
            Action::Errno | Action::Trace => errno.unwrap_or(EPERM),
            Action::Allow | Action::Log | Action::Trap | Action::KillThread | Action::KillProcess => 0,
        };
        Answer { action, number }
    }

    /// In the words of the compiler.
    fn word(self) -> Value {
        match self.action {
            Action::Allow => json!("allow"),
            Action::Log => json!("log"),
            Action::Trace => json!({ "trace": self.number }),
            Action::Errno => json!({ "errno": self.number }),
            Action::Trap => json!("trap"),
            Action::KillThread => json!("kill_thread"),
            Action::KillProcess => json!("kill_process"),
        }
    }
}

impl Argument {
    fn word(&self) -> Result<Value, ProfileError> {
        let (operator, value) = match self.op.as_str() {
            "SCMP_CMP_EQ" => (json!("eq"), self.value),
            "SCMP_CMP_NE" => (json!("ne"), self.value),
            "SCMP_CMP_LT" => (json!("lt"), self.value),
            "SCMP_CMP_LE" => (json!("le"), self.value),
            "SCMP_CMP_GT" => (json!("gt"), self.value),
            "SCMP_CMP_GE" => (json!("ge"), self.value),
            "SCMP_CMP_MASKED_EQ" => (json!({ "masked_eq": self.value }), self.value_two),
            other => return Err(ProfileError::Unknown { what: "operator", value: other.to_owned() }),
        };
        Ok(json!({ "index": self.index, "type": "qword", "op": operator, "val": value }))
    }
}

impl Conditions {
    /// Whether everything that is said here is the case: of several architectures or capabilities any one.
    fn hold(&self, machine: Machine<'_>) -> Result<bool, ProfileError> {
        let architecture = self.arches.iter().flatten().any(|name| name == machine.architecture);
        let mut capable = true;
        if let Some(names) = &self.caps {
            let bits = names.iter().map(|name| capability(name)).collect::<Result<Vec<_>, _>>()?;
            capable = bits.is_empty() || bits.iter().any(|bit| machine.capabilities & bit != 0);
        }
        let kernel = self.min_kernel.as_deref().map(version).transpose()?;
        let is_new = kernel.is_none_or(|needed| machine.kernel >= needed);
        Ok((self.arches.as_ref().is_none_or(Vec::is_empty) || architecture) && capable && is_new)
    }

    fn is_empty(&self) -> bool {
        let none = |names: &Option<Vec<String>>| names.as_ref().is_none_or(Vec::is_empty);
        none(&self.arches) && none(&self.caps) && self.min_kernel.is_none()
    }
}

fn capability(name: &str) -> Result<u64, ProfileError> {
    let unknown = || ProfileError::Unknown { what: "capability", value: name.to_owned() };
    let plain = name.strip_prefix("CAP_").ok_or_else(unknown)?;
    let found = LinuxCapability::from_name(plain).ok_or_else(unknown)?;
    let number = u32::try_from(found.number() - 1_000).map_err(|_| unknown())?;
    1_u64.checked_shl(number).ok_or_else(unknown)
}

fn version(text: &str) -> Result<(u32, u32), ProfileError> {
    let unknown = || ProfileError::Unknown { what: "version of a kernel", value: text.to_owned() };
    let mut numbers = text.split(|character: char| !character.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor)),
        (Some(Ok(major)), None) => Ok((major, 0)),
        _ => Err(unknown()),
    }
}

impl Profile {
    /// The filters in the order of their installation.
    fn filters(&self, machine: Machine<'_>) -> Result<Vec<BpfProgram>, ProfileError> {
        let default = Answer::of(self.default_action, self.default_errno_ret);
        // What is done with each call: without a list of arguments always, else with any of the lists.
        let mut named = BTreeMap::<Answer, BTreeMap<&str, Option<Vec<Value>>>>::new();
        for group in self.syscalls.iter().flatten() {
            let included = group.includes.as_ref().map_or(Ok(true), |conditions| conditions.hold(machine))?;
            let excludes = group.excludes.as_ref().filter(|conditions| !conditions.is_empty());
            let excluded = excludes.map_or(Ok(false), |conditions| conditions.hold(machine))?;
            let answer = Answer::of(group.action, group.errno_ret);
            if !included || excluded || answer == default {
                continue;
            }
            let arguments = group.args.iter().flatten().map(Argument::word).collect::<Result<Vec<_>, _>>()?;
            let calls = named.entry(answer).or_default();
            for name in group.name.iter().chain(group.names.iter().flatten()) {
                let lists = calls.entry(name).or_insert_with(|| Some(Vec::new()));
                match lists {
                    _ if arguments.is_empty() => *lists = None,
                    Some(lists) => lists.push(json!(arguments)),
                    None => {}
                }
            }
        }
        let allow = Answer::of(Action::Allow, None);
        let mut filters = Vec::new();
        for (answer, calls) in named.iter().filter(|(answer, _)| **answer != allow) {
            filters.extend(filter(calls.iter(), *answer, allow)?);
        }
        // Last: it may not leave the right to install another one.
        if default != allow {
            filters.extend(filter(named.values().flatten(), allow, default)?);
        }
        Ok(filters)
    }
}

/// One filter. Calls that this architecture does not have are left out.
fn filter<'a>(
    calls: impl Iterator<Item = (&'a &'a str, &'a Option<Vec<Value>>)>,
    matched: Answer,
    other: Answer,
) -> Result<Option<BpfProgram>, ProfileError> {
    let mut rules = Vec::new();
    for (name, lists) in calls.filter(|(name, _)| is_call(name)) {
        match lists {
            None => rules.push(json!({ "syscall": name })),
            Some(lists) => {
                rules.extend(lists.iter().map(|arguments| json!({ "syscall": name, "args": arguments })));
            }
        }
    }
    compiled(&rules, &matched.word(), &other.word()).map_err(ProfileError::Compile)
}

fn compiled(rules: &[Value], matched: &Value, other: &Value) -> Result<Option<BpfProgram>, String> {
    let text = json!({ "filter": { "match_action": matched, "mismatch_action": other, "filter": rules } });
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    let programs = seccompiler::compile_from_json(text.to_string().as_bytes(), architecture);
    Ok(programs.map_err(|error| error.to_string())?.into_values().next())
}

/// Whether this architecture has a call of that name; the compiler knows, and is asked once.
fn is_call(name: &str) -> bool {
    static KNOWN: Mutex<BTreeMap<String, bool>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let ask = || compiled(&[json!({ "syscall": name })], &json!("allow"), &json!("trap")).is_ok();
    *known.entry(name.to_owned()).or_insert_with(ask)
}

/// The filters of the profile in this file, for what has these capabilities.
pub(super) fn filters(path: &Path, capabilities: u64) -> Result<Vec<BpfProgram>, ProfileError> {
    let read = |source| ProfileError::Read { path: path.to_owned(), source };
    let mut text = Vec::new();
    File::open(path).map_err(read)?.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(read)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(ProfileError::TooLong(path.to_owned()));
    }
    let malformed = |source| ProfileError::Malformed { path: path.to_owned(), source };
    let profile: Profile = serde_json::from_slice(&text).map_err(malformed)?;
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").map_err(read)?;
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    profile.filters(Machine { architecture, kernel: version(release.trim())?, capabilities })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: Machine<'_> = Machine { architecture: "amd64", kernel: (6, 1), capabilities: 1 << 21 };

    fn filters(profile: Value) -> Result<usize, String> {
        let profile: Profile = serde_json::from_value(profile).map_err(|error| error.to_string())?;
        profile.filters(MACHINE).map(|filters| filters.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_profile_becomes_a_filter_for_what_is_not_named_and_one_for_each_other_action() {
        let profile = json!({ "defaultAction": "SCMP_ACT_ERRNO", "archMap": [], "syscalls": [
            { "names": ["read", "write", "no_such_call", "exit_group"], "action": "SCMP_ACT_ALLOW", "args": [], "includes": {}, "excludes": {} },
            { "names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [{ "index": 0, "value": 8, "valueTwo": 0, "op": "SCMP_CMP_EQ" }] },
            { "names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [{ "index": 0, "value": 16, "op": "SCMP_CMP_EQ" }] },
            { "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 },
            { "name": "ptrace", "action": "SCMP_ACT_KILL" },
        ]});
        assert_eq!(filters(profile), Ok(3));
        let lenient = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": ["chmod"], "action": "SCMP_ACT_ERRNO" }] });
        assert_eq!(filters(lenient), Ok(1));
        assert_eq!(filters(json!({ "defaultAction": "SCMP_ACT_ALLOW" })), Ok(0));
    }

    #[test]
    fn groups_hold_where_their_conditions_do() {
        let holds = |conditions: Value| {
            serde_json::from_value::<Conditions>(conditions).unwrap().hold(MACHINE).map_err(|error| error.to_string())
        };
        assert_eq!(holds(json!({})), Ok(true));
        assert_eq!(holds(json!({ "arches": ["arm64", "amd64"] })), Ok(true));
        assert_eq!(holds(json!({ "arches": ["arm64"] })), Ok(false));
        assert_eq!(holds(json!({ "caps": ["CAP_SYS_ADMIN"] })), Ok(true));
        assert_eq!(holds(json!({ "caps": ["CAP_SYS_TIME"], "arches": ["amd64"] })), Ok(false));
        assert_eq!(holds(json!({ "minKernel": "4.8" })), Ok(true));
        assert_eq!(holds(json!({ "minKernel": "6.2" })), Ok(false));
        assert!(holds(json!({ "caps": ["CAP_TO_FLY"] })).unwrap_err().contains("CAP_TO_FLY"));
    }

    #[test]
    fn what_is_not_known_is_not_left_out() {
        let with = |group: Value| filters(json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [group] }));
        let strange = json!({ "names": ["chmod"], "action": "SCMP_ACT_ERRNO", "args": [{ "index": 0, "value": 1, "op": "SCMP_CMP_LIKE" }] });
        assert!(with(strange).unwrap_err().contains("SCMP_CMP_LIKE"));
        assert!(with(json!({ "names": ["chmod"], "action": "SCMP_ACT_SMILE" })).is_err());
        assert!(filters(json!({})).is_err());
    }
}
