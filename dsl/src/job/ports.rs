//! Ports: a task asks for one by mentioning it, and the announce map gives ports further names.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::Object;

use super::references;

/// What stands behind a port's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A number that never changes.
    Static(i64),
    /// A port that is asked for by this name.
    Name(String),
}

/// The ports of a job.
#[derive(Debug)]
pub(crate) struct Ports {
    /// The names of the ports to be asked for.
    pub(crate) requested: BTreeSet<String>,
    /// The names of the announce map, followed to their ends.
    pub(super) aliases: BTreeMap<String, Target>,
}

impl Ports {
    /// The ports of a job; nothing where its announce map leads nowhere, which is reported.
    pub(super) fn of(config: &Object, task: &Object, diagnostics: &mut Vec<Diagnostic>) -> Option<Self> {
        let mut mentioned = BTreeSet::new();
        for process in task.field("processes").map(|processes| processes.items()).unwrap_or_default() {
            references::visit_texts(process, &mut |_, text| mentioned.extend(mentions(text)));
        }
        let announce = config.field("announce");
        let portmap = announce.and_then(|announce| announce.field("portmap"));
        let entries = portmap.map(|portmap| portmap.entries()).unwrap_or_default();
        let map: BTreeMap<String, String> =
            entries.iter().map(|(name, target)| (name.shown(), target.shown())).collect();
        let mut aliases = BTreeMap::new();
        for name in map.keys() {
            match follow(&map, name) {
                Some(target) => {
                    aliases.insert(name.clone(), target);
                }
                None => {
                    let error = Diagnostic::error(
                        Code::Job,
                        portmap.and_then(|portmap| portmap.span),
                        format!("the port `{name}` is mapped to itself"),
                    );
                    diagnostics.push(
                        error.help("let each name of the portmap lead to a number or to a port that processes mention"),
                    );
                    return None;
                }
            }
        }
        let target_of = |port: &String| aliases.get(port).cloned().unwrap_or_else(|| Target::Name(port.clone()));
        let targets = aliases.values().cloned().chain(mentioned.iter().map(target_of));
        let requested = targets.filter_map(|target| match target {
            Target::Name(name) => Some(name),
            Target::Static(_) => None,
        });
        let ports = Self { requested: requested.collect(), aliases };
        ports.check(config, &mentioned, diagnostics);
        Some(ports)
    }

    fn check(&self, config: &Object, mentioned: &BTreeSet<String>, diagnostics: &mut Vec<Diagnostic>) {
        let Some(announce) = config.field("announce") else { return };
        let is_dedicated = config
            .field("constraints")
            .is_some_and(|map| map.entries().iter().any(|(name, _)| name.shown() == "dedicated"));
        let has_static = self.aliases.values().any(|target| matches!(target, Target::Static(_)));
        if has_static && !is_dedicated {
            let error = super::error_at(
                announce,
                "portmap",
                Code::Job,
                "a job that is not dedicated cannot have a static port",
            );
            diagnostics.push(error.help("let the port be chosen, or add constraints = {'dedicated': 'role/name'}"));
        }
        let primary = announce.text("primary_port").unwrap_or_default();
        if !mentioned.contains(&primary) && !self.aliases.contains_key(&primary) {
            let message = format!("the primary port `{primary}` is announced, but no process mentions it");
            let span = announce.field("primary_port").and_then(|field| field.span).or(announce.span);
            let warning = Diagnostic::warning(Code::Job, span, message);
            diagnostics
                .push(warning.help(format!("listen on {{{{thermos.ports[{primary}]}}}} in a process of the task")));
        }
    }
}

/// The ports a text mentions.
fn mentions(text: &str) -> Vec<String> {
    let starts = text.match_indices("{{thermos.ports[");
    let port = |(at, _): (usize, &str)| {
        let end = text[at..].find("}}")? + at;
        references::port(&text[at + 2..end]).map(str::to_owned)
    };
    starts.filter_map(port).collect()
}

/// Where a name of the map leads in the end; nothing for a circle.
fn follow(map: &BTreeMap<String, String>, name: &str) -> Option<Target> {
    let mut seen = BTreeSet::from([name]);
    let mut at = map.get(name)?;
    loop {
        if let Ok(number) = at.parse::<u16>() {
            return Some(Target::Static(i64::from(number)));
        }
        match map.get(at) {
            None => return Some(Target::Name(at.clone())),
            // `{'http': 'http'}` names the port by its own name.
            Some(next) if next == at => return Some(Target::Name(at.clone())),
            Some(next) => {
                if !seen.insert(at) {
                    return None;
                }
                at = next;
            }
        }
    }
}
