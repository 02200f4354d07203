//! `brine verify`, where the input is a stream.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};

use super::verify::{Judge, reading};
use crate::cli::failure::Failure;
use crate::cli::input::{grow_pipe, length_of};
use crate::cli::output::{Opened, Output, TextPieces};
use crate::cli::progress::{Progress, Show};
use crate::cli::report::{Facts, Report};
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
    opened: Opened,
    /// For `--whole`: a private file without a name, which nobody sees before the end.
    spool: Option<File>,
    /// For a terminal that takes text only.
    text: Option<TextPieces>,
}

impl<'a> Release<'a> {
    fn open(output: &'a Output, whole: bool) -> Result<Self, Failure> {
        let opened = output.open(Access::Ordinary)?;
        grow_pipe(opened.file());
        let spool = whole.then(tempfile::tempfile).transpose().map_err(spooling)?;
        let text = output.is_terminal().then(TextPieces::default);
        Ok(Self { output, opened, spool, text })
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
        match &mut self.spool {
            Some(spool) => spool.write_all(content).map_err(spooling),
            None => self.put(|mut file| file.write_all(content)),
        }
    }

    fn finish(mut self) -> Result<(), Failure> {
        if self.text.as_ref().is_some_and(TextPieces::has_rest) {
            return Err(BINARY);
        }
        if let Some(mut spool) = self.spool.take() {
            spool.rewind().map_err(spooling)?;
            self.put(|mut file| io::copy(&mut spool, &mut file).map(drop))?;
        }
        self.output.finish(self.opened)
    }

    fn put(&self, write: impl FnOnce(&File) -> io::Result<()>) -> Result<(), Failure> {
        write(self.opened.file()).map_err(|error| self.output.failed(error))
    }
}

fn spooling(error: io::Error) -> Failure {
    Failure::io("temporary file", error)
}

const BINARY: Failure = Failure::BinaryToTerminal { what: "binary data" };
