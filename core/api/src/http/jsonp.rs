//! `?jsonp=name`: a JSON document as a script that calls that function, for pages that cannot read what another server answers.

/// The media type of such a script.
pub const MEDIA_TYPE: &str = "text/javascript";

/// What a caller is told whose name is refused.
pub const NO_FUNCTION: &str = "Expecting 'jsonp' to be the name of a JavaScript function";

/// Whether a script may call this. Anything else could smuggle a script into the page that asks.
pub fn is_function_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_functions_are_called() {
        for name in ["cb", "jQuery1_2", "angular.callbacks._0", "$"] {
            assert!(is_function_name(name), "{name}");
        }
        for name in ["", "alert(1);x", "a b", "<script>", "ä"] {
            assert!(!is_function_name(name), "{name}");
        }
    }
}
