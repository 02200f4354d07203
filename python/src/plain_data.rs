//! Plain data as CBOR (RFC 8949): what results of Python jobs are written in.
//!
//! Each value has one type in both, so nothing that is read back is of another type, and reading imports nothing. Items
//! are in their shortest form, floats in 64 bits, and maps in the order of their dictionaries.

use brine_core::cbor::{Encoder, Head, Major};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString};

use crate::buffer::Frozen;

/// How deep lists and dictionaries may be nested. A job's output may be nested 64 deep, and has some around them.
const MAX_DEPTH: usize = 48;

/// How many keys all dictionaries may have together. A job's output may have more open at one time.
const MAX_KEYS: usize = 0x2_0000;

/// How much is written, in bytes: no message holds more.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Write a value as CBOR. Return `None` if it is not plain data, or there is too much of it.
///
/// Plain data are `None`, `bool`, `int`, `float`, `str`, `bytes`, `list` and `dict`, and no subclass of one. Keys of a
/// `dict` are `str`, `int` of up to 64 bits, `bool`, `bytes` or `None`.
#[pyfunction]
pub(crate) fn cbor_encode<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let mut writer = Writer { encoder: Encoder::new(), keys: 0 };
    let is_plain = writer.value(value, 0)?;
    Ok(is_plain.then(|| PyBytes::new(value.py(), &writer.encoder.into_bytes())))
}

