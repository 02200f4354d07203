//! Checks a job: work that is to be run, and what it asks for.

use std::io::{Read, Write};

use super::large::verify_large_kinds;
use super::{PayloadSource, Request, Verified, VerifiedLarge, verify_kinds};
use crate::cose::{LargeSign1, Protected, Sign1, label};
use crate::error::Result;
use crate::job::{Grants, JobError};
use crate::kind::Kind;
use crate::trust::Trust;

/// Checks a job as [`verify`](super::verify) checks data, and returns what it asks for.
///
/// It asks: what it gets is for a [`Policy`](crate::job::Policy) to say.
///
/// # Errors
///
/// Those of [`verify`](super::verify), and [`Error::Job`](crate::Error::Job) if it breaks a rule of jobs.
pub fn verify_job<'a, 't>(
    sign1: &Sign1<'a>,
    request: &Request<'a>,
    trust: &'t Trust,
) -> Result<(Verified<'a, 't>, Grants)> {
    let request = Request { payload: PayloadSource::Embedded, ..*request };
    let verified = verify_kinds(sign1, &request, trust, &[Kind::Job])?;
    let grants = judge_form(verified.header())?;
    Ok((verified, grants))
}

/// Checks a job whose payload is read once, from where nobody else writes to. `keep` takes it as it is
/// hashed, and what [`verify_large`](super::verify_large) says about that holds here too.
///
/// # Errors
///
/// Those of [`verify_large`](super::verify_large), and [`Error::Job`](crate::Error::Job) if it breaks a
/// rule of jobs.
pub fn verify_large_job<'a, 't>(
    sign1: &LargeSign1<'a>,
    request: &Request<'_>,
    trust: &'t Trust,
    payload: &mut impl Read,
    keep: &mut (impl Write + ?Sized),
) -> Result<(VerifiedLarge<'a, 't>, Grants)> {
    let request = Request { payload: PayloadSource::Embedded, ..*request };
    let verified = verify_large_kinds(sign1, &request, trust, payload, keep, &[Kind::Job])?;
    let grants = judge_form(verified.header())?;
    Ok((verified, grants))
}

/// A job is what it says, to whoever reads it: software that does not know jobs has to refuse it, and
/// nothing in it makes it the digest of something else, a segment or a proof.
fn judge_form(header: &Protected<'_>) -> Result<Grants> {
    let form = |what| Err(JobError::Form(what).into());
    let map = header.map();
    if !map.crit_lists(label::TYP) {
        return form("crit does not list its type");
    }
    if ALIEN.iter().any(|label| map.get(*label).is_some()) {
        return form("it has a header parameter of another kind");
    }
    Ok(header.grants().map_err(JobError::from)?)
}

/// What belongs to other kinds of envelope.
const ALIEN: [i64; 6] = [
    label::PAYLOAD_HASH_ALG,
    label::PREIMAGE_CONTENT_TYPE,
    label::PAYLOAD_LOCATION,
    label::POSITION,
    label::VDS,
    label::VDP,
];
