//! The other cluster, which is only read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};

use super::tree::{Tree, is_within};
use crate::client::config::{Origin, Target};
use crate::client::failure::Failure;
use crate::client::server::{Request, Server};

/// Longer secrets are none.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// A Marathon, and what proves to it who asks.
pub(super) struct Source {
    server: Server,
    authorization: Option<HeaderValue>,
}

/// What runs there.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    /// `marathon 1.8.232`
    pub(super) name: String,
    pub(super) address: String,
    /// The root group.
    pub(super) root: Tree,
    /// Definitions by id.
    pub(super) pods: BTreeMap<String, Map<String, Value>>,
}

impl Source {
    /// # Errors
    /// [`Failure::Usage`] for what is no URL and no certificate, [`Failure::File`] for a secret that cannot be read.
    pub(super) fn new(
        url: &str,
        ca_file: Option<PathBuf>,
        user_file: Option<&Path>,
        token_file: Option<&Path>,
    ) -> Result<Self, Failure> {
        let address = url.parse().map_err(|error| Failure::Usage(format!("{error}")))?;
        let authorization = match (user_file, token_file) {
            (Some(file), _) => {
                let user = secret(file)?;
                if !user.contains(':') {
                    return Err(Failure::Usage(format!("{}: expected NAME:PASSWORD", file.display())));
                }
                Some(format!("Basic {}", STANDARD.encode(user)))
            }
            (None, Some(file)) => Some(format!("token={}", secret(file)?)),
            (None, None) => None,
        };
        let authorization = authorization.map(|text| {
            let mut value = HeaderValue::from_str(&text)
                .map_err(|_| Failure::Usage("a token is one line of visible characters".to_owned()))?;
            value.set_sensitive(true);
            Ok::<_, Failure>(value)
        });
        let target = Target { addresses: vec![address], origin: Origin::Source, ca_file, proof: None, file: None };
        Ok(Self { server: Server::new(target)?, authorization: authorization.transpose()? })
    }

    /// Reads everything that is taken over.
    pub(super) async fn read(&self) -> Result<Cluster, Failure> {
        let info = self.get("/v2/info").await?;
        let (Some(name), Some(version)) = (info["name"].as_str(), info["version"].as_str()) else {
            return Err(Failure::failed(format!("{}: /v2/info names no Marathon", self.server.address())));
        };
        let root = self.get("/v2/groups?embed=group.groups&embed=group.apps").await?;
        let root = Tree::of(&root)
            .map_err(|what| Failure::failed(format!("{}: /v2/groups: {what}", self.server.address())))?;
        let pods = match self.get("/v2/pods").await {
            Ok(pods) => pods,
            // It is older than pods are.
            Err(Failure::Refused { status: StatusCode::NOT_FOUND, .. }) => Value::Null,
            Err(failure) => return Err(failure),
        };
        Ok(Cluster { name: format!("{name} {version}"), address: self.server.address(), root, pods: pods_of(&pods) })
    }

    async fn get(&self, path: &str) -> Result<Value, Failure> {
        let mut request = Request::get(path);
        if let Some(authorization) = &self.authorization {
            request = request.with_header(AUTHORIZATION, authorization.clone());
        }
        match self.server.call(&request).await?.read() {
            // Of the two clusters it is this one, to which nothing that proves a name to the other is sent.
            Err(Failure::Refused { status: StatusCode::UNAUTHORIZED, request, body, .. }) => Err(Failure::Refused {
                status: StatusCode::UNAUTHORIZED,
                request,
                body,
                hint: Some(format!(
                    "{} asks who reads it: --user-file FILE, or --token-file FILE for a token of DC/OS",
                    self.server.address()
                )),
            }),
            other => other,
        }
    }
}

/// The definitions in a list of pods, by id, without what no write can say.
pub(super) fn pods_of(list: &Value) -> BTreeMap<String, Map<String, Value>> {
    let pods = list.as_array().into_iter().flatten().filter_map(Value::as_object);
    let named = pods.filter_map(|pod| Some((pod.get("id")?.as_str()?.to_owned(), pod.clone())));
    named
        .map(|(id, mut pod)| {
            pod.remove("version");
            (id, pod)
        })
        .collect()
}

impl Cluster {
    /// Whether anything lies at this path.
    pub(super) fn holds(&self, path: &str) -> bool {
        self.root.holds(path) || self.pods.keys().any(|pod| is_within(pod, path))
    }

    /// Forgets all but these, and what lies in them.
    pub(super) fn keep(&mut self, paths: &[&str]) {
        let is_kept = |id: &str| paths.iter().any(|path| is_within(id, path));
        self.root.keep(&is_kept);
        self.pods.retain(|id, _| is_kept(id));
    }
}

fn secret(file: &Path) -> Result<String, Failure> {
    let cannot = |source| Failure::File { path: file.to_owned(), source };
    let mut text = String::new();
    File::open(file).and_then(|file| file.take(SECRET_BYTES_MAX).read_to_string(&mut text)).map_err(cannot)?;
    match text.trim() {
        "" => Err(Failure::Usage(format!("{} is empty", file.display()))),
        secret => Ok(secret.to_owned()),
    }
}