/// Read what `cbor_encode` writes. Raise `ValueError` for anything else.
#[pyfunction]
pub(crate) fn cbor_decode(py: Python<'_>, data: Frozen) -> PyResult<Bound<'_, PyAny>> {
    let mut reader = Reader { input: &data };
    let value = reader.value(py, 0)?;
    match reader.input {
        [] => Ok(value),
        _ => Err(malformed("something follows its end")),
    }
}

struct Writer {
    encoder: Encoder,
    keys: usize,
}

impl Writer {
    /// Writes a value, and returns whether it could be.
    fn value(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<bool> {
        if self.encoder.as_bytes().len() > MAX_BYTES || depth > MAX_DEPTH {
            return Ok(false);
        }
        if value.is_none() {
            self.encoder.nil();
        } else if let Ok(value) = value.cast_exact::<PyBool>() {
            self.encoder.bool(value.is_true());
        } else if let Ok(value) = value.cast_exact::<PyInt>() {
            return self.int(value);
        } else if let Ok(value) = value.cast_exact::<PyFloat>() {
            let [a, b, c, d, e, f, g, h] = value.value().to_bits().to_be_bytes();
            self.encoder.raw(&[FLOAT, a, b, c, d, e, f, g, h]);
        } else if let Ok(value) = value.cast_exact::<PyBytes>() {
            let bytes = value.as_bytes();
            if bytes.len() > MAX_BYTES {
                return Ok(false);
            }
            self.encoder.bytes(bytes);
        } else if let Ok(value) = value.cast_exact::<PyString>() {
            // Half a character has no form in UTF-8.
            let Ok(text) = value.to_str() else { return Ok(false) };
            if text.len() > MAX_BYTES {
                return Ok(false);
            }
            self.encoder.text(text);
        } else if let Ok(value) = value.cast_exact::<PyList>() {
            let items: Vec<_> = value.iter().collect();
            self.encoder.array(count(items.len()));
            for item in items {
                if !self.value(&item, depth.saturating_add(1))? {
                    return Ok(false);
                }
            }
        } else if let Ok(value) = value.cast_exact::<PyDict>() {
            return self.dict(value, depth);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn dict(&mut self, value: &Bound<'_, PyDict>, depth: usize) -> PyResult<bool> {
        let items: Vec<_> = value.iter().collect();
        self.keys = self.keys.saturating_add(items.len());
        if self.keys > MAX_KEYS {
            return Ok(false);
        }
        self.encoder.map(count(items.len()));
        for (key, item) in items {
            let inner = depth.saturating_add(1);
            if !is_key(&key)? || !self.value(&key, inner)? || !self.value(&item, inner)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes an integer: in up to 64 bits, or as a bignum (RFC 8949, Section 3.4.3).
    fn int(&mut self, value: &Bound<'_, PyInt>) -> PyResult<bool> {
        let is_negative = value.lt(0)?;
        let magnitude =
            if is_negative { value.call_method0("__invert__")? } else { value.clone().into_any() };
        if let Ok(argument) = magnitude.extract::<u64>() {
            if !is_negative {
                self.encoder.uint(argument);
            } else if let Ok(argument) = i64::try_from(argument) {
                self.encoder.int(!argument);
            } else {
                self.encoder.raw(&[Major::Negative.bits() | 27]).raw(&argument.to_be_bytes());
            }
            return Ok(true);
        }
        let bits: usize = magnitude.call_method0("bit_length")?.extract()?;
        let length = bits.div_ceil(8);
        if length > MAX_BYTES {
            return Ok(false);
        }
        let bytes = magnitude.call_method1("to_bytes", (length, "big"))?;
        self.encoder.tag(if is_negative { NEGATIVE_BIGNUM } else { BIGNUM });
        self.encoder.bytes(bytes.cast::<PyBytes>()?.as_bytes());
        Ok(true)
    }
}

/// Returns whether a value can be a key. Integers beyond 64 bits are none: any number of them can have one hash.
fn is_key(key: &Bound<'_, PyAny>) -> PyResult<bool> {
    if key.cast_exact::<PyInt>().is_ok() {
        return Ok(key.call_method0("bit_length")?.extract::<usize>()? <= 64);
    }
    Ok(key.is_none()
        || key.cast_exact::<PyBool>().is_ok()
        || key.cast_exact::<PyString>().is_ok()
        || key.cast_exact::<PyBytes>().is_ok())
}

struct Reader<'a> {
    input: &'a [u8],
}

impl<'a> Reader<'a> {
    fn value<'py>(&mut self, py: Python<'py>, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        if depth > MAX_DEPTH {
            return Err(malformed("it is nested too deep"));
        }
        let head = self.head()?;
        match (head.major, head.info) {
            (Major::Unsigned, _) => Ok(head.argument.into_pyobject(py)?.into_any()),
            (Major::Negative, _) => head.argument.into_pyobject(py)?.call_method0("__invert__"),
            (Major::Bytes, _) => Ok(PyBytes::new(py, self.take(head.argument)?).into_any()),
            (Major::Text, _) => Ok(PyString::new(py, self.text(head.argument)?).into_any()),
            (Major::Array, _) => self.list(py, head.argument, depth),
            (Major::Map, _) => self.dict(py, head.argument, depth),
            (Major::Tag, _) => self.bignum(py, head.argument),
            (Major::Simple, 20) => Ok(PyBool::new(py, false).to_owned().into_any()),
            (Major::Simple, 21) => Ok(PyBool::new(py, true).to_owned().into_any()),
            (Major::Simple, 22) => Ok(py.None().into_bound(py)),
            (Major::Simple, 27) => Ok(PyFloat::new(py, f64::from_bits(head.argument)).into_any()),
            (Major::Simple, _) => Err(malformed("it has a value that is no plain data")),
        }
    }

    fn list<'py>(
        &mut self,
        py: Python<'py>,
        items: u64,
        depth: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.refuse_more_than_is_there(items)?;
        let list = PyList::empty(py);
        for _ in 0..items {
            list.append(self.value(py, depth.saturating_add(1))?)?;
        }
        Ok(list.into_any())
    }

    fn dict<'py>(
        &mut self,
        py: Python<'py>,
        pairs: u64,
        depth: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.refuse_more_than_is_there(pairs)?;
        let dict = PyDict::new(py);
        for number in 1..=pairs {
            let key = self.value(py, depth.saturating_add(1))?;
            if !is_key(&key)? {
                return Err(malformed("a key is of a type that keys do not have"));
            }
            dict.set_item(key, self.value(py, depth.saturating_add(1))?)?;
            // Keys that are equal in Python need not be in CBOR, such as 1 and true.
            if count(dict.len()) != number {
                return Err(malformed("a key stands in it twice"));
            }
        }
        Ok(dict.into_any())
    }

    fn bignum<'py>(&mut self, py: Python<'py>, tag: u64) -> PyResult<Bound<'py, PyAny>> {
        if tag != BIGNUM && tag != NEGATIVE_BIGNUM {
            return Err(malformed("it has a tag that is no plain data"));
        }
        let head = self.head()?;
        if head.major != Major::Bytes {
            return Err(malformed("a large number has no digits"));
        }
        let bytes = self.take(head.argument)?;
        // One that is shorter has another form.
        if bytes.len() <= 8 || bytes.first() == Some(&0) {
            return Err(malformed("a number is not written in its shortest form"));
        }
        let magnitude =
            py.get_type::<PyInt>().call_method1("from_bytes", (PyBytes::new(py, bytes), "big"))?;
        if tag == BIGNUM { Ok(magnitude) } else { magnitude.call_method0("__invert__") }
    }

    fn head(&mut self) -> PyResult<Head> {
        let head = Head::read_strict(self.input).map_err(|error| malformed(&error.to_string()))?;
        self.input = self.input.get(head.size..).unwrap_or_default();
        Ok(head)
    }

    fn take(&mut self, length: u64) -> PyResult<&'a [u8]> {
        let split =
            usize::try_from(length).ok().and_then(|length| self.input.split_at_checked(length));
        let (bytes, rest) = split.ok_or_else(|| malformed("it is cut short"))?;
        self.input = rest;
        Ok(bytes)
    }

    fn text(&mut self, length: u64) -> PyResult<&'a str> {
        std::str::from_utf8(self.take(length)?).map_err(|_| malformed("a text is not UTF-8"))
    }

    /// Each item takes a byte at least.
    fn refuse_more_than_is_there(&self, items: u64) -> PyResult<()> {
        if items > count(self.input.len()) { Err(malformed("it is cut short")) } else { Ok(()) }
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn malformed(what: &str) -> PyErr {
    PyValueError::new_err(what.to_owned())
}

/// The initial byte of a float of 64 bits.
const FLOAT: u8 = Major::Simple.bits() | 27;

/// The tags of integers beyond 64 bits.
const BIGNUM: u64 = 2;
const NEGATIVE_BIGNUM: u64 = 3;
