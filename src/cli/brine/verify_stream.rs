//! `brine verify`, where the input is a stream.

use std::fs::File;
use std::io::{self, Write as _};

use super::verify::{Judge, reading};
use crate::cli::failure::Failure;
use crate::cli::input::{grow_pipe, length_of};
use crate::cli::output::{Opened, Output, TextPieces};
use crate::cli::progress::{Progress, Show};
use crate::cli::report::{Facts, Report};
use crate::cli::spool::{Spool, TEMPORARY_FILE};
use crate::cli::threads;
use crate::cli::whole_file::Access;
use crate::kind::Kind;
use crate::stream::{Start, StreamReader};

impl Judge<'_> {
    pub(super) fn stream(
        &self,
        start: Start,
        input: File,
        name: &str,
        output: Option<&Output>,
    ) -> Result<Report, Failure> {
        let failed = |error| reading(name, error);
        let quiet = self.args.quiet || self.args.json || output.is_some_and(Output::is_seen);
        let progress = Progress::start(length_of(&input), Show::unless(quiet));
        let threads = threads(self.args.threads);
        let reader = StreamReader::open(start, input, &self.request, &self.trust, threads);
        let mut reader = reader.map_err(failed)?;
        let mut release = None;
        let mut released = 0;
        while let Some(content) = reader.next_segment().map_err(failed)? {
            if let Some(output) = output {
                // Nothing is opened before something has verified.
                let opened =
                    release.take().map_or_else(|| Release::open(output, self.args.whole), Ok);
                release.insert(opened?).write(content)?;
            }
            released += content.len();
            progress.advance(content.len());
        }
        drop(progress);
        release.map_or(Ok(()), Release::finish)?;
        let opening = reader.opening()?;
        let facts = Facts {
            detached: false,
            header: opening.header(),
            kind: Kind::Segment,
            payload_bytes: released,
            signer: reader.signer(),
        };
        Ok(Report::verified(&facts, self.moment))
    }
}

/// Where verified segments go.
struct Release<'a> {
    output: &'a Output,
    sink: Sink,
    /// For a terminal that takes text only.
    text: Option<TextPieces>,
}

enum Sink {
    Output(Opened),
    /// For `--whole`: nobody sees it before the end.
    Spool(Spool),
}

impl<'a> Release<'a> {
    fn open(output: &'a Output, whole: bool) -> Result<Self, Failure> {
        let sink = if whole {
            Sink::Spool(Spool::new().map_err(spooling)?)
        } else {
            let opened = output.open(Access::Ordinary)?;
            grow_pipe(opened.file());
            Sink::Output(opened)
        };
        let text = output.is_terminal().then(TextPieces::default);
        Ok(Self { output, sink, text })
    }

    fn write(&mut self, content: &[u8]) -> Result<(), Failure> {
        let shown;
        let content = match &mut self.text {
            None => content,
            Some(text) => {
                shown = text.add(content).ok_or(BINARY)?;
                &shown
            }
        };
        match &mut self.sink {
            Sink::Output(opened) => {
                opened.file().write_all(content).map_err(|error| self.output.failed(error))
            }
            Sink::Spool(spool) => spool.write_all(content).map_err(spooling),
        }
    }

    fn finish(self) -> Result<(), Failure> {
        if self.text.as_ref().is_some_and(TextPieces::has_rest) {
            return Err(BINARY);
        }
        let opened = match self.sink {
            Sink::Output(opened) => opened,
            Sink::Spool(spool) => {
                let opened = self.output.open(Access::Ordinary)?;
                spool.release(opened.file()).map_err(|error| self.output.failed(error))?;
                opened
            }
        };
        self.output.finish(opened)
    }
}

fn spooling(error: io::Error) -> Failure {
    Failure::io(TEMPORARY_FILE, error)
}

const BINARY: Failure = Failure::BinaryToTerminal { what: "binary data" };
