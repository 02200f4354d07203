//! The one writer of protected headers.

use std::ops::Range;

use super::label;
use crate::cbor::Encoder;

/// Collects header parameters and writes them as one map: sorted, counted, with `crit` derived.
///
/// Its memory is used again from header to header.
#[derive(Debug, Default)]
pub(crate) struct HeaderWriter {
    /// The labels, each with where its parameter is in `encoded`.
    places: Vec<(i64, Range<usize>)>,
    critical: Vec<i64>,
    /// The parameters, label and value, one after the other.
    encoded: Encoder,
}

impl HeaderWriter {
    /// Forgets all parameters.
    pub(crate) fn clear(&mut self) -> &mut Self {
        self.places.clear();
        self.critical.clear();
        self.encoded.clear();
        self
    }

    /// Adds a parameter whose value `encode` writes.
    #[inline]
    pub(crate) fn put(
        &mut self,
        label: i64,
        encode: impl for<'e> FnOnce(&'e mut Encoder) -> &'e mut Encoder,
    ) -> &mut Self {
        let start = self.encoded.as_bytes().len();
        encode(self.encoded.int(label));
        self.places.push((label, start..self.encoded.as_bytes().len()));
        self
    }

    /// Adds a parameter that recipients must understand or refuse (RFC 9052, Section 3.1).
    pub(crate) fn put_critical(
        &mut self,
        label: i64,
        encode: impl for<'e> FnOnce(&'e mut Encoder) -> &'e mut Encoder,
    ) -> &mut Self {
        self.critical.push(label);
        self.put(label, encode)
    }

    /// Writes the map in deterministic order (RFC 8949, Section 4.2.1).
    pub(crate) fn write(&mut self, output: &mut Encoder) {
        let others = self.places.len();
        self.put_crit();
        output.map(count(self.places.len()));
        // Most headers are put together in this order already, but for crit, which comes of the others.
        if let Some((before, crit, after)) = self.in_order(others) {
            let part =
                |place| self.encoded.as_bytes().get::<Range<usize>>(place).unwrap_or_default();
            output.raw(part(before)).raw(part(crit)).raw(part(after));
            return;
        }
        self.places.sort_unstable_by_key(|(label, _)| order(*label));
        for (_, place) in &self.places {
            output.raw(self.encoded.as_bytes().get(place.clone()).unwrap_or_default());
        }
    }

    /// Returns where the parameters before `crit`, `crit` itself and those after it are encoded, if all of the
    /// first `others` parameters are in their order.
    fn in_order(&self, others: usize) -> Option<(Range<usize>, Range<usize>, Range<usize>)> {
        let (others, crit) = self.places.split_at_checked(others)?;
        if !others.is_sorted_by_key(|(label, _)| order(*label)) {
            return None;
        }
        let end = others.last().map_or(0, |(_, place)| place.end);
        let later = others.iter().find(|(label, _)| order(*label) > order(label::CRIT));
        let cut = later.map_or(end, |(_, place)| place.start);
        let crit = crit.first().map_or(end..end, |(_, place)| place.clone());
        Some((0..cut, crit, cut..end))
    }

    fn put_crit(&mut self) {
        if self.critical.is_empty() {
            return;
        }
        let mut critical = std::mem::take(&mut self.critical);
        critical.sort_unstable_by_key(|label| order(*label));
        self.put(label::CRIT, |value| {
            value.array(count(critical.len()));
            critical.iter().fold(value, |value, label| value.int(*label))
        });
        self.critical = critical;
    }
}

/// Encoded labels in bytewise order: those of 0 and more first, then the others, the nearest to 0 first.
const fn order(label: i64) -> u64 {
    if label < 0 { !label.cast_unsigned() | 1 << 63 } else { label.cast_unsigned() }
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::hex;

    #[test]
    fn parameters_are_sorted_counted_and_listed_in_crit() {
        let mut writer = HeaderWriter::default();
        writer.put_critical(-70_001, |value| value.bool(true));
        writer.put(4, |value| value.bytes(b"k"));
        writer.put_critical(258, |value| value.int(-16));
        writer.put_critical(16, |value| value.text("t"));
        writer.put(1, |value| value.int(-8));
        let mut output = Encoder::new();
        writer.write(&mut output);
        let expected = [
            "a6",   // map of 6
            "0127", // alg: -8
            "028310190102",
            "3a00011170",   // crit: [16, 258, -70001]
            "04416b",       // kid: 'k'
            "106174",       // typ: "t"
            "1901022f",     // payload-hash-alg: -16
            "3a00011170f5", // position: true
        ];
        assert_eq!(hex(output.as_bytes()), expected.concat());
        output.clear();
        writer.clear().put(1, |value| value.int(-8)).write(&mut output);
        assert_eq!(hex(output.as_bytes()), "a10127");
    }

    /// The same parameters give the same bytes, in whatever order they were put.
    #[test]
    fn crit_stands_in_its_place_whatever_the_order() {
        let expected = "a50127".to_owned()   // alg: -8
            + "02823a000111733a00011174"     // crit: [-70004, -70005]
            + "0443616263"                   // kid: 'abc'
            + "3a0001117301" // sequence
            + "3a0001117402"; // grants
        let put = |writer: &mut HeaderWriter, label: i64| {
            let _ = match label {
                1 => writer.put(1, |value| value.int(-8)),
                4 => writer.put(4, |value| value.bytes(b"abc")),
                -70_004 => writer.put_critical(-70_004, |value| value.int(1)),
                _ => writer.put_critical(-70_005, |value| value.int(2)),
            };
        };
        let (mut writer, mut output) = (HeaderWriter::default(), Encoder::new());
        for labels in [
            [1, 4, -70_004, -70_005],
            [4, -70_004, -70_005, 1],
            [-70_005, -70_004, 4, 1],
            [-70_004, 1, -70_005, 4],
        ] {
            writer.clear();
            labels.iter().for_each(|label| put(&mut writer, *label));
            output.clear();
            writer.write(&mut output);
            assert_eq!(hex(output.as_bytes()), expected, "{labels:?}");
        }
    }
}
