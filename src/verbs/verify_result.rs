//! `brine verify --result-of JOB`: the result of a job of one's own.

use std::path::Path;

use brine_core::text::quoted;
use brine_core::{Kind, Verified};
use brine_job::{JobId, JobResult};

use super::expect::Judge;
use super::verify::{Opened, is_quiet, open_input};
use crate::args::verify::Verify;
use crate::report::{Failure, Outcome, ResultFacts, Signed, console};
use crate::world::input::{InputFile, MAX_WHOLE_BYTES};
use crate::world::output::Output;
use crate::world::progress::{Progress, Show};
use crate::world::release::{Hold, discard, release};
use crate::world::store::PayloadStore;

/// Verifies a result, holds it to the job that it must be of, and writes the output of the job.
pub(super) fn verify_result(
    args: &Verify,
    judge: Judge,
    job: &Path,
    input: Option<&Path>,
    output: Option<&Output>,
) -> Result<Outcome, Failure> {
    let id = id_of_file(job, &judge)?;
    let judge = Judge { expectations: judge.expectations.kind(Kind::Result), ..judge };
    let store = PayloadStore::default();
    let Opened { name, opening, .. } = open_input(args, &judge, InputFile::open(input)?, &store)?;
    let verified = opening.verify(&judge.expectations, &judge.trust, &judge.moment);
    let mut verified = verified.map_err(|error| Failure::reading(&name, error))?;
    let result = result_of(&verified, &id).map_err(|failure| failure.in_file(&name))?;
    let progress = Progress::start(None, Show::Never);
    match output {
        None => discard(&mut verified, &name, &progress)?,
        // A job that did not end well has no output, and an output file is left as it is.
        Some(_) if result.status != 0 => {}
        Some(output) => {
            let again = |verified: &mut Verified| judge.again(verified, &name);
            release(&mut verified, output, Hold::Whole, again, &name, &progress)?;
        }
    }
    if !is_quiet(args) {
        show_errors(&result);
    }
    let signed = Box::new(Signed::attached(&verified, judge.moment.name()));
    Ok(Outcome::Answered { signed, result: Box::new(ResultFacts::of(&result)) })
}

/// Returns the id of a job that is kept in a file.
fn id_of_file(path: &Path, judge: &Judge) -> Result<JobId, Failure> {
    let job = InputFile::open_file(path)?.read(MAX_WHOLE_BYTES)?;
    let name = quoted(path).to_string();
    let id = JobId::of_envelope(&job, judge.expectations.aad());
    id.map_err(|error| Failure::from(error).in_file(&name))
}

/// Returns what a verified result says, if it is of this job.
pub(super) fn result_of(verified: &Verified, job: &JobId) -> Result<JobResult, Failure> {
    let result = JobResult::of(verified)?;
    result.judge_job(job)?;
    Ok(result)
}

/// Shows what the job wrote to standard error.
pub(super) fn show_errors(result: &JobResult) {
    for line in String::from_utf8_lossy(&result.errors).lines() {
        console::note(&format!("job: {line}"));
    }
}
