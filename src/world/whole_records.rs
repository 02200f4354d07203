//! Writes whole records to an output that may be slow, full, or written to by others as well.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::readiness::{OutputKind, Pushed, is_gone, is_ready, pause, pipe_room, pipe_size, wait};
use crate::report::console::remark;

/// An output of records, each of which is written whole.
///
/// Processes that share an output take turns: each locks it (POSIX `fcntl`) while it writes. So records of
/// several processes never mix, and what one of them cuts off is its own.
pub(crate) struct WholeRecords {
    file: File,
    kind: OutputKind,
    /// The same file for reading, if it is one that others may append to.
    shown: Option<File>,
    /// The byte that ends a record, if there is one.
    delimiter: Option<u8>,
    /// Where this process wrote last.
    end: Option<u64>,
    /// Whether a long wait for another process was told.
    is_told: AtomicBool,
}

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Care {
    /// On the disk, if there is one, when the call returns. It never waits between two records: the caller holds
    /// them for as long as it takes, and others wait for them.
    Held,
    /// On the disk, if there is one, when the call returns.
    Kept,
    /// As they come, until one had to be waited for: the caller judges those behind it again.
    Judged,
    /// As they come.
    Ordinary,
}

impl Care {
    /// Returns whether the caller would rather come back than wait for whoever reads.
    const fn waits_for_nobody(self) -> bool {
        matches!(self, Self::Held | Self::Judged)
    }
}

/// How far writing came.
#[derive(Debug)]
pub(crate) struct Progress {
    /// How many records were written, each of them whole.
    pub(crate) records: usize,
    /// Why no more were. If there is no error, the others would have to wait.
    pub(crate) failed: Option<io::Error>,
}

/// Records one after the other, and where each of them ends.
#[derive(Clone, Copy, Debug)]
struct Batch<'a> {
    bytes: &'a [u8],
    ends: &'a [usize],
}

impl WholeRecords {
    /// Writes to `file`, where each record ends with `delimiter`, if there is one.
    pub(crate) fn new(file: File, delimiter: Option<u8>) -> Self {
        let kind = OutputKind::of(&file);
        // A file that cannot be read, or not be found again, is believed to end where a record does.
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let is_shared = kind == OutputKind::Disk { appends: true } && delimiter.is_some();
        let shown = if is_shared { File::open(path).ok() } else { None };
        Self { file, kind, shown, delimiter, end: None, is_told: AtomicBool::new(false) }
    }

    /// Looks at the end of the file through `shown`, where the system does not show open files by number.
    pub(crate) fn or_shown_by(self, shown: Option<File>) -> Self {
        Self { shown: self.shown.or(shown), ..self }
    }

    /// Returns whether writing can take as long as somebody pleases who reads.
    pub(crate) const fn has_reader(&self) -> bool {
        match self.kind {
            OutputKind::Device | OutputKind::Disk { .. } => false,
            OutputKind::Pipe | OutputKind::Socket { .. } | OutputKind::Terminal => true,
        }
    }

    /// Waits until a record of `next` bytes can be written without waiting, as far as that can be known, and
    /// returns how many bytes can. A record for which there is never room can be written when as much room as
    /// there ever is is there.
    pub(crate) fn room(&self, next: usize) -> io::Result<usize> {
        match self.kind {
            OutputKind::Disk { .. } => Ok(usize::MAX),
            OutputKind::Device | OutputKind::Terminal => wait(&self.file).map(|()| usize::MAX),
            OutputKind::Socket { sent_at_once } => {
                self.turn()?;
                wait(&self.file).map(|()| sent_at_once)
            }
            OutputKind::Pipe => loop {
                self.turn()?;
                wait(&self.file)?;
                let room = pipe_room(&self.file);
                if room >= next || room >= pipe_size(&self.file) || is_gone(&self.file) {
                    return Ok(room);
                }
                pause(&self.file)?;
            },
        }
    }

