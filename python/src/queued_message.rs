//! Messages of a queue that one process has.

use std::sync::{Arc, Mutex};

use brine_cli::embed::Refused;
use brine_queue::{
    AnyLease, AnyRecord, Buried, Queue as _, QueueError, RefusedMessage, Retry, Standing,
};
use brine_records::Settled;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::failure::{Failure, Result};
use crate::judge::lock;
use crate::open_queue::{OpenQueue, OpenedQueue, now};
use crate::patience::Patience;
use crate::queue::seconds;
use crate::taking::TakenMessage;
use crate::verified::Verified;

/// A message of a queue, which nobody else handles until its lease runs out.
#[pyclass(frozen, module = "brine._brine")]
#[derive(Debug)]
pub(crate) struct QueuedMessage {
    content: Py<PyBytes>,
    verified: Option<Py<Verified>>,
    attempt: u64,
    queue: Arc<OpenQueue>,
    process: u32,
    held: Mutex<Option<HeldMessage>>,
}

/// The right to settle a message.
#[derive(Debug)]
struct HeldMessage {
    lease: AnyLease,
    record: Option<AnyRecord>,
}

#[pymethods]
impl QueuedMessage {
    /// The message as it was sent.
    #[getter]
    fn content(&self, py: Python<'_>) -> Py<PyBytes> {
        self.content.clone_ref(py)
    }

    /// What has verified; `None` if nobody verified it.
    #[getter]
    fn verified(&self, py: Python<'_>) -> Option<Py<Verified>> {
        self.verified.as_ref().map(|verified| verified.clone_ref(py))
    }

    /// How often it was delivered, with this time.
    #[getter]
    const fn attempt(&self) -> u64 {
        self.attempt
    }

    /// Whether it is not settled yet.
    #[getter]
    fn is_held(&self) -> bool {
        lock(&self.held).is_some()
    }

    /// Note that it was handled, so that it is never delivered again. Raise `InputOutputError` with the reason
    /// `queue-lease-lost` if it was delivered to somebody else meanwhile.
    fn ack(&self, py: Python<'_>) -> PyResult<()> {
        self.settle(py, |opened, held| {
            Ok(match &held.record {
                Some(record) => opened.queue.commit_and_ack(&[(&held.lease, record)])?,
                None => opened.queue.ack(&[&held.lease])?,
            })
        })
    }

    /// Hand it back, to be delivered again when so many seconds have passed. Without a number, the delay grows with
    /// each attempt.
    #[pyo3(signature = (seconds, why))]
    fn retry(&self, py: Python<'_>, seconds: Option<f64>, why: &str) -> PyResult<()> {
        let delay = match seconds {
            Some(seconds) => self::seconds(seconds)?,
            None => {
                let delay = brine_queue::RetryDelay::default();
                delay.after(self.attempt).map_err(Failure::from)?
            }
        };
        self.settle(py, |opened, held| {
            let settled = opened.queue.retry(&[&held.lease], Retry::tried(delay, why))?;
            give_back(opened, held);
            Ok(settled)
        })
    }

    /// Make it a dead letter, with a reason. One of a handler that failed is kept, and of others a sample is.
    fn dead_letter(
        &self,
        py: Python<'_>,
        reason: &str,
        detail: &str,
        is_of_handler: bool,
    ) -> PyResult<()> {
        let standing = if is_of_handler { Standing::Verified } else { Standing::Unverified };
        self.settle(py, |opened, held| {
            let why = RefusedMessage { reason, detail, standing };
            let buried = opened.queue.dead_letter(&held.lease, &why)?;
            give_back(opened, held);
            Ok(match buried {
                Buried::Done(_) => vec![Settled::Done],
                Buried::Lost => vec![Settled::Lost],
            })
        })
    }

    /// Let the lease last from now on as long as a new one. Return whether the message is still this process's.
    fn renew(&self, py: Python<'_>) -> PyResult<bool> {
        self.queue.with(py, Patience::Endless, |opened| {
            let place = lock(&self.held);
            let Some(HeldMessage { lease, record }) = &*place else { return Ok(false) };
            let settled = opened.queue.extend(&[lease])?;
            let mut is_held = settled.first() == Some(&Settled::Done);
            if let Some(record) = record {
                is_held &= opened.ledger()?.renew(record, now()?)? == Settled::Done;
            }
            Ok(is_held)
        })
    }
}

impl QueuedMessage {
    pub(crate) fn new(
        py: Python<'_>,
        message: TakenMessage,
        context: Option<Arc<str>>,
        queue: Arc<OpenQueue>,
    ) -> PyResult<Self> {
        let TakenMessage { content, attempt, verified, lease, record } = message;
        let verified = verified.map(|(facts, payload)| {
            let payload = PyBytes::new(py, &payload).unbind();
            Py::new(py, Verified::new(Some(payload), facts, context, false))
        });
        Ok(Self {
            content: PyBytes::new(py, &content).unbind(),
            verified: verified.transpose()?,
            attempt,
            queue,
            process: std::process::id(),
            held: Mutex::new(Some(HeldMessage { lease, record })),
        })
    }

    /// Settles the message, once.
    fn settle(
        &self,
        py: Python<'_>,
        end: impl Fn(&mut OpenedQueue, &HeldMessage) -> Result<Vec<Settled>, Refused> + Sync,
    ) -> PyResult<()> {
        if self.process != std::process::id() {
            return Err(Failure::usage(OF_ANOTHER).into());
        }
        self.queue.with(py, Patience::Endless, |opened| {
            let mut place = lock(&self.held);
            let Some(held) = &*place else { return Err(Refused::usage(SETTLED)) };
            let settled = end(opened, held)?;
            *place = None;
            match settled.as_slice() {
                [Settled::Done] => Ok(()),
                _ => Err(QueueError::LeaseLost.into()),
            }
        })
    }
}

/// Lets others handle the record at once. If that fails, they wait until its lease runs out.
fn give_back(opened: &mut OpenedQueue, held: &HeldMessage) {
    if let (Some(record), Ok(ledger), Ok(now)) = (&held.record, opened.ledger(), now()) {
        let _ = ledger.give_back(record, now);
    }
}

const OF_ANOTHER: &str = "this message belongs to the process that took it";
const SETTLED: &str = "this message was settled before";
