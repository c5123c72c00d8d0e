//! Images: roots for containers, pulled from registries and kept as layers.
//!
//! Code map: [`reference`] is what an image is called and where that is, [`credentials`] who asks for it; [`registry`] pulls, [`store`]
//! keeps layers and knows which images are made of which; [`runtime`] is what an image says about how it is run.
//!
//! Invariants: a layer is named by the digest of what it was unpacked from, which was checked, and is complete when it has its name;
//! nothing writes to it afterwards. Layers are unpacked by the fetcher's helper, which sees nothing but the layer's directory.

mod args;
mod credentials;
mod reference;
mod registry;
pub(crate) mod runtime;
mod store;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::launcher::hidden::{Hidden, HiddenError};
use crate::launcher::protocol::ContainerId;

pub use self::args::ImageArgs;
pub(crate) use self::registry::Settings;
pub(crate) use self::runtime::Runtime;
pub(crate) use self::store::Images;

/// The image that a task wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    /// As Docker writes it: `name`, `name:tag`, `registry/name@sha256:…`.
    pub(crate) name: String,
    /// Whether the registry is asked even if the image is here.
    pub(crate) fresh: bool,
    /// The task's own credentials, in the form of Docker's `config.json`.
    pub(crate) credentials: Option<Hidden>,
}

/// An image that is here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Provisioned {
    /// The digest of its manifest.
    pub(crate) digest: String,
    /// The lowest first.
    pub(crate) layers: Vec<PathBuf>,
    pub(crate) runtime: Runtime,
}

/// Where what a container writes into its root is, until it is over.
pub(crate) fn writable(work_dir: &Path, container: &ContainerId) -> PathBuf {
    work_dir.join("provisioner").join(container.as_str())
}

/// What stands in the way of keeping images.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ImagesError(pub(crate) ImageError);

/// Why an image cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    #[error("`{0}` is no name of an image: {1}")]
    Name(String, String),
    #[error("the registry {registry} does not give the image {name}")]
    Registry {
        registry: String,
        name: String,
        #[source]
        source: Box<oci_client::errors::OciDistributionError>,
    },
    #[error("the registry {0} sends more than the image's manifest says")]
    TooLong(String),
    #[error("the image has {0} layers: at most {1} are taken")]
    Layers(usize, usize),
    #[error("the image's layers are {0} bytes long, packed as they are: at most {1} are taken")]
    Size(u64, u64),
    #[error("the image's configuration cannot be read")]
    Configuration(#[source] serde_json::Error),
    #[error("the credentials of the task are no configuration of Docker's")]
    Credentials,
    #[error("the credentials of the task cannot be had")]
    Hidden(#[from] HiddenError),
    #[error("the image's layer {0} cannot be unpacked")]
    Layer(String, #[source] crate::fetch::helper::HelperError),
    #[error("`{0}` is no digest of SHA-256")]
    Digest(String),
    #[error("cannot {action} {path}")]
    File {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> ImageError {
    move |source| ImageError::File { action, path: path.to_owned(), source }
}
