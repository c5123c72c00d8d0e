//! The cookie that leads a client back to its backend.

use http::header::{CACHE_CONTROL, COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

/// The name that marathon-lb uses.
const NAME: &str = "mesosphere_server_id";

/// Takes the cookie off a request and reads it. The application does not see it.
pub(super) fn take(headers: &mut HeaderMap) -> Option<u64> {
    let mut mark = None;
    let mut others = Vec::new();
    for line in headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok()) {
        for pair in line.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some((NAME, value)) => mark = mark.or(u64::from_str_radix(value, 16).ok()),
                Some(_) | None => others.push(pair.to_owned()),
            }
        }
    }
    mark?;
    headers.remove(COOKIE);
    if let Ok(line) = HeaderValue::from_str(&others.join("; "))
        && !others.is_empty()
    {
        headers.insert(COOKIE, line);
    }
    mark
}

/// Tells the client which backend it has.
pub(super) fn set(headers: &mut HeaderMap, mark: u64) {
    if let Ok(cookie) = HeaderValue::from_str(&format!("{NAME}={mark:016x}; Path=/; HttpOnly")) {
        headers.append(SET_COOKIE, cookie);
        // No cache may hand this cookie to another client.
        headers.append(CACHE_CONTROL, HeaderValue::from_static("private"));
    }
}
