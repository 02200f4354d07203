//! Where the payloads of records go.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};

use brine_records::{Handed, Hold, ReleasedRun, Room, Sink};
use rustix::event::{PollFd, PollFlags, poll};

use super::input::grow_pipe;
use super::output::{Opened, Output, is_printable};
use super::whole_file::Access;
use crate::report::Failure;

/// Writes the payloads of records to an output, in blocks.
pub(crate) struct RecordOutput<'a> {
    output: &'a Output,
    opened: Opened,
}

impl<'a> RecordOutput<'a> {
    /// Opens an output. With a ledger, a replay database says what was written.
    pub(crate) fn open(output: &'a Output, has_ledger: bool) -> Result<Self, Failure> {
        let opened = output.open(Access::Ordinary)?;
        // What is in a pipe is lost with its reader. With a replay database, that is kept small.
        if !has_ledger {
            grow_pipe(opened.file());
        }
        Ok(Self { output, opened })
    }

    /// Lets the output appear under its name.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        self.output.finish(self.opened)
    }
}

impl Sink for RecordOutput<'_> {
    type Error = Failure;

    fn room(&mut self, hold: &mut dyn Hold) -> Result<Room, Failure> {
        Ok(match hold.is_relied_on() {
            true => room_in(self.opened.file()),
            false => Room::ANY,
        })
    }

    fn write(&mut self, run: &ReleasedRun<'_>, hold: &mut dyn Hold) -> Result<Handed, Failure> {
        let payloads = run.payloads();
        if self.output.is_terminal() && !is_printable(&payloads) {
            self.output.refuse_terminal("binary data")?;
        }
        let mut file = self.opened.file();
        let written = match hold.is_relied_on() {
            false => file.write_all(&payloads),
            true => write_durably(file, &payloads),
        };
        written.map_err(|error| self.output.failed(error))?;
        Ok(Handed::Done)
    }
}

/// Writes to the end, and to the disk if it is a regular file: what the replay database calls released is not lost
/// if the power fails. If writing fails, a regular file is left as it was, without half a record.
fn write_durably(mut file: &File, payloads: &[u8]) -> io::Result<()> {
    let found = file.metadata()?;
    if !found.is_file() {
        return file.write_all(payloads);
    }
    let position = file.stream_position()?;
    let written = file.write_all(payloads).and_then(|()| file.sync_data());
    if written.is_err() && position >= found.len() {
        file.set_len(found.len())?;
        file.seek(SeekFrom::Start(position))?;
    }
    written
}

/// Waits until a pipe takes something, and returns how many bytes it takes without waiting again.
fn room_in(file: &File) -> Room {
    let Ok(size) = rustix::pipe::fcntl_getpipe_size(file) else { return Room::ANY };
    // What goes wrong here goes wrong in writing, too.
    let _ = poll(&mut [PollFd::new(file, PollFlags::OUT)], None);
    let queued = rustix::io::ioctl_fionread(file).unwrap_or_default();
    let queued = usize::try_from(queued).unwrap_or(usize::MAX);
    // The pages at both ends may be partly full.
    Room::of_bytes(size.saturating_sub(queued).saturating_sub(2 * PAGE_BYTES))
}

const PAGE_BYTES: usize = 4096;
