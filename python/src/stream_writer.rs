//! Signing what is written, piece by piece.

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use brine_cli::embed::{NewFile, Refused, telling_slow, threads};
use brine_core::{Error, StreamOptions, StreamWriter as CoreWriter, SystemError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buffer::Frozen;
use crate::calling::calling;
use crate::failure::{Result, warn};
use crate::foreign::{Pending, Raised, Stopped, ViewReader, bytes_view};
use crate::signer::Signer;
use crate::turns::Turns;
use crate::waiting::{raised, without_interpreter};

/// A stream that is being signed. Only `finish` gives it an end; a reader of one without an end says that it was cut.
///
/// `brine.open` puts a buffer over it. It is written by one thread at a time, in the process that opened it.
#[pyclass(frozen, module = "brine")]
pub(crate) struct StreamWriter {
    work: Turns<Stream>,
    name: String,
    written: AtomicU64,
    raised: Raised,
    /// Whether an agent asks somebody for each signature, and nobody was warned.
    is_slow: Arc<AtomicBool>,
}

struct Stream {
    writer: CoreWriter<Box<dyn Write + Send>>,
    target: Target,
}

enum Target {
    /// A file that gets its name at the end.
    File(NewFile),
    /// A file object of Python, and what it gets next.
    Object(Py<PyAny>, Pending),
}

#[pymethods]
impl StreamWriter {
    /// Write a file that is to be called `path`. With `is_new`, there must be none.
    #[staticmethod]
    fn of_path(
        py: Python<'_>,
        signer: &Signer,
        path: PathBuf,
        is_new: bool,
        threads: Option<NonZero<usize>>,
    ) -> PyResult<Self> {
        let (file, output) = py.detach(|| -> Result<_> {
            let file = NewFile::create(&path, is_new)?;
            let output: Box<dyn Write + Send> = Box::new(file.writer()?);
            Ok((file, output))
        })?;
        let threads = match threads {
            // An agent signs one segment after the other. The thread that waits for it hears a Ctrl-C.
            None if signer.keys.first().is_in_agent() => 1,
            asked => brine_cli::embed::threads(asked),
        };
        let name = format!("{path:?}");
        Ok(Self::begin(signer, output, Target::File(file), name, threads)?)
    }

    /// Write to a file object that is open in binary mode. Its `write` is called by the thread that writes this.
    #[staticmethod]
    fn of_object(
        signer: &Signer,
        object: Py<PyAny>,
        name: String,
        threads: Option<NonZero<usize>>,
    ) -> PyResult<Self> {
        let pending = Pending::default();
        let output = Box::new(pending.clone());
        let threads = threads.map_or(1, |asked| self::threads(Some(asked)));
        Ok(Self::begin(signer, output, Target::Object(object, pending), name, threads)?)
    }

    /// Sign bytes, and return how many there were. They are copied once, before they are hashed.
    fn write(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<usize> {
        let mut stream = self.work.take(py)?;
        let written = self.write_all(py, &mut stream, data);
        let count = self.put_back(py, stream, written)?;
        self.written.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.warn_of_slow(py)?;
        Ok(count)
    }

    /// Sign what was written so far, so that a reader can verify it, and write that.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        let mut stream = self.work.take(py)?;
        let flushed = self.flush_segment(py, &mut stream);
        self.put_back(py, stream, flushed)?;
        self.warn_of_slow(py)
    }

    /// Sign the last of it. A file gets its name now.
    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        let stream = self.work.take(py)?;
        match self.finish_stream(py, *stream) {
            Ok(()) => {
                self.work.close(py, |_| ());
                self.warn_of_slow(py)
            }
            Err(stopped) => Err(self.work.fail(py, stopped)),
        }
    }

    /// Give it up: it gets no end, and a file no name. What is finished stays so.
    fn abandon(&self, py: Python<'_>) {
        self.work.close(py, |_| ());
    }

    /// Return how many bytes were written.
    fn tell(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }
}

impl StreamWriter {
    fn begin(
        signer: &Signer,
        output: Box<dyn Write + Send>,
        target: Target,
        name: String,
        threads: usize,
    ) -> Result<Self> {
        let statements = Arc::clone(&signer.statements);
        let is_slow = Arc::new(AtomicBool::new(false));
        let key = telling_slow(Arc::clone(signer.keys.only("a stream")?), {
            let is_slow = Arc::clone(&is_slow);
            move || is_slow.store(true, Ordering::Relaxed)
        });
        let options = StreamOptions::new().threads(threads);
        let state = move || statements.called_back();
        let writer = CoreWriter::stating(output, key, state, options)?;
        let work = Turns::new(Stream { writer, target });
        let (written, raised) = (AtomicU64::new(0), Raised::default());
        Ok(Self { work, name, written, raised, is_slow })
    }

