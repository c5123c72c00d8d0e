//! Asking a task over HTTP to end.

/// Where a POST is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) port: u16,
    pub(crate) path: String,
}
