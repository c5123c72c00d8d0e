//! Secrets in what the master is asked to launch. Their values are not known here: what is written is where they are kept, and what leaves
//! for the master has the value in its place, sealed for the task.

use attica_core_api::v1::{
    Environment, Secret, SecretReference, SecretType, Variable, VariableType, Volume, VolumeMode, VolumeSource,
    VolumeSourceType,
};

use crate::model::{EnvValue, RunSpec, SecretPath};

/// The name of a reference to what is kept under its key.
const KEPT: &str = "attica.kept";

/// The secret that a run spec has under this name; none when it has none, which the border refuses.
pub(super) fn named(run_spec: &RunSpec, name: &str) -> Option<Secret> {
    let key = run_spec.secrets.get(name)?.path().to_string();
    let reference = SecretReference { name: KEPT.to_owned(), key: Some(key) };
    Some(Secret { r#type: Some(SecretType::Reference), reference: Some(reference), value: None })
}

/// The path of the kept secret that stands for itself in a launch.
#[must_use]
pub fn kept(secret: &Secret) -> Option<SecretPath> {
    let reference = secret.reference.as_ref().filter(|reference| reference.name == KEPT)?;
    SecretPath::parse(reference.key.as_deref()?).ok()
}

/// Variables, of which later ones win.
pub(super) fn environment(run_spec: &RunSpec, variables: impl Iterator<Item = (String, EnvValue)>) -> Environment {
    let variables: std::collections::BTreeMap<String, EnvValue> = variables.collect();
    let variable = |(name, value)| match value {
        EnvValue::Text(text) => Some(Variable { name, r#type: VariableType::Value, value: Some(text), secret: None }),
        EnvValue::Secret { secret } => {
            let secret = Some(named(run_spec, &secret)?);
            Some(Variable { name, r#type: VariableType::Secret, value: None, secret })
        }
    };
    Environment { variables: variables.into_iter().filter_map(variable).collect() }
}

/// A secret as a file.
pub(super) fn volume(run_spec: &RunSpec, name: &str, container_path: &str) -> Option<Volume> {
    let secret = Some(named(run_spec, name)?);
    let source = VolumeSource { r#type: Some(VolumeSourceType::Secret), secret, ..VolumeSource::default() };
    let (mode, container_path) = (VolumeMode::ReadOnly, container_path.to_owned());
    Some(Volume { mode, container_path, source: Some(source), ..Volume::default() })
}
