//! `{{docker.image[name][tag]}}`: a tag becomes the digest it stands for.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::evaluate::hexadecimal;
use crate::schema::{Bound, Environment};
use crate::template::Unbound;

/// Where the digest of a tag comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Digests {
    /// Nowhere: the reference stays open, which is an error
    #[default]
    None,
    /// A hash of name and tag stands for it; no registry is asked
    TagHash,
}

/// The images that open references ask for, bound.
pub(super) fn bindings(digests: Digests, unbound: &[Unbound]) -> Option<Arc<Environment>> {
    if digests == Digests::None {
        return None;
    }
    let mut environment = Environment::default();
    let mut is_empty = true;
    for open in unbound {
        if let Some((name, tag)) = image(&open.address) {
            let digest = hexadecimal(&Sha256::digest(format!("{name}:{tag}")));
            environment.insert(open.address.as_str().into(), Bound::Text(format!("{name}@sha256:{digest}").into()));
            is_empty = false;
        }
    }
    (!is_empty).then(|| Arc::new(environment))
}

fn image(address: &str) -> Option<(&str, &str)> {
    address.strip_prefix("docker.image[")?.strip_suffix(']')?.split_once("][")
}
