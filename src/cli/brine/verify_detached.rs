//! `brine verify` of signatures beside the files that they are for.

use super::detached;
use super::verify::{Judge, read_envelope};
use crate::cli::failure::Failure;
use crate::cli::input::{Arrived, Input};
use crate::cli::output::Output;
use crate::cli::progress::Show;
use crate::cli::report::{Facts, OfFile, Report, printable};
use crate::cli::spool::MAX_MEMORY_BYTES;
use crate::cli::threads;
use crate::cli::whole_file::Access;
use crate::cose::Sign1;
use crate::kind::Kind;
use crate::verify::{PayloadSource, Request, verify, verify_digest};

impl Judge<'_> {
    /// Verifies every file against the envelope beside it, and says how each did.
    pub(super) fn beside(&self) -> Result<Report, Failure> {
        let mut files = Vec::new();
        for path in &self.args.inputs {
            let outcome = Input::open_file(&detached::beside(path))
                .and_then(|signature| self.detached(signature, Input::open_file(path)?));
            let name = path.display().to_string();
            let line = match &outcome {
                Ok(_) if self.args.quiet => String::new(),
                Ok(_) => format!("{}: OK\n", printable(&name)),
                Err(failure) => format!("{}\n", printable(&format!("{name}: {failure}"))),
            };
            let said = Output::stdout()
                .write(Access::Ordinary, |stdout| stdout.write_all(line.as_bytes()));
            // A verdict that nobody hears is not given.
            let unheard = said.is_err();
            files.push(OfFile { name, outcome: said.and(outcome) });
            if unheard {
                break;
            }
        }
        Ok(Report::Files(files))
    }

    pub(super) fn detached(&self, signature: Input, payload: Input) -> Result<Report, Failure> {
        let envelope = read_envelope(signature)?;
        let sign1 = Sign1::parse(&envelope, self.tagging())?;
        let kind = sign1.kind(self.request.foreign_typ);
        if sign1.unverified_payload().is_some() && matches!(kind, Ok(Kind::Digest)) {
            let (verified, hash) = verify_digest(&sign1, &self.request, &self.trust)?;
            let hashed = detached::digest_input(
                payload,
                hash,
                threads(self.args.threads),
                Show::unless(self.args.quiet || self.args.json),
            )?;
            detached::compare(&hashed.digest, verified.payload())?;
            let payload_bytes = usize::try_from(hashed.bytes).unwrap_or(usize::MAX);
            let facts = Facts { payload_bytes, ..Facts::of(&verified, true) };
            return Ok(Report::verified(&facts, self.moment));
        }
        let payload = match payload.read_up_to(MAX_MEMORY_BYTES)? {
            Arrived::All(payload) => payload,
            Arrived::Large(large) => return self.large_detached(&sign1, large),
        };
        let request = Request { payload: PayloadSource::Detached(&payload), ..self.request };
        let verified = verify(&sign1, &request, &self.trust)?;
        Ok(Report::verified(&Facts::of(&verified, true), self.moment))
    }
}
