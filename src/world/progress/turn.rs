//! Whose turn it is to draw on a terminal.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;

use rustix::fs::OFlags;
use rustix::process::getpgrp;
use rustix::stdio::{stderr, stdin};
use rustix::termios::{isatty, tcgetpgrp};

use super::{interrupt, neighbours};

/// Whether this process draws. Once it does, it goes on: others see the lock until it ends.
#[derive(Debug, Default)]
pub(super) struct Turn {
    lock: Lock,
}

#[derive(Debug, Default)]
enum Lock {
    #[default]
    Untried,
    /// Nobody else of brine draws there, as long as this is open.
    Held(#[expect(dead_code, reason = "it is locked until it is closed")] File),
    /// The terminal belongs to somebody else, as after `su`, and cannot be locked.
    Impossible,
}

impl Turn {
    /// Returns whether this process may draw now.
    pub(super) fn take(&mut self) -> bool {
        if !is_in_foreground() {
            // The shell draws there now, or whatever the person has turned to.
            return false;
        }
        match &self.lock {
            Lock::Held(_) => true,
            Lock::Impossible => is_alone(),
            Lock::Untried if neighbours::draw() => false,
            Lock::Untried => self.lock(),
        }
    }

    fn lock(&mut self) -> bool {
        // A description of its own: one that is shared with the other end of a pipe has one lock with it, too.
        let options =
            OpenOptions::new().write(true).custom_flags(NO_CONTROLLING_TERMINAL).to_owned();
        let Ok(terminal) = options.open("/dev/fd/2") else {
            self.lock = Lock::Impossible;
            return is_alone();
        };
        match terminal.try_lock() {
            Ok(()) => self.lock = Lock::Held(terminal),
            Err(TryLockError::WouldBlock) => return false,
            Err(TryLockError::Error(_)) => {
                self.lock = Lock::Impossible;
                return is_alone();
            }
        }
        interrupt::erase_at_the_end();
        true
    }
}

/// A lock that cannot be had is not needed by who reads from no pipe: the first of a pipeline draws.
fn is_alone() -> bool {
    isatty(stdin())
        || File::open("/dev/fd/0")
            .is_ok_and(|file| file.metadata().is_ok_and(|found| found.is_file()))
}

/// Returns whether this process is one that the person at the terminal has before them. A terminal that does not control
/// it has no foreground for it.
fn is_in_foreground() -> bool {
    tcgetpgrp(stderr()).map_or(true, |foreground| foreground == getpgrp())
}

/// The bits of `O_NOCTTY`: the terminal becomes nobody's by this.
const NO_CONTROLLING_TERMINAL: i32 = OFlags::NOCTTY.bits().cast_signed();
