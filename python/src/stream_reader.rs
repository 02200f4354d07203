//! Reading what has verified, piece by piece.

use std::io::BufRead as _;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use brine_cli::embed::{CheckedStore, Facts, InFile, Refused, threads};
use brine_core::{Error, Input, Opening, Verified as CoreVerified, open};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::failure::Result;
use crate::foreign::{PySource, Raised, Stopped, bytes_view, window};
use crate::judge::lock;
use crate::trust::ForkingSource;
use crate::turns::Turns;
use crate::verified::Verified;
use crate::verifier::Verifier;

/// The payload of an envelope or a stream, of which nothing is given out before it has verified.
///
/// `brine.open` puts a buffer over it. It is read by one thread at a time, in the process that opened it.
#[pyclass(frozen, module = "brine")]
pub(crate) struct StreamReader {
    work: Turns<CoreVerified>,
    facts: Mutex<Facts>,
    verifier: Py<Verifier>,
    /// What is read, for people.
    name: String,
    /// The longest that the payload can be, where that is known.
    most: Option<u64>,
    read: AtomicU64,
    raised: Raised,
}

/// Something to verify.
struct Source {
    input: Input,
    name: String,
    length: Option<u64>,
    raised: Raised,
    /// Whether others than the caller's thread can read it.
    can_be_read_ahead: bool,
}

#[pymethods]
impl StreamReader {
    /// Read a regular file that is open under a descriptor, which stays open. It is called `name`.
    #[staticmethod]
    fn of_descriptor(
        py: Python<'_>,
        verifier: Py<Verifier>,
        descriptor: u32,
        name: PathBuf,
        threads: Option<NonZero<usize>>,
    ) -> PyResult<Self> {
        let raised = Raised::default();
        let heed = raised.heed();
        let source = py.detach(|| -> Result<_> {
            let file = in_file(descriptor, &name)?;
            let (name, length) = (file.name().to_owned(), file.length());
            let input = file.into_input(&heed)?;
            Ok(Source { input, name, length, raised, can_be_read_ahead: true })
        })?;
        Self::open(py, verifier, source, threads)
    }

    /// Read a file object that is open in binary mode. Its `read` is called by the thread that reads this.
    #[staticmethod]
    fn of_object(
        py: Python<'_>,
        verifier: Py<Verifier>,
        object: Py<PyAny>,
        name: String,
    ) -> PyResult<Self> {
        let raised = Raised::default();
        let input = Input::new(PySource::new(object, raised.clone()));
        let source = Source { input, name, length: None, raised, can_be_read_ahead: false };
        Self::open(py, verifier, source, None)
    }

    /// Fill a buffer from its beginning, with the rest of one piece at most, and return the number of bytes; 0 at the
    /// end.
    fn readinto(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>) -> PyResult<usize> {
        let room = bytes_view(buffer)?;
        let room = room.ok_or_else(|| PyTypeError::new_err("the buffer has gaps"))?;
        if room.getattr("readonly")?.is_truthy()? {
            return Err(PyTypeError::new_err("the buffer is read-only"));
        }
        let wanted = room.len()?;
        if wanted == 0 {
            return Ok(0);
        }
        let mut verified = self.work.take(py)?;
        // It waits here, and hashes.
        if let Err(error) = py.detach(|| verified.fill_buf().map(drop)) {
            return Err(self.fail(py, verified, core_error(error)));
        }
        let copied = copy_piece(&mut verified, &room, wanted);
        self.work.give(py, verified);
        let count = copied?;
        self.read.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(count)
    }

    /// Return how many bytes were read.
    fn tell(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Return how many bytes can still come, at most; `None` where nobody knows.
    fn most(&self) -> Option<u64> {
        self.most.map(|most| most.saturating_sub(self.tell()))
    }

    /// End the work. Closing it again does nothing.
    fn close(&self, py: Python<'_>) {
        self.work.close(py, |verified| self.note(verified));
    }

    /// What is known of what is read, without the payload.
    #[getter]
    fn verified(&self) -> Verified {
        self.work.look(|verified| self.note(verified));
        let context = self.verifier.get().context.clone();
        Verified::new(None, lock(&self.facts).clone(), context, false)
    }
}

impl StreamReader {
    fn open(
        py: Python<'_>,
        verifier: Py<Verifier>,
        source: Source,
        asked: Option<NonZero<usize>>,
    ) -> PyResult<Self> {
        let Source { input, name, length, raised, can_be_read_ahead } = source;
        let judge = &verifier.get().judge;
        let begun = py.detach(|| -> Result<_, Refused> {
            let reading = |error| Refused::reading(&name, error);
            let opening = open(input).map_err(reading)?;
            if opening.lies_beside(&judge.expectations) {
                return Err(Refused::usage(format!("{name} {BESIDE}")));
            }
            let is_stream = opening.is_stream();
            let opening = match is_stream && can_be_read_ahead {
                true => opening.threads(threads(asked)),
                false => opening,
            };
            let verified = verify(opening, verifier.get()).map_err(reading)?;
            Ok((verified, is_stream))
        });
        let stopped = |refused| Stopped::of(&raised, || refused).error(py);
        let (verified, is_stream) = begun.map_err(stopped)?;
        let most = if is_stream { length } else { Some(verified.payload_bytes()) };
        let facts = Mutex::new(judge.facts(&verified));
        let (work, read) = (Turns::new(verified), AtomicU64::new(0));
        Ok(Self { work, facts, verifier, name, most, read, raised })
    }

    /// Ends the work for ever, and returns why.
    fn fail(&self, py: Python<'_>, verified: Box<CoreVerified>, error: Error) -> PyErr {
        self.note(&verified);
        py.detach(|| drop(verified));
        let stopped = Stopped::of(&self.raised, || Refused::reading(&self.name, error));
        self.work.fail(py, stopped)
    }

    fn note(&self, verified: &CoreVerified) {
        *lock(&self.facts) = self.verifier.get().judge.facts(verified);
    }
}

/// Opens a file that Python has open.
pub(crate) fn in_file(descriptor: u32, name: &Path) -> Result<InFile, Refused> {
    InFile::open(Path::new(&format!("/dev/fd/{descriptor}")), name)
}

/// Verifies an envelope, or the beginning of a stream.
fn verify(opening: Opening, verifier: &Verifier) -> Result<CoreVerified, Error> {
    let judge = &verifier.judge;
    let trust = ForkingSource(judge.trust.clone());
    opening.store(CheckedStore).verify(&judge.expectations, &trust, &judge.clock)
}

fn copy_piece(
    verified: &mut CoreVerified,
    room: &Bound<'_, PyAny>,
    wanted: usize,
) -> PyResult<usize> {
    // It is there already.
    let piece = verified.fill_buf()?;
    let piece = piece.get(..wanted).unwrap_or(piece);
    let count = piece.len();
    window(room, 0, count)?.copy_from_slice(room.py(), piece)?;
    verified.consume(count);
    Ok(count)
}

/// Finds the error of the library again.
fn core_error(error: std::io::Error) -> Error {
    error.downcast().unwrap_or_else(|error| brine_core::SystemError::Input(error).into())
}

const BESIDE: &str = "is a signature that lies beside its file: brine.verified_path takes both, and so does \
                      brine.verify";
