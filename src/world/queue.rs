//! Queues by their URLs.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use brine_core::text::quoted;
use brine_queue::{
    FileError, MAX_MESSAGE_BYTES, QueueBirth, QueueError, QueueOptions, QueueUrl, SqliteQueue,
};
use brine_records::replay::{LEASE, MAX_AGE};

use super::clock::Moment;
use super::end_signals::EndSignals;
use super::input::{Arrived, InputFile};
use super::overwrite_guard::OverwriteGuard;
use super::trail::no_place;
use crate::report::console::remark;
use crate::report::{Failure, QueueFailure};

/// Opens the queue of a URL, or makes it if the options say so.
pub(crate) fn open(url: &QueueUrl, options: QueueOptions) -> Result<SqliteQueue, Failure> {
    open_within(url, options, &Patience::default())
}

/// Does the same, and waits for another process that has locked the file no longer than this.
pub(crate) fn open_within(
    url: &QueueUrl,
    options: QueueOptions,
    patience: &Patience,
) -> Result<SqliteQueue, Failure> {
    opened(url, |open| patience.wait(|| open(options)))
}

/// The same for a caller who tries again by itself while another process has locked the queue.
pub(crate) fn open_at_once(url: &QueueUrl, options: QueueOptions) -> Result<SqliteQueue, Failure> {
    opened(url, |open| open(options))
}

fn opened(
    url: &QueueUrl,
    open: impl FnOnce(
        &dyn Fn(QueueOptions) -> Result<SqliteQueue, QueueError>,
    ) -> Result<SqliteQueue, QueueError>,
) -> Result<SqliteQueue, Failure> {
    let QueueUrl::Sqlite { path, queue } = url;
    let QueueUrl::Sqlite { path: whole, .. } = settled_url(url)?;
    let opened =
        open(&|options| SqliteQueue::open(&whole, queue, options, Arc::new(Moment::System)));
    opened.map_err(|error| not_opened(path, error))
}

/// Returns the same URL with an absolute path. SQLite has a meaning of its own for names like "file:x".
pub(crate) fn settled_url(url: &QueueUrl) -> Result<QueueUrl, Failure> {
    let QueueUrl::Sqlite { path, queue } = url;
    let whole = std::path::absolute(path);
    let whole = whole.map_err(|error| Failure::io(quoted(path).to_string(), error))?;
    Ok(QueueUrl::Sqlite { path: whole, queue: queue.clone() })
}

/// Makes a queue that is not there: nothing was sent before.
pub(crate) fn made() -> QueueOptions {
    QueueOptions { birth: QueueBirth::FromNow, ..QueueOptions::default() }
}

/// The same for those who take messages, with what was typed of leases and ages.
pub(crate) fn made_to_consume(lease: Option<Duration>, max_age: Option<Duration>) -> QueueOptions {
    let (lease, max_age) = (lease.unwrap_or(LEASE), max_age.unwrap_or(MAX_AGE));
    QueueOptions { lease, max_age, ..made_to_look() }
}

/// The same for those who look meanwhile whether they are to end.
pub(crate) fn made_to_look() -> QueueOptions {
    QueueOptions { busy_timeout: LOOK, ..made() }
}

/// How long a queue that is locked is waited for without looking at anything else.
const LOOK: Duration = Duration::from_secs(1);

/// Reads an input that is to fit a message.
pub(crate) fn read_message(input: InputFile) -> Result<Vec<u8>, Failure> {
    let (name, limit) = (input.name().to_owned(), MAX_MESSAGE_BYTES);
    match input.read_up_to(u64::try_from(limit).unwrap_or(u64::MAX))? {
        Arrived::All(content) => Ok(content),
        Arrived::Large(_) => Err(QueueFailure::TooLarge { name, limit }.into()),
    }
}

/// Returns the name of the queue.
pub(crate) fn name(url: &QueueUrl) -> &str {
    let QueueUrl::Sqlite { queue, .. } = url;
    queue.as_str()
}

/// Returns the context of messages: the name of the queue, unless another was typed.
pub(crate) fn context(typed: Option<&String>, url: &QueueUrl) -> String {
    typed.cloned().unwrap_or_else(|| name(url).to_owned())
}

/// Adds the files of a queue to those that nothing else reads or writes.
pub(crate) fn claim(url: &QueueUrl, guard: &mut OverwriteGuard) -> Result<(), Failure> {
    let QueueUrl::Sqlite { path, .. } = url;
    guard.claim_queue(path)
}

/// Tries again while another process has locked the queue, and says so once.
pub(crate) fn patiently<T>(work: impl FnMut() -> Result<T, QueueError>) -> Result<T, QueueError> {
    Patience::default().wait(work)
}

/// For how long another process that has locked the queue is waited for: until a moment, or until a signal asks to end.
/// By default, for ever.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patience {
    pub(crate) signals: Option<EndSignals>,
    pub(crate) until: Option<Instant>,
}

impl Patience {
    /// Does something as soon as nobody has locked the queue.
    pub(crate) fn wait<T>(
        &self,
        mut work: impl FnMut() -> Result<T, QueueError>,
    ) -> Result<T, QueueError> {
        let (begun, mut is_told) = (Instant::now(), false);
        loop {
            match work() {
                Err(QueueError::Locked) if !self.is_over() => {
                    if !is_told && begun.elapsed() >= BEFORE_IT_IS_TOLD {
                        remark(LOCKED);
                        is_told = true;
                    }
                }
                done => return done,
            }
        }
    }

    /// Returns whether a signal asks to end.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.signals.as_ref().is_some_and(EndSignals::have_arrived)
    }

    /// Returns whether nothing is waited for any more.
    pub(crate) fn is_over(&self) -> bool {
        self.is_interrupted() || self.until.is_some_and(|until| Instant::now() >= until)
    }
}

/// How long nothing is said of a queue that is locked.
const BEFORE_IT_IS_TOLD: Duration = Duration::from_secs(4);

/// Does the same on a full disk, too: what is to be done cannot be done later.
pub(crate) fn insistently<T>(
    mut work: impl FnMut() -> Result<T, QueueError>,
) -> Result<T, QueueError> {
    let mut is_told = false;
    loop {
        match patiently(&mut work) {
            Err(QueueError::Full) => {
                if !is_told {
                    remark("waiting for room on the disk of the queue");
                }
                is_told = true;
                sleep(PAUSE);
            }
            done => return done,
        }
    }
}

/// How long a full disk is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// What is said once when a queue has been locked for long.
pub(crate) const LOCKED: &str = "waiting for another process that has locked the queue";

/// Says why a queue cannot be opened: by the name that was typed, if its directory is not there.
fn not_opened(path: &Path, error: QueueError) -> Failure {
    match error {
        QueueError::File(FileError::File { source, .. })
            if source.kind() == ErrorKind::NotFound =>
        {
            no_place(path, source)
        }
        error => error.into(),
    }
}
