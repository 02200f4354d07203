//! Results of jobs.

use brine_core::text::hex;
use brine_job::ResultUsage;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::verified::Verified;

/// What a worker says of one job, verified: how it ended, and what it wrote.
///
/// Only `verify_result` makes one.
#[pyclass(frozen, module = "brine")]
#[derive(Debug)]
pub(crate) struct JobResult {
    pub(crate) verified: Py<Verified>,
    pub(crate) result: brine_job::JobResult,
}

#[pymethods]
impl JobResult {
    /// The envelope that has verified. Its payload is the output of the job, and empty if the job did not end well.
    #[getter]
    fn verified(&self, py: Python<'_>) -> Py<Verified> {
        self.verified.clone_ref(py)
    }

    /// The name of the worker in the trust file.
    #[getter]
    fn signer(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.verified.getattr(py, "signer")
    }

    /// The output of the job.
    #[getter]
    fn output(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.verified.getattr(py, "payload")
    }

    /// Which job it is of, as `Signer.sign_job` returns it.
    #[getter]
    fn job<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.result.job.0)
    }

    /// How the job ended: `"ok"`, or another name that docs/verdict.md has.
    #[getter]
    fn outcome(&self) -> &str {
        &self.result.outcome
    }

    /// The status with which `brine run` would have ended: 0 exactly if the outcome is `"ok"`.
    #[getter]
    const fn status(&self) -> u8 {
        self.result.status
    }

    /// Why the job was refused, or its output was not released.
    #[getter]
    fn reason(&self) -> Option<&str> {
        self.result.reason.as_deref()
    }

    /// The exit status of its command.
    #[getter]
    const fn exit_status(&self) -> Option<u8> {
        self.result.exit
    }

    /// The signal that ended its command.
    #[getter]
    const fn signal(&self) -> Option<u8> {
        self.result.signal
    }

    /// The SHA-256 of the plan by which it ran, in hexadecimal.
    #[getter]
    fn plan_digest(&self) -> Option<String> {
        self.result.plan.map(|plan| hex(&plan))
    }

    /// What it used, if it ran: `wall_ms`, `user_ms`, `system_ms` and `memory_bytes`.
    #[getter]
    fn usage<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let Some(ResultUsage { wall_ms, user_ms, system_ms, memory_bytes }) = self.result.usage
        else {
            return Ok(None);
        };
        let usage = PyDict::new(py);
        usage.set_item("wall_ms", wall_ms)?;
        usage.set_item("user_ms", user_ms)?;
        usage.set_item("system_ms", system_ms)?;
        usage.set_item("memory_bytes", memory_bytes)?;
        Ok(Some(usage))
    }

    /// The beginning of what it wrote to standard error. The job wrote it: escape it before it is shown.
    #[getter]
    fn errors(&self) -> String {
        String::from_utf8_lossy(&self.result.errors).into_owned()
    }

    fn __repr__(&self) -> String {
        format!("<brine.JobResult: {}>", self.result.outcome)
    }
}
