//! Pages of other origins that may read here (`--access-control-allow-origin`). None may write: that is for [`same_origin`] to refuse,
//! whatever is allowed here, and preflights name methods that read only. Nor are they ever told what a browser that is signed in here
//! would be: no answer allows credentials, so that a page has to prove by itself who it is.
//!
//! [`same_origin`]: super::same_origin

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};

/// What is not in a list of these is refused by browsers.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");
/// A browser need not ask again for so many seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");

/// The origins whose pages may read, `*` for all.
#[derive(Clone, Debug, Default)]
pub struct AllowedOrigins(Vec<HeaderValue>);

/// What a request asks for that is answered for a page.
pub(super) struct Asked {
    origin: Option<HeaderValue>,
    headers: Vec<HeaderValue>,
    /// Whether it only asks whether another request would be allowed.
    pub(super) is_preflight: bool,
}

impl AllowedOrigins {
    /// Of texts that [`parse_origin`] has let through.
    #[must_use]
    pub fn of(written: &[String]) -> Self {
        Self(written.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect())
    }

    /// What of a request the answer depends on; none when no other origin may read.
    pub(super) fn asked(&self, request: &Request<Body>) -> Option<Asked> {
        let headers = request.headers();
        let requested = headers.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS);
        (!self.0.is_empty()).then(|| Asked {
            origin: headers.get(header::ORIGIN).cloned(),
            headers: requested.iter().cloned().collect(),
            is_preflight: *request.method() == Method::OPTIONS
                && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD),
        })
    }

    /// Adds what Marathon adds to every answer. Of several origins it names the one that asks; an answer has room for one alone.
    pub(super) fn add(&self, asked: &Asked, answer: &mut HeaderMap) {
        let asks = |origin: &&HeaderValue| asked.origin.as_ref() == Some(*origin);
        let Some(origin) = self.0.iter().find(asks).or(self.0.last()) else { return };
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        answer.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        answer.remove(header::ACCESS_CONTROL_ALLOW_HEADERS);
        for names in &asked.headers {
            answer.append(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
        }
        if self.0.len() > 1 {
            answer.append(header::VARY, HeaderValue::from_static("origin"));
        }
    }
}

/// The answer to a preflight, but for what [`AllowedOrigins::add`] adds.
pub(super) fn preflight() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// An origin as browsers write it, `*`, or nothing.
///
/// # Errors
/// What was expected.
pub fn parse_origin(text: &str) -> Result<String, String> {
    let text = text.trim();
    let is_origin = |text: &str| {
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        let allowed = |character: char| character.is_ascii_alphanumeric() || ".-_:[]".contains(character);
        rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(allowed))
    };
    match text.is_empty() || text == "*" || is_origin(text) {
        true => Ok(text.to_owned()),
        false => Err(format!("expected * or an origin such as https://host:port, found `{text}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(allowed: &[&str], origin: Option<&str>) -> Vec<(String, String)> {
        let allowed = AllowedOrigins::of(&allowed.iter().map(|origin| (*origin).to_owned()).collect::<Vec<_>>());
        let mut request = Request::builder().header("access-control-request-headers", "x-a, x-b");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let mut answer = HeaderMap::new();
        if let Some(asked) = allowed.asked(&request.body(Body::empty()).unwrap()) {
            allowed.add(&asked, &mut answer);
        }
        answer.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
    }

    #[test]
    fn an_answer_names_the_origin_that_asks_if_it_is_allowed() {
        let origin = |allowed: &[&str], origin| {
            let headers = answered(allowed, origin);
            let value = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
            (value("access-control-allow-origin"), value("vary"))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(origin(&[], Some("https://a.example")), (None, None));
        assert_eq!(origin(&["*"], Some("https://a.example")), (some("*"), None));
        assert_eq!(origin(&["https://a.example"], None), (some("https://a.example"), None));
        let two = ["https://a.example", "https://b.example:8443"];
        assert_eq!(origin(&two, Some("https://a.example")), (some("https://a.example"), some("origin")));
        assert_eq!(origin(&two, Some("https://evil.example")), (some("https://b.example:8443"), some("origin")));
        let headers = answered(&["*"], Some("null"));
        let allowing: Vec<_> = headers.iter().filter(|(name, _)| name.starts_with("access-control-")).collect();
        assert_eq!(allowing.len(), 4, "no credentials: {headers:?}");
        assert!(headers.contains(&("access-control-allow-methods".to_owned(), "GET, HEAD, OPTIONS".to_owned())));
        assert!(headers.contains(&("access-control-allow-headers".to_owned(), "x-a, x-b".to_owned())));
    }

    #[test]
    fn an_origin_is_what_browsers_call_one() {
        for right in ["*", "", " https://a.example ", "http://localhost:8888", "http://[::1]:80"] {
            assert_eq!(parse_origin(right).as_deref(), Ok(right.trim()));
        }
        for wrong in ["a.example", "https://", "https://a.example/", "https://a b", "ftp://a", "https://*.example"] {
            assert!(parse_origin(wrong).is_err(), "{wrong}");
        }
    }
}
