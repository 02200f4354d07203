//! What a consumer of a queue shows of its work while it goes on: numbers, a line at a terminal, a line for each message.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use brine_core::{Classified as _, KeyId};
use brine_queue::{AnyQueue, DeadLetters as _, QueueUrl, SourceFigures, stays_queued};
use brine_records::{HandlerFailure, RecordFate, RecordListener, SettledRecord, Subject};
use serde::Serialize;

use crate::args::metrics::MetricsPlace;
use crate::report::Failure;
use crate::report::console::{json_line, remark};
use crate::report::queue_account::QueueAccount;
use crate::report::verdict::SequenceFacts;
use crate::world::clock;
use crate::world::line_file::LineFile;
use crate::world::metrics::{self, NumberFile, Numbers};
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::progress::{Progress, Show};
use crate::world::queue;
use crate::world::whole_records::Care;

/// Where the numbers go.
#[derive(Debug)]
pub(super) enum NumbersPlan {
    Nowhere,
    Address(std::net::SocketAddr),
    File(Output),
}

impl NumbersPlan {
    /// Takes what was typed, and refuses a file that is in use already.
    pub(super) fn of(
        place: Option<&MetricsPlace>,
        guard: &mut OverwriteGuard,
    ) -> Result<Self, Failure> {
        Ok(match place {
            None => Self::Nowhere,
            Some(MetricsPlace::Address(address)) => Self::Address(*address),
            Some(MetricsPlace::File(path)) => {
                Self::File(Output::plan("metrics", Some(path), guard)?)
            }
        })
    }
}

/// Shows what a consumer does. All its threads have a copy.
#[derive(Clone)]
pub(super) struct QueueWatch {
    account: Arc<Mutex<QueueAccount>>,
    figures: Arc<SourceFigures>,
    progress: Arc<Progress>,
    log: Option<Arc<Mutex<MessageLog>>>,
    /// The reasons for which messages stay queued that were told.
    told: Arc<Mutex<BTreeSet<String>>>,
    /// Is written for the last time when the last copy goes.
    _numbers: Option<Arc<NumberFile>>,
}

impl QueueWatch {
    /// Begins to count, and to show the numbers of this queue.
    pub(super) fn begin(
        url: &QueueUrl,
        queue: &AnyQueue,
        plan: NumbersPlan,
        show: Show,
    ) -> Result<Self, Failure> {
        let (account, figures, told) = Default::default();
        let progress = Arc::new(Progress::start(None, show));
        let mut watch = Self { account, figures, progress, log: None, told, _numbers: None };
        match plan {
            NumbersPlan::Nowhere => {}
            NumbersPlan::Address(address) => metrics::serve(address, watch.numbers(url, queue)?)?,
            NumbersPlan::File(output) => {
                let file = NumberFile::keep(output, watch.numbers(url, queue)?)?;
                watch._numbers = Some(Arc::new(file));
            }
        }
        Ok(watch)
    }

    /// Writes a line for each message, too.
    pub(super) fn logging(self, log: Option<MessageLog>) -> Self {
        Self { log: log.map(|log| Arc::new(Mutex::new(log))), ..self }
    }

    /// Returns what makes the text for Prometheus.
    fn numbers(&self, url: &QueueUrl, queue: &AnyQueue) -> Result<Numbers, Failure> {
        use brine_queue::Queue as _;
        let mut queue = queue::patiently(|| queue.another())?;
        let name = queue::name(url).to_owned();
        let (account, figures) = (Arc::clone(&self.account), Arc::clone(&self.figures));
        Ok(Box::new(move || {
            // Where another process has locked the queue, what it says of itself is left out.
            let status = queue.status().ok().zip(clock::read().ok());
            let account = account.lock().unwrap_or_else(PoisonError::into_inner);
            account.exposition(&name, &figures, status)
        }))
    }

    pub(super) fn figures(&self) -> &Arc<SourceFigures> {
        &self.figures
    }

