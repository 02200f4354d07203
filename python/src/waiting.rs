//! Waits for a person whom an agent asks, which a Ctrl-C ends.

use std::cell::{Cell, RefCell};
use std::io;

use brine_cli::embed::ask_while_waiting;
use pyo3::prelude::*;

use crate::calling::calling;
use crate::failure::Failure;

thread_local! {
    /// Whether this thread waits for a caller, who can be asked whether to go on.
    static IS_WAITING: Cell<bool> = const { Cell::new(false) };
    /// What ended the wait.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// Has callers asked while an agent is waited for.
pub(crate) fn begin() {
    ask_while_waiting(ask);
}

/// Works without the interpreter, and may wait for an agent meanwhile. A fork does not wait for it, so it **must not** hold
/// what a child needs.
pub(crate) fn waiting<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, Failure> + Send,
) -> PyResult<T> {
    let done = without_interpreter(py, work);
    done.map_err(|failure| raised().unwrap_or_else(|| failure.into()))
}

/// Does the same. Whoever finds it failed **must** look at what was [raised].
pub(crate) fn without_interpreter<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    drop(raised());
    IS_WAITING.set(true);
    let done = py.detach(work);
    IS_WAITING.set(false);
    done
}

/// Returns the exception that ended a wait of this thread, such as that of a Ctrl-C.
pub(crate) fn raised() -> Option<PyErr> {
    RAISED.take()
}

/// Lets signals be handled. Threads that a library started have nobody to ask.
fn ask() -> io::Result<()> {
    if !IS_WAITING.get() {
        return Ok(());
    }
    Python::attach(|py| calling(|| py.check_signals())).map_err(|error| {
        RAISED.set(Some(error));
        io::Error::other("an exception in Python")
    })
}
