//! Files that appear together in a directory, or not at all.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use brine_core::text::quoted;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::trail::{LinkRule, Trail};
use super::whole_file::{Existing, hidden_name};
use crate::report::Failure;

/// Files and directories that get their names together.
///
/// Until then they lie in a hidden directory beside those names, which is removed with everything in it whatever
/// happens, unless the process is killed.
#[derive(Debug)]
pub(crate) struct CollectedFiles {
    /// As it was typed.
    name: PathBuf,
    directory: OwnedFd,
    hidden: HiddenDirectory,
    existing: Existing,
}

impl CollectedFiles {
    /// Makes the hidden directory. No link of another user is followed.
    pub(crate) fn create(name: &Path, existing: Existing) -> Result<Self, Failure> {
        let failed = |source: io::Error| Failure::NoPlace { path: name.to_owned(), source };
        let trail = Trail::of(name);
        trail.refuse_foreign_link(LinkRule::Own)?;
        let path = trail.into_end();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::open(&path, flags, Mode::empty());
        let directory = directory.map_err(|error| failed(error.into()))?;
        let hidden = HiddenDirectory::create(&path).map_err(failed)?;
        Ok(Self { name: name.to_owned(), directory, hidden, existing })
    }

    /// Makes a directory that will be below these names.
    pub(crate) fn directory(&self, path: &str) -> Result<(), Failure> {
        let mode = Mode::from_raw_mode(0o777);
        let made = rustix::fs::mkdirat(&self.hidden.opened, path, mode);
        made.map_err(|error| self.failed(path, error))
    }

    /// Makes an empty file.
    pub(crate) fn file(&self, path: &str) -> Result<File, Failure> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let made = rustix::fs::openat(&self.hidden.opened, path, flags, Mode::from_raw_mode(0o666));
        made.map(File::from).map_err(|error| self.failed(path, error))
    }

    /// Gives a file that was made one more name.
    pub(crate) fn name(&self, path: &str, first: &str) -> Result<(), Failure> {
        let hidden = &self.hidden.opened;
        let made = rustix::fs::linkat(hidden, first, hidden, path, AtFlags::empty());
        made.map_err(|error| self.failed(path, error))
    }

    /// Lets everything appear. What is undone afterwards is as if it had never been there.
    pub(crate) fn appear(self, names: &[String]) -> Result<AppearedFiles, Failure> {
        let mut appeared = AppearedFiles { files: self, names: Vec::new() };
        for name in names {
            match appeared.files.move_out(name) {
                Ok(how) => appeared.names.push((name.clone(), how)),
                Err(failure) => {
                    appeared.undo();
                    return Err(failure);
                }
            }
        }
        Ok(appeared)
    }

    /// Moves one of them to its place.
    fn move_out(&self, name: &str) -> Result<HowMoved, Failure> {
        let (from, to) = (&self.hidden.opened, &self.directory);
        let moved = rustix::fs::renameat_with(from, name, to, name, RenameFlags::NOREPLACE);
        let path = || self.name.join(name);
        match moved {
            Ok(()) => return Ok(HowMoved::New),
            Err(Errno::EXIST) if self.existing == Existing::Replace => {}
            Err(Errno::EXIST) => return Err(Failure::Exists { path: path() }),
            Err(error) => return Err(self.failed(name, error)),
        }
        let there = rustix::fs::statat(to, name, AtFlags::SYMLINK_NOFOLLOW);
        let is_file = |mode| FileType::from_raw_mode(mode) == FileType::RegularFile;
        if !there.is_ok_and(|there| is_file(there.st_mode)) {
            return Err(Failure::NotReplaced { path: path() });
        }
        let moved = rustix::fs::renameat_with(from, name, to, name, RenameFlags::EXCHANGE);
        moved.map(|()| HowMoved::Exchanged).map_err(|error| self.failed(name, error))
    }

    pub(crate) fn failed(&self, path: &str, error: impl Into<io::Error>) -> Failure {
        Failure::unwritten(quoted(&self.name.join(path)).to_string(), error.into())
    }
}

/// Files that have their names, and can still lose them.
#[derive(Debug)]
#[must_use]
pub(crate) struct AppearedFiles {
    files: CollectedFiles,
    names: Vec<(String, HowMoved)>,
}

/// How something got its name.
#[derive(Clone, Copy, Debug)]
enum HowMoved {
    /// What was there has the hidden name.
    Exchanged,
    New,
}

