//! Records that a replay database refused because they were signed before it can remember.

use std::fmt;
use std::path::{Path, PathBuf};

use brine_core::Timestamp;
use brine_core::text::quoted;

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
    pub(crate) records: u64,
}

impl OlderRecords {
    /// Returns what to type, if nobody has released the records before.
    pub(crate) fn hint(&self) -> String {
        let database = word(&self.database);
        let files = ["", "-wal", "-shm"].map(|suffix| {
            let mut file = self.database.clone().into_os_string();
            file.push(suffix);
            word(Path::new(&file))
        });
        let files = files.join(" ");
        let kept = self.kept.as_ref().map(|(file, framing)| (word(file), framing));
        match (self.has_released, kept) {
            (false, None) => format!(
                "if no other database has released them, make it anew, and send them again: \
                 rm -f {files} && brine replay init --accept-older {database}"
            ),
            (false, Some((kept, framing))) => format!(
                "if no other database has released them, make it anew: rm -f {files} && \
                 brine replay init --accept-older {database} && \
                 brine verify --retry {kept} --out {framing} --replay-db {database}"
            ),
            (true, None) => "\"--reject-to FILE\" keeps them; docs/replay.md says how those that no database has \
                 released pass then"
                .to_owned(),
            (true, Some((kept, framing))) => format!(
                "if no other database has released them, another one takes them: \
                 grep replay-unknown {kept} > older && brine replay init --accept-older older.db && \
                 brine verify --retry older --out {framing} --replay-db older.db"
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

/// Writes a path as a word of a shell.
fn word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%:,".contains(c);
    match text.chars().all(is_plain) {
        true => text.into_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

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
                r"--accept-older a/db && brine verify --retry 'it'\''s' --out lines --replay-db a/db",
            ),
            (true, None, "\"--reject-to FILE\" keeps them"),
            (
                true,
                kept(),
                r"grep replay-unknown 'it'\''s' > older && brine replay init --accept-older older.db",
            ),
        ] {
            let (database, from) = (PathBuf::from("a/db"), Timestamp::from_unix(60).unwrap());
            let older = OlderRecords { database, from, has_released, kept, records: 1 };
            assert!(older.hint().contains(expected), "{}", older.hint());
            assert_eq!(older.hint().contains("rm "), !has_released);
            let (said, from) = ("replay database \"a/db\" refused", "1970-01-01T00:01:00Z");
            let expected = format!("{said} the only record, because it was signed before {from}");
            assert_eq!(older.to_string(), expected);
            let several = OlderRecords { records: 2, ..older };
            let expected = format!("{said} all 2 records, because they were signed before {from}");
            assert_eq!(several.to_string(), expected);
        }
    }
}
