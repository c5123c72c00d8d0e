//! Secrets on their way to tasks: what is kept of them is opened, and sealed for the task, at the last moment.

use std::collections::BTreeMap;

use attica_core_api::scheduler::Call;
use attica_core_api::secrets::{Purpose, SealError, SealingKey, in_reference};
use attica_core_api::v1::{Secret, TaskId, TaskInfo};

use crate::model::{KeptSecret, SecretPath};
use crate::placement::kept;

/// Everything that is kept.
type Kept = BTreeMap<SecretPath, KeptSecret>;

/// Puts values in the place of what stands for them.
pub(super) struct Sealing {
    key: Option<SealingKey>,
}

impl Sealing {
    pub(super) fn new(key: Option<SealingKey>) -> Self {
        Self { key }
    }

    /// Whether the key opens what is kept.
    ///
    /// # Errors
    /// The first secret that it does not open.
    pub(super) fn check(&self, secrets: &Kept) -> Result<(), (SecretPath, SealError)> {
        let Some(key) = &self.key else {
            if !secrets.is_empty() {
                tracing::warn!(secrets = secrets.len(), "without --secrets-key-file no task is started that uses them");
            }
            return Ok(());
        };
        let opens = |(path, secret): (&SecretPath, &KeptSecret)| {
            key.open(&secret.sealed, purpose(path, secret)).map(drop).map_err(|error| (path.clone(), error))
        };
        secrets.iter().try_for_each(opens)
    }

    /// Gives the tasks that a call launches the secrets that they are to have. What cannot be had stays a reference, which the agent
    /// refuses.
    pub(super) fn seal(&self, call: &mut Call, secrets: &Kept) {
        let Some(key) = &self.key else { return };
        let operations = call.accept.iter_mut().flat_map(|accept| &mut accept.operations);
        for operation in operations {
            let singles = operation.launch.iter_mut().flat_map(|launch| &mut launch.task_infos);
            let groups = operation.launch_group.iter_mut().flat_map(|launch| &mut launch.task_group.tasks);
            for task in singles.chain(groups) {
                let id = task.task_id.clone();
                for secret in of_task(task) {
                    let Some(path) = kept(secret) else { continue };
                    match sealed_for(key, &id, &path, secrets) {
                        Ok(sealed) => *secret = sealed,
                        Err(error) => {
                            tracing::error!(task = %id, %path, error = &error as &dyn std::error::Error, "a task is launched without its secret");
                        }
                    }
                }
            }
        }
    }
}

/// Why a task does not get a secret.
#[derive(Debug, thiserror::Error)]
enum Unavailable {
    #[error("the secret is not kept any more")]
    Gone,
    #[error("the secret cannot be sealed for the task")]
    Seal(#[from] SealError),
}

fn sealed_for(key: &SealingKey, task: &TaskId, path: &SecretPath, secrets: &Kept) -> Result<Secret, Unavailable> {
    let secret = secrets.get(path).ok_or(Unavailable::Gone)?;
    let value = key.open(&secret.sealed, purpose(path, secret))?;
    Ok(in_reference(&key.seal(&value, Purpose::Task(task))?))
}

fn purpose<'a>(path: &'a SecretPath, secret: &KeptSecret) -> Purpose<'a> {
    Purpose::Keeping { path: path.as_str(), version: secret.version.0.0 }
}

/// Wherever a task can have one.
fn of_task(task: &mut TaskInfo) -> impl Iterator<Item = &mut Secret> {
    let environment = task.command.iter_mut().flat_map(|command| &mut command.environment);
    let variables = environment.flat_map(|environment| &mut environment.variables);
    let of_variables = variables.filter_map(|variable| variable.secret.as_mut());
    let (volumes, image) = match task.container.as_deref_mut() {
        Some(container) => (
            Some(&mut container.volumes),
            container.mesos.as_mut().and_then(|mesos| mesos.image.as_mut()?.docker.as_mut()),
        ),
        None => (None, None),
    };
    let of_volumes = volumes.into_iter().flatten().filter_map(|volume| volume.source.as_mut()?.secret.as_mut());
    of_variables.chain(of_volumes).chain(image.and_then(|image| image.config.as_mut()))
}

