//! Images that containers are made from.

use super::{Credential, Labels, Secret};
use crate::message::{enumeration, message};

enumeration! {
    /// The kind of an image.
    pub enum ImageType {
        /// An App Container image.
        Appc "APPC" = 1,
        /// A Docker image.
        Docker "DOCKER" = 2,
    }
}

message! {
    /// An App Container image.
    pub struct AppcImage {
        name: required String = 1,
        id: optional String = 2,
        labels: optional Labels = 3,
    }
    /// A Docker image.
    pub struct DockerImage {
        name: required String = 1,
        credential: optional Credential = 2,
        config: optional Secret = 3,
    }
    /// An image of either kind.
    pub struct Image {
        r#type: required ImageType = 1,
        appc: optional AppcImage = 2,
        docker: optional DockerImage = 3,
        cached: default bool = 4 (true),
    }
}
