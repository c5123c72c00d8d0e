//! Secrets on their way from who keeps them to who needs them: clear only where they are used, sealed everywhere else.
//!
//! Service layer and agents share a key, 32 bytes in a file that nobody else reads. What is sealed under it cannot be read, nor changed,
//! nor passed off as something else: what it was sealed for ([`Purpose`]) has to be said again to open it. A framework that knows nothing
//! of this sends a secret's value as Mesos has it, and an agent takes that as well ([`Enclosed`]).
//!
//! The algorithm is AES-256-GCM with random nonces: a key is good for some billions of seals.

mod clear;
mod enclosed;
mod key;
mod sealed;
#[cfg(test)]
mod tests;

pub use clear::ClearText;
pub use enclosed::{Enclosed, Unreadable, in_reference};
pub use key::{KEY_BYTES, KeyFileError, KeyId, SealingKey};
pub use sealed::{Purpose, SealError, Sealed};

/// How long a secret may be.
pub const VALUE_BYTES_MAX: usize = 64 << 10;
