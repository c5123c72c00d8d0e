use std::fmt;

use zeroize::Zeroizing;

/// The value of a secret as its user needs it. It cannot be printed, is in no format for sending, and leaves nothing in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct ClearText(Zeroizing<Vec<u8>>);

impl ClearText {
    /// Takes the value in.
    #[must_use]
    pub fn new(value: Vec<u8>) -> ClearText {
        ClearText(Zeroizing::new(value))
    }

    /// The value, for whoever uses it.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ClearText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClearText(…)")
    }
}
