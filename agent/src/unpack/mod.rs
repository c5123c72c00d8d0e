//! Archives of strangers, made into files beneath one directory.
//!
//! Names and links cannot lead out of it ([`tree`]), what is unpacked has its bounds ([`bounds`]), and nothing but files, directories
//! and links is made. [`archive`] unpacks what tasks want to have in their sandboxes, [`layer`] what images are made of.

pub(crate) mod archive;
mod bounds;
pub(crate) mod format;
pub(crate) mod layer;
mod name;
mod tree;
mod zip;

use std::io;

pub(crate) use bounds::Bounds;

/// An archive that is not unpacked, or not to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    #[error("the archive cannot be read")]
    Read(#[source] io::Error),
    #[error("the directory cannot be opened")]
    Directory(#[source] io::Error),
    #[error("`{0}` leads out of the archive's directory")]
    Outside(String),
    #[error("`{0}` is a link that leads out of the archive's directory")]
    LinkOutside(String),
    #[error("`{path}` is {kind}, which is not unpacked")]
    Kind { path: String, kind: &'static str },
    #[error("`{path}` cannot be unpacked")]
    Entry {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("it has more than {0} entries")]
    Entries(u64),
}
