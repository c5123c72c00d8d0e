//! Reads a configuration: from a file to its jobs and everything that is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value as Json;

use crate::diagnostic::{Code, Diagnostic, Severity, did_you_mean};
use crate::evaluate::Evaluator;
use crate::evaluate::budget::Budget;
use crate::evaluate::host::{self, Host, Refused};
use crate::evaluate::value::{Dict, Key, Value};
use crate::job::{Digests, Job};
use crate::product::{self, Product};
use crate::schema::{self, Bound, Environment, Object, Type, prelude};
use crate::source::{FileId, Sources, Span};
use crate::template::{Cache, literal};

/// What the evaluator's recursion needs at its deepest.
const STACK_BYTES: usize = 256 << 20;

/// How a configuration is read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The values of `--bind`: reference and text.
    pub binds: Vec<(String, String)>,
    /// Whether the file is JSON.
    pub is_json: bool,
    /// Where digests of docker tags come from.
    pub digests: Digests,
    /// What the configuration sees of the machine.
    pub host: Host,
    /// The one job to read; all of them without it.
    pub job: Option<String>,
}

/// A configuration that was read.
#[derive(Debug)]
pub struct Configuration {
    /// The texts it is made of.
    pub sources: Sources,
    /// Its jobs, in the order of the file; none where the file as a whole is wrong.
    pub jobs: Vec<Job>,
    /// Its groups, apps and pods, which are ours: no file of Aurora's has any.
    pub products: Vec<Product>,
    /// Everything that belongs to no job or product alone.
    pub diagnostics: Vec<Diagnostic>,
}

/// The file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no file, or too long, or no text.
    #[error("{0}")]
    File(String),
    /// The registry to ask is none.
    #[error("--image-registry: {0}")]
    Registry(String),
}

impl Configuration {
    /// Whether anything at all is wrong.
    pub fn has_errors(&self) -> bool {
        self.all_diagnostics().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Every finding, those of the file first.
    pub fn all_diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        let of_jobs = self.jobs.iter().flat_map(|job| &job.diagnostics);
        let of_products = self.products.iter().flat_map(|product| &product.diagnostics);
        self.diagnostics.iter().chain(of_jobs).chain(of_products)
    }
}

/// Reads a file.
pub fn file(path: &Path, options: &Options) -> Result<Configuration, Error> {
    let shown = path.display().to_string();
    let text = host::read_text(path, &shown).map_err(|error| Error::File(error.to_string()))?;
    let path = path.canonicalize().map_err(|error| Error::File(format!("{shown}: {error}")))?;
    Ok(text_of(&shown, Some(path), &text, options))
}

/// Reads a text as if it were in a file of that name; `path` is where includes start from.
pub fn text_of(name: &str, path: Option<PathBuf>, text: &str, options: &Options) -> Configuration {
    // Depth is bounded, but not by what a thread's usual stack holds.
    std::thread::scope(|scope| {
        let reading =
            std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, || read(name, path, text, options));
        let read = reading.map(std::thread::ScopedJoinHandle::join);
        match read {
            Ok(Ok(configuration)) => configuration,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => {
                let message = format!("no thread to read the configuration: {error}");
                let diagnostics = vec![Diagnostic::error(Code::Limit, None, message)];
                Configuration { sources: Sources::default(), jobs: Vec::new(), products: Vec::new(), diagnostics }
            }
        }
    })
}

/// The error of a text that is not read at all.
pub(crate) fn too_long(name: &str) -> Diagnostic {
    let message = Refused::TooLong(name.to_owned()).to_string();
    Diagnostic::error(Code::Limit, None, message).help("put what is shared into files that are included")
}

