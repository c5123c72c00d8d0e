//! The proof that a post comes from here and is whole.

use ring::hmac;

use crate::model::CallbackSecret;

/// `sha256=` and the HMAC-SHA256 of the body under the secret, in hexadecimal digits.
pub(super) fn signature(secret: &CallbackSecret, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
    let tag = hmac::sign(&key, body);
    tag.as_ref().iter().fold("sha256=".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_other_programs_compute() {
        // printf '{"eventType":"x"}' | openssl dgst -sha256 -hmac 0123456789abcdef
        let secret = CallbackSecret::parse("0123456789abcdef").unwrap();
        let expected = "sha256=2d0b5950c2ce0fee6e42f912b72a9ad3570b82f23706774ba9a1e8e39a94fffd";
        assert_eq!(signature(&secret, br#"{"eventType":"x"}"#), expected);
    }
}
