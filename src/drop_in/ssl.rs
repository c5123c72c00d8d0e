//! TLS as a Mesos daemon is told of it: `LIBPROCESS_SSL_ENABLED=1` and its kin in the environment.

use std::collections::BTreeMap;

use thiserror::Error;

const PREFIX: &str = "LIBPROCESS_SSL_";

/// What becomes of a variable, when TLS is on.
#[derive(Clone, Copy)]
enum Effect {
    /// Says with others how TLS is used.
    Plan,
    /// Accepted, and this takes its place.
    Replaced(&'static str),
    /// True means what happens anyway; false is refused, for this reason.
    OnlyTrue(&'static str),
    /// False means what happens anyway; true is refused, for this reason.
    OnlyFalse(&'static str),
    /// Refused, for this reason.
    Never(&'static str),
}

use Effect::{Never, OnlyFalse, OnlyTrue, Plan, Replaced};

const TOO_OLD: &str = "what is older than TLS 1.2 is not spoken";
const ALWAYS_ON: &str = "TLS 1.2 and 1.3 cannot be switched off";
const CHOSEN: &str = "only what is held to be safe today is offered";
const CHECKED: &str = "a certificate is always checked against the name or the address that was asked for";

/// Every variable that Mesos documents, without the prefix.
const VARIABLES: [(&str, Effect); 20] = [
    ("ENABLED", Plan),
    ("SUPPORT_DOWNGRADE", Plan),
    ("CERT_FILE", Plan),
    ("KEY_FILE", Plan),
    ("CA_FILE", Plan),
    ("VERIFY_CERT", Plan),
    ("VERIFY_SERVER_CERT", Plan),
    ("REQUIRE_CERT", Plan),
    ("REQUIRE_CLIENT_CERT", Plan),
    ("CA_DIR", Never("name one file with all authorities in LIBPROCESS_SSL_CA_FILE")),
    ("VERIFY_DEPTH", Replaced("chains of certificates are followed as far as they go")),
    ("VERIFY_IPADD", Replaced(CHECKED)),
    ("HOSTNAME_VALIDATION_SCHEME", Replaced(CHECKED)),
    ("CIPHERS", Replaced(CHOSEN)),
    ("ECDH_CURVES", Replaced(CHOSEN)),
    ("ENABLE_SSL_V3", OnlyFalse(TOO_OLD)),
    ("ENABLE_TLS_V1_0", OnlyFalse(TOO_OLD)),
    ("ENABLE_TLS_V1_1", OnlyFalse(TOO_OLD)),
    ("ENABLE_TLS_V1_2", OnlyTrue(ALWAYS_ON)),
    ("ENABLE_TLS_V1_3", OnlyTrue(ALWAYS_ON)),
];

/// The flags of our own that say the same, and a line for each variable that something else takes the place of.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Encryption {
    pub arguments: Vec<String>,
    pub notes: Vec<String>,
}

#[derive(Debug, Error, PartialEq, Eq)]
pub enum SslError {
    #[error("there is no variable {PREFIX}{0}")]
    Unknown(String),
    #[error("{PREFIX}{name}={value}: expected true or false")]
    NotABoolean { name: &'static str, value: String },
    #[error("{PREFIX}{name}={value} is refused: {reason}")]
    Refused { name: &'static str, value: String, reason: &'static str },
    #[error("{PREFIX}ENABLED needs {PREFIX}{0}")]
    Absent(&'static str),
    #[error("{PREFIX}{0} needs {PREFIX}CA_FILE: it says which certificates are believed")]
    NoAuthority(&'static str),
}

/// Reads an environment.
pub fn read(variables: impl IntoIterator<Item = (String, String)>) -> Result<Encryption, SslError> {
    let mut given: BTreeMap<&'static str, String> = BTreeMap::new();
    for (variable, value) in variables {
        let Some(name) = variable.strip_prefix(PREFIX) else { continue };
        let known = VARIABLES.iter().find(|(known, _)| *known == name);
        let (name, _) = known.ok_or_else(|| SslError::Unknown(name.to_owned()))?;
        given.insert(name, value);
    }
    if !is_true(&given, "ENABLED")? {
        return Ok(Encryption::default());
    }
    let mut notes = Vec::new();
    for (name, effect) in VARIABLES {
        let Some(value) = given.get(name) else { continue };
        let refused = |reason| SslError::Refused { name, value: value.clone(), reason };
        match effect {
            Plan => {}
            Replaced(instead) => notes.push(format!("{PREFIX}{name} is accepted: {instead}")),
            OnlyTrue(reason) if !is_true(&given, name)? => return Err(refused(reason)),
            OnlyFalse(reason) if is_true(&given, name)? => return Err(refused(reason)),
            OnlyTrue(_) | OnlyFalse(_) => {}
            Never(reason) => return Err(refused(reason)),
        }
    }
    Ok(Encryption { arguments: arguments(&given)?, notes })
}

fn arguments(given: &BTreeMap<&'static str, String>) -> Result<Vec<String>, SslError> {
    let file = |name| given.get(name).ok_or(SslError::Absent(name));
    let mut arguments =
        vec![format!("--tls-cert-file={}", file("CERT_FILE")?), format!("--tls-key-file={}", file("KEY_FILE")?)];
    arguments.extend(given.get("CA_FILE").map(|path| format!("--tls-ca-file={path}")));
    // Older names of the same stand behind newer ones.
    let asked = |names: [&'static str; 2]| -> Result<Option<&'static str>, SslError> {
        for name in names {
            if is_true(given, name)? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    };
    let (required, verified) =
        (asked(["REQUIRE_CLIENT_CERT", "REQUIRE_CERT"])?, asked(["VERIFY_SERVER_CERT", "VERIFY_CERT"])?);
    match required.or(verified) {
        Some(name) if !given.contains_key("CA_FILE") => return Err(SslError::NoAuthority(name)),
        Some(_) if required.is_some() => arguments.push("--tls-client-certs=required".to_owned()),
        Some(_) | None => {}
    }
    if is_true(given, "SUPPORT_DOWNGRADE")? {
        arguments.push("--tls-serve-plaintext".to_owned());
    }
    Ok(arguments)
}

fn is_true(given: &BTreeMap<&'static str, String>, name: &'static str) -> Result<bool, SslError> {
    match given.get(name).map(String::as_str) {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(value) => Err(SslError::NotABoolean { name, value: value.to_owned() }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]
mod tests {
    use super::*;

    fn given(variables: &[(&str, &str)]) -> Result<Encryption, SslError> {
        let on = [("ENABLED", "true"), ("CERT_FILE", "/c"), ("KEY_FILE", "/k")];
        let all = on.iter().chain(variables).map(|(name, value)| (format!("{PREFIX}{name}"), (*value).to_owned()));
        read(all.chain([("PATH".to_owned(), "/bin".to_owned())]))
    }

    #[test]
    fn variables_become_flags() {
        let both = "--tls-cert-file=/c --tls-key-file=/k";
        let cases: [(&[(&str, &str)], &str); 5] = [
            (&[], ""),
            (&[("CA_FILE", "/a"), ("VERIFY_CERT", "1")], " --tls-ca-file=/a"),
            (&[("CA_FILE", "/a"), ("REQUIRE_CERT", "true")], " --tls-ca-file=/a --tls-client-certs=required"),
            (&[("CA_FILE", "/a"), ("REQUIRE_CLIENT_CERT", "1")], " --tls-ca-file=/a --tls-client-certs=required"),
            (&[("SUPPORT_DOWNGRADE", "1"), ("ENABLE_SSL_V3", "0"), ("ENABLE_TLS_V1_2", "1")], " --tls-serve-plaintext"),
        ];
        for (variables, expected) in cases {
            assert_eq!(given(variables).unwrap().arguments.join(" "), format!("{both}{expected}"), "{variables:?}");
        }
    }

    #[test]
    fn without_tls_nothing_of_it_counts() {
        let off = [("LIBPROCESS_SSL_KEY_FILE".to_owned(), "/k".to_owned())];
        assert_eq!(read(off).unwrap(), Encryption::default());
    }

    #[test]
    fn what_takes_the_place_of_a_variable_is_said() {
        let notes = given(&[("CIPHERS", "x"), ("VERIFY_DEPTH", "4")]).unwrap().notes;
        assert_eq!(notes.len(), 2);
        assert!(notes.iter().any(|note| note.starts_with("LIBPROCESS_SSL_CIPHERS is accepted: ")), "{notes:?}");
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_name() {
        let cases: [(&[(&str, &str)], &str); 7] = [
            (&[("CA_DIR", "/a")], "LIBPROCESS_SSL_CA_DIR=/a is refused: name one file"),
            (&[("ENABLE_TLS_V1_0", "true")], "LIBPROCESS_SSL_ENABLE_TLS_V1_0=true is refused"),
            (&[("ENABLE_TLS_V1_3", "false")], "LIBPROCESS_SSL_ENABLE_TLS_V1_3=false is refused"),
            (&[("REQUIRE_CERT", "true")], "LIBPROCESS_SSL_REQUIRE_CERT needs LIBPROCESS_SSL_CA_FILE"),
            (&[("VERIFY_CERT", "perhaps")], "LIBPROCESS_SSL_VERIFY_CERT=perhaps: expected true or false"),
            (&[("VERIFY", "1")], "there is no variable LIBPROCESS_SSL_VERIFY"),
            (&[("ENABLED", "yes")], "expected true or false"),
        ];
        for (variables, says) in cases {
            let error = given(variables).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        let absent = read([("LIBPROCESS_SSL_ENABLED".to_owned(), "1".to_owned())]).unwrap_err().to_string();
        assert_eq!(absent, "LIBPROCESS_SSL_ENABLED needs LIBPROCESS_SSL_CERT_FILE");
    }
}
