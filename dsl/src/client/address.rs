use std::fmt;
use std::str::FromStr;

use http::Uri;

/// Where a service layer answers: `http://host:port` or `https://host:port`, possibly with a path before `/v2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address(String);

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidAddress {
    #[error("'{0}' is not an address: expected http://HOST:PORT or https://HOST:PORT")]
    Form(String),
    #[error("'{0}': names and passwords in addresses are not supported yet")]
    Credentials(String),
}

impl Address {
    /// The URI of a path with its query.
    pub(super) fn join(&self, path_and_query: &str) -> Result<Uri, http::Error> {
        Ok(format!("{}{path_and_query}", self.0).parse::<Uri>()?)
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let written = written.trim();
        let whole = if written.contains("://") { written.to_owned() } else { format!("http://{written}") };
        let form = || InvalidAddress::Form(written.to_owned());
        let uri: Uri = whole.parse().map_err(|_| form())?;
        let authority = uri.authority().ok_or_else(form)?;
        if authority.as_str().contains('@') {
            return Err(InvalidAddress::Credentials(written.to_owned()));
        }
        match uri.scheme_str() {
            Some(scheme @ ("http" | "https")) if uri.query().is_none() && !authority.host().is_empty() => {
                Ok(Self(format!("{scheme}://{authority}{}", uri.path().trim_end_matches('/'))))
            }
            Some(_) | None => Err(form()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn what_is_not_an_address_is_told_why() {
        let shown: Vec<String> = [
            "http://127.0.0.1:8080",
            "http://host/attica/",
            "host:80",
            "[::1]:8080",
            "https://host",
            "http://me:secret@host",
            "ftp://host",
            "http://",
            "http://host?x",
            "a b",
            "",
        ]
        .into_iter()
        .map(|text| text.parse::<Address>().map_or_else(|error| error.to_string(), |address| address.to_string()))
        .collect();
        expect_test::expect![[r#"
            http://127.0.0.1:8080
            http://host/attica
            http://host:80
            http://[::1]:8080
            https://host
            'http://me:secret@host': names and passwords in addresses are not supported yet
            'ftp://host' is not an address: expected http://HOST:PORT or https://HOST:PORT
            'http://' is not an address: expected http://HOST:PORT or https://HOST:PORT
            'http://host?x' is not an address: expected http://HOST:PORT or https://HOST:PORT
            'a b' is not an address: expected http://HOST:PORT or https://HOST:PORT
            '' is not an address: expected http://HOST:PORT or https://HOST:PORT"#]]
        .assert_eq(&shown.join("\n"));
    }
}
