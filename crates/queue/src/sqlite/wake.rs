//! Consumers are woken when a message is published.
//!
//! Who publishes touches the file when the message can be seen. Consumers watch the file for that (inotify), and not
//! its log: that is written before the message in it can be seen. Where files cannot be watched, or a publisher died
//! before it touched the file, consumers look by themselves.

use std::path::Path;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};

/// How long a consumer waits that is woken.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How long a consumer waits that nobody wakes.
const POLL: Duration = Duration::from_millis(50);

/// Tells other processes that there is a message.
pub(super) fn announce(path: &Path) {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    // Both at once need no more than the right to write.
    let times = Timestamps { last_access: now, last_modification: now };
    // If it fails, they look by themselves.
    let _ = utimensat(CWD, path, &times, AtFlags::empty());
}

/// Waits for messages.
#[derive(Debug)]
pub(super) struct Waker(Option<platform::FileWatcher>);

impl Waker {
    /// Watches a file. It notices what happens from then on.
    pub(super) fn new(path: &Path) -> Self {
        Self(platform::FileWatcher::new(path))
    }

    /// Waits until a message may have been published since the last time, but not for long, and not longer than
    /// `most`. Returns whether it was woken.
    pub(super) fn wait(&self, most: Duration) -> bool {
        match &self.0 {
            Some(watcher) => watcher.wait(most.min(LONGEST_WAIT)),
            None => {
                std::thread::sleep(most.min(POLL));
                false
            }
        }
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::path::Path;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init};

    /// Room for a good many events. None of them has a name.
    const EVENT_BYTES: usize = 4096;

    #[derive(Debug)]
    pub(super) struct FileWatcher(OwnedFd);

    impl FileWatcher {
        /// Watches a file, if the system has room for another watch.
        pub(super) fn new(path: &Path) -> Option<Self> {
            let watch = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
            add_watch(&watch, path, WatchFlags::ATTRIB).ok()?;
            Some(Self(watch))
        }

        pub(super) fn wait(&self, most: Duration) -> bool {
            let most = Timespec::try_from(most).ok();
            // A signal is a reason to look, too.
            let _ = poll(&mut [PollFd::new(&self.0, PollFlags::IN)], most.as_ref());
            let mut buffer = [MaybeUninit::uninit(); EVENT_BYTES];
            let mut events = Reader::new(&self.0, &mut buffer);
            let mut is_woken = false;
            while events.next().is_ok() {
                is_woken = true;
            }
            is_woken
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use std::path::Path;
    use std::time::Duration;

    #[derive(Debug)]
    pub(super) struct FileWatcher;

    impl FileWatcher {
        pub(super) fn new(_: &Path) -> Option<Self> {
            None
        }

        pub(super) fn wait(&self, most: Duration) -> bool {
            std::thread::sleep(most.min(super::POLL));
            false
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn who_watches_a_file_is_woken_once_for_each_time_that_it_is_touched() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let waker = Waker::new(file.path());
        assert!(!waker.wait(Duration::ZERO));
        announce(file.path());
        announce(file.path());
        assert!(waker.wait(Duration::from_secs(60)));
        assert!(!waker.wait(Duration::ZERO));
    }

    #[test]
    fn a_file_that_cannot_be_watched_is_looked_at() {
        let waker = Waker::new(Path::new("/nowhere"));
        assert!(!waker.wait(Duration::from_secs(60)));
        // Nobody is told of it.
        announce(Path::new("/nowhere"));
    }
}
