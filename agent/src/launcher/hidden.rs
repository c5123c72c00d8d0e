//! Values that are nobody else's business, on their way to a program or a file of its own. They are opened where they are used.

use std::fmt;
use std::path::PathBuf;

use attica_core_api::secrets::{ClearText, KeyFileError, Purpose, SealError, Sealed, SealingKey};
use attica_core_api::v1::TaskId;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// A value that is not shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hidden {
    /// Sealed for a task.
    Sealed {
        /// The value.
        sealed: Sealed,
        /// The task.
        task: TaskId,
        /// The file with the key that opens it.
        key_file: PathBuf,
    },
    /// In base64: whoever asked for the task has not sealed it.
    Plain(String),
}

/// A value that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum HiddenError {
    /// The key cannot be had.
    #[error("its key cannot be used")]
    Key(#[from] KeyFileError),
    /// The key does not open it.
    #[error("it cannot be opened")]
    Seal(#[from] SealError),
    /// It is not in base64.
    #[error("it is not in base64")]
    NotBase64,
}

impl Hidden {
    /// A value that is clear already.
    pub fn plain(value: &ClearText) -> Hidden {
        Hidden::Plain(STANDARD.encode(value.expose()))
    }

    /// The value itself.
    pub fn open(&self) -> Result<ClearText, HiddenError> {
        match self {
            Hidden::Sealed { sealed, task, key_file } => {
                Ok(SealingKey::read(key_file)?.open(sealed, Purpose::Task(task))?)
            }
            Hidden::Plain(text) => {
                Ok(ClearText::new(STANDARD.decode(text).map_err(|_quotes_from_it| HiddenError::NotBase64)?))
            }
        }
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hidden::Sealed { task, .. } => write!(formatter, "Sealed(for {task})"),
            Hidden::Plain(_) => formatter.write_str("Plain(…)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_opens_where_the_key_is() {
        let directory = tempfile::tempdir().unwrap();
        let key_file = directory.path().join("key");
        SealingKey::make_file(&key_file).unwrap();
        let (task, value) = (TaskId::from("web.1"), ClearText::new(b"hunter2".to_vec()));
        let sealed = SealingKey::read(&key_file).unwrap().seal(&value, Purpose::Task(&task)).unwrap();
        let hidden = Hidden::Sealed { sealed: sealed.clone(), task, key_file: key_file.clone() };
        let plain = Hidden::plain(&value);
        for hidden in [&hidden, &plain] {
            assert_eq!(hidden.open().unwrap(), value);
            let sent = serde_json::to_vec(hidden).unwrap();
            assert_eq!(serde_json::from_slice::<Hidden>(&sent).unwrap(), *hidden);
            assert!(!format!("{hidden:?}").contains("hunter2"), "{hidden:?}");
        }
        let others = Hidden::Sealed { sealed, task: TaskId::from("web.2"), key_file: key_file.clone() };
        assert!(matches!(others.open(), Err(HiddenError::Seal(_))));
        std::fs::remove_file(key_file).unwrap();
        assert!(matches!(hidden.open(), Err(HiddenError::Key(_))));
        assert!(matches!(Hidden::Plain("?".to_owned()).open(), Err(HiddenError::NotBase64)));
    }
}
