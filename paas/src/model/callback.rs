use std::fmt;
use std::sync::Arc;

use http::Uri;
use serde::{Deserialize, Serialize};

/// Where events are posted to: an absolute URL. Addresses within the operator's own network are the rule, so that none is ruled out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallbackUrl(Arc<str>);

/// A text that is not where events can be posted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// It is not one at all.
    #[error("must be a URL such as http://host:port/path, of at most {} characters", CallbackUrl::LENGTH_MAX)]
    Form,
    /// It would be shown to whoever lists callbacks.
    #[error("must not hold a name and a password: a secret in the body of the request signs what is posted")]
    Credentials,
}

impl CallbackUrl {
    /// The longest URL, in bytes.
    pub const LENGTH_MAX: usize = 1024;

    /// Reads a URL.
    ///
    /// # Errors
    /// See [`InvalidUrl`].
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        let uri: Uri = text.parse().map_err(|_| InvalidUrl::Form)?;
        let authority = uri.authority().filter(|authority| !authority.host().is_empty()).ok_or(InvalidUrl::Form)?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || text.len() > Self::LENGTH_MAX {
            return Err(InvalidUrl::Form);
        }
        match authority.as_str().contains('@') {
            true => Err(InvalidUrl::Credentials),
            false => Ok(Self(text.into())),
        }
    }

    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it asks for TLS.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.0.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
    }
}

impl fmt::Display for CallbackUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a subscriber recognises the posts by that are meant for it. It is kept, and never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallbackSecret(Arc<str>);

/// A text that is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be {} to {} visible ASCII characters", CallbackSecret::LENGTH_MIN, CallbackSecret::LENGTH_MAX)]
pub struct InvalidSecret;

impl CallbackSecret {
    /// What is shorter is guessed.
    pub const LENGTH_MIN: usize = 16;
    /// The longest secret.
    pub const LENGTH_MAX: usize = 256;

    /// Reads a secret.
    ///
    /// # Errors
    /// When it is too short, too long, or not visible.
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        let is_one = (Self::LENGTH_MIN..=Self::LENGTH_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_one { Ok(Self(text.into())) } else { Err(InvalidSecret) }
    }

    /// The secret itself, for the one who signs and for the table.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CallbackSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CallbackSecret(…)")
    }
}

/// What is known of one who has events posted to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// What signs the posts; none: they are not signed.
    pub secret: Option<CallbackSecret>,
    /// The id of an event, as clients of the stream know it: that one and all before it need not be posted any more.
    pub position: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_is_a_url_without_secrets_in_it() {
        for right in ["http://127.0.0.1:8000/events?x=y", "https://host", "http://[::1]/", "HTTP://Host/"] {
            assert_eq!(CallbackUrl::parse(right).map(|url| url.to_string()).as_deref(), Ok(right));
        }
        assert!(CallbackUrl::parse("https://host").unwrap().is_encrypted());
        let long = format!("http://host/{}", "x".repeat(CallbackUrl::LENGTH_MAX));
        for wrong in
            ["", "host:80", "/path", "ftp://host/", "http://", "http://a b/", "http://host\r\nX: y", long.as_str()]
        {
            assert_eq!(CallbackUrl::parse(wrong), Err(InvalidUrl::Form), "{wrong}");
        }
        assert_eq!(CallbackUrl::parse("http://me:secret@host/"), Err(InvalidUrl::Credentials));
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret = CallbackSecret::parse("0123456789abcdef").unwrap();
        assert_eq!(format!("{secret:?}"), "CallbackSecret(…)");
        for wrong in ["", "short", "0123456789 abcdef", "0123456789abcdéf"] {
            assert_eq!(CallbackSecret::parse(wrong), Err(InvalidSecret));
        }
    }
}
