//! How long to wait before the next try.

use std::time::Duration;

use brine_core::key::random;

use crate::error::QueueError;

/// How long to wait before the next try. It doubles, and half of it is random, so that those who failed together do not
/// try again together.
#[derive(Debug, Default)]
pub(super) struct GrowingDelay {
    tries: u32,
}

impl GrowingDelay {
    const FIRST: Duration = Duration::from_millis(20);
    pub(super) const LONGEST: Duration = Duration::from_secs(5);

    /// The delay after so many tries.
    pub(super) fn after(tries: usize) -> Self {
        Self { tries: u32::try_from(tries.saturating_sub(1)).unwrap_or(u32::MAX) }
    }

    pub(super) fn next(&mut self) -> Result<Duration, QueueError> {
        let delay = Self::FIRST.saturating_mul(1_u32 << self.tries.min(16)).min(Self::LONGEST);
        self.tries = self.tries.saturating_add(1);
        let share = u32::from(u16::from_le_bytes(random()?));
        Ok(delay / 2 + (delay / 2).saturating_mul(share) / 0x1_0000)
    }
}
