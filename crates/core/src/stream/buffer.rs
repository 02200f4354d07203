//! Memory for the content of segments, used again and again.

use crate::error::{Result, SystemError};

/// A segment's content, and room for more.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    memory: Vec<u8>,
    filled: usize,
}

impl Buffer {
    /// Makes the buffer hold nothing and have room for exactly `bytes`.
    ///
    /// # Errors
    ///
    /// [`SystemError::OutOfMemory`].
    pub(super) fn with_room(mut self, bytes: usize) -> Result<Self> {
        let more = bytes.saturating_sub(self.memory.len());
        self.memory.try_reserve_exact(more).map_err(|_| SystemError::OutOfMemory { bytes })?;
        self.memory.resize(bytes, 0);
        self.filled = 0;
        Ok(self)
    }

    /// Returns whether there is no memory yet.
    pub(super) fn is_absent(&self) -> bool {
        self.memory.is_empty()
    }

    pub(super) const fn len(&self) -> usize {
        self.filled
    }

    pub(super) fn is_full(&self) -> bool {
        self.filled == self.memory.len()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.memory.get(..self.filled).unwrap_or_default()
    }

    /// The memory that is not filled yet.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.memory.get_mut(self.filled..).unwrap_or_default()
    }

    /// Counts the first `bytes` of the room as filled.
    pub(super) fn fill(&mut self, bytes: usize) {
        self.filled = self.filled.saturating_add(bytes).min(self.memory.len());
    }
}
