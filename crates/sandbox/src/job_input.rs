//! The standard input of a job: a pipe that a thread fills. So a job never has a descriptor of somebody else's, whose
//! position, mode and other end it could reach.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use super::LaunchError;

/// The thread that gives a job its input.
pub(super) struct JobInput {
    /// Can be read when the thread has ended.
    ended: Option<OwnedFd>,
    result: Receiver<GivenInput>,
    /// The thread ends when this is closed.
    stop: Option<OwnedFd>,
    given: Arc<AtomicU64>,
}

/// How the thread ended. If its source failed, it leaves the pipe open: the job must not take that for the end.
type GivenInput = Result<(), (io::Error, OwnedFd)>;

impl JobInput {
    /// Begins to copy `source` to `pipe`.
    pub(super) fn start(source: File, pipe: OwnedFd) -> Result<Self, LaunchError> {
        let failed = |error: Errno| LaunchError::setting_up("making a pipe", error);
        rustix::io::ioctl_fionbio(&pipe, true).map_err(failed)?;
        let (ended, end) = pipe_with(PipeFlags::CLOEXEC).map_err(failed)?;
        let (stopped, stop) = pipe_with(PipeFlags::CLOEXEC).map_err(failed)?;
        let (sender, result) = channel();
        let given = Arc::new(AtomicU64::new(0));
        let copy = InputCopy { source, pipe, stopped, given: Arc::clone(&given) };
        thread::Builder::new()
            .name("job input".to_owned())
            .spawn(move || copy.run(&sender, end))
            .map_err(|error| LaunchError::setting_up("starting a thread", error))?;
        Ok(Self { ended: Some(ended), result, stop: Some(stop), given })
    }

    /// Returns what can be read when the thread has ended, until that was [seen](Self::take_end).
    pub(super) fn ended(&self) -> Option<BorrowedFd<'_>> {
        self.ended.as_ref().map(AsFd::as_fd)
    }

    /// Takes the end of the thread.
    ///
    /// # Errors
    ///
    /// [`LaunchError::Input`] if the source could not be read to its end.
    pub(super) fn take_end(&mut self) -> Result<(), LaunchError> {
        self.ended = None;
        match self.result.try_recv() {
            Ok(Err((error, pipe))) => {
                // Kept open as long as anybody of the job may read.
                self.stop = Some(pipe);
                Err(LaunchError::Input(error))
            }
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }

    /// Ends the thread, and returns how many bytes it gave. One that waits for a source which somebody else empties
    /// is left behind.
    pub(super) fn finish(mut self) -> u64 {
        self.stop = None;
        if self.ended.is_some() {
            // Either it ends in time, or it waits for a source and gives nothing any more.
            let _ = self.result.recv_timeout(PATIENCE);
        }
        self.given.load(Ordering::Acquire)
    }
}

struct InputCopy {
    source: File,
    pipe: OwnedFd,
    stopped: OwnedFd,
    given: Arc<AtomicU64>,
}

impl InputCopy {
    /// Copies, says how that ended, and closes `end`.
    fn run(self, result: &Sender<GivenInput>, end: OwnedFd) {
        let copied = self.copy();
        let Self { pipe, .. } = self;
        // Nobody hears it if the job has ended first.
        let _ = result.send(copied.map_err(|error| (error, pipe)));
        drop(end);
    }

    /// Copies until the source ends, nobody reads any more, or the job is over.
    fn copy(&self) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        while self.wait(self.source.as_fd(), PollFlags::IN)? {
            match rustix::io::read(&self.source, &mut *buffer) {
                Ok(0) => return Ok(()),
                Ok(count) if !self.give(buffer.get(..count).unwrap_or_default())? => return Ok(()),
                Ok(_) | Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Writes all of it, and returns whether somebody may want more.
    fn give(&self, mut bytes: &[u8]) -> io::Result<bool> {
        while !bytes.is_empty() {
            if !self.wait(self.pipe.as_fd(), PollFlags::OUT)? {
                return Ok(false);
            }
            match rustix::io::write(&self.pipe, bytes) {
                Ok(count) => {
                    let more = u64::try_from(count).unwrap_or(u64::MAX);
                    self.given.fetch_add(more, Ordering::Release);
                    bytes = bytes.get(count..).unwrap_or_default();
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(Errno::PIPE) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// Waits for a descriptor, and returns whether it is worth while: somebody may read, and the job is not over.
    fn wait(&self, descriptor: BorrowedFd<'_>, events: PollFlags) -> io::Result<bool> {
        loop {
            let mut polled = [
                PollFd::from_borrowed_fd(descriptor, events),
                PollFd::new(&self.stopped, PollFlags::IN),
                PollFd::new(&self.pipe, PollFlags::empty()),
            ];
            match rustix::event::poll(&mut polled, None) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let [ready, stopped, pipe] = polled.map(|one| one.revents());
            if !stopped.is_empty() || pipe.contains(PollFlags::ERR) {
                return Ok(false);
            }
            if !ready.is_empty() {
                return Ok(true);
            }
        }
    }
}

const BUFFER_BYTES: usize = 1 << 16;

/// How long the thread may take to end.
const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    /// Waits for the end of the thread as the watch of a job does.
    fn ended(input: &mut JobInput) -> Result<(), LaunchError> {
        let descriptor = input.ended().unwrap();
        let mut polled = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
        rustix::event::poll(&mut polled, None).unwrap();
        input.take_end()
    }

    fn pipe() -> (File, OwnedFd) {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        (read.into(), write)
    }

    #[test]
    fn everything_is_given_and_then_the_end() {
        let content: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
        let (mut read, write) = pipe();
        let (source, to_source) = pipe();
        let mut input = JobInput::start(source, write).unwrap();
        let sent = content.clone();
        let writer = thread::spawn(move || File::from(to_source).write_all(&sent));
        let mut found = Vec::new();
        read.read_to_end(&mut found).unwrap();
        writer.join().unwrap().unwrap();
        assert!(found == content);
        ended(&mut input).unwrap();
        assert_eq!(input.finish(), 1 << 20);
    }

    /// The source never ends, and does not keep anybody from going on.
    #[test]
    fn nobody_waits_for_a_source_that_never_ends() {
        let (_read, write) = pipe();
        let (source, to_source) = pipe();
        let input = JobInput::start(source, write).unwrap();
        rustix::io::write(&to_source, b"some").unwrap();
        while input.given.load(Ordering::Acquire) < 4 {
            thread::yield_now();
        }
        assert!(input.ended.is_some());
        assert_eq!(input.finish(), 4);
    }

    #[test]
    fn a_job_that_reads_no_more_is_no_failure() {
        let (read, write) = pipe();
        drop(read);
        let mut input = JobInput::start(File::open("/dev/zero").unwrap(), write).unwrap();
        ended(&mut input).unwrap();
        assert_eq!(input.finish(), 0);
    }

    /// What has arrived must not pass for all of it.
    #[test]
    fn a_source_that_fails_is_not_at_its_end() {
        let (read, write) = pipe();
        let mut input = JobInput::start(File::open("/").unwrap(), write).unwrap();
        let LaunchError::Input(error) = ended(&mut input).unwrap_err() else { panic!() };
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
        rustix::io::ioctl_fionbio(&read, true).unwrap();
        let error = (&read).read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        input.finish();
        assert_eq!((&read).read(&mut [0]).unwrap(), 0);
    }
}
