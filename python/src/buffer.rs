//! Bytes that nobody can change while they are hashed or signed.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyMemoryView, PyString};

use crate::calling::calling;
use crate::fork::detached;

/// The bytes of a Python object, which stay as they are while the interpreter is let go.
///
/// Ed25519 reads what it signs twice, and two readings that differ can give the secret key away. `bytes` never change, and
/// are used where they are. Whatever else has bytes, of any shape, is copied first.
pub(crate) struct Frozen(PyBackedBytes);

impl std::ops::Deref for Frozen {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Frozen {
    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        Self(self.0.clone_ref(py))
    }

    /// Returns them as Python has them, without a copy.
    pub(crate) fn into_object(self, py: Python<'_>) -> PyResult<Py<PyBytes>> {
        Ok(self.0.into_pyobject(py)?.cast_into::<PyBytes>()?.unbind())
    }
}

impl AsRef<[u8]> for Frozen {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Makes `bytes` of a length, which `fill` writes without the interpreter where they are many.
///
/// There is no copy of them elsewhere, and too little memory is an exception.
pub(crate) fn bytes_filled(
    py: Python<'_>,
    length: usize,
    fill: impl FnOnce(&mut [u8]) + Send,
) -> PyResult<Bound<'_, PyBytes>> {
    PyBytes::new_with(py, length, |room| {
        if length < DETACHED_BYTES {
            fill(room);
        } else {
            detached(py, || fill(room));
        }
        Ok(())
    })
}

/// Below this length, in bytes, a copy is faster than letting the interpreter go.
const DETACHED_BYTES: usize = 1 << 20;

impl<'a, 'py> FromPyObject<'a, 'py> for Frozen {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast_exact::<PyBytes>() {
            return Ok(Self(bytes.extract()?));
        }
        if object.is_instance_of::<PyString>() {
            return Err(PyTypeError::new_err(
                "bytes are signed and verified, not str: encode it first",
            ));
        }
        // What the object itself raises, such as a Ctrl-C, says more.
        let view = calling(|| PyMemoryView::from(&object)).map_err(|error| {
            if error.is_instance_of::<PyTypeError>(object.py()) { no_bytes(object) } else { error }
        })?;
        let copy = view.call_method0("tobytes")?;
        calling(|| view.call_method0("release"))?;
        Ok(Self(copy.extract()?))
    }
}

fn no_bytes(object: Borrowed<'_, '_, PyAny>) -> PyErr {
    let name = object.get_type().name().map_or_else(|_| "this".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!("bytes are expected, or what has a buffer of them, not {name}"))
}
