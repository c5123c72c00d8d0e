//! Ids as people type them.

use std::fmt;
use std::str::FromStr;

use super::failure::Failure;
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

/// A group's id as it was typed: `/shop`, `shop`, or `/` for the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GroupId(String);

impl GroupId {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// `/v2/groups/shop`, with `rest` behind it.
    pub(super) fn path(&self, rest: &str) -> String {
        let segments = self.0.split('/').filter(|segment| !segment.is_empty());
        let path: String = segments.map(|segment| format!("/{}", encode(segment))).collect();
        format!("/v2/groups{path}{rest}")
    }
}

impl FromStr for GroupId {
    type Err = std::convert::Infallible;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let segments: Vec<&str> = written.split('/').filter(|segment| !segment.is_empty()).collect();
        Ok(Self(format!("/{}", segments.join("/"))))
    }
}

impl fmt::Display for GroupId {
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

/// The index of the one id that is what was typed, or the only one that contains it; none when there is no such id.
///
/// # Errors
/// [`Failure::Usage`] when several contain it.
pub(super) fn only_match(typed: &str, ids: &[&str], what: &str) -> Result<Option<usize>, Failure> {
    const SHOWN_MAX: usize = 10;
    // Copied out of a narrow table.
    let typed = typed.trim_end_matches('…');
    if let Some(exact) = ids.iter().position(|id| *id == typed) {
        return Ok(Some(exact));
    }
    let matches: Vec<usize> = (0..ids.len()).filter(|&index| ids[index].contains(typed)).collect();
    match matches.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(*only)),
        several => {
            let shown: Vec<&str> = several.iter().take(SHOWN_MAX).map(|&index| ids[index]).collect();
            let more = if several.len() > SHOWN_MAX { "\n  …" } else { "" };
            let text =
                format!("'{typed}' is part of the ids of {} {what}s:\n  {}{more}", several.len(), shown.join("\n  "));
            Err(Failure::Usage(text))
        }
    }
}

/// So many characters tell these ids apart, when each is cut to them and an ellipsis.
pub(super) fn telling_length<'a>(ids: impl IntoIterator<Item = &'a str>) -> usize {
    let mut ids: Vec<&str> = ids.into_iter().collect();
    ids.sort_unstable();
    let common = |pair: &[&str]| pair[0].chars().zip(pair[1].chars()).take_while(|(one, other)| one == other).count();
    // One more tells apart, the next is the ellipsis.
    ids.windows(2).map(common).max().unwrap_or(0) + 2
}
