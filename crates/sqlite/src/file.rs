//! The file: made, recognised and watched.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rustix::io::Errno;

use crate::draft::DraftFile;
use crate::error::FileError;
use crate::file_identity::FileIdentity;
use crate::network::refuse_network;
use crate::schema::{self, FileSchema};
use crate::shared_file::SharedFile;

/// Makes a database, unless the name is taken. `fill` writes its first rows.
///
/// It is completed under another name and then gets its own. So no process ever finds half a database, and if
/// several make it at once, one wins. Where files of another database lie beside the name, none is made.
///
/// # Errors
///
/// [`FileError::Leftover`], [`FileError::Network`], [`FileError::File`] and [`FileError::Sqlite`]; and the errors of
/// `fill`. Then there is no file.
pub fn create<E: From<FileError> + From<rusqlite::Error>>(
    path: &Path,
    schema: &FileSchema,
    fill: impl FnOnce(&Connection) -> Result<(), E>,
) -> Result<(), E> {
    if fs::symlink_metadata(path).is_ok() {
        return Ok(());
    }
    refuse_network(directory_of(path))?;
    refuse_leftovers(path)?;
    let draft = DraftFile::new(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let mut connection = connect(draft.path(), flags, Duration::ZERO)?;
    schema.create(&mut connection, fill)?;
    // Closing the last connection moves everything from the log into the file.
    connection.close().map_err(|(_, error)| error)?;
    refuse_leftovers(path)?;
    match draft.take_name(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(failed(path, error).into())
        }
        _ => Ok(sync_directory(path)?),
    }
}

/// Refuses to give a new database the log of an old one, whose pages SQLite would take for its own. The old one was
/// deleted while it was in use.
///
/// A process writes to a log only while the database has its name. So a log with anything in it is there before the
/// name is free, and nobody makes another one until the name is taken again.
fn refuse_leftovers(path: &Path) -> Result<(), FileError> {
    for suffix in SIBLINGS {
        let sibling = beside(path, suffix);
        match fs::symlink_metadata(&sibling) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&sibling, error)),
            // Somebody else has made the database meanwhile, and uses it.
            Ok(_) if fs::symlink_metadata(path).is_ok() => {}
            Ok(_) => return Err(FileError::Leftover { path: sibling }),
        }
    }
    Ok(())
}

/// Opens an existing database. It is recognised first, which changes nothing. One that can be written has a
/// write-ahead log.
///
/// # Errors
///
/// All errors but [`FileError::Leftover`].
pub fn open(
    path: &Path,
    schema: &FileSchema,
    flags: OpenFlags,
    busy: Duration,
) -> Result<SharedFile, FileError> {
    let name = std::path::absolute(path).map_err(|error| failed(path, error))?;
    let path = fs::canonicalize(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound if path.is_symlink() => failed(path, nowhere()),
        io::ErrorKind::NotFound => FileError::Missing { path: path.to_owned() },
        _ => failed(path, error),
    })?;
    // SQLite would wait for a writer of a FIFO, and knows no words for a directory.
    if !fs::metadata(&path).map_err(|error| failed(&path, error))?.is_file() {
        return Err(FileError::NotOurs { path });
    }
    let before = FileIdentity::of(&path)?;
    refuse_network(&path)?;
    recognise(&path, schema, busy)?;
    let connection = connect(&path, flags, busy)?;
    schema.judge(&connection)?;
    if flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
        // Whoever repaired it may have left another mode, without the log that is watched.
        schema::wal(&connection)?;
        // Only what reads from the database opens a log that is new.
        if !schema.is_of(&connection)? {
            return Err(FileError::NotOurs { path });
        }
    }
    let watch = FileWatch::new(name, &path)?;
    // Makes sure that the file that SQLite opened in between is the one that is watched.
    if watch.files.iter().take(2).any(|(_, found)| *found != before) {
        return Err(FileError::Gone { path });
    }
    Ok(SharedFile::new(connection, watch))
}

/// Tells the open files from others of the same names.
///
/// SQLite goes on writing to a deleted file, where no other process would see it. While the file is open, its
/// inode is not given to another one.
#[derive(Debug)]
pub struct FileWatch {
    /// The name that was typed, which may be a symbolic link, then the files that it leads to.
    files: Vec<(PathBuf, FileIdentity)>,
}

impl FileWatch {
    fn new(name: PathBuf, path: &Path) -> Result<Self, FileError> {
        let watched = |path: PathBuf| FileIdentity::of(&path).map(|identity| (path, identity));
        let names = [name, path.to_owned(), beside(path, "-wal"), beside(path, "-shm")];
        Ok(Self { files: names.into_iter().map(watched).collect::<Result<_, _>>()? })
    }

    /// Refuses to go on if a file was moved, deleted or replaced, or has got a second name.
    ///
    /// # Errors
    ///
    /// [`FileError::Gone`], [`FileError::Linked`], [`FileError::Mounted`].
    pub fn judge(&self) -> Result<(), FileError> {
        self.files.iter().try_for_each(|(path, opened)| match FileIdentity::of(path) {
            Ok(found) if found == *opened => Ok(()),
            Err(error @ (FileError::Linked { .. } | FileError::Mounted { .. })) => Err(error),
            _ => Err(FileError::Gone { path: path.clone() }),
        })
    }

    /// Returns the name of the database, without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.files.get(1).map_or(Path::new(""), |(path, _)| path)
    }

    /// Returns the size of the log.
    #[must_use]
    pub fn log_bytes(&self) -> u64 {
        let log = self.files.get(2).and_then(|(path, _)| fs::metadata(path).ok());
        log.map_or(0, |metadata| metadata.len())
    }

    /// Returns the size of the files, including the log.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        // The first is the second under the name that was typed.
        let sizes = self.files.iter().skip(1).filter_map(|(path, _)| fs::metadata(path).ok());
        sizes.map(|metadata| metadata.len()).fold(0, u64::saturating_add)
    }
}

/// What is wrong with a link whose target is not there. Nobody makes a database through one.
fn nowhere() -> io::Error {
    io::Error::other("it is a link to a file that does not exist")
}

/// Refuses a file that is something else, over a read-only connection.
fn recognise(path: &Path, schema: &FileSchema, busy: Duration) -> Result<(), FileError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy)?;
    match schema.is_of(&connection) {
        Ok(true) => Ok(()),
        Ok(false) => Err(FileError::NotOurs { path: path.to_owned() }),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            Err(FileError::NotOurs { path: path.to_owned() })
        }
        Err(error) => Err(error.into()),
    }
}

fn connect(path: &Path, flags: OpenFlags, busy: Duration) -> Result<Connection, FileError> {
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
pub(crate) const SIBLINGS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// As many statements as a database has.
const STATEMENTS: usize = 64;

/// Makes the name of the file durable, which the file itself already is.
fn sync_directory(path: &Path) -> Result<(), FileError> {
    let parent = directory_of(path);
    match File::open(parent).and_then(|directory| directory.sync_all()) {
        // Some file systems keep nothing of a directory that could be synchronised.
        Err(error) if error.raw_os_error() != Some(Errno::INVAL.raw_os_error()) => {
            Err(failed(parent, error))
        }
        _ => Ok(()),
    }
}

fn directory_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

pub(crate) fn failed(path: &Path, source: io::Error) -> FileError {
    FileError::File { path: path.to_owned(), source }
}
