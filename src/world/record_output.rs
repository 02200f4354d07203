//! Where records go: the payloads of those that were verified, and the envelopes of those that were signed.

use brine_records::{Framing, Handed, Hold, ReleasedRun, Room, Sink, WriteFailure};

use super::input::grow_pipe;
use super::output::{Opened, Output, is_printable};
use super::whole_file::Access;
use super::whole_records::{Care, Progress, WholeRecords};
use crate::report::Failure;

/// How payloads come to an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payloads {
    /// One payload, as it is. It was framed on its way.
    Bare(Framing),
    /// Any number of them, framed.
    Framed(Framing),
}

impl Payloads {
    /// Returns how they are framed when they come.
    pub(crate) const fn framing(self) -> Framing {
        match self {
            Self::Bare(framing) | Self::Framed(framing) => framing,
        }
    }
}

/// Writes records to an output, in blocks.
pub(crate) struct RecordOutput<'a> {
    output: &'a Output,
    opened: Opened,
    payloads: Payloads,
    records: WholeRecords,
}

impl<'a> RecordOutput<'a> {
    /// Opens an output for records. With a ledger, a replay database says what was written.
    pub(crate) fn open(
        output: &'a Output,
        payloads: Payloads,
        has_ledger: bool,
    ) -> Result<Self, Failure> {
        let opened = output.open(Access::Ordinary)?;
        // What is in a pipe is lost with its reader. With a replay database, that is kept small.
        if !has_ledger {
            grow_pipe(opened.file());
        }
        let file = opened.file().try_clone().map_err(|error| output.failed(error))?;
        let delimiter = match payloads {
            Payloads::Bare(_) => None,
            Payloads::Framed(framing) => framing.delimiter(),
        };
        Ok(Self { output, opened, payloads, records: WholeRecords::new(file, delimiter) })
    }

    /// Writes records, of which each has so many bytes.
    pub(crate) fn write_all(
        &mut self,
        bytes: &[u8],
        lengths: impl Iterator<Item = usize>,
    ) -> Result<(), WriteFailure<Failure>> {
        let Progress { records, failed } = self.records.write(bytes, lengths, Care::Ordinary);
        failed.map_or(Ok(()), |error| Err(self.failed(records, error)))
    }

    /// Lets the output appear under its name.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        self.output.finish(self.opened)
    }

    fn failed(&self, records: usize, error: std::io::Error) -> WriteFailure<Failure> {
        WriteFailure { records, error: self.output.failed(error) }
    }
}

impl Sink for RecordOutput<'_> {
    type Error = Failure;

    fn room(&mut self, next: usize, hold: &mut dyn Hold) -> Result<Room, Failure> {
        // What nobody relies on may wait in the middle of a record, but is not judged before it can begin.
        let least = if hold.is_relied_on() { next } else { 0 };
        let room = self.records.room(least).map_err(|error| self.output.failed(error))?;
        Ok(Room::of_bytes(room))
    }

    fn write(
        &mut self,
        run: &ReleasedRun<'_>,
        hold: &mut dyn Hold,
    ) -> Result<Handed, WriteFailure<Failure>> {
        let mut payloads = run.payloads();
        let mut lengths: Vec<_> = run.lengths().collect();
        if let Payloads::Bare(framing) = self.payloads {
            let contents = run.records().map(|record| framing.content_of(record.payload));
            let contents: Vec<_> = contents.collect();
            lengths = contents.iter().map(|content| content.len()).collect();
            payloads = contents.concat().into();
        }
        if self.output.is_terminal() && !is_printable(&payloads) {
            self.output.refuse_terminal("binary data")?;
        }
        let care = if hold.is_relied_on() { Care::Held } else { Care::Judged };
        match self.records.write(&payloads, lengths.into_iter(), care) {
            Progress { records, failed: Some(error) } => Err(self.failed(records, error)),
            Progress { records, failed: None } => Ok(Handed::First(records)),
        }
    }
}
