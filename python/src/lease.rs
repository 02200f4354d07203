//! Leases: records that one process handles, and no other meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use brine_cli::embed::Refused;
use brine_records::replay::ReplayLease;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::failure::{Failure, Result};
use crate::fork::detached;
use crate::judge::lock;
use crate::ledger::{LeaseEnd, Ledger};
use crate::verified::Verified;

/// The right to handle one record, which nobody else handles meanwhile.
///
/// `Verifier.lease` makes it. In a `with` statement it gives what has verified, is committed at the end, and given back if
/// an exception leaves the block. A lease that is never settled, as in a process that died, runs out by itself: the record
/// can then be handled again.
///
/// A `with` statement takes it once: a record whose lease was settled, or is in the hands of another thread, is not given
/// again.
#[pyclass(frozen, module = "brine")]
#[derive(Debug)]
pub(crate) struct Lease {
    verified: Py<Verified>,
    ledger: Arc<Ledger>,
    process: u32,
    lease: Mutex<Option<ReplayLease>>,
    taken_at: Instant,
    is_entered: AtomicBool,
}

#[pymethods]
impl Lease {
    /// What has verified.
    #[getter]
    fn verified(&self, py: Python<'_>) -> Py<Verified> {
        self.verified.clone_ref(py)
    }

    /// Note that the record was handled: no copy of it is given out again. The note is on the disk afterwards.
    ///
    /// Raise `InputOutputError` with the reason `replay-lease-lost` if the lease had run out, and another process took
    /// the record over: then it may have been handled twice. With `replay-locked` nothing has changed: try again.
    fn commit(&self, py: Python<'_>) -> Result<()> {
        self.end(py, LeaseEnd::Committed)
    }

    /// Give the record back: it can be handled again at once, here or elsewhere.
    fn give_back(&self, py: Python<'_>) -> Result<()> {
        self.end(py, LeaseEnd::GivenBack)
    }

    /// Let the lease last from now on as long as a new one.
    fn renew(&self, py: Python<'_>) -> Result<()> {
        self.end(py, LeaseEnd::Renewed)
    }

    /// Give what has verified. Raise `UsageError` if this was done before, or the lease was settled, and
    /// `InputOutputError` with the reason `replay-lease-lost` if it ran out and another process took the record over.
    fn __enter__(&self, py: Python<'_>) -> Result<Py<Verified>> {
        if self.is_entered.swap(true, Ordering::AcqRel) {
            return Err(Failure::usage(ENTERED));
        }
        if self.process != std::process::id() || self.taken_at.elapsed() >= SURELY_HELD {
            self.renew(py)?;
        } else if lock(&self.lease).is_none() {
            return Err(Failure::usage(SETTLED));
        }
        Ok(self.verified(py))
    }

    /// Commit the lease, or give it back if there is an exception. One that was settled stays as it is.
    #[pyo3(signature = (*exception))]
    fn __exit__(&self, py: Python<'_>, exception: &Bound<'_, PyTuple>) -> PyResult<bool> {
        // A child that unwinds owes nothing to the lease of its parent.
        if self.process != std::process::id() || lock(&self.lease).is_none() {
            return Ok(false);
        }
        let raised = exception.get_item(1).ok().filter(|raised| !raised.is_none());
        match raised {
            None => self.commit(py)?,
            Some(raised) => {
                // What was raised matters more. The lease runs out by itself.
                if let Err(error) = self.give_back(py) {
                    raised.call_method1("add_note", (format!("not given back: {error}"),))?;
                }
            }
        }
        Ok(false)
    }

    fn __repr__(&self) -> &'static str {
        if lock(&self.lease).is_some() { "<brine.Lease>" } else { "<brine.Lease, settled>" }
    }
}

impl Lease {
    pub(crate) fn new(verified: Py<Verified>, ledger: Arc<Ledger>, lease: ReplayLease) -> Self {
        let process = std::process::id();
        Self {
            verified,
            ledger,
            process,
            lease: Mutex::new(Some(lease)),
            taken_at: Instant::now(),
            is_entered: AtomicBool::new(false),
        }
    }

    fn end(&self, py: Python<'_>, end: LeaseEnd) -> Result<()> {
        if self.process != std::process::id() {
            return Err(Failure::usage("this lease belongs to the process that took it"));
        }
        Ok(detached(py, || {
            let mut place = lock(&self.lease);
            let Some(lease) = place.take() else { return Err(Refused::usage(SETTLED)) };
            let settled = self.ledger.settle(&lease, end);
            let is_kept = match &settled {
                Ok(()) => end == LeaseEnd::Renewed,
                // Nothing was changed, and it can be tried again.
                Err(refused) => refused.reason == "replay-locked",
            };
            if is_kept {
                *place = Some(lease);
            }
            settled
        })?)
    }
}

/// How long a lease is entered without a question to the database whether it is still held.
const SURELY_HELD: Duration = Duration::from_millis(100);

const ENTERED: &str = "this lease was taken by a with statement before";
const SETTLED: &str = "this lease was committed or given back before";
