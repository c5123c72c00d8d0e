//! Resolves `{{…}}`: which value a reference means, and what a text becomes.
//!
//! Rules of pystachio: the innermost references are replaced by the first hit in the scopes, as text, again and again until nothing
//! is found any more. What stays open is not an error here: the caller decides which references may.

pub(crate) mod coerce;
pub(crate) mod literal;
mod lookup;
mod render;
mod split;

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::diagnostic::{self, Code, Diagnostic};
use crate::evaluate::budget::Budget;
use crate::schema::{Object, Raw, Shape, Type};
use crate::source::Span;
use crate::text::Text;

pub(crate) use lookup::Chain;
use split::{Calls, Split};

/// How often the references of one text are replaced before it counts as a cycle.
const PASSES_LIMIT: usize = 100;

/// The longest text templates may grow to.
const TEXT_LIMIT_BYTES: usize = 1 << 20;

/// How many split texts are kept.
const CACHE_LIMIT: usize = 20_000;

/// A reference that no scope knows.
#[derive(Clone, Debug)]
pub(crate) struct Unbound {
    pub(crate) address: String,
    pub(crate) span: Option<Span>,
    /// Whether the field would take any text: only there a reference may stay open at all.
    pub(crate) is_string: bool,
    /// What its scopes know that was probably meant.
    pub(crate) guess: Option<String>,
}

/// Resolves the templates of objects, and collects what stays open and what is wrong.
pub(crate) struct Interpolation<'b> {
    budget: &'b Budget,
    cache: &'b mut Cache,
    pub(crate) unbound: Vec<Unbound>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The names of `--bind` that were referred to.
    pub(crate) used_options: BTreeSet<String>,
    /// Bound texts that were pasted and contain references: where those were written.
    pasted: Vec<Text>,
    depth: usize,
    is_exceeded: bool,
}

/// The texts that were split already.
#[derive(Default)]
pub(crate) struct Cache {
    splits: FxHashMap<Arc<str>, Rc<Split>>,
    calls: Calls,
}

impl<'b> Interpolation<'b> {
    pub(crate) fn new(budget: &'b Budget, cache: &'b mut Cache) -> Self {
        Self {
            budget,
            cache,
            unbound: Vec::new(),
            diagnostics: Vec::new(),
            used_options: BTreeSet::new(),
            pasted: Vec::new(),
            depth: 0,
            is_exceeded: false,
        }
    }

    /// The object with every template resolved as far as its scopes go.
    pub(crate) fn object(&mut self, object: &Arc<Object>, outer: Option<&Chain<'_>>) -> Arc<Object> {
        let chain = Chain { object, outer };
        if self.is_exceeded || self.is_spent(1, object.span) {
            return Arc::clone(object);
        }
        let shape = match &object.shape {
            Shape::Scalar(kind, raw) => {
                let Some(raw) = self.scalar(kind, raw, &chain, object.span) else { return Arc::clone(object) };
                Shape::Scalar(kind.clone(), raw)
            }
            Shape::List(element, items) => {
                Shape::List(Arc::clone(element), items.iter().map(|item| self.object(item, Some(&chain))).collect())
            }
            Shape::Map(key, value, entries) => {
                let entry = |(key, value): &(Arc<Object>, Arc<Object>)| {
                    (self.object(key, Some(&chain)), self.object(value, Some(&chain)))
                };
                Shape::Map(Arc::clone(key), Arc::clone(value), entries.iter().map(entry).collect())
            }
            Shape::Struct(kind, values) => {
                let value = |value: &Option<Arc<Object>>| value.as_ref().map(|value| self.object(value, Some(&chain)));
                Shape::Struct(Arc::clone(kind), values.iter().map(value).collect())
            }
        };
        Arc::new(Object { shape, binds: Vec::new(), span: object.span, fits_also: object.fits_also.clone() })
    }

    /// A scalar's value; nothing where it stays as it is.
    fn scalar(&mut self, kind: &Type, raw: &Raw, chain: &Chain<'_>, span: Option<Span>) -> Option<Raw> {
        let mut open = Vec::new();
        let resolved = match raw {
            Raw::Text(text) if split::has_references(text.as_str()) => self.resolve(text, chain, &mut open)?,
            Raw::Text(text) => text.clone(),
            Raw::Integer(_) | Raw::Float(_) | Raw::Boolean(_) | Raw::Other(_) => {
                return self.coerced(kind, raw, raw, span);
            }
        };
        if open.is_empty() {
            return self.coerced(kind, &Raw::Text(resolved), raw, span);
        }
        let is_string = matches!(kind, Type::String);
        for address in open {
            let mustache = format!("{{{{{address}}}}}");
            let written = raw.to_text().span_of_part(&mustache);
            let span = written.or_else(|| self.pasted.iter().find_map(|text| text.span_of_part(&mustache))).or(span);
            let is_guessed = self.unbound.len() < diagnostic::SUGGESTIONS_LIMIT;
            let guess = is_guessed.then(|| lookup::nearest(chain, &address)).flatten();
            self.unbound.push(Unbound { address, span, is_string, guess });
        }
        Some(Raw::Text(resolved))
    }

