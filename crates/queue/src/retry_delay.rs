//! When a message is tried again.

use std::time::Duration;

use brine_core::key::random;

use crate::error::QueueError;

/// How long a message waits before it is delivered again after its handler failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryDelay {
    /// How long after the first attempt. It doubles with every further one, up to `longest`.
    pub first: Duration,
    /// The longest delay.
    pub longest: Duration,
}

impl RetryDelay {
    /// Returns the delay after so many attempts. Half of it is random, so that consumers that failed together do not try
    /// again together.
    ///
    /// # Errors
    ///
    /// [`QueueError::Random`].
    pub fn after(self, attempts: u64) -> Result<Duration, QueueError> {
        let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX).min(31);
        let delay = self.first.saturating_mul(1_u32 << doublings);
        let half = delay.min(self.longest) / 2;
        let share = u32::from_le_bytes(random()?);
        let random = half.as_nanos().saturating_mul(u128::from(share)) >> 32;
        Ok(half.saturating_add(Duration::from_nanos(u64::try_from(random).unwrap_or(u64::MAX))))
    }
}

impl Default for RetryDelay {
    /// A second, and 5 minutes at most.
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_secs(5 * 60) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_doubles_up_to_the_longest_and_half_of_it_is_random() {
        let delay = RetryDelay::default();
        for (attempts, whole) in
            [(0, 1), (1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (u64::MAX, 300)]
        {
            let (half, whole) = (Duration::from_millis(whole * 500), Duration::from_secs(whole));
            for _ in 0..20 {
                let found = delay.after(attempts).unwrap();
                assert!((half..=whole).contains(&found), "{attempts}: {found:?}");
            }
        }
    }
}
