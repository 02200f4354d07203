//! Queues of signed messages.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use brine_cli::embed::{QueueText, queue_url};
use brine_queue::{AnySent, Queue as _, QueueName, QueueUrl};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buffer::Frozen;
use crate::failure::{Failure, Result, warn};
use crate::moment::LengthText;
use crate::open_queue::{OpenQueue, QueueSite};
use crate::patience::Patience;
use crate::queued_message::QueuedMessage;
use crate::taking::{Taken, take};
use crate::verifier::Verifier;

/// A queue, by its URL.
///
/// It can be shared by threads, and used after a fork.
#[pyclass(frozen, module = "brine._brine")]
#[derive(Debug)]
pub(crate) struct Queue {
    url: QueueUrl,
    site: Arc<QueueSite>,
    receiving: Arc<OpenQueue>,
    sending: Arc<OpenQueue>,
    settling: Arc<OpenQueue>,
    is_woken: AtomicBool,
    /// The reasons for which messages stay queued that were told.
    told: Mutex<BTreeSet<&'static str>>,
}

/// A message that was sent, for its sender.
#[pyclass(frozen, module = "brine._brine")]
#[derive(Debug)]
pub(crate) struct Sent(AnySent);

#[pymethods]
impl Queue {
    /// Open a queue, and make it if it is not there. A server that cannot be reached is said at once. `lease` is how long others leave a message to a process that dies;
    /// messages are accepted up to the age `max_age`. A queue that is made is kept for `lifetime` seconds, or for good.
    #[new]
    #[pyo3(signature = (url, *, lease=None, max_age=None, lifetime=None))]
    fn new(
        py: Python<'_>,
        url: &str,
        lease: Option<LengthText>,
        max_age: Option<LengthText>,
        lifetime: Option<f64>,
    ) -> PyResult<Self> {
        let url = queue_url(url).map_err(Failure::from)?;
        let text = QueueText {
            lease: lease.map(|text| text.0),
            max_age: max_age.map(|text| text.0),
            lifetime: lifetime.map(seconds).transpose()?,
        };
        let site = QueueSite::make(py, url.clone(), text)?;
        let [receiving, sending, settling] = [(); 3].map(|()| OpenQueue::new(&site));
        let (is_woken, told) = Default::default();
        Ok(Self { url, site, receiving, sending, settling, is_woken, told })
    }

    /// The name of the queue.
    #[getter]
    fn name(&self) -> &str {
        self.url.queue.as_str()
    }

    /// How long a lease lasts that is not renewed, in seconds.
    #[getter]
    fn lease_seconds(&self, py: Python<'_>) -> PyResult<f64> {
        self.settling
            .with(py, Patience::Endless, |opened| Ok(opened.queue.lease_length().as_secs_f64()))
    }

    /// The URL of another queue beside this one.
    fn beside(&self, name: &str) -> Result<String> {
        let queue = QueueName::new(name);
        let queue = queue.map_err(|error| Failure::usage(&error.to_string()))?;
        Ok(self.url.beside(queue).to_string())
    }

    /// Put messages on the queue, all or none. They are kept when this returns: in a file they are on the disk. A server
    /// that is away is waited for.
    fn publish(&self, py: Python<'_>, messages: Vec<Frozen>) -> PyResult<()> {
        let messages: Vec<&[u8]> = messages.iter().map(AsRef::as_ref).collect();
        self.sending.with(py, Patience::Endless, |opened| Ok(opened.queue.publish(&messages)?))
    }

    /// Put a message on the queue that is delivered when so many seconds have passed, and can be taken back.
    #[pyo3(signature = (message, *, delay=0.0))]
    fn send(&self, py: Python<'_>, message: Frozen, delay: f64) -> PyResult<Sent> {
        let delay = seconds(delay)?;
        let sent = self.sending.with(py, Patience::Endless, |opened| {
            Ok(opened.queue.send(message.to_vec(), delay)?)
        });
        sent.map(Sent)
    }

    /// Take a message back that nobody began to work on. Return whether it was there. A server that is away is
    /// waited for briefly.
    fn withdraw(&self, py: Python<'_>, message: &Sent) -> PyResult<bool> {
        self.sending.with(py, Patience::brief(), |opened| Ok(opened.queue.withdraw(&message.0)?))
    }

