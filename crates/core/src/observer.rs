//! The moment of judging: who is trusted then, and what time it is.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, SystemError};
use crate::time::{Clock, ClockBefore1970, Timestamp};
use crate::trust::{TrustAnchors, TrustSource, TrustUnavailable};

/// Finds out who is trusted and what time it is, at each moment of judging.
///
/// It **must** be asked after the last byte of what is judged has arrived, and again before what was judged is
/// released later. Whoever keeps an answer judges by a time that has passed.
#[derive(Clone)]
pub struct Observer {
    trust: Arc<dyn TrustSource>,
    clock: Arc<dyn Clock>,
}

impl Observer {
    /// Asks this source of trust, and this clock.
    #[must_use]
    pub fn new(trust: impl TrustSource + 'static, clock: impl Clock + 'static) -> Self {
        Self { trust: Arc::new(trust), clock: Arc::new(clock) }
    }

    /// Returns who is trusted now, and what time it is.
    ///
    /// # Errors
    ///
    /// [`ObservationError::Clock`] and [`ObservationError::Trust`].
    pub fn observe(&self) -> Result<Circumstances, ObservationError> {
        Circumstances::of(self.trust.as_ref(), self.clock.as_ref())
    }

    /// Returns who is trusted now.
    pub(crate) fn trust(&self) -> Result<Arc<dyn TrustAnchors>, TrustUnavailable> {
        self.trust.current()
    }
}

/// Who is trusted, and what time it is, at one moment of judging.
#[derive(Clone)]
pub struct Circumstances {
    trust: Arc<dyn TrustAnchors>,
    now: Timestamp,
}

impl Circumstances {
    pub(crate) fn of(trust: &dyn TrustSource, clock: &dyn Clock) -> Result<Self, ObservationError> {
        let trust = trust.current()?;
        Ok(Self { trust, now: clock.now()? })
    }

    /// Returns who is trusted.
    #[must_use]
    pub fn trust(&self) -> &Arc<dyn TrustAnchors> {
        &self.trust
    }

    /// Returns the time.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns whether nothing has changed: what was judged in one of them holds in the other.
    #[must_use]
    pub fn are_those_of(&self, other: &Self) -> bool {
        self.now == other.now && Arc::ptr_eq(&self.trust, &other.trust)
    }
}

/// Why nothing can be judged at this moment.
#[derive(Debug, thiserror::Error)]
pub enum ObservationError {
    /// The system clock is set before 1970.
    #[error(transparent)]
    Clock(#[from] ClockBefore1970),
    /// Who is trusted cannot be found out.
    #[error(transparent)]
    Trust(#[from] TrustUnavailable),
}

impl From<ObservationError> for Error {
    fn from(error: ObservationError) -> Self {
        match error {
            ObservationError::Clock(error) => error.into(),
            ObservationError::Trust(error) => SystemError::from(error).into(),
        }
    }
}

impl fmt::Debug for Circumstances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circumstances").field("now", &self.now).finish_non_exhaustive()
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}
