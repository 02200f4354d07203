//! Replay databases in a process that may fork.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{self, Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use brine_cli::embed::{JudgingClock, Refused, ReplayText, replay_database};
use brine_core::{Clock as _, Error, Timestamp};
use brine_records::replay::{ReplayDatabase, ReplayLease};
use brine_records::{ReplayError, Settled, Subject};

use crate::fork::{ClosedForForks, register};
use crate::judge::lock;

/// A replay database, which is opened when it is needed.
///
/// SQLite counts the locks of a process in the memory of that process. A child would take those of its parent for its
/// own, and the parent, which does not see the child, would delete the log that the child writes. So none is open while
/// the process forks: parent and child open it anew.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    text: ReplayText,
    /// The device and the number of the file that was there.
    file: Option<(u64, u64)>,
    database: Mutex<Option<ReplayDatabase>>,
}

/// All that are open: whoever uses the same database in the same way uses the same connection.
static LEDGERS: Mutex<Vec<Weak<Ledger>>> = Mutex::new(Vec::new());

/// How a lease ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaseEnd {
    Committed,
    GivenBack,
    Renewed,
}

impl Ledger {
    /// Opens the database at `path`, which must be there.
    pub(crate) fn open(path: &Path, text: ReplayText) -> Result<Arc<Self>, Refused> {
        // Later, another directory may be the current one.
        let path = path::absolute(path)
            .map_err(|source| ReplayError::File { path: path.to_owned(), source })?;
        let mut all = lock(&LEDGERS);
        all.retain(|ledger| ledger.strong_count() > 0);
        let file = identity(&path);
        let same = |ledger: &Arc<Self>| {
            ledger.path == path && ledger.text == text && ledger.file == file && file.is_some()
        };
        if let Some(ledger) = all.iter().filter_map(Weak::upgrade).find(same) {
            return Ok(ledger);
        }
        let database = Mutex::new(Some(replay_database(&path, &text)?));
        let ledger = Arc::new(Self { path, text, file, database });
        register(&ledger);
        all.push(Arc::downgrade(&ledger));
        Ok(ledger)
    }

    /// Notes that a record is given out, and refuses one that was before.
    pub(crate) fn once(&self, subject: &Subject) -> Result<(), Refused> {
        self.with(|database, now| database.reserve_and_commit(subject, now))
    }

    /// Keeps a record from all others until its lease ends.
    pub(crate) fn reserve(&self, subject: &Subject) -> Result<ReplayLease, Refused> {
        self.with(|database, now| database.reserve(subject, now)?.into_lease())
    }

    /// Ends a lease, or lets it last longer.
    pub(crate) fn settle(&self, lease: &ReplayLease, end: LeaseEnd) -> Result<(), Refused> {
        self.with(|database, now| {
            let settled = match end {
                LeaseEnd::Committed => database.commit(lease, now)?,
                LeaseEnd::GivenBack => database.give_back(lease, now)?,
                LeaseEnd::Renewed => {
                    let all = database.renew_many(std::slice::from_ref(lease), now)?;
                    all.into_iter().next().unwrap_or(Settled::Lost)
                }
            };
            match settled {
                Settled::Done => Ok(()),
                Settled::Lost => Err(ReplayError::LeaseLost),
            }
        })
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&mut ReplayDatabase, Timestamp) -> Result<T, ReplayError>,
    ) -> Result<T, Refused> {
        let now = JudgingClock::SYSTEM.now().map_err(Error::from)?;
        let mut place = lock(&self.database);
        let database = match &mut *place {
            Some(database) => database,
            None => place.insert(replay_database(&self.path, &self.text)?),
        };
        Ok(work(database, now)?)
    }
}

impl ClosedForForks for Ledger {
    fn close(&self) {
        *lock(&self.database) = None;
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}
