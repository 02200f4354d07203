//! Which of a signing process's records an envelope is.

use crate::cbor::{Decoder, Encoder, Flaw, Malformed};
use crate::cose::FormError;

/// How many random bytes name a channel.
pub const CHANNEL_BYTES: usize = 16;

/// The version of the numbering that is written and read.
const VERSION: i64 = 1;

/// Which record of which channel an envelope is: the private-use header parameter −70004.
///
/// ```cddl
/// sequence = [version: 1, channel: bstr .size 16, seq: uint]
/// ```
///
/// Who has seen a channel's number before has seen the record before. So a signing process **must**
/// draw its channel at random, give each number once, and draw another channel after a fork: a verifier
/// drops what comes under a number that it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence {
    /// The random name of the channel.
    pub channel: [u8; CHANNEL_BYTES],
    /// Where in the channel, from 0, without gaps, up to 2⁶³ − 1.
    pub seq: u64,
}

impl Sequence {
    /// Reads the value of the header parameter.
    ///
    /// # Errors
    ///
    /// [`FormError::SequenceVersion`] and [`FormError::Malformed`].
    pub fn decode(value: &[u8]) -> Result<Self, FormError> {
        let mut decoder = Decoder::new(value);
        let found = decoder.array()?;
        let version = decoder.int()?;
        if version != VERSION {
            return Err(FormError::SequenceVersion { found: version });
        }
        if found != ITEMS {
            return Err(Malformed::new(0, Flaw::ArrayLength { expected: ITEMS, found }).into());
        }
        let offset = decoder.position();
        let channel = decoder.bytes()?;
        let length = Flaw::BytesLength { expected: CHANNEL_BYTES, found: channel.len() };
        let channel = channel.try_into().map_err(|_| Malformed::new(offset, length))?;
        let offset = decoder.position();
        let seq = u64::try_from(decoder.int()?);
        let seq = seq.map_err(|_| Malformed::new(offset, Flaw::IntegerRange))?;
        Ok(Self { channel, seq })
    }

    pub(crate) fn encode<'e>(&self, encoder: &'e mut Encoder) -> &'e mut Encoder {
        encoder.array(ITEMS).int(VERSION).bytes(&self.channel).uint(self.seq)
    }
}

const ITEMS: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::hex;

    #[test]
    fn what_is_written_is_read() {
        let cases = [
            (0, "00"),                             // unsigned 0
            (24, "1818"),                          // unsigned 24
            (u64::MAX >> 1, "1b7fffffffffffffff"), // unsigned 2^63 - 1
        ];
        for (seq, number) in cases {
            let sequence = Sequence { channel: [7; CHANNEL_BYTES], seq };
            let mut encoder = Encoder::new();
            sequence.encode(&mut encoder);
            let bytes = encoder.into_bytes();
            // Array of 3, version 1, bytes of 16.
            assert_eq!(hex(&bytes), format!("830150{}{number}", "07".repeat(16)));
            assert_eq!(Sequence::decode(&bytes).unwrap(), sequence);
        }
    }
}