    /// Writes records, of which each has so many bytes.
    pub(crate) fn write(
        &mut self,
        bytes: &[u8],
        lengths: impl Iterator<Item = usize>,
        care: Care,
    ) -> Progress {
        let ends = lengths.scan(0_usize, |end, length| {
            *end = end.saturating_add(length);
            Some(*end)
        });
        let ends: Vec<usize> = ends.collect();
        let batch = Batch { bytes, ends: &ends };
        let lock = match self.lock(care) {
            Ok(lock) => lock,
            Err(Errno::ACCESS | Errno::AGAIN) => return Progress { records: 0, failed: None },
            Err(error) => return Progress { records: 0, failed: Some(error.into()) },
        };
        let progress = match (self.kind, care) {
            (OutputKind::Disk { appends }, _) => self.write_to_disk(batch, appends, lock, care),
            (_, Care::Held | Care::Judged) => self.write_what_fits(batch, care),
            (_, Care::Kept | Care::Ordinary) => batch.progress(self.kind.push(&self.file, bytes)),
        };
        self.unlock(lock);
        progress
    }

    /// Writes what there is room for, so that nothing waits but the rest of a record, which is the last then.
    fn write_what_fits(&self, batch: Batch<'_>, care: Care) -> Progress {
        let mut done = 0;
        while done < batch.bytes.len() && is_ready(&self.file) {
            let most = match self.kind {
                OutputKind::Device | OutputKind::Disk { .. } => DEVICE_BYTES,
                OutputKind::Pipe => pipe_room(&self.file),
                OutputKind::Socket { sent_at_once } => sent_at_once,
                OutputKind::Terminal => 0,
            };
            let fits = batch.end_within(done, most);
            let may_wait = fits.is_none();
            let is_held = care == Care::Held && self.kind == OutputKind::Pipe;
            if may_wait && is_held && most < pipe_size(&self.file) && !is_gone(&self.file) {
                break;
            }
            let end = fits.unwrap_or_else(|| batch.end_after(done));
            let part = batch.bytes.get(done..end).unwrap_or_default();
            match self.kind.push(&self.file, part) {
                Pushed { failed: None, .. } => done = end,
                Pushed { bytes, failed } => {
                    return batch.progress(Pushed { bytes: done.saturating_add(bytes), failed });
                }
            }
            if may_wait {
                break;
            }
        }
        batch.progress(Pushed { bytes: done, failed: None })
    }

    /// Writes to a regular file. What is left of a record that could not be written whole is cut off, or, if
    /// others have written after it, ended.
    fn write_to_disk(
        &mut self,
        batch: Batch<'_>,
        appends: bool,
        lock: Lock,
        care: Care,
    ) -> Progress {
        let start = match self.start(appends) {
            Ok(start) => start,
            Err(error) => return Progress { records: 0, failed: Some(error) },
        };
        let pushed = self.kind.push(&self.file, batch.bytes);
        let synced = match care {
            Care::Held | Care::Kept if pushed.bytes > 0 => self.file.sync_data(),
            Care::Held | Care::Kept | Care::Judged | Care::Ordinary => Ok(()),
        };
        let written = pushed.bytes;
        let progress = match synced {
            Ok(()) => batch.progress(pushed),
            // What may not be on the disk is not believed to be there.
            Err(error) => Progress { records: 0, failed: Some(error) },
        };
        let whole = batch.end_of(progress.records);
        let at = |bytes: usize| start.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if whole < written && !self.cut(at(whole), at(written), lock) {
            // If this fails too, the next one to write finds the broken record, and ends it.
            let _ = self.delimiter.map(|delimiter| self.file.write(&[delimiter]));
        }
        self.end = self.length().ok();
        progress
    }

    /// Returns where the next record begins. Half a record that somebody left there is ended first, so that it
    /// does not spoil the next.
    fn start(&mut self, appends: bool) -> io::Result<u64> {
        if !appends {
            return self.file.stream_position();
        }
        let length = self.length()?;
        let Some(delimiter) = self.delimiter.filter(|_| length > 0 && self.end != Some(length))
        else {
            return Ok(length);
        };
        let Some(shown) = &mut self.shown else { return Ok(length) };
        let mut last = [delimiter];
        shown.seek(SeekFrom::Start(length.saturating_sub(1)))?;
        shown.read_exact(&mut last)?;
        if last == [delimiter] {
            return Ok(length);
        }
        self.file.write_all(&[delimiter])?;
        self.length()
    }

