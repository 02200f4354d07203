//! Writes a verified payload to where it may be seen.

use std::io::{BufRead as _, Write as _};

use brine_core::Verified;

use super::input::grow_pipe;
use super::output::{Opened, Output, TextPieces};
use super::progress::Progress;
use super::readiness::waited;
use super::spool::{Spool, temporary};
use super::store::PayloadStore;
use super::whole_file::Access;
use crate::report::Failure;

/// How much of a stream is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Nothing: it has verified whole, and is released when its first byte is written.
    Nothing,
    /// Each segment until it has verified.
    Segments,
    /// Everything, until the end has verified.
    Whole,
}

/// Writes the payload to `output`, piece by piece, and lets it appear. `input` is what is read meanwhile.
///
/// `again` judges trust and time again. It is called when the output is open, because opening a FIFO waits for its
/// reader, and when what is released next had to wait until the output takes something.
pub(crate) fn release(
    verified: &mut Verified,
    output: &Output,
    hold: Hold,
    again: impl Fn(&mut Verified) -> Result<(), Failure>,
    input: &str,
    progress: &Progress,
) -> Result<(), Failure> {
    // Nothing is opened before something has verified.
    has_piece(verified, input)?;
    let mut release = Release::open(output, hold)?;
    again(verified)?;
    let mut begins = true;
    while has_piece(verified, input)? {
        if begins && release.waited()? {
            again(verified)?;
        }
        if let Some(piece) = next_piece(verified, input)? {
            release.write(piece)?;
            progress.advance(piece.len());
        }
        begins = hold == Hold::Segments;
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

/// Reads the payload to its end, to where nobody else can change it. `store` is where it may have been kept.
pub(crate) fn spooled(
    verified: &mut Verified,
    store: &PayloadStore,
    input: &str,
    progress: &Progress,
) -> Result<Spool, Failure> {
    if let Some(file) = store.take_temporary_file() {
        return Ok(Spool::written(file, verified.payload_bytes()));
    }
    let mut spool = Spool::new().map_err(temporary)?;
    while let Some(piece) = next_piece(verified, input)? {
        spool.write_all(piece).map_err(temporary)?;
        progress.advance(piece.len());
    }
    Ok(spool)
}

fn has_piece(verified: &mut Verified, input: &str) -> Result<bool, Failure> {
    let piece = verified.fill_buf().map(|piece| !piece.is_empty());
    piece.map_err(|error| match error.downcast() {
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
            Hold::Nothing | Hold::Segments => {
                let opened = output.open(Access::Ordinary)?;
                grow_pipe(opened.file());
                PieceSink::Output(opened)
            }
        };
        let text = output.is_terminal().then(TextPieces::default);
        Ok(Self { output, sink, text })
    }

    /// Waits until the output takes something, and returns whether it had to.
    fn waited(&self) -> Result<bool, Failure> {
        match &self.sink {
            PieceSink::Output(opened) => {
                waited(opened.file()).map_err(|error| self.output.failed(error))
            }
            PieceSink::Spool(_) => Ok(false),
        }
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
                if spool.length() > 0 {
                    waited(opened.file()).map_err(|error| self.output.failed(error))?;
                }
                again()?;
                spool.release(opened.writer()).map_err(|error| self.output.failed(error))?;
                opened
            }
        };
        self.output.finish(opened)
    }
}

const BINARY: Failure = Failure::BinaryToTerminal { what: "binary data" };
