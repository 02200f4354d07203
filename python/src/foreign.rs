//! File objects of Python under the readers and writers of the libraries.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};
use std::thread;

use brine_cli::embed::{Heed, Refused};
use brine_core::SystemError;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView, PySlice, PyString, PyTuple};

use crate::buffer::Frozen;
use crate::calling::calling;
use crate::failure::Failure;
use crate::judge::lock;

/// Holds an exception that passes through a library, which knows nothing of Python.
#[derive(Clone, Debug, Default)]
pub(crate) struct Raised(Arc<Mutex<Option<PyErr>>>);

impl Raised {
    pub(crate) fn take(&self) -> Option<PyErr> {
        lock(&self.0).take()
    }

    /// Keeps an exception, and returns what the library passes on instead.
    fn keep(&self, error: PyErr) -> io::Error {
        *lock(&self.0) = Some(error);
        io::Error::other("an exception in Python")
    }

    /// Lets Ctrl-C end long work of the thread that calls this now.
    pub(crate) fn heed(&self) -> Heed {
        let (raised, caller) = (self.clone(), thread::current().id());
        Arc::new(move || match thread::current().id() == caller {
            true => Python::attach(|py| calling(|| py.check_signals()))
                .map_err(|error| raised.keep(error)),
            false => Ok(()),
        })
    }
}

/// Why a file object does not go on.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// Something that the file object under it raised.
    Raised(PyErr),
    /// What the libraries say.
    Refused(Refused),
}

impl Stopped {
    /// Finds the exception that was raised, if that is what ended the work.
    pub(crate) fn of(raised: &Raised, refused: impl FnOnce() -> Refused) -> Self {
        raised.take().map_or_else(|| Self::Refused(refused()), Self::Raised)
    }

    /// Returns the exception to raise: the same one each time, but for a Ctrl-C, which is raised once.
    pub(crate) fn error(&self, py: Python<'_>) -> PyErr {
        match self {
            Self::Raised(error) => error.clone_ref(py),
            Self::Refused(refused) => Failure::from(refused.clone()).into(),
        }
    }

    /// Returns what is raised from the second time on.
    pub(crate) fn afterwards(self, py: Python<'_>) -> Self {
        match self {
            Self::Raised(error) if !error.is_instance_of::<PyException>(py) => {
                let why = io::Error::new(io::ErrorKind::Interrupted, "it was interrupted before");
                Self::Refused(Refused::from(input(why)))
            }
            other => other,
        }
    }
}

/// Reads from a file object of Python. It **must** be read by a thread that Python knows.
pub(crate) struct PySource {
    object: Py<PyAny>,
    raised: Raised,
}

impl PySource {
    pub(crate) fn new(object: Py<PyAny>, raised: Raised) -> Self {
        Self { object, raised }
    }

    fn read_some(&self, py: Python<'_>, room: &mut [u8]) -> PyResult<usize> {
        let read = self.object.bind(py).getattr("read")?;
        let size = PyTuple::new(py, [room.len()])?;
        let found = calling(|| read.call1(&size))?;
        if found.is_none() {
            return Err(not_ready(Way::In));
        }
        if found.is_instance_of::<PyString>() {
            return Err(PyTypeError::new_err("the file is open as text: open it in binary mode"));
        }
        let bytes: Frozen = calling(|| found.extract())?;
        let (found, asked) = (bytes.len(), room.len());
        let Some(room) = room.get_mut(..found) else {
            let words =
                format!("the file object returned {found} bytes, but read({asked}) asks for fewer");
            return Err(misbehaves(Way::In, words));
        };
        room.copy_from_slice(&bytes);
        Ok(found)
    }
}

impl Read for PySource {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let read = Python::attach(|py| self.read_some(py, room));
        read.map_err(|error| self.raised.keep(error))
    }
}

/// Reads the bytes of a Python object that can change. Each is read once.
pub(crate) struct ViewReader {
    /// A `memoryview` of bytes.
    view: Py<PyAny>,
    at: usize,
    length: usize,
    raised: Raised,
}

