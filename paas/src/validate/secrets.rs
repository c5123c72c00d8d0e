//! Secrets of a definition: where they are kept, and what in it refers to them.

use std::collections::BTreeMap;

use attica_paas_api::secret::SecretDef;

use super::{Faults, limits, text};
use crate::engine::Violation;
use crate::model::{EnvValue, PodVolumeSource, RunSpec, SecretSource, VolumeSource};

const UNDEFINED: &str = "references an undefined secret";
const NO_VOLUME: &str = "volume.secret must refer to an existing secret";
const NO_PULL_CONFIG: &str = "pullConfig.secret must refer to an existing secret";

/// The secrets that a definition declares.
pub(super) fn declared(
    written: Option<BTreeMap<String, SecretDef>>,
    faults: &mut Faults,
) -> Option<BTreeMap<String, SecretSource>> {
    let written = written?;
    if written.len() > limits::ENTRIES_MAX {
        faults.add("/secrets", format!("must not have more than {} entries", limits::ENTRIES_MAX));
    }
    let mut secrets = BTreeMap::new();
    for (name, SecretDef { source }) in written {
        let path = format!("/secrets/{name}");
        if name.is_empty() {
            faults.add(&path, "must not be empty");
        }
        text::check(&path, &name, limits::NAME_LENGTH_MAX, faults);
        match SecretSource::parse(source) {
            Ok(source) => drop(secrets.insert(name, source)),
            Err(error) => faults.add(format!("{path}/source"), error.to_string()),
        }
    }
    Some(secrets)
}

/// Whatever refers to a secret has to name one that is declared.
pub(super) fn check_references(spec: &RunSpec, violations: &mut Vec<Violation>) {
    let mut check = |path: String, name: &str, error: &str| {
        if !spec.secrets.contains_key(name) {
            violations.push(Violation::new(path, error));
        }
    };
    let Some(pod) = spec.pod() else {
        of_variables(&spec.env).for_each(|(name, secret)| check(format!("/env/{name}/secret"), secret, UNDEFINED));
        let Some(container) = &spec.container else { return };
        for (index, volume) in container.volumes.iter().enumerate() {
            match &volume.source {
                VolumeSource::Host(_) | VolumeSource::Persistent(_) => {}
                VolumeSource::Secret(secret) => {
                    check(format!("/container/volumes({index})/secret"), secret, NO_VOLUME);
                }
            }
        }
        if let Some(secret) = container.image.as_ref().and_then(|image| image.pull_secret.as_ref()) {
            check("/container/docker/pullConfig".to_owned(), secret, NO_PULL_CONFIG);
        }
        return;
    };
    of_variables(&spec.env).for_each(|(name, secret)| check(format!("/environment/{name}/secret"), secret, UNDEFINED));
    for (index, container) in pod.containers.iter().enumerate() {
        let path = format!("/containers({index})");
        let variables = of_variables(&container.env);
        variables.for_each(|(name, secret)| check(format!("{path}/environment/{name}/secret"), secret, UNDEFINED));
        if let Some(secret) = container.image.as_ref().and_then(|image| image.pull_secret.as_ref()) {
            check(format!("{path}/image/pullConfig"), secret, NO_PULL_CONFIG);
        }
    }
    for (index, volume) in pod.volumes.iter().enumerate() {
        match &volume.source {
            PodVolumeSource::Ephemeral | PodVolumeSource::Host(_) | PodVolumeSource::Persistent(_) => {}
            PodVolumeSource::Secret(secret) => {
                check(format!("/volumes({index})/secret"), secret, NO_VOLUME);
            }
        }
    }
}

fn of_variables(variables: &BTreeMap<String, EnvValue>) -> impl Iterator<Item = (&str, &str)> {
    variables.iter().filter_map(|(name, value)| match value {
        EnvValue::Text(_) => None,
        EnvValue::Secret { secret } => Some((name.as_str(), secret.as_str())),
    })
}
