//! `brine verify`, where the input is a stream.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};

use super::verify::{Judge, reading};
use crate::cli::failure::Failure;
use crate::cli::input::grow_pipe;
use crate::cli::output::{Output, is_printable};
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
        let threads = threads(self.args.threads);
        let reader = StreamReader::open(start, input, &self.request, &self.trust, threads);
        let mut reader = reader.map_err(failed)?;
        let opened = output.map(|output| output.open(Access::Ordinary)).transpose()?;
        let mut released = 0;
        if let (Some(output), Some(opened)) = (output, &opened) {
            grow_pipe(opened.file());
            let spool = if self.args.whole { Some(spool()?) } else { None };
            let mut sink = spool.as_ref().unwrap_or_else(|| opened.file());
            while let Some(content) = reader.next_segment().map_err(failed)? {
                if !is_printable(content) {
                    output.refuse_terminal("binary data")?;
                }
                sink.write_all(content).map_err(|error| output.failed(error))?;
                released += content.len();
            }
            if let Some(mut spool) = spool {
                let copied = spool.rewind().and_then(|()| io::copy(&mut spool, &mut opened.file()));
                copied.map_err(|error| output.failed(error))?;
            }
        } else {
            while let Some(content) = reader.next_segment().map_err(failed)? {
                released += content.len();
            }
        }
        if let (Some(output), Some(opened)) = (output, opened) {
            output.finish(opened)?;
        }
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

/// A private file without a name, for what may not be seen yet.
fn spool() -> Result<File, Failure> {
    tempfile::tempfile().map_err(|error| Failure::io("temporary file", error))
}
