//! The files in `/etc` that programs look for. They are made for the job, and say nothing of this system but its time
//! zone.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::PrivateRoot;

/// The directory of the files.
pub(crate) const ETC: &str = "/etc";

/// The files whose content is the same for every job.
const FILES: [(&str, &str); 5] = [
    ("/etc/group", "root:x:0:\nnobody:x:65534:\n"),
    ("/etc/hostname", "brine\n"),
    ("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    // Without this file, the C library also asks services that a job cannot reach.
    (
        "/etc/nsswitch.conf",
        "passwd: files\ngroup: files\nshadow: files\nhosts: files\nservices: files\n",
    ),
    (
        "/etc/passwd",
        "root:x:0:0:root:/nonexistent:/bin/false\nnobody:x:65534:65534:nobody:/job/work:/bin/sh\n",
    ),
];

/// The time zone of this system, as its own `/etc/localtime` has it.
pub(super) enum TimeZone {
    /// The file is a link below [`ZONES`], by which programs know the name of the zone.
    Link(PathBuf),
    /// The file is a copy, which has no name.
    Rules(Vec<u8>),
    /// There is no such file, or it cannot be read: UTC.
    Unknown,
}

impl TimeZone {
    /// Reads it. It **must** be called while this process sees the system.
    pub(super) fn of_system() -> Self {
        let path = Path::new(LOCAL_TIME);
        if let Ok(to) = path.read_link() {
            // A relative link leads from /etc.
            let to = Path::new(ETC).join(to);
            let to =
                to.strip_prefix("/etc/..").map_or(to.clone(), |rest| Path::new("/").join(rest));
            if to.starts_with(ZONES) {
                return Self::Link(to);
            }
        }
        let mut rules = Vec::new();
        let read =
            File::open(path).and_then(|file| file.take(MAX_ZONE_BYTES).read_to_end(&mut rules));
        if read.is_ok() { Self::Rules(rules) } else { Self::Unknown }
    }
}

impl PrivateRoot {
    /// Makes the files. What the plan shows at one of their paths stays.
    pub(super) fn etc(&self, zone: &TimeZone) -> io::Result<()> {
        for (path, text) in FILES {
            self.write(Path::new(path), text.as_bytes())?;
        }
        match zone {
            TimeZone::Link(to) => self.link_if_missing(Path::new(LOCAL_TIME), to),
            TimeZone::Rules(rules) => self.write(Path::new(LOCAL_TIME), rules),
            TimeZone::Unknown => Ok(()),
        }
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let (directory, name) = self.parent(path)?;
        if !self.owns(directory.as_fd())? {
            return Ok(());
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        match rustix::fs::openat(&directory, name, flags, Mode::from_raw_mode(0o444)) {
            Ok(made) => File::from(made).write_all(content),
            Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

const LOCAL_TIME: &str = "/etc/localtime";

/// Where the rules of all zones are, by name.
const ZONES: &str = "/usr/share/zoneinfo";

/// More than the rules of any zone.
const MAX_ZONE_BYTES: u64 = 1 << 16;
