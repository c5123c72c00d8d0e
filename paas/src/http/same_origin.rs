//! Pages of other sites must not drive this one: neither by sending a form here from a browser that is signed in, or that reaches an
//! address which nobody else does, nor by having their own name point here (DNS rebinding).
//!
//! Programs send none of the headers that browsers tell a page's origin by, and pass.

use std::net::IpAddr;

use axum::body::Body;
use axum::response::Response;
use http::uri::Authority;
use http::{HeaderName, Method, Request, StatusCode, header};

use super::answer;
use super::query::Query;

/// By what browsers say whose page a request comes from.
pub(super) const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names under which this process is meant to be reached.
#[derive(Clone, Debug)]
pub struct Names {
    /// Whether only this machine reaches it. Then no other name than these means it; elsewhere nobody knows all its names.
    pub loopback: bool,
    /// Beside addresses and `localhost`.
    pub names: Vec<String>,
}

/// What a page of another site sends.
pub(super) enum Foreign {
    /// For a name that is none of this process's (421).
    Name(String),
    /// Something that has an effect (403).
    Page,
}

impl Foreign {
    /// What is said about it.
    pub(super) fn answer(&self) -> Response {
        match self {
            Self::Name(host) => {
                let text =
                    format!("'{host}' is no name of this machine's own: use localhost, or start with --hostname");
                answer::message(StatusCode::MISDIRECTED_REQUEST, text)
            }
            Self::Page => answer::message(StatusCode::FORBIDDEN, "A page of another site may not do this"),
        }
    }
}

/// Refuses what a page of another site sends.
pub(super) fn check(names: &Names, request: &Request<Body>) -> Result<(), Foreign> {
    let host = host(request);
    if let Some(host) = &host
        && names.loopback
        && !names.know(host.host())
    {
        return Err(Foreign::Name(host.host().to_owned()));
    }
    if has_effect(request) && is_foreign(request, host.as_ref()) {
        return Err(Foreign::Page);
    }
    Ok(())
}

impl Names {
    fn know(&self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        bare.parse::<IpAddr>().is_ok()
            || bare.eq_ignore_ascii_case("localhost")
            || bare.to_ascii_lowercase().ends_with(".localhost")
            || self.names.iter().any(|name| name.eq_ignore_ascii_case(bare))
    }
}

/// The host that a request is for.
fn host(request: &Request<Body>) -> Option<Authority> {
    let written = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    request.uri().authority().cloned().or_else(|| written?.parse().ok())
}

fn has_effect(request: &Request<Body>) -> bool {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    // An event stream that kills wait for.
    !reads || Query::of(request.uri()).first("ack").is_some()
}

/// Whether a browser says that a page of another origin is behind a request.
fn is_foreign(request: &Request<Body>, host: Option<&Authority>) -> bool {
    let text = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text(FETCH_SITE) {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(header::ORIGIN) else { return false };
    let authority = origin.split_once("://").and_then(|(_, authority)| authority.parse::<Authority>().ok());
    !authority.is_some_and(|authority| host.is_some_and(|host| authority.as_str().eq_ignore_ascii_case(host.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(loopback: bool, method: Method, path: &str, headers: &[(&str, &str)]) -> u16 {
        let names = Names { loopback, names: vec!["laptop".to_owned()] };
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&names, &request.body(Body::empty()).unwrap())
            .map_or_else(|foreign| foreign.answer().status().as_u16(), |()| 200)
    }

    #[test]
    fn pages_of_other_sites_change_nothing() {
        let host = ("host", "127.0.0.1:8080");
        for (headers, expected) in [
            (&[][..], 200),
            (&[("sec-fetch-site", "same-origin")], 200),
            (&[("sec-fetch-site", "none")], 200),
            (&[("sec-fetch-site", "cross-site")], 403),
            (&[("sec-fetch-site", "same-site")], 403),
            (&[("origin", "http://127.0.0.1:8080")], 200),
            (&[("origin", "http://127.0.0.1:9080")], 403),
            (&[("origin", "https://evil.example")], 403),
            (&[("origin", "null")], 403),
            (&[("origin", "")], 403),
            // What a browser says of the page counts for more than an origin that a proxy did not expect.
            (&[("origin", "https://console.example"), ("sec-fetch-site", "same-origin")], 200),
        ] {
            let headers: Vec<_> = headers.iter().copied().chain([host]).collect();
            for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                assert_eq!(status(true, method.clone(), "/v2/apps", &headers), expected, "{method} {headers:?}");
                assert_eq!(status(false, method, "/v2/apps", &headers), expected, "{headers:?}");
            }
            assert_eq!(status(true, Method::GET, "/v2/apps", &headers), 200, "{headers:?}");
            assert_eq!(status(true, Method::GET, "/v2/events?ack=x", &headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_foreign_name_that_points_here_is_not_answered() {
        for (host, expected) in [
            ("127.0.0.1:8080", 200),
            ("[::1]:8080", 200),
            ("localhost", 200),
            ("LOCALHOST:8080", 200),
            ("web.localhost:8080", 200),
            ("laptop:8080", 200),
            ("evil.example:8080", 421),
            ("127.0.0.1.evil.example", 421),
            ("localhost.evil.example", 421),
        ] {
            assert_eq!(status(true, Method::GET, "/v2/apps", &[("host", host)]), expected, "{host}");
            assert_eq!(status(false, Method::GET, "/v2/apps", &[("host", host)]), 200, "{host}");
        }
        assert_eq!(status(true, Method::GET, "/ping", &[]), 200);
    }
}
