//! Bytes that nobody can change while they are hashed or signed.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyMemoryView, PyString};

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
        let view = PyMemoryView::from(&object).map_err(|_| no_bytes(object))?;
        let copy = view.call_method0("tobytes")?;
        view.call_method0("release")?;
        Ok(Self(copy.extract()?))
    }
}

fn no_bytes(object: Borrowed<'_, '_, PyAny>) -> PyErr {
    let name = object.get_type().name().map_or_else(|_| "this".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!("bytes are expected, or what has a buffer of them, not {name}"))
}
