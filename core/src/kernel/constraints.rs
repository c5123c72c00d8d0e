//! Which agents a framework may be offered: those of its own region unless it says that it can deal with others, and of those the
//! ones that meet the constraints it has given for the role.

use std::collections::BTreeMap;

use attica_allocator::{Quantities, Role, Scalar};
use attica_core_api::scheduler::{
    AttributeConstraint, AttributePredicate, AttributeSelector, OfferConstraints, PseudoattributeType,
};
use attica_core_api::v1::{
    AgentId, AgentInfo, DomainInfo, FrameworkCapabilityType, FrameworkId, FrameworkInfo, MinAllocatableResources,
    ValueType,
};
use regex::{Regex, RegexBuilder};

use super::Kernel;
use super::framework::Framework;

/// Frameworks write the expressions: what one of them may cost is bounded.
const REGEX_BYTES: usize = 1 << 16;
const PATTERN_LIMIT: usize = 4_096;
/// Constraints of one framework, over all roles and groups.
const CONSTRAINTS_LIMIT: usize = 1_024;

/// A framework's constraints, ready to be asked. By role: groups of which one has to be met.
#[derive(Debug, Default)]
pub(super) struct Constraints(BTreeMap<Role, Vec<Vec<Constraint>>>);

#[derive(Debug)]
struct Constraint {
    selector: Selector,
    predicate: Predicate,
}

#[derive(Debug)]
enum Selector {
    Attribute(String),
    Hostname,
    Region,
    Zone,
}

#[derive(Debug)]
enum Predicate {
    Exists,
    NotExists,
    TextEquals(String),
    TextNotEquals(String),
    TextMatches(Regex),
    TextNotMatches(Regex),
}

/// What an agent has under a selector.
enum Found<'a> {
    Nothing,
    Text(&'a str),
    /// A number, ranges or a set: passes every comparison of texts.
    Other,
}

impl Constraints {
    /// Reads constraints.
    ///
    /// # Errors
    /// What is wrong with them, for their author.
    pub fn new(wire: &OfferConstraints, roles: &[Role]) -> Result<Self, String> {
        let mut all = BTreeMap::new();
        let mut left = CONSTRAINTS_LIMIT;
        for (name, constraints) in &wire.role_constraints {
            let Some(role) = roles.iter().find(|role| role.as_str() == name) else {
                return Err(format!("Offer constraints are given for role '{name}', which the framework is not in"));
            };
            if constraints.groups.is_empty() {
                return Err(format!("Offer constraints of role '{name}' have no group"));
            }
            let mut groups = Vec::with_capacity(constraints.groups.len());
            for group in &constraints.groups {
                left = left
                    .checked_sub(group.attribute_constraints.len())
                    .ok_or_else(|| format!("There are more than {CONSTRAINTS_LIMIT} offer constraints"))?;
                if group.attribute_constraints.is_empty() {
                    return Err(format!("A group of offer constraints of role '{name}' is empty"));
                }
                let read = group.attribute_constraints.iter().map(Constraint::new).collect::<Result<Vec<_>, _>>();
                groups.push(read.map_err(|error| format!("Offer constraints of role '{name}' are invalid: {error}"))?);
            }
            all.insert(role.clone(), groups);
        }
        Ok(Self(all))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn admit(&self, role: &Role, agent: &AgentInfo) -> bool {
        let Some(groups) = self.0.get(role) else { return true };
        groups.iter().any(|group| group.iter().all(|constraint| constraint.is_met_by(agent)))
    }
}

impl Constraint {
    fn new(wire: &AttributeConstraint) -> Result<Self, String> {
        Ok(Self { selector: selector(&wire.selector)?, predicate: predicate(&wire.predicate)? })
    }

