//! What has verified.

use std::sync::Arc;

use brine_cli::embed::Facts;
use brine_core::text::hex;
use brine_core::{Signer, Timestamp};
use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDateTime, PyTuple};

use crate::moment::datetime;

/// An envelope that has verified: its payload, and what was signed with it.
///
/// Only verifying makes one.
#[pyclass(frozen, module = "brine")]
#[derive(Debug)]
pub(crate) struct Verified {
    /// It is absent where it is read from a file object, or lies behind a path.
    payload: Option<Py<PyBytes>>,
    facts: Facts,
    /// The context that was asked for.
    context: Option<Arc<str>>,
    is_detached: bool,
}

impl Verified {
    /// Returns it to Python. The facts **must** be those of this payload.
    pub(crate) const fn new(
        payload: Option<Py<PyBytes>>,
        facts: Facts,
        context: Option<Arc<str>>,
        is_detached: bool,
    ) -> Self {
        Self { payload, facts, context, is_detached }
    }
}

#[pymethods]
impl Verified {
    /// The bytes that were signed; of a detached signature, those that lay beside it.
    #[getter]
    fn payload(&self, py: Python<'_>) -> PyResult<Py<PyBytes>> {
        match &self.payload {
            Some(payload) => Ok(payload.clone_ref(py)),
            None => Err(PyAttributeError::new_err(ELSEWHERE)),
        }
    }

    /// The name of the signer in the trust file; of several signers, the first.
    #[getter]
    fn signer(&self) -> &str {
        self.facts.signer.name()
    }

    /// The names of all signers who are believed: one, unless the envelope has several signatures. Those who were asked for
    /// come first.
    #[getter]
    fn signers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let names: Vec<_> = self.facts.signers().map(Signer::name).collect();
        PyTuple::new(py, names)
    }

    /// The id of the signer's key in hexadecimal (RFC 9679).
    #[getter]
    fn key_id(&self) -> String {
        self.facts.signer.key().id().to_string()
    }

    /// What the signature is for: the context that was asked for.
    #[getter]
    fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }

    /// When it was signed, by the signer's clock.
    #[getter]
    fn issued_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDateTime>>> {
        moment(py, self.facts.header.claims().issued_at)
    }

    /// When it stops being valid.
    #[getter]
    fn expires<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDateTime>>> {
        moment(py, self.facts.header.claims().expires)
    }

    /// From when on it is valid.
    #[getter]
    fn not_before<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDateTime>>> {
        moment(py, self.facts.header.claims().not_before)
    }

    /// When it was judged, by this machine's clock.
    #[getter]
    fn judged_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        datetime(py, self.facts.judged_at)
    }

    /// What the envelope is: `"data"`, `"stream"`, `"digest"` for a signature beside large content, `"foreign"` with
    /// `typ`, `"untyped"` with `untyped`.
    #[getter]
    fn kind(&self) -> &'static str {
        self.facts.kind.name()
    }

    /// Whether the payload lay beside the envelope.
    #[getter]
    fn is_detached(&self) -> bool {
        self.is_detached
    }

    /// The content type that was signed: a media type, or the number of a CoAP Content-Format.
    #[getter]
    fn content_type(&self) -> Option<String> {
        self.facts.header.content_type().map(|found| found.to_string())
    }

    /// The name of the signature in hexadecimal, which no other has (`cti`, RFC 8392).
    #[getter]
    fn id(&self) -> Option<String> {
        self.facts.header.claims().cti.map(hex)
    }

    /// The channel of a record in hexadecimal, and its number there, from 0.
    #[getter]
    fn sequence(&self) -> Option<(String, u64)> {
        self.facts.header.sequence().map(|sequence| (hex(&sequence.channel), sequence.seq))
    }

    /// What the verdict of `brine verify --json` says of it.
    #[getter]
    fn verdict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        py.import("json")?.call_method1("loads", (self.facts.verdict(self.is_detached),))
    }

    fn __bytes__(&self, py: Python<'_>) -> PyResult<Py<PyBytes>> {
        self.payload(py)
    }

    fn __len__(&self) -> usize {
        usize::try_from(self.facts.payload_bytes).unwrap_or(usize::MAX)
    }

    fn __repr__(&self) -> String {
        let about = self.context().map(|context| format!(" for {context:?}")).unwrap_or_default();
        let names: Vec<_> = self.facts.signers().map(|one| format!("{:?}", one.name())).collect();
        let (bytes, names) = (self.facts.payload_bytes, names.join(" and "));
        format!("<brine.Verified: {bytes} bytes signed by {names}{about}>")
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "what has verified is not pickled: where the pickle is loaded, nobody has verified it",
        ))
    }
}

fn moment(py: Python<'_>, at: Option<Timestamp>) -> PyResult<Option<Bound<'_, PyDateTime>>> {
    at.map(|at| datetime(py, at)).transpose()
}

const ELSEWHERE: &str =
    "the payload is not here: it is read from the file object, or from the path";