    /// Cuts off what this process wrote last, if nobody has written after it and nobody can meanwhile.
    fn cut(&self, to: u64, end: u64, lock: Lock) -> bool {
        let is_last = lock == Lock::Taken && self.length().is_ok_and(|length| length == end);
        let is_cut = is_last && self.file.set_len(to).is_ok();
        if is_cut {
            // A file that is appended to has no other place, and the disk may be what fails.
            let _ = { &self.file }.seek(SeekFrom::Start(to)).and_then(|_| self.file.sync_data());
        }
        is_cut
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Waits until no other process is writing.
    fn turn(&self) -> io::Result<()> {
        let lock = self.lock(Care::Ordinary)?;
        self.unlock(lock);
        Ok(())
    }

    /// Locks the output, if it is one that others may share.
    ///
    /// A device belongs to everybody, and whoever can open it could keep others waiting.
    fn lock(&self, care: Care) -> Result<Lock, Errno> {
        if matches!(self.kind, OutputKind::Device | OutputKind::Terminal) {
            return Ok(Lock::None);
        }
        match self.try_lock(FlockOperation::NonBlockingLockExclusive) {
            // A disk lets everybody have a turn. Whoever reads a pipe may never do so.
            Err(error) if care.waits_for_nobody() && self.has_reader() => Err(error),
            Err(_) => self.wait_for_lock(),
            found => found,
        }
    }

    /// Locks the output, and fails only if another process has locked it.
    fn try_lock(&self, operation: FlockOperation) -> Result<Lock, Errno> {
        loop {
            match rustix::fs::fcntl_lock(&self.file, operation) {
                Ok(()) => return Ok(Lock::Taken),
                Err(Errno::INTR) => {}
                Err(error @ (Errno::ACCESS | Errno::AGAIN)) => return Err(error),
                // A file system without locks.
                Err(_) => return Ok(Lock::None),
            }
        }
    }

    /// Waits until no other process has locked the output. If that takes long, a person is told, once.
    fn wait_for_lock(&self) -> Result<Lock, Errno> {
        let is_told = &self.is_told;
        thread::scope(|scope| {
            let (waiting, ended) = channel::<()>();
            let tell = move || {
                let is_long = ended.recv_timeout(SHORT_WAIT) == Err(RecvTimeoutError::Timeout);
                if is_long && !is_told.swap(true, Ordering::Relaxed) {
                    remark("waiting for another process, which has locked an output of records");
                }
            };
            if !is_told.load(Ordering::Relaxed) {
                // Where the system grants no thread for that, nothing is said.
                let _ = thread::Builder::new().spawn_scoped(scope, tell);
            }
            let lock = self.try_lock(FlockOperation::LockExclusive);
            drop(waiting);
            lock
        })
    }

    fn unlock(&self, lock: Lock) {
        if lock == Lock::Taken {
            // It ends with the process at the latest.
            let _ = rustix::fs::fcntl_lock(&self.file, FlockOperation::Unlock);
        }
    }
}

/// Whether this process has the output for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
    None,
    Taken,
}

impl Batch<'_> {
    /// Returns how many records end within what was written.
    fn progress(&self, pushed: Pushed) -> Progress {
        let Pushed { bytes, failed } = pushed;
        Progress { records: self.ends.partition_point(|end| *end <= bytes), failed }
    }

    /// Returns where so many records end.
    fn end_of(&self, records: usize) -> usize {
        records.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or_default()
    }

    /// Returns where the last record ends that is within `most` bytes from `start` on, if there is one.
    fn end_within(&self, start: usize, most: usize) -> Option<usize> {
        let limit = start.saturating_add(most);
        let records = self.ends.partition_point(|end| *end <= limit);
        Some(self.end_of(records)).filter(|end| *end > start)
    }

    /// Returns where the record ends that begins at `start`.
    fn end_after(&self, start: usize) -> usize {
        let next = self.ends.partition_point(|end| *end <= start);
        self.ends.get(next).copied().unwrap_or(self.bytes.len())
    }
}

