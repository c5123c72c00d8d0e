//! The functions of the schema: orders, tasks made of tasks, options of commands.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::evaluate::value::{Argument, Arguments, Value};
use crate::evaluate::{Evaluator, Failure, Result, fail};
use crate::source::Span;

use super::construct::{Constructor, rebind};
use super::object::{Object, Raw};
use super::prelude;

/// A helper function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Helper {
    Order,
    /// `SequentialTask(fields)`: a new task.
    Sequential,
    /// `Tasks.sequential(task)`: one that is there.
    Sequence,
    Simple,
    Combine,
    Concatenate,
    JavaOptions,
    PythonOptions,
}

type Named = Vec<(Arc<str>, Value)>;

/// Calls a helper.
pub(crate) fn call(evaluator: &mut Evaluator<'_>, helper: Helper, arguments: Arguments, span: Span) -> Result<Value> {
    match helper {
        Helper::Order => {
            let names = arguments.plain.iter().map(|argument| process_name(evaluator, argument));
            let names = names.collect::<Result<_>>()?;
            Ok(Value::list(vec![constraint(evaluator, names, span)?]))
        }
        Helper::Sequential => {
            let plain = arguments.plain.into_iter().map(|argument| (argument.value, argument.span)).collect();
            let named = arguments
                .named
                .into_iter()
                .map(|(name, place, argument)| (name, argument.value, place, argument.span))
                .collect();
            let made = Constructor { plain, named, span }.construct(&prelude::structure("Task"));
            let task = report(evaluator, made)?;
            sequential(evaluator, &task, span)
        }
        Helper::Sequence => {
            arguments.check("sequential", 1, 1, Some(&[]), span)?;
            let task = tasks(&arguments)?;
            task.first().map_or(Err(Failure::Reported), |task| sequential(evaluator, task, span))
        }
        Helper::Simple => simple(evaluator, &arguments, span),
        Helper::Combine => joined(evaluator, arguments, Join::Beside, span),
        Helper::Concatenate => joined(evaluator, arguments, Join::After, span),
        Helper::JavaOptions => options(evaluator, &arguments, |_| "-", span),
        Helper::PythonOptions => {
            options(evaluator, &arguments, |name| if name.chars().count() == 1 { "-" } else { "--" }, span)
        }
    }
}

fn make(evaluator: &mut Evaluator<'_>, name: &str, fields: Named, span: Span) -> Result<Arc<Object>> {
    let kind = prelude::structure(name);
    let named = fields.into_iter().map(|(name, value)| (name, value, span, span)).collect();
    let made = Constructor { plain: Vec::new(), named, span }.construct(&kind);
    report(evaluator, made)
}

fn report<T>(evaluator: &mut Evaluator<'_>, made: std::result::Result<T, Vec<Diagnostic>>) -> Result<T> {
    made.map_err(|diagnostics| {
        evaluator.diagnostics.extend(diagnostics);
        Failure::Reported
    })
}

fn process_name(evaluator: &mut Evaluator<'_>, argument: &Argument) -> Result<Value> {
    match &argument.value {
        Value::Text(_) => Ok(argument.value.clone()),
        Value::Object(object) if object.raw().is_some() => Ok(argument.value.clone()),
        Value::Object(object) if object.field("name").is_some() => evaluator.field_value(object, "name"),
        Value::Unknown => Err(Failure::Reported),
        other => {
            fail(Code::Type, argument.span, format!("{} is neither a process nor the name of one", other.described()))
        }
    }
}

fn constraint(evaluator: &mut Evaluator<'_>, names: Vec<Value>, span: Span) -> Result<Value> {
    make(evaluator, "Constraint", vec![("order".into(), Value::list(names))], span).map(Value::Object)
}

/// A task whose processes run one after the other, as many as there are at this call.
fn sequential(evaluator: &mut Evaluator<'_>, task: &Arc<Object>, span: Span) -> Result<Value> {
    if task.field("constraints").is_some_and(|constraints| !constraints.items().is_empty()) {
        return fail(Code::Type, span, "a SequentialTask orders its processes itself: it takes no constraints");
    }
    let processes = items(evaluator, task, "processes")?;
    if processes.is_empty() {
        return Ok(Value::Object(Arc::clone(task)));
    }
    let mut names = Vec::with_capacity(processes.len());
    for process in &processes {
        names.push(evaluator.field_value(process, "name")?);
    }
    let order = constraint(evaluator, names, span)?;
    changed(evaluator, task, vec![("constraints".into(), Value::list(vec![order]))], span)
}

