//! Inflates what is compressed, up to a bound.

use std::io::Read;

use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};

use crate::rule::PickleRule;

/// How many bytes may still come out of all that is compressed in a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct InflateBudget(u64);

/// What came out of a compressed part.
#[derive(Clone, Debug)]
pub(super) struct Inflated {
    pub(super) bytes: Vec<u8>,
    /// Why there is no more of it, if that is not its end.
    pub(super) fault: Option<PickleRule>,
}

impl InflateBudget {
    pub(super) const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Inflates a file of gzip. Like Python's gzip, it takes several one after the other.
    pub(super) fn gzip(&mut self, bytes: &[u8]) -> Inflated {
        self.streams(bytes, GzDecoder::new, GzDecoder::into_inner)
    }

    /// Inflates a file of zlib. Like joblib, it takes several one after the other.
    pub(super) fn zlib(&mut self, bytes: &[u8]) -> Inflated {
        self.streams(bytes, ZlibDecoder::new, ZlibDecoder::into_inner)
    }

    /// Inflates a member of an archive, which has to have this length and this checksum, and to end with its
    /// bytes.
    pub(super) fn member(&mut self, packed: &[u8], length: u64, checksum: u32) -> Inflated {
        if length > self.0 {
            let fault = Some(PickleRule::InflatedTooLarge);
            return Inflated { bytes: Vec::new(), fault };
        }
        let mut bytes = Vec::new();
        // One byte more than it should be shows that it is longer.
        let mut limited = DeflateDecoder::new(packed).take(length.saturating_add(1));
        let read = limited.read_to_end(&mut bytes);
        self.0 = self.0.saturating_sub(long(bytes.len()));
        let rest = limited.into_inner().into_inner();
        let good = read.is_ok()
            && rest.is_empty()
            && long(bytes.len()) == length
            && checksum_of(&bytes) == checksum;
        Inflated { bytes, fault: (!good).then_some(PickleRule::InflateForm) }
    }

    fn streams<'a, D: Read>(
        &mut self,
        mut rest: &'a [u8],
        open: impl Fn(&'a [u8]) -> D,
        close: impl Fn(D) -> &'a [u8],
    ) -> Inflated {
        let mut bytes = Vec::new();
        loop {
            let before = bytes.len();
            let mut limited = open(rest).take(self.0.saturating_add(1));
            let read = limited.read_to_end(&mut bytes);
            let more = long(bytes.len().saturating_sub(before));
            if more > self.0 {
                self.0 = 0;
                return Inflated { bytes, fault: Some(PickleRule::InflatedTooLarge) };
            }
            self.0 = self.0.saturating_sub(more);
            let after = close(limited.into_inner());
            if read.is_err() || after.len() >= rest.len() {
                return Inflated { bytes, fault: Some(PickleRule::InflateForm) };
            }
            if after.is_empty() {
                return Inflated { bytes, fault: None };
            }
            rest = after;
        }
    }
}

/// Returns the CRC-32 that ZIP archives have.
pub(super) fn checksum_of(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn long(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