fn read(name: &str, path: Option<PathBuf>, text: &str, options: &Options) -> Configuration {
    let mut sources = Sources::default();
    let budget = Budget::default();
    if text.len() > crate::source::FILE_LIMIT_BYTES {
        return Configuration { sources, jobs: Vec::new(), products: Vec::new(), diagnostics: vec![too_long(name)] };
    }
    let root = path.as_deref().map(host::root_of).unwrap_or_default();
    let mut cache = Cache::default();
    let (objects, ours, mut diagnostics, ways) = if options.is_json {
        let (objects, diagnostics) = json_jobs(&mut sources, name, path, text);
        (objects, Vec::new(), diagnostics, Default::default())
    } else {
        let mut evaluator = Evaluator::new(&mut sources, &budget, &options.host, root);
        evaluator.given = options.binds.iter().map(|(name, _)| name.clone()).collect();
        let main = evaluator.run(name, path, text.into());
        let ours = of_products(&mut evaluator, main);
        let objects = jobs(&mut evaluator, main, ours.is_empty());
        cache = std::mem::take(&mut evaluator.cache);
        (objects, ours, evaluator.diagnostics, evaluator.ways)
    };
    let (mut read, mut products) = (Vec::new(), Vec::new());
    let is_whole = !diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    let environment = match bound_options(&options.binds) {
        Ok(environment) => Arc::new(environment),
        Err(diagnostic) => {
            diagnostics.push(*diagnostic);
            Arc::new(Environment::option())
        }
    };
    // Jobs that are whole are read even where others are not, so that everything wrong is told at once.
    if !diagnostics.iter().any(|diagnostic| diagnostic.code == Code::Limit) {
        read.extend(
            objects.iter().map(|object| Job::read(object, &environment, &options.digests, &budget, &mut cache)),
        );
        same_keys(&objects, &mut read);
        products.extend(ours.iter().map(|object| Product::read(object, &environment, &budget, &mut cache)));
    }
    if is_whole {
        diagnostics.extend(unused_options(&environment, &read, &products));
        choose(&mut read, &mut products, options.job.as_deref(), &mut diagnostics);
    }
    let of_jobs = read.iter_mut().flat_map(|job| &mut job.diagnostics);
    let of_products = products.iter_mut().flat_map(|product| &mut product.diagnostics);
    for diagnostic in diagnostics.iter_mut().chain(of_jobs).chain(of_products) {
        if let Some(way) = diagnostic.span.and_then(|span| ways.get(&span.file)) {
            diagnostic.includes.clone_from(way);
        }
    }
    Configuration { sources, jobs: read, products, diagnostics }
}

/// The objects of `jobs`; what is wrong with the list is reported.
fn jobs(evaluator: &mut Evaluator<'_>, main: FileId, is_needed: bool) -> Vec<Arc<Object>> {
    let start = Span { file: main, start: 0, end: 0 };
    let Some(jobs) = evaluator.globals.get("jobs").cloned() else {
        if is_needed && evaluator.diagnostics.is_empty() {
            let error = Diagnostic::error(Code::Job, start, "the file defines no `jobs`");
            evaluator.diagnostics.push(error.help("write jobs = [...]"));
        }
        return Vec::new();
    };
    let Some(items) = jobs.listed() else {
        if !matches!(jobs, Value::Unknown) {
            evaluator.diagnostics.push(Diagnostic::error(
                Code::Job,
                start,
                format!("`jobs` is {}, not a list of jobs", jobs.kind()),
            ));
        }
        return Vec::new();
    };
    let wanted = prelude::structure("MesosJob");
    let mut objects = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Value::Object(object) if object.struct_type().is_some_and(|kind| Arc::ptr_eq(kind, &wanted)) => {
                objects.push(object)
            }
            Value::Unknown => {}
            other => {
                let place = if let Value::Object(object) = &other { object.span } else { None };
                let message = format!("`jobs` contains {}, not a Job", other.kind());
                evaluator.diagnostics.push(Diagnostic::error(Code::Job, place.unwrap_or(start), message));
            }
        }
    }
    objects
}

/// The objects of `groups`, `apps` and `pods`, where such a list contains any of ours: then it must contain nothing else.
fn of_products(evaluator: &mut Evaluator<'_>, main: FileId) -> Vec<Arc<Object>> {
    let start = Span { file: main, start: 0, end: 0 };
    let is_ours = |item: &Value| matches!(item, Value::Object(object) if product::is_ours(object));
    let mut objects = Vec::new();
    for (list, kind) in product::LISTS {
        let items = evaluator.globals.get(list).and_then(Value::listed).unwrap_or_default();
        if !items.iter().any(is_ours) {
            continue;
        }
        for item in items {
            match item {
                Value::Object(object) if object.struct_type().is_some_and(|of| *of.name == *kind) => {
                    objects.push(object)
                }
                Value::Unknown => {}
                other => {
                    let place = if let Value::Object(object) = &other { object.span } else { None };
                    let message = format!("`{list}` contains {}, which is no {kind}", other.kind());
                    evaluator.diagnostics.push(Diagnostic::error(Code::Job, place.unwrap_or(start), message));
                }
            }
        }
    }
    objects
}

