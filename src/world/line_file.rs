//! Files to which lines are added, by any number of processes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use brine_core::text::quoted;

use super::descriptor::Descriptor;
use super::output::followed_in_place;
use super::trail::LinkRule;
use super::whole_file::directory_of;
use super::whole_records::{Care, WholeRecords};
use crate::report::Failure;

/// A file, or an open descriptor, to which whole lines are added. Several processes can share it.
pub(crate) struct LineFile {
    records: WholeRecords,
    name: String,
}

impl LineFile {
    /// Opens a file, or makes it for its owner alone: what is written may be as secret as the records that it is about.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let name = quoted(path).to_string();
        let failed = |error| Failure::unwritten(&name, error);
        if let Some(descriptor) = Descriptor::named_by(path) {
            let file = descriptor.duplicate().map_err(failed)?;
            return Ok(Self::of(file, path, name));
        }
        let place = followed_in_place(path, LinkRule::Protected)?;
        let file = open_file(&place).map_err(failed)?;
        Ok(Self::of(file, &place, name))
    }

    fn of(file: File, path: &Path, name: String) -> Self {
        let shown = file.metadata().is_ok_and(|found| found.is_file());
        let shown = if shown { File::open(path).ok() } else { None };
        Self { records: WholeRecords::new(file, Some(b'\n')).or_shown_by(shown), name }
    }

    /// Returns whether writing can take as long as somebody pleases who reads.
    pub(crate) const fn has_reader(&self) -> bool {
        self.records.has_reader()
    }

    /// Adds lines, each of which ends with a line feed.
    pub(crate) fn append(&mut self, lines: &[String], care: Care) -> Result<(), Failure> {
        let lengths = lines.iter().map(String::len);
        let written = self.records.write(lines.concat().as_bytes(), lengths, care);
        written.failed.map_or(Ok(()), |error| Err(Failure::unwritten(&self.name, error)))
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).mode(0o600);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            // A file that is on the disk without its name is lost with the power.
            File::open(directory_of(path))?.sync_all()?;
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.open(path),
        Err(error) => Err(error),
    }
}
