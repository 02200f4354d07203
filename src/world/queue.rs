//! Queues by their URLs.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use brine_core::text::quoted;
use brine_queue::{
    AnyQueue, FileError, MAX_MESSAGE_BYTES, QueueBirth, QueueError, QueueOptions, QueuePlace,
    QueueUrl, ServerSecrets,
};
use brine_records::replay::{LEASE, MAX_AGE};

use super::clock::Moment;
use super::end_signals::EndSignals;
use super::input::{Arrived, InputFile};
use super::overwrite_guard::OverwriteGuard;
use super::server_secrets;
use super::trail::no_place;
use crate::report::console::remark;
use crate::report::{Failure, QueueFailure};

/// Opens the queue of a URL, or makes it if the options say so.
pub(crate) fn open(url: &QueueUrl, options: QueueOptions) -> Result<AnyQueue, Failure> {
    open_within(url, options, &Patience::default())
}

/// Does the same, and waits for another process that has locked it no longer than this.
pub(crate) fn open_within(
    url: &QueueUrl,
    options: QueueOptions,
    patience: &Patience,
) -> Result<AnyQueue, Failure> {
    // A server that cannot be reached at all is most often another one than was meant.
    opened(url, |open| patience.wait_while(is_locked, || open(options)))
}

/// The same for a caller who tries again by itself while another process has locked the queue.
pub(crate) fn open_at_once(url: &QueueUrl, options: QueueOptions) -> Result<AnyQueue, Failure> {
    opened(url, |open| open(options))
}

fn opened(
    url: &QueueUrl,
    open: impl FnOnce(
        &dyn Fn(QueueOptions) -> Result<AnyQueue, QueueError>,
    ) -> Result<AnyQueue, QueueError>,
) -> Result<AnyQueue, Failure> {
    let whole = settled_url(url)?;
    let secrets = match &whole.place {
        QueuePlace::Server(server) => server_secrets::read(server)?,
        QueuePlace::Sqlite(_) => ServerSecrets::default(),
    };
    let clock = || Arc::new(Moment::System);
    let opened = open(&|options| AnyQueue::open(&whole, &secrets, options, clock()));
    opened.map_err(|error| not_opened(url.place.file(), error))
}

/// Returns the same URL with absolute paths. SQLite has a meaning of its own for names like "file:x".
pub(crate) fn settled_url(url: &QueueUrl) -> Result<QueueUrl, Failure> {
    let mut url = url.clone();
    match &mut url.place {
        QueuePlace::Sqlite(path) => settle(path)?,
        QueuePlace::Server(server) => {
            let files = [
                &mut server.password_file,
                &mut server.credentials_file,
                &mut server.ca_file,
                &mut server.ledger_file,
            ];
            files.into_iter().flatten().try_for_each(settle)?;
        }
    }
    Ok(url)
}

fn settle(path: &mut PathBuf) -> Result<(), Failure> {
    let whole = std::path::absolute(&*path);
    *path = whole.map_err(|error| Failure::io(quoted(path).to_string(), error))?;
    Ok(())
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
    url.queue.as_str()
}

/// Returns the context of messages: the name of the queue, unless another was typed.
pub(crate) fn context(typed: Option<&String>, url: &QueueUrl) -> String {
    typed.cloned().unwrap_or_else(|| name(url).to_owned())
}

/// Adds the files of a queue to those that nothing else reads or writes.
pub(crate) fn claim(url: &QueueUrl, guard: &mut OverwriteGuard) -> Result<(), Failure> {
    url.place.file().map_or(Ok(()), |path| guard.claim_queue(path))
}

/// Tries again while another process has locked the queue, or while its server is away, and says so once.
pub(crate) fn patiently<T>(work: impl FnMut() -> Result<T, QueueError>) -> Result<T, QueueError> {
    Patience::default().wait(work)
}

/// For how long another process that has locked the queue, or its server, is waited for: until a moment, or until a
/// signal asks to end. By default, for ever.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patience {
    pub(crate) signals: Option<EndSignals>,
    pub(crate) until: Option<Instant>,
}

impl Patience {
    /// Does something as soon as nobody has locked the queue, and its server is there.
    pub(crate) fn wait<T>(
        &self,
        work: impl FnMut() -> Result<T, QueueError>,
    ) -> Result<T, QueueError> {
        self.wait_while(QueueError::may_pass, work)
    }

    fn wait_while<T>(
        &self,
        may_pass: impl Fn(&QueueError) -> bool,
        mut work: impl FnMut() -> Result<T, QueueError>,
    ) -> Result<T, QueueError> {
        let mut long_wait = LongWait::default();
        loop {
            match work() {
                Err(error) if may_pass(&error) && !self.is_over() => long_wait.tell(&error),
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

/// A wait for another process or a server, of which a person is told once.
#[derive(Debug, Default)]
pub(crate) struct LongWait {
    since: Option<Instant>,
    is_told: bool,
}

impl LongWait {
    /// Says what is waited for, if that has lasted long.
    pub(crate) fn tell(&mut self, error: &QueueError) {
        let since = *self.since.get_or_insert_with(Instant::now);
        if self.is_told || since.elapsed() < BEFORE_IT_IS_TOLD {
            return;
        }
        self.is_told = true;
        match error {
            QueueError::Locked => remark("waiting for another process that has locked the queue"),
            error => remark(&format!("waiting for the server of the queue: {error}")),
        }
    }
}

const fn is_locked(error: &QueueError) -> bool {
    matches!(error, QueueError::Locked)
}

/// How long nothing is said of a queue that is waited for.
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

/// Says why a queue cannot be opened: by the name that was typed, if its directory is not there.
fn not_opened(path: Option<&Path>, error: QueueError) -> Failure {
    match (error, path) {
        (QueueError::File(FileError::File { source, .. }), Some(path))
            if source.kind() == ErrorKind::NotFound =>
        {
            no_place(path, source)
        }
        (error, _) => error.into(),
    }
}
