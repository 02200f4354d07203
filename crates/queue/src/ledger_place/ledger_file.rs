//! Ledgers in an SQLite file, for the consumers of one machine.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use brine_core::Timestamp;
use brine_records::Settled;
use brine_records::replay::embedded::{self, LEDGER_TABLES, LedgerScope};
use brine_records::replay::{ReplayDatabase, ReplayLease};
use brine_sqlite::{Durability, FileSchema, SharedFile};
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};

use super::{Ends, LedgerNotes, LedgerPlace, MessageKey, NotedFigures};
use crate::error::QueueError;
use crate::options::QueueOptions;
use crate::url::QueueName;

/// What the file holds: notes, and the tables of ledgers.
const SCHEMA: FileSchema = FileSchema {
    // "brnL"
    application_id: 0x6272_6e4c,
    version: 1,
    parts: &[TABLES, LEDGER_TABLES],
    gives_back_pages: false,
};

/// Messages that were begun and are not settled, and how often messages ended in which way: acknowledged where the
/// reason is empty.
const TABLES: &[&str] = &[
    "CREATE TABLE begun (queue TEXT NOT NULL, message BLOB NOT NULL, at INTEGER NOT NULL, \
     PRIMARY KEY (queue, message)) STRICT, WITHOUT ROWID",
    "CREATE TABLE ended (queue TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL, \
     PRIMARY KEY (queue, reason)) STRICT, WITHOUT ROWID",
];

/// An SQLite file with the ledgers of any number of queues.
#[derive(Clone, Debug)]
pub struct SqliteLedgerPlace {
    file: Arc<LedgerFile>,
}

/// Notes beside the ledger of one queue.
#[derive(Debug)]
pub struct SqliteNotes {
    file: Arc<LedgerFile>,
    queue: String,
}

/// The file, which is open but for the time of a fork.
#[derive(Debug)]
struct LedgerFile {
    path: PathBuf,
    busy_timeout: Duration,
    open: Mutex<Option<SharedFile>>,
}

impl SqliteLedgerPlace {
    /// Opens a file, or makes one as the options say.
    ///
    /// # Errors
    ///
    /// [`QueueError::File`] for what cannot be such a file, or is not reached safely by this name; failures of the system.
    pub fn open(path: &Path, options: &QueueOptions, now: Timestamp) -> Result<Self, QueueError> {
        let max_age = options.max_age.min(Duration::from_secs(Timestamp::MAX.unix()));
        if let Some(floor) = options.birth.floor(now) {
            brine_sqlite::create(path, &SCHEMA, |connection| -> Result<(), QueueError> {
                Ok(embedded::create_ledger(connection, now, floor, max_age)?)
            })?;
        }
        let (path, busy_timeout) = (path.to_owned(), options.busy_timeout);
        let place =
            Self { file: Arc::new(LedgerFile { path, busy_timeout, open: Mutex::default() }) };
        let file = place.file.open()?;
        let known = embedded::max_age(&file.lock().connection)?;
        if known < max_age {
            write(&file, Durability::OnDisk, |connection| {
                Ok(embedded::allow_age(connection, max_age)?)
            })?;
        }
        Ok(place)
    }

