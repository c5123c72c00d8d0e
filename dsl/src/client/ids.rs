//! Ids as people type them.

use std::fmt;
use std::str::FromStr;

use super::server::encode;

/// An app's id as it was typed: `/shop/web`, or `shop/web`. Whether it is one is the server's to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AppId(String);

impl AppId {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// `/v2/apps/shop/web`, with `rest` behind it.
    pub(super) fn path(&self, rest: &str) -> String {
        let segments: Vec<String> = self.0.split('/').filter(|segment| !segment.is_empty()).map(encode).collect();
        format!("/v2/apps/{}{rest}", segments.join("/"))
    }
}

impl FromStr for AppId {
    type Err = &'static str;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let segments: Vec<&str> = written.split('/').filter(|segment| !segment.is_empty()).collect();
        match segments.is_empty() {
            true => Err("an app's id looks like /shop/web"),
            false => Ok(Self(format!("/{}", segments.join("/")))),
        }
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The one of `known` that `written` was probably meant to be.
pub(super) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LEAST_LIKENESS: f64 = 0.7;
    let name = |id: &str| id.rsplit('/').next().unwrap_or_default().to_owned();
    let likeness = |id: &str| match name(id) == name(written) {
        // The right name in another group.
        true => 1.0,
        false => strsim::normalized_damerau_levenshtein(written, id),
    };
    let best = known.into_iter().map(|id| (likeness(id), id)).filter(|(likeness, _)| *likeness >= LEAST_LIKENESS);
    best.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, id)| id)
}
