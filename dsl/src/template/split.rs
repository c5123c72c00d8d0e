//! Splits a text into its references and what stands between, and makes a template of it.

use std::hash::BuildHasherDefault;

use handlebars::template::TemplateElement;
use handlebars::{Template, TemplateError};
use indexmap::IndexSet;
use pest::Parser as _;
use rustc_hash::{FxHashMap, FxHasher};

use super::literal;

#[allow(missing_docs, reason = "the rules are described in the grammar")]
mod grammar {
    /// Splits a text at its references.
    #[derive(pest_derive::Parser)]
    #[grammar = "template/mustache.pest"]
    pub(super) struct Grammar;
}

use grammar::{Grammar, Rule};

/// A text ready to be rendered: what stands between the references as it is, and a call of the helper `ref` for each.
pub(super) struct Split {
    pub(super) template: Template,
    /// The addresses, each once, in the order of their first appearance.
    pub(super) references: References,
    /// The text with its escaped references as literals.
    pub(super) plain: String,
}

/// Addresses, in the order in which they came.
pub(super) type References = IndexSet<String, BuildHasherDefault<FxHasher>>;

/// The compiled calls of the helper, by address.
pub(super) type Calls = FxHashMap<String, TemplateElement>;

/// What is wrong with a text: what stands in braces and is no reference.
pub(super) struct Wrong {
    pub(super) insides: Vec<String>,
}

/// Whether there is anything to split.
pub(super) fn has_references(text: &str) -> bool {
    text.contains("{{")
}

/// Splits a text.
pub(super) fn split(text: &str, calls: &mut Calls) -> Result<Split, Wrong> {
    let unreadable = || Wrong { insides: vec![text.chars().take(40).collect()] };
    let pairs = Grammar::parse(Rule::template, text).map_err(|_| unreadable())?;
    let mut split = Split {
        template: Template::new(),
        references: References::default(),
        plain: String::with_capacity(text.len()),
    };
    let mut raw = String::new();
    let mut wrong = Vec::new();
    for pair in pairs {
        let written = pair.as_str();
        match pair.as_rule() {
            Rule::plain | Rule::brace => raw.push_str(written),
            Rule::escaped => {
                let inside = written.trim_start_matches('\\').trim_start_matches("{{").trim_end_matches("}}");
                let inside =
                    inside.strip_prefix('&').map_or(inside, |inside| inside.strip_suffix('&').unwrap_or(inside));
                literal::veil(&mut raw, inside);
            }
            Rule::mustache => {
                let Some(inner) = pair.into_inner().next() else { return Err(unreadable()) };
                if inner.as_rule() == Rule::wrong {
                    wrong.push(inner.as_str().to_owned());
                    continue;
                }
                flush(&mut split, &mut raw);
                let address = inner.as_str();
                let element = match calls.get(address) {
                    Some(known) => known.clone(),
                    None => {
                        let call = call(address).map_err(|_| unreadable())?;
                        calls.insert(address.to_owned(), call.clone());
                        call
                    }
                };
                if !split.references.contains(address) {
                    split.references.insert(address.to_owned());
                }
                split.template.elements.push(element);
                split.plain.push_str(written);
            }
            _ => {}
        }
    }
    flush(&mut split, &mut raw);
    if wrong.is_empty() { Ok(split) } else { Err(Wrong { insides: wrong }) }
}

fn flush(split: &mut Split, raw: &mut String) {
    if !raw.is_empty() {
        split.plain.push_str(raw);
        split.template.elements.push(TemplateElement::RawString(std::mem::take(raw)));
    }
}

/// The call of the helper for one address, which contains nothing that would need quoting.
fn call(address: &str) -> Result<TemplateElement, Box<TemplateError>> {
    let compiled = Template::compile(&format!("{{{{{{ref \"{address}\"}}}}}}")).map_err(Box::new)?;
    Ok(compiled.elements.into_iter().next().unwrap_or_else(|| unreachable!("the call is one element")))
}
