//! What became of records that were given to the sink.

use super::error::HandlerFailure;

/// What the sink did with a run of records.
pub(super) enum Written<E> {
    /// It has written all.
    All,
    /// It has written the first so many, and failed if there is an error.
    First(usize, Option<E>),
    /// It refused the records.
    Refused(HandlerFailure),
    /// It failed to handle the records, which go back to the source.
    Returned(HandlerFailure),
    /// It was given none: some may be with another process by now, or do not hold any more.
    Stale,
}

impl<E> Written<E> {
    /// Returns why records were not handled.
    pub(super) const fn returned(&self) -> Option<&HandlerFailure> {
        match self {
            Self::Refused(why) | Self::Returned(why) => Some(why),
            Self::All | Self::First(..) | Self::Stale => None,
        }
    }
}