    fn is_met_by(&self, agent: &AgentInfo) -> bool {
        let found = self.selector.find(agent);
        match (&self.predicate, found) {
            (Predicate::Exists, found) => !matches!(found, Found::Nothing),
            (Predicate::NotExists, found) => matches!(found, Found::Nothing),
            (Predicate::TextEquals(wanted), Found::Text(text)) => text == wanted,
            (Predicate::TextMatches(wanted), Found::Text(text)) => wanted.is_match(text),
            (Predicate::TextEquals(_) | Predicate::TextMatches(_), Found::Nothing) => false,
            (Predicate::TextNotEquals(unwanted), Found::Text(text)) => text != unwanted,
            (Predicate::TextNotMatches(unwanted), Found::Text(text)) => !unwanted.is_match(text),
            (Predicate::TextNotEquals(_) | Predicate::TextNotMatches(_), Found::Nothing) => true,
            (
                Predicate::TextEquals(_)
                | Predicate::TextMatches(_)
                | Predicate::TextNotEquals(_)
                | Predicate::TextNotMatches(_),
                Found::Other,
            ) => true,
        }
    }
}

impl Selector {
    fn find<'a>(&self, agent: &'a AgentInfo) -> Found<'a> {
        match self {
            Selector::Hostname => Found::Text(&agent.hostname),
            Selector::Region => region_of(agent.domain.as_ref()).map_or(Found::Nothing, Found::Text),
            Selector::Zone => zone_of(agent).map_or(Found::Nothing, Found::Text),
            Selector::Attribute(name) => match agent.attributes.iter().find(|attribute| attribute.name == *name) {
                None => Found::Nothing,
                Some(attribute) => match (attribute.r#type, &attribute.text) {
                    (ValueType::Text, Some(text)) => Found::Text(&text.value),
                    (ValueType::Text, None) | (ValueType::Scalar | ValueType::Ranges | ValueType::Set, _) => {
                        Found::Other
                    }
                },
            },
        }
    }
}

fn selector(wire: &AttributeSelector) -> Result<Selector, String> {
    match (&wire.attribute_name, wire.pseudoattribute_type) {
        (Some(name), None) => Ok(Selector::Attribute(name.clone())),
        (None, Some(PseudoattributeType::Hostname)) => Ok(Selector::Hostname),
        (None, Some(PseudoattributeType::Region)) => Ok(Selector::Region),
        (None, Some(PseudoattributeType::Zone)) => Ok(Selector::Zone),
        (None, Some(PseudoattributeType::Unknown)) => Err("Unknown pseudoattribute type".to_owned()),
        (Some(_), Some(_)) | (None, None) => {
            Err("Exactly one of 'AttributeConstraint::Selector::selector' must be set".to_owned())
        }
    }
}

fn predicate(wire: &AttributePredicate) -> Result<Predicate, String> {
    let AttributePredicate { exists, not_exists, text_equals, text_not_equals, text_matches, text_not_matches } = wire;
    let mut given = Vec::new();
    given.extend(exists.iter().map(|_| Predicate::Exists));
    given.extend(not_exists.iter().map(|_| Predicate::NotExists));
    given.extend(text_equals.iter().map(|wanted| Predicate::TextEquals(wanted.value.clone())));
    given.extend(text_not_equals.iter().map(|unwanted| Predicate::TextNotEquals(unwanted.value.clone())));
    if let Some(wanted) = text_matches {
        given.push(Predicate::TextMatches(regex(&wanted.regex)?));
    }
    if let Some(unwanted) = text_not_matches {
        given.push(Predicate::TextNotMatches(regex(&unwanted.regex)?));
    }
    match given.len() {
        1 => given.pop().ok_or_else(String::new),
        _ => Err("Exactly one of 'AttributeConstraint::Predicate::predicate' must be set".to_owned()),
    }
}

