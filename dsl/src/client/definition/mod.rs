//! Definitions of apps as people hand them in: a file, standard input, or single fields.

mod assignment;
mod document;
mod place;
mod prediction;
#[cfg(test)]
mod tests;

use std::io::Read;

use attica_paas_api::error::Details;
use serde_json::{Map, Value};

use super::failure::Failure;
use assignment::Assignment;
use document::Document;
pub(super) use prediction::{completed, definition_of, keep_ports, predicted};

/// What was handed in.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Definition {
    /// A JSON object.
    Document(Document),
    /// Single fields.
    Fields(Vec<Assignment>),
}

impl Definition {
    /// Reads it: one file, `-` for `input`, or any number of `key=value` and `key-`.
    ///
    /// # Errors
    /// [`Failure::Usage`] for anything else, [`Failure::File`] for a file that cannot be read, and [`Failure::Failed`], with the place,
    /// for one that is not a JSON object.
    pub(super) fn read(words: &[String], input: &mut dyn Read) -> Result<Self, Failure> {
        match words {
            [only] if only == "-" => document::of_stream(input).map(Self::Document),
            [only] if !assignment::is_one(only) => document::of_file(only).map(Self::Document),
            words => words.iter().map(|word| word.parse()).collect::<Result<_, _>>().map(Self::Fields),
        }
    }

    /// The document to write, for an app whose definition is `current`, empty for a new one: the fields that are named, whole.
    pub(super) fn applied_to(&self, current: &Map<String, Value>) -> Result<Map<String, Value>, Failure> {
        match self {
            Self::Document(document) => Ok(document.object.clone()),
            Self::Fields(assignments) => {
                let mut whole = current.clone();
                assignments.iter().try_for_each(|assignment| assignment.apply(&mut whole))?;
                let named = |field: &String| assignments.iter().any(|assignment| assignment.field() == field);
                Ok(whole.into_iter().filter(|(field, _)| named(field)).collect())
            }
        }
    }

    /// The same failure; where the server names places in the document, with the lines at which they are.
    pub(super) fn located(&self, failure: Failure) -> Failure {
        match (self, failure) {
            (Self::Document(source), Failure::Refused { request, status, body: Some(mut body), hint }) => {
                if let Some(Details::Faults(faults)) = &mut body.details {
                    for fault in faults {
                        fault.path =
                            format!("{}:{} {}", source.name, place::line_of(&source.text, &fault.path), fault.path);
                    }
                }
                Failure::Refused { request, status, body: Some(body), hint }
            }
            (_, failure) => failure,
        }
    }
}