    /// Warns once if somebody has to confirm each signature.
    fn warn_of_slow(&self, py: Python<'_>) -> PyResult<()> {
        match self.is_slow.swap(false, Ordering::Relaxed) {
            true => warn(py, EACH_SEGMENT),
            false => Ok(()),
        }
    }

    /// Gives the work back, or ends it for ever: a stream with a hole gets no end.
    fn put_back<T>(
        &self,
        py: Python<'_>,
        stream: Box<Stream>,
        outcome: Result<T, Stopped>,
    ) -> PyResult<T> {
        match outcome {
            Ok(value) => {
                self.work.give(py, stream);
                Ok(value)
            }
            Err(stopped) => {
                py.detach(|| drop(stream));
                Err(self.work.fail(py, stopped))
            }
        }
    }

    fn write_all(
        &self,
        py: Python<'_>,
        stream: &mut Stream,
        data: &Bound<'_, PyAny>,
    ) -> Result<usize, Stopped> {
        if !data.is_exact_instance_of::<PyBytes>()
            && let Ok(Some(view)) = bytes_view(data)
        {
            let count = view.len().map_err(Stopped::Raised)?;
            let view = ViewReader::new(&view, self.raised.clone()).map_err(Stopped::Raised)?;
            return self.copy(py, stream, view).map(|()| count);
        }
        let bytes: Frozen = data.extract().map_err(Stopped::Raised)?;
        self.copy(py, stream, &*bytes).map(|()| bytes.len())
    }

    /// Reads a source to its end, segment by segment.
    fn copy(
        &self,
        py: Python<'_>,
        stream: &mut Stream,
        mut source: impl Read + Send,
    ) -> Result<(), Stopped> {
        loop {
            let copied = without_interpreter(py, || stream.writer.read_from(&mut source));
            let copied = copied.map_err(|error| self.stopped(&stream.target, error))?;
            stream.target.pass_on(py).map_err(Stopped::Raised)?;
            if copied == 0 {
                return Ok(());
            }
        }
    }

    fn flush_segment(&self, py: Python<'_>, stream: &mut Stream) -> Result<(), Stopped> {
        let flushed = without_interpreter(py, || stream.writer.flush_segment());
        flushed.map_err(|error| self.stopped(&stream.target, error))?;
        stream.target.pass_on(py).and_then(|()| stream.target.flush(py)).map_err(Stopped::Raised)
    }

    fn finish_stream(&self, py: Python<'_>, stream: Stream) -> Result<(), Stopped> {
        let Stream { writer, target } = stream;
        let finished = without_interpreter(py, || writer.finish().map(drop));
        finished.map_err(|error| self.stopped(&target, error))?;
        target.pass_on(py).and_then(|()| target.flush(py)).map_err(Stopped::Raised)?;
        match target {
            Target::File(file) => py.detach(|| file.finish()).map_err(Stopped::Refused),
            Target::Object(..) => Ok(()),
        }
    }

    fn stopped(&self, target: &Target, error: Error) -> Stopped {
        if let Some(raised) = raised() {
            return Stopped::Raised(raised);
        }
        Stopped::of(&self.raised, || match (error, target) {
            (Error::System(SystemError::Output(error)), Target::File(file)) => file.failed(error),
            (error, _) => Refused::reading(&self.name, error),
        })
    }
}

impl Target {
    /// Writes to a file object what it gets next.
    fn pass_on(&self, py: Python<'_>) -> PyResult<()> {
        match self {
            Self::File(_) => Ok(()),
            Self::Object(object, pending) => pending.write_to(object.bind(py)),
        }
    }

    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        match self {
            Self::Object(object, _) if object.bind(py).hasattr("flush")? => {
                let flush = object.bind(py).getattr("flush")?;
                calling(|| flush.call0()).map(drop)
            }
            Self::File(_) | Self::Object(..) => Ok(()),
        }
    }
}

const EACH_SEGMENT: &str = "each segment of a stream has a signature of its own, so an agent that asks before it signs asks \
    for each; sign(..., detached=True) signs the digest of all the bytes, and is asked for once";
