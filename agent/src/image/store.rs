//! The images on this machine.
//!
//! ```text
//! <store>/layers/<digest>/      a layer, unpacked
//! <store>/images/<hash>.json    what an image is made of; touched when it is used
//! <store>/incoming/             on its way; emptied when the agent starts
//! ```

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use oci_client::Reference;
use oci_client::manifest::OciDescriptor;
use oci_client::secrets::RegistryAuth;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex as AsyncMutex, RwLock};

use super::credentials::Credentials;
use super::registry::Registry;
use super::{ImageError, Provisioned, Runtime, Settings, Wish, file, reference};
use crate::fetch::helper;
use crate::fetch::job::Job;
use crate::fetch::make_private;
use crate::unpack::Bounds;

/// More layers than any tool makes; each is looked through for each file.
const LAYERS_MAX: usize = 128;
/// The form of the files that this build writes and reads.
const FORMAT: u32 = 1;

/// What is written down about an image.
#[derive(Serialize, Deserialize)]
struct Record {
    format: u32,
    /// For people.
    name: String,
    digest: String,
    /// Digests of its layers, the lowest first.
    layers: Vec<String>,
    runtime: Runtime,
}

/// See the module's text.
#[derive(Clone, Debug)]
pub(crate) struct Images {
    settings: Arc<Settings>,
    /// Whoever pulls an image, or a layer, has its lock: the next one finds it there.
    locks: Arc<Mutex<HashMap<String, Arc<AsyncMutex<()>>>>>,
    /// Written by who removes what is not used.
    collecting: Arc<RwLock<()>>,
}

impl Images {
    /// Who asks a registry for this image, as a Docker daemon wants it told.
    pub(crate) fn daemons_auth(&self, name: &str) -> Option<String> {
        use base64::Engine;
        let reference = super::reference::parse(name, &self.settings.registry).ok()?;
        let said = match self.settings.credentials.of(reference.resolve_registry()) {
            RegistryAuth::Anonymous => return None,
            RegistryAuth::Basic(username, password) => {
                serde_json::json!({ "username": username, "password": password })
            }
            RegistryAuth::Bearer(token) => serde_json::json!({ "registrytoken": token }),
        };
        Some(base64::engine::general_purpose::URL_SAFE.encode(said.to_string()))
    }

