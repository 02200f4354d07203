//! `brine verify` of a single envelope that is too large for memory.

use std::io::{self, Write};

use super::detached;
use super::verify::{Judge, reading};
use crate::cli::failure::Failure;
use crate::cli::input::Large;
use crate::cli::output::{Opened, Output};
use crate::cli::report::{Facts, Report};
use crate::cli::spool::{Spool, TEMPORARY_FILE};
use crate::cli::whole_file::Access;
use crate::cose::Sign1;
use crate::error::Error;
use crate::hash::Section;
use crate::verify::{LargeEnvelope, VerifiedLarge, verify_large, verify_large_detached};

impl Judge<'_> {
    /// Verifies an envelope whose payload comes out only when everything was judged.
    pub(super) fn large(&self, input: Large, output: Option<&Output>) -> Result<Report, Failure> {
        match input.extent() {
            Some((offset, length)) => self.large_file(&input, offset, length, output),
            None => self.large_pipe(input, output),
        }
    }

    /// Its end is read first, and its payload once. What the file becomes meanwhile is no matter: what
    /// was hashed is what was kept.
    fn large_file(
        &self,
        input: &Large,
        offset: u64,
        length: u64,
        output: Option<&Output>,
    ) -> Result<Report, Failure> {
        let Large { file, name, .. } = input;
        let envelope = LargeEnvelope::read_around(file, offset, length, self.tagging());
        let envelope = envelope.map_err(|error| reading(name, error))?;
        let sign1 = envelope.sign1()?;
        let mut payload =
            Section::new(file, offset.saturating_add(envelope.payload_offset()), u64::MAX);
        let mut verify = |keep: &mut dyn Write| {
            verify_large(&sign1, &self.request, &self.trust, &mut payload, keep)
        };
        let verified = match output {
            None => verify(&mut io::sink()).map_err(|error| reading(name, error))?,
            Some(output) => {
                let mut kept = Kept::begin(Some(output))?;
                let verified = verify(&mut kept.spool);
                let verified = verified.map_err(|error| kept.failed(name, error, Some(output)))?;
                kept.release(output)?;
                verified
            }
        };
        Ok(self.report(&verified, false))
    }

    /// Its signature comes last, so its payload is kept first and hashed there.
    fn large_pipe(&self, input: Large, output: Option<&Output>) -> Result<Report, Failure> {
        let Large { beginning, mut file, name } = input;
        let mut kept = Kept::begin(output)?;
        let envelope = LargeEnvelope::read(beginning, &mut file, &mut kept.spool, self.tagging());
        let envelope = envelope.map_err(|error| kept.failed(&name, error, output))?;
        let sign1 = envelope.sign1()?;
        let mut payload = kept.spool.reader();
        let verified =
            verify_large(&sign1, &self.request, &self.trust, &mut payload, &mut io::sink());
        let verified = verified.map_err(|error| reading(TEMPORARY_FILE, error))?;
        if let Some(output) = output {
            kept.release(output)?;
        }
        Ok(self.report(&verified, false))
    }

    /// Verifies a large payload that lies beside its envelope. Nothing of it is written.
    pub(super) fn large_detached(
        &self,
        sign1: &Sign1<'_>,
        input: Large,
    ) -> Result<Report, Failure> {
        let name = input.name.clone();
        let verified = match input.extent() {
            Some((offset, length)) => {
                let before = input.file.metadata().map_err(|error| Failure::io(&name, error))?;
                let verified =
                    self.over(sign1, &mut Section::new(&input.file, offset, length), length);
                detached::refuse_change(&before, &input.file)
                    .map_err(|error| Failure::io(&name, error))?;
                verified
            }
            // Its length is signed before it, and known only when it has ended.
            None => {
                let spool = input.into_spool()?;
                return self
                    .over(sign1, &mut spool.reader(), spool.length())
                    .map(|verified| self.report(&verified, true))
                    .map_err(|error| reading(TEMPORARY_FILE, error));
            }
        };
        let verified = verified.map_err(|error| reading(&name, error))?;
        Ok(self.report(&verified, true))
    }

    fn over<'s>(
        &'s self,
        sign1: &Sign1<'s>,
        payload: &mut impl io::Read,
        length: u64,
    ) -> Result<VerifiedLarge<'s, 's>, Error> {
        verify_large_detached(sign1, &self.request, &self.trust, payload, length)
    }

    fn report(&self, verified: &VerifiedLarge<'_, '_>, detached: bool) -> Report {
        let facts = Facts::of_large(verified, detached);
        Report::verified(&facts, self.moment)
    }
}

/// Where a payload is until it may be seen.
struct Kept {
    spool: Spool,
    /// The output itself, if nobody sees it before it is finished.
    opened: Option<Opened>,
}

impl Kept {
    fn begin(output: Option<&Output>) -> Result<Self, Failure> {
        if let Some(output) = output
            && let Some(opened) = output.open_unseen(Access::Ordinary)
        {
            let file = opened.file().try_clone().map_err(|error| output.failed(error))?;
            return Ok(Self { spool: Spool::onto(file), opened: Some(opened) });
        }
        let spool = Spool::new().map_err(|error| Failure::io(TEMPORARY_FILE, error))?;
        Ok(Self { spool, opened: None })
    }

    /// Says what failed where both a reader and this were at work.
    fn failed(&self, input: &str, error: Error, output: Option<&Output>) -> Failure {
        match (error, output.filter(|_| self.opened.is_some())) {
            (Error::Output(error), Some(output)) => output.failed(error),
            (Error::Output(error), None) => Failure::io(TEMPORARY_FILE, error),
            (error, _) => reading(input, error),
        }
    }

    fn release(self, output: &Output) -> Result<(), Failure> {
        if let Some(opened) = self.opened {
            return output.finish(opened);
        }
        self.spool.release_to(output)
    }
}
