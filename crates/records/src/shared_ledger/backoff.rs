//! How consumers that change the same values get out of each other's way.

use std::thread;
use std::time::Duration;

use crate::ledger::ReplayError;

/// The pauses between the attempts of one call. They get longer, and are random, so that two consumers that met do not
/// meet again.
#[derive(Debug)]
pub(super) struct Backoff {
    left: Duration,
    tries: u32,
    longest: Duration,
}

impl Backoff {
    /// Starts a call that pauses for so long at most, all pauses together.
    pub(super) const fn new(left: Duration) -> Self {
        Self { left, tries: MAX_TRIES, longest: SHORTEST }
    }

    /// Pauses before the next attempt.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Locked`] if there were enough.
    pub(super) fn pause(&mut self) -> Result<(), ReplayError> {
        self.tries = self.tries.saturating_sub(1);
        if self.tries == 0 || self.left.is_zero() {
            return Err(ReplayError::Locked);
        }
        let mut random = [0];
        // A pause that is not random is better than none.
        let _ = getrandom::fill(&mut random);
        let [random] = random;
        let pause = (self.longest * u32::from(random) / 256).max(SHORTEST / 2).min(self.left);
        thread::sleep(pause);
        self.left = self.left.saturating_sub(pause);
        self.longest = (self.longest * 2).min(LONGEST);
        Ok(())
    }
}

const SHORTEST: Duration = Duration::from_millis(2);
const LONGEST: Duration = Duration::from_millis(128);

/// The most attempts of one call, however short the pauses are.
const MAX_TRIES: u32 = 256;
