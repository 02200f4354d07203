//! The one interpreter of a process that may use the module.

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// The module `sys` of the interpreter that was the first to import this module. While it is kept here, no other
/// interpreter has one at the same address.
static SYS_OF_THE_FIRST: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// Refuses every interpreter but the first.
///
/// CPython refuses those with a GIL of their own. Others share what PyO3 keeps for the process, which belongs to one
/// interpreter, and PyO3 0.30 lets them in: <https://github.com/PyO3/pyo3/issues/3451>.
pub(crate) fn refuse_others(py: Python<'_>) -> PyResult<()> {
    let sys = py.import("sys")?;
    let first = SYS_OF_THE_FIRST.get_or_init(py, || sys.clone().unbind());
    if first.is(&sys) { Ok(()) } else { Err(PyImportError::new_err(REFUSAL)) }
}

const REFUSAL: &str = "brine is used by another interpreter of this process, and does not support subinterpreters; \
                       use processes or threads";
