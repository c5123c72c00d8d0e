//! Which value a reference means: the walk through the scopes.
//!
//! The scopes of a field's value, searched in this order: the struct it stands in (by name, or as `self`), what is bound to that
//! struct, newest first, the scopes of what the struct stands in, and those of the last two once more as `super`. Elements of lists
//! and maps see what is bound to these and then what they stand in.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::diagnostic::{self, Code};
use crate::schema::{Bound, Environment, Object, Raw, Shape, Type};
use crate::text::Text;

use super::{Interpolation, split};

/// How deep a lookup may lead through bound structs.
const DEPTH_LIMIT: usize = 64;

/// An object and everything it stands in, innermost first.
#[derive(Clone, Copy)]
pub(crate) struct Chain<'a> {
    pub(crate) object: &'a Arc<Object>,
    pub(crate) outer: Option<&'a Chain<'a>>,
}

impl Interpolation<'_> {
    /// The text a reference stands for; nothing where no scope knows it.
    pub(super) fn lookup(&mut self, chain: &Chain<'_>, address: &str) -> Option<String> {
        let object = chain.object;
        if let Shape::Struct(..) = object.shape {
            if let Some(rest) = address.strip_prefix("self.")
                && let Some(found) = self.in_fields(object, rest)
            {
                return Some(found);
            }
            if let Some(found) = self.in_fields(object, address) {
                return Some(found);
            }
        }
        if let Some(found) = self.in_surroundings(chain, address) {
            return Some(found);
        }
        // An element of a list has no level of its own: `super` is the struct's.
        let rest = address.strip_prefix("super.")?;
        if matches!(object.shape, Shape::Struct(..)) { self.in_surroundings(chain, rest) } else { None }
    }

    fn in_surroundings(&mut self, chain: &Chain<'_>, address: &str) -> Option<String> {
        let found = chain.object.binds.iter().find_map(|environment| self.in_environment(environment, address));
        found.or_else(|| chain.outer.and_then(|outer| self.lookup(outer, address)))
    }

    /// In the struct's own fields, whose text is pasted as it is written: the one who refers resolves it.
    fn in_fields(&mut self, object: &Object, address: &str) -> Option<String> {
        let (name, rest) = first_name(address)?;
        let field = object.field(name)?;
        if rest.is_empty() { self.paste(field) } else { self.find(field, rest, None) }
    }

    /// The bound name itself, or else the longest bound name that leads on to the rest.
    fn in_environment(&mut self, environment: &Environment, address: &str) -> Option<String> {
        if let Some((name, bound)) = environment.get(address) {
            self.note_use(environment, name);
            return match bound {
                Bound::Text(text) => Some(self.paste_text(text)),
                Bound::Object(object) => self.paste(object),
            };
        }
        let cuts = address.char_indices().rev().filter(|(_, c)| matches!(c, '.' | '['));
        for (cut, _) in cuts {
            if let Some((name, Bound::Object(object))) = environment.get(&address[..cut])
                && let Some(found) = self.find(object, &address[cut..], None)
            {
                self.note_use(environment, name);
                return Some(found);
            }
        }
        None
    }

    fn note_use(&mut self, environment: &Environment, name: &str) {
        if environment.is_option && !self.used_options.contains(name) {
            self.used_options.insert(name.to_owned());
        }
    }

    /// Follows `.name` and `[key]` into an object; what is reached is resolved in that object's scopes.
    fn find(&mut self, object: &Arc<Object>, path: &str, outer: Option<&Chain<'_>>) -> Option<String> {
        let chain = Chain { object, outer };
        let (child, rest) = match &object.shape {
            Shape::Struct(..) => {
                let (name, rest) = first_name(path.strip_prefix('.')?)?;
                (object.field(name)?, rest)
            }
            Shape::List(_, items) => {
                let (key, rest) = first_key(path)?;
                let index: i64 = key.parse().ok()?;
                let index = if index < 0 { index + items.len() as i64 } else { index };
                (items.get(usize::try_from(index).ok()?)?, rest)
            }
            Shape::Map(_, _, entries) => {
                let (key, rest) = first_key(path)?;
                let entry =
                    entries.iter().find(|(known, _)| known.raw().is_some_and(|raw| raw.to_text().as_str() == key));
                (&entry?.1, rest)
            }
            Shape::Scalar(..) => return None,
        };
        self.deeper(|this| {
            if rest.is_empty() { this.shown(child, Some(&chain)) } else { this.find(child, rest, Some(&chain)) }
        })
    }

    /// An object as text, resolved with nothing but what is bound to it.
    fn paste(&mut self, object: &Arc<Object>) -> Option<String> {
        match &object.shape {
            Shape::Scalar(Type::String, Raw::Text(text)) if object.binds.is_empty() => Some(self.paste_text(text)),
            _ => self.deeper(|this| this.shown(object, None)),
        }
    }

    fn paste_text(&mut self, text: &Text) -> String {
        if split::has_references(text.as_str()) && !self.pasted.contains(text) && self.pasted.len() < 100 {
            self.pasted.push(text.clone());
        }
        text.as_str().to_owned()
    }

    /// An object as text, resolved in its scopes as far as they go.
    fn shown(&mut self, object: &Arc<Object>, outer: Option<&Chain<'_>>) -> Option<String> {
        let found_before = self.unbound.len();
        let resolved = self.object(object, outer);
        self.unbound.truncate(found_before);
        if let Some(Raw::Text(text)) = resolved.raw() {
            return Some(self.paste_text(text));
        }
        Some(resolved.shown())
    }

    fn deeper(&mut self, step: impl FnOnce(&mut Self) -> Option<String>) -> Option<String> {
        if self.depth == DEPTH_LIMIT {
            self.fail(Code::Limit, None, format!("references lead through more than {DEPTH_LIMIT} bound values"));
            return None;
        }
        self.depth += 1;
        let found = step(self);
        self.depth -= 1;
        found
    }
}

/// The name that the scopes know and that was probably meant by one that they do not.
pub(super) fn nearest(chain: &Chain<'_>, address: &str) -> Option<String> {
    // What is known only where a task runs is open as a rule, and no mistake.
    if address.starts_with("thermos.") || address.starts_with("mesos.") {
        return None;
    }
    let mut known = BTreeSet::new();
    let mut level = Some(chain);
    while let Some(Chain { object, outer }) = level {
        known.extend(object.struct_type().iter().flat_map(|kind| kind.field_names()).map(str::to_owned));
        for environment in &object.binds {
            for name in environment.names() {
                known.insert(name.to_owned());
                if let Some((_, Bound::Object(object))) = environment.get(name) {
                    let fields = object.struct_type().into_iter().flat_map(|kind| kind.field_names());
                    known.extend(fields.map(|field| format!("{name}.{field}")));
                }
            }
        }
        level = *outer;
    }
    diagnostic::nearest(address, known.iter().map(String::as_str)).map(str::to_owned)
}

/// `a.b[c]` as `a` and `.b[c]`.
fn first_name(address: &str) -> Option<(&str, &str)> {
    let end = address.find(['.', '[']).unwrap_or(address.len());
    (end > 0).then(|| address.split_at(end))
}

/// `[a].b` as `a` and `.b`.
fn first_key(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix('[')?.split_once(']')
}
