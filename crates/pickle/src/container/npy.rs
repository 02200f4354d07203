//! The header of an array that `numpy.save` wrote.
//!
//! It says whether a pickle follows, or bytes, and how many. NumPy evaluates it as a literal of Python. Only the
//! form that NumPy writes is taken, so that there is one meaning.

use super::fields::LittleEndianFields;
use super::npy_literal::{NpyLiteral, parse};
use crate::rule::PickleRule;

/// What follows a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NpyHeader {
    /// The length of the header.
    pub(super) bytes: usize,
    /// The length of the array, or `None` if it is a pickle.
    pub(super) array_bytes: Option<u64>,
}

impl NpyHeader {
    /// Reads a header.
    ///
    /// # Errors
    ///
    /// [`PickleRule::NpyForm`] if NumPy does not write it so.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, PickleRule> {
        Self::parse(bytes).ok_or(PickleRule::NpyForm)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = LittleEndianFields::at(bytes, MAGIC_BYTES);
        // The version of the format is two bytes.
        let (length, before) = match fields.u16()?.to_le_bytes() {
            [1, 0] => (usize::from(fields.u16()?), 10_usize),
            [2 | 3, 0] => (usize::try_from(fields.u32()?).ok()?, 12),
            _ => return None,
        };
        if length > MAX_HEADER_BYTES {
            return None;
        }
        let text = str::from_utf8(fields.take(length)?).ok()?;
        let NpyLiteral::Dict(items) = parse(text.strip_suffix('\n')?.trim_end_matches(' '))? else {
            return None;
        };
        let value = |name: &str| {
            let found = items.iter().find(|(key, _)| *key == NpyLiteral::Text(name));
            found.map(|(_, value)| value)
        };
        // Three different keys are all there are.
        let (kind, order, shape) = (value("descr")?, value("fortran_order")?, value("shape")?);
        if items.len() != 3 || !matches!(order, NpyLiteral::Bool(_)) {
            return None;
        }
        let count = shape_count(shape)?;
        let array_bytes = match element(kind)? {
            NpyElement::Bytes(size) => Some(count.checked_mul(size)?),
            NpyElement::Object => None,
        };
        Some(Self { bytes: before.checked_add(length)?, array_bytes })
    }
}

/// An element of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NpyElement {
    /// It has this many bytes.
    Bytes(u64),
    /// It holds an object, so the array is pickled.
    Object,
}

impl NpyElement {
    fn and(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Bytes(one), Self::Bytes(two)) => one.checked_add(two).map(Self::Bytes),
            _ => Some(Self::Object),
        }
    }
}

/// Reads a type: a text, or a list of fields, each with a name, a type, and perhaps a shape.
fn element(kind: &NpyLiteral<'_>) -> Option<NpyElement> {
    match kind {
        NpyLiteral::Text(code) => simple(code),
        NpyLiteral::List(fields) => fields.iter().try_fold(NpyElement::Bytes(0), |sum, field| {
            let NpyLiteral::Tuple(parts) = field else { return None };
            let (kind, count) = match parts.as_slice() {
                [name, kind] if is_field_name(name) => (kind, 1),
                [name, kind, shape] if is_field_name(name) => (kind, shape_count(shape)?),
                _ => return None,
            };
            sum.and(match element(kind)? {
                NpyElement::Bytes(size) => NpyElement::Bytes(size.checked_mul(count)?),
                NpyElement::Object => NpyElement::Object,
            })
        }),
        _ => None,
    }
}

/// A name, or a title and a name.
fn is_field_name(name: &NpyLiteral<'_>) -> bool {
    match name {
        NpyLiteral::Text(_) => true,
        NpyLiteral::Tuple(both) => {
            matches!(both.as_slice(), [NpyLiteral::Text(_), NpyLiteral::Text(_)])
        }
        _ => false,
    }
}

