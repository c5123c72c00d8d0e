//! Access control lists, in the JSON of Mesos's `--acls`.
//!
//! Each action has a list of rules. A rule names principals and objects; the first one of the list that matches both decides, and
//! `permissive` decides when none does. Where Mesos overlooks a key that it does not know, so that a misspelt rule opens what it
//! should close, such a file is refused here.

mod action;
mod entity;
mod parse;

use std::collections::HashMap;

pub use action::Action;
pub use parse::AclsError;

use super::Principal;
use entity::Entity;

/// What is acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object<'a> {
    /// Nothing in particular, or everything.
    Any,
    /// A role, a user, a principal or a path, as the action's rules have it.
    Value(&'a str),
}

/// All rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acls {
    permissive: bool,
    rules: HashMap<Action, Vec<Rule>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    principals: Entity,
    objects: Entity,
}

impl Acls {
    /// Reads the JSON.
    pub fn parse(text: &str) -> Result<Acls, AclsError> {
        parse::parse(text)
    }

    /// Whether this caller (`None`: nobody in particular) may do this. Who has proved only claims, and no name, may do nothing.
    pub fn allows(&self, subject: Option<&Principal>, action: Action, object: Object<'_>) -> bool {
        let subject = match subject {
            None => Object::Any,
            Some(principal) => match principal.name() {
                Some(name) => Object::Value(name),
                None => return false,
            },
        };
        let rules = self.rules.get(&action).map(Vec::as_slice).unwrap_or_default();
        let deciding = rules.iter().find(|rule| rule.principals.matches(subject) && rule.objects.matches(object));
        deciding.map_or(self.permissive, |rule| rule.principals.allows(subject) && rule.objects.allows(object))
    }

    /// Whether this caller may do this to whatever there is.
    pub fn allows_everything(&self, subject: Option<&Principal>, action: Action) -> bool {
        let subject = match subject.map(Principal::name) {
            None => Object::Any,
            Some(Some(name)) => Object::Value(name),
            Some(None) => return false,
        };
        let rules = self.rules.get(&action).map(Vec::as_slice).unwrap_or_default();
        for rule in rules.iter().filter(|rule| rule.principals.matches(subject)) {
            match (&rule.objects, rule.principals.allows(subject)) {
                // What is left of everything after the rules before this one.
                (Entity::Any, allowed) => return allowed,
                (Entity::Nobody, _) | (Entity::Some(_) | Entity::Roles(..), false) => return false,
                (Entity::Some(_) | Entity::Roles(..), true) => {}
            }
        }
        self.permissive
    }

    /// Whether this caller may register a framework with all of these roles. Without any, `permissive` decides.
    pub fn allows_registration<'a>(
        &self,
        subject: Option<&Principal>,
        mut roles: impl Iterator<Item = &'a str>,
    ) -> bool {
        let may = |role| self.allows(subject, Action::RegisterFramework, Object::Value(role));
        match roles.next() {
            None => self.permissive,
            Some(first) => may(first) && roles.all(may),
        }
    }
}
