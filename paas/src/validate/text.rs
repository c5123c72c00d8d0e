//! Texts, and maps of them.

use std::collections::BTreeMap;

use attica_paas_api::secret::SecretReference;
use attica_paas_api::update::EnvironmentValue;

use super::{Faults, limits};
use crate::model::EnvValue;

/// A text that can be handed to a program: no longer than `most` characters, no null character.
pub(super) fn check(path: &str, text: &str, most: usize, faults: &mut Faults) {
    if text.len() > most {
        faults.add(path, format!("must not be longer than {most} characters"));
    }
    if text.contains('\0') {
        faults.add(path, "must not contain a null character");
    }
}

/// The environment. Whether the secrets in it are there is judged with the whole definition.
pub(super) fn environment(
    path: &str,
    env: Option<BTreeMap<String, EnvironmentValue>>,
    faults: &mut Faults,
) -> Option<BTreeMap<String, EnvValue>> {
    let value = |value| match value {
        EnvironmentValue::Text(text) => EnvValue::Text(text),
        EnvironmentValue::Secret(SecretReference { secret }) => EnvValue::Secret { secret },
    };
    let env: BTreeMap<String, EnvValue> = env?.into_iter().map(|(name, of)| (name, value(of))).collect();
    let texts = env.iter().map(|(name, value)| match value {
        EnvValue::Text(text) => (name, text),
        EnvValue::Secret { secret } => (name, secret),
    });
    entries(path, texts, faults);
    for name in env.keys().filter(|name| name.contains('=')) {
        faults.add(format!("{path}/{name}"), "the name of a variable must not contain '='");
    }
    Some(env)
}

/// Labels: any text to any text.
pub(super) fn labels(
    path: &str,
    labels: Option<BTreeMap<String, String>>,
    faults: &mut Faults,
) -> Option<BTreeMap<String, String>> {
    let labels = labels?;
    entries(path, labels.iter(), faults);
    Some(labels)
}

fn entries<'a>(path: &str, map: impl ExactSizeIterator<Item = (&'a String, &'a String)>, faults: &mut Faults) {
    if map.len() > limits::ENTRIES_MAX {
        faults.add(path, format!("must not have more than {} entries", limits::ENTRIES_MAX));
    }
    for (name, value) in map {
        let path = format!("{path}/{name}");
        if name.is_empty() {
            faults.add(&path, "names must not be empty");
        }
        check(&path, name, limits::NAME_LENGTH_MAX, faults);
        check(&path, value, limits::VALUE_LENGTH_MAX, faults);
    }
}
