//! Files that appear whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use tempfile::NamedTempFile;

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Whoever the umask lets; or as the file that is replaced.
    Ordinary,
    /// Its owner.
    Secret,
}

/// What happens to a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existing {
    /// It stays, and the new one is an error.
    Keep,
    /// It is replaced.
    Replace,
}

/// Writes `content` to a file that has no name, then gives it the name `path`.
///
/// A signal, a full disk or a lost connection on the way leaves nothing behind: the file exists only
/// as an open descriptor until it is complete. Where the file system cannot do that, a hidden file
/// beside `path` takes its place and is removed on failure.
pub(super) fn write_whole(
    path: &Path,
    access: Access,
    existing: Existing,
    content: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    // A link is followed: what it points to is replaced, not the link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut file = match open_unnamed(directory, access) {
        Ok(file) => Unfinished::Unnamed(file),
        Err(_) => Unfinished::Hidden(open_hidden(directory, access)?),
    };
    content(file.file())?;
    file.file().flush()?;
    if access == Access::Ordinary
        && let Ok(replaced) = fs::metadata(&path)
    {
        file.file().set_permissions(replaced.permissions())?;
    }
    if access == Access::Secret {
        file.file().sync_all()?;
    }
    file.name(directory, &path, existing)
}

enum Unfinished {
    Hidden(NamedTempFile),
    Unnamed(File),
}

impl Unfinished {
    fn file(&mut self) -> &mut File {
        match self {
            Self::Hidden(file) => file.as_file_mut(),
            Self::Unnamed(file) => file,
        }
    }

    fn name(self, directory: &Path, path: &Path, existing: Existing) -> io::Result<()> {
        match (self, existing) {
            (Self::Hidden(file), Existing::Keep) => {
                file.persist_noclobber(path).map(drop).map_err(|error| error.error)
            }
            (Self::Hidden(file), Existing::Replace) => {
                file.persist(path).map(drop).map_err(|error| error.error)
            }
            (Self::Unnamed(file), Existing::Keep) => link(&file, path),
            (Self::Unnamed(file), Existing::Replace) => {
                if link(&file, path).is_ok() {
                    return Ok(());
                }
                // Something is there. Only a rename replaces it in one step, and takes a name.
                let hidden = hidden_name(directory)?;
                link(&file, &hidden)?;
                fs::rename(&hidden, path).inspect_err(|_| {
                    // The first error is the one to report.
                    let _ = fs::remove_file(&hidden);
                })
            }
        }
    }
}

fn open_unnamed(directory: &Path, access: Access) -> io::Result<File> {
    let mode = match access {
        Access::Ordinary => Mode::from_raw_mode(0o666),
        Access::Secret => Mode::from_raw_mode(0o600),
    };
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat(CWD, directory, flags, mode)?))
}

fn open_hidden(directory: &Path, access: Access) -> io::Result<NamedTempFile> {
    let mode = match access {
        Access::Ordinary => 0o666,
        Access::Secret => 0o600,
    };
    // The umask is taken off the mode as for any other new file.
    tempfile::Builder::new().permissions(Permissions::from_mode(mode)).tempfile_in(directory)
}

/// Names an unnamed file. `AT_EMPTY_PATH` would need a capability; the link in /proc does not.
fn link(file: &File, path: &Path) -> io::Result<()> {
    let descriptor = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(rustix::fs::linkat(CWD, descriptor, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

fn hidden_name(directory: &Path) -> io::Result<PathBuf> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(directory.join(format!(".brine-{:016x}", u64::from_be_bytes(random))))
}
