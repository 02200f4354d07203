//! Writes a verified payload to where it may be seen.

use std::io::{BufRead as _, Write as _};

use brine_core::Verified;

use super::input::grow_pipe;
use super::output::{Opened, Output, TextPieces};
use super::progress::Progress;
use super::spool::{Spool, temporary};
use super::whole_file::Access;
use crate::report::Failure;

/// How much of a stream is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Nothing: each segment is released as soon as it has verified.
    Nothing,
    /// Everything, until the end has verified.
    Whole,
}

/// Writes the payload to `output`, piece by piece, and lets it appear. `input` is what is read meanwhile.
///
/// `again` judges trust and time again. It is called when the output is open, because opening a FIFO waits for its
/// reader.
pub(crate) fn release(
    verified: &mut Verified,
    output: &Output,
    hold: Hold,
    again: impl Fn(&mut Verified) -> Result<(), Failure>,
    input: &str,
    progress: &Progress,
) -> Result<(), Failure> {
    // Nothing is opened before something has verified.
    first_piece(verified, input)?;
    let mut release = Release::open(output, hold)?;
    again(verified)?;
    while let Some(piece) = next_piece(verified, input)? {
        release.write(piece)?;
        progress.advance(piece.len());
    }
    release.finish(|| again(verified))
}

/// Reads the payload to its end and writes it nowhere.
pub(crate) fn discard(
    verified: &mut Verified,
    input: &str,
    progress: &Progress,
) -> Result<(), Failure> {
    while let Some(piece) = next_piece(verified, input)? {
        progress.advance(piece.len());
    }
    Ok(())
}

fn first_piece(verified: &mut Verified, input: &str) -> Result<(), Failure> {
    let first = verified.fill_buf().map(drop);
    first.map_err(|error| match error.downcast() {
        Ok(error) => stored(error, input),
        Err(error) => Failure::io(input, error),
    })
}

fn next_piece<'v>(verified: &'v mut Verified, input: &str) -> Result<Option<&'v [u8]>, Failure> {
    verified.next_piece().map_err(|error| stored(error, input))
}

/// Says what could not be read: the input, or the place where a payload was kept.
pub(crate) fn stored(error: brine_core::Error, input: &str) -> Failure {
    match error {
        brine_core::Error::System(brine_core::SystemError::Store(error)) => temporary(error),
        other => Failure::reading(input, other),
    }
}

/// Where verified pieces go.
struct Release<'a> {
    output: &'a Output,
    sink: PieceSink,
    /// For a terminal that takes text only.
    text: Option<TextPieces>,
}

enum PieceSink {
    Output(Opened),
    /// Nobody sees it before the end.
    Spool(Spool),
}

impl<'a> Release<'a> {
    fn open(output: &'a Output, hold: Hold) -> Result<Self, Failure> {
        let sink = match hold {
            Hold::Whole => PieceSink::Spool(Spool::new().map_err(temporary)?),
            Hold::Nothing => {
                let opened = output.open(Access::Ordinary)?;
                grow_pipe(opened.file());
                PieceSink::Output(opened)
            }
        };
        let text = output.is_terminal().then(TextPieces::default);
        Ok(Self { output, sink, text })
    }

    fn write(&mut self, piece: &[u8]) -> Result<(), Failure> {
        let shown;
        let piece = match &mut self.text {
            None => piece,
            Some(text) => {
                shown = text.add(piece).ok_or(BINARY)?;
                &shown
            }
        };
        match &mut self.sink {
            PieceSink::Output(opened) => {
                opened.writer().write_all(piece).map_err(|error| self.output.failed(error))
            }
            PieceSink::Spool(spool) => spool.write_all(piece).map_err(temporary),
        }
    }

    /// Lets it appear. What was held back is released here, and judged again before.
    fn finish(self, again: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
        if self.text.as_ref().is_some_and(TextPieces::has_rest) {
            return Err(BINARY);
        }
        let opened = match self.sink {
            PieceSink::Output(opened) => opened,
            PieceSink::Spool(spool) => {
                let opened = self.output.open(Access::Ordinary)?;
                again()?;
                spool.release(opened.writer()).map_err(|error| self.output.failed(error))?;
                opened
            }
        };
        self.output.finish(opened)
    }
}

const BINARY: Failure = Failure::BinaryToTerminal { what: "binary data" };
