//! Descriptors in non-blocking mode.
//!
//! The mode belongs to the open file, which other processes share: a parent sets it for itself, and this process
//! finds it. Setting it back would take it from them. So what cannot be read or written yet is waited for.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// An open file that is waited for, whatever its mode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PatientFile<F>(F);

impl<F: AsFd> PatientFile<F> {
    pub(crate) const fn new(file: F) -> Self {
        Self(file)
    }

    /// Returns the open file alone.
    pub(crate) fn into_inner(self) -> F {
        self.0
    }

    /// Returns the open file, for everything but reading and writing.
    pub(crate) const fn as_file(&self) -> &F {
        &self.0
    }
}

impl<F: AsFd> Read for PatientFile<F> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        waited_for(&self.0, PollFlags::IN, || rustix::io::read(&self.0, &mut *room))
    }
}

impl<F: AsFd> Write for PatientFile<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        waited_for(&self.0, PollFlags::OUT, || rustix::io::write(&self.0, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Tries until the descriptor is ready. An interrupt is passed on, as any caller expects.
pub(crate) fn waited_for<T>(
    file: &impl AsFd,
    events: PollFlags,
    mut attempt: impl FnMut() -> Result<T, Errno>,
) -> io::Result<T> {
    loop {
        match attempt() {
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::new(file, events)], None)?;
            }
            done => return Ok(done?),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::OwnedFd;

    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;

    fn pipe() -> (PatientFile<File>, PatientFile<File>) {
        let (read, write) = pipe_with(PipeFlags::NONBLOCK).unwrap();
        let file = |end: OwnedFd| PatientFile::new(File::from(end));
        (file(read), file(write))
    }

    /// More than a pipe holds, so both ends have to wait for each other.
    #[test]
    fn both_ends_of_a_pipe_are_waited_for() {
        let (mut read, mut write) = pipe();
        let sent: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_be_bytes).collect();
        let writer = std::thread::spawn({
            let sent = sent.clone();
            move || write.write_all(&sent).unwrap()
        });
        let mut found = Vec::new();
        read.read_to_end(&mut found).unwrap();
        writer.join().unwrap();
        assert!(found == sent);
    }

    /// Waiting ends when there is nothing to wait for any more.
    #[test]
    fn a_lost_reader_is_an_error() {
        let (read, mut write) = pipe();
        let writer = std::thread::spawn(move || write.write_all(&[0; 1 << 20]).unwrap_err());
        drop(read);
        assert_eq!(writer.join().unwrap().kind(), io::ErrorKind::BrokenPipe);
    }
}
