//! Who asks a registry: the `auths` of Docker's `config.json`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oci_client::secrets::RegistryAuth;
use serde::Deserialize;

use super::ImageError;

/// By registry.
#[derive(Clone, Default)]
pub(crate) struct Credentials(BTreeMap<String, RegistryAuth>);

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
}

#[derive(Deserialize)]
struct Auth {
    /// `user:password` in base64.
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    registrytoken: Option<String>,
}

impl Auth {
    fn read(self) -> Option<RegistryAuth> {
        if let Some(token) = self.registrytoken {
            return Some(RegistryAuth::Bearer(token));
        }
        if let (Some(user), Some(password)) = (self.username, self.password) {
            return Some(RegistryAuth::Basic(user, password));
        }
        let decoded = String::from_utf8(STANDARD.decode(self.auth?.trim()).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        Some(RegistryAuth::Basic(user.to_owned(), password.trim_end_matches('\0').to_owned()))
    }
}

impl Credentials {
    pub(super) fn parse(json: &[u8]) -> Result<Credentials, ImageError> {
        let config: Config = serde_json::from_slice(json).map_err(|_quotes_from_it| ImageError::Credentials)?;
        let known = config.auths.into_iter().filter_map(|(registry, auth)| Some((host(&registry), auth.read()?)));
        Ok(Credentials(known.collect()))
    }

    /// What to say to this registry.
    pub(super) fn of(&self, registry: &str) -> RegistryAuth {
        self.0.get(&host(registry)).cloned().unwrap_or(RegistryAuth::Anonymous)
    }
}

/// Docker's own registry has several names.
fn host(registry: &str) -> String {
    let rest = registry.split_once("://").map_or(registry, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or_default();
    match host {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_them_is_read() {
        let json = r#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "bWU6c2U6Y3JldA=="},
            "127.0.0.1:5000": {"username": "me", "password": "pass"},
            "token.example": {"registrytoken": "t"},
            "broken.example": {"auth": "?"}
        }, "credsStore": "ignored by everybody but Docker's client"}"#;
        let credentials = Credentials::parse(json.as_bytes()).unwrap();
        assert_eq!(credentials.of("registry-1.docker.io"), RegistryAuth::Basic("me".into(), "se:cret".into()));
        assert_eq!(credentials.of("127.0.0.1:5000"), RegistryAuth::Basic("me".into(), "pass".into()));
        assert_eq!(credentials.of("token.example"), RegistryAuth::Bearer("t".into()));
        for registry in ["broken.example", "other.example"] {
            assert_eq!(credentials.of(registry), RegistryAuth::Anonymous);
        }
        assert!(!format!("{credentials:?}").contains("pass"));
    }
}
