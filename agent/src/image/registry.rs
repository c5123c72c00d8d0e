//! Pulls images from registries.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::TryStreamExt;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::manifest::{OciDescriptor, OciImageManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use tokio::io::AsyncWriteExt;

use super::credentials::Credentials;
use super::reference::is_loopback;
use super::{ImageError, file};

/// The longest configuration of an image, in bytes.
const CONFIGURATION_MAX_BYTES: usize = 8 << 20;

/// Where images come from.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The directory for layers.
    pub(crate) store: PathBuf,
    /// Of images that do not name one.
    pub(crate) registry: String,
    /// Asked over http.
    pub(crate) insecure: Vec<String>,
    pub(crate) credentials: Credentials,
    /// Nothing may come for so long.
    pub(crate) stall: Duration,
}

/// A registry that is asked for one image.
pub(super) struct Registry<'a> {
    client: Client,
    auth: RegistryAuth,
    reference: &'a Reference,
    stall: Duration,
}

impl<'a> Registry<'a> {
    pub(super) fn new(settings: &Settings, reference: &'a Reference, own: Option<&Credentials>) -> Registry<'a> {
        // The client looks for the process's provider; that another part of the agent has named it already does not matter.
        let _named = rustls::crypto::ring::default_provider().install_default();
        let registry = reference.resolve_registry();
        let loopback = is_loopback(registry).then(|| registry.to_owned());
        let client = Client::new(ClientConfig {
            protocol: ClientProtocol::HttpsExcept(settings.insecure.iter().cloned().chain(loopback).collect()),
            read_timeout: Some(settings.stall),
            connect_timeout: Some(settings.stall),
            user_agent: "attica",
            ..ClientConfig::default()
        });
        let auth = own.unwrap_or(&settings.credentials).of(registry);
        Registry { client, auth, reference, stall: settings.stall }
    }

    fn failed(&self, source: OciDistributionError) -> ImageError {
        ImageError::Registry {
            registry: self.reference.resolve_registry().to_owned(),
            name: self.reference.to_string(),
            source: Box::new(source),
        }
    }

    async fn timely<T>(&self, work: impl Future<Output = Result<T, OciDistributionError>>) -> Result<T, ImageError> {
        let late = || OciDistributionError::GenericError(Some(format!("nothing came for {} s", self.stall.as_secs())));
        let outcome = tokio::time::timeout(self.stall, work).await.unwrap_or_else(|_| Err(late()));
        outcome.map_err(|error| self.failed(error))
    }

    /// What the image is made of on this platform, and the digest of that.
    pub(super) async fn manifest(&self) -> Result<(OciImageManifest, String), ImageError> {
        self.timely(self.client.pull_image_manifest(self.reference, &self.auth)).await
    }

    pub(super) async fn configuration(&self, of: &OciDescriptor) -> Result<Vec<u8>, ImageError> {
        let mut stream = self.timely(self.client.pull_blob_stream(self.reference, of)).await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk(&mut stream).await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > CONFIGURATION_MAX_BYTES {
                return Err(ImageError::TooLong(self.reference.resolve_registry().to_owned()));
            }
        }
        Ok(bytes)
    }

    /// Writes a layer, as it is packed, to a new file. The client checks it against its digest.
    pub(super) async fn layer(&self, layer: &OciDescriptor, to: &Path) -> Result<(), ImageError> {
        let mut stream = self.timely(self.client.pull_blob_stream(self.reference, layer)).await?;
        let mut out = tokio::fs::File::create_new(to).await.map_err(file("make", to))?;
        let mut left = u64::try_from(layer.size).unwrap_or(0);
        while let Some(chunk) = self.chunk(&mut stream).await? {
            left = left
                .checked_sub(chunk.len() as u64)
                .ok_or_else(|| ImageError::TooLong(self.reference.resolve_registry().to_owned()))?;
            out.write_all(&chunk).await.map_err(file("write", to))?;
        }
        out.flush().await.map_err(file("write", to))
    }

    async fn chunk(&self, stream: &mut oci_client::client::SizedStream) -> Result<Option<bytes::Bytes>, ImageError> {
        self.timely(async { Ok(stream.stream.try_next().await?) }).await
    }
}