#[cfg(test)]
mod tests {
    use attica_core_api::Timestamp;
    use attica_core_api::scheduler::Accept;
    use attica_core_api::secrets::{ClearText, Enclosed, KEY_BYTES};
    use attica_core_api::v1::{LaunchOperation, OfferOperation};
    use serde_json::json;

    use super::*;
    use crate::model::{Agent, RunSpecId, Version};
    use crate::placement::task_info;
    use crate::validate::{Rules, update};

    fn keep(key: &SealingKey, path: &str, value: &str) -> (SecretPath, KeptSecret) {
        let (path, version) = (SecretPath::parse(path).unwrap(), Version(Timestamp(7)));
        let purpose = Purpose::Keeping { path: path.as_str(), version: 7 };
        let sealed = key.seal(&ClearText::new(value.as_bytes().to_vec()), purpose).unwrap();
        (path, KeptSecret { version, sealed })
    }

    fn launched() -> Call {
        let document = json!({"cmd": "true", "env": {"A": {"secret": "one"}, "B": {"secret": "two"}, "C": {"secret": "gone"}},
            "container": {"type": "MESOS", "docker": {"image": "web", "pullConfig": {"secret": "two"}},
                "volumes": [{"containerPath": "file", "secret": "one"}]},
            "secrets": {"one": {"source": "/one"}, "two": {"source": "two"}, "gone": {"source": "/gone"}}});
        let id = RunSpecId::parse("/web").unwrap();
        let update = update(serde_json::from_value(document).unwrap(), &id, &Rules::default()).unwrap();
        let spec = update.apply(None, &id, "*").unwrap();
        let agent = Agent { id: "S0".into(), hostname: "h".into(), attributes: [].into(), domain: None };
        let task_infos = vec![task_info(
            &spec,
            &crate::placement::Surroundings::default(),
            &TaskId::from("web.1"),
            &agent,
            &[31_000],
            Vec::new(),
        )];
        let operation = OfferOperation { launch: Some(LaunchOperation { task_infos }), ..OfferOperation::default() };
        let accept = Accept { operations: vec![operation], ..Accept::default() };
        Call { accept: Some(accept), ..Call::default() }
    }

    #[test]
    fn a_task_gets_its_secrets_sealed_for_itself() {
        let key = SealingKey::new(&[7; KEY_BYTES]);
        let secrets: Kept = [keep(&key, "/one", "first"), keep(&key, "/two", "second")].into();
        let mut call = launched();
        let sealing = Sealing::new(Some(key.clone()));
        assert!(sealing.check(&secrets).is_ok());
        sealing.seal(&mut call, &secrets);
        let task = &mut call.accept.as_mut().unwrap().operations[0].launch.as_mut().unwrap().task_infos[0];
        let opened: Vec<Option<String>> = of_task(task)
            .map(|secret| match Enclosed::of(secret).ok()? {
                Enclosed::Sealed(sealed) => {
                    let opened = key.open(&sealed, Purpose::Task(&TaskId::from("web.1"))).unwrap();
                    Some(String::from_utf8(opened.expose().to_vec()).unwrap())
                }
                Enclosed::Value(value) => panic!("{value:?} is in the open"),
            })
            .collect();
        let expected = [Some("first"), Some("second"), None, Some("first"), Some("second")];
        assert_eq!(opened, expected.map(|value| value.map(str::to_owned)));

        let other = Sealing::new(Some(SealingKey::new(&[8; KEY_BYTES])));
        assert_eq!(other.check(&secrets), Err((SecretPath::parse("/one").unwrap(), SealError::Opening)));
        let (mut untouched, before) = (launched(), launched());
        other.seal(&mut untouched, &secrets);
        Sealing::new(None).seal(&mut untouched, &secrets);
        assert_eq!(untouched, before);
    }
}
