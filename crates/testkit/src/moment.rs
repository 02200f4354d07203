//! Clocks and trust that change under a test's hand.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use brine_core::time::ClockBefore1970;
use brine_core::{Class, Clock, Timestamp, TrustAnchors, TrustSource, TrustUnavailable};

/// A clock that stands still until it is stepped.
#[derive(Clone, Debug)]
pub struct SteppingClock(Arc<AtomicU64>);

impl SteppingClock {
    /// Begins at this moment.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self(Arc::new(AtomicU64::new(at.unix())))
    }

    /// Goes so many seconds on.
    pub fn step(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for SteppingClock {
    fn now(&self) -> Result<Timestamp, ClockBefore1970> {
        Ok(Timestamp::from_unix(self.0.load(Ordering::SeqCst)).unwrap())
    }
}

/// Trust that can be replaced, and lost.
#[derive(Clone)]
pub struct ChangingTrust(Arc<Mutex<Option<Arc<dyn TrustAnchors>>>>);

impl ChangingTrust {
    /// Begins with this trust.
    #[must_use]
    pub fn new(trust: impl TrustAnchors + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Arc::new(trust)))))
    }

    /// Takes this trust from now on.
    pub fn set(&self, trust: impl TrustAnchors + 'static) {
        *self.0.lock().unwrap() = Some(Arc::new(trust));
    }

    /// From now on, who is trusted cannot be found out. The reason is `trust-lost`.
    pub fn lose(&self) {
        *self.0.lock().unwrap() = None;
    }
}

impl TrustSource for ChangingTrust {
    fn current(&self) -> Result<Arc<dyn TrustAnchors>, TrustUnavailable> {
        let lost = || TrustUnavailable::new(Class::Key, "trust-lost", "trust is lost");
        self.0.lock().unwrap().clone().ok_or_else(lost)
    }
}

impl fmt::Debug for ChangingTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChangingTrust")
    }
}
