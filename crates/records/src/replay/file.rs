//! The file: made, recognised and watched.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use brine_core::key::random;
use brine_core::text::hex;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::bookkeeping::Bookkeeping;
use super::schema;
use crate::ledger::ReplayError;

/// Makes a database, unless the name is taken.
///
/// It is completed under another name and then linked to its own. So no process ever finds half a database,
/// and if several make it at once, one wins.
pub(super) fn create(path: &Path, state: &Bookkeeping) -> Result<(), ReplayError> {
    if fs::symlink_metadata(path).is_ok() {
        return Ok(());
    }
    let draft = DraftFile::new(path)?;
    let mut connection = connect(&draft.0, OpenFlags::SQLITE_OPEN_READ_WRITE, Duration::ZERO)?;
    schema::create(&mut connection, state)?;
    // Closing the last connection moves everything from the log into the file.
    connection.close().map_err(|(_, error)| error)?;
    match fs::hard_link(&draft.0, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(path, error)),
        _ => sync_directory(path),
    }
}

/// Opens an existing database. It is recognised first, which changes nothing.
pub(super) fn open(
    path: &Path,
    flags: OpenFlags,
    busy: Duration,
) -> Result<OpenDatabase, ReplayError> {
    let path = fs::canonicalize(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ReplayError::Missing { path: path.to_owned() },
        _ => failed(path, error),
    })?;
    let before = identity(&path)?;
    recognise(&path, busy)?;
    let connection = connect(&path, flags, busy)?;
    schema::judge(&connection)?;
    let watch = FileWatch::new(&path)?;
    // Makes sure that the file that SQLite opened in between is the one that is watched.
    if watch.files.first().is_none_or(|(_, identity)| *identity != before) {
        return Err(ReplayError::Gone { path });
    }
    Ok(OpenDatabase { connection, watch })
}

/// An open database.
#[derive(Debug)]
pub(super) struct OpenDatabase {
    pub(super) connection: Connection,
    pub(super) watch: FileWatch,
}

/// Tells the open files from others of the same names.
///
/// SQLite goes on writing to a deleted file, where no other process would see it. While the file is open, its
/// inode is not given to another one.
#[derive(Debug)]
pub(super) struct FileWatch {
    files: Vec<(PathBuf, FileIdentity)>,
}

/// Device and inode.
type FileIdentity = (u64, u64);

impl FileWatch {
    fn new(path: &Path) -> Result<Self, ReplayError> {
        let watched = |path: PathBuf| identity(&path).map(|identity| (path, identity));
        let names = [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")];
        Ok(Self { files: names.into_iter().map(watched).collect::<Result<_, _>>()? })
    }

    /// Refuses to go on if a file was moved, deleted or replaced.
    pub(super) fn judge(&self) -> Result<(), ReplayError> {
        let gone = self
            .files
            .iter()
            .find(|(path, opened)| !matches!(identity(path), Ok(found) if found == *opened));
        gone.map_or(Ok(()), |(path, _)| Err(ReplayError::Gone { path: path.clone() }))
    }

    /// Returns the size of the files, including the log.
    pub(super) fn bytes(&self) -> u64 {
        let sizes = self.files.iter().filter_map(|(path, _)| fs::metadata(path).ok());
        sizes.map(|metadata| metadata.len()).fold(0, u64::saturating_add)
    }
}

fn identity(path: &Path) -> Result<FileIdentity, ReplayError> {
    let metadata = fs::metadata(path).map_err(|error| failed(path, error))?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Refuses a file that is no replay database, over a read-only connection.
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
    // The file may come from anywhere: its contents are data, and no part of it is ever run.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Otherwise SQLite compiles a statement anew whenever its numbers change, which takes five times as long.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch(SETTINGS)?;
    Ok(connection)
}

/// A commit is on the disk when it returns, also on macOS, where that takes two settings. Damage is found
/// before it is believed.
const SETTINGS: &str = "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; \
                        PRAGMA checkpoint_fullfsync = ON; PRAGMA cell_size_check = ON; \
                        PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000;";

/// As many statements as this module has.
const STATEMENTS: usize = 64;

/// A file under a temporary name, deleted when this is dropped.
#[derive(Debug)]
struct DraftFile(PathBuf);

impl DraftFile {
    fn new(path: &Path) -> Result<Self, ReplayError> {
        let name = random::<8>().map_err(|error| failed(path, io::Error::other(error)))?;
        let draft = beside(path, &format!(".{}.new", hex(&name)));
        // SQLite gives the files beside this one the same mode.
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft);
        made.map_err(|error| failed(&draft, error))?;
        Ok(Self(draft))
    }
}

impl Drop for DraftFile {
    fn drop(&mut self) {
        for name in [self.0.clone(), beside(&self.0, "-wal"), beside(&self.0, "-shm")] {
            // A file that cannot be deleted is litter, and no reason to fail.
            drop(fs::remove_file(name));
        }
    }
}

/// Makes the name of the file durable, which the file itself already is.
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
