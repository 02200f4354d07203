//! Values that are read from files, and read again when these change on disk.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use super::permissions::PermissionRule;
use super::small_files::SmallFiles;
use super::trail::Place;
use crate::report::Failure;

/// A value that is read from files, and read again when they have changed on disk.
///
/// A change is taken whole or not at all: files are read once they have been still for a moment, a file that was
/// there must still be there, and a value that cannot be read is an error, never the old one or an empty one.
pub(crate) struct Watched<T> {
    files: Vec<PathBuf>,
    content: SmallFiles,
    read: Box<Reading<T>>,
    held: Mutex<Held<T>>,
}

/// Reads a value from files.
type Reading<T> = dyn Fn(&SmallFiles) -> Result<T, Failure> + Send + Sync;

/// The value as it was read last, and the files as they were then.
struct Held<T> {
    value: Arc<T>,
    seen: Vec<FileState>,
}

impl<T> Watched<T> {
    /// Reads a value from these files with `read`, and holds them to a rule each time.
    pub(crate) fn new(
        files: Vec<PathBuf>,
        rule: impl Into<PermissionRule>,
        read: impl Fn(&SmallFiles) -> Result<T, Failure> + Send + Sync + 'static,
    ) -> Result<Self, Failure> {
        let content = SmallFiles::new(rule);
        // What is read names other files, whose state must be from before they are read.
        let (seen, value) = loop {
            let (seen, value) = (states(&all_files(&files, &content))?, read(&content)?);
            if all_files(&files, &content).len() == seen.len() {
                break (seen, Arc::new(value));
            }
        };
        let held = Mutex::new(Held { value, seen });
        Ok(Self { files, content: content.again(), read: Box::new(read), held })
    }

    /// Returns the value, read again if a file has changed since.
    ///
    /// What was no regular file, such as a pipe, is read once: what it said holds together with the others as they
    /// are. What is no regular file any more is an error.
    pub(crate) fn current(&self) -> Result<Arc<T>, Failure> {
        self.current_pausing(|| sleep(PAUSE))
    }

    fn current_pausing(&self, mut pause: impl FnMut()) -> Result<Arc<T>, Failure> {
        let mut held = self.lock();
        while self.states()? != held.seen {
            let seen = self.settled(&held.seen, &mut pause)?;
            let read = (self.read)(&self.content);
            if self.states()? == seen {
                *held = Held { value: Arc::new(read?), seen };
            }
            // Else it changed while it was read, and whatever was read counts for nothing.
        }
        Ok(Arc::clone(&held.value))
    }

    /// Waits until whoever writes the files has done so, and returns what they are then.
    fn settled(
        &self,
        before: &[FileState],
        pause: &mut impl FnMut(),
    ) -> Result<Vec<FileState>, Failure> {
        let mut seen = self.states()?;
        let (mut still, mut looks) = (0, 0);
        while still < STILL_LOOKS && looks < MOST_LOOKS {
            pause();
            let now = self.states()?;
            let is_replaced = gone(before, &now).is_some() && looks < ABSENT_LOOKS;
            still = if now == seen && !is_replaced { still + 1 } else { 0 };
            seen = now;
            looks += 1;
        }
        let files = all_files(&self.files, &self.content);
        match gone(before, &seen).and_then(|index| files.get(index)) {
            Some(path) => {
                let (path, source) = (path.clone(), io::ErrorKind::NotFound.into());
                Err(Failure::Unreadable { path, source })
            }
            None => Ok(seen),
        }
    }

    fn states(&self) -> Result<Vec<FileState>, Failure> {
        states(&all_files(&self.files, &self.content))
    }

    fn lock(&self) -> MutexGuard<'_, Held<T>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("files", &self.files).finish_non_exhaustive()
    }
}

