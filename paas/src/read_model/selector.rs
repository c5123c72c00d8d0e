//! Which apps a list shows.

use std::collections::BTreeMap;

use crate::model::{CommandLine, RunSpec};

/// Conditions on apps; all of those given must hold.
#[derive(Clone, Debug, Default)]
pub struct AppFilter {
    /// Part of the command line, in any case.
    pub cmd: Option<String>,
    /// Part of the id, in any case.
    pub id: Option<String>,
    /// What the labels must be like.
    pub label: Option<LabelSelector>,
}

impl AppFilter {
    pub(super) fn passes(&self, spec: &RunSpec) -> bool {
        let cmd = match &spec.command {
            CommandLine::Shell(line) => Some(line.as_str()),
            CommandLine::Exec(_) | CommandLine::Image | CommandLine::Graph(_) | CommandLine::Pod(_) => None,
        };
        self.cmd.as_ref().is_none_or(|part| cmd.is_some_and(|cmd| contains(cmd, part)))
            && self.id.as_ref().is_none_or(|part| contains(spec.id.as_str(), part))
            && self.label.as_ref().is_none_or(|selector| selector.passes(&spec.labels))
    }
}

fn contains(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(&part.to_lowercase())
}

/// `a`, `a==b`, `a!=b`, `a in (x,y)`, `a notin (x,y)`, joined by commas: all must hold, and every named label must exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelSelector(Vec<Term>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    label: String,
    rule: Rule,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Exists,
    In(Vec<String>),
    NotIn(Vec<String>),
}

/// A text that is not a label selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{selector}' is not a label selector: expected {expected} at character {position}")]
pub struct InvalidSelector {
    selector: String,
    expected: &'static str,
    position: usize,
}

impl LabelSelector {
    /// Reads a selector. Names and values are `[-A-Za-z0-9_.]`; any other character needs a backslash before it. As in Marathon, an
    /// empty selector holds for every app, and a set can be empty.
    ///
    /// # Errors
    /// Where something else was expected.
    pub fn parse(selector: &str) -> Result<Self, InvalidSelector> {
        let mut parser = Parser { text: selector, rest: selector };
        parser.skip_spaces();
        if parser.rest.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let mut terms = vec![parser.term()?];
        while parser.take(",") {
            terms.push(parser.term()?);
        }
        parser.skip_spaces();
        if parser.rest.is_empty() { Ok(Self(terms)) } else { Err(parser.expected("a comma or the end")) }
    }

    pub(super) fn passes(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|term| {
            labels.get(&term.label).is_some_and(|value| match &term.rule {
                Rule::Exists => true,
                Rule::In(values) => values.contains(value),
                Rule::NotIn(values) => !values.contains(value),
            })
        })
    }
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

impl Parser<'_> {
    fn term(&mut self) -> Result<Term, InvalidSelector> {
        let label = self.word("a label")?;
        let rule = if self.take("==") {
            Rule::In(vec![self.word("a value")?])
        } else if self.take("!=") {
            Rule::NotIn(vec![self.word("a value")?])
        } else if self.take_word("notin") {
            Rule::NotIn(self.set()?)
        } else if self.take_word("in") {
            Rule::In(self.set()?)
        } else {
            Rule::Exists
        };
        Ok(Term { label, rule })
    }

    fn set(&mut self) -> Result<Vec<String>, InvalidSelector> {
        if !self.take("(") {
            return Err(self.expected("'('"));
        }
        if self.take(")") {
            return Ok(Vec::new());
        }
        let mut values = vec![self.word("a value")?];
        while self.take(",") {
            values.push(self.word("a value")?);
        }
        if self.take(")") { Ok(values) } else { Err(self.expected("a comma or ')'")) }
    }

    fn word(&mut self, expected: &'static str) -> Result<String, InvalidSelector> {
        self.skip_spaces();
        let mut word = String::new();
        let mut characters = self.rest.char_indices();
        let mut end = self.rest.len();
        while let Some((index, character)) = characters.next() {
            match character {
                '-' | '_' | '.' => word.push(character),
                character if character.is_ascii_alphanumeric() => word.push(character),
                '\\' => match characters.next() {
                    Some((_, escaped)) => word.push(escaped),
                    None => return Err(self.expected("a character after the backslash")),
                },
                _ => {
                    end = index;
                    break;
                }
            }
        }
        if word.is_empty() {
            return Err(self.expected(expected));
        }
        self.rest = &self.rest[end..];
        Ok(word)
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip_spaces();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes a token that must not run on into a longer word.
    fn take_word(&mut self, token: &str) -> bool {
        self.skip_spaces();
        let follows = self.rest.strip_prefix(token);
        match follows.filter(|rest| rest.starts_with([' ', '('])) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn expected(&self, expected: &'static str) -> InvalidSelector {
        let position = self.text.len() - self.rest.len() + 1;
        InvalidSelector { selector: self.text.to_owned(), expected, position }
    }
}
