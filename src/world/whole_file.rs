//! Files that appear whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::{self, Seek as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use brine_core::text::quoted;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use tempfile::NamedTempFile;

use super::trail::{LinkRule, Trail, followed, no_place};
use crate::report::Failure;

/// Who may read and write a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// As an ordinary file, and nobody else may write it: a file that decides is refused otherwise.
    Deciding,
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
    /// As it was typed.
    name: PathBuf,
    path: PathBuf,
    access: Access,
    existing: Existing,
    rule: LinkRule,
    unfinished: Unfinished,
}

#[derive(Debug)]
enum Unfinished {
    Hidden(NamedTempFile),
    Unnamed(File),
}

impl WholeFile {
    /// Makes a file that is to be called `name`, or what the links there lead to that `rule` lets be followed.
    pub(crate) fn create(
        name: &Path,
        access: Access,
        existing: Existing,
        rule: LinkRule,
    ) -> Result<Self, Failure> {
        if let Some(file) = Self::create_unnamed(name, access, existing, rule) {
            return Ok(file);
        }
        let (name, path) = (name.to_owned(), followed(name, rule)?);
        if existing == Existing::Replace {
            // Found out now, and not when the work is done.
            refuse_irreplaceable(&name, &path)?;
        }
        let hidden = open_hidden(directory_of(&path), first_mode(&path, access, existing));
        let hidden = hidden.map_err(|source| no_place(&name, source))?;
        Ok(Self { name, path, access, existing, rule, unfinished: Unfinished::Hidden(hidden) })
    }

    /// Makes one that has no name at all before it is complete, where the system can name it then.
    pub(crate) fn create_unnamed(
        name: &Path,
        access: Access,
        existing: Existing,
        rule: LinkRule,
    ) -> Option<Self> {
        let (name, path) = (name.to_owned(), followed(name, rule).ok()?);
        if existing == Existing::Replace {
            refuse_irreplaceable(&name, &path).ok()?;
        }
        let mode = first_mode(&path, access, existing);
        let file = open_unnamed(directory_of(&path), mode).ok()?;
        // It is named through its link there.
        fs::metadata(own_link(&file)).ok()?;
        Some(Self { name, path, access, existing, rule, unfinished: Unfinished::Unnamed(file) })
    }

    /// Returns the open file.
    pub(crate) fn file(&self) -> &File {
        match &self.unfinished {
            Unfinished::Hidden(file) => file.as_file(),
            Unfinished::Unnamed(file) => file,
        }
    }

    /// Gives the file its name.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let path = self.name.clone();
        // There was no link on the way. One that was made since then may be anybody's.
        Trail::of(directory_of(&self.path)).refuse_foreign_link(self.rule)?;
        self.take_name().map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Failure::Exists { path },
            io::ErrorKind::ResourceBusy => Failure::Irreplaceable { path },
            _ => Failure::unwritten(quoted(&path).to_string(), error),
        })
    }

    fn take_name(self) -> io::Result<()> {
        match self.access {
            Access::Deciding | Access::Ordinary => self.take_mode()?,
            Access::Secret => self.file().sync_all()?,
        }
        let Self { path, existing, unfinished, .. } = self;
        let hidden = match unfinished {
            Unfinished::Hidden(hidden) => hidden,
            Unfinished::Unnamed(file) => match name_unnamed(&file, &path, existing) {
                // Not every file system that has files without a name can give them one.
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    hidden_copy(file, directory_of(&path)).map_err(|_| error)?
                }
                named => return named,
            },
        };
        match existing {
            Existing::Keep => name_new(hidden, &path),
            Existing::Replace => hidden.persist(path).map(drop).map_err(|error| error.error),
        }
    }

    /// Gives it the mode of the file that it replaces.
    fn take_mode(&self) -> io::Result<()> {
        let Ok(replaced) = fs::metadata(&self.path) else { return Ok(()) };
        let wanted = replaced.permissions().mode() & 0o777;
        let found = self.file().metadata()?.permissions().mode() & 0o777;
        if wanted == found {
            return Ok(());
        }
        match self.file().set_permissions(Permissions::from_mode(wanted)) {
            // Where modes cannot be changed, fewer may read it, and nobody more.
            Err(error) if found & !wanted != 0 => Err(error),
            _ => Ok(()),
        }
    }
}

/// Writes `content` to a file that then gets the name `path`.
pub(crate) fn write_whole(
    path: &Path,
    access: Access,
    existing: Existing,
    content: impl FnOnce(&mut &File) -> io::Result<()>,
) -> Result<(), Failure> {
    let whole = WholeFile::create(path, access, existing, LinkRule::Protected)?;
    content(&mut whole.file())
        .map_err(|error| Failure::unwritten(quoted(path).to_string(), error))?;
    whole.finish()
}

pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Refuses what no rename replaces: links that lead in a circle, and a file that is mounted by itself.
fn refuse_irreplaceable(name: &Path, path: &Path) -> Result<(), Failure> {
    if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) {
        return Err(Failure::unwritten(quoted(name).to_string(), Errno::LOOP.into()));
    }
    match is_mount_point(path) {
        true => Err(Failure::Irreplaceable { path: name.to_owned() }),
        false => Ok(()),
    }
}

/// Returns whether the system says so. Where it does not, the rename fails.
#[cfg(target_os = "linux")]
fn is_mount_point(path: &Path) -> bool {
    use rustix::fs::{StatxAttributes, StatxFlags, statx};

    let found = statx(CWD, path, AtFlags::empty(), StatxFlags::empty());
    found.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(not(target_os = "linux"))]
