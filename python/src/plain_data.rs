//! Plain data as CBOR (RFC 8949): what results of Python jobs are written in.
//!
//! Each value has one type in both, so nothing that is read back is of another type, and reading imports nothing. Items
//! are in their shortest form, floats in 64 bits, and maps in the order of their dictionaries.

use brine_core::cbor::{Encoder, Major};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyInt, PyList, PyString};

use crate::buffer::Frozen;
use crate::scalars::{self, BIGNUM, Bounds, Input, NEGATIVE_BIGNUM, Scalar};

/// How deep lists and dictionaries may be nested. A job's output may be nested 64 deep, and has some around them.
const MAX_DEPTH: usize = 48;

/// How many keys all dictionaries may have together. A job's output may have more open at one time.
const MAX_KEYS: usize = 0x2_0000;

/// How much is written, in bytes: no message holds more.
const MAX_BYTES: usize = 16 * 1024 * 1024;

const BOUNDS: Bounds = Bounds { string: MAX_BYTES, integer: MAX_BYTES };

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
    let mut reader = Reader { input: Input::strict(&data, malformed) };
    let value = reader.value(py, 0)?;
    reader.input.finish()?;
    Ok(value)
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
        match scalars::write(&mut self.encoder, value, &BOUNDS)? {
            Scalar::Written | Scalar::WrittenWithTag => return Ok(true),
            Scalar::Refused(_) => return Ok(false),
            Scalar::Other => {}
        }
        if let Ok(value) = value.cast_exact::<PyList>() {
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
    input: Input<'a>,
}

impl Reader<'_> {
    fn value<'py>(&mut self, py: Python<'py>, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        if depth > MAX_DEPTH {
            return Err(malformed("it is nested too deep"));
        }
        let head = self.input.head()?;
        if let Some(value) = self.input.scalar(py, &head)? {
            return Ok(value);
        }
        match head.major {
            Major::Array => self.list(py, head.argument, depth),
            Major::Map => self.dict(py, head.argument, depth),
            Major::Tag => self.bignum(py, head.argument),
            _ => Err(malformed("it has a value that is no plain data")),
        }
    }

    fn list<'py>(
        &mut self,
        py: Python<'py>,
        items: u64,
        depth: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.input.refuse_more_than_is_there(items)?;
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
        self.input.refuse_more_than_is_there(pairs)?;
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
        let head = self.input.head()?;
        if head.major != Major::Bytes {
            return Err(malformed("a large number has no digits"));
        }
        let bytes = self.input.take(head.argument)?;
        // One that is shorter has another form.
        if bytes.len() <= 8 || bytes.first() == Some(&0) {
            return Err(malformed("a number is not written in its shortest form"));
        }
        scalars::of_bignum(py, tag, bytes)
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn malformed(what: &str) -> PyErr {
    PyValueError::new_err(what.to_owned())
}