impl AppearedFiles {
    /// Leaves everything as it was before.
    pub(crate) fn undo(self) {
        let (hidden, directory) = (&self.files.hidden.opened, &self.files.directory);
        for (name, how) in self.names.iter().rev() {
            let flags = match how {
                HowMoved::Exchanged => RenameFlags::EXCHANGE,
                HowMoved::New => RenameFlags::NOREPLACE,
            };
            // Whoever has moved it since then has it.
            let _ = rustix::fs::renameat_with(directory, name, hidden, name, flags);
        }
    }
}

/// A directory that is removed with everything in it.
#[derive(Debug)]
struct HiddenDirectory {
    path: PathBuf,
    opened: OwnedFd,
}

impl HiddenDirectory {
    fn create(parent: &Path) -> io::Result<Self> {
        let path = hidden_name(parent)?;
        rustix::fs::mkdirat(CWD, &path, Mode::from_raw_mode(0o700))?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(opened) => Ok(Self { path, opened }),
            Err(error) => {
                let _ = fs::remove_dir(&path);
                Err(error.into())
            }
        }
    }
}

impl Drop for HiddenDirectory {
    fn drop(&mut self) {
        // A directory that cannot be removed is named so that people see whose it was.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use tempfile::TempDir;

    use super::*;

    fn put(path: &Path) {
        File::create(path).unwrap().write_all(b"old").unwrap();
    }

    fn collected(directory: &TempDir, existing: Existing, names: &[&str]) -> CollectedFiles {
        let files = CollectedFiles::create(directory.path(), existing).unwrap();
        for name in names {
            files.file(name).unwrap().write_all(b"new").unwrap();
        }
        files
    }

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// The names in a directory, with content.
    fn there(directory: &TempDir) -> Vec<String> {
        let entries = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut found: Vec<_> = entries
            .map(|path| {
                let name = path.file_name().unwrap().to_str().unwrap();
                format!(
                    "{name}={}",
                    io::read_to_string(File::open(&path).unwrap()).unwrap_or_default()
                )
            })
            .collect();
        found.sort();
        found
    }

    #[test]
    fn everything_appears_at_once_and_nothing_else_stays() {
        let directory = TempDir::new().unwrap();
        let files = collected(&directory, Existing::Keep, &["a", "b"]);
        files.directory("tree").unwrap();
        files.file("tree/c").unwrap();
        files.name("tree/d", "tree/c").unwrap();
        drop(files.appear(&owned(&["a", "b", "tree"])).unwrap());
        assert_eq!(there(&directory), ["a=new", "b=new", "tree="]);
        assert_eq!(fs::metadata(directory.path().join("tree/d")).unwrap().nlink(), 2);
    }

    #[test]
    fn what_is_not_finished_leaves_nothing() {
        let directory = TempDir::new().unwrap();
        let files = collected(&directory, Existing::Keep, &["a"]);
        files.directory("tree").unwrap();
        files.file("tree/c").unwrap();
        drop(files);
        assert!(there(&directory).is_empty());
    }

    #[test]
    fn one_name_that_is_taken_keeps_all_others_away() {
        let directory = TempDir::new().unwrap();
        put(&directory.path().join("b"));
        let files = collected(&directory, Existing::Keep, &["a", "b", "c"]);
        let failure = files.appear(&owned(&["a", "b", "c"])).unwrap_err();
        assert!(matches!(&failure, Failure::Exists { path } if path.ends_with("b")), "{failure}");
        assert_eq!(there(&directory), ["b=old"]);
    }

    #[test]
    fn files_are_replaced_together_or_not_at_all() {
        let directory = TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        put(&path("a"));
        let files = collected(&directory, Existing::Replace, &["a", "b"]);
        let appeared = files.appear(&owned(&["a", "b"])).unwrap();
        assert_eq!(there(&directory)[1..], ["a=new", "b=new"]);
        appeared.undo();
        assert_eq!(there(&directory), ["a=old"]);
        // Neither a link nor a directory is replaced.
        fs::create_dir(path("directory")).unwrap();
        symlink("a", path("link")).unwrap();
        for name in ["directory", "link"] {
            let files = collected(&directory, Existing::Replace, &["a", name]);
            let failure = files.appear(&owned(&["a", name])).unwrap_err();
            assert!(matches!(failure, Failure::NotReplaced { .. }), "{failure}");
            assert_eq!(there(&directory), ["a=old", "directory=", "link=old"]);
        }
        let files = collected(&directory, Existing::Replace, &["a"]);
        drop(files.appear(&owned(&["a"])).unwrap());
        assert_eq!(there(&directory), ["a=new", "directory=", "link=new"]);
    }
}
