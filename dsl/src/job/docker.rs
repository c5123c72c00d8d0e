//! `{{docker.image[name][tag]}}`: a tag becomes the digest it stands for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::diagnostic::{Code, Diagnostic};
use crate::evaluate::hexadecimal;
use crate::schema::{Bound, Environment};
use crate::template::Unbound;

/// An image by its tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Image {
    /// The repository: `library/nginx`.
    pub name: String,
    /// The tag: `1.27`.
    pub tag: String,
}

/// What was found out about images: the reference that names the digest, or why there is none.
pub type Answers = BTreeMap<Image, Result<String, String>>;

/// Where the digest of a tag comes from.
#[derive(Clone, Debug, Default)]
pub enum Digests {
    /// Nowhere: the reference stays open, which is an error.
    #[default]
    None,
    /// A hash of name and tag stands for it; no registry is asked.
    TagHash,
    /// A registry was asked.
    Known(Arc<Answers>),
}

/// The images that open references ask for.
pub(super) fn images(unbound: &[Unbound]) -> BTreeSet<Image> {
    unbound.iter().filter_map(|open| image(&open.address)).collect()
}

/// The images that open references ask for, bound; nothing where none is known.
pub(super) fn bindings(digests: &Digests, unbound: &[Unbound]) -> Option<Arc<Environment>> {
    let mut environment = Environment::default();
    let mut is_empty = true;
    for open in unbound {
        let Some(image) = image(&open.address) else { continue };
        let reference = match digests {
            Digests::None => continue,
            Digests::TagHash => {
                let digest = hexadecimal(&Sha256::digest(format!("{}:{}", image.name, image.tag)));
                format!("{}@sha256:{digest}", image.name)
            }
            Digests::Known(answers) => match answers.get(&image) {
                Some(Ok(reference)) => reference.clone(),
                Some(Err(_)) | None => continue,
            },
        };
        environment.insert(open.address.as_str().into(), Bound::Text(reference.into()));
        is_empty = false;
    }
    (!is_empty).then(|| Arc::new(environment))
}

/// Reports the images whose digest could not be found out, and takes them from what is open.
pub(super) fn unanswered(digests: &Digests, unbound: &mut Vec<Unbound>, diagnostics: &mut Vec<Diagnostic>) {
    let Digests::Known(answers) = digests else { return };
    unbound.retain(|open| match image(&open.address).and_then(|image| answers.get(&image)) {
        Some(Err(why)) => {
            diagnostics.push(Diagnostic::error(Code::Unbound, open.span, why.as_str()));
            false
        }
        Some(Ok(_)) | None => true,
    });
}

fn image(address: &str) -> Option<Image> {
    let (name, tag) = address.strip_prefix("docker.image[")?.strip_suffix(']')?.split_once("][")?;
    Some(Image { name: name.to_owned(), tag: tag.to_owned() })
}