/// How long nothing is said about an output that another process has locked.
const SHORT_WAIT: Duration = Duration::from_secs(5);

/// How much is written to a device at once.
const DEVICE_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn whole_records_are_counted_in_what_was_written() {
        let batch = Batch { bytes: b"one\ntwo\n\nlast\n", ends: &[4, 8, 9, 14] };
        let records = |bytes| batch.progress(Pushed { bytes, failed: None }).records;
        let counted = [0, 3, 4, 7, 8, 9, 13, 14].map(records);
        assert_eq!(counted, [0, 0, 1, 1, 2, 3, 3, 4]);
        assert_eq!([0, 1, 2, 3, 4].map(|records| batch.end_of(records)), [0, 4, 8, 9, 14]);
        assert_eq!([0, 4, 8, 9].map(|start| batch.end_after(start)), [4, 8, 9, 14]);
        let within =
            [(0, 3), (0, 4), (0, 8), (4, 4), (4, 5), (4, 9), (9, 4), (9, 5), (0, usize::MAX)];
        let ends = [None, Some(4), Some(8), Some(8), Some(9), Some(9), None, Some(14), Some(14)];
        assert_eq!(within.map(|(start, most)| batch.end_within(start, most)), ends);
    }

    /// What is said to fit a pipe is written without waiting, however it is filled and read.
    #[test]
    fn what_is_said_to_fit_a_pipe_fits() {
        for (size, step, read) in [
            (4096, 1000, 4096),
            (16_384, 5000, 100),
            (65_536, 4097, 3000),
            (65_536, 8192, 1),
            (8192, 1, 8192),
            (65_536, 20_000, 5000),
        ] {
            let (mut ours, theirs) = std::io::pipe().unwrap();
            rustix::pipe::fcntl_setpipe_size(&ours, size).unwrap();
            rustix::io::ioctl_fionbio(&theirs, true).unwrap();
            let file = File::from(std::os::fd::OwnedFd::from(theirs));
            let (mut queued, mut turns) = (0, 0);
            while turns < 30 {
                let fits = pipe_room(&file).min(step);
                if fits == 0 {
                    let taken = ours.read(&mut vec![0; read]).unwrap();
                    queued -= taken;
                    turns += 1;
                    continue;
                }
                // A file that does not wait writes what fits, and no more.
                let written = rustix::io::write(&file, &vec![b'x'; fits]).unwrap();
                assert_eq!(written, fits, "{size} {step} {read}: {queued} were queued");
                queued += written;
            }
        }
    }

    /// Two who append to a file: the one that fails cuts off its own, unless the other has written after it.
    #[test]
    fn nothing_is_cut_off_that_somebody_else_has_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let open = || File::options().append(true).create(true).open(&path).unwrap();
        let mut ours = WholeRecords::new(open(), Some(b'\n'));
        assert_eq!(ours.write(b"one\nhalf", [4, 4].into_iter(), Care::Kept).records, 2);
        assert!(!ours.cut(4, 8, Lock::None), "not locked");
        io::Write::write_all(&mut open(), b"other\n").unwrap();
        assert!(!ours.cut(4, 8, Lock::Taken), "written after");
        assert!(ours.cut(4, 14, Lock::Taken));
        assert_eq!(fs_text(&path), "one\n");
        io::Write::write_all(&mut open(), b"broken").unwrap();
        assert_eq!(ours.write(b"two\n", [4].into_iter(), Care::Ordinary).records, 1);
        assert_eq!(fs_text(&path), "one\nbroken\ntwo\n");
    }

    fn fs_text(path: &std::path::Path) -> String {
        let mut text = String::new();
        File::open(path).unwrap().read_to_string(&mut text).unwrap();
        text
    }
}
