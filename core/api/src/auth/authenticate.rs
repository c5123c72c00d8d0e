//! From an `Authorization` header to a principal.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Claims, Credentials, Principal, Realm, TokenError, TokenKey};

/// The ways in which callers can prove who they are. A realm takes what is there.
#[derive(Clone, Debug, Default)]
pub struct Authenticators {
    /// Names with passwords, for HTTP basic.
    pub basic: Option<Credentials>,
    /// What bearer tokens are signed with.
    pub bearer: Option<TokenKey>,
}

/// A 401 answer. It never quotes what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The header `WWW-Authenticate`.
    pub header: String,
    /// The body.
    pub body: String,
}

/// Why a bearer token is refused; the words of the challenge, when there is something to say.
enum BearerRefusal {
    Absent,
    Malformed,
    Scheme,
    Token(TokenError),
}

impl Authenticators {
    /// Whether nobody could ever prove anything.
    pub fn is_empty(&self) -> bool {
        self.basic.is_none() && self.bearer.is_none()
    }

    /// Who sends this `Authorization` header. `now_seconds` since 1970 decides whether a token has expired.
    ///
    /// The first way that succeeds counts; when none does, the answer asks for all of them, as Mesos's does.
    pub fn authenticate(
        &self,
        realm: Realm,
        authorization: Option<&str>,
        now_seconds: i64,
    ) -> Result<Principal, Challenge> {
        let mut challenges = Vec::new();
        if let Some(credentials) = &self.basic {
            match authorization.and_then(|header| basic(credentials, header)) {
                Some(principal) => return Ok(principal),
                None => challenges.push(("Basic", format!("Basic realm=\"{}\"", realm.name()))),
            }
        }
        if let Some(key) = &self.bearer {
            match bearer(key, authorization, now_seconds) {
                Ok(claims) => return Ok(Principal::claiming(claims)),
                Err(refusal) => {
                    challenges.push(("Bearer", format!("Bearer realm=\"{}\"{refusal}", realm.name())));
                }
            }
        }
        Err(Challenge::of(&challenges))
    }
}

impl Challenge {
    fn of(challenges: &[(&str, String)]) -> Challenge {
        const BODY: &str = "401 Unauthorized.";
        let header: Vec<&str> = challenges.iter().map(|(_, challenge)| challenge.as_str()).collect();
        let body = match challenges {
            [] | [_] => BODY.to_owned(),
            several => {
                let one = |(scheme, _): &(&str, String)| format!("\"{scheme}\" authenticator returned:\n{BODY}");
                several.iter().map(one).collect::<Vec<_>>().join("\n\n")
            }
        };
        Challenge { header: header.join(","), body }
    }
}

fn basic(credentials: &Credentials, header: &str) -> Option<Principal> {
    let encoded = after_scheme(header, "Basic")?;
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    // A name has no colon, a secret may have some.
    let (name, secret) = decoded.split_once(':')?;
    Some(Principal { value: Some(credentials.check(name, secret)?), claims: Claims::new() })
}

fn bearer(key: &TokenKey, header: Option<&str>, now_seconds: i64) -> Result<Claims, BearerRefusal> {
    let header = header.ok_or(BearerRefusal::Absent)?;
    if header.split(' ').filter(|part| !part.is_empty()).count() != 2 {
        return Err(BearerRefusal::Malformed);
    }
    let token = after_scheme(header, "Bearer").ok_or(BearerRefusal::Scheme)?;
    key.verify(token, now_seconds).map_err(BearerRefusal::Token)
}

/// What stands behind the name of the scheme, which is written in any case.
fn after_scheme<'a>(header: &'a str, scheme: &str) -> Option<&'a str> {
    let (found, rest) = header.trim().split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim_start())
}

/// What follows the realm in the challenge: nothing when nothing was sent.
impl fmt::Display for BearerRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let invalid = ", error=\"invalid_token\", error_description=";
        match self {
            BearerRefusal::Absent => Ok(()),
            BearerRefusal::Malformed => write!(formatter, "{invalid}\"Malformed 'Authorization' header\""),
            BearerRefusal::Scheme => write!(formatter, "{invalid}\"Scheme unsupported\""),
            BearerRefusal::Token(TokenError::NoClaims) => write!(formatter, "{invalid}\"JWT claims missing\""),
            // A quotation mark would end the description.
            BearerRefusal::Token(error) => {
                write!(formatter, "{invalid}\"Invalid JWT: {}\"", error.to_string().replace('"', "'"))
            }
        }
    }
}
