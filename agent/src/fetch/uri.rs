//! What a `CommandInfo.URI` asks for. Whatever cannot be had is refused before anything is fetched.

use std::path::{Component, Path, PathBuf};

use attica_core_api::v1::CommandUri;

use crate::unpack::format::Format;

/// Where the bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    File(PathBuf),
    /// The address, http or https.
    Http(String),
}

/// One URI, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// As it was written.
    pub(crate) uri: String,
    pub(crate) origin: Origin,
    /// The file's name in the sandbox.
    pub(crate) name: PathBuf,
    /// What it is to be unpacked as.
    pub(crate) extract: Option<Format>,
    pub(crate) executable: bool,
    pub(crate) cache: bool,
}

/// Why a URI is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UriError {
    #[error("`command.uris`: `{0}`: this agent fetches absolute paths, file://, http:// and https://, not {1}://")]
    Scheme(String, String),
    #[error("`command.uris`: `{0}` is no address: it is a path that is not absolute, or lacks a host or a path")]
    Address(String),
    #[error(
        "`command.uris`: `{0}` would be called `{1}` in the sandbox: a relative path without `..` can be the name, `stdout` and `stderr` cannot"
    )]
    Name(String, String),
}

/// Understands what a command asks for.
pub(crate) fn items(uris: &[CommandUri]) -> Result<Vec<Item>, UriError> {
    uris.iter().map(item).collect()
}

fn item(asked: &CommandUri) -> Result<Item, UriError> {
    let CommandUri { value, executable, extract, cache, output_file } = asked;
    let executable = executable.unwrap_or(false);
    let shown = without_secrets(value);
    let (origin, last) = origin(value)?;
    let name = output_file.clone().unwrap_or(last);
    let components = || Path::new(&name).components();
    let plain = !name.contains('\0') && components().all(|part| matches!(part, Component::Normal(_)));
    if !plain || components().next().is_none() || ["stdout", "stderr"].contains(&name.as_str()) {
        return Err(UriError::Name(shown, name));
    }
    let extract = Format::of(&name).filter(|_| *extract && !executable);
    Ok(Item { uri: shown, origin, name: PathBuf::from(name), extract, executable, cache: cache.unwrap_or(false) })
}

/// And the last part of its path.
fn origin(value: &str) -> Result<(Origin, String), UriError> {
    let address = || UriError::Address(without_secrets(value));
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    if value.contains(['\0', '\n', '\r']) {
        return Err(address());
    }
    let Some((scheme, rest)) = value.split_once("://") else {
        let absolute = value.starts_with('/').then(|| Origin::File(PathBuf::from(value)));
        return Ok((absolute.ok_or_else(address)?, last(value)));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "file" => {
            let path = rest.strip_prefix("localhost").unwrap_or(rest);
            let absolute = path.starts_with('/').then(|| Origin::File(PathBuf::from(path)));
            Ok((absolute.ok_or_else(address)?, last(path)))
        }
        "http" | "https" => {
            let uri: http::Uri = value.parse().map_err(|_| address())?;
            if uri.host().is_none_or(str::is_empty) {
                return Err(address());
            }
            Ok((Origin::Http(value.to_owned()), last(uri.path())))
        }
        other => Err(UriError::Scheme(without_secrets(value), other.to_owned())),
    }
}

/// Without the name and password that an address may hold.
fn without_secrets(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once("://") else { return uri.to_owned() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{host}{}", &rest[authority.len()..]),
        None => uri.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unpack::format::Compression;

    fn uri(value: &str) -> CommandUri {
        CommandUri { value: value.to_owned(), ..CommandUri::default() }
    }

    #[test]
    fn addresses_and_paths_are_understood() {
        let cases = [
            ("/a/b.tgz", Origin::File("/a/b.tgz".into()), "b.tgz"),
            ("file:///a/b.tgz", Origin::File("/a/b.tgz".into()), "b.tgz"),
            ("file://localhost/a/b.tgz", Origin::File("/a/b.tgz".into()), "b.tgz"),
            ("http://host:80/a/b.tgz?c=d/e", Origin::Http("http://host:80/a/b.tgz?c=d/e".into()), "b.tgz"),
        ];
        for (value, origin, name) in cases {
            let item = item(&uri(value)).unwrap();
            assert_eq!((item.origin, item.name), (origin, PathBuf::from(name)), "{value}");
            assert_eq!(item.extract, Some(Format::Tar(Compression::Gzip)));
        }
        let named = CommandUri { output_file: Some("bin/tool".to_owned()), executable: Some(true), ..uri("/a/b.zip") };
        let item = item(&named).unwrap();
        assert_eq!((item.name, item.extract, item.executable), (PathBuf::from("bin/tool"), None, true));
    }

    #[test]
    fn what_cannot_be_fetched_is_refused_by_name() {
        let cases = [
            ("hdfs://name/a", "hdfs://"),
            ("s3://bucket/a", "s3://"),
            ("ftp://host/a", "ftp://"),
            ("a/b", "no address"),
            ("file://elsewhere/a", "no address"),
            ("http:///a", "no address"),
            ("http://host/", "would be called ``"),
            ("/logs/stdout", "would be called `stdout`"),
        ];
        for (value, expected) in cases {
            let error = item(&uri(value)).unwrap_err().to_string();
            assert!(error.contains(expected), "{value}: {error}");
        }
        for name in ["../a", "/a", "a/../b", "", "stderr"] {
            let named = CommandUri { output_file: Some(name.to_owned()), ..uri("/a") };
            assert!(matches!(item(&named), Err(UriError::Name(..))), "{name}");
        }
    }

    #[test]
    fn a_password_is_not_told() {
        assert_eq!(item(&uri("https://me:secret@host/a")).unwrap().uri, "https://host/a");
        assert!(!item(&uri("hdfs://me:secret@host/a")).unwrap_err().to_string().contains("secret"));
    }
}
