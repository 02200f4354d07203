//! Paths that stand for an open descriptor: `/dev/stdout`, `/dev/fd/3`, and links to them.
//!
//! Opening such a path opens the file behind the descriptor once more, at its beginning and without the flag
//! that lets everybody append. Replacing it would take the file away from all others who have it open. So the
//! descriptor itself is read or written.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::stdio;
use rustix::termios::isatty;

use super::trail::MAX_LINKS;
use super::whole_file::directory_of;

/// A descriptor that the process was started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor(i32);

impl Descriptor {
    pub(crate) const STDIN: Self = Self(0);
    pub(crate) const STDOUT: Self = Self(1);

    /// Returns the descriptor that a path stands for, if it stands for one.
    pub(crate) fn named_by(path: &Path) -> Option<Self> {
        links(path).find_map(|path| Self::named_directly(&path))
    }

    /// Returns whether a path is one of the names that the system has for the descriptors of a process. No link is
    /// followed to find out, so nobody else can have made it.
    pub(crate) fn is_name(path: &Path) -> bool {
        let standard = STANDARD.iter().any(|name| path == Path::new(name));
        let digits = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let numbered = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let directory = directory_of(path);
        standard || numbered && DIRECTORIES.iter().any(|name| directory == Path::new(name))
    }

    fn named_directly(path: &Path) -> Option<Self> {
        if let Some(number) = STANDARD.iter().position(|name| path == Path::new(name)) {
            return i32::try_from(number).ok().map(Self);
        }
        let digits = path.file_name()?.to_str()?;
        let number: i32 = digits.parse().ok()?;
        if number < 0 || number.to_string() != digits {
            return None;
        }
        let directory = directory_of(path);
        // By its name, because /proc may not be there.
        let is_named = DIRECTORIES.iter().any(|name| directory == Path::new(name));
        let is_own = || {
            let found = fs::canonicalize(directory);
            found.is_ok_and(|found| own_directories().any(|own| own == found))
        };
        (is_named || is_own()).then_some(Self(number))
    }

    /// Opens it under a second number: the same open file, with its position and its flags.
    pub(crate) fn duplicate(self) -> io::Result<File> {
        let duplicate = match self.0 {
            0 => rustix::io::dup(stdio::stdin())?,
            1 => rustix::io::dup(stdio::stdout())?,
            2 => rustix::io::dup(stdio::stderr())?,
            number => return duplicate(number),
        };
        Ok(File::from(duplicate))
    }

    /// Returns whether it is a terminal. Standard streams are asked as they are: to close a duplicate of one would end
    /// the locks of this process on a file behind it (POSIX `fcntl`).
    pub(crate) fn is_terminal(self) -> bool {
        match self.0 {
            0 => isatty(stdio::stdin()),
            1 => isatty(stdio::stdout()),
            2 => isatty(stdio::stderr()),
            _ => self.duplicate().is_ok_and(isatty),
        }
    }

    /// Returns what to call it.
    pub(crate) fn name(self) -> String {
        match self.0 {
            0 => "standard input".to_owned(),
            1 => "standard output".to_owned(),
            2 => "standard error".to_owned(),
            number => format!("descriptor {number}"),
        }
    }
}

/// Returns whether a path leads to an open file of another process, as `/proc/1/fd/1` is.
pub(crate) fn is_of_another_process(path: &Path) -> bool {
    links(path).any(|path| {
        let directory = fs::canonicalize(directory_of(&path));
        directory.is_ok_and(|found| found.starts_with("/proc") && found.ends_with("fd"))
    })
}

/// Returns a path and, as long as it is a link, the path that it leads to.
fn links(path: &Path) -> impl Iterator<Item = PathBuf> {
    let next = |path: &PathBuf| Some(directory_of(path).join(fs::read_link(path).ok()?));
    std::iter::successors(Some(path.to_owned()), next).take(MAX_LINKS)
}

/// The directories of the descriptors of this process, as the system calls them.
fn own_directories() -> impl Iterator<Item = PathBuf> {
    DIRECTORIES.iter().filter_map(|name| fs::canonicalize(name).ok())
}

/// Descriptors have no safe duplicate by their number alone. The system gives out those of a process to itself.
#[cfg(target_os = "linux")]
fn duplicate(number: i32) -> io::Result<File> {
    use rustix::io::Errno;
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    let process = pidfd_open(getpid(), PidfdFlags::empty());
    match process.and_then(|own| pidfd_getfd(own, number, PidfdGetfdFlags::empty())) {
        Ok(duplicate) => Ok(File::from(duplicate)),
        Err(Errno::BADF) => Err(Errno::BADF.into()),
        // Linux before 5.6 does not have it, and containers forbid it.
        Err(_) => reopen(number),
    }
}

/// Elsewhere, opening the path is what duplicates the descriptor.
#[cfg(not(target_os = "linux"))]
fn duplicate(number: i32) -> io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags, openat};

    let path = format!("/dev/fd/{number}");
    let opened = openat(CWD, &path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .or_else(|_| openat(CWD, &path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()))
        .or_else(|_| openat(CWD, &path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()));
    Ok(File::from(opened?))
}

