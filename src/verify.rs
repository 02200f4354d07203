//! Checks an envelope. The one place where content becomes believed.

mod job;
mod large;

use std::time::Duration;

use crate::batch::{Check, Memory};
use crate::claims::Timestamp;
use crate::cose::{Protected, Sign1};
use crate::error::{Error, Result};
use crate::hash::HashAlgorithm;
use crate::key::{KeyId, VerifyingKey};
use crate::kind::Kind;
use crate::text::hex;
use crate::trust::{Question, Signer, Trust};

pub use self::job::{verify_job, verify_large_job};
pub use self::large::{LargeEnvelope, VerifiedLarge, verify_large, verify_large_detached};

/// What a verifier asks of an envelope.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The context that the signature must be for; `None` accepts only signatures without one.
    pub context: Option<&'a str>,
    /// Data that was signed and kept elsewhere (RFC 9052, Section 4.3).
    pub external_aad: &'a [u8],
    /// A `typ` of somebody else's that is taken as data.
    pub foreign_typ: Option<&'a str>,
    /// How long ago the signature may have been made, by the signer's clock.
    pub max_age: Option<Duration>,
    /// When it is judged.
    pub now: Timestamp,
    /// Where the payload is.
    pub payload: PayloadSource<'a>,
    /// Who must have signed, by name.
    pub signer: Option<&'a str>,
}

impl Request<'_> {
    /// Asks for an embedded payload, signed by anyone who is trusted, without a context.
    #[must_use]
    pub const fn at(now: Timestamp) -> Self {
        Self {
            context: None,
            external_aad: &[],
            foreign_typ: None,
            max_age: None,
            now,
            payload: PayloadSource::Embedded,
            signer: None,
        }
    }
}

/// Where the payload of an envelope is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadSource<'a> {
    /// Beside it, in these bytes.
    Detached(&'a [u8]),
    /// In it.
    Embedded,
}

/// An envelope whose signature, kind, signer, context and time hold.
///
/// Only [`verify`] makes one; what acts on a payload takes this type and not bytes.
///
/// ```compile_fail
/// let forged = brine::Verified { payload: b"rm -rf /" };
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Verified<'a, 't> {
    header: Protected<'a>,
    kind: Kind,
    payload: &'a [u8],
    signer: &'t Signer,
}

impl<'a, 't> Verified<'a, 't> {
    /// Returns the bytes that were signed.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Returns what the protected header says.
    #[must_use]
    pub const fn header(&self) -> &Protected<'a> {
        &self.header
    }

    /// Returns what the envelope is for.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the trust entry that speaks for the key.
    #[must_use]
    pub const fn signer(&self) -> &'t Signer {
        self.signer
    }
}

/// Checks signature, kind, trust, context and time, in this order, and gives the payload back.
///
/// # Errors
///
/// - [`Error::DetachedPayload`], [`Error::AttachedPayload`] if the payload is not where it should be;
/// - [`Error::BadSignature`], [`Error::NoKeyVerifies`], [`Error::UnknownSigner`],
///   [`Error::NoTrustAnchors`] by the signature;
/// - [`Error::WrongKind`], [`Error::UnknownTyp`] by the kind;
/// - [`Error::SignerRevoked`], [`Error::SignerTooEarly`], [`Error::SignerTooLate`],
///   [`Error::ContextNotAllowed`], [`Error::WrongSigner`] by the trust file;
/// - [`Error::ContextMismatch`], [`Error::ContextMissing`], [`Error::ContextUnexpected`] by the
///   context;
/// - [`Error::Expired`], [`Error::NotYetValid`], [`Error::IssuedInFuture`], [`Error::TooOld`],
///   [`Error::IssuedAtMissing`] by the time.
pub fn verify<'a, 't>(
    sign1: &Sign1<'a>,
    request: &Request<'a>,
    trust: &'t Trust,
) -> Result<Verified<'a, 't>> {
    verify_kinds(sign1, request, trust, &DATA)
}

