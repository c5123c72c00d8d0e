use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::{ClearText, Purpose, SealError, Sealed};

/// The length of a key.
pub const KEY_BYTES: usize = 32;

/// What a key's own name is made of.
const NAMED: &[u8] = b"attica secrets key";
/// Bytes of that name: enough to tell keys apart.
const NAME_BYTES: usize = 8;

/// Seals and opens. Cheap to clone; it cannot be printed.
#[derive(Clone)]
pub struct SealingKey {
    key: std::sync::Arc<LessSafeKey>,
    id: KeyId,
}

/// Tells keys apart and says nothing about them: 16 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(std::sync::Arc<str>);

/// A file that holds no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("cannot read the key file {path}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It holds more or less than a key.
    #[error(
        "the key file {path} has {bytes} bytes instead of {KEY_BYTES}: head -c {KEY_BYTES} /dev/urandom makes a key"
    )]
    Size {
        /// Which.
        path: PathBuf,
        /// How many it has; one more than a key when it has more.
        bytes: usize,
    },
    /// Others can read it.
    #[error("the key file {path} can be read by others than its owner (mode {mode:03o}): make that 600")]
    Open {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It cannot be made.
    #[error("cannot make the key file {path}")]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl SealingKey {
    /// The key with these bytes.
    #[must_use]
    pub fn new(bytes: &[u8; KEY_BYTES]) -> SealingKey {
        let Ok(key) = UnboundKey::new(&AES_256_GCM, bytes) else {
            unreachable!("the algorithm takes {KEY_BYTES} bytes")
        };
        let digest = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, bytes), NAMED);
        let id: String = digest.as_ref().iter().take(NAME_BYTES).map(|byte| format!("{byte:02x}")).collect();
        SealingKey { key: LessSafeKey::new(key).into(), id: KeyId(id.into()) }
    }

    /// Reads a key file, which only its owner may be able to read.
    ///
    /// # Errors
    /// See [`KeyFileError`].
    pub fn read(path: &Path) -> Result<SealingKey, KeyFileError> {
        let unreadable = |source| KeyFileError::Unreadable { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Open { path: path.to_owned(), mode });
        }
        let mut read = Zeroizing::new(Vec::with_capacity(KEY_BYTES + 1));
        file.take(KEY_BYTES as u64 + 1).read_to_end(&mut read).map_err(unreadable)?;
        let size = |_| KeyFileError::Size { path: path.to_owned(), bytes: read.len() };
        let bytes: &[u8; KEY_BYTES] = read.as_slice().try_into().map_err(size)?;
        Ok(SealingKey::new(bytes))
    }

    /// Writes a new key into a file, unless one is there.
    ///
    /// # Errors
    /// [`KeyFileError::Unwritable`].
    pub fn make_file(path: &Path) -> Result<(), KeyFileError> {
        let unwritable = |source| KeyFileError::Unwritable { path: path.to_owned(), source };
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        SystemRandom::new().fill(bytes.as_mut()).map_err(|_| unwritable(io::Error::other(SealError::Random)))?;
        if path.exists() {
            return Ok(());
        }
        // Whole or not there: half a key would be in the way for ever.
        let draft = path.with_extension("new");
        let write = || {
            let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
            file.write_all(bytes.as_ref())?;
            file.sync_all()?;
            std::fs::rename(&draft, path)
        };
        write().map_err(unwritable)
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// Seals a value for a purpose.
    ///
    /// # Errors
    /// [`SealError::Random`].
    pub fn seal(&self, value: &ClearText, purpose: Purpose<'_>) -> Result<Sealed, SealError> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SealError::Random)?;
        // Room for the tag, so that it is not copied elsewhere while it is clear.
        let mut text = Zeroizing::new(Vec::with_capacity(value.expose().len() + AES_256_GCM.tag_len()));
        text.extend_from_slice(value.expose());
        let sealed = self.key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(purpose.told()),
            &mut *text,
        );
        sealed.map_err(|_| SealError::Random)?;
        Ok(Sealed::from_bytes([&nonce[..], text.as_slice()].concat()))
    }

    /// Opens what was sealed under this key for the same purpose.
    ///
    /// # Errors
    /// [`SealError::Opening`].
    pub fn open(&self, sealed: &Sealed, purpose: Purpose<'_>) -> Result<ClearText, SealError> {
        let (nonce, text) = sealed.as_bytes().split_first_chunk::<NONCE_LEN>().ok_or(SealError::Opening)?;
        let mut text = Zeroizing::new(text.to_vec());
        let opened = self.key.open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(purpose.told()),
            text.as_mut_slice(),
        );
        Ok(ClearText::new(opened.map_err(|_| SealError::Opening)?.to_vec()))
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SealingKey({})", self.id)
    }
}

impl KeyId {
    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
