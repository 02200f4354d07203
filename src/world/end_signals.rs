//! Signals that ask this process to end, while it has something to write first.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::os::fd::OwnedFd;
#[cfg(all(feature = "sandbox", target_os = "linux"))]
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::signal::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

use super::patient_file::PatientFile;

/// SIGINT and SIGTERM, from the moment on at which they are caught. A second one ends the process at once.
#[derive(Clone, Debug)]
pub(crate) struct EndSignals {
    received: Arc<AtomicUsize>,
    /// Can be read once a signal has arrived.
    arrival: Arc<OwnedFd>,
}

impl EndSignals {
    /// Catches the signals, except those that this process was started to ignore.
    pub(crate) fn catch() -> io::Result<Self> {
        claim();
        let (arrival, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let (received, has_come) =
            (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        for signal in [SIGINT, SIGTERM].into_iter().filter(|signal| !is_ignored(*signal)) {
            let number = usize::try_from(signal).unwrap_or(0);
            flag::register_conditional_default(signal, Arc::clone(&has_come))?;
            flag::register(signal, Arc::clone(&has_come))?;
            flag::register_usize(signal, Arc::clone(&received), number)?;
            low_level::pipe::register(signal, tell.try_clone()?)?;
        }
        let caught = Self { received, arrival: Arc::new(arrival) };
        CAUGHT.get_or_init(|| caught.clone());
        Ok(caught)
    }

    /// Returns what can be read once one of them has arrived.
    #[cfg(all(feature = "sandbox", target_os = "linux"))]
    pub(crate) fn arrival(&self) -> BorrowedFd<'_> {
        self.arrival.as_fd()
    }

    /// Returns whether one of them has arrived.
    pub(crate) fn have_arrived(&self) -> bool {
        self.received.load(Ordering::SeqCst) != 0
    }

    /// Ends this process by the signal that has arrived, if one has.
    pub(crate) fn end_process(&self) {
        let signal = i32::try_from(self.received.load(Ordering::SeqCst)).unwrap_or(0);
        if signal != 0 {
            // Where that fails, the process ends by itself, a little later.
            let _ = low_level::emulate_default_handler(signal);
        }
    }

    /// Waits until a file has something to read or has ended, or a signal has arrived, and returns whether that
    /// was in time.
    pub(crate) fn is_ready_within(&self, file: &File, most: Option<Duration>) -> bool {
        let most = most.and_then(|most| Timespec::try_from(most).ok());
        let mut files =
            [PollFd::new(file, PollFlags::IN), PollFd::new(&self.arrival, PollFlags::IN)];
        loop {
            match poll(&mut files, most.as_ref()) {
                Err(Errno::INTR) if !self.have_arrived() => {}
                // A failure here comes again in reading.
                found => return found.map_or(true, |ready| ready > 0),
            }
        }
    }
}

/// Ends this process by the signal that has arrived, if one has, where there is nothing to wait for but a person. In
/// somebody else's process, the wait ends in an error if they say so.
pub(super) fn heed_end() -> io::Result<()> {
    if let Some(signals) = CAUGHT.get() {
        signals.end_process();
    }
    ASKED.get().map_or(Ok(()), |ask| ask())
}

/// Has whoever owns this process asked whether to go on, while a person is waited for. Their error ends the wait.
pub(crate) fn ask_while_waiting(ask: fn() -> io::Result<()>) {
    ASKED.get_or_init(|| ask);
}

static ASKED: OnceLock<fn() -> io::Result<()>> = OnceLock::new();

/// The first that were caught. Others hear of the same signals.
static CAUGHT: OnceLock<EndSignals> = OnceLock::new();

/// Says that somebody has to be asked before a signal ends this process.
pub(super) fn claim() {
    ARE_CLAIMED.store(true, Ordering::SeqCst);
}

/// Returns whether somebody decides what follows a signal.
pub(super) fn are_claimed() -> bool {
    ARE_CLAIMED.load(Ordering::SeqCst)
}

static ARE_CLAIMED: AtomicBool = AtomicBool::new(false);

/// An input that fails when a signal asks this process to end.
#[derive(Debug)]
pub(crate) struct EndableInput {
    pub(crate) file: PatientFile<File>,
    pub(crate) signals: EndSignals,
}

impl Read for EndableInput {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.signals.is_ready_within(self.file.as_file(), None);
        match self.signals.have_arrived() {
            true => Err(io::Error::other("a signal asked to end")),
            false => self.file.read(room),
        }
    }
}

/// Returns whether this process was started to ignore a signal, as `nohup`, and shells for what runs in the
/// background, start programs. It **must** not be caught yet.
pub(super) fn is_ignored(signal: i32) -> bool {
    let bit = u32::try_from(signal).unwrap_or(0).saturating_sub(1);
    ignored_signals().checked_shr(bit).is_some_and(|mask| mask & 1 == 1)
}

/// Returns the signals that are ignored, a bit each.
fn ignored_signals() -> u64 {
    let Ok(status) = File::open("/proc/self/status") else { return 0 };
    let lines = BufReader::new(status).lines().map_while(Result::ok);
    let mask = lines.filter_map(|line| line.strip_prefix("SigIgn:").map(str::to_owned)).next();
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