/// Opens what is behind a descriptor once more, where that comes to the same: a pipe or a device, a file that is
/// appended to, or one that is read, from its position on.
#[cfg(target_os = "linux")]
fn reopen(number: i32) -> io::Result<File> {
    use std::io::{Seek as _, SeekFrom};

    use rustix::fs::{CWD, Mode, OFlags, openat};

    let OpenState { position, flags } = OpenState::of(number)?;
    let kept = flags & (OFlags::ACCMODE | OFlags::APPEND);
    let path = format!("/proc/self/fd/{number}");
    let mut file = File::from(openat(CWD, path, kept | OFlags::CLOEXEC, Mode::empty())?);
    if file.metadata()?.is_file() && !flags.contains(OFlags::APPEND) {
        if flags & OFlags::ACCMODE != OFlags::RDONLY {
            return Err(io::Error::new(io::ErrorKind::Unsupported, NOT_SHARED));
        }
        file.seek(SeekFrom::Start(position))?;
    }
    Ok(file)
}

/// What the system says about an open descriptor.
#[cfg(target_os = "linux")]
struct OpenState {
    position: u64,
    flags: rustix::fs::OFlags,
}

#[cfg(target_os = "linux")]
impl OpenState {
    fn of(number: i32) -> io::Result<Self> {
        let mut text = String::new();
        let file = File::open(format!("/proc/self/fdinfo/{number}"))?;
        io::Read::read_to_string(&mut io::Read::take(file, MAX_STATE_BYTES), &mut text)?;
        Self::parse(&text).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Reads the lines `pos:` and `flags:`, which is an octal number (`proc(5)`).
    fn parse(text: &str) -> Option<Self> {
        let value = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        let flags = u32::from_str_radix(value("flags")?, 8).ok()?;
        let flags = rustix::fs::OFlags::from_bits_retain(flags);
        Some(Self { position: value("pos")?.parse().ok()?, flags })
    }
}

const STANDARD: [&str; 3] = ["/dev/stdin", "/dev/stdout", "/dev/stderr"];

const DIRECTORIES: [&str; 3] = ["/dev/fd", "/proc/self/fd", "/proc/thread-self/fd"];

#[cfg(target_os = "linux")]
const NOT_SHARED: &str = "cannot be written together with others here: open it for appending (>>), or redirect \
                          standard output";

#[cfg(target_os = "linux")]
const MAX_STATE_BYTES: u64 = 65536;

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, SeekFrom, Write as _};
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_names_of_descriptors_are_known_and_other_names_are_not() {
        let directory = tempfile::TempDir::new().unwrap();
        let link = |name: &str, to: &str| {
            let path = directory.path().join(name);
            symlink(to, &path).unwrap();
            path
        };
        let direct = link("direct", "/dev/stdout");
        let chain = link("chain", "direct");
        let fd = link("fd", "/proc/self/fd");
        let own = PathBuf::from(format!("/proc/{}/fd/7", std::process::id()));
        for (path, number) in [
            (Path::new("/dev/stdin"), 0),
            (Path::new("/dev/stderr"), 2),
            (Path::new("/dev/fd/63"), 63),
            (Path::new("/proc/self/fd/1"), 1),
            (&own, 7),
            (&direct, 1),
            (&chain, 1),
            (&fd.join("5"), 5),
        ] {
            assert_eq!(Descriptor::named_by(path), Some(Descriptor(number)), "{path:?}");
        }
        let turning = link("turning", "turning");
        let foreign = link("foreign", "/proc/1/fd/1");
        assert!(is_of_another_process(&foreign) && !is_of_another_process(&turning));
        let others = ["1", "/dev/null", "/dev/fd/01", "/dev/fd/-1", "/dev/fd", "/proc/1/fd/1", ""];
        for path in others.map(Path::new).into_iter().chain([&*turning, &*foreign]) {
            assert_eq!(Descriptor::named_by(path), None, "{path:?}");
        }
    }

    #[test]
    fn a_duplicate_shares_its_position_and_appends_where_the_other_does() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"header").unwrap();
        Descriptor(file.as_raw_fd()).duplicate().unwrap().write_all(b" body").unwrap();
        file.write_all(b" footer").unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        let read = Descriptor(file.as_raw_fd()).duplicate().unwrap();
        assert_eq!(io::read_to_string(read).unwrap(), "header body footer");
        let error = Descriptor(12345).duplicate().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(9), "{error}");
    }

    /// As in a container that forbids `pidfd_getfd`.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_opened_once_more_loses_nothing_or_is_refused() {
        let place = tempfile::NamedTempFile::new().unwrap();
        let mut written = fs::File::options().write(true).open(place.path()).unwrap();
        written.write_all(b"header").unwrap();
        let error = reopen(written.as_raw_fd()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        let appended = fs::File::options().append(true).open(place.path()).unwrap();
        reopen(appended.as_raw_fd()).unwrap().write_all(b" body").unwrap();
        let mut read = fs::File::open(place.path()).unwrap();
        read.seek(SeekFrom::Start(2)).unwrap();
        assert_eq!(io::read_to_string(reopen(read.as_raw_fd()).unwrap()).unwrap(), "ader body");
    }
}
