//! What has verified, as a file that nobody can change.

use std::fs::File;
use std::io::Read;
use std::num::NonZero;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use brine_cli::embed::{Facts, PrivateCopies, PrivateCopy, Refused, signature_of, threads};
use brine_core::Input;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::failure::Result;
use crate::foreign::{PySource, Raised, Stopped};
use crate::judge::lock;
use crate::stream_reader::in_file;
use crate::trust::ForkingSource;
use crate::verified::Verified;
use crate::verifier::Verifier;

/// A payload that has verified, in a file without a name.
#[pyclass(frozen, module = "brine")]
pub(crate) struct VerifiedFile {
    file: Mutex<Option<File>>,
    facts: Facts,
    is_detached: bool,
    verifier: Py<Verifier>,
    /// Whether it is in memory, and sealed.
    #[pyo3(get)]
    is_sealed: bool,
}

/// Something that is read once.
#[derive(FromPyObject)]
enum Opened {
    /// A regular file under a descriptor.
    Descriptor(u32),
    /// A file object of Python.
    Object(Py<PyAny>),
}

#[pymethods]
impl VerifiedFile {
    /// Return where the signature of a file lies unless another place is named.
    #[staticmethod]
    fn signature_of(path: PathBuf) -> PathBuf {
        signature_of(&path)
    }

    /// Copy a payload to where nobody can change it, and verify the copy.
    ///
    /// `envelope` holds the payload. Else `envelope` is the signature, and `content` what it is for.
    #[new]
    #[pyo3(signature = (verifier, envelope, envelope_name, content, content_name, max_memory, threads))]
    #[expect(clippy::too_many_arguments, reason = "the package gives them, and nobody else")]
    fn new(
        py: Python<'_>,
        verifier: Py<Verifier>,
        envelope: Opened,
        envelope_name: PathBuf,
        content: Option<Opened>,
        content_name: PathBuf,
        max_memory: u64,
        threads: Option<NonZero<usize>>,
    ) -> PyResult<Self> {
        let raised = Raised::default();
        let is_detached = content.is_some();
        let copied = py.detach(|| {
            let judge = &verifier.get().judge;
            let copies = PrivateCopies {
                expectations: &judge.expectations,
                trust: &ForkingSource(judge.trust.clone()),
                clock: judge.clock,
                most_in_memory: max_memory,
                threads: self::threads(threads),
            };
            let (input, name) = envelope.into_input(&envelope_name, &raised)?;
            match content {
                None => copies.embedded(input, &name, &raised.heed()),
                Some(content) => {
                    let (mut content, content_name) =
                        content.into_reader(&content_name, &raised)?;
                    copies.beside(input, &name, &mut content, &content_name)
                }
            }
        });
        let copied = copied.map_err(|refused: Refused| Stopped::of(&raised, || refused).error(py));
        let PrivateCopy { file, facts, is_sealed, .. } = copied?;
        Ok(Self { file: Mutex::new(Some(file)), facts, is_detached, verifier, is_sealed })
    }

    /// Return the descriptor, which is open for reading.
    fn fileno(&self) -> PyResult<i32> {
        let number = lock(&self.file).as_ref().map(|file| file.as_raw_fd());
        number.ok_or_else(|| PyValueError::new_err("the path is gone: its with block has ended"))
    }

    /// Close it. The file ends with its last descriptor and its last mapping.
    fn close(&self) {
        *lock(&self.file) = None;
    }

    /// What is known of the payload.
    #[getter]
    fn verified(&self) -> Verified {
        let context = self.verifier.get().context.clone();
        Verified::new(None, self.facts.clone(), context, self.is_detached)
    }
}

impl Opened {
    fn into_input(self, name: &Path, raised: &Raised) -> Result<(Input, String), Refused> {
        match self {
            Self::Descriptor(descriptor) => {
                let file = in_file(descriptor, name)?;
                let name = file.name().to_owned();
                Ok((file.into_input(&raised.heed())?, name))
            }
            Self::Object(object) => {
                let source = PySource::new(object, raised.clone());
                Ok((Input::new(source), format!("{name:?}")))
            }
        }
    }

    fn into_reader(
        self,
        name: &Path,
        raised: &Raised,
    ) -> Result<(Box<dyn Read + Send>, String), Refused> {
        match self {
            Self::Descriptor(descriptor) => {
                let file = in_file(descriptor, name)?;
                let name = file.name().to_owned();
                Ok((Box::new(file.into_reader(&raised.heed())), name))
            }
            Self::Object(object) => {
                let source = PySource::new(object, raised.clone());
                Ok((Box::new(source), format!("{name:?}")))
            }
        }
    }
}
