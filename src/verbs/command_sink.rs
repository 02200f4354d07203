//! A command that is started for each message of a queue.

use std::io::Write as _;
use std::process::ExitStatus;

use brine_core::Class;
use brine_queue::{AnyQueue, UnsettledMessages};
use brine_records::{
    Framing, Handed, HandlerFailure, Hold, ReleasedRecord, ReleasedRun, Room, Sink, WriteFailure,
};

use crate::report::command::CommandEnd;
use crate::report::{Failure, QueueFailure};
use crate::world::end_signals::EndSignals;
use crate::world::looking::while_looking;
use crate::world::payload_command::PayloadCommand;
use crate::world::spool::{Spool, temporary};

/// How payloads come to the command.
pub(super) const PAYLOADS: Framing = Framing::Len32;

/// Starts a command for each message. One that fails is tried again later, so many times.
pub(super) struct CommandSink<'a> {
    pub(super) command: &'a PayloadCommand,
    pub(super) attempts: u64,
    /// Where the messages come from that are handled now.
    pub(super) unsettled: Option<UnsettledMessages<AnyQueue>>,
    pub(super) signals: EndSignals,
}

impl CommandSink<'_> {
    /// Runs the command with a payload. Leases are extended meanwhile.
    fn run(&self, record: &ReleasedRecord<'_>, hold: &mut dyn Hold) -> Result<ExitStatus, Failure> {
        let mut payload = Spool::new().map_err(temporary)?;
        payload.write_all(PAYLOADS.content_of(record.payload)).map_err(temporary)?;
        let payload = payload.into_read_only().map_err(temporary)?;
        let mut child = self.command.start(payload)?;
        // If the lease is lost, the command has done some of its work already, and may end it. That the message was
        // delivered again is noticed when it is committed.
        let ended = while_looking(
            move || child.wait(),
            || {
                let _ = hold.extend();
            },
        );
        ended.map_err(|error| self.command.not_waited_for(error))
    }

    /// Returns why a message is not handled any more, if a consumer died with it too often.
    fn exhausted(&self, record: &ReleasedRecord<'_>) -> Option<HandlerFailure> {
        let attempt = self.unsettled.as_ref()?.attempt(record.number)?;
        let before = attempt.saturating_sub(1);
        let message = format!("it was delivered {before} times, and no consumer settled it");
        (attempt > self.attempts)
            .then(|| HandlerFailure::new(Class::System, "attempts-exhausted", message))
    }
}

impl Sink for CommandSink<'_> {
    type Error = Failure;

    fn room(&mut self, _: usize, _: &mut dyn Hold) -> Result<Room, Failure> {
        match self.signals.have_arrived() {
            true => Err(QueueFailure::Interrupted.into()),
            false => Ok(Room::ONE_RECORD),
        }
    }

    fn write(
        &mut self,
        run: &ReleasedRun<'_>,
        hold: &mut dyn Hold,
    ) -> Result<Handed, WriteFailure<Failure>> {
        let Some(record) = run.records().next() else { return Ok(Handed::Done) };
        if let Some(failure) = self.exhausted(&record) {
            return Ok(Handed::Refused(failure));
        }
        let status = self.run(&record, hold)?;
        if status.success() {
            return Ok(Handed::First(1));
        }
        // What is typed at a terminal reaches the command, too, which is no failure of its own.
        if self.signals.have_arrived() {
            return Err(Failure::from(QueueFailure::Interrupted).into());
        }
        let message = format!("the command {}", CommandEnd::of(status).in_words());
        Ok(Handed::Retry(HandlerFailure::new(Class::System, "command-failed", message)))
    }
}
