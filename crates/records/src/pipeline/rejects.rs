//! Where refused records are kept.

use std::convert::Infallible;

use brine_core::Timestamp;

use super::error::RecordError;
use crate::framing::RecordFrame;

/// A place that keeps refused records whole, with the reason. A record that is kept counts as handled.
pub trait Rejects {
    /// Why the rejects fail.
    type Error;

    /// Returns whether anything is kept. If not, [`keep`](Self::keep) is never called.
    fn are_kept(&self) -> bool {
        true
    }

    /// Returns whether keeping records can take as long as somebody pleases who reads what is kept. Nothing is
    /// reserved in a ledger meanwhile.
    fn may_wait(&self) -> bool {
        false
    }

    /// Keeps records, and returns when they are durable.
    ///
    /// # Errors
    ///
    /// If the records cannot be kept. The work ends, and they are not acknowledged.
    fn keep(&mut self, rejected: &[RejectedRecord<'_>]) -> Result<(), Self::Error>;
}

/// A record that was refused.
#[derive(Clone, Copy, Debug)]
pub struct RejectedRecord<'a> {
    /// The number of the record, counted from 1.
    pub number: u64,
    /// When it was judged.
    pub at: Timestamp,
    /// The reason.
    pub why: &'a RecordError,
    /// The record as it was received.
    pub frame: RecordFrame<'a>,
}

/// Keeps no refused records.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRejects;

impl Rejects for NoRejects {
    type Error = Infallible;

    fn are_kept(&self) -> bool {
        false
    }

    fn keep(&mut self, _: &[RejectedRecord<'_>]) -> Result<(), Infallible> {
        Ok(())
    }
}

/// A place for refused records, or none.
impl<R: Rejects> Rejects for Option<R> {
    type Error = R::Error;

    fn are_kept(&self) -> bool {
        self.as_ref().is_some_and(Rejects::are_kept)
    }

    fn may_wait(&self) -> bool {
        self.as_ref().is_some_and(Rejects::may_wait)
    }

    fn keep(&mut self, rejected: &[RejectedRecord<'_>]) -> Result<(), R::Error> {
        self.as_mut().map_or(Ok(()), |rejects| rejects.keep(rejected))
    }
}

impl<R: Rejects> Rejects for &mut R {
    type Error = R::Error;

    fn are_kept(&self) -> bool {
        (**self).are_kept()
    }

    fn may_wait(&self) -> bool {
        (**self).may_wait()
    }

    fn keep(&mut self, rejected: &[RejectedRecord<'_>]) -> Result<(), R::Error> {
        (**self).keep(rejected)
    }
}
