//! Messages between a host and its guest (SPEC.md, *Powers*), as the host reads and writes them.
//!
//! `brine._guest.cbor` does the same for the guest, in Python alone. A host does not believe its guest, so everything
//! here has a bound: depth, values, bytes, and keys that share a hash.

use std::collections::HashMap;

use brine_core::cbor::{Encoder, Major};
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple,
};

use crate::buffer::Frozen;
use crate::scalars::{self, BIGNUM, Bounds, Input, NEGATIVE_BIGNUM, Scalar};

pyo3::import_exception!(brine._guest.cbor, MalformedError);
pyo3::import_exception!(brine._guest.cbor, NotPlainError);

const MAX_DEPTH: usize = 32;
const MAX_MESSAGE_BYTES: usize = 1 << 20;
const MAX_VALUES: usize = 1 << 17;
const MAX_BIG_INTEGER_BYTES: usize = 1024;
const MAX_SAME_HASH: usize = 16;
const MAX_NUMBER_KEYS: usize = 1024;

const BOUNDS: Bounds = Bounds { string: MAX_MESSAGE_BYTES, integer: MAX_BIG_INTEGER_BYTES };

/// The tag of a serialised object, as an array of the name of its type and its parts.
const OBJECT: u64 = 27;

/// Write a message. `other` returns the parts of a value that is no data, or raises `NotPlainError`.
#[pyfunction]
pub(crate) fn power_message_encode<'py>(
    value: &Bound<'py, PyAny>,
    other: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut writer = Writer { encoder: Encoder::new(), other, values: 0 };
    writer.value(value, 0)?;
    Ok(PyBytes::new(value.py(), writer.encoder.as_bytes()))
}

/// Read a message. `other` makes what is no data of its parts, or raises `MalformedError`.
#[pyfunction]
pub(crate) fn power_message_decode<'py>(
    data: Frozen,
    other: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut reader = Reader {
        input: Input::lenient(&data, malformed),
        other,
        values_left: count(MAX_VALUES - 1),
    };
    let value = reader.value(0)?;
    reader.input.finish()?;
    Ok(value)
}

struct Writer<'a, 'py> {
    encoder: Encoder,
    other: &'a Bound<'py, PyAny>,
    values: usize,
}

impl<'py> Writer<'_, 'py> {
    fn value(&mut self, value: &Bound<'py, PyAny>, depth: usize) -> PyResult<()> {
        self.count()?;
        if self.encoder.as_bytes().len() > MAX_MESSAGE_BYTES {
            return Err(NotPlainError::new_err(format!(
                "a message is larger than {MAX_MESSAGE_BYTES} bytes"
            )));
        }
        let written = scalars::write(&mut self.encoder, value, &BOUNDS)?;
        match written {
            Scalar::Written => Ok(()),
            Scalar::Refused(why) => Err(NotPlainError::new_err(why)),
            Scalar::WrittenWithTag | Scalar::Other if depth >= MAX_DEPTH => {
                Err(NotPlainError::new_err(format!("it is nested more than {MAX_DEPTH} deep")))
            }
            Scalar::WrittenWithTag => self.count(),
            Scalar::Other => self.parts(value, depth.saturating_add(1)),
        }
    }

    fn count(&mut self) -> PyResult<()> {
        self.values = self.values.saturating_add(1);
        if self.values > MAX_VALUES {
            let why = format!("a message has more than {MAX_VALUES} values");
            return Err(NotPlainError::new_err(why));
        }
        Ok(())
    }

    /// Writes a value that may have parts, which are so deep.
    fn parts(&mut self, value: &Bound<'py, PyAny>, depth: usize) -> PyResult<()> {
        if let Ok(list) = value.cast_exact::<PyList>() {
            let items: Vec<_> = list.iter().collect();
            self.encoder.array(count(items.len()));
            return items.iter().try_for_each(|item| self.value(item, depth));
        }
        if let Ok(dict) = value.cast_exact::<PyDict>() {
            let items: Vec<_> = dict.iter().collect();
            judge(items.iter().map(|(key, _)| key), NotPlainError::new_err)?;
            self.encoder.map(count(items.len()));
            return items.iter().try_for_each(|(key, item)| {
                self.value(key, depth)?;
                self.value(item, depth)
            });
        }
        let parts = match self.of_data(value)? {
            Some(parts) => parts.into_any(),
            None => self.other.call1((value,))?,
        };
        self.encoder.tag(OBJECT);
        self.value(&parts, depth)
    }

    /// Returns the parts of data that CBOR has no type for.
    fn of_data(&self, value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyList>>> {
        let (name, items): (_, Vec<_>) = if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            (TUPLE, tuple.iter().collect())
        } else if let Ok(set) = value.cast_exact::<PySet>() {
            (SET, set.iter().collect())
        } else if let Ok(set) = value.cast_exact::<PyFrozenSet>() {
            (FROZENSET, set.iter().collect())
        } else {
            return Ok(None);
        };
        if name != TUPLE {
            judge(items.iter(), NotPlainError::new_err)?;
        }
        let name = PyString::new(value.py(), name).into_any();
        PyList::new(value.py(), [vec![name], items].concat()).map(Some)
    }
}

struct Reader<'a, 'py> {
    input: Input<'a>,
    other: &'a Bound<'py, PyAny>,
    values_left: u64,
}

