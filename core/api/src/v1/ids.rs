//! Ids, and the rules for those that clients choose.

use thiserror::Error;

use crate::message::{Nested, identifier, message};

identifier! {
    /// Names a framework: `<master id>-<number>`, for good.
    pub struct FrameworkId;
    /// Names an offer: `<master id>-O<number>`.
    pub struct OfferId;
    /// Names an agent: `<master id>-S<number>`; it survives restarts of the agent.
    pub struct AgentId;
    /// Names a task within its framework; chosen by the framework.
    pub struct TaskId;
    /// Names an executor within its framework and agent; chosen by the framework.
    pub struct ExecutorId;
    /// Names an offer operation whose outcome the framework wants to hear of; chosen by the framework.
    pub struct OperationId;
    /// Names a resource provider.
    pub struct ResourceProviderId;
}

message! {
    /// Names a container on an agent; a nested container names its parent too.
    pub struct ContainerId {
        value: required String = 1,
        parent: optional Nested<ContainerId> = 2,
    }
    /// A UUID in its 16 raw bytes.
    pub struct Uuid {
        value: required bytes::Bytes = 1,
    }
}

/// The longest id that a client may choose, in bytes.
pub const ID_BYTES_MAX: usize = 255;

/// The longest name of a container, in bytes.
pub const CONTAINER_ID_BYTES_MAX: usize = 242;

/// Why a text cannot be an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdError {
    /// The id is empty.
    #[error("ID must not be empty")]
    Empty,
    /// The id is too long.
    #[error("ID must not be greater than {ID_BYTES_MAX} characters")]
    TooLong,
    /// The id would name a directory.
    #[error("'.' and '..' are disallowed")]
    Dots,
    /// The id contains a control character, `/` or `\`.
    #[error("ID contains a control character, '/' or '\\'")]
    Character,
    /// The name of a container is too long.
    #[error("a container's ID must not be greater than {CONTAINER_ID_BYTES_MAX} characters")]
    ContainerTooLong,
    /// The name of a container contains what separates it from those of others.
    #[error("a container's ID contains '.' or a space")]
    ContainerCharacter,
}

/// Checks the rules for an id that becomes the name of a directory: 1 to 255 bytes, neither `.` nor `..`, no control
/// character, `/` or `\`.
///
/// # Errors
/// The first rule that is broken.
pub fn check_id(id: &str) -> Result<(), IdError> {
    if id.is_empty() {
        return Err(IdError::Empty);
    }
    if id.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong);
    }
    if id == "." || id == ".." {
        return Err(IdError::Dots);
    }
    if id.chars().any(|character| character.is_control() || character == '/' || character == '\\') {
        return Err(IdError::Character);
    }
    Ok(())
}

/// Checks the rules for the name of a container: those for ids, at most 242 bytes, and neither dots, which separate it from the names of
/// those that it is within, nor spaces.
///
/// # Errors
/// The first rule that is broken.
pub fn check_container_id(id: &str) -> Result<(), IdError> {
    check_id(id)?;
    if id.len() > CONTAINER_ID_BYTES_MAX {
        return Err(IdError::ContainerTooLong);
    }
    if id.contains(['.', ' ']) {
        return Err(IdError::ContainerCharacter);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_names_of_directories() {
        for good in ["a", "ä b", "...", ".a", &"x".repeat(255)] {
            assert_eq!(check_id(good), Ok(()), "{good}");
        }
        let cases = [
            ("", IdError::Empty),
            (&"x".repeat(256), IdError::TooLong),
            (".", IdError::Dots),
            ("..", IdError::Dots),
            ("a/b", IdError::Character),
            ("a\\b", IdError::Character),
            ("a\nb", IdError::Character),
            ("\u{7f}", IdError::Character),
        ];
        for (bad, expected) in cases {
            assert_eq!(check_id(bad), Err(expected), "{bad:?}");
        }
    }

    #[test]
    fn names_of_containers_have_no_dots() {
        assert_eq!(check_container_id(&"x".repeat(242)), Ok(()));
        let cases = [
            ("", IdError::Empty),
            (&"x".repeat(243), IdError::ContainerTooLong),
            ("a.b", IdError::ContainerCharacter),
            ("a b", IdError::ContainerCharacter),
        ];
        for (bad, expected) in cases {
            assert_eq!(check_container_id(bad), Err(expected), "{bad:?}");
        }
    }
}
