//! Numbers in little-endian order, one after the other.

/// Takes numbers and bytes from the front of a slice. Each is `None` where the slice is too short.
#[derive(Clone, Copy, Debug)]
pub(super) struct LittleEndianFields<'a>(&'a [u8]);

impl<'a> LittleEndianFields<'a> {
    /// Begins at an offset.
    pub(super) fn at(bytes: &'a [u8], offset: usize) -> Self {
        Self(bytes.get(offset..).unwrap_or_default())
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// Takes four bytes, and returns whether they are these.
    pub(super) fn is_next(&mut self, signature: [u8; 4]) -> bool {
        self.take(4) == Some(&signature)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
}