/// The whole text has to match.
fn regex(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_LIMIT {
        return Err(format!("A regular expression is longer than {PATTERN_LIMIT} bytes"));
    }
    let whole = format!("^(?:{pattern})$");
    let built = RegexBuilder::new(&whole).size_limit(REGEX_BYTES).dfa_size_limit(REGEX_BYTES).build();
    built.map_err(|error| format!("Failed to construct regex from pattern '{pattern}': {error}"))
}

/// What an offer to a framework has to hold in a role, if the framework says so.
///
/// # Errors
/// What is wrong with it, for its author.
pub(super) fn minima_of(info: &FrameworkInfo, role: &Role) -> Result<Option<Vec<Quantities>>, String> {
    let minima = info.offer_filters.get(role.as_str()).and_then(|filters| filters.min_allocatable_resources.as_ref());
    minima.map(read_minima).transpose()
}

fn read_minima(wire: &MinAllocatableResources) -> Result<Vec<Quantities>, String> {
    let mut minima = Vec::with_capacity(wire.quantities.len());
    for all in &wire.quantities {
        let mut minimum = Quantities::default();
        for (name, scalar) in &all.quantities {
            let quantity = Scalar::from_f64(scalar.value);
            let quantity = quantity.map_err(|error| format!("Invalid minimum of '{name}': {error}"))?;
            minimum = minimum.with(name.as_str(), quantity);
        }
        minima.push(minimum);
    }
    Ok(minima)
}

/// The region of a fault domain, if there is one.
pub(super) fn region_of(domain: Option<&DomainInfo>) -> Option<&str> {
    Some(&domain?.fault_domain.as_ref()?.region.name)
}

fn zone_of(agent: &AgentInfo) -> Option<&str> {
    Some(&agent.domain.as_ref()?.fault_domain.as_ref()?.zone.name)
}

impl Kernel {
    /// Applies the constraints and minima of a framework, which are new, to all agents.
    pub(super) fn apply_wishes(&mut self, id: &FrameworkId, constraints: Constraints) {
        let key = self.framework_key(id);
        self.constrained |= !constraints.is_empty();
        let framework = self.framework_mut(id);
        let unchanged = framework.constraints.is_empty() && constraints.is_empty();
        framework.constraints = constraints;
        let Some(framework) = self.frameworks.get(id) else { return };
        for role in &framework.roles {
            // They were read before, or the framework would not be here.
            self.allocator.set_minimum(key, role, minima_of(&framework.info, role).unwrap_or_default());
            // Without regions and constraints everything is open to everybody.
            if unchanged && self.config.master_info.domain.is_none() {
                continue;
            }
            let (agents, keys, master) = (&self.agents, &self.agent_keys, self.config.master_info.domain.as_ref());
            self.allocator.bar_framework(key, role, |agent| {
                let agent = keys.get(&agent).and_then(|id| agents.get(id));
                agent.is_some_and(|agent| !is_open(framework, role, &agent.info, master))
            });
        }
    }

    /// Applies the constraints of all frameworks to an agent, which is new or has changed.
    pub(super) fn apply_constraints(&mut self, id: &AgentId) {
        let Some(agent) = self.agents.get(id) else { return };
        let Some(key) = agent.key else { return };
        let master = self.config.master_info.domain.as_ref();
        if master.is_none() && !self.constrained {
            return;
        }
        let (frameworks, keys) = (&self.frameworks, &self.framework_keys);
        self.allocator.bar_from_agent(key, |framework, role| {
            let framework = keys.get(&framework).and_then(|id| frameworks.get(id));
            framework.is_some_and(|framework| !is_open(framework, role, &agent.info, master))
        });
    }
}

/// Whether a framework may be offered an agent in a role.
fn is_open(framework: &Framework, role: &Role, agent: &AgentInfo, master: Option<&DomainInfo>) -> bool {
    let remote = region_of(agent.domain.as_ref()).is_some_and(|region| Some(region) != region_of(master));
    let reaches = !remote || framework.info.has_capability(FrameworkCapabilityType::RegionAware);
    reaches && framework.constraints.admit(role, agent)
}
