//! The traps of the language: what is allowed and rarely meant. Each rule is one small check, on the text or on a job.

mod jobs;
mod text;

use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::load::Configuration;
use crate::schema::prelude;
use crate::syntax;

/// Every trap in the files and jobs of a configuration, in the order of the text.
pub fn lint(configuration: &Configuration) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (id, file) in configuration.sources.files() {
        if file.name != prelude::FILE_NAME {
            text::check(&syntax::parse(&configuration.sources, id).block, &mut found);
        }
    }
    for job in &configuration.jobs {
        if let Some(meaning) = &job.meaning {
            let before = found.len();
            jobs::check(meaning, &mut found);
            for finding in &mut found[before..] {
                finding.job = job.key.as_deref().map(Arc::from);
            }
        }
    }
    found.sort_by_key(|finding| finding.span);
    found.dedup_by(|later, first| later.span == first.span && later.message == first.message);
    found
}
