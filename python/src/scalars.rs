//! Values without parts as CBOR (RFC 8949), and back: what results of jobs and messages of powers have in common.

use brine_core::cbor::{Encoder, Head, Major};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyInt, PyString};

/// The most that is written, in bytes.
pub(crate) struct Bounds {
    /// Of a text, or of bytes.
    pub(crate) string: usize,
    /// Of an integer.
    pub(crate) integer: usize,
}

/// What became of a value.
pub(crate) enum Scalar {
    Written,
    /// It is a tag, and what that is of: an integer beyond 64 bits.
    WrittenWithTag,
    /// It is not written, for this reason.
    Refused(&'static str),
    /// It is of another type, and may have parts.
    Other,
}

/// Writes a value of a type that has no parts. A subclass is another type.
pub(crate) fn write(
    encoder: &mut Encoder,
    value: &Bound<'_, PyAny>,
    bounds: &Bounds,
) -> PyResult<Scalar> {
    if let Ok(value) = value.cast_exact::<PyString>() {
        let Ok(text) = value.to_str() else {
            return Ok(Scalar::Refused("a text has half a character"));
        };
        if text.len() > bounds.string {
            return Ok(Scalar::Refused("a text is too long"));
        }
        encoder.text(text);
    } else if let Ok(value) = value.cast_exact::<PyInt>() {
        return write_int(encoder, value, bounds.integer);
    } else if value.is_none() {
        encoder.nil();
    } else if let Ok(value) = value.cast_exact::<PyBool>() {
        encoder.bool(value.is_true());
    } else if let Ok(value) = value.cast_exact::<PyFloat>() {
        encoder.raw(&[FLOAT]).raw(&value.value().to_bits().to_be_bytes());
    } else if let Ok(value) = value.cast_exact::<PyBytes>() {
        let bytes = value.as_bytes();
        if bytes.len() > bounds.string {
            return Ok(Scalar::Refused("bytes are too many"));
        }
        encoder.bytes(bytes);
    } else {
        return Ok(Scalar::Other);
    }
    Ok(Scalar::Written)
}

/// Writes an integer: in up to 64 bits, or as a bignum (RFC 8949, Section 3.4.3).
fn write_int(
    encoder: &mut Encoder,
    value: &Bound<'_, PyInt>,
    most_bytes: usize,
) -> PyResult<Scalar> {
    if let Ok(small) = value.extract::<i64>() {
        encoder.int(small);
        return Ok(Scalar::Written);
    }
    let is_negative = value.lt(0)?;
    let magnitude =
        if is_negative { value.call_method0("__invert__")? } else { value.clone().into_any() };
    if let Ok(argument) = magnitude.extract::<u64>() {
        let major = if is_negative { Major::Negative } else { Major::Unsigned };
        encoder.raw(&[major.bits() | 27]).raw(&argument.to_be_bytes());
        return Ok(Scalar::Written);
    }
    let bits: usize = magnitude.call_method0("bit_length")?.extract()?;
    let length = bits.div_ceil(8);
    if length > most_bytes {
        return Ok(Scalar::Refused("an integer is too large"));
    }
    let bytes = magnitude.call_method1("to_bytes", (length, "big"))?;
    encoder.tag(if is_negative { NEGATIVE_BIGNUM } else { BIGNUM });
    encoder.bytes(bytes.cast::<PyBytes>()?.as_bytes());
    Ok(Scalar::WrittenWithTag)
}

/// What is read, up to its end.
pub(crate) struct Input<'a> {
    rest: &'a [u8],
    /// Whether heads must be in their shortest form.
    is_strict: bool,
    /// Makes the exception for bytes that are refused.
    pub(crate) malformed: fn(&str) -> PyErr,
}

impl<'a> Input<'a> {
    /// Reads heads in their shortest form alone.
    pub(crate) const fn strict(rest: &'a [u8], malformed: fn(&str) -> PyErr) -> Self {
        Self { rest, is_strict: true, malformed }
    }

    /// Reads heads of any length.
    pub(crate) const fn lenient(rest: &'a [u8], malformed: fn(&str) -> PyErr) -> Self {
        Self { rest, is_strict: false, malformed }
    }

    /// Demands that nothing is left.
    pub(crate) fn finish(&self) -> PyResult<()> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err((self.malformed)("something follows its end"))
        }
    }

    /// Reads a head whose length is given.
    pub(crate) fn head(&mut self) -> PyResult<Head> {
        let read =
            if self.is_strict { Head::read_strict(self.rest) } else { Head::read(self.rest) };
        let head = read.map_err(|error| (self.malformed)(&error.to_string()))?;
        if head.is_indefinite() {
            return Err((self.malformed)("a length is left open"));
        }
        self.rest = self.rest.get(head.size..).unwrap_or_default();
        Ok(head)
    }

    /// Reads what a head announces, if that has no parts.
    pub(crate) fn scalar<'py>(
        &mut self,
        py: Python<'py>,
        head: &Head,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let value = match (head.major, head.info) {
            (Major::Unsigned, _) => head.argument.into_pyobject(py)?.into_any(),
            (Major::Negative, _) => match i64::try_from(head.argument) {
                Ok(argument) => (!argument).into_pyobject(py)?.into_any(),
                Err(_) => head.argument.into_pyobject(py)?.call_method0("__invert__")?,
            },
            (Major::Bytes, _) => PyBytes::new(py, self.take(head.argument)?).into_any(),
            (Major::Text, _) => PyString::new(py, self.text(head.argument)?).into_any(),
            (Major::Simple, 20) => PyBool::new(py, false).to_owned().into_any(),
            (Major::Simple, 21) => PyBool::new(py, true).to_owned().into_any(),
            (Major::Simple, 22) => py.None().into_bound(py),
            (Major::Simple, 27) => PyFloat::new(py, f64::from_bits(head.argument)).into_any(),
            _ => return Ok(None),
        };
        Ok(Some(value))
    }

    /// Refuses more items than there can be: each takes a byte at least.
    pub(crate) fn refuse_more_than_is_there(&self, items: u64) -> PyResult<()> {
        let is_there = usize::try_from(items).is_ok_and(|items| items <= self.rest.len());
        if is_there { Ok(()) } else { Err((self.malformed)("it is cut short")) }
    }

    /// Reads so many bytes.
    pub(crate) fn take(&mut self, length: u64) -> PyResult<&'a [u8]> {
        let split =
            usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        let (bytes, rest) = split.ok_or_else(|| (self.malformed)("it is cut short"))?;
        self.rest = rest;
        Ok(bytes)
    }

    fn text(&mut self, length: u64) -> PyResult<&'a str> {
        let text = std::str::from_utf8(self.take(length)?);
        text.map_err(|_| (self.malformed)("a text is not UTF-8"))
    }
}

/// Makes the integer of a bignum.
pub(crate) fn of_bignum<'py>(
    py: Python<'py>,
    tag: u64,
    bytes: &[u8],
) -> PyResult<Bound<'py, PyAny>> {
    let magnitude =
        py.get_type::<PyInt>().call_method1("from_bytes", (PyBytes::new(py, bytes), "big"))?;
    if tag == BIGNUM { Ok(magnitude) } else { magnitude.call_method0("__invert__") }
}

/// The initial byte of a float of 64 bits.
const FLOAT: u8 = Major::Simple.bits() | 27;

/// The tags of integers beyond 64 bits.
pub(crate) const BIGNUM: u64 = 2;
pub(crate) const NEGATIVE_BIGNUM: u64 = 3;
