//! Header maps (RFC 9052, Section 3).

use super::header_label::labels_of;
use super::{FormError, Label, MAX_HEADER_BYTES, MAX_LABELS, label};
use crate::cbor::{Decoder, IntOrText};

/// A header map: well-formed, within its limits, without a repeated label.
///
/// ```cddl
/// header-map = { * (int / tstr) => any }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderMap<'a> {
    /// The whole map. An empty protected header has no map at all and stands here as an empty one.
    bytes: &'a [u8],
}

impl<'a> HeaderMap<'a> {
    const EMPTY: Self = Self { bytes: &[0xa0] };

    /// Reads the next item as a header map, and shows each integer label with its value to `see`.
    pub(super) fn decode(
        decoder: &mut Decoder<'a>,
        mut see: impl FnMut(i64, &'a [u8]),
    ) -> Result<Self, FormError> {
        // Both limits are checked first: reading a map can cost memory for each of its keys.
        let pairs = { *decoder }.map()?;
        if pairs > MAX_LABELS {
            return Err(FormError::TooManyLabels { found: pairs, limit: MAX_LABELS });
        }
        let bytes = decoder.map_within(MAX_HEADER_BYTES, |label, value| {
            if let IntOrText::Int(label) = label? {
                see(label, value);
            }
            Ok(())
        });
        let too_large = FormError::HeaderTooLarge { limit: MAX_HEADER_BYTES };
        Ok(Self { bytes: bytes?.ok_or(too_large)? })
    }

    /// Reads the protected header: a byte string that holds a map, or nothing (RFC 9052, Section 3).
    pub(crate) fn decode_protected(
        bytes: &'a [u8],
        see: impl FnMut(i64, &'a [u8]),
    ) -> Result<Self, FormError> {
        if bytes.is_empty() {
            return Ok(Self::EMPTY);
        }
        let mut decoder = Decoder::new(bytes);
        let map = Self::decode(&mut decoder, see)?;
        decoder.finish()?;
        Ok(map)
    }

    /// Takes the bytes of a protected header that was parsed before.
    pub(crate) const fn of_parsed(bytes: &'a [u8]) -> Self {
        if bytes.is_empty() { Self::EMPTY } else { Self { bytes } }
    }

    /// Returns the map as it was received.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the labels with the bytes of their values, in the order of the map.
    pub fn iter(&self) -> impl Iterator<Item = (Label<'a>, &'a [u8])> + use<'a> {
        let mut decoder = Decoder::new(self.bytes);
        let pairs = decoder.map().unwrap_or(0);
        (0..pairs)
            .map_while(move |_| Some((Label::decode(&mut decoder).ok()?, decoder.skip().ok()?)))
    }

    /// Returns the value with an integer label.
    #[must_use]
    pub fn get(&self, label: i64) -> Option<&'a [u8]> {
        self.iter().find_map(|(found, value)| (found == Label::Int(label)).then_some(value))
    }

    /// Returns whether it has no header parameters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Returns whether `crit` (2) lists these labels, in any order, and no others.
    #[must_use]
    pub fn crit_is(&self, expected: &[i64]) -> bool {
        let all = expected.iter().all(|label| self.crit_lists(*label));
        all && self.crit().count() == expected.len()
    }

    /// Returns whether `crit` (2) lists this label.
    #[must_use]
    pub fn crit_lists(&self, label: i64) -> bool {
        self.crit().any(|found| found == Label::Int(label))
    }

    fn crit(&self) -> impl Iterator<Item = Label<'a>> {
        self.get(label::CRIT).into_iter().flat_map(labels_of)
    }
}