impl<'py> Reader<'_, 'py> {
    fn value(&mut self, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let py = self.other.py();
        let head = self.input.head()?;
        if let Some(value) = self.input.scalar(py, &head)? {
            return Ok(value);
        }
        if head.major != Major::Simple && depth >= MAX_DEPTH {
            return Err(malformed("a message is nested too deeply"));
        }
        let inner = depth.saturating_add(1);
        match (head.major, head.info) {
            (Major::Array, _) => Ok(PyList::new(py, self.items(head.argument, inner)?)?.into_any()),
            (Major::Map, _) => self.map(head.argument, inner),
            (Major::Tag, _) => self.tagged(head.argument, inner),
            (Major::Simple, _) => {
                let float =
                    head.float().ok_or_else(|| malformed("a value is none that is known"))?;
                Ok(PyFloat::new(py, float).into_any())
            }
            _ => Err(malformed("a value is none that is known")),
        }
    }

    /// Counts the values that a head announces, before any is made.
    fn announced(&mut self, values: u64) -> PyResult<()> {
        self.input.refuse_more_than_is_there(values)?;
        self.values_left = self
            .values_left
            .checked_sub(values)
            .ok_or_else(|| malformed("a message has too many values"))?;
        Ok(())
    }

    fn items(&mut self, count: u64, depth: usize) -> PyResult<Vec<Bound<'py, PyAny>>> {
        self.announced(count)?;
        (0..count).map(|_| self.value(depth)).collect()
    }

    fn map(&mut self, pairs: u64, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        self.announced(pairs.saturating_mul(2))?;
        let read: PyResult<Vec<_>> =
            (0..pairs).map(|_| Ok((self.value(depth)?, self.value(depth)?))).collect();
        let items = read?;
        judge(items.iter().map(|(key, _)| key), MalformedError::new_err)?;
        let found = PyDict::new(self.other.py());
        for (key, item) in &items {
            found.set_item(key, item)?;
        }
        // Keys that are equal in Python need not be in CBOR, such as 1 and true.
        if found.len() == items.len() {
            Ok(found.into_any())
        } else {
            Err(malformed("a map has a key twice"))
        }
    }

    /// Reads what a tag is of: digits, or an array. What another tag makes is neither, whatever it is for the host.
    fn tagged(&mut self, tag: u64, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        self.announced(1)?;
        let head = self.input.head()?;
        match (tag, head.major) {
            (BIGNUM | NEGATIVE_BIGNUM, Major::Bytes) => {
                let digits = self.input.take(head.argument)?;
                if digits.len() > MAX_BIG_INTEGER_BYTES {
                    return Err(malformed("an integer is too large"));
                }
                scalars::of_bignum(self.other.py(), tag, digits)
            }
            (OBJECT, Major::Array) if depth < MAX_DEPTH => {
                let parts = self.items(head.argument, depth.saturating_add(1))?;
                self.object(parts)
            }
            (OBJECT, Major::Array) => Err(malformed("a message is nested too deeply")),
            _ => Err(malformed("a tag is none that is known")),
        }
    }

    fn object(&self, parts: Vec<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        let name = parts.first().and_then(|name| name.cast_exact::<PyString>().ok());
        let name = name.ok_or_else(|| malformed("an object has no name"))?.clone();
        let py = self.other.py();
        let items = || parts.iter().skip(1);
        let judged = || judge(items(), MalformedError::new_err);
        match name.to_str()? {
            TUPLE => Ok(PyTuple::new(py, items().collect::<Vec<_>>())?.into_any()),
            SET => judged().and_then(|()| Ok(PySet::new(py, items())?.into_any())),
            FROZENSET => judged().and_then(|()| Ok(PyFrozenSet::new(py, items())?.into_any())),
            _ => self.other.call1((PyList::new(py, parts)?,)),
        }
    }
}

/// Holds keys, and what is in a set, to what they may be: plain data that are found quickly.
///
/// Who knows how a dictionary looks for numbers can choose such as it finds slowly: some that share a hash, or many that it
/// looks for in the same places. What text and bytes are looked for by is drawn anew by each process.
fn judge<'k, 'py: 'k>(
    keys: impl ExactSizeIterator<Item = &'k Bound<'py, PyAny>>,
    refusal: fn(&'static str) -> PyErr,
) -> PyResult<()> {
    let is_counted = keys.len() > MAX_SAME_HASH;
    let mut counts = HashMap::new();
    for key in keys {
        if !is_plain_key(key) {
            return Err(refusal("a key, or what is in a set, is none that can be"));
        }
        let is_drawn = key.cast_exact::<PyString>().is_ok() || key.cast_exact::<PyBytes>().is_ok();
        if !is_counted || is_drawn {
            continue;
        }
        let same = counts.entry(key.hash()?).or_insert(0_usize);
        *same = same.saturating_add(1);
        if *same > MAX_SAME_HASH || counts.len() > MAX_NUMBER_KEYS {
            return Err(refusal(
                "keys are too many that are neither text nor bytes, or too many are alike",
            ));
        }
    }
    Ok(())
}

fn is_plain_key(key: &Bound<'_, PyAny>) -> bool {
    if let Ok(tuple) = key.cast_exact::<PyTuple>() {
        return tuple.iter().all(|item| is_plain_key(&item));
    }
    if let Ok(set) = key.cast_exact::<PyFrozenSet>() {
        return set.iter().all(|item| is_plain_key(&item));
    }
    key.is_none()
        || key.cast_exact::<PyString>().is_ok()
        || key.cast_exact::<PyInt>().is_ok()
        || key.cast_exact::<PyBool>().is_ok()
        || key.cast_exact::<PyBytes>().is_ok()
        || key.cast_exact::<PyFloat>().is_ok()
}

const TUPLE: &str = "tuple";
const SET: &str = "set";
const FROZENSET: &str = "frozenset";

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn malformed(what: &str) -> PyErr {
    MalformedError::new_err(what.to_owned())
}
