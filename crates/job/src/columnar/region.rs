//! A part of a file, which is read at positions of its own: readers of one file do not move each other.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

/// A part of a file, and a position in it. Positions count from the beginning of the file.
#[derive(Clone, Debug)]
pub(super) struct FileRegion {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl FileRegion {
    pub(super) fn whole(file: Arc<File>) -> io::Result<Self> {
        let end = (&*file).seek(SeekFrom::End(0))?;
        Ok(Self { file, at: 0, end })
    }

    /// Returns a part of it. What is beyond its end is not part of it.
    pub(super) fn part(&self, start: u64, end: u64) -> Self {
        let end = end.min(self.end);
        Self { file: Arc::clone(&self.file), at: start.min(end), end }
    }

    pub(super) const fn position(&self) -> u64 {
        self.at
    }

    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// Returns how many bytes are left.
    pub(super) const fn left(&self) -> u64 {
        self.end.saturating_sub(self.at)
    }

    /// Reads exactly this many bytes; `None` if fewer are left, which are not read then.
    pub(super) fn take(&mut self, length: u64) -> io::Result<Option<Vec<u8>>> {
        if length > self.left() {
            return Ok(None);
        }
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.read_exact(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Passes over this many bytes; `None` if fewer are left.
    pub(super) fn skip(&mut self, length: u64) -> Option<()> {
        self.at = self.at.checked_add(length).filter(|at| *at <= self.end)?;
        Some(())
    }
}

impl Read for FileRegion {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left()).unwrap_or(usize::MAX).min(room.len());
        let read = self.file.read_at(room.get_mut(..most).unwrap_or_default(), self.at)?;
        self.at = self.at.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

impl Seek for FileRegion {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.end.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
