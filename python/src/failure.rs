//! Failures of the libraries as exceptions.

use brine_cli::embed::Refused;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// What the libraries say, on its way to Python.
#[derive(Debug)]
pub(crate) struct Failure(Box<Refused>);

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl<E: Into<Refused>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Box::new(error.into()))
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Failure {
    /// Says that a caller asked for something that makes no sense.
    pub(crate) fn usage(message: &str) -> Self {
        Refused::usage(message).into()
    }
}

/// Warns of something that changes nothing.
pub(crate) fn warn(py: Python<'_>, text: &str) -> PyResult<()> {
    py.import("brine._caller")?.call_method1("warn", (text,)).map(drop)
}

/// Makes the exception that fits: `brine._errors` has the tree.
impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        Python::attach(|py| exception(py, *failure.0).unwrap_or_else(|error| error))
    }
}

fn exception(py: Python<'_>, refused: Refused) -> PyResult<PyErr> {
    let make = EXCEPTION.import(py, "brine._errors", "refusal")?;
    let Refused { message, hint, reason, status, allow, .. } = refused;
    Ok(PyErr::from_value(make.call1((message, hint, reason, status, allow))?))
}

static EXCEPTION: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