const fn is_mount_point(_: &Path) -> bool {
    false
}

/// Returns the mode that a file is made with: never one that lets more people read it than the file that it
/// replaces.
fn first_mode(path: &Path, access: Access, existing: Existing) -> u32 {
    match (access, existing) {
        (Access::Secret, _) => 0o600,
        (Access::Deciding, Existing::Keep) => 0o644,
        (Access::Ordinary, Existing::Keep) => 0o666,
        (Access::Deciding | Access::Ordinary, Existing::Replace) => {
            let new = first_mode(path, access, Existing::Keep);
            // Its owner has to write it.
            fs::metadata(path).map_or(new, |found| found.permissions().mode() & 0o777 | 0o600)
        }
    }
}

/// Gives an unnamed file its name.
fn name_unnamed(file: &File, path: &Path, existing: Existing) -> io::Result<()> {
    let linked = link(file, path);
    match &linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        _ => return linked,
    }
    if existing == Existing::Keep {
        return linked;
    }
    // Something is there. Only a rename replaces it in one step, and takes a name.
    let hidden = hidden_name(directory_of(path))?;
    link(file, &hidden)?;
    fs::rename(&hidden, path).inspect_err(|_| {
        // The first error is the one to report.
        let _ = fs::remove_file(&hidden);
    })
}

/// Gives a hidden file its name, unless that is taken.
fn name_new(hidden: NamedTempFile, path: &Path) -> io::Result<()> {
    let hidden = match hidden.persist_noclobber(path) {
        Ok(_) => return Ok(()),
        Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(failed.error);
        }
        Err(failed) => failed.file,
    };
    // Without links, and without a rename that replaces nothing, an empty file holds the name.
    File::options().write(true).create_new(true).mode(0o600).open(path)?;
    hidden.persist(path).map(drop).map_err(|failed| {
        let _ = fs::remove_file(path);
        failed.error
    })
}

/// Copies an unnamed file to a hidden one.
fn hidden_copy(mut file: File, directory: &Path) -> io::Result<NamedTempFile> {
    let permissions = file.metadata()?.permissions();
    let hidden = open_hidden(directory, permissions.mode() & 0o777)?;
    file.rewind()?;
    io::copy(&mut file, &mut hidden.as_file())?;
    // The umask was taken off it once more. Fewer may read it where it stays so.
    let _ = hidden.as_file().set_permissions(permissions);
    hidden.as_file().sync_all()?;
    Ok(hidden)
}

fn open_unnamed(directory: &Path, mode: u32) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat(CWD, directory, flags, Mode::from_raw_mode(mode))?))
}

fn open_hidden(directory: &Path, mode: u32) -> io::Result<NamedTempFile> {
    // The umask is taken off the mode as for any other new file.
    tempfile::Builder::new().permissions(Permissions::from_mode(mode)).tempfile_in(directory)
}

/// Names an unnamed file. `AT_EMPTY_PATH` would need a capability; the link in /proc does not.
fn link(file: &File, path: &Path) -> io::Result<()> {
    Ok(rustix::fs::linkat(CWD, own_link(file), CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

fn own_link(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

pub(super) fn hidden_name(directory: &Path) -> io::Result<PathBuf> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(directory.join(format!(".brine-{:016x}", u64::from_be_bytes(random))))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::symlink;

    use super::*;

    fn hidden(directory: &Path, content: &[u8]) -> NamedTempFile {
        let mut hidden = open_hidden(directory, 0o600).unwrap();
        hidden.write_all(content).unwrap();
        hidden
    }

    #[test]
    fn links_are_followed_to_their_end_also_where_that_is_not_there_yet() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = |name: &str| fs::canonicalize(directory.path()).unwrap().join(name);
        fs::create_dir(path("deep")).unwrap();
        symlink("deep/two", path("one")).unwrap();
        symlink("../three", path("deep/two")).unwrap();
        symlink(path("end"), path("three")).unwrap();
        for name in ["one", "deep/two", "three", "end"] {
            assert_eq!(Trail::of(&path(name)).into_end(), path("end"), "{name}");
            assert_eq!(followed(&path(name), LinkRule::Own).unwrap(), path("end"), "{name}");
        }
        let written = write_whole(&path("one"), Access::Ordinary, Existing::Replace, |file| {
            file.write_all(b"found")
        });
        written.unwrap();
        assert!(!fs::symlink_metadata(path("end")).unwrap().is_symlink());
        for name in ["one", "deep/two", "three"] {
            assert!(fs::symlink_metadata(path(name)).unwrap().is_symlink(), "{name}");
        }
        symlink("circle", path("circle")).unwrap();
        let rule = LinkRule::Protected;
        let circle = WholeFile::create(&path("circle"), Access::Ordinary, Existing::Replace, rule);
        let Err(Failure::Unwritten { source, .. }) = circle else { panic!("{circle:?}") };
        assert_eq!(source.raw_os_error(), Some(Errno::LOOP.raw_os_error()));
    }

    /// As where neither links nor a rename that replaces nothing are to be had.
    #[test]
    fn a_copy_under_a_hidden_name_takes_the_name_or_leaves_what_is_there() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("out");
        let mut unnamed = tempfile::tempfile_in(directory.path()).unwrap();
        unnamed.write_all(b"content").unwrap();
        unnamed.set_permissions(Permissions::from_mode(0o640)).unwrap();
        name_new(hidden_copy(unnamed, directory.path()).unwrap(), &path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        let taken = name_new(hidden(directory.path(), b"other"), &path).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(io::read_to_string(File::open(&path).unwrap()).unwrap(), "content");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