    /// Wait for a message, for so many seconds. A server that is away is waited for as long; then raise
    /// `InputOutputError` with the reason `queue-connection`.
    ///
    /// With a verifier, a message is returned once it has verified and the ledger of the queue says that nobody handled
    /// it. One that is refused becomes a dead letter: return the error and its bytes. It also becomes one if it was
    /// delivered more than `attempts` times and nobody settled it. Without a verifier, a message is returned as it is.
    #[pyo3(signature = (verifier, seconds=None, *, attempts=5))]
    fn receive<'py>(
        &self,
        py: Python<'py>,
        verifier: Option<&Verifier>,
        seconds: Option<f64>,
        attempts: u64,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let wait = seconds.map(self::seconds).transpose()?;
        let longest = if self.site.is_in_file() { LOOK } else { LOOK_AT_SERVER };
        let (begun, patience) = (Instant::now(), Patience::within(wait));
        loop {
            let left = wait.map(|wait| wait.saturating_sub(begun.elapsed()));
            let look = left.map_or(longest, |left| left.min(longest));
            let taken = self.receiving.with(py, patience, |opened| {
                take(opened, verifier.map(|verifier| &verifier.judge), look, attempts)
            })?;
            match taken {
                Taken::Nothing if left.is_some_and(|left| left.is_zero()) => return Ok(None),
                Taken::Nothing if self.is_woken.swap(false, Ordering::AcqRel) => return Ok(None),
                Taken::Nothing | Taken::PassedOver => py.check_signals()?,
                Taken::Stays(reason, why) => self.tell(py, reason, &why)?,
                Taken::Refused(refused, content) => {
                    let error = PyErr::from(Failure::from(refused)).into_value(py);
                    return Ok(Some(
                        (error, PyBytes::new(py, &content)).into_pyobject(py)?.into_any(),
                    ));
                }
                Taken::Message(message) => {
                    let context = verifier.and_then(|verifier| verifier.context.clone());
                    let message =
                        QueuedMessage::new(py, *message, context, Arc::clone(&self.settling))?;
                    return Ok(Some(Bound::new(py, message)?.into_any()));
                }
            }
        }
    }

    /// Have `receive` return soon: the one that waits, or the next one.
    fn wake(&self) {
        self.is_woken.store(true, Ordering::Release);
    }

    /// Have the queue last for its lifetime from now on, and make it anew if it is gone.
    fn keep(&self, py: Python<'_>) -> PyResult<()> {
        if self.site.keep(py, Patience::Endless)? {
            // One that was made anew is another one.
            let all = [&self.receiving, &self.sending, &self.settling];
            all.into_iter().for_each(|queue| queue.reopen(py));
        }
        Ok(())
    }

    /// Delete the queue with all that is in it. The file stays. A server that is away is waited for briefly.
    fn remove(&self, py: Python<'_>) -> PyResult<()> {
        self.site.remove(py, Patience::brief())
    }

    fn __repr__(&self) -> String {
        format!("<queue {}>", self.url)
    }
}

impl Queue {
    /// Warns of a message that stays queued, the first time that one does for this reason: from outside, it looks as if
    /// nobody took it.
    fn tell(&self, py: Python<'_>, reason: &'static str, why: &str) -> PyResult<()> {
        match self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(reason) {
            true => {
                warn(py, &format!("a message stays queued, and is looked at again later: {why}"))
            }
            false => py.check_signals(),
        }
    }
}

/// Reads a number of seconds. Less than nothing is nothing.
pub(crate) fn seconds(seconds: f64) -> PyResult<Duration> {
    let read = Duration::try_from_secs_f64(seconds.max(0.0));
    read.map_err(|error| PyValueError::new_err(error.to_string()))
}

/// How long a queue is waited for at once. A fork waits for it, and so does a Ctrl-C.
const LOOK: Duration = Duration::from_millis(100);

/// The same of a server, to which each look is a question.
const LOOK_AT_SERVER: Duration = Duration::from_millis(500);