impl ViewReader {
    pub(crate) fn new(view: &Bound<'_, PyAny>, raised: Raised) -> PyResult<Self> {
        Ok(Self { view: view.clone().unbind(), at: 0, length: view.len()?, raised })
    }

    fn read_some(&self, py: Python<'_>, room: &mut [u8]) -> PyResult<usize> {
        let count = room.len().min(self.length - self.at);
        let part = window(self.view.bind(py), self.at, count)?;
        part.copy_to_slice(py, room.get_mut(..count).unwrap_or_default())?;
        Ok(count)
    }
}

impl Read for ViewReader {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let read = Python::attach(|py| self.read_some(py, room));
        let count = read.map_err(|error| self.raised.keep(error))?;
        self.at += count;
        Ok(count)
    }
}

/// Returns a view of the bytes of a Python object; `None` if they do not lie one after the other.
pub(crate) fn bytes_view<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let view = PyMemoryView::from(object)?;
    match view.call_method1("cast", ("B",)) {
        Ok(view) => Ok(Some(view)),
        Err(error) if error.is_instance_of::<PyTypeError>(object.py()) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns `count` bytes of a view, from `start` on.
pub(crate) fn window(
    view: &Bound<'_, PyAny>,
    start: usize,
    count: usize,
) -> PyResult<PyBuffer<u8>> {
    let number = |at: usize| isize::try_from(at).unwrap_or(isize::MAX);
    let part = PySlice::new(view.py(), number(start), number(start.saturating_add(count)), 1);
    PyBuffer::get(&view.get_item(part)?)
}

/// What a library has written, until a thread that Python knows passes it on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending(Arc<Mutex<Vec<u8>>>);

impl Pending {
    /// Writes all of it to a file object of Python.
    pub(crate) fn write_to(&self, object: &Bound<'_, PyAny>) -> PyResult<()> {
        let written = std::mem::take(&mut *lock(&self.0));
        if written.is_empty() {
            return Ok(());
        }
        let mut bytes = PyBytes::new(object.py(), &written);
        loop {
            let count = write_some(object, &bytes)?;
            let rest = bytes.as_bytes().get(count..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(());
            }
            bytes = PyBytes::new(object.py(), rest);
        }
    }
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns how much of some bytes a file object took.
fn write_some(object: &Bound<'_, PyAny>, bytes: &Bound<'_, PyBytes>) -> PyResult<usize> {
    let all = bytes.as_bytes().len();
    let write = object.getattr("write")?;
    let data = PyTuple::new(object.py(), [bytes])?;
    let answer = calling(|| write.call1(&data))?;
    if answer.is_none() {
        // Many objects that take everything say nothing. Of a raw file it means that it would block.
        let raw = object.py().import("io")?.getattr("RawIOBase")?;
        return if object.is_instance(&raw)? { Err(not_ready(Way::Out)) } else { Ok(all) };
    }
    match answer.extract::<usize>() {
        Ok(count) if (1..=all).contains(&count) => Ok(count),
        _ => {
            let words = format!("the file object took {all} bytes, and says {answer} of it");
            Err(misbehaves(Way::Out, words))
        }
    }
}

/// Which way bytes go.
#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
}

fn not_ready(way: Way) -> PyErr {
    let what = match way {
        Way::In => "read",
        Way::Out => "written",
    };
    misbehaves(
        way,
        format!(
            "the file object is in non-blocking mode, and nothing can be {what} now: use a blocking one, or wait for it"
        ),
    )
}

/// Says that a file object does not do what such objects do.
fn misbehaves(way: Way, words: String) -> PyErr {
    let error = io::Error::other(words);
    let error = match way {
        Way::In => input(error),
        Way::Out => SystemError::Output(error).into(),
    };
    Failure::from(error).into()
}

fn input(error: io::Error) -> brine_core::Error {
    SystemError::Input(error).into()
}
