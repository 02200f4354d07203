//! Work that threads take turns at.

use std::sync::{Condvar, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::failure::Failure;
use crate::foreign::Stopped;
use crate::judge::lock;

/// A value that one thread works with at a time, in the process that made it, until it fails or is closed.
pub(crate) struct Turns<T> {
    state: Mutex<State<T>>,
    freed: Condvar,
    process: u32,
}

enum State<T> {
    Busy(ThreadId),
    Closed,
    Failed(Stopped),
    Open(Box<T>),
}

impl<T: Send> Turns<T> {
    pub(crate) fn new(value: T) -> Self {
        let state = Mutex::new(State::Open(Box::new(value)));
        Self { state, freed: Condvar::new(), process: std::process::id() }
    }

    /// Takes the value, when it is this thread's turn. It **must** be given back, or fail.
    pub(crate) fn take(&self, py: Python<'_>) -> PyResult<Box<T>> {
        if self.is_of_parent() {
            return Err(Failure::usage(FORKED).into());
        }
        let own = thread::current().id();
        loop {
            let mut state = lock(&self.state);
            match std::mem::replace(&mut *state, State::Busy(own)) {
                State::Open(value) => return Ok(value),
                State::Busy(other) => {
                    *state = State::Busy(other);
                    if other == own {
                        return Err(PyRuntimeError::new_err(CALLS_BACK));
                    }
                }
                State::Closed => {
                    *state = State::Closed;
                    return Err(PyValueError::new_err(CLOSED));
                }
                State::Failed(stopped) => {
                    let error = stopped.error(py);
                    *state = State::Failed(stopped);
                    return Err(error);
                }
            }
            drop(state);
            self.wait(py)?;
        }
    }

    /// Waits for the thread that works, and for Ctrl-C.
    fn wait(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| {
            let is_busy = |state: &mut State<T>| matches!(state, State::Busy(_));
            drop(self.freed.wait_timeout_while(lock(&self.state), PATIENCE, is_busy));
        });
        py.check_signals()
    }

    /// Gives the value back. If it was closed meanwhile, it ends here.
    pub(crate) fn give(&self, py: Python<'_>, value: Box<T>) {
        let mut state = lock(&self.state);
        if let State::Busy(_) = *state {
            *state = State::Open(value);
            drop(state);
            self.freed.notify_all();
        } else {
            drop(state);
            py.detach(|| drop(value));
        }
    }

    /// Ends the work for ever, and returns what to raise.
    pub(crate) fn fail(&self, py: Python<'_>, stopped: Stopped) -> PyErr {
        let error = stopped.error(py);
        *lock(&self.state) = State::Failed(stopped.afterwards(py));
        self.freed.notify_all();
        error
    }

    /// Ends the work. What failed before is closed, too. Files are closed and threads end before this returns, or soon
    /// after.
    pub(crate) fn close(&self, py: Python<'_>, last: impl FnOnce(&T)) {
        // In a child nothing of it is touched. Threads of the work do not exist there, and may have held its locks.
        if self.is_of_parent() {
            return;
        }
        let state = std::mem::replace(&mut *lock(&self.state), State::Closed);
        if let State::Open(value) = state {
            last(&value);
            py.detach(|| drop(value));
        }
        self.freed.notify_all();
    }

    /// Looks at the value, if nobody works with it.
    pub(crate) fn look(&self, at: impl FnOnce(&T)) {
        if !self.is_of_parent()
            && let State::Open(value) = &*lock(&self.state)
        {
            at(value);
        }
    }
}

impl<T> Turns<T> {
    fn is_of_parent(&self) -> bool {
        self.process != std::process::id()
    }
}

impl<T> Drop for Turns<T> {
    fn drop(&mut self) {
        if self.is_of_parent()
            && let Ok(state) = self.state.get_mut()
        {
            std::mem::forget(std::mem::replace(state, State::Closed));
        }
    }
}

/// How long a thread waits for another before it looks for signals.
const PATIENCE: Duration = Duration::from_millis(50);

const CALLS_BACK: &str = "the file object under this file calls back to it";

const CLOSED: &str = "I/O operation on closed file";

const FORKED: &str =
    "another process opened this file: open it in the process that reads or writes it";
