//! The file: how it is made, known again, and watched.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::state::State;
use super::{ReplayError, schema};
use crate::text::hex;

/// Makes a database, unless there is something of that name.
///
/// It is made under another name, whole, and then linked to its own: no process ever finds half of one,
/// and of several that make it at once, one wins.
pub(super) fn create(path: &Path, state: &State) -> Result<(), ReplayError> {
    if fs::symlink_metadata(path).is_ok() {
        return Ok(());
    }
    let draft = Draft::new(path)?;
    let mut connection = connect(&draft.0, OpenFlags::SQLITE_OPEN_READ_WRITE, Duration::ZERO)?;
    schema::create(&mut connection, state)?;
    // The last one to leave moves everything from the log into the file.
    connection.close().map_err(|(_, error)| error)?;
    match fs::hard_link(&draft.0, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(path, error)),
        _ => sync_directory(path),
    }
}

/// Opens a database that is there, after a look at it that changes nothing.
pub(super) fn open(path: &Path, flags: OpenFlags, busy: Duration) -> Result<Opened, ReplayError> {
    let path = fs::canonicalize(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ReplayError::Missing { path: path.to_owned() },
        _ => failed(path, error),
    })?;
    let before = identity(&path)?;
    recognise(&path, busy)?;
    let connection = connect(&path, flags, busy)?;
    schema::judge(&connection)?;
    let watch = Watch::new(&path)?;
    // The file that SQLite opened in between is the one that is watched.
    if watch.files.first().is_none_or(|(_, identity)| *identity != before) {
        return Err(ReplayError::Gone { path });
    }
    Ok(Opened { connection, watch })
}

/// A database that is open.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) watch: Watch,
}

/// Knows the files that were opened from others of the same names.
///
/// SQLite goes on with a file that was deleted, and nobody else would ever see what it writes there. As
/// long as it is open, its number is not given to another file.
#[derive(Debug)]
pub(super) struct Watch {
    files: Vec<(PathBuf, Identity)>,
}

/// Device and inode.
type Identity = (u64, u64);

impl Watch {
    fn new(path: &Path) -> Result<Self, ReplayError> {
        let watched = |path: PathBuf| identity(&path).map(|identity| (path, identity));
        let names = [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")];
        Ok(Self { files: names.into_iter().map(watched).collect::<Result<_, _>>()? })
    }

    /// Refuses to go on if one of them is not where it was.
    pub(super) fn judge(&self) -> Result<(), ReplayError> {
        let gone = self
            .files
            .iter()
            .find(|(path, opened)| !matches!(identity(path), Ok(found) if found == *opened));
        gone.map_or(Ok(()), |(path, _)| Err(ReplayError::Gone { path: path.clone() }))
    }

    /// Returns how many bytes they take, with the log.
    pub(super) fn bytes(&self) -> u64 {
        let sizes = self.files.iter().filter_map(|(path, _)| fs::metadata(path).ok());
        sizes.map(|metadata| metadata.len()).fold(0, u64::saturating_add)
    }
}

fn identity(path: &Path) -> Result<Identity, ReplayError> {
    let metadata = fs::metadata(path).map_err(|error| failed(path, error))?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Refuses a file that is something else, through a connection that could not change it.
fn recognise(path: &Path, busy: Duration) -> Result<(), ReplayError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy)?;
    match schema::is_ours(&connection) {
        Ok(true) => Ok(()),
        Ok(false) => Err(ReplayError::NotADatabase { path: path.to_owned() }),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            Err(ReplayError::NotADatabase { path: path.to_owned() })
        }
        Err(error) => Err(error.into()),
    }
}

fn connect(path: &Path, flags: OpenFlags, busy: Duration) -> Result<Connection, ReplayError> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(busy)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // The file may come from anywhere: what it says is data, and no part of it is ever run.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Without this, a statement is compiled anew whenever its numbers change, and takes five times as long.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch(SETTINGS)?;
    Ok(connection)
}

/// A commit is on the disk when it returns, on macOS too, where that takes asking twice. What is damaged
/// is found before it is believed.
const SETTINGS: &str = "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; \
                        PRAGMA checkpoint_fullfsync = ON; PRAGMA cell_size_check = ON; \
                        PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000;";

/// As many as there are.
const STATEMENTS: usize = 64;

/// A file under a name that nobody looks for, which is gone when this is.
#[derive(Debug)]
struct Draft(PathBuf);

impl Draft {
    fn new(path: &Path) -> Result<Self, ReplayError> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| failed(path, io::Error::other(error)))?;
        let draft = beside(path, &format!(".{}.new", hex(&random)));
        // SQLite gives the files that it makes beside this one the same mode.
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft);
        made.map_err(|error| failed(&draft, error))?;
        Ok(Self(draft))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        for name in [self.0.clone(), beside(&self.0, "-wal"), beside(&self.0, "-shm")] {
            // What cannot be removed is litter, and no reason to fail.
            drop(fs::remove_file(name));
        }
    }
}

/// Without this the name may be lost with the power, though what is in the file would not be.
fn sync_directory(path: &Path) -> Result<(), ReplayError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let synced = File::open(parent).and_then(|directory| directory.sync_all());
    synced.map_err(|error| failed(parent, error))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

fn failed(path: &Path, source: io::Error) -> ReplayError {
    ReplayError::File { path: path.to_owned(), source }
}