    /// Changes what is counted, and draws it for a person.
    pub(super) fn count(&self, change: impl FnOnce(&mut QueueAccount)) {
        let mut account = self.account();
        change(&mut account);
        self.progress.show_line(|| account.line(self.figures.in_flight()));
    }

    /// Returns what to tell a person of a message that stays queued, the first time that one does for this reason: from
    /// outside, it looks as if nobody took it.
    pub(super) fn first_that_stays(&self, reason: &str, why: &dyn Display) -> Option<String> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !told.insert(reason.to_owned()) {
            return None;
        }
        let hint = match reason {
            "replay-unknown" => "; docs/queues.md says how to take what nobody handled before",
            _ => "",
        };
        Some(format!("a message stays queued, and is looked at again later: {why}{hint}"))
    }

    fn account(&self) -> MutexGuard<'_, QueueAccount> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether no more is to be done, because the log cannot be written.
    pub(super) fn has_failed(&self) -> bool {
        let failed = |log: &Arc<Mutex<MessageLog>>| {
            log.lock().unwrap_or_else(PoisonError::into_inner).failure.is_some()
        };
        self.log.as_ref().is_some_and(failed)
    }

    /// Returns why the log could not be written, if it could not.
    pub(super) fn log_failure(&self) -> Option<Failure> {
        let log = self.log.as_ref()?;
        log.lock().unwrap_or_else(PoisonError::into_inner).failure.take()
    }
}

impl RecordListener for QueueWatch {
    fn settled(&mut self, record: &SettledRecord<'_>) {
        self.count(|account| account.count(record));
        if let RecordFate::Refused(why) = record.fate
            && stays_queued(why)
        {
            self.first_that_stays(why.reason(), why).iter().for_each(|line| remark(line));
        }
        if let Some(log) = &self.log {
            log.lock().unwrap_or_else(PoisonError::into_inner).write(record);
        }
    }
}

/// A file with a line of JSON for each message.
pub(super) struct MessageLog {
    file: LineFile,
    queue: String,
    name_of: Box<dyn Fn(KeyId) -> Option<String> + Send>,
    failure: Option<Failure>,
}

/// The version of the form; docs/queues.md describes it.
const SCHEMA: &str = "brine.message/1";

/// What became of a message.
#[derive(Serialize)]
struct MessageLine<'a> {
    schema: &'static str,
    time: Option<String>,
    queue: &'a str,
    outcome: &'static str,
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<SequenceFacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl MessageLog {
    /// Opens the file. `name_of` says who is believed by a key.
    pub(super) fn open(
        path: &Path,
        url: &QueueUrl,
        name_of: impl Fn(KeyId) -> Option<String> + Send + 'static,
    ) -> Result<Self, Failure> {
        let (file, queue) = (LineFile::open(path)?, queue::name(url).to_owned());
        Ok(Self { file, queue, name_of: Box::new(name_of), failure: None })
    }

    /// Writes what became of a message. The first failure is kept.
    fn write(&mut self, record: &SettledRecord<'_>) {
        let (outcome, key, failed) = match record.fate {
            RecordFate::Released(key) => ("released", Some(key), None),
            RecordFate::Repeated => ("repeated", None, None),
            RecordFate::Refused(why) => ("refused", None, Some((why.reason(), why.to_string()))),
            RecordFate::Retried(key, why) => {
                ("retried", Some(key), Some((HandlerFailure::reason(why), why.to_string())))
            }
        };
        let line = json_line(&MessageLine {
            schema: SCHEMA,
            time: clock::read().ok().map(|now| now.to_string()),
            queue: &self.queue,
            outcome,
            bytes: record.bytes,
            key_id: key.map(|key| key.to_string()),
            signer: key.and_then(|key| (self.name_of)(key)),
            sequence: record.subject.and_then(Subject::sequence).map(SequenceFacts::of),
            reason: failed.as_ref().map(|(reason, _)| *reason),
            message: failed.as_ref().map(|(_, message)| message.clone()),
        });
        if let Err(failure) = self.file.append(&[line], Care::Ordinary) {
            self.failure.get_or_insert(failure);
        }
    }
}
