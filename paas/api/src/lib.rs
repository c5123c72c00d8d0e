//! The JSON types of /v2.
