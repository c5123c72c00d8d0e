//! Which master to ask next.

use http::{HeaderMap, Uri, header};

/// Redirects that are followed without waiting; more of them mean that the masters disagree.
const MAX_HOPS: u32 = 3;

/// The configured masters, and the leader that one of them has named.
pub struct Masters {
    configured: Vec<String>,
    next: usize,
    named: Option<String>,
    hops: u32,
}

impl Masters {
    /// Masters as `host:port`, to be asked in this order.
    pub fn new(configured: Vec<String>) -> Masters {
        Masters { configured, next: 0, named: None, hops: 0 }
    }

    /// The one to ask now; `None` when there are none at all.
    pub fn current(&self) -> Option<&str> {
        let configured = self.configured.get(self.next).map(String::as_str);
        self.named.as_deref().or(configured)
    }

    /// The one asked last did not help: on to the next.
    pub fn failed(&mut self) {
        self.hops = 0;
        if self.named.take().is_none() {
            self.next = (self.next + 1) % self.configured.len().max(1);
        }
    }

    /// The one asked last leads.
    pub fn leads(&mut self) {
        self.hops = 0;
    }

    /// The one asked last named another; whether it is worth asking at once.
    pub fn redirected(&mut self, location: String) -> bool {
        self.named = Some(location);
        self.hops += 1;
        self.hops <= MAX_HOPS
    }
}

/// The `host:port` in a `Location`: `//host:port/…`, `http://host:port/…` or bare.
pub fn authority(headers: &HeaderMap) -> Option<String> {
    let location = headers.get(header::LOCATION)?.to_str().ok()?;
    let rest = location.strip_prefix("http:").unwrap_or(location).trim_start_matches('/');
    let authority = rest.split(['/', '?']).next().filter(|authority| !authority.is_empty())?;
    // Only what can be part of an address; anything else would fail later and less clearly.
    uri(authority, "/").map(|_| authority.to_owned())
}

/// The address of a path at a master.
pub fn uri(authority: &str, path: &str) -> Option<Uri> {
    Uri::builder().scheme("http").authority(authority).path_and_query(path).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations() {
        let parsed = |location: &str| {
            let headers = HeaderMap::from_iter([(header::LOCATION, location.parse().unwrap())]);
            authority(&headers)
        };
        for location in ["//a:5050/api/v1/scheduler", "//a:5050", "http://a:5050/x?y", "a:5050", "a:5050/x"] {
            assert_eq!(parsed(location).as_deref(), Some("a:5050"), "{location}");
        }
        assert_eq!(parsed("//[::1]:5050/x").as_deref(), Some("[::1]:5050"));
        for location in ["", "/", "//", "//a b/"] {
            assert_eq!(parsed(location), None, "{location}");
        }
    }

    #[test]
    fn masters_in_turn_and_named_ones_first() {
        let mut masters = Masters::new(vec!["a:1".into(), "b:1".into()]);
        assert_eq!(masters.current(), Some("a:1"));
        masters.failed();
        assert_eq!(masters.current(), Some("b:1"));
        assert!(masters.redirected("c:1".into()));
        assert_eq!(masters.current(), Some("c:1"));
        masters.failed();
        assert_eq!(masters.current(), Some("b:1"));
        masters.failed();
        assert_eq!(masters.current(), Some("a:1"));
        assert_eq!(Masters::new(Vec::new()).current(), None);
    }

    #[test]
    fn a_circle_of_redirects_is_left() {
        let mut masters = Masters::new(vec!["a:1".into()]);
        let followed = (0..10).take_while(|_| masters.redirected("a:1".into())).count();
        assert_eq!(followed, MAX_HOPS as usize);
    }
}
