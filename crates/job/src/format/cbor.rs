//! One CBOR item that arrives in pieces.

use brine_core::cbor::{Extent, ExtentFinder, Flaw, Malformed};

use super::{FormatCheck, FormatError};

/// Finds the end of the item.
#[derive(Debug, Default)]
pub(super) struct CborCheck {
    finder: ExtentFinder,
    /// The beginning of a head whose end has not arrived.
    rest: Vec<u8>,
    /// The offset at which the item ended.
    ended: Option<usize>,
}

impl FormatCheck for CborCheck {
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

    /// Counts the bytes after the item here, so that the count does not depend on the pieces.
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
