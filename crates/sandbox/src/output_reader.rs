//! Reads the output of a job in a process that has nothing to lose: a format may need a reader that panics, or asks
//! for any amount of memory, when it is given something else.
//!
//! ```text
//! brine ── reader: standard input is the output of the job, standard output is where it reports
//! ```
//!
//! The reader is this program, started once more. It gets the output, read-only, and nothing else; confines itself by
//! the layers that hold jobs; and reads. Only a reader that reports success and exits with 0 is believed.

mod confined;
mod report;

use std::fs::File;
use std::io::{self, PipeReader, Read as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use brine_core::text::in_words;
use brine_job::{FormatError, Plan, ReaderEnd};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags};

use self::confined::ReaderOrders;
pub use self::confined::enter_reader;
use self::report::{MAX_REPORT_BYTES, ReaderReport};
use super::prepare;

/// Output of a job that is to be read by a confined reader.
#[derive(Debug)]
pub struct ConfinedReading<'a> {
    /// What held while the job ran. Its reader has the limits of it, and the layers that are not waived.
    pub plan: &'a Plan,
    /// All that the job wrote. The reader gets a descriptor of its own, for reading only.
    pub output: &'a File,
    /// An executable whose `main` calls [`enter_reader`] before it does anything; usually `/proc/self/exe`.
    pub program_reader: &'a Path,
}

/// Checks that output is what the format of the plan says, as [`enter_reader`] finds in a process of its own.
///
/// When this returns, that process is gone.
///
/// # Errors
///
/// - [`FormatError::Columnar`] if the reader refuses it;
/// - [`FormatError::Reader`] if the reader ended in any other way;
/// - [`FormatError::NotConfined`] if it could not be started or confined.
pub fn check_confined(reading: &ConfinedReading<'_>) -> Result<(), FormatError> {
    let format = reading.plan.parts().format;
    let failed = |step: &'static str| {
        move |error: io::Error| FormatError::NotConfined {
            step: format!("{step}: {}", in_words(&error)),
        }
    };
    let mut reader = Reader::start(reading).map_err(failed("starting it"))?;
    let Some((report, status)) = reader.ended().map_err(failed("waiting for it"))? else {
        return Err(FormatError::Reader { format, end: ReaderEnd::TimedOut });
    };
    match (ReaderReport::decode(&report), status.code()) {
        (Some(ReaderReport::Believed), Some(0)) => Ok(()),
        (Some(ReaderReport::Refused(what)), _) => Err(FormatError::Columnar { format, what }),
        (Some(ReaderReport::NotConfined(step)), _) => Err(FormatError::NotConfined { step }),
        (said, _) => Err(FormatError::Reader { format, end: end(said, status) }),
    }
}

/// Returns how a reader ended that neither believed nor refused.
fn end(said: Option<ReaderReport>, status: ExitStatus) -> ReaderEnd {
    match (said, status.signal()) {
        (Some(ReaderReport::Panicked(what)), _) => ReaderEnd::Panicked(what),
        (Some(ReaderReport::OutOfMemory), _) => ReaderEnd::OutOfMemory,
        (_, Some(libc::SIGXCPU)) => ReaderEnd::OutOfProcessorTime,
        (_, Some(signal)) => ReaderEnd::Killed(signal),
        (_, None) => ReaderEnd::Failed,
    }
}

/// A reader that was started. It does not outlive this value.
struct Reader {
    process: Child,
    /// Where it reports.
    report: PipeReader,
    deadline: Instant,
}

impl Reader {
    fn start(reading: &ConfinedReading<'_>) -> io::Result<Self> {
        let parts = reading.plan.parts();
        let output = File::from(prepare::read_only(reading.output)?);
        // Both streams are one: a process without memory can say so on standard error only.
        let (report, write) = io::pipe()?;
        let process = Command::new(reading.program_reader)
            .arg0(READER_NAME)
            .args(ReaderOrders::of(parts).arguments())
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(output))
            .stdout(Stdio::from(write.try_clone()?))
            .stderr(Stdio::from(write))
            .spawn()?;
        let now = Instant::now();
        let deadline = now.checked_add(parts.limits.wall).unwrap_or(now + FOREVER);
        Ok(Self { process, report, deadline })
    }

    /// Returns what it reports, once it has ended, and how it ended; `None` if that takes too long.
    fn ended(&mut self) -> io::Result<Option<(Vec<u8>, ExitStatus)>> {
        let process = Pid::from_child(&self.process);
        let process = rustix::process::pidfd_open(process, PidfdFlags::empty())?;
        let mut report = Vec::new();
        let mut reports = true;
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 3600, tv_nsec: 0 });
            let mut polled = vec![PollFd::new(&process, PollFlags::IN)];
            polled.extend(reports.then(|| PollFd::new(&self.report, PollFlags::IN)));
            match rustix::event::poll(&mut polled, Some(&left)) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let mut ready = polled.iter().map(|one| !one.revents().is_empty());
            let has_ended = ready.next().unwrap_or(false);
            if ready.next().unwrap_or(false) {
                reports = self.read_piece(&mut report)?;
            } else if has_ended {
                return Ok(Some((report, self.process.wait()?)));
            }
        }
    }

    /// Reads a piece of its report, and keeps what there is room for. Returns whether more may follow.
    fn read_piece(&mut self, report: &mut Vec<u8>) -> io::Result<bool> {
        let mut piece = [0; MAX_REPORT_BYTES];
        let read = self.report.read(&mut piece)?;
        let room = MAX_REPORT_BYTES.saturating_sub(report.len()).min(read);
        report.extend_from_slice(piece.get(..room).unwrap_or_default());
        Ok(read > 0)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // It fails if the process has ended, and was waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The first argument of a process that reads the output of a job.
const READER_NAME: &str = "brine-reader";

/// Longer than any machine runs.
const FOREVER: Duration = Duration::from_secs(1 << 32);
