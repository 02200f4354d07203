//! The result of a job, signed: a failure as a success is.

use std::cell::Cell;

use brine_core::{Content, Statement, sign};
use brine_job::{JobId, JobResult};

use super::VerifiedJob;
use crate::args::run::Run;
use crate::report::Failure;
use crate::world::key_place::SharedSigner;
use crate::world::output::Output;
use crate::world::passphrase::Source;
use crate::world::spool::{Spool, temporary};
use crate::world::whole_file::Access;
use crate::world::{clock, key_place};

/// What signs results.
pub(super) struct ResultSigner {
    key: SharedSigner,
    context: Option<String>,
}

impl ResultSigner {
    /// Opens the key that was named, if one was. Its passphrase is asked for before a job is waited for.
    pub(super) fn open(args: &Run) -> Result<Option<Self>, Failure> {
        let Some(key) = &args.signing.sign_result else { return Ok(None) };
        let passphrases = Source::find(&args.signing.passphrase);
        let rule = args.judge.trust.permissions;
        let key = key_place::open_named(key, &passphrases, rule)?;
        Ok(Some(Self { key, context: args.signing.result_context.clone() }))
    }

    /// Prepares the result of a job.
    pub(super) fn of(self, job: &VerifiedJob) -> Result<ResultOf, Failure> {
        let aad = job.judge.expectations.aad();
        let id = JobId::of(&job.verified, aad, &job.payload).map_err(temporary)?;
        let cti = job.verified.claims().cti.map(<[u8]>::to_vec);
        Ok(ResultOf { signer: self, id, cti, is_written: Cell::new(false) })
    }
}

/// The result of one job, which is written once.
pub(super) struct ResultOf {
    signer: ResultSigner,
    id: JobId,
    cti: Option<Vec<u8>>,
    is_written: Cell<bool>,
}

impl ResultOf {
    /// Returns a result that says so much: how the job ended, with which status.
    pub(super) fn ending(&self, outcome: &str, status: u8) -> JobResult {
        JobResult::ended(self.id, self.cti.clone(), outcome, status)
    }

    /// Signs and writes a result, with the output of a job that ended well.
    pub(super) fn write(
        &self,
        result: &JobResult,
        output: Option<&Spool>,
        to: &Output,
    ) -> Result<(), Failure> {
        self.is_written.set(true);
        let statement = Statement::at(clock::read()?);
        let statement = match &self.signer.context {
            Some(context) => statement.context(context),
            None => statement,
        };
        let content = match output {
            Some(output) => Content::Copy(output, output.length()),
            None => Content::Bytes(&[]),
        };
        let envelope = sign(&result.statement(statement), self.signer.key.as_ref(), content)?;
        to.write(Access::Ordinary, |mut file| envelope.write_to(&mut file))
    }

    /// Writes that the job was refused, unless its result was written.
    pub(super) fn refuse(&self, failure: &Failure, to: &Output) -> Result<(), Failure> {
        if self.is_written.get() {
            return Ok(());
        }
        // Only what ends well has the status 0.
        let status = failure.status().code().max(1);
        let result =
            JobResult { reason: Some(failure.reason().to_owned()), ..self.ending(REFUSED, status) };
        self.write(&result, None, to)
    }
}

/// The outcome of a job that was not run.
const REFUSED: &str = "refused";
