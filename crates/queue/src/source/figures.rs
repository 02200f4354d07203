//! What passes through a source, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a consumer received and settled, in numbers that any thread can read. Several sources, one after the other, can
/// count in the same ones.
#[derive(Debug, Default)]
pub struct SourceFigures {
    received: AtomicU64,
    redelivered: AtomicU64,
    settled: AtomicU64,
    held_micros: AtomicU64,
}

impl SourceFigures {
    /// Counts a message that was delivered, for the first time or `attempt`th.
    pub fn receive(&self, attempt: u64) {
        self.received.fetch_add(1, Ordering::Relaxed);
        self.redelivered.fetch_add(u64::from(attempt > 1), Ordering::Relaxed);
    }

    /// Counts a message that was settled, handed back or lost, and was held for so long.
    pub fn settle(&self, held: Duration) {
        let micros = u64::try_from(held.as_micros()).unwrap_or(u64::MAX);
        self.held_micros.fetch_add(micros, Ordering::Relaxed);
        self.settled.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how many messages were delivered.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Returns how many of them had been delivered before.
    #[must_use]
    pub fn redelivered(&self) -> u64 {
        self.redelivered.load(Ordering::Relaxed)
    }

    /// Returns how many of them are held no more.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.settled.load(Ordering::Relaxed)
    }

    /// Returns how many of them are held now.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        // What was settled was received before, so it is read first.
        let settled = self.settled();
        self.received().saturating_sub(settled)
    }

    /// Returns for how long those that are held no more were held, together.
    #[must_use]
    pub fn held(&self) -> Duration {
        Duration::from_micros(self.held_micros.load(Ordering::Relaxed))
    }
}
