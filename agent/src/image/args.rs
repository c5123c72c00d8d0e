//! How the agent is told about registries.

use std::path::{Path, PathBuf};

use super::credentials::Credentials;
use super::{ImageError, Settings};

/// Where images come from.
#[derive(Clone, Debug, clap::Args)]
pub struct ImageArgs {
    /// The registry of images that do not name one, as HOST[:PORT] or https://HOST[:PORT]
    #[arg(
        long,
        alias = "docker_registry",
        env = "MESOS_DOCKER_REGISTRY",
        value_name = "REGISTRY",
        default_value = "https://registry-1.docker.io"
    )]
    pub docker_registry: String,
    /// Directory for images' layers [default: `store/docker` in the work directory]
    #[arg(long, alias = "docker_store_dir", env = "MESOS_DOCKER_STORE_DIR", value_name = "DIRECTORY")]
    pub docker_store_dir: Option<PathBuf>,
    /// Credentials for registries, in the form of Docker's config.json: the JSON, or a file that holds it
    #[arg(
        long,
        alias = "docker_config",
        env = "MESOS_DOCKER_CONFIG",
        value_name = "JSON|FILE",
        hide_env_values = true
    )]
    pub docker_config: Option<String>,
    /// Registries, as HOST[:PORT], that are asked over http, as those on this machine are
    #[arg(long, env = "ATTICA_DOCKER_INSECURE_REGISTRIES", value_name = "REGISTRY,…", value_delimiter = ',')]
    pub docker_insecure_registries: Vec<String>,
    /// A registry of which nothing comes for so long is given up, in seconds
    #[arg(long, env = "ATTICA_DOCKER_STALL_SECONDS", value_name = "SECONDS", default_value_t = 60)]
    pub docker_stall_seconds: u64,
}

impl ImageArgs {
    pub(crate) fn settings(&self, work_dir: &Path) -> Result<Settings, ImageError> {
        let store = self.docker_store_dir.clone().unwrap_or_else(|| work_dir.join("store/docker"));
        let store = std::path::absolute(&store).map_err(super::file("find", &store))?;
        let credentials = match self.docker_config.as_deref() {
            None => Credentials::default(),
            Some(text) if text.trim_start().starts_with('{') => Credentials::parse(text.as_bytes())?,
            Some(path) => {
                let path = Path::new(path.strip_prefix("file://").unwrap_or(path));
                Credentials::parse(&std::fs::read(path).map_err(super::file("read", path))?)?
            }
        };
        let (scheme, registry) = self.docker_registry.split_once("://").unwrap_or(("https", &self.docker_registry));
        let registry = registry.trim_end_matches('/').to_owned();
        let mut insecure = self.docker_insecure_registries.clone();
        insecure.extend((scheme == "http").then(|| registry.clone()));
        let stall = std::time::Duration::from_secs(self.docker_stall_seconds);
        Ok(Settings { store, registry, insecure, credentials, stall })
    }
}