    /// Closes the file, because the process forks, until it is needed again. A [`ReplayDatabase`] of it keeps it open: it
    /// **must** be dropped before.
    pub fn close(&self) {
        *self.file.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl LedgerFile {
    fn open(&self) -> Result<SharedFile, QueueError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &*open {
            return Ok(file.clone());
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let file = brine_sqlite::open(&self.path, &SCHEMA, flags, self.busy_timeout)?;
        Ok(open.insert(file).clone())
    }
}

impl LedgerPlace for SqliteLedgerPlace {
    type Ledger = ReplayDatabase;
    type Notes = SqliteNotes;

    fn ledger(&self, queue: &QueueName, lease: Duration) -> Result<ReplayDatabase, QueueError> {
        let file = self.file.open()?;
        Ok(ReplayDatabase::within(file, LedgerScope::new(queue.as_str()), lease))
    }

    fn notes(&self, queue: &QueueName) -> Result<SqliteNotes, QueueError> {
        let file = Arc::clone(&self.file);
        Ok(SqliteNotes { file, queue: queue.as_str().to_owned() })
    }
}

impl LedgerNotes for SqliteNotes {
    type Lease = ReplayLease;

    fn commit(
        &mut self,
        records: &[&ReplayLease],
        now: Timestamp,
    ) -> Result<Vec<Settled>, QueueError> {
        write(&self.file.open()?, Durability::OnDisk, |connection| {
            Ok(embedded::commit_within(connection, records, now)?)
        })
    }

    fn begin(
        &mut self,
        message: &MessageKey,
        record: &ReplayLease,
        now: Timestamp,
    ) -> Result<Settled, QueueError> {
        let queue = &self.queue;
        write(&self.file.open()?, Durability::OnDisk, |connection| {
            let settled = embedded::commit_within(connection, &[record], now)?;
            if settled != [Settled::Done] {
                return Ok(Settled::Lost);
            }
            // A record that is older is refused by its age.
            let oldest = now.unix().saturating_sub(embedded::max_age(connection)?.as_secs());
            let sql = "DELETE FROM begun WHERE at < ?1";
            connection.prepare_cached(sql)?.execute(params![oldest])?;
            let sql = "INSERT OR REPLACE INTO begun VALUES (?1, ?2, ?3)";
            connection.prepare_cached(sql)?.execute(params![queue, message.0, now.unix()])?;
            Ok(Settled::Done)
        })
    }

    fn begun(&mut self, messages: &[MessageKey]) -> Result<Vec<bool>, QueueError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM begun WHERE queue = ?1 AND message = ?2)";
        let file = self.file.open()?;
        let open = file.lock();
        let mut statement = open.connection.prepare_cached(sql)?;
        let found = messages
            .iter()
            .map(|message| statement.query_row(params![self.queue, message.0], |row| row.get(0)))
            .collect::<Result<_, _>>()?;
        drop(statement);
        drop(open);
        file.watch().judge()?;
        Ok(found)
    }

    fn end(&mut self, begun: &[MessageKey], ends: Ends<'_>) -> Result<(), QueueError> {
        let queue = &self.queue;
        // What anybody can send costs no wait for the disk.
        let durability = match ends {
            Ends::Acknowledged(_) | Ends::Discarded => Durability::OnDisk,
            Ends::Refused(_) => Durability::Later,
        };
        let (reason, count) = match ends {
            Ends::Acknowledged(count) => ("", count),
            Ends::Discarded => ("", 0),
            Ends::Refused(reason) => (reason, 1),
        };
        write(&self.file.open()?, durability, |connection| {
            let mut statement =
                connection.prepare_cached("DELETE FROM begun WHERE queue = ?1 AND message = ?2")?;
            for message in begun {
                statement.execute(params![queue, message.0])?;
            }
            let sql = "INSERT INTO ended VALUES (?1, ?2, ?3) \
                       ON CONFLICT (queue, reason) DO UPDATE SET count = count + ?3";
            connection.prepare_cached(sql)?.execute(params![queue, reason, count])?;
            Ok(())
        })
    }

    fn figures(&mut self) -> Result<NotedFigures, QueueError> {
        let sql = "SELECT reason, count FROM ended WHERE queue = ?1 ORDER BY reason";
        let file = self.file.open()?;
        let open = file.lock();
        let mut statement = open.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![self.queue], |row| Ok((row.get(0)?, row.get(1)?)));
        let mut refused: Vec<(String, u64)> = rows?.collect::<Result<_, _>>()?;
        let acknowledged = match refused.first() {
            Some((reason, count)) if reason.is_empty() => *count,
            _ => 0,
        };
        refused.retain(|(reason, _)| !reason.is_empty());
        Ok(NotedFigures { acknowledged, refused })
    }
}

/// Changes the file in one transaction, or not at all.
fn write<T>(
    file: &SharedFile,
    durability: Durability,
    work: impl FnOnce(&Connection) -> Result<T, QueueError>,
) -> Result<T, QueueError> {
    let mut open = file.lock();
    open.set_durability(durability)?;
    let immediate = TransactionBehavior::Immediate;
    let transaction = open.connection.transaction_with_behavior(immediate)?;
    let outcome = work(&transaction)?;
    transaction.commit()?;
    drop(open);
    // Afterwards, and not before: a file that is still there now was there when it was written.
    file.watch().judge()?;
    Ok(outcome)
}
