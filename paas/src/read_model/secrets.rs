//! Secrets and who uses them. Their values are not here.

use attica_paas_api::secret::{Secret, SecretList};

use super::answer::{Answer, Missing, Reader, Seen, with_version};
use super::model::ReadModel;
use crate::model::{RunSpecId, SecretPath, Shape, Version};
use crate::normalise;

impl Reader<'_> {
    /// `{"secrets":[…]}`
    #[must_use]
    pub fn secrets(&self) -> Answer {
        self.collect(|views, out| {
            let secrets = views.secrets().map(|(path, version)| views.secret(path, version)).collect();
            out.made(normalise::json(&SecretList { secrets }));
        })
    }

    /// One secret; the answer's tag is its version.
    #[must_use]
    pub fn secret(&self, path: &SecretPath) -> Answer {
        let mut present = None;
        let answer = self.find(|views, out| {
            let version = views.secret_version(path).ok_or_else(|| Missing::Secret(path.to_string()))?;
            present = Some(version.to_string());
            out.made(normalise::json(&views.secret(path, version)));
            Ok(())
        });
        with_version(answer, present)
    }
}

impl ReadModel {
    /// When a secret was set; none: there is no such secret.
    #[must_use]
    pub fn secret_version(&self, path: &SecretPath) -> Option<Version> {
        self.read().secrets.get(path).copied()
    }
}

impl Seen<'_> {
    /// A secret, and of what uses it what may be viewed.
    fn secret(&self, path: &SecretPath, version: Version) -> Secret {
        let users = self.apps().filter_map(|(id, app)| {
            let spec = &app.definition.as_ref()?.spec;
            spec.refers_to(path).then(|| (id, spec.shape()))
        });
        normalise::secret(path, version, users.collect::<Vec<(&RunSpecId, Shape)>>().into_iter())
    }
}
