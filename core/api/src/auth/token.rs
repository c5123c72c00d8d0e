//! Bearer tokens: JSON web tokens signed with HMAC-SHA256, as Mesos's agents give them to executors.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use serde_json::{Map, Value, json};

/// What a token says, each claim as text: a string as it is, anything else as JSON.
pub type Claims = BTreeMap<String, String>;

/// A longer token is not one of ours.
const TOKEN_BYTES_MAX: usize = 8 << 10;
/// A key that is shorter than the digest can be guessed more easily than the digest.
const KEY_BYTES_MIN: usize = 32;

/// What signs and checks tokens.
#[derive(Clone)]
pub struct TokenKey(hmac::Key);

/// Why a token is not believed. The texts are Mesos's; none quotes the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three parts, or far too long.
    #[error("Expected 3 components in token, got {0}")]
    Components(usize),
    /// A part that is not base64url.
    #[error("Failed to decode token {0}: Failed to base64url-decode")]
    Base64(&'static str),
    /// A part that is not a JSON object.
    #[error("Failed to decode token {0}: Failed to parse into JSON")]
    Json(&'static str),
    /// Signed in another way, or not at all.
    #[error("Token 'alg' value does not match, expected \"HS256\"")]
    Algorithm,
    /// It demands that something is understood which is not.
    #[error("Token 'crit' field is unsupported")]
    Critical,
    /// The end of its life is not a number.
    #[error("JSON payload 'exp' field is not a number")]
    ExpiryShape,
    /// Its life is over.
    #[error("Token has expired: exp({expired}) < now({now})")]
    Expired {
        /// When, in seconds since 1970.
        expired: i64,
        /// The present.
        now: i64,
    },
    /// Signed by somebody else.
    #[error("Token signature does not match")]
    Signature,
    /// It says nothing.
    #[error("JWT claims missing")]
    NoClaims,
}

/// A key that is too short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key for tokens has at least {KEY_BYTES_MIN} bytes, this one has {0}")]
pub struct ShortKey(usize);

impl TokenKey {
    /// A key from the content of a key file, with a line's end behind it or not.
    pub fn new(content: &[u8]) -> Result<TokenKey, ShortKey> {
        let key = content.trim_ascii_end();
        if key.len() < KEY_BYTES_MIN {
            return Err(ShortKey(key.len()));
        }
        Ok(TokenKey(hmac::Key::new(hmac::HMAC_SHA256, key)))
    }

    /// A key that nobody has, drawn from the operating system.
    pub fn drawn() -> std::io::Result<TokenKey> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        key.map(TokenKey).map_err(|_| std::io::Error::other("the operating system gives no random bytes"))
    }

    /// A signed token with these claims.
    pub fn sign(&self, claims: &Claims) -> String {
        let header = json!({ "alg": "HS256", "typ": "JWT" });
        let payload: Map<String, Value> =
            claims.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&Value::Object(payload)));
        let signature = hmac::sign(&self.0, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// The claims of a token, when this key has signed it and it has not expired at `now_seconds` since 1970.
    pub fn verify(&self, token: &str, now_seconds: i64) -> Result<Claims, TokenError> {
        let parts: Vec<&str> = token.splitn(5, '.').collect();
        let [header, payload, signature] = parts[..] else { return Err(TokenError::Components(parts.len())) };
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Base64("payload"));
        }
        check_header(&object(header, "header")?)?;
        let decoded =
            URL_SAFE_NO_PAD.decode(signature.trim_end_matches('=')).map_err(|_| TokenError::Base64("signature"))?;
        let signed = &token[..header.len() + 1 + payload.len()];
        // Before anything that the payload says is looked at.
        hmac::verify(&self.0, signed.as_bytes(), &decoded).map_err(|_| TokenError::Signature)?;
        let payload = object(payload, "payload")?;
        check_expiry(&payload, now_seconds)?;
        if payload.is_empty() {
            return Err(TokenError::NoClaims);
        }
        Ok(payload.into_iter().map(|(name, value)| (name, text(value))).collect())
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenKey(…)")
    }
}

fn check_header(header: &Map<String, Value>) -> Result<(), TokenError> {
    if header.get("alg").and_then(Value::as_str) != Some("HS256") {
        return Err(TokenError::Algorithm);
    }
    if header.contains_key("crit") { Err(TokenError::Critical) } else { Ok(()) }
}

fn check_expiry(payload: &Map<String, Value>, now: i64) -> Result<(), TokenError> {
    let Some(expiry) = payload.get("exp") else { return Ok(()) };
    let seconds = expiry.as_f64().ok_or(TokenError::ExpiryShape)?;
    // Saturates, and a fraction of a second does not matter.
    let expired = seconds as i64;
    if expired < now { Err(TokenError::Expired { expired, now }) } else { Ok(()) }
}

fn object(part: &str, name: &'static str) -> Result<Map<String, Value>, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).map_err(|_| TokenError::Base64(name))?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) | Err(_) => Err(TokenError::Json(name)),
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