/// Does what [`verify`] does, with the same verdict, and remembers what envelopes of one batch have in
/// common.
///
/// # Errors
///
/// Those of [`verify`].
pub fn verify_with<'a, 't>(
    sign1: &Sign1<'a>,
    request: &Request<'a>,
    trust: &'t Trust,
    memory: &mut Memory,
) -> Result<Verified<'a, 't>> {
    verify_kinds_with(sign1, request, trust, &DATA, Some(memory))
}

/// The kinds that are data.
const DATA: [Kind; 2] = [Kind::Data, Kind::Foreign];

/// Checks a hash envelope (RFC 9995) as [`verify`] does, and returns the digest that was signed.
///
/// What it is the digest of is for the caller to compare. The payload of what is returned is the
/// digest itself, and **must** not be taken for the content.
///
/// # Errors
///
/// Those of [`verify`], and [`Error::DigestForm`] if it breaks a rule of RFC 9995, Section 3.
pub fn verify_digest<'a, 't>(
    sign1: &Sign1<'a>,
    request: &Request<'a>,
    trust: &'t Trust,
) -> Result<(Verified<'a, 't>, HashAlgorithm)> {
    let request = Request { payload: PayloadSource::Embedded, ..*request };
    let verified = verify_kinds(sign1, &request, trust, &[Kind::Digest])?;
    let form = |what| Error::DigestForm { what };
    let algorithm = verified.header.hash.ok_or(form("it does not name its hash"))?;
    if verified.header.content_type.is_some() {
        return Err(form("it has a content type beside its digest"));
    }
    if verified.payload.len() != algorithm.digest_bytes() {
        return Err(form("its digest has another length than its hash gives"));
    }
    Ok((verified, algorithm))
}

/// Does what [`verify`] does for envelopes of other kinds.
pub(crate) fn verify_kinds<'a, 't>(
    sign1: &Sign1<'a>,
    request: &Request<'a>,
    trust: &'t Trust,
    taken: &[Kind],
) -> Result<Verified<'a, 't>> {
    verify_kinds_with(sign1, request, trust, taken, None)
}

fn verify_kinds_with<'a, 't>(
    sign1: &Sign1<'a>,
    request: &Request<'a>,
    trust: &'t Trust,
    taken: &[Kind],
    memory: Option<&mut Memory>,
) -> Result<Verified<'a, 't>> {
    let found = find_payload(sign1, request).and_then(|payload| {
        find_key(sign1, request.external_aad, payload, trust, memory).map(|key| (key, payload))
    });
    let payload = found.as_ref().map_or(&[][..], |(_, payload)| payload);
    let key = found.map(|(key, _)| key);
    let Judged { header, kind, signer } = judge(sign1, request, trust, taken, key)?;
    Ok(Verified { header, kind, payload, signer })
}

/// What was found of an envelope that holds.
struct Judged<'a, 't> {
    header: Protected<'a>,
    kind: Kind,
    signer: &'t Signer,
}

/// Judges all but the signature, in the order of SPEC.md, whether or not the payload is in memory.
///
/// `key` is the one that verified the signature, or why there is none.
fn judge<'a, 't>(
    sign1: &Sign1<'a>,
    request: &Request<'_>,
    trust: &'t Trust,
    taken: &[Kind],
    key: Result<&VerifyingKey>,
) -> Result<Judged<'a, 't>> {
    let key = match key {
        // The payload is elsewhere, or nobody here can check that signature: what the envelope is not
        // is the better answer.
        Err(
            error @ (Error::AttachedPayload
            | Error::DetachedPayload
            | Error::NoTrustAnchors
            | Error::UnknownSigner { .. }),
        ) => return Err(judge_kind(sign1, request, taken).err().unwrap_or(error)),
        key => key?,
    };
    let kind = judge_kind(sign1, request, taken)?;
    let header = *sign1.header();
    let signer = judge_signer(trust, key.id(), &header, request)?;
    header.claims.judge_context(request.context)?;
    header.claims.judge_time(request.now, request.max_age)?;
    Ok(Judged { header, kind, signer })
}

