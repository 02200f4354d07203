//! Queues in a process that may fork.

use std::sync::{Arc, Mutex};

use brine_cli::embed::{QueueText, Refused, queue};
use brine_core::Timestamp;
use brine_queue::{AnyLease, AnyLedger, AnyQueue, Delivery, Queue as _, QueuePlace, QueueUrl};
use pyo3::prelude::*;

use crate::fork::{ClosedForForks, detached, register};
use crate::judge::lock;
use crate::of_process::OfProcess;
use crate::patience::{OF_FILE, OF_SERVER, Patience};

/// Where a queue is, and the one connection to it from which all others of the process come.
#[derive(Debug)]
pub(crate) struct QueueSite {
    url: QueueUrl,
    text: QueueText,
    first: Mutex<Option<OfProcess<AnyQueue>>>,
}

/// A queue, which is opened when it is needed.
///
/// No file is open while the process forks: a replay database has the reason. A connection to a server stays the
/// parent's, with the messages that came over it, and a child makes its own.
///
/// One thread works with it at a time. A queue that is read, written and settled by several threads is opened for each.
#[derive(Debug)]
pub(crate) struct OpenQueue {
    site: Arc<QueueSite>,
    place: Mutex<Option<OfProcess<OpenedQueue>>>,
}

/// A queue, with the ledger by which each of its messages is handled once.
#[derive(Debug)]
pub(crate) struct OpenedQueue {
    pub(crate) queue: AnyQueue,
    ledger: Option<AnyLedger>,
    /// A message that was delivered, and could not be judged before the server went away.
    pub(crate) unjudged: Option<Delivery<AnyLease>>,
}

impl QueueSite {
    /// Opens the queue, and makes it if it is not there.
    pub(crate) fn make(py: Python<'_>, url: QueueUrl, text: QueueText) -> PyResult<Arc<Self>> {
        // A server that cannot be reached at all is most often another one than was meant.
        let opened = Patience::None.insist(py, || open(&url, &text, true))?;
        let site = Arc::new(Self { url, text, first: Mutex::new(Some(OfProcess::new(opened))) });
        register(&site);
        Ok(site)
    }

    /// Has a queue that is kept for a time last for that long from now on, and makes it anew if it is gone. Returns
    /// whether it was.
    pub(crate) fn keep(&self, py: Python<'_>, patience: Patience) -> PyResult<bool> {
        let Some(lifetime) = self.text.lifetime else { return Ok(false) };
        patience.insist(py, || {
            match self.another().and_then(|mut queue| Ok(queue.keep_for(lifetime)?)) {
                Ok(true) => return Ok(false),
                Ok(false) => {}
                Err(refused) if refused.reason == "queue-missing" => {}
                Err(refused) => return Err(refused),
            }
            let made = open(&self.url, &self.text, true)?;
            *lock(&self.first) = Some(OfProcess::new(made));
            Ok(true)
        })
    }

    /// Deletes the queue, with all that is in it.
    pub(crate) fn remove(&self, py: Python<'_>, patience: Patience) -> PyResult<()> {
        patience.insist(py, || Ok(self.another()?.remove()?))
    }

    fn another(&self) -> Result<AnyQueue, Refused> {
        let mut place = lock(&self.first);
        if let Some(first) = place.as_mut().and_then(OfProcess::here) {
            return Ok(first.another()?);
        }
        // One that was deleted meanwhile is not made anew. A server that lost all that it had has deleted nothing.
        let is_made = !self.is_in_file() && self.text.lifetime.is_none();
        let opened = open(&self.url, &self.text, is_made)?;
        let another = opened.another()?;
        *place = Some(OfProcess::new(opened));
        Ok(another)
    }

    pub(crate) fn is_in_file(&self) -> bool {
        self.url.place.file().is_some()
    }
}

impl OpenQueue {
    pub(crate) fn new(site: &Arc<QueueSite>) -> Arc<Self> {
        let queue = Arc::new(Self { site: Arc::clone(site), place: Mutex::default() });
        register(&queue);
        queue
    }

    /// Opens it anew, the next time.
    pub(crate) fn reopen(&self, py: Python<'_>) {
        detached(py, || *lock(&self.place) = None);
    }

    /// Works with the queue, without the interpreter, and again while another process has it locked, or while its server
    /// is away. In between, a Ctrl-C is heard, so nothing **may** be in the hands of `work` alone.
    pub(crate) fn with<T: Send>(
        &self,
        py: Python<'_>,
        patience: Patience,
        mut work: impl FnMut(&mut OpenedQueue) -> Result<T, Refused> + Send,
    ) -> PyResult<T> {
        patience.insist(py, || {
            let mut place = lock(&self.place);
            if let Some(opened) = place.as_mut().and_then(OfProcess::here) {
                return work(opened);
            }
            let mut opened = OpenedQueue::of(self.site.another()?);
            let done = work(&mut opened);
            *place = Some(OfProcess::new(opened));
            done
        })
    }
}

impl ClosedForForks for QueueSite {
    fn close(&self) {
        let mut place = lock(&self.first);
        if self.is_in_file() {
            *place = None;
        } else if let Some(first) = place.as_mut().and_then(OfProcess::here) {
            first.close_ledger_file();
        }
    }
}

impl ClosedForForks for OpenQueue {
    fn close(&self) {
        let mut place = lock(&self.place);
        if self.site.is_in_file() {
            *place = None;
        } else if let Some(opened) = place.as_mut().and_then(OfProcess::here) {
            opened.ledger = None;
            opened.queue.close_ledger_file();
        }
    }
}

impl OpenedQueue {
    const fn of(queue: AnyQueue) -> Self {
        Self { queue, ledger: None, unjudged: None }
    }

    /// Returns the ledger. Who only sends needs none.
    pub(crate) fn ledger(&mut self) -> Result<&mut AnyLedger, Refused> {
        let ledger = match self.ledger.take() {
            Some(ledger) => ledger,
            None => self.queue.ledger()?,
        };
        Ok(self.ledger.insert(ledger))
    }
}

fn open(url: &QueueUrl, text: &QueueText, is_made: bool) -> Result<AnyQueue, Refused> {
    let patience = match &url.place {
        QueuePlace::Sqlite(_) => OF_FILE,
        QueuePlace::Server(_) => OF_SERVER,
    };
    queue(url, text, is_made, patience)
}

/// Reads the clock.
pub(crate) fn now() -> Result<Timestamp, Refused> {
    use brine_core::Clock as _;
    let now = brine_cli::embed::JudgingClock::SYSTEM.now().map_err(brine_core::Error::from)?;
    Ok(now)
}
