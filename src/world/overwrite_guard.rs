//! Keeps a command from writing over what it reads, and from writing two things to one place.

use std::ffi::OsString;
use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat};
use rustix::stdio;

use super::descriptor::Descriptor;
use super::home::Home;
use super::named_key::Named;
use super::statements;
use super::trail::Trail;
use super::whole_file::directory_of;
use crate::report::Failure;

/// Everything that a command reads and writes, whatever the names: one set for all of its inputs and outputs.
#[derive(Clone, Debug, Default)]
pub(crate) struct OverwriteGuard {
    read: Vec<GuardedPlace>,
    /// Each with what it is called.
    written: Vec<(&'static str, GuardedPlace)>,
}

/// Where something is read or written.
#[derive(Clone, Debug, Default)]
pub(crate) struct GuardedPlace {
    /// What is there.
    found: Option<NodeIdentity>,
    /// The directory and the name, also of what is not there yet.
    name: Option<(NodeIdentity, OsString)>,
}

/// Which file something is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NodeIdentity {
    /// A disk, by its number: it has many names.
    Disk(u64),
    /// Anything else, by device and inode.
    Node(u64, u64),
}

impl OverwriteGuard {
    /// Adds a file that is read; `-`, and nothing, is standard input.
    pub(crate) fn and_input(self, path: Option<&Path>) -> Self {
        match path {
            Some(path) if path != Path::new("-") => self.and(Some(path)),
            _ => self.with(GuardedPlace::of_descriptor(stdio::stdin())),
        }
    }

    /// Adds a file that is read, if one is named.
    pub(crate) fn and(self, path: Option<&Path>) -> Self {
        match path {
            Some(path) => self.with(GuardedPlace::of_path(path)),
            None => self,
        }
    }

    /// Adds the file that a key's name stands for, if it stands for one.
    pub(crate) fn and_key(self, text: &str) -> Self {
        match Named::parse(text) {
            Ok(Named::File(path)) => self.and(Some(&path)),
            Ok(Named::Agent(name)) => self.and_key(&name),
            // Names stand for files in the home, which are never written over.
            Ok(Named::Name(_) | Named::OpenSsh(_)) | Err(_) => self,
        }
    }

    fn with(mut self, place: GuardedPlace) -> Self {
        self.read.push(place);
        self
    }

    /// Adds a replay database with the files that SQLite keeps beside it. Nothing else may read them either: closing
    /// one of them would take away its locks.
    pub(crate) fn claim_database(&mut self, path: &Path) -> Result<(), Failure> {
        self.claim_sqlite("replay database", path)
    }

    /// Adds the file of a queue likewise.
    pub(crate) fn claim_queue(&mut self, path: &Path) -> Result<(), Failure> {
        self.claim_sqlite("queue", path)
    }

    fn claim_sqlite(&mut self, what: &'static str, path: &Path) -> Result<(), Failure> {
        let path = Trail::of(path).into_end();
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let mut file = path.as_os_str().to_owned();
            file.push(suffix);
            self.claim(what, GuardedPlace::of_path(Path::new(&file)))?;
        }
        Ok(())
    }

    /// Adds an output, unless it is something that is read or written already, or one of the home's keys, its trust
    /// file or policy.
    pub(crate) fn claim(&mut self, what: &'static str, place: GuardedPlace) -> Result<(), Failure> {
        if self.read.iter().any(|other| other.is_same_as(&place)) {
            return Err(Failure::SameFile { one: "input", other: what });
        }
        if let Some((one, _)) = self.written.iter().find(|(_, other)| other.is_same_as(&place)) {
            return Err(Failure::SameFile { one, other: what });
        }
        if let Some(path) = Home::find().ok().and_then(|home| kept_by(&home, &place)) {
            return Err(Failure::Precious { path });
        }
        self.written.push((what, place));
        Ok(())
    }

    /// Adds an output that replaces a file, which no message may go to: it would go with that file.
    pub(crate) fn claim_replaced(
        &mut self,
        what: &'static str,
        place: GuardedPlace,
    ) -> Result<(), Failure> {
        if GuardedPlace::of_descriptor(stdio::stderr()).is_same_as(&place) {
            return Err(Failure::SameFile { one: "standard error", other: what });
        }
        self.claim(what, place)
    }
}

impl GuardedPlace {
    /// Returns where a path leads.
    pub(crate) fn of_path(path: &Path) -> Self {
        if let Some(descriptor) = Descriptor::named_by(path) {
            return descriptor.duplicate().map_or_else(|_| Self::default(), Self::of_descriptor);
        }
        let there = rustix::fs::stat(path).ok();
        let found = there.as_ref().and_then(NodeIdentity::of);
        if there.is_some() && found.is_none() {
            return Self::default();
        }
        let path = Trail::of(path).into_end();
        let directory = NodeIdentity::of_directory(directory_of(&path));
        Self { found, name: directory.zip(path.file_name().map(OsString::from)) }
    }

    /// Returns where an open descriptor reads or writes.
    pub(crate) fn of_descriptor(descriptor: impl AsFd) -> Self {
        let found = rustix::fs::fstat(descriptor).ok().as_ref().and_then(NodeIdentity::of);
        Self { found, name: None }
    }

    /// Returns whether it takes anything from anybody, as a terminal and the null device do.
    const fn is_anything(&self) -> bool {
        self.found.is_none() && self.name.is_none()
    }

