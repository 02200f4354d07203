//! Where trust comes from while work goes on.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::TrustAnchors;
use crate::class::{Class, Classified};

/// Where trust comes from. It is asked at each moment of judging, so that it can change while work goes on.
///
/// An [`Arc`] of [`TrustAnchors`] is a source that never changes.
pub trait TrustSource: Send + Sync {
    /// Returns who is trusted now. As long as nothing changed, that is the same value in memory: what was judged
    /// by it then need not be judged again.
    ///
    /// # Errors
    ///
    /// [`TrustUnavailable`] if that cannot be found out. Nothing is judged then, for nobody's fault but the
    /// source's.
    fn current(&self) -> Result<Arc<dyn TrustAnchors>, TrustUnavailable>;
}

impl<T: TrustAnchors + 'static> TrustSource for Arc<T> {
    fn current(&self) -> Result<Arc<dyn TrustAnchors>, TrustUnavailable> {
        let trust: Self = Self::clone(self);
        Ok(trust)
    }
}

impl TrustSource for Arc<dyn TrustAnchors> {
    fn current(&self) -> Result<Arc<dyn TrustAnchors>, TrustUnavailable> {
        Ok(Self::clone(self))
    }
}

/// Who is trusted cannot be found out, so that nothing can be judged.
#[derive(Debug)]
pub struct TrustUnavailable {
    class: Class,
    reason: &'static str,
    source: Box<dyn Error + Send + Sync>,
}

impl TrustUnavailable {
    /// Says why: an error, with its class and its short name.
    #[must_use]
    pub fn new(
        class: Class,
        reason: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { class, reason, source: source.into() }
    }

    /// Returns the error, for whoever made it.
    #[must_use]
    pub fn into_source(self) -> Box<dyn Error + Send + Sync> {
        self.source
    }
}

impl fmt::Display for TrustUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.source, f)
    }
}

impl Error for TrustUnavailable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}

impl Classified for TrustUnavailable {
    fn class(&self) -> Class {
        self.class
    }

    fn reason(&self) -> &'static str {
        self.reason
    }
}
