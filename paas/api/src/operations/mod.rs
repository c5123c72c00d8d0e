//! The calls of the API, as data: the description is written from this table, and the server's tests hold the server to it.

mod cluster;
mod parameters;
mod work;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::access::Rule;
use cluster::CLUSTER;
use work::WORK;

/// One call.
#[derive(Clone, Copy)]
pub struct Operation {
    /// `GET`, `POST`, …
    pub method: &'static str,
    /// With `{app}`, `{task}`, `{version}` and `{deployment}` in place of ids; an app's id may hold slashes.
    pub path: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// What it asks of its caller.
    pub rule: Rule,
    /// Query parameters.
    pub query: &'static [Parameter],
    /// The body that is read, if any.
    pub body: Option<SchemaOf>,
    /// Status and body of success.
    pub success: (u16, Answer),
    /// Statuses of failure that a client should expect, each with an [`crate::ErrorBody`].
    pub failures: &'static [u16],
}

impl Operation {
    /// Whether it can be tried dry, which is answered with a [`Forecast`](crate::deployment::Forecast) where there would be a deployment.
    #[must_use]
    pub fn foresees(&self) -> bool {
        self.query.iter().any(|parameter| parameter.name == parameters::DRY_RUN.name)
    }
}

/// Registers a type with a generator and returns its schema.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What success carries.
#[derive(Clone, Copy)]
pub enum Answer {
    /// Nothing.
    Empty,
    /// A text of this media type.
    Text(&'static str),
    /// JSON of this shape.
    Json(SchemaOf),
    /// Line after line, each JSON of this shape, for as long as there is something to tell.
    Lines(SchemaOf),
}

/// A query parameter.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it does, with its default.
    pub summary: &'static str,
    /// Its values.
    pub kind: ParameterKind,
}

/// The values of a query parameter.
#[derive(Clone, Copy, Debug)]
pub enum ParameterKind {
    /// `true` or `false`.
    Flag,
    /// Any text.
    Text,
    /// May be given several times.
    Repeated,
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const READ: &[u16] = &[404];
const SECRETS: &[u16] = &[501];
const GROUP_WRITE: &[u16] = &[400, 404, 409, 412, 413, 422, 503];
const WRITE: &[u16] = &[400, 404, 409, 412, 413, 422, 503];

const fn get(path: &'static str, summary: &'static str, answer: Answer) -> Operation {
    Operation {
        method: "GET",
        path,
        summary,
        rule: Rule::Viewing,
        query: &[],
        body: None,
        success: (200, answer),
        failures: &[],
    }
}

/// All calls, in the order of the description.
pub const OPERATIONS: &[Operation] = &ALL;

const ALL: [Operation; WORK.len() + CLUSTER.len()] = {
    let mut all = [WORK[0]; WORK.len() + CLUSTER.len()];
    let mut index = 0;
    while index < all.len() {
        all[index] = if index < WORK.len() { WORK[index] } else { CLUSTER[index - WORK.len()] };
        index += 1;
    }
    all
};
