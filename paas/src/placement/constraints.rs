use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use super::attributes::scalar_text;
use crate::model::{Agent, Constraint, FieldName, Operator};

/// A compiled expression may not be larger than this.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Whether an agent may take one more instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every constraint holds.
    Accepted,
    /// Not now: once other groups have grown, it may.
    NotNow,
    /// Not while what is placed stays placed.
    Never,
}

/// The constraints of a run spec, and what is placed on which value of their fields.
#[derive(Debug)]
pub struct Ledger {
    rules: Vec<Rule>,
    instances: u32,
    placed: u32,
}

#[derive(Debug)]
struct Rule {
    field: FieldName,
    test: Test,
    /// Placed instances by value. An instance whose agent lacks the field is on no value.
    counts: BTreeMap<String, u32>,
    /// The value of the instance placed first.
    first: Option<String>,
}

#[derive(Debug)]
enum Test {
    Unique,
    Cluster(Option<String>),
    Spread(Option<u32>),
    MaxPer(u32),
    /// None: the expression is broken. It was refused at the border; here nothing matches it.
    Like(Option<Regex>),
    Unlike(Option<Regex>),
    Is(String),
}

impl Ledger {
    /// The ledger of a run spec that wants `instances`, with those that are `placed` already, the first one first.
    #[must_use]
    pub fn new<'a>(constraints: &[Constraint], instances: u32, placed: impl IntoIterator<Item = &'a Agent>) -> Self {
        let rules = constraints.iter().map(Rule::new).collect();
        let mut ledger = Self { rules, instances, placed: 0 };
        placed.into_iter().for_each(|agent| ledger.place(agent));
        ledger
    }

    /// Counts an instance on `agent`.
    pub fn place(&mut self, agent: &Agent) {
        self.placed += 1;
        for rule in &mut self.rules {
            if let Some(value) = agent.field(&rule.field) {
                rule.first.get_or_insert_with(|| value.to_owned());
                match rule.counts.get_mut(value) {
                    Some(count) => *count += 1,
                    None => drop(rule.counts.insert(value.to_owned(), 1)),
                }
            }
        }
    }

    /// Whether `agent` may take one more.
    #[must_use]
    pub fn judge(&self, agent: &Agent) -> Verdict {
        // In a rolling restart more instances may be placed than are wanted in the end; they are spread all the same.
        let total = self.instances.max(self.placed + 1);
        let mut verdict = Verdict::Accepted;
        for rule in &self.rules {
            match rule.judge(agent.field(&rule.field), total) {
                Verdict::Accepted => {}
                Verdict::NotNow => verdict = Verdict::NotNow,
                Verdict::Never => return Verdict::Never,
            }
        }
        verdict
    }
}

impl Rule {
    fn new(constraint: &Constraint) -> Self {
        let test = match &constraint.operator {
            Operator::Unique => Test::Unique,
            Operator::Cluster(value) => Test::Cluster(value.clone()),
            Operator::GroupBy(groups) => Test::Spread(*groups),
            Operator::MaxPer(most) => Test::MaxPer(*most),
            Operator::Like(expression) => Test::Like(whole(expression)),
            Operator::Unlike(expression) => Test::Unlike(whole(expression)),
            Operator::Is(value) => Test::Is(normal(value)),
        };
        Self { field: constraint.field.clone(), test, counts: BTreeMap::new(), first: None }
    }

    fn judge(&self, value: Option<&str>, total: u32) -> Verdict {
        let Some(value) = value else {
            return Verdict::of(matches!(self.test, Test::Unlike(_)));
        };
        let here = self.counts.get(value).copied().unwrap_or_default();
        match &self.test {
            Test::Unique => Verdict::of(here == 0),
            Test::Cluster(Some(wanted)) => Verdict::of(value == wanted),
            Test::Cluster(None) => Verdict::of(self.first.as_deref().is_none_or(|first| value == first)),
            Test::MaxPer(most) => Verdict::of(here < *most),
            Test::Like(expression) => {
                Verdict::of(expression.as_ref().is_some_and(|expression| expression.is_match(value)))
            }
            Test::Unlike(expression) => {
                Verdict::of(expression.as_ref().is_some_and(|expression| !expression.is_match(value)))
            }
            Test::Is(wanted) => Verdict::of(normal(value) == *wanted),
            Test::Spread(Some(groups)) => self.judge_groups(here, (*groups).max(1), total),
            Test::Spread(None) => self.judge_even(here),
        }
    }

    /// GROUP_BY with a number of groups, as since Marathon 1.11: each group takes its share, whatever the others hold.
    fn judge_groups(&self, here: u32, groups: u32, total: u32) -> Verdict {
        let (share, remainder) = (total / groups, total % groups);
        if here == 0 {
            return Verdict::now_if((self.counts.len() as u64) < u64::from(groups));
        }
        let larger = self.counts.values().filter(|count| **count > share).count() as u64;
        Verdict::now_if(here < share || (here == share && larger < u64::from(remainder)))
    }

    /// GROUP_BY without a number, as up to Marathon 1.10: a new value always, a used one when no other is used less.
    fn judge_even(&self, here: u32) -> Verdict {
        Verdict::now_if(here == 0 || self.counts.values().all(|count| here <= *count))
    }
}

impl Verdict {
    fn of(accepted: bool) -> Self {
        if accepted { Self::Accepted } else { Self::Never }
    }

    fn now_if(accepted: bool) -> Self {
        if accepted { Self::Accepted } else { Self::NotNow }
    }
}

/// The expression as one that must match the whole value.
pub(super) fn whole(expression: &str) -> Option<Regex> {
    RegexBuilder::new(&format!("^(?:{expression})$")).size_limit(REGEX_BYTES_MAX).build().ok()
}

/// Numbers are compared after rounding, texts as they are.
fn normal(value: &str) -> String {
    value.parse::<f64>().ok().filter(|number| number.is_finite()).map_or_else(|| value.to_owned(), scalar_text)
}
