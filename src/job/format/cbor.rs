//! One CBOR item that comes in pieces.

use super::{Check, FormatError};
use crate::cbor::{Extent, ExtentFinder, Flaw, Malformed};

/// Where the item ends, and what of it has not been read yet.
#[derive(Debug, Default)]
pub(super) struct CborCheck {
    finder: ExtentFinder,
    /// The beginning of a head, which may not be all there yet.
    rest: Vec<u8>,
    is_complete: bool,
}

impl Check for CborCheck {
    fn piece(&mut self, piece: &[u8], offset: u64) -> Result<(), FormatError> {
        let before = u64::try_from(self.rest.len()).unwrap_or(0);
        let start = usize::try_from(offset.saturating_sub(before)).unwrap_or(usize::MAX);
        if self.is_complete {
            return Err(after_the_end(start, piece.len()));
        }
        self.rest.extend_from_slice(piece);
        match self.finder.find(&self.rest) {
            Extent::Complete(length) => {
                self.is_complete = true;
                let count = self.rest.len().saturating_sub(length);
                self.rest.clear();
                if count > 0 {
                    return Err(after_the_end(start.saturating_add(length), count));
                }
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

    fn end(&mut self, offset: u64) -> Result<(), FormatError> {
        if self.is_complete {
            return Ok(());
        }
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        Err(FormatError::Cbor(Malformed { offset, flaw: Flaw::UnexpectedEnd }))
    }
}

fn after_the_end(offset: usize, count: usize) -> FormatError {
    FormatError::Cbor(Malformed { offset, flaw: Flaw::TrailingBytes { count } })
}
