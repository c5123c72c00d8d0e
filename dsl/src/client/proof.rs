//! What proves to the service layer who asks: a token, or a name with its password.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use serde::Deserialize;

use super::failure::Failure;

#[derive(Deserialize)]
struct Credential {
    principal: String,
    secret: String,
}

/// The value of `Authorization`, if there is anything to show: from the file of an option, from the environment that `set` reads, or from
/// the file that the configuration names.
///
/// # Errors
/// [`Failure::File`] for a file that cannot be read, [`Failure::Usage`] for what is neither a token nor a credential.
pub(super) fn of(
    option: Option<&Path>,
    set: impl Fn(&str) -> Option<String>,
    configured: Option<&Path>,
) -> Result<Option<HeaderValue>, Failure> {
    let file = match (option, set("ATTICA_TOKEN")) {
        (Some(file), _) => file.to_owned(),
        (None, Some(token)) => return header("ATTICA_TOKEN", &token).map(Some),
        (None, None) => match set("ATTICA_TOKEN_FILE").map(PathBuf::from).or_else(|| configured.map(Path::to_owned)) {
            Some(file) => file,
            None => return Ok(None),
        },
    };
    let text = std::fs::read_to_string(&file).map_err(|source| Failure::File { path: file.clone(), source })?;
    header(&file.display().to_string(), &text).map(Some)
}

/// What is wrong is said without what is written there.
fn header(whose: &str, text: &str) -> Result<HeaderValue, Failure> {
    let wrong = || Failure::Usage(format!("{whose}: expected a token, or {{\"principal\": \"…\", \"secret\": \"…\"}}"));
    let text = text.trim();
    let value = match text.starts_with('{') {
        true => {
            let Credential { principal, secret } = serde_json::from_str(text).map_err(|_| wrong())?;
            format!("Basic {}", STANDARD.encode(format!("{principal}:{secret}")))
        }
        false => format!("Bearer {text}"),
    };
    let mut value = HeaderValue::try_from(value).ok().filter(|_| !text.is_empty()).ok_or_else(wrong)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_proof_counts_and_is_never_quoted() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (token, credential) = (file("token", "abc\n"), file("credential", r#"{"principal":"ann","secret":"s:1"}"#));
        let nothing = |_: &str| None;
        let variable = |name: &str| (name == "ATTICA_TOKEN").then(|| "xyz".to_owned());
        let shown = |proof: Result<Option<HeaderValue>, Failure>| {
            proof.unwrap().map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        assert_eq!(shown(of(None, nothing, None)), "");
        assert_eq!(shown(of(Some(&token), variable, Some(&credential))), "Bearer abc");
        assert_eq!(shown(of(None, variable, Some(&credential))), "Bearer xyz");
        assert_eq!(shown(of(None, nothing, Some(&credential))), "Basic YW5uOnM6MQ==");
        for wrong in ["", " \n", "a\u{1}b", r#"{"principal":"hush"}"#, "{hush"] {
            let error = of(Some(&file("wrong", wrong)), nothing, None).unwrap_err();
            assert!(error.exit_status() == 2 && !format!("{error:?}").contains("hush"), "{error:?}");
        }
    }
}
