//! Asks a Docker registry (API version 2) which digest a tag stands for: HEAD of the manifest, with a token where one is wanted.
//!
//! Over TLS, but for a registry on this machine. Nothing a registry answers is trusted further than a digest: tokens come from where
//! it says, over TLS as well, and every answer is bounded in time and length.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use ureq::http::{StatusCode, Uri};
use ureq::tls::{RootCerts, TlsConfig};

use crate::job::{Answers, Image};

/// Where images without a registry of their own come from.
pub(super) const DOCKER_HUB: &str = "https://registry-1.docker.io";

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// All requests of one file together.
const ALL_TIMEOUT: Duration = Duration::from_secs(60);
const IMAGES_MAX: usize = 64;
const TOKEN_BYTES_MAX: u64 = 64 << 10;
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// A registry and how it is reached.
pub(super) struct Registry {
    agent: ureq::Agent,
    base: Uri,
    /// Before an image's name in a reference; empty for Docker Hub.
    prefix: String,
}

type Asked<T> = Result<T, String>;

impl Registry {
    /// The registry at an address: `https://HOST[:PORT]`, or `http://` and an address of this machine.
    pub(super) fn new(address: &str) -> Asked<Self> {
        let base: Uri = address.parse().map_err(|_| format!("`{address}` is no address of a registry"))?;
        is_protected(&base).then_some(()).ok_or_else(|| {
            format!("`{address}`: a registry is asked over https, or over http on this machine: https://HOST[:PORT]")
        })?;
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let agent = ureq::Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(REQUEST_TIMEOUT))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent("attica")
            .build();
        let authority = base.authority().map(ToString::to_string).unwrap_or_default();
        let prefix = if address == DOCKER_HUB { String::new() } else { format!("{authority}/") };
        Ok(Self { agent: agent.into(), base, prefix })
    }

    /// What each image's tag stands for, or why that is not known.
    pub(super) fn ask(&self, images: &BTreeSet<Image>) -> Answers {
        let deadline = Instant::now() + ALL_TIMEOUT;
        let answer = |(index, image): (usize, &Image)| {
            let told = if index >= IMAGES_MAX {
                Err(format!("a file may name {IMAGES_MAX} images at most"))
            } else if Instant::now() > deadline {
                Err(format!("the registry was given {} seconds for all images", ALL_TIMEOUT.as_secs()))
            } else {
                self.digest(image)
            };
            let told = told.map_err(|why| format!("no digest for the image {}:{}: {why}", image.name, image.tag));
            (image.clone(), told.map(|digest| format!("{}{}@{digest}", self.prefix, image.name)))
        };
        images.iter().enumerate().map(answer).collect()
    }

    fn digest(&self, image: &Image) -> Asked<String> {
        let repository = self.repository(&image.name)?;
        if !is_tag(&image.tag) {
            return Err("this is no tag".to_owned());
        }
        let uri = format!("{}v2/{repository}/manifests/{}", self.base, image.tag);
        let mut answer = self.head(&uri, None)?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            let challenge = answer.headers().get("www-authenticate").and_then(|value| value.to_str().ok());
            let token = self.token(challenge.unwrap_or_default())?;
            answer = self.head(&uri, Some(&token))?;
        }
        match answer.status() {
            StatusCode::OK => {
                let digest = answer.headers().get("docker-content-digest").and_then(|value| value.to_str().ok());
                let digest = digest.filter(|digest| is_digest(digest));
                digest.map(str::to_owned).ok_or_else(|| "the registry names no sha256 digest".to_owned())
            }
            StatusCode::NOT_FOUND => Err("the registry has no such image or tag".to_owned()),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err("the registry does not show it to everybody".to_owned())
            }
            StatusCode::TOO_MANY_REQUESTS => Err("the registry wants to be asked less often".to_owned()),
            other => Err(format!("the registry answers {other}")),
        }
    }

    fn head(&self, uri: &str, token: Option<&str>) -> Asked<ureq::http::Response<ureq::Body>> {
        let mut request = self.agent.head(uri).header("accept", MANIFESTS);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request.call().map_err(|error| format!("the registry {} does not answer: {error}", self.base))
    }

    /// A token for reading, from where the challenge says.
    fn token(&self, challenge: &str) -> Asked<String> {
        let wanted = challenge.strip_prefix("Bearer ").ok_or("the registry asks for a password")?;
        let part = |name: &str| parameters(wanted).find(|(known, _)| *known == name).map(|(_, value)| value);
        let realm = part("realm").ok_or("the registry does not say where tokens come from")?;
        let uri: Uri = realm.parse().map_err(|_| format!("`{realm}` is no address for a token"))?;
        if !is_protected(&uri) || (is_of_this_machine(&uri) && !is_of_this_machine(&self.base)) {
            return Err(format!("the registry sends for a token to `{realm}`, which is not asked"));
        }
        let mut request = self.agent.get(uri);
        for name in ["service", "scope"] {
            request = request.query_pairs(part(name).map(|value| (name, value)));
        }
        let mut answer = request.call().map_err(|error| format!("`{realm}` gives no token: {error}"))?;
        if answer.status() != StatusCode::OK {
            return Err(format!("`{realm}` gives no token: {}", answer.status()));
        }
        let text = answer.body_mut().with_config().limit(TOKEN_BYTES_MAX).read_to_string();
        let document: Json = text
            .map_err(|error| error.to_string())
            .and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()))
            .map_err(|error| format!("`{realm}` gives no token: {error}"))?;
        let token = document["token"].as_str().or(document["access_token"].as_str());
        token.map(str::to_owned).ok_or_else(|| format!("`{realm}` gives no token"))
    }

    /// The name as the registry knows it: Docker Hub keeps names of one word in `library`.
    fn repository(&self, name: &str) -> Asked<String> {
        let is_part = |part: &str| {
            let is_end = |c: Option<u8>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
            is_end(part.bytes().next())
                && is_end(part.bytes().last())
                && part.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"._-".contains(&c))
        };
        if !name.split('/').all(is_part) || name.len() > 255 {
            return Err("this is no name of an image".to_owned());
        }
        let is_official = self.prefix.is_empty() && !name.contains('/');
        Ok(if is_official { format!("library/{name}") } else { name.to_owned() })
    }
}

fn is_tag(tag: &str) -> bool {
    tag.len() <= 128
        && tag.bytes().next().is_some_and(|c| c.is_ascii_alphanumeric() || c == b'_')
        && tag.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c))
}

fn is_digest(digest: &str) -> bool {
    digest
        .strip_prefix("sha256:")
        .is_some_and(|hash| hash.len() == 64 && hash.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c)))
}

/// Over TLS, or within this machine.
fn is_protected(uri: &Uri) -> bool {
    match uri.scheme_str() {
        Some("https") => uri.host().is_some(),
        Some("http") => is_of_this_machine(uri),
        Some(_) | None => false,
    }
}

fn is_of_this_machine(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// `a="b",c="d,e"` as pairs.
fn parameters(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (name, value) = rest.split_once("=\"")?;
        let (value, after) = value.split_once('"')?;
        rest = after;
        Some((name.trim_start_matches([',', ' ']), value))
    })
}
