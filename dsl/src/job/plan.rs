//! The order of a task's processes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::diagnostic::{Code, Diagnostic, SUGGESTIONS_LIMIT, did_you_mean};
use crate::schema::Object;

/// Which processes wait for which others. Regular processes and final ones, which run when the others are done, are apart.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    regular: Stage,
    last: Stage,
}

#[derive(Debug, Default)]
struct Stage {
    processes: BTreeSet<String>,
    /// The processes each one comes after.
    after: BTreeMap<String, BTreeSet<String>>,
}

/// What an order asks of a process.
#[derive(Clone, Copy)]
struct Traits {
    is_final: bool,
    is_daemon: bool,
    is_ephemeral: bool,
}

impl Plan {
    /// The plan of a task; everything impossible in it is reported.
    pub(super) fn of(task: &Object, diagnostics: &mut Vec<Diagnostic>) -> Self {
        let mut plan = Self::default();
        let mut traits: BTreeMap<String, (Traits, &Object)> = BTreeMap::new();
        for process in task.field("processes").map(|processes| processes.items()).unwrap_or_default() {
            let name = process.text("name").unwrap_or_default();
            let of_process = Traits {
                is_final: process.is_true("final"),
                is_daemon: process.is_true("daemon"),
                is_ephemeral: process.is_true("ephemeral"),
            };
            if let Some((_, first)) = traits.insert(name.clone(), (of_process, process)) {
                let error = super::error_at(process, "name", Code::Plan, format!("two processes are named `{name}`"));
                diagnostics.push(
                    error
                        .note("the first one is here", first.span)
                        .help("give each process of a task a name of its own"),
                );
            }
            let stage = if of_process.is_final { &mut plan.last } else { &mut plan.regular };
            stage.processes.insert(name);
        }
        for constraint in task.field("constraints").map(|constraints| constraints.items()).unwrap_or_default() {
            plan.order(constraint, &traits, diagnostics);
        }
        for stage in [&plan.regular, &plan.last] {
            if let Some(cycle) = stage.cycle() {
                let span = task
                    .field("constraints")
                    .and_then(|constraints| constraints.items().first())
                    .and_then(|first| first.span)
                    .or(task.span);
                let error = Diagnostic::error(
                    Code::Plan,
                    span,
                    format!("the processes wait for each other: {}", cycle.join(" -> ")),
                );
                diagnostics.push(error.help("take one of these orders away"));
            }
        }
        plan
    }

    fn order(
        &mut self,
        constraint: &Object,
        traits: &BTreeMap<String, (Traits, &Object)>,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let names = constraint.field("order").map(|order| order.items()).unwrap_or_default();
        let mut known = Vec::new();
        for item in names {
            let name = item.shown();
            match traits.get(&name) {
                Some((of_process, _)) => known.push((name, *of_process)),
                None => {
                    let span = item.span.or(constraint.span);
                    let error =
                        Diagnostic::error(Code::Plan, span, format!("the task has no process `{name}` to order"));
                    let is_guessed = diagnostics.len() < SUGGESTIONS_LIMIT;
                    let guess = || did_you_mean(&name, traits.keys().map(String::as_str));
                    diagnostics.push(error.help_if(is_guessed.then(guess).flatten()));
                }
            }
        }
        for pair in known.windows(2) {
            let [(first, before), (second, after)] = pair else { continue };
            let mut wrong = |message: String| diagnostics.push(Diagnostic::error(Code::Plan, constraint.span, message));
            if before.is_final != after.is_final {
                wrong(format!(
                    "`{first}` and `{second}` cannot be ordered: final processes run after all others anyway"
                ));
                continue;
            }
            if before.is_daemon {
                wrong(format!("`{second}` cannot wait for `{first}`, a daemon: it never ends"));
            }
            if before.is_ephemeral && !after.is_ephemeral {
                wrong(format!(
                    "`{second}` cannot wait for `{first}`, which is ephemeral: the task does not wait for it"
                ));
            }
            let stage = if before.is_final { &mut self.last } else { &mut self.regular };
            stage.after.entry(second.clone()).or_default().insert(first.clone());
        }
    }

    /// The plan as `config eval` prints it.
    pub(super) fn to_json(&self) -> Json {
        let stage = |stage: &Stage| json!({"processes": stage.processes, "after": stage.after});
        json!({"regular": stage(&self.regular), "final": stage(&self.last)})
    }
}

/// The processes that still wait for others.
struct Waiting<'a> {
    /// For how many.
    counts: BTreeMap<&'a str, usize>,
    /// Who waits for a process.
    behind: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Waiting<'a> {
    fn of(stage: &'a Stage) -> Self {
        let counts = stage.after.iter().map(|(process, before)| (process.as_str(), before.len())).collect();
        let mut behind: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (process, before) in &stage.after {
            before.iter().for_each(|first| behind.entry(first).or_default().push(process));
        }
        Self { counts, behind }
    }

    /// Takes a process away and tells which ones wait for nothing any more.
    fn done(&mut self, process: &str) -> Vec<&'a str> {
        let mut free = Vec::new();
        for name in self.behind.remove(process).unwrap_or_default() {
            if let Some(count) = self.counts.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(name);
                    free.push(name);
                }
            }
        }
        free
    }
}

impl Stage {
    /// A round of processes that wait for each other, the first one repeated at the end.
    fn cycle(&self) -> Option<Vec<String>> {
        // Whatever waits for nothing that is left can go; what never can is in a cycle or behind one.
        let mut left = Waiting::of(self);
        let mut free: Vec<&str> = left.behind.keys().copied().filter(|name| !left.counts.contains_key(name)).collect();
        while let Some(process) = free.pop() {
            free.extend(left.done(process));
        }
        let mut at = *left.counts.keys().next()?;
        let mut way = vec![at];
        let mut seen = BTreeMap::from([(at, 0)]);
        loop {
            at = self.after.get(at)?.iter().find(|name| left.counts.contains_key(name.as_str()))?;
            if let Some(start) = seen.insert(at, way.len()) {
                let mut cycle: Vec<String> = way[start..].iter().rev().map(|name| (*name).to_owned()).collect();
                cycle.push(cycle.first()?.clone());
                return Some(cycle);
            }
            way.push(at);
        }
    }
}