    /// Returns its path if it lies in a directory, there or not.
    fn among(&self, directory: &Path) -> Option<PathBuf> {
        let (parent, name) = self.name.as_ref()?;
        let found = NodeIdentity::of_directory(directory)?;
        (*parent == found).then(|| directory.join(name))
    }

    /// Returns whether a path leads to it. Its name counts only while it is not there: what is there has one identity,
    /// which is found without a walk.
    fn is_at(&self, path: &Path) -> bool {
        match rustix::fs::stat(path) {
            Ok(there) => self.found.is_some() && NodeIdentity::of(&there) == self.found,
            Err(_) => self.found.is_none() && Self::of_path(path).is_same_as(self),
        }
    }

    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        let same_file = self.found.is_some() && self.found == other.found;
        same_file || (self.name.is_some() && self.name == other.name)
    }
}

impl NodeIdentity {
    fn of_directory(path: &Path) -> Option<Self> {
        let found = rustix::fs::stat(path).ok()?;
        Some(Self::Node(found.st_dev, found.st_ino))
    }

    /// Returns which file it is, unless it can well be several at once, as a terminal, a socket and the null device.
    fn of(stat: &Stat) -> Option<Self> {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::BlockDevice => Some(Self::Disk(stat.st_rdev)),
            FileType::Fifo | FileType::RegularFile => Some(Self::Node(stat.st_dev, stat.st_ino)),
            _ => None,
        }
    }
}

/// Returns the path of the key, trust file or policy that is at a place, or that would be made there.
fn kept_by(home: &Home, place: &GuardedPlace) -> Option<PathBuf> {
    if place.is_anything() {
        return None;
    }
    let keys = fs::read_dir(home.keys()).into_iter().flatten();
    keys.filter_map(|entry| Some(entry.ok()?.path()))
        .chain(place.among(&home.keys()))
        .chain([
            home.trust_file(),
            statements::statements_path(&home.trust_file()),
            home.policy_file(),
        ])
        .find(|path| place.is_at(path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Both orders, so that it does not matter which of two is named first.
    fn are_refused_together(one: &Path, other: &Path) -> bool {
        let refused = |one: &Path, other: &Path| {
            let mut outputs = OverwriteGuard::default();
            outputs.claim("one", GuardedPlace::of_path(one)).unwrap();
            let among_outputs = outputs.claim("other", GuardedPlace::of_path(other));
            let mut guard = OverwriteGuard::default().and(Some(one));
            let over_input = guard.claim("other", GuardedPlace::of_path(other));
            assert_eq!(among_outputs.is_err(), over_input.is_err(), "{one:?} {other:?}");
            match among_outputs {
                Err(Failure::SameFile { one: "one", other: "other" }) => true,
                Err(other) => panic!("{other}"),
                Ok(()) => false,
            }
        };
        assert_eq!(refused(one, other), refused(other, one), "{one:?} {other:?}");
        refused(one, other)
    }

    #[test]
    fn a_file_is_one_under_all_its_names_there_or_not() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::File::create(path("file")).unwrap();
        fs::hard_link(path("file"), path("hard")).unwrap();
        symlink("file", path("soft")).unwrap();
        symlink("soft", path("softer")).unwrap();
        symlink("missing", path("ahead")).unwrap();
        fs::create_dir(path("inner")).unwrap();
        symlink("inner", path("alias")).unwrap();
        symlink("../alias/none", path("inner/further")).unwrap();
        for (one, other) in [
            ("file", "hard"),
            ("file", "softer"),
            ("hard", "inner/../file"),
            ("missing", "ahead"),
            ("missing", "alias/../missing"),
            ("inner/none", "alias/none"),
            ("inner/further", "inner/none"),
        ] {
            assert!(are_refused_together(&path(one), &path(other)), "{one} {other}");
        }
        for (one, other) in [("file", "missing"), ("inner/none", "none"), ("a", "b")] {
            assert!(!are_refused_together(&path(one), &path(other)), "{one} {other}");
        }
        // What takes anything from anybody.
        assert!(!are_refused_together(Path::new("/dev/null"), Path::new("/dev/null")));
    }

    #[test]
    fn a_pipe_is_not_read_and_written_by_the_same_command() {
        let (read, write) = rustix::pipe::pipe().unwrap();
        let (_other, another) = rustix::pipe::pipe().unwrap();
        let mut guard = OverwriteGuard::default().with(GuardedPlace::of_descriptor(&read));
        guard.claim("output", GuardedPlace::of_descriptor(another)).unwrap();
        let refused = guard.claim("report", GuardedPlace::of_descriptor(write));
        assert!(matches!(refused, Err(Failure::SameFile { one: "input", other: "report" })));
    }

    #[test]
    fn nothing_else_touches_a_replay_database_or_what_lies_beside_it() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::File::create(path("seen")).unwrap();
        symlink("seen", path("link")).unwrap();
        for file in ["seen", "link", "seen-wal", "seen-shm", "seen-journal"] {
            let mut guard = OverwriteGuard::default();
            guard.claim_database(&path("link")).unwrap();
            let written = guard.claim("report", GuardedPlace::of_path(&path(file)));
            let expected = Failure::SameFile { one: "replay database", other: "report" };
            assert_eq!(written.unwrap_err().to_string(), expected.to_string(), "{file}");
            let read =
                OverwriteGuard::default().and(Some(&path(file))).claim_database(&path("seen"));
            let expected = Failure::SameFile { one: "input", other: "replay database" };
            assert_eq!(read.unwrap_err().to_string(), expected.to_string(), "{file}");
        }
    }
}
