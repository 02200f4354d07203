//! Names of queues.

use std::fmt;

/// The most bytes of a queue's name.
pub const MAX_NAME_BYTES: usize = 255;

/// The name of a queue: 1 to 255 bytes, without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueName(String);

/// Why a text is no name of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueNameError {
    /// It has a control character.
    #[error("name of a queue has a control character")]
    Control,
    /// It is empty.
    #[error("name of a queue is empty")]
    Empty,
    /// It is too long.
    #[error("name of a queue has {bytes} bytes, limit is {MAX_NAME_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
}

impl QueueName {
    /// Takes a name.
    ///
    /// # Errors
    ///
    /// Those of [`QueueNameError`].
    pub fn new(name: impl Into<String>) -> Result<Self, QueueNameError> {
        let name = name.into();
        match name.len() {
            0 => Err(QueueNameError::Empty),
            bytes if bytes > MAX_NAME_BYTES => Err(QueueNameError::TooLong { bytes }),
            _ if name.chars().any(char::is_control) => Err(QueueNameError::Control),
            _ => Ok(Self(name)),
        }
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
