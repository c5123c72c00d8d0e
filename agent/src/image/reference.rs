//! What an image is called.

use oci_client::Reference;

use super::ImageError;

/// Docker's own registry, whose images may go without the name of a user.
const DOCKER: &str = "registry-1.docker.io";

/// Understands `name` as Docker does: a first part that looks like a host is the registry, and without one it is `registry`.
pub(super) fn parse(name: &str, registry: &str) -> Result<Reference, ImageError> {
    let first = name.split_once('/').map(|(first, _)| first);
    let names_registry = first.is_some_and(|first| first.contains(['.', ':']) || first == "localhost");
    let whole = match names_registry || registry == DOCKER {
        true => name.to_owned(),
        false => format!("{registry}/{name}"),
    };
    whole.parse().map_err(|error: oci_client::ParseError| ImageError::Name(name.to_owned(), error.to_string()))
}

/// Whether a registry is on this machine.
pub(super) fn is_loopback(registry: &str) -> bool {
    let host = match registry.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => registry.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_understood_as_docker_does() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let cases = [
            ("busybox", DOCKER, "docker.io/library/busybox:latest".to_owned()),
            ("me/app:1", DOCKER, "docker.io/me/app:1".to_owned()),
            ("quay.io/me/app:1", DOCKER, "quay.io/me/app:1".to_owned()),
            ("app:1", "127.0.0.1:5000", "127.0.0.1:5000/app:1".to_owned()),
            ("me/app", "registry.local", "registry.local/me/app:latest".to_owned()),
            ("localhost:5000/app", "registry.local", "localhost:5000/app:latest".to_owned()),
            (&format!("app@{digest}"), "registry.local", format!("registry.local/app@{digest}")),
        ];
        for (name, registry, whole) in cases {
            assert_eq!(parse(name, registry).unwrap().whole(), whole, "{name}");
        }
        for name in ["", "App", "a b", "app:", "app@sha256:short"] {
            assert!(parse(name, DOCKER).is_err(), "{name}");
        }
    }

    #[test]
    fn loopback_is_told_from_names_that_look_like_it() {
        for registry in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.3.2.1", "[::1]:5000"] {
            assert!(is_loopback(registry), "{registry}");
        }
        for registry in ["localhost.example:5000", "127.0.0.1.example", "10.0.0.1:5000"] {
            assert!(!is_loopback(registry), "{registry}");
        }
    }
}