/// What tells a file from what it was before.
#[derive(Clone, Debug, PartialEq, Eq)]
enum FileState {
    Absent,
    /// Not a regular file.
    Other,
    Regular {
        place: Place,
        length: u64,
        written: (i64, i64),
        changed: (i64, i64),
    },
}

/// Returns the files that were named, and behind them those that these name.
fn all_files(files: &[PathBuf], content: &SmallFiles) -> Vec<PathBuf> {
    let others = content.asked().into_iter().filter(|path| !files.contains(path));
    files.iter().cloned().chain(others).collect()
}

fn states(files: &[PathBuf]) -> Result<Vec<FileState>, Failure> {
    files.iter().map(|path| FileState::of(path)).collect()
}

impl FileState {
    fn of(path: &Path) -> Result<Self, Failure> {
        let found = match fs::metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Absent),
            Err(source) => return Err(Failure::Unreadable { path: path.to_owned(), source }),
        };
        if !found.is_file() {
            return Ok(Self::Other);
        }
        Ok(Self::Regular {
            place: Place::of(&found),
            length: found.len(),
            written: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

/// Returns which regular file was there before, and is not there now.
fn gone(before: &[FileState], now: &[FileState]) -> Option<usize> {
    let mut pairs = before.iter().zip(now);
    pairs.position(|(before, now)| {
        matches!(before, FileState::Regular { .. }) && *now == FileState::Absent
    })
}

/// How long a pause between two looks at files is.
const PAUSE: Duration = Duration::from_millis(10);

/// For how many looks files must be still before they are read: a program that writes one in place is done by then.
const STILL_LOOKS: u32 = 10;

/// For how many looks a file may be gone while it is replaced.
const ABSENT_LOOKS: u32 = 100;

/// For how many looks files that keep changing are waited for.
const MOST_LOOKS: u32 = 500;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write as an editor does that is met half-way")]
mod tests {
    use std::fs::File;
    use std::io::{Seek as _, SeekFrom};
    use std::os::fd::AsRawFd as _;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A value that counts how often it was read.
    fn watched(file: &Path) -> (Watched<Vec<u8>>, Arc<AtomicUsize>) {
        let (path, reads) = (file.to_owned(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&reads);
        let read = move |files: &SmallFiles| {
            counted.fetch_add(1, Ordering::SeqCst);
            let bytes = files.read(&path)?.to_vec();
            if bytes == b"broken" { Err(Failure::NoHome) } else { Ok(bytes) }
        };
        (Watched::new(vec![file.to_owned()], PermissionRule::Strict, read).unwrap(), reads)
    }

    fn replace(file: &Path, bytes: &[u8]) {
        let new = file.with_extension("new");
        fs::write(&new, bytes).unwrap();
        fs::rename(new, file).unwrap();
    }

    #[test]
    fn a_file_is_read_again_only_when_it_has_changed() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "one").unwrap();
        let (value, reads) = watched(&file);
        // File systems count time in ticks.
        sleep(Duration::from_millis(20));
        let first = value.current().unwrap();
        assert!(Arc::ptr_eq(&first, &value.current().unwrap()));
        assert_eq!((first.as_slice(), reads.load(Ordering::SeqCst)), (&b"one"[..], 1));
        // Of the same length, in place, and by another file.
        fs::write(&file, "two").unwrap();
        assert_eq!(*value.current().unwrap(), b"two");
        replace(&file, b"six");
        assert_eq!(*value.current().unwrap(), b"six");
        assert_eq!(reads.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn what_cannot_be_read_or_is_gone_is_an_error_and_not_the_old_value() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "one").unwrap();
        let (value, _) = watched(&file);
        replace(&file, b"broken");
        for _ in 0..2 {
            assert_eq!(value.current().unwrap_err().reason(), "no-home");
        }
        fs::remove_file(&file).unwrap();
        let Err(Failure::Unreadable { path, source }) = value.current() else { panic!() };
        assert_eq!((path, source.kind()), (file.clone(), io::ErrorKind::NotFound));
        // Once it is right, work can go on.
        fs::write(&file, "two").unwrap();
        assert_eq!(*value.current().unwrap(), b"two");
    }

    /// Somebody who truncates a file and then writes it, or removes it and makes it again, is not met in between.
    #[test]
    fn a_file_that_is_being_written_is_read_when_it_is_still() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "one").unwrap();
        let (value, reads) = watched(&file);
        fs::write(&file, "").unwrap();
        let mut steps = 0;
        let found = value.current_pausing(|| {
            steps += 1;
            match steps {
                1..=5 => fs::write(&file, "x".repeat(steps)).unwrap(),
                6 => fs::remove_file(&file).unwrap(),
                40 => fs::write(&file, "at last").unwrap(),
                _ => {}
            }
        });
        assert_eq!((found.unwrap().as_slice(), steps), (&b"at last"[..], 50));
        assert_eq!(reads.load(Ordering::SeqCst), 2);
    }

    /// A value of several files, in this order, and the words that they hold.
    fn words(files: &[PathBuf]) -> Watched<String> {
        let named = files.to_vec();
        let read = move |files: &SmallFiles| {
            let words: Result<Vec<_>, _> = named
                .iter()
                .map(|path| Ok(String::from_utf8(files.read(path)?.to_vec()).unwrap()))
                .collect();
            words.map(|words: Vec<_>| words.join(" "))
        };
        Watched::new(files.to_vec(), PermissionRule::Strict, read).unwrap()
    }

    fn make_fifo(path: &Path) {
        rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RWXU).unwrap();
    }

    /// Whoever hands over a pipe beside a file does not keep it from being read again.
    #[test]
    fn a_pipe_is_read_once_and_the_files_beside_it_are_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let (fifo, file) = (at("fifo"), at("file"));
        make_fifo(&fifo);
        let writer = std::thread::spawn({
            let fifo = fifo.clone();
            move || fs::write(fifo, "pipe").unwrap()
        });
        fs::write(&file, "one").unwrap();
        let value = words(&["/dev/null".into(), fifo.clone(), file.clone(), fifo.clone()]);
        writer.join().unwrap();
        assert_eq!(*value.current().unwrap(), " pipe one pipe");
        replace(&file, b"two");
        assert_eq!(*value.current().unwrap(), " pipe two pipe");
        fs::remove_file(&fifo).unwrap();
        replace(&file, b"six");
        assert_eq!(*value.current().unwrap(), " pipe six pipe");
        // What takes its place on the disk is read.
        fs::write(&fifo, "disk").unwrap();
        assert_eq!(*value.current().unwrap(), " disk six disk");
    }

    /// Nobody has to write to a FIFO, ever.
    #[test]
    fn what_becomes_a_fifo_is_an_error_and_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "one").unwrap();
        let (value, _) = watched(&file);
        fs::remove_file(&file).unwrap();
        make_fifo(&file);
        for _ in 0..2 {
            let Err(Failure::Unreadable { path, source }) = value.current() else { panic!() };
            assert_eq!((path, source.kind()), (file.clone(), io::ErrorKind::InvalidInput));
        }
        fs::remove_file(&file).unwrap();
        fs::write(&file, "two").unwrap();
        assert_eq!(*value.current().unwrap(), b"two");
    }

    /// A descriptor that was handed over has one position for everybody who reads it.
    #[test]
    fn a_file_that_was_handed_over_open_is_read_again_from_where_it_was() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        io::Write::write_all(&mut file, b"xx one").unwrap();
        let mut open = File::open(file.path()).unwrap();
        open.seek(SeekFrom::Start(3)).unwrap();
        let value = words(&[format!("/dev/fd/{}", open.as_raw_fd()).into()]);
        assert_eq!(*value.current().unwrap(), "one");
        io::Write::write_all(&mut file, b" two").unwrap();
        assert_eq!(*value.current().unwrap(), "one two");
    }
}
