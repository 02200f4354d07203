//! `brine sign --job`.

use crate::armor;
use crate::cli::args::brine::Sign;
use crate::cli::failure::Failure;
use crate::cli::input::{Arrived, Input, MAX_WHOLE_BYTES};
use crate::cli::output::Output;
use crate::cli::spool::{MAX_MEMORY_BYTES, TEMPORARY_FILE};
use crate::cli::whole_file::Access;
use crate::job::Grants;
use crate::key::SigningKey;
use crate::sign::{self, Template};

/// Puts together what was typed; `None` where no job is to be signed.
pub(super) fn grants(args: &Sign) -> Result<Option<Grants>, Failure> {
    if !args.job.is_job() {
        return Ok(None);
    }
    let grants = Grants::collect(args.job.grants.iter().cloned());
    grants.map(Some).map_err(|error| Failure::Usage(error.to_string()))
}

/// Signs all of an input as a job, from a copy that nobody else can change.
pub(super) fn sign_job(
    args: &Sign,
    key: &SigningKey,
    input: Input,
    template: &Template<'_>,
    grants: &Grants,
    output: &Output,
) -> Result<(), Failure> {
    if args.armor {
        let payload = input.read(MAX_WHOLE_BYTES)?;
        let envelope = sign::sign_job(key, &payload, template, grants).to_bytes();
        let text = armor::encode(&envelope)?;
        return output.write(Access::Ordinary, |file| file.write_all(text.as_bytes()));
    }
    let large = match input.read_up_to(MAX_MEMORY_BYTES)? {
        Arrived::All(payload) => {
            let envelope = sign::sign_job(key, &payload, template, grants);
            return output.write(Access::Ordinary, |mut file| envelope.write_to(&mut file));
        }
        Arrived::Large(large) => large,
    };
    let spool = large.into_spool()?;
    let signed = sign::sign_large_job(key, &spool, spool.length(), template, grants)
        .map_err(|error| Failure::io(TEMPORARY_FILE, error))?;
    spool.release_within(&signed, output)
}