fn json_jobs(
    sources: &mut Sources,
    name: &str,
    path: Option<PathBuf>,
    text: &str,
) -> (Vec<Arc<Object>>, Vec<Diagnostic>) {
    let file = sources.add(name.to_owned(), path, text.into());
    let whole = Span { file, start: 0, end: 0 };
    let parsed: Json = match serde_json::from_str(text) {
        Ok(parsed) if !literal::is_reserved(text) => parsed,
        Ok(_) => {
            return (
                Vec::new(),
                vec![Diagnostic::error(Code::Syntax, whole, "the text contains Unicode noncharacters")],
            );
        }
        Err(error) => {
            let line = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
            let start = (line + error.column().saturating_sub(1)).min(text.len()) as u32;
            return (
                Vec::new(),
                vec![Diagnostic::error(
                    Code::Syntax,
                    Span { file, start, end: start },
                    format!("this is no JSON: {error}"),
                )],
            );
        }
    };
    let jobs = match parsed.get("jobs") {
        Some(Json::Array(jobs)) => jobs.clone(),
        Some(_) => return (Vec::new(), vec![Diagnostic::error(Code::Job, whole, "`jobs` is not a list of jobs")]),
        None => vec![parsed],
    };
    let kind = Type::Struct(prelude::structure("MesosJob"));
    let (mut objects, mut diagnostics) = (Vec::new(), Vec::new());
    for job in jobs {
        match schema::coerce(&kind, &from_json(&job), whole) {
            Ok(object) => objects.push(object),
            Err(more) => diagnostics.extend(more),
        }
    }
    (objects, diagnostics)
}

fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::None,
        Json::Bool(value) => Value::Boolean(*value),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap_or(f64::NAN)), Value::Integer)
        }
        Json::String(text) => Value::text(text.as_str()),
        Json::Array(items) => Value::list(items.iter().map(from_json).collect()),
        Json::Object(entries) => {
            let entries = entries.iter().map(|(name, value)| (Key::Text(name.as_str().into()), from_json(value)));
            Value::dict(entries.collect::<Dict>())
        }
    }
}

fn bound_options(binds: &[(String, String)]) -> Result<Environment, Box<Diagnostic>> {
    let mut environment = Environment::option();
    for (name, value) in binds {
        if literal::is_reserved(value) {
            return Err(Box::new(Diagnostic::error(
                Code::Option,
                None,
                format!("--bind {name} contains Unicode noncharacters"),
            )));
        }
        environment.insert(name.as_str().into(), Bound::Text(value.as_str().into()));
    }
    Ok(environment)
}

/// Of two jobs with one key only one could run.
fn same_keys(objects: &[Arc<Object>], jobs: &mut [Job]) {
    let mut seen: BTreeMap<String, Option<Span>> = BTreeMap::new();
    for (object, job) in objects.iter().zip(jobs) {
        let Some(key) = job.key.clone() else { continue };
        if let Some(first) = seen.get(&key) {
            let error = Diagnostic::error(Code::Job, object.span, format!("two jobs of the file are `{key}`"));
            let mut error = error
                .note("the first one is here", *first)
                .help("give one of them another name, environment or cluster");
            error.job = Some(key.into());
            job.diagnostics.push(error);
            job.meaning = None;
        } else {
            seen.insert(key, object.span);
        }
    }
}

fn unused_options(environment: &Environment, jobs: &[Job], products: &[Product]) -> Vec<Diagnostic> {
    let of_jobs = jobs.iter().map(|job| &job.used_options);
    let used: BTreeSet<&String> =
        of_jobs.chain(products.iter().map(|product| &product.used_options)).flatten().collect();
    let fields = prelude::structure("MesosJob");
    let is_empty = jobs.is_empty() && products.is_empty();
    let unused = environment.names().into_iter().filter(|name| !used.contains(&(*name).to_owned()) && !is_empty);
    let warning = |name: &str| {
        let warning = Diagnostic::warning(
            Code::Option,
            None,
            format!("--bind {name}=… binds nothing: no template refers to `{name}`"),
        );
        if fields.position(name).is_some() {
            return warning.help(format!(
                "--bind gives values to templates and sets no field; write {name} = '{{{{…}}}}' in the file"
            ));
        }
        warning
    };
    unused.map(warning).collect()
}

/// With a job that is wanted, nothing else is.
fn choose(jobs: &mut Vec<Job>, products: &mut Vec<Product>, wanted: Option<&str>, diagnostics: &mut Vec<Diagnostic>) {
    let Some(wanted) = wanted else { return };
    products.clear();
    let keys: Vec<String> = jobs.iter().filter_map(|job| job.key.clone()).collect();
    jobs.retain(|job| job.key.as_deref() == Some(wanted));
    if jobs.is_empty() {
        let error = Diagnostic::error(Code::Option, None, format!("the file has no job `{wanted}`"));
        let help = did_you_mean(wanted, keys.iter().map(String::as_str))
            .unwrap_or_else(|| format!("it has {}", keys.join(", ")));
        diagnostics.push(error.help(help));
    }
}
