//! Secrets and credentials.

use bytes::Bytes;

use crate::message::{enumeration, message};

enumeration! {
    /// Whether a secret is named or enclosed.
    pub enum SecretType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Named.
        Reference "REFERENCE" = 1,
        /// Enclosed.
        Value "VALUE" = 2,
    }
}

message! {
    /// Where a secret is to be found.
    pub struct SecretReference {
        name: required String = 1,
        key: optional String = 2,
    }
    /// A secret itself.
    pub struct SecretValue {
        data: required Bytes = 1,
    }
    /// A secret, named or enclosed.
    pub struct Secret {
        r#type: optional SecretType = 1,
        reference: optional SecretReference = 2,
        value: optional SecretValue = 3,
    }
    /// A name with what proves it.
    pub struct Credential {
        principal: required String = 1,
        secret: optional String = 2,
    }
}