    fn coerced(&mut self, kind: &Type, value: &Raw, written: &Raw, span: Option<Span>) -> Option<Raw> {
        match coerce::coerce(kind, value) {
            Ok(raw) => (raw != *written).then_some(raw),
            Err(message) => {
                let mut error = Diagnostic::error(Code::Type, span, message);
                if value != written {
                    error = error.note(format!("it was made of `{}`", written.to_text().as_str()), None);
                }
                self.diagnostics.push(error);
                None
            }
        }
    }

    /// A text with its references replaced; `open` receives those that no scope knows. Nothing after an error, which is recorded.
    fn resolve(&mut self, text: &Text, chain: &Chain<'_>, open: &mut Vec<String>) -> Option<Text> {
        let mut current: Arc<str> = text.as_str().into();
        let mut trail: Vec<String> = Vec::new();
        for _ in 0..PASSES_LIMIT {
            if self.is_exceeded || self.is_spent(cost(&current), text.span_of(0, text.as_str().len())) {
                return None;
            }
            let split = self.split(&current, text)?;
            if split.references.is_empty() {
                return Some(split.plain.as_str().into());
            }
            let mut values = Vec::with_capacity(split.references.len());
            for address in &split.references {
                values.push(self.lookup(chain, address));
            }
            if self.is_exceeded {
                return None;
            }
            if let Some(first) =
                split.references.iter().zip(&values).find_map(|(address, value)| value.is_some().then_some(address))
            {
                trail.push(first.clone());
            } else {
                open.extend(split.references.iter().cloned());
                return Some(split.plain.as_str().into());
            }
            let rendered = match render::render(&split, &values, TEXT_LIMIT_BYTES) {
                Ok(rendered) => rendered,
                Err(render::Failed) => {
                    let message =
                        format!("this text grows beyond {TEXT_LIMIT_BYTES} bytes when its references are replaced");
                    self.fail(Code::Limit, text.span_of(0, text.as_str().len()), message);
                    return None;
                }
            };
            current = rendered.into();
        }
        self.cycle(text, &trail);
        None
    }

    fn split(&mut self, current: &Arc<str>, origin: &Text) -> Option<Rc<Split>> {
        if let Some(known) = self.cache.splits.get(current) {
            return Some(Rc::clone(known));
        }
        match split::split(current, &mut self.cache.calls) {
            Ok(split) => {
                let split = Rc::new(split);
                if self.cache.splits.len() >= CACHE_LIMIT {
                    self.cache.splits.clear();
                    self.cache.calls.clear();
                }
                self.cache.splits.insert(Arc::clone(current), Rc::clone(&split));
                Some(split)
            }
            Err(wrong) => {
                for inside in wrong.insides {
                    let written = format!("{{{{{inside}}}}}");
                    let pasted = self.pasted.iter().find_map(|text| text.span_of_part(&written));
                    let whole = || origin.span_of(0, origin.as_str().len());
                    let span = origin.span_of_part(&written).or(pasted).or_else(whole);
                    let error = Diagnostic::error(Code::Template, span, format!("`{written}` is no reference"));
                    self.diagnostics.push(error.help(advice(&inside)));
                }
                None
            }
        }
    }

    fn cycle(&mut self, text: &Text, trail: &[String]) {
        let last = trail.last().map(String::as_str).unwrap_or_default();
        let round = trail.iter().rev().skip(1).position(|address| address == last).map_or(1, |at| at + 1);
        let names: Vec<&str> = trail[trail.len().saturating_sub(round + 1)..].iter().map(String::as_str).collect();
        let mustache = format!("{{{{{last}}}}}");
        let span =
            text.span_of_part(&mustache).or_else(|| self.pasted.iter().find_map(|text| text.span_of_part(&mustache)));
        let span = span.or_else(|| text.span_of(0, text.as_str().len()));
        let message = format!("this template needs itself: {}", names.join(" -> "));
        let help =
            "a struct's own fields are looked up before anything that is bound: give the bound value another name";
        self.diagnostics.push(Diagnostic::error(Code::Cycle, span, message).help(help));
    }

    fn is_spent(&mut self, steps: u64, span: Option<Span>) -> bool {
        if let Err(exceeded) = self.budget.spend(steps) {
            self.fail(Code::Limit, span, exceeded.to_string());
        }
        self.is_exceeded
    }

    /// An error after which nothing more is resolved.
    fn fail(&mut self, code: Code, span: Option<Span>, message: String) {
        if !self.is_exceeded {
            self.diagnostics.push(Diagnostic::error(code, span, message));
        }
        self.is_exceeded = true;
    }
}

/// What a pass over a text costs, in steps: a reference takes far longer than a step of the evaluator.
fn cost(text: &str) -> u64 {
    let references = text.matches("{{").count() as u64;
    1 + text.len() as u64 / 256 + references * 8
}

fn advice(inside: &str) -> String {
    let trimmed = inside.trim();
    let is_reference =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_.[]-/".contains(c));
    if trimmed != inside && is_reference(trimmed) && !trimmed.starts_with('.') {
        return format!(
            "write `{{{{{trimmed}}}}}` without blanks for a reference, or `{{{{&{inside}}}}}` for these very characters"
        );
    }
    format!("write `{{{{&{inside}}}}}` if these very characters are wanted, as in a template of Go or Docker")
}
