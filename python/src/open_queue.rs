//! Queues in a process that may fork.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use brine_cli::embed::{QueueText, Refused, queue};
use brine_core::Timestamp;
use brine_queue::{AnyLedger, AnyQueue, Queue as _, QueueUrl};
use pyo3::prelude::*;

use crate::failure::Failure;
use crate::fork::{ClosedForForks, detached, register};
use crate::judge::lock;

/// A queue, which is opened when it is needed, and never open while the process forks: a replay database has the reason.
///
/// One thread works with it at a time. A queue that is read, written and settled by several threads is opened for each.
#[derive(Debug)]
pub(crate) struct OpenQueue {
    url: QueueUrl,
    text: QueueText,
    place: Mutex<Option<OpenedQueue>>,
}

/// A queue, with the ledger by which each of its messages is handled once.
#[derive(Debug)]
pub(crate) struct OpenedQueue {
    pub(crate) queue: AnyQueue,
    pub(crate) ledger: AnyLedger,
}

impl OpenQueue {
    pub(crate) fn new(url: QueueUrl, text: QueueText) -> Arc<Self> {
        let queue = Arc::new(Self { url, text, place: Mutex::default() });
        register(&queue);
        queue
    }

    /// Makes the queue if it is not there.
    pub(crate) fn make(&self, py: Python<'_>) -> PyResult<()> {
        self.insist(py, || {
            let mut place = lock(&self.place);
            *place = Some(OpenedQueue::open(&self.url, &self.text, true)?);
            Ok(())
        })
    }

    /// Has a queue that is kept for a time last for that long from now on, and makes it anew if it is gone.
    pub(crate) fn keep(&self, py: Python<'_>) -> PyResult<()> {
        let Some(lifetime) = self.text.lifetime else { return Ok(()) };
        self.insist(py, || {
            let mut opened = OpenedQueue::open(&self.url, &self.text, true)?;
            opened.queue.keep_for(lifetime)?;
            *lock(&self.place) = Some(opened);
            Ok(())
        })
    }

    /// Opens it anew, the next time.
    pub(crate) fn reopen(&self, py: Python<'_>) {
        detached(py, || self.close());
    }

    /// Works with the queue, without the interpreter, and again while another process has it locked. In between, a
    /// Ctrl-C is heard, so nothing **may** be in the hands of `work` alone.
    pub(crate) fn with<T: Send>(
        &self,
        py: Python<'_>,
        mut work: impl FnMut(&mut OpenedQueue) -> Result<T, Refused> + Send,
    ) -> PyResult<T> {
        self.insist(py, || {
            let mut place = lock(&self.place);
            let opened = match &mut *place {
                Some(opened) => opened,
                // One that was deleted meanwhile is not made anew.
                None => place.insert(OpenedQueue::open(&self.url, &self.text, false)?),
            };
            work(opened)
        })
    }

    /// Deletes the queue, with all that is in it.
    pub(crate) fn remove(&self, py: Python<'_>) -> PyResult<()> {
        self.insist(py, || {
            let mut place = lock(&self.place);
            *place = None;
            let opened = OpenedQueue::open(&self.url, &self.text, false)?;
            Ok(opened.queue.remove()?)
        })
    }

    fn insist<T: Send>(
        &self,
        py: Python<'_>,
        mut work: impl FnMut() -> Result<T, Refused> + Send,
    ) -> PyResult<T> {
        loop {
            match detached(py, &mut work) {
                Err(refused) if is_locked(&refused) => py.check_signals()?,
                done => return done.map_err(|refused| Failure::from(refused).into()),
            }
        }
    }
}

impl ClosedForForks for OpenQueue {
    fn close(&self) {
        *lock(&self.place) = None;
    }
}

impl OpenedQueue {
    fn open(url: &QueueUrl, text: &QueueText, is_made: bool) -> Result<Self, Refused> {
        let queue = queue(url, text, is_made, PATIENCE)?;
        let ledger = queue.ledger()?;
        Ok(Self { queue, ledger })
    }
}

/// Tries again while another process has the queue locked, but not for ever. It is for work of which a message is lost
/// to others for as long as its lease lasts.
pub(crate) fn patiently<T, E: Into<Refused>>(
    mut work: impl FnMut() -> Result<T, E>,
) -> Result<T, Refused> {
    let mut tries = MOST_TRIES;
    loop {
        match work().map_err(Into::into) {
            Err(refused) if is_locked(&refused) && tries > 0 => tries = tries.saturating_sub(1),
            done => return done,
        }
    }
}

fn is_locked(refused: &Refused) -> bool {
    matches!(refused.reason, "queue-locked" | "replay-locked")
}

/// Reads the clock.
pub(crate) fn now() -> Result<Timestamp, Refused> {
    use brine_core::Clock as _;
    let now = brine_cli::embed::JudgingClock::SYSTEM.now().map_err(brine_core::Error::from)?;
    Ok(now)
}

/// How long another process is waited for before a Ctrl-C is looked for.
const PATIENCE: Duration = Duration::from_millis(200);

/// How often a message that is held waits for another process.
const MOST_TRIES: usize = 50;
