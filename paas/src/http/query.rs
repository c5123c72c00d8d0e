//! Query parameters. Unknown ones pass; so do unknown values, which ask for nothing.

use axum::extract::Query as Pairs;
use http::Uri;

/// The parameters of a request, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(uri: &Uri) -> Self {
        Pairs::<Vec<(String, String)>>::try_from_uri(uri).map(|Pairs(pairs)| Self(pairs)).unwrap_or_default()
    }

    /// All values of a parameter.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a parameter.
    pub(super) fn first<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// A parameter that is `true` or `false`; anything else is `otherwise`.
    pub(super) fn flag(&self, name: &str, otherwise: bool) -> bool {
        match self.first(name).map(str::to_ascii_lowercase).as_deref() {
            Some("true") => true,
            Some("false") => false,
            _ => otherwise,
        }
    }
}
