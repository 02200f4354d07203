//! The file: made, recognised and watched.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use brine_core::key::random;
use brine_core::text::hex;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

use super::bookkeeping::Bookkeeping;
use super::file_identity::FileIdentity;
use super::schema;
use crate::ledger::ReplayError;

/// Makes a database, unless the name is taken.
///
/// It is completed under another name and then gets its own. So no process ever finds half a database, and if
/// several make it at once, one wins. Where files of another database lie beside the name, none is made.
pub(super) fn create(path: &Path, state: &Bookkeeping) -> Result<(), ReplayError> {
    if fs::symlink_metadata(path).is_ok() {
        return Ok(());
    }
    refuse_leftovers(path)?;
    let draft = DraftFile::new(path)?;
    let mut connection = connect(&draft.0, OpenFlags::SQLITE_OPEN_READ_WRITE, Duration::ZERO)?;
    schema::create(&mut connection, state)?;
    // Closing the last connection moves everything from the log into the file.
    connection.close().map_err(|(_, error)| error)?;
    refuse_leftovers(path)?;
    match draft.take_name(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(path, error)),
        _ => sync_directory(path),
    }
}

/// Refuses to give a new database the log of an old one, whose pages SQLite would take for its own. The old one was
/// deleted while it was in use.
///
/// A process writes to a log only while the database has its name. So a log with anything in it is there before the
/// name is free, and nobody makes another one until the name is taken again.
fn refuse_leftovers(path: &Path) -> Result<(), ReplayError> {
    for suffix in SIBLINGS {
        let sibling = beside(path, suffix);
        match fs::symlink_metadata(&sibling) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&sibling, error)),
            // Somebody else has made the database meanwhile, and uses it.
            Ok(_) if fs::symlink_metadata(path).is_ok() => {}
            Ok(_) => return Err(ReplayError::Leftover { path: sibling }),
        }
    }
    Ok(())
}

/// Opens an existing database. It is recognised first, which changes nothing.
pub(super) fn open(
    path: &Path,
    flags: OpenFlags,
    busy: Duration,
) -> Result<OpenDatabase, ReplayError> {
    let name = std::path::absolute(path).map_err(|error| failed(path, error))?;
    let path = fs::canonicalize(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ReplayError::Missing { path: path.to_owned() },
        _ => failed(path, error),
    })?;
    let before = FileIdentity::of(&path)?;
    recognise(&path, busy)?;
    let connection = connect(&path, flags, busy)?;
    schema::judge(&connection)?;
    let watch = FileWatch::new(name, &path)?;
    // Makes sure that the file that SQLite opened in between is the one that is watched.
    if watch.files.iter().take(2).any(|(_, found)| *found != before) {
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
    /// The name that was typed, which may be a symbolic link, then the files that it leads to.
    files: Vec<(PathBuf, FileIdentity)>,
}

impl FileWatch {
    fn new(name: PathBuf, path: &Path) -> Result<Self, ReplayError> {
        let watched = |path: PathBuf| FileIdentity::of(&path).map(|identity| (path, identity));
        let names = [name, path.to_owned(), beside(path, "-wal"), beside(path, "-shm")];
        Ok(Self { files: names.into_iter().map(watched).collect::<Result<_, _>>()? })
    }

    /// Refuses to go on if a file was moved, deleted or replaced, or has got a second name.
    pub(super) fn judge(&self) -> Result<(), ReplayError> {
        self.files.iter().try_for_each(|(path, opened)| match FileIdentity::of(path) {
            Ok(found) if found == *opened => Ok(()),
            Err(error @ (ReplayError::Linked { .. } | ReplayError::Mounted { .. })) => Err(error),
            _ => Err(ReplayError::Gone { path: path.clone() }),
        })
    }

    /// Returns the size of the files, including the log.
    pub(super) fn bytes(&self) -> u64 {
        // The first is the second under the name that was typed.
        let sizes = self.files.iter().skip(1).filter_map(|(path, _)| fs::metadata(path).ok());
        sizes.map(|metadata| metadata.len()).fold(0, u64::saturating_add)
    }
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

/// What SQLite adds to the name of a database for the files beside it: two logs, and what lies in memory.
const SIBLINGS: [&str; 3] = ["-wal", "-shm", "-journal"];

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
        // Nobody typed the other name.
        made.map_err(|error| failed(path, error))?;
        Ok(Self(draft))
    }

    /// Gives the file the name `path`, unless that is taken.
    fn take_name(&self, path: &Path) -> io::Result<()> {
        match rustix::fs::renameat_with(CWD, &self.0, CWD, path, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            Err(Errno::EXIST) => return Err(Errno::EXIST.into()),
            // Not every file system and not every system has it.
            Err(_) => {}
        }
        match fs::hard_link(&self.0, path) {
            // A database with two names is refused.
            Ok(()) => return fs::remove_file(&self.0),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            Err(_) => {}
        }
        // Without links either, an empty file holds the name. It is no database, and refused as such.
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        fs::rename(&self.0, path).inspect_err(|_| drop(fs::remove_file(path)))
    }
}

impl Drop for DraftFile {
    fn drop(&mut self) {
        // A file that cannot be deleted is litter, and no reason to fail.
        drop(fs::remove_file(&self.0));
        for suffix in SIBLINGS {
            drop(fs::remove_file(beside(&self.0, suffix)));
        }
    }
}

/// Makes the name of the file durable, which the file itself already is.
fn sync_directory(path: &Path) -> Result<(), ReplayError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    match File::open(parent).and_then(|directory| directory.sync_all()) {
        // Some file systems keep nothing of a directory that could be synchronised.
        Err(error) if error.raw_os_error() != Some(Errno::INVAL.raw_os_error()) => {
            Err(failed(parent, error))
        }
        _ => Ok(()),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

pub(super) fn failed(path: &Path, source: io::Error) -> ReplayError {
    ReplayError::File { path: path.to_owned(), source }
}
