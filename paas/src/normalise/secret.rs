use std::collections::BTreeMap;

use attica_paas_api::secret::{Secret, SecretDef, SecretReference};
use attica_paas_api::update::EnvironmentValue;

use crate::model::{EnvValue, RunSpecId, SecretPath, SecretSource, Shape, Version};

/// What is told of a secret that these refer to.
#[must_use]
pub fn secret<'a>(path: &SecretPath, version: Version, users: impl Iterator<Item = (&'a RunSpecId, Shape)>) -> Secret {
    let (mut apps, mut pods) = (Vec::new(), Vec::new());
    for (id, shape) in users {
        match shape {
            Shape::App => apps.push(id.to_string()),
            Shape::Pod => pods.push(id.to_string()),
        }
    }
    Secret { path: path.to_string(), version: version.to_string(), apps, pods }
}

/// The secrets of a definition, as clients read them.
pub(super) fn declared(secrets: &BTreeMap<String, SecretSource>) -> BTreeMap<String, SecretDef> {
    let source = |source: &SecretSource| SecretDef { source: source.as_str().to_owned() };
    secrets.iter().map(|(name, of)| (name.clone(), source(of))).collect()
}

/// Variables, as clients read them.
pub(super) fn environment(variables: &BTreeMap<String, EnvValue>) -> BTreeMap<String, EnvironmentValue> {
    let value = |value: &EnvValue| match value {
        EnvValue::Text(text) => EnvironmentValue::Text(text.clone()),
        EnvValue::Secret { secret } => EnvironmentValue::Secret(reference(secret)),
    };
    variables.iter().map(|(name, of)| (name.clone(), value(of))).collect()
}

/// The name of a declared secret, as clients read it.
pub(super) fn reference(name: &str) -> SecretReference {
    SecretReference { secret: name.to_owned() }
}
