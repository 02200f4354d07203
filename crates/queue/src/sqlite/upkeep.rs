//! The file stays as small as what is in it, or nearly.

use std::time::Duration;

use brine_sqlite::SharedFile;
use rusqlite::Connection;

/// From this size on, a log is moved into the file as a whole: 16 MiB. Usually SQLite does so by itself, unless another
/// process always reads.
const LONG_LOG_BYTES: u64 = 0x0100_0000;

/// How long others are waited for meanwhile.
const CHECKPOINT_TIMEOUT: Duration = Duration::from_millis(100);

/// So many free pages are no reason to make the file smaller.
const SPARE_PAGES: u64 = 4096;

/// What this process did for the size of the file.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    /// The length of the log when it could not be emptied.
    stuck_at: u64,
}

impl Upkeep {
    /// Empties a long log. If others use it, that is for the next time.
    pub(super) fn bound_log(&mut self, file: &SharedFile, busy: Duration) {
        let bytes = file.watch().log_bytes();
        if bytes < LONG_LOG_BYTES {
            self.stuck_at = 0;
            return;
        }
        if bytes < self.stuck_at.saturating_add(LONG_LOG_BYTES) {
            return;
        }
        self.stuck_at = bytes;
        let file = file.lock();
        // What fails here is done later, or by others.
        let _ = file.connection.busy_timeout(CHECKPOINT_TIMEOUT);
        let _ = file.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        let _ = file.connection.busy_timeout(busy);
    }

    /// Gives free pages back to the file system, if they are more than half of the file. It is for a consumer that has
    /// nothing else to do.
    pub(super) fn give_back_pages(&self, file: &SharedFile) {
        let file = file.lock();
        let count = |name: &str| -> Result<u64, rusqlite::Error> {
            file.connection.pragma_query_value(None, name, |row| row.get(0))
        };
        let (Ok(free), Ok(all)) = (count("freelist_count"), count("page_count")) else { return };
        if free > SPARE_PAGES && free > all / 2 {
            // What fails here is done later.
            let _ = give_back(&file.connection, SPARE_PAGES);
        }
    }
}

/// Every step of the statement gives back one page.
fn give_back(connection: &Connection, pages: u64) -> Result<(), rusqlite::Error> {
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut steps = statement.query([])?;
    while steps.next()?.is_some() {}
    Ok(())
}
