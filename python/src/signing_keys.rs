//! One key that signs, or several that sign together.

use std::sync::Arc;

use brine_core::{
    Content, Error, FormError, MAX_ARMORED_BYTES, Needed, SigningBackend, Statement, sign,
    sign_together,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PySequence, PyString};

use crate::failure::{Failure, Result};
use crate::key::{Key, KeyName, wrong_type};

/// A private key, or what names one.
pub(crate) enum KeyArgument {
    Key(Key),
    Name(KeyName),
}

impl<'a, 'py> FromPyObject<'a, 'py> for KeyArgument {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(key) = object.cast::<Key>() {
            return Ok(Self::Key(key.get().clone()));
        }
        match object.extract::<KeyName>() {
            Err(error) if error.is_instance_of::<PyTypeError>(object.py()) => {
                Err(wrong_type("a private Key, the name of one or a path", object))
            }
            name => name.map(Self::Name),
        }
    }
}

impl KeyArgument {
    fn open(self, py: Python<'_>) -> PyResult<Key> {
        match self {
            Self::Key(key) => Ok(key),
            Self::Name(name) => Key::load(py, name, None, false),
        }
    }
}

/// Private keys, or what names them: one, or a sequence of them.
pub(crate) struct KeyArguments(Vec<KeyArgument>);

impl<'a, 'py> FromPyObject<'a, 'py> for KeyArguments {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let is_text = object.is_instance_of::<PyString>() || object.is_instance_of::<PyBytes>();
        match object.cast::<PySequence>() {
            Ok(several) if !is_text => {
                let several: PyResult<Vec<_>> =
                    several.try_iter()?.map(|one| one?.extract()).collect();
                Ok(Self(several?))
            }
            _ => Ok(Self(vec![object.extract()?])),
        }
    }
}

/// The keys of a signer, at least one, in the order in which they were given.
#[derive(Debug)]
pub(crate) struct SigningKeys {
    first: Key,
    others: Vec<Key>,
}

impl SigningKeys {
    /// Opens keys, by default the key called `default`.
    pub(crate) fn open(py: Python<'_>, given: Option<KeyArguments>) -> PyResult<Self> {
        let given =
            given.map_or_else(|| vec![KeyArgument::Name(KeyName::default())], |keys| keys.0);
        let keys: PyResult<Vec<_>> = given.into_iter().map(|key| key.open(py)).collect();
        let mut keys = keys?.into_iter();
        let first = keys.next().ok_or_else(|| Failure::usage(NO_KEY))?;
        Ok(Self { first, others: keys.collect() })
    }

    pub(crate) const fn first(&self) -> &Key {
        &self.first
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.first).chain(&self.others)
    }

    pub(crate) const fn are_several(&self) -> bool {
        !self.others.is_empty()
    }

    /// Returns the key if it is one, which signs `what`.
    pub(crate) fn only(&self, what: &str) -> Result<&Arc<dyn SigningBackend>> {
        match self.others.len() {
            0 => Ok(self.first.signer()),
            more => {
                let count = more.saturating_add(1);
                let why = format!("key: {what} is signed with one key, and not with {count}");
                Err(Failure::usage(&why))
            }
        }
    }

    /// Signs content, and returns the envelope: with the bytes in it, or with their digest.
    pub(crate) fn seal(&self, statement: &Statement, content: Content<'_>) -> Result<Vec<u8>> {
        if !self.are_several() {
            return Ok(sign(statement, self.first.signer().as_ref(), content)?.to_bytes());
        }
        if let Content::Bytes(bytes) = content
            && u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_ARMORED_BYTES)
        {
            return Err(Error::from(FormError::TooLarge { limit: MAX_ARMORED_BYTES }).into());
        }
        let keys: Vec<_> = self.all().map(|key| key.signer().as_ref()).collect();
        Ok(sign_together(statement, &keys, content, Needed::Any)?)
    }
}

const NO_KEY: &str = "key: expected a key, or several";