fn find_payload<'a>(sign1: &Sign1<'a>, request: &Request<'a>) -> Result<&'a [u8]> {
    match (sign1.unverified_payload(), request.payload) {
        (Some(payload), PayloadSource::Embedded) => Ok(payload),
        (None, PayloadSource::Detached(payload)) => Ok(payload),
        (None, PayloadSource::Embedded) => Err(Error::DetachedPayload),
        (Some(_), PayloadSource::Detached(_)) => Err(Error::AttachedPayload),
    }
}

/// Finds the trusted key that verifies the signature.
fn find_key<'t>(
    sign1: &Sign1<'_>,
    external_aad: &[u8],
    payload: &[u8],
    trust: &'t Trust,
    memory: Option<&mut Memory>,
) -> Result<&'t VerifyingKey> {
    let mut check = Check::new(sign1, external_aad, payload, memory);
    if let Some(key) = meant_key(sign1, trust) {
        return if check.verifies(key) { Ok(key) } else { Err(Error::BadSignature) };
    }
    let keys = trust.keys();
    let most = most_tried(u64::try_from(payload.len()).unwrap_or(u64::MAX));
    let found = keys.iter().take(most).find(|key| check.verifies(key));
    found.copied().ok_or_else(|| no_key_fits(sign1, keys.len().min(most)))
}

/// Returns the trusted key that the key id names.
///
/// The key id only saves work: where it names a trusted key, no other can be meant; where it names
/// none, or is absent, every trusted key is tried (RFC 9052, Section 3.1: `kid` is a hint).
fn meant_key<'t>(sign1: &Sign1<'_>, trust: &'t Trust) -> Option<&'t VerifyingKey> {
    let meant = sign1.header().key_id.and_then(|id| id.try_into().ok()).map(KeyId::from_bytes);
    meant.and_then(|id| trust.find(id).next()).map(|signer| &signer.key)
}

/// How many keys are tried: anyone can name a key that nobody has, and what that costs has a bound.
fn most_tried(payload_bytes: u64) -> usize {
    usize::try_from(MAX_TRIED_BYTES / payload_bytes.saturating_add(1)).unwrap_or(usize::MAX).max(1)
}

fn no_key_fits(sign1: &Sign1<'_>, trusted: usize) -> Error {
    match sign1.header().key_id {
        Some(id) => Error::UnknownSigner { key_id: hex(id) },
        None if trusted == 0 => Error::NoTrustAnchors,
        None => Error::NoKeyVerifies { tried: trusted },
    }
}

/// How many bytes are hashed in all to try keys that the envelope does not name.
const MAX_TRIED_BYTES: u64 = 1 << 30;

fn judge_kind(sign1: &Sign1<'_>, request: &Request<'_>, taken: &[Kind]) -> Result<Kind> {
    let found = sign1.kind(request.foreign_typ)?;
    match taken {
        _ if taken.contains(&found) => Ok(found),
        [expected, ..] => Err(Error::WrongKind { expected: *expected, found }),
        [] => Err(Error::WrongKind { expected: Kind::Data, found }),
    }
}

fn judge_signer<'t>(
    trust: &'t Trust,
    key: KeyId,
    header: &Protected<'_>,
    request: &Request<'_>,
) -> Result<&'t Signer> {
    // Where the signature names several contexts, the one asked for is judged; `judge_context`
    // then holds the signature to it.
    let context = header.claims.audience.and_then(|found| {
        let wanted = request.context.filter(|wanted| found.contains(wanted));
        wanted.or_else(|| found.names().next())
    });
    let question = Question { context, signer: request.signer, now: request.now };
    trust.judge(key, &question).map_err(|refusal| Error::from_refusal(refusal, key))
}