    pub(crate) fn open(settings: Settings) -> Result<Images, ImageError> {
        let incoming = settings.store.join("incoming");
        match std::fs::remove_dir_all(&incoming) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file("empty", &incoming)(error)),
            Ok(()) | Err(_) => {}
        }
        for directory in [&settings.store, &incoming, &settings.store.join("layers"), &settings.store.join("images")] {
            make_private(directory).map_err(file("make", directory))?;
        }
        Ok(Images { settings: Arc::new(settings), locks: Arc::default(), collecting: Arc::default() })
    }

    /// The image, which is pulled unless it is here.
    pub(crate) async fn provision(&self, wish: &Wish) -> Result<Provisioned, ImageError> {
        let reference = reference::parse(&wish.name, &self.settings.registry)?;
        let own = match &wish.credentials {
            Some(hidden) => Some(Credentials::parse(hidden.open()?.expose())?),
            None => None,
        };
        let _not_now = self.collecting.read().await;
        if !wish.fresh
            && let Some(known) = self.known(&reference)
        {
            return Ok(known);
        }
        let lock = self.lock(&reference.whole());
        let _pulling = lock.lock().await;
        if !wish.fresh
            && let Some(known) = self.known(&reference)
        {
            return Ok(known);
        }
        self.pull(&reference, own.as_ref()).await
    }

    async fn pull(&self, reference: &Reference, own: Option<&Credentials>) -> Result<Provisioned, ImageError> {
        let registry = Registry::new(&self.settings, reference, own);
        let (manifest, digest) = registry.manifest().await?;
        if manifest.layers.len() > LAYERS_MAX {
            return Err(ImageError::Layers(manifest.layers.len(), LAYERS_MAX));
        }
        check_size(&manifest.layers)?;
        let configuration = registry.configuration(&manifest.config).await?;
        let runtime = Runtime::parse(&configuration).map_err(ImageError::Configuration)?;
        for layer in &manifest.layers {
            self.layer(&registry, layer).await?;
        }
        let record = Record {
            format: FORMAT,
            name: reference.whole(),
            digest,
            layers: manifest.layers.into_iter().map(|layer| layer.digest).collect(),
            runtime,
        };
        let provisioned = self.provisioned(&record)?;
        self.write(reference, &record)?;
        Ok(provisioned)
    }

    /// Brings a layer here, once for all that want it.
    async fn layer(&self, registry: &Registry<'_>, layer: &OciDescriptor) -> Result<(), ImageError> {
        let directory = self.directory(&layer.digest)?;
        let lock = self.lock(&layer.digest);
        let _pulling = lock.lock().await;
        if directory.is_dir() {
            return Ok(());
        }
        let incoming = Incoming(self.settings.store.join("incoming").join(uuid::Uuid::new_v4().simple().to_string()));
        let (packed, unpacked) = (incoming.0.join("packed"), incoming.0.join("unpacked"));
        make_private(&incoming.0).map_err(file("make", &incoming.0))?;
        registry.layer(layer, &packed).await?;
        // Of a layer that says nothing about its root.
        std::fs::DirBuilder::new().mode(0o755).create(&unpacked).map_err(file("make", &unpacked))?;
        let job = Job::Unpack { layer: packed, directory: unpacked.clone() };
        helper::run(&job).await.map_err(|error| ImageError::Layer(layer.digest.clone(), error))?;
        let moved = tokio::task::spawn_blocking(move || {
            // A name is a promise that survives a crash of the machine.
            let opened = std::fs::File::open(&unpacked).map_err(file("read", &unpacked))?;
            nix::unistd::syncfs(&opened).map_err(|error| file("write", &unpacked)(error.into()))?;
            std::fs::rename(&unpacked, &directory).map_err(file("keep", &directory))
        });
        let stopped = |_| file("keep", &self.settings.store)(io::Error::other("the agent ends"));
        moved.await.map_err(stopped)?
    }

    fn lock(&self, name: &str) -> Arc<AsyncMutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        locks.entry(name.to_owned()).or_default().clone()
    }

    /// An image that is here as a whole.
    fn known(&self, reference: &Reference) -> Option<Provisioned> {
        let path = self.record(reference);
        let record: Record = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
        let provisioned = self.provisioned(&record).ok().filter(|_| record.format == FORMAT)?;
        if !provisioned.layers.iter().all(|layer| layer.is_dir()) {
            return None;
        }
        let touched =
            std::fs::File::options().append(true).open(&path).and_then(|it| it.set_modified(SystemTime::now()));
        if let Err(error) = touched {
            tracing::warn!(path = %path.display(), %error, "an image may be removed although it is used");
        }
        Some(provisioned)
    }

    fn provisioned(&self, record: &Record) -> Result<Provisioned, ImageError> {
        let layers = record.layers.iter().map(|digest| self.directory(digest)).collect::<Result<_, _>>()?;
        Ok(Provisioned { digest: record.digest.clone(), layers, runtime: record.runtime.clone() })
    }

    /// Where a layer is, or is to be. What a registry calls a digest is looked at: it becomes a name.
    fn directory(&self, digest: &str) -> Result<PathBuf, ImageError> {
        let hex = digest.strip_prefix("sha256:").filter(|hex| hex.len() == 64);
        let hex = hex.filter(|hex| hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
        Ok(self.settings.store.join("layers").join(hex.ok_or_else(|| ImageError::Digest(digest.to_owned()))?))
    }

    fn record(&self, reference: &Reference) -> PathBuf {
        let hash = Sha256::digest(reference.whole().as_bytes());
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        self.settings.store.join("images").join(format!("{hex}.json"))
    }

    fn write(&self, reference: &Reference, record: &Record) -> Result<(), ImageError> {
        let path = self.record(reference);
        let incoming = self.settings.store.join("incoming").join(uuid::Uuid::new_v4().simple().to_string());
        let json = serde_json::to_vec(record).map_err(ImageError::Configuration)?;
        std::fs::write(&incoming, json).map_err(file("write", &incoming))?;
        std::fs::rename(&incoming, &path).map_err(file("keep", &path))
    }

    /// Removes images that nobody has used for `retention`, and layers of no image, except what is `in_use` and the images named in `except`;
    /// returns how many layers went. While something is being pulled nothing is removed.
    pub(crate) fn collect(
        &self,
        retention: Duration,
        in_use: &HashSet<PathBuf>,
        except: &[String],
    ) -> Result<usize, ImageError> {
        let Ok(_alone) = self.collecting.try_write() else { return Ok(0) };
        let parsed = except.iter().filter_map(|name| reference::parse(name, &self.settings.registry).ok());
        let except: Vec<String> = parsed.map(|reference| reference.whole()).collect();
        let images = self.settings.store.join("images");
        let mut kept: HashSet<PathBuf> = in_use.clone();
        for entry in entries(&images)? {
            let record = std::fs::read(&entry).ok().and_then(|json| serde_json::from_slice::<Record>(&json).ok());
            let excepted = record.as_ref().is_some_and(|record| except.contains(&record.name));
            let layers = record.and_then(|record| self.provisioned(&record).ok()).map(|image| image.layers);
            let used =
                layers.as_ref().is_some_and(|layers| !layers.is_empty() && layers.iter().all(|it| in_use.contains(it)));
            if used || excepted || idle(&entry) < retention {
                kept.extend(layers.unwrap_or_default());
            } else {
                std::fs::remove_file(&entry).map_err(file("remove", &entry))?;
            }
        }
        let mut removed = 0;
        for layer in entries(&self.settings.store.join("layers"))? {
            if !kept.contains(&layer) {
                // It loses its name first: half a layer has none.
                let gone =
                    Incoming(self.settings.store.join("incoming").join(uuid::Uuid::new_v4().simple().to_string()));
                std::fs::rename(&layer, &gone.0).map_err(file("remove", &layer))?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// Something on its way, in or out.
struct Incoming(PathBuf);

impl Drop for Incoming {
    fn drop(&mut self) {
        // What is left goes when the agent starts.
        let _left = std::fs::remove_dir_all(&self.0);
    }
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, ImageError> {
    let read = std::fs::read_dir(directory).map_err(file("read", directory))?;
    read.map(|entry| Ok(entry.map_err(file("read", directory))?.path())).collect()
}

/// What a manifest promises is downloaded before it is known what is in it.
fn check_size(layers: &[OciDescriptor]) -> Result<(), ImageError> {
    let longest = Bounds::default().bytes;
    let sizes = layers.iter().map(|layer| u64::try_from(layer.size).unwrap_or(0));
    let bytes = sizes.fold(0, u64::saturating_add);
    if bytes > longest { Err(ImageError::Size(bytes, longest)) } else { Ok(()) }
}

/// Since it was used.
fn idle(path: &Path) -> Duration {
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    modified.ok().and_then(|modified| SystemTime::now().duration_since(modified).ok()).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(directory: &Path) -> Images {
        Images::open(Settings {
            store: directory.to_owned(),
            registry: "registry.example".to_owned(),
            insecure: Vec::new(),
            credentials: Credentials::default(),
            stall: Duration::from_secs(1),
        })
        .unwrap()
    }

    fn image(images: &Images, name: &str, layers: &[&str]) -> Reference {
        let reference = reference::parse(name, "registry.example").unwrap();
        let digest = |layer: &&str| format!("sha256:{}", layer.repeat(64));
        let record = Record {
            format: FORMAT,
            name: reference.whole(),
            digest: String::new(),
            layers: layers.iter().map(digest).collect(),
            runtime: Runtime::default(),
        };
        for layer in &record.layers {
            std::fs::create_dir_all(images.directory(layer).unwrap()).unwrap();
        }
        images.write(&reference, &record).unwrap();
        reference
    }

    #[test]
    fn layers_go_with_their_last_image_unless_they_are_in_use() {
        let directory = tempfile::tempdir().unwrap();
        let images = store(directory.path());
        let (a, b) = (image(&images, "a", &["1", "2"]), image(&images, "b", &["1", "3"]));
        let left = || entries(&directory.path().join("layers")).unwrap().len();
        assert_eq!(images.collect(Duration::from_secs(60), &HashSet::new(), &[]).unwrap(), 0);
        let in_use: HashSet<PathBuf> = images.known(&a).unwrap().layers.into_iter().collect();
        assert_eq!((images.collect(Duration::ZERO, &in_use, &[]).unwrap(), left()), (1, 2));
        assert!(images.known(&a).is_some() && images.known(&b).is_none());
        let except = ["registry.example/a".to_owned()];
        assert_eq!((images.collect(Duration::ZERO, &HashSet::new(), &except).unwrap(), left()), (0, 2));
        assert_eq!((images.collect(Duration::ZERO, &HashSet::new(), &[]).unwrap(), left()), (2, 0));
        assert!(images.known(&a).is_none());
        assert_eq!(entries(&directory.path().join("incoming")).unwrap().len(), 0);
    }

    #[test]
    fn an_image_is_not_longer_than_any_layer_may_be() {
        let layers = |sizes: &[i64]| -> Vec<OciDescriptor> {
            sizes.iter().map(|size| OciDescriptor { size: *size, ..OciDescriptor::default() }).collect()
        };
        assert!(check_size(&layers(&[1 << 30, 63 << 30])).is_ok());
        for sizes in [vec![1 << 30, 64 << 30], vec![i64::MAX; 3]] {
            let refused = check_size(&layers(&sizes)).unwrap_err().to_string();
            assert!(refused.contains("bytes long"), "{refused}");
        }
    }

    #[test]
    fn a_digest_cannot_lead_elsewhere() {
        let directory = tempfile::tempdir().unwrap();
        let images = store(directory.path());
        for digest in ["", "sha256:", "sha256:../../x", "sha512:00", &format!("sha256:{}", "G".repeat(64))] {
            assert!(images.directory(digest).is_err(), "{digest}");
        }
    }

    #[tokio::test]
    async fn an_image_that_is_here_needs_no_registry() {
        let directory = tempfile::tempdir().unwrap();
        let images = store(directory.path());
        image(&images, "a:1", &["1"]);
        let wish = Wish { name: "a:1".to_owned(), fresh: false, credentials: None };
        assert_eq!(images.provision(&wish).await.unwrap().layers.len(), 1);
    }
}
