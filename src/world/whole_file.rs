//! Files that appear whole or not at all.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use tempfile::NamedTempFile;

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whoever the umask lets; or as the file that is replaced.
    Ordinary,
    /// Its owner.
    Secret,
}

/// What happens to a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It stays, and the new one is an error.
    Keep,
    /// It is replaced.
    Replace,
}

/// A file that gets its name when it is complete.
///
/// A signal, a full disk or a lost connection on the way leaves nothing behind: until then the file
/// exists only as an open descriptor. Where the file system cannot do that, a hidden file beside it
/// takes its place and is removed on failure.
#[derive(Debug)]
pub(crate) struct WholeFile {
    path: PathBuf,
    access: Access,
    existing: Existing,
    unfinished: Unfinished,
}

#[derive(Debug)]
enum Unfinished {
    Hidden(NamedTempFile),
    Unnamed(File),
}

impl WholeFile {
    /// Makes a file that is to be called `path`.
    pub(crate) fn create(path: &Path, access: Access, existing: Existing) -> io::Result<Self> {
        if let Some(file) = Self::create_unnamed(path, access, existing) {
            return Ok(file);
        }
        let path = resolved(path);
        let unfinished = Unfinished::Hidden(open_hidden(directory_of(&path), access)?);
        Ok(Self { path, access, existing, unfinished })
    }

    /// Makes one that has no name at all before it is complete, where the file system can.
    pub(crate) fn create_unnamed(path: &Path, access: Access, existing: Existing) -> Option<Self> {
        let path = resolved(path);
        let unfinished = Unfinished::Unnamed(open_unnamed(directory_of(&path), access).ok()?);
        Some(Self { path, access, existing, unfinished })
    }

    /// Returns the open file.
    pub(crate) fn file(&self) -> &File {
        match &self.unfinished {
            Unfinished::Hidden(file) => file.as_file(),
            Unfinished::Unnamed(file) => file,
        }
    }

    /// Gives the file its name.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self.access {
            Access::Ordinary => {
                if let Ok(replaced) = fs::metadata(&self.path) {
                    let mode = replaced.permissions().mode() & 0o777;
                    self.file().set_permissions(Permissions::from_mode(mode))?;
                }
            }
            Access::Secret => self.file().sync_all()?,
        }
        match (self.unfinished, self.existing) {
            (Unfinished::Hidden(file), Existing::Keep) => {
                file.persist_noclobber(self.path).map(drop).map_err(|error| error.error)
            }
            (Unfinished::Hidden(file), Existing::Replace) => {
                file.persist(self.path).map(drop).map_err(|error| error.error)
            }
            (Unfinished::Unnamed(file), Existing::Keep) => link(&file, &self.path),
            (Unfinished::Unnamed(file), Existing::Replace) => replace(&file, &self.path),
        }
    }
}

/// Writes `content` to a file that then gets the name `path`.
pub(crate) fn write_whole(
    path: &Path,
    access: Access,
    existing: Existing,
    content: impl FnOnce(&mut &File) -> io::Result<()>,
) -> io::Result<()> {
    let whole = WholeFile::create(path, access, existing)?;
    content(&mut whole.file())?;
    whole.finish()
}

/// Returns where a file is, or will be. A link is followed, also one that points to nothing yet: what
/// it points to is replaced, not the link.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    let target = fs::read_link(path).map(|target| directory_of(path).join(target));
    let path = target.unwrap_or_else(|_| path.to_owned());
    fs::canonicalize(&path).unwrap_or_else(|_| {
        let directory = fs::canonicalize(directory_of(&path));
        match (directory, path.file_name()) {
            (Ok(directory), Some(name)) => directory.join(name),
            _ => path,
        }
    })
}

pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn replace(file: &File, path: &Path) -> io::Result<()> {
    if link(file, path).is_ok() {
        return Ok(());
    }
    // Something is there. Only a rename replaces it in one step, and takes a name.
    let hidden = hidden_name(directory_of(path))?;
    link(file, &hidden)?;
    fs::rename(&hidden, path).inspect_err(|_| {
        // The first error is the one to report.
        let _ = fs::remove_file(&hidden);
    })
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
