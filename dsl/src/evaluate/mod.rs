//! Evaluates a configuration: deterministic, counted, and without the machine but for what [`host`] names.
//!
//! A statement that fails is reported and stepped over; what it would have defined is unknown from then on, and who uses it stays
//! silent. So one mistake is one message, and all mistakes are reported at once.

mod arithmetic;
mod braces;
pub(crate) mod budget;
mod builtin;
mod call;
mod expression;
mod format;
pub(crate) mod host;
mod include;
mod method;
mod module;
pub(crate) mod number;
mod operator;
mod set;
mod show;
mod sort;
mod statement;
mod structs;
mod text_method;
pub(crate) mod value;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::diagnostic::{Code, Diagnostic, ERRORS_LIMIT};
use crate::source::{FileId, Sources, Span};
use crate::template::{Cache, Interpolation};
use budget::{Budget, Exceeded};
pub(crate) use builtin::names;
pub use host::Host;
pub(crate) use module::hexadecimal;
use value::{Frame, Value};

/// How deep calls and expressions may nest.
const DEPTH_LIMIT: usize = 400;

/// Why an evaluation stopped.
pub(crate) enum Failure {
    /// Something that was not said yet.
    New(Box<Diagnostic>),
    /// What was reported already.
    Reported,
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::New(Box::new(diagnostic))
    }
}

/// An error at a place.
pub(crate) fn fail<T>(code: Code, span: Span, message: impl Into<String>) -> Result<T> {
    Err(Diagnostic::error(code, span, message).into())
}

/// A bound that was reached, at the place where it was.
trait At<T> {
    fn at(self, span: Span) -> Result<T>;
}

impl<T> At<T> for std::result::Result<T, Exceeded> {
    fn at(self, span: Span) -> Result<T> {
        self.map_err(|exceeded| Diagnostic::error(Code::Limit, span, exceeded.to_string()).into())
    }
}

/// A file being evaluated, and where it was included.
pub(crate) struct Included {
    pub(crate) file: FileId,
    pub(crate) path: Option<PathBuf>,
    pub(crate) called_at: Option<Span>,
}

/// Evaluates the files of one configuration.
pub(crate) struct Evaluator<'a> {
    pub(crate) sources: &'a mut Sources,
    pub(crate) budget: &'a Budget,
    pub(crate) host: &'a Host,
    /// The names that `--bind` gives values to.
    pub(crate) given: BTreeSet<String>,
    /// The directory tree that may be included from.
    pub(crate) root: PathBuf,
    pub(crate) globals: FxHashMap<Arc<str>, Value>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) includes: Vec<Included>,
    /// Every file's way in: the `include` calls, outermost first.
    pub(crate) ways: FxHashMap<FileId, Arc<[Span]>>,
    /// The local names of the call being evaluated.
    frame: Option<Rc<Frame>>,
    depth: usize,
    /// The templates split so far.
    pub(crate) cache: Cache,
    /// Whether a statement was lost to an error, so that a missing name may be its.
    is_incomplete: bool,
    /// Whether the schema's names are known: not while the schema itself is evaluated.
    has_schema: bool,
    /// Whether a bound was reached: nothing more is evaluated.
    is_exceeded: bool,
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(sources: &'a mut Sources, budget: &'a Budget, host: &'a Host, root: PathBuf) -> Self {
        Self { has_schema: true, ..Self::bare(sources, budget, host, root) }
    }

    /// An evaluator for the schema's own text.
    pub(crate) fn bare(sources: &'a mut Sources, budget: &'a Budget, host: &'a Host, root: PathBuf) -> Self {
        Self {
            has_schema: false,
            sources,
            budget,
            host,
            root,
            given: BTreeSet::new(),
            globals: FxHashMap::default(),
            diagnostics: Vec::new(),
            includes: Vec::new(),
            ways: FxHashMap::default(),
            frame: None,
            depth: 0,
            cache: Cache::default(),
            is_incomplete: false,
            is_exceeded: false,
        }
    }

    /// Records an error, once.
    pub(crate) fn report(&mut self, failure: Failure) {
        if let Failure::New(diagnostic) = failure {
            self.is_exceeded |= diagnostic.code == Code::Limit;
            let span = diagnostic.span;
            self.diagnostics.push(*diagnostic);
            if self.diagnostics.len() == ERRORS_LIMIT {
                self.is_exceeded = true;
                let message = format!("{ERRORS_LIMIT} errors: what comes behind is not looked at");
                self.diagnostics.push(Diagnostic::error(Code::Limit, span, message));
            }
        }
    }

    /// Records several errors and stops what they belong to.
    fn report_all<T>(&mut self, found: std::result::Result<T, Vec<Diagnostic>>) -> Result<T> {
        found.map_err(|diagnostics| {
            self.diagnostics.extend(diagnostics);
            Failure::Reported
        })
    }

    /// Runs a resolving of templates; everything wrong in them is reported, what stays open is not wrong.
    fn resolved<T>(&mut self, resolve: impl FnOnce(&mut Interpolation<'_>) -> T) -> Result<T> {
        let mut interpolation = Interpolation::new(self.budget, &mut self.cache);
        let resolved = resolve(&mut interpolation);
        let diagnostics = interpolation.diagnostics;
        self.is_exceeded |= diagnostics.iter().any(|diagnostic| diagnostic.code == Code::Limit);
        self.report_all(if diagnostics.is_empty() { Ok(resolved) } else { Err(diagnostics) })
    }

    /// Runs `step` one level deeper.
    fn deeper<T>(&mut self, span: Span, step: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.budget.spend(1).at(span)?;
        if self.depth == DEPTH_LIMIT {
            return fail(Code::Limit, span, format!("calls and brackets nest deeper than {DEPTH_LIMIT}"));
        }
        self.depth += 1;
        let result = step(self);
        self.depth -= 1;
        result
    }
}