/// Reads a type that is a text: a byte order, a letter, and a size.
fn simple(code: &str) -> Option<NpyElement> {
    let code = code.strip_prefix(['<', '>', '|', '=']).unwrap_or(code);
    let (kind, size) = code.split_at_checked(1)?;
    if kind == "O" {
        return (size.is_empty() || size == "8" || size == "4").then_some(NpyElement::Object);
    }
    let size = match (kind, size.split_once('[')) {
        ("M" | "m", Some((size, unit))) => {
            unit.strip_suffix(']').is_some_and(is_unit).then_some(size)?
        }
        _ => size,
    };
    let written = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_digit());
    let size: u64 = written.then(|| size.parse().ok())??;
    let each = match kind {
        "b" | "i" | "u" | "f" | "c" | "S" | "V" | "M" | "m" => 1,
        "U" => 4,
        _ => return None,
    };
    size.checked_mul(each).map(NpyElement::Bytes)
}

fn is_unit(unit: &str) -> bool {
    !unit.is_empty() && unit.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn shape_count(shape: &NpyLiteral<'_>) -> Option<u64> {
    let NpyLiteral::Tuple(lengths) = shape else { return None };
    lengths.iter().try_fold(1_u64, |count, length| match length {
        NpyLiteral::Number(length) => count.checked_mul(*length),
        _ => None,
    })
}

const MAGIC_BYTES: usize = 6;

/// The longest header that NumPy reads by itself is 10,000 bytes.
const MAX_HEADER_BYTES: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Vec<u8> {
        let length = u16::try_from(text.len()).unwrap().to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], text.as_bytes()].concat()
    }

    fn judge(kind: &str, shape: &str) -> Option<Option<u64>> {
        let text = format!("{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}  \n");
        NpyHeader::read(&header(&text)).ok().map(|header| header.array_bytes)
    }

    #[test]
    fn the_length_of_an_array_is_that_of_its_elements_and_objects_are_pickled() {
        for (kind, shape, expected) in [
            ("'<f8'", "(2, 3)", Some(48)),
            ("'|b1'", "()", Some(1)),
            ("'<U3'", "(2,)", Some(24)),
            ("'<M8[ns]'", "(1,)", Some(8)),
            ("'<f8'", "(0, 9223372036854775807)", Some(0)),
            ("[('a', '<i4'), ('b', '<f8', (2,))]", "(2,)", Some(40)),
            ("[(('title', 'a'), [('x', '|S3')])]", "(2,)", Some(6)),
            ("[]", "(2,)", Some(0)),
            ("'|O'", "(2,)", None),
            ("[('a', '<i4'), ('b', '|O')]", "(2,)", None),
            ("[('a', [('b', '|O', (0,))])]", "(2,)", None),
        ] {
            assert_eq!(judge(kind, shape), Some(expected), "{kind} {shape}");
        }
    }

    #[test]
    fn a_header_that_numpy_does_not_write_so_is_refused() {
        for (kind, shape) in [
            ("'f8,O'", "(2,)"),
            ("'object'", "(2,)"),
            ("'<f8' 'x'", "(2,)"),
            ("'<f8', 'descr': '|O'", "(2,)"),
            ("'\\x7cO'", "(2,)"),
            ("'<f8'", "(-1,)"),
            ("'<f8'", "(4294967296, 4294967296)"),
            ("'<f8'", "[2]"),
            ("'<f'", "(2,)"),
            ("{'names': ['a'], 'formats': ['O']}", "(2,)"),
            ("('O', (2,))", "(2,)"),
            ("[('a', 'O', 2)]", "(2,)"),
            ("'O' # '<f8'", "(2,)"),
        ] {
            assert_eq!(judge(kind, shape), None, "{kind} {shape}");
        }
        let good = header("{'descr': '<f8', 'fortran_order': False, 'shape': (), }\n");
        assert!(NpyHeader::read(&good).is_ok());
        for length in 0..good.len() {
            assert_eq!(NpyHeader::read(&good[..length]), Err(PickleRule::NpyForm), "{length}");
        }
    }
}
