//! Heads of requests and responses: what is refused, what is taken off, what is added.
//!
//! The parser (hyper) refuses folded lines, spaces before colons, lengths that differ or are no numbers, transfer encodings that do
//! not end in `chunked`, and any in HTTP/1.0. A head is written anew towards the backend, with one framing: that of the body as it was
//! understood here. What is left to do against smuggling is done here: one host, and no second request on a connection whose last one
//! was chunked ([`Framing`]), since a length beside that may have meant something else to whoever is in front of us.

use std::net::IpAddr;

use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};
use http_body::Body;

use super::answer::Refusal;
use super::body::RequestBody;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
/// A chain of proxies is not longer than this.
const FORWARDED_FOR_BYTES_MAX: usize = 4_096;

/// Headers that `Connection` cannot take off: they are ours, or the request's meaning.
const NOT_BY_CONNECTION: [HeaderName; 6] =
    [HOST, CONTENT_LENGTH, FORWARDED_FOR, FORWARDED_PROTO, FORWARDED_HOST, FORWARDED_PORT];

/// How the end of a request was found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// By its length, or it has no body.
    Length,
    /// By the last chunk.
    Chunked,
}

/// Whether a request asks for another protocol.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http,
    Upgraded,
}

/// The host that is asked for: as written, without its port, in lower case.
pub(super) fn host(parts: &Parts) -> Result<Option<String>, Refusal> {
    if parts.method == Method::CONNECT {
        return Err(Refusal::new(
            StatusCode::NOT_IMPLEMENTED,
            "This load balancer opens no tunnels: CONNECT is refused",
        ));
    }
    let bad = |why| Refusal::new(StatusCode::BAD_REQUEST, why);
    let mut headers = parts.headers.get_all(HOST).iter();
    let header = headers.next();
    if headers.next().is_some() {
        return Err(bad("The request has more than one Host header"));
    }
    let header = header.map(HeaderValue::to_str).transpose();
    let header = header.map_err(|_| bad("The Host header is no host name"))?;
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    let Some(written) = authority.or(header) else {
        return match parts.version {
            Version::HTTP_11 => Err(bad("The request has no Host header")),
            _ => Ok(None),
        };
    };
    if !written.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte)) {
        return Err(bad("The Host header is no host name"));
    }
    Ok(Some(without_port(written).trim_end_matches('.').to_ascii_lowercase()))
}

fn without_port(written: &str) -> &str {
    match written.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.ends_with(':') => host,
        Some(_) | None => written,
    }
}

/// How the end of this request's body is found.
pub(super) fn framing(headers: &HeaderMap) -> Framing {
    if headers.contains_key(TRANSFER_ENCODING) { Framing::Chunked } else { Framing::Length }
}

/// Makes the head that the backend gets.
pub(super) fn forwarded(parts: &mut Parts, body: &RequestBody, client: IpAddr, port: u16) -> Protocol {
    let upgrade = upgrade(parts, body);
    let host = host_header(parts);
    let headers = &mut parts.headers;
    take_off_hop_by_hop(headers);
    for name in [TE, TRAILER, TRANSFER_ENCODING, EXPECT] {
        headers.remove(name);
    }
    if !body.is_end_stream() && body.size_hint().exact().is_none() {
        headers.remove(CONTENT_LENGTH);
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    let protocol = match upgrade {
        None => Protocol::Http,
        Some(wanted) => {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, wanted);
            Protocol::Upgraded
        }
    };
    add_forwarded_for(headers, client);
    let proto = headers.get(FORWARDED_PROTO).filter(|proto| *proto == "http" || *proto == "https").cloned();
    headers.insert(FORWARDED_PROTO, proto.unwrap_or(HeaderValue::from_static("http")));
    headers.insert(FORWARDED_PORT, HeaderValue::from(port));
    if let Some(host) = host {
        headers.insert(FORWARDED_HOST, host.clone());
        headers.insert(HOST, host);
    }
    parts.version = Version::HTTP_11;
    if parts.uri.authority().is_some() {
        let path = parts.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        parts.uri = Uri::from(path);
    }
    protocol
}

/// What the backend is to see as its host: a request line that names one wins over the header.
fn host_header(parts: &Parts) -> Option<HeaderValue> {
    let authority = parts.uri.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    authority.or_else(|| parts.headers.get(HOST).cloned())
}

/// The protocol that is asked for instead of HTTP. HTTP/2 is not passed on: requests in it would be seen by nobody here.
fn upgrade(parts: &Parts, body: &RequestBody) -> Option<HeaderValue> {
    let wanted = parts.headers.get(UPGRADE)?;
    let is_http2 = wanted.as_bytes().len() >= 2 && wanted.as_bytes()[..2].eq_ignore_ascii_case(b"h2");
    let mut asked = connection_options(&parts.headers);
    let is_asked = asked.any(|option| option.eq_ignore_ascii_case("upgrade"));
    (is_asked && !is_http2 && parts.version == Version::HTTP_11 && body.is_end_stream()).then(|| wanted.clone())
}

fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(CONNECTION).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// Takes off what concerns one connection only.
pub(super) fn take_off_hop_by_hop(headers: &mut HeaderMap) {
    let named = connection_options(headers).filter_map(|option| HeaderName::from_bytes(option.as_bytes()).ok());
    let named: Vec<HeaderName> =
        named.filter(|name| headers.contains_key(name) && !NOT_BY_CONNECTION.contains(name)).collect();
    for name in named {
        headers.remove(name);
    }
    for name in [CONNECTION, UPGRADE, KEEP_ALIVE, PROXY_CONNECTION] {
        headers.remove(name);
    }
}

fn add_forwarded_for(headers: &mut HeaderMap, client: IpAddr) {
    let before = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let before: Vec<&str> = before.filter(|value| value.len() < FORWARDED_FOR_BYTES_MAX).collect();
    let chain = match before.as_slice() {
        [] => client.to_string(),
        some => format!("{}, {client}", some.join(", ")),
    };
    if let Ok(chain) = HeaderValue::from_str(&chain) {
        headers.insert(FORWARDED_FOR, chain);
    }
}
