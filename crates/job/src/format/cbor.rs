//! One CBOR item that comes in pieces.

use super::{Check, FormatError};
use crate::cbor::{Extent, ExtentFinder, Flaw, Malformed};

/// Where the item ends, and what of it has not been read yet.
#[derive(Debug, Default)]
pub(super) struct CborCheck {
    finder: ExtentFinder,
    /// The beginning of a head, which may not be all there yet.
    rest: Vec<u8>,
    /// Where the item ended.
    ended: Option<usize>,
}

impl Check for CborCheck {
    fn piece(&mut self, piece: &[u8], offset: u64) -> Result<(), FormatError> {
        if self.ended.is_some() {
            return Ok(());
        }
        let before = u64::try_from(self.rest.len()).unwrap_or(0);
        let start = saturated(offset.saturating_sub(before));
        self.rest.extend_from_slice(piece);
        match self.finder.find(&self.rest) {
            Extent::Complete(length) => {
                self.ended = Some(start.saturating_add(length));
                self.rest.clear();
                Ok(())
            }
            Extent::Malformed(malformed) => Err(FormatError::Cbor(malformed.within(start))),
            Extent::NeedMore(_) => {
                let read = self.finder.forget(self.rest.len());
                self.rest.drain(..read);
                Ok(())
            }
        }
    }

    /// Counts what follows the item here, where it is known how much that is, in whatever pieces it came.
    fn end(&mut self, offset: u64) -> Result<(), FormatError> {
        let all = saturated(offset);
        let (offset, flaw) = match self.ended {
            None => (all, Flaw::UnexpectedEnd),
            Some(end) if end == all => return Ok(()),
            Some(end) => (end, Flaw::TrailingBytes { count: all.saturating_sub(end) }),
        };
        Err(FormatError::Cbor(Malformed { offset, flaw }))
    }
}

fn saturated(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
