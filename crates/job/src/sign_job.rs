//! Jobs: payloads that are to be run, with what they ask for.

use std::io;

use super::{
    Envelope, LargeSigned, Statement, Template, encode_claims, encode_content_type,
    sign_large_under,
};
use crate::cbor::Encoder;
use crate::cose::{ToBeSigned, label};
use crate::hash::ReadAt;
use crate::job::Grants;
use crate::key::{KeyId, SigningKey};
use crate::kind::Kind;

/// Signs `payload` as a job that asks for `grants`, and embeds it.
///
/// What [`sign`](super::sign) says about the payload's memory holds here too.
///
/// ```
/// use brine::{sign_job, verify_job, Request, Sign1, Signer, SigningKey, Template, Timestamp, Trust};
/// use brine::job::Grants;
///
/// let key = SigningKey::generate()?;
/// let grants = Grants::collect(["run=sh".parse().unwrap()]).unwrap();
/// let envelope = sign_job(&key, b"echo hello", &Template::default(), &grants).to_bytes();
///
/// let trust = Trust::new(vec![Signer::new("alice", key.verifying_key().clone())]);
/// let request = Request::at(Timestamp::parse_rfc3339("2026-11-21T08:30:00Z").unwrap());
/// let sign1 = Sign1::parse(&envelope, Default::default())?;
/// assert!(brine::verify(&sign1, &request, &trust).is_err(), "a job is no data");
/// let (verified, asked) = verify_job(&sign1, &request, &trust)?;
/// assert_eq!((verified.payload(), asked), (&b"echo hello"[..], grants));
/// # Ok::<(), brine::Error>(())
/// ```
#[must_use]
pub fn sign_job<'p>(
    key: &SigningKey,
    payload: &'p [u8],
    template: &Template<'_>,
    grants: &Grants,
) -> Envelope<'p> {
    let protected = job_header(key.verifying_key().id(), template, grants);
    let signed = ToBeSigned::new(&protected, template.external_aad, payload);
    let signature = key.sign(&signed.parts());
    Envelope { protected, payload: Some(payload), signature }
}

/// Signs the first `payload_bytes` of something that is too large for memory as a job.
///
/// What [`sign_large`](super::sign_large) says about the payload holds here too.
///
/// # Errors
///
/// Those of [`sign_large`](super::sign_large).
pub fn sign_large_job(
    key: &SigningKey,
    payload: &(impl ReadAt + ?Sized),
    payload_bytes: u64,
    template: &Template<'_>,
    grants: &Grants,
) -> io::Result<LargeSigned> {
    let protected = job_header(key.verifying_key().id(), template, grants);
    sign_large_under(key, protected, payload, payload_bytes, template.external_aad)
}

/// Encodes the protected header of a job.
fn job_header(key_id: KeyId, template: &Template<'_>, grants: &Grants) -> Vec<u8> {
    let grants = grants.encode();
    let full = matches!(template.statement, Statement::Full { .. });
    let optional = [full, template.content_type.is_some(), grants.is_some()];
    let count = optional.into_iter().map(u64::from).sum::<u64>();
    let mut header = Encoder::new();
    header.map(4 + count);
    header.int(label::ALG).int(template.algorithm.alone().id());
    header.int(label::CRIT).array(1 + u64::from(grants.is_some())).int(label::TYP);
    if grants.is_some() {
        header.int(label::GRANTS);
    }
    encode_content_type(&mut header, label::CONTENT_TYPE, template.content_type);
    header.int(label::KID).bytes(key_id.as_bytes());
    encode_claims(&mut header, &template.statement);
    header.int(label::TYP).text(Kind::Job.typ().unwrap_or_default());
    if let Some(grants) = grants {
        header.int(label::GRANTS).raw(&grants);
    }
    header.into_bytes()
}