fn items(evaluator: &mut Evaluator<'_>, task: &Arc<Object>, field: &str) -> Result<Vec<Arc<Object>>> {
    Ok(match evaluator.field_value(task, field)? {
        Value::Object(list) => list.items().to_vec(),
        _ => Vec::new(),
    })
}

fn changed(evaluator: &mut Evaluator<'_>, object: &Arc<Object>, fields: Named, span: Span) -> Result<Value> {
    let named = fields.into_iter().map(|(name, value)| (name, value, span, span)).collect();
    let place = object.span;
    let made = rebind(object, &Constructor { plain: Vec::new(), named, span: place.unwrap_or(span) });
    report(evaluator, made).map(Value::Object)
}

fn simple(evaluator: &mut Evaluator<'_>, arguments: &Arguments, span: Span) -> Result<Value> {
    arguments.check("SimpleTask", 2, 2, Some(&["name", "command"]), span)?;
    let (Some(name), Some(command)) = (arguments.value(0, "name"), arguments.value(1, "command")) else {
        return fail(Code::Type, span, "a SimpleTask takes a name and a command");
    };
    let (name, command) = (name.clone(), command.clone());
    let process = make(evaluator, "Process", vec![("name".into(), name.clone()), ("cmdline".into(), command)], span)?;
    let gigabyte = || Value::Integer(1 << 30);
    let resources = vec![("cpu".into(), Value::Float(1.0)), ("ram".into(), gigabyte()), ("disk".into(), gigabyte())];
    let resources = make(evaluator, "Resources", resources, span)?;
    let fields = vec![
        ("name".into(), name),
        ("processes".into(), Value::list(vec![Value::Object(process)])),
        ("resources".into(), Value::Object(resources)),
    ];
    make(evaluator, "Task", fields, span).map(Value::Object)
}

/// How tasks become one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Join {
    /// All processes at once: resources add up.
    Beside,
    /// The processes of each task behind those of the one before: the largest need counts.
    After,
}

fn tasks(arguments: &Arguments) -> Result<Vec<Arc<Object>>> {
    let task = |argument: &Argument| match &argument.value {
        Value::Object(task) if task.struct_type().is_some_and(|kind| *kind.name == *"Task") => Ok(Arc::clone(task)),
        Value::Unknown => Err(Failure::Reported),
        other => fail(Code::Type, argument.span, format!("{} is no task", other.described())),
    };
    arguments.plain.iter().map(task).collect()
}

/// Takes an element in unless there is one that comes to the same.
fn merge(known: &mut IndexMap<String, Arc<Object>>, object: Arc<Object>) {
    known.entry(object.to_json().to_string()).or_insert(object);
}

/// One task of several: it keeps the other fields of the last one.
fn joined(evaluator: &mut Evaluator<'_>, arguments: Arguments, join: Join, span: Span) -> Result<Value> {
    let tasks = tasks(&arguments)?;
    let Some(last) = tasks.last().cloned() else {
        return make(evaluator, "Task", Vec::new(), span).map(Value::Object);
    };
    let (mut processes, mut constraints): (IndexMap<_, _>, IndexMap<_, _>) = Default::default();
    let (mut resources, mut waits) = (Vec::new(), Vec::new());
    let mut before: Vec<(Arc<Object>, Value)> = Vec::new();
    let mut pairs = Vec::new();
    for task in &tasks {
        let mut names = Vec::new();
        for process in items(evaluator, task, "processes")? {
            names.push((Arc::clone(&process), evaluator.field_value(&process, "name")?));
            merge(&mut processes, process);
        }
        for constraint in items(evaluator, task, "constraints")? {
            merge(&mut constraints, constraint);
        }
        if join == Join::After {
            let count = before.len().saturating_mul(names.len());
            evaluator.budget.elements(count).map_err(|exceeded| limit(exceeded.to_string(), span))?;
            for (first, first_name) in &before {
                let first_json = first.to_json();
                for (second, second_name) in &names {
                    // A process that both have does not wait for itself.
                    if first_json != second.to_json() {
                        pairs.push(constraint(evaluator, vec![first_name.clone(), second_name.clone()], span)?);
                    }
                }
            }
            before = names;
        }
        if let Value::Object(needs) = evaluator.field_value(task, "resources")? {
            resources.push(needs);
        }
        if let Value::Object(wait) = evaluator.field_value(task, "finalization_wait")? {
            waits.extend(wait.raw().cloned());
        }
    }
    let constraints = constraints.into_values().map(Value::Object).chain(pairs).collect();
    let wait = waits
        .iter()
        .map(whole)
        .fold(0, |sum, wait| if join == Join::Beside { sum.max(wait) } else { sum.saturating_add(wait) });
    let mut fields: Named = vec![
        ("processes".into(), Value::list(processes.into_values().map(Value::Object).collect())),
        ("constraints".into(), Value::list(constraints)),
        ("finalization_wait".into(), Value::Integer(wait)),
    ];
    if !resources.is_empty() {
        fields.push(("resources".into(), Value::Object(total(evaluator, &resources, join, span)?)));
    }
    fields.extend(arguments.named.into_iter().map(|(name, _, argument)| (name, argument.value)));
    changed(evaluator, &last, fields, span)
}

