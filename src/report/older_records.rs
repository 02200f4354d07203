//! Records that a replay database refused because they were signed before it can remember.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use brine_core::Timestamp;
use brine_core::text::quoted;
use brine_records::replay::MAX_AGE;

use super::console::typeable_path;
use super::retyped::length;

/// Records that a replay database refused because they were signed before it can remember.
#[derive(Debug)]
pub(crate) struct OlderRecords {
    pub(crate) database: PathBuf,
    /// Records signed before this are refused.
    pub(crate) from: Timestamp,
    /// Whether the database knows of any record. Then a new one in its place would forget that.
    pub(crate) has_released: bool,
    /// Where they were kept, and the framing of what is released.
    pub(crate) kept: Option<(PathBuf, &'static str)>,
    /// The options by which they were judged, each after a space.
    pub(crate) judging: String,
    /// The maximum age of the database.
    pub(crate) max_age: Duration,
    pub(crate) records: u64,
}

impl OlderRecords {
    /// Returns what to type, if nobody has released the records before.
    pub(crate) fn hint(&self) -> String {
        let (database, judging) = (typeable_path(&self.database), &self.judging);
        let files = ["", "-wal", "-shm"].map(|suffix| {
            let mut file = self.database.clone().into_os_string();
            file.push(suffix);
            typeable_path(Path::new(&file))
        });
        let files = files.join(" ");
        let init = match self.max_age {
            MAX_AGE => "brine replay init --accept-older".to_owned(),
            age => format!("brine replay init --accept-older --max-age {}", length(age)),
        };
        let kept = self.kept.as_ref().map(|(file, framing)| (typeable_path(file), framing));
        match (self.has_released, kept) {
            (false, None) => format!(
                "if no other database has released them, make it anew, and send them again: \
                 rm -f {files} && {init} {database}"
            ),
            (false, Some((kept, framing))) => format!(
                "if no other database has released them, make it anew: rm -f {files} && \
                 {init} {database} && \
                 brine verify --retry {kept} --out {framing}{judging} --replay-db {database}"
            ),
            (true, None) => "\"--reject-to FILE\" keeps them; docs/replay.md says how those that no database has \
                 released pass then"
                .to_owned(),
            (true, Some((kept, framing))) => format!(
                "if no other database has released them, another one takes them: \
                 grep replay-unknown {kept} > older && {init} older.db && \
                 brine verify --retry older --out {framing}{judging} --replay-db older.db"
            ),
        }
    }
}

/// Says that there were no others.
impl fmt::Display for OlderRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { database, from, records, .. } = self;
        write!(f, "replay database {} refused ", quoted(database))?;
        match records {
            1 => write!(f, "the only record, because it was signed before {from}"),
            records => write!(f, "all {records} records, because they were signed before {from}"),
        }
    }
}

impl std::error::Error for OlderRecords {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_type_forgets_nothing_that_the_database_knows() {
        let kept = || Some((PathBuf::from("it's"), "lines"));
        for (has_released, kept, expected) in [
            (false, None, "rm -f a/db a/db-wal a/db-shm && brine replay init --accept-older a/db"),
            (
                false,
                kept(),
                r"--accept-older a/db && brine verify --retry 'it'\''s' --out lines -c 'a b' --replay-db a/db",
            ),
            (true, None, "\"--reject-to FILE\" keeps them"),
            (
                true,
                kept(),
                r"grep replay-unknown 'it'\''s' > older && brine replay init --accept-older older.db",
            ),
        ] {
            let (database, from) = (PathBuf::from("a/db"), Timestamp::from_unix(60).unwrap());
            let (judging, max_age) = (" -c 'a b'".to_owned(), MAX_AGE);
            let older =
                OlderRecords { database, from, has_released, kept, judging, max_age, records: 1 };
            assert!(older.hint().contains(expected), "{}", older.hint());
            assert_eq!(older.hint().contains("rm "), !has_released);
            let (said, from) = ("replay database \"a/db\" refused", "1970-01-01T00:01:00Z");
            let expected = format!("{said} the only record, because it was signed before {from}");
            assert_eq!(older.to_string(), expected);
            let several = OlderRecords { records: 2, max_age: MAX_AGE * 7, ..older };
            let expected = format!("{said} all 2 records, because they were signed before {from}");
            assert_eq!(several.to_string(), expected);
            let hint = several.hint();
            let keeps_its_age = hint.contains("init --accept-older --max-age 7d ");
            assert_eq!(keeps_its_age, hint.contains("init"), "{hint}");
        }
    }
}