fn limit(message: String, span: Span) -> Failure {
    Diagnostic::error(Code::Limit, span, message).into()
}

fn whole(raw: &Raw) -> i64 {
    match raw {
        Raw::Integer(value) => *value,
        Raw::Float(value) => *value as i64,
        Raw::Text(_) | Raw::Boolean(_) | Raw::Other(_) => 0,
    }
}

fn total(evaluator: &mut Evaluator<'_>, resources: &[Arc<Object>], join: Join, span: Span) -> Result<Arc<Object>> {
    let mut fields: Named = Vec::new();
    let numbers =
        |name: &str| resources.iter().filter_map(|needs| needs.field(name)?.raw().cloned()).collect::<Vec<_>>();
    let cpu = numbers("cpu").into_iter().map(|raw| match raw {
        Raw::Float(value) => value,
        other => whole(&other) as f64,
    });
    let cpu = if join == Join::Beside { cpu.sum() } else { cpu.fold(0.0, f64::max) };
    fields.push(("cpu".into(), Value::Float(cpu)));
    for name in ["ram", "disk", "gpu"] {
        let needs = numbers(name).iter().map(whole).collect::<Vec<_>>();
        let needs = if join == Join::Beside {
            needs.iter().fold(0_i64, |sum, need| sum.saturating_add(*need))
        } else {
            needs.into_iter().max().unwrap_or(0)
        };
        fields.push((name.into(), Value::Integer(needs)));
    }
    make(evaluator, "Resources", fields, span)
}

/// Names and values as options of a command line, in the order they were given.
fn options(
    evaluator: &mut Evaluator<'_>,
    arguments: &Arguments,
    dash: impl Fn(&str) -> &'static str,
    span: Span,
) -> Result<Value> {
    let mut options: Vec<(Arc<str>, Value)> = Vec::new();
    for argument in &arguments.plain {
        match &argument.value {
            Value::Text(text) => options.push((text.as_str().into(), Value::None)),
            Value::Dict(dict) => {
                for (name, value) in dict.borrow().iter() {
                    options.push((evaluator.shown(&name.to_value()).into(), value.clone()));
                }
            }
            Value::Unknown => return Err(Failure::Reported),
            other => {
                let message = format!("{} is neither an option nor a dict of options", other.described());
                return fail(Code::Type, argument.span, message);
            }
        }
    }
    options.extend(arguments.named.iter().map(|(name, _, argument)| (Arc::clone(name), argument.value.clone())));
    let mut words = Vec::new();
    for (name, value) in &options {
        words.push(format!("{}{name}", dash(name)));
        match value {
            Value::Unknown => return Err(Failure::Reported),
            // An option with a value that is not true stands alone.
            value if value.is_true() => words.push(evaluator.shown(value)),
            _ => {}
        }
    }
    let text = words.join(" ");
    if text.len() > crate::evaluate::budget::TEXT_LIMIT_BYTES {
        return fail(Code::Limit, span, "these options are too long");
    }
    Ok(Value::text(text))
}
