//! Everything that is judged of an envelope, in the order of SPEC.md.

use std::borrow::Cow;
use std::collections::HashSet;
use std::iter;

use sha2::{Digest as _, Sha256};

use super::check::Check;
use super::found_key::FoundKey;
use super::standing::Standing;
use crate::batch::Memory;
use crate::cose::{FormError, Protected};
use crate::error::{Error, KindError, Result, SignatureError};
use crate::expectations::Expectations;
use crate::key::KeyId;
use crate::kind::Kind;
use crate::observer::Observer;
use crate::text::hex;
use crate::time::Timestamp;
use crate::trust::{CertificateFlaw, Evidence, Signer, TrustAnchors, Untrusted};
use crate::unverified::{Signatures, UnverifiedEnvelope};

/// What was found of an envelope that holds.
#[derive(Clone, Debug)]
pub(crate) struct Judged<'t> {
    /// The key that made the signature. The signer can be somebody who speaks for it.
    pub(crate) key: FoundKey<'t>,
    pub(crate) kind: Kind,
    pub(crate) signer: Cow<'t, Signer>,
    /// The other signers who are believed, of an envelope of several.
    pub(crate) others: Vec<Signer>,
    /// What names the message of several signers, whoever of them is left. It is elsewhere, since records have one signer.
    pub(crate) shared_id: Option<Box<[u8; 32]>>,
    /// What of it can stop holding.
    pub(crate) standing: Standing,
}

impl Judged<'_> {
    /// Keeps it when who was trusted then is forgotten.
    pub(crate) fn into_owned(self) -> Judged<'static> {
        let Self { key, kind, signer, others, shared_id, standing } = self;
        let (key, signer) = (key.into_owned(), Cow::Owned(signer.into_owned()));
        Judged { key, kind, signer, others, shared_id, standing }
    }
}

/// Judges an envelope over a payload in memory, in the circumstances of this moment. All of it **must** have
/// arrived.
pub(crate) fn verify_now(
    signatures: &Signatures<'_>,
    payload: &[u8],
    expectations: &Expectations,
    observer: &Observer,
) -> Result<(Judged<'static>, Timestamp)> {
    let circumstances = observer.observe()?;
    let (trust, now) = (circumstances.trust().as_ref(), circumstances.now());
    let judged = verify_all(signatures, payload, expectations, trust, now)?;
    Ok((judged.into_owned(), now))
}

/// Judges an envelope with all of its signatures over a payload in memory.
pub(crate) fn verify_all<'t>(
    signatures: &Signatures<'_>,
    payload: &[u8],
    expectations: &Expectations,
    trust: &'t dyn TrustAnchors,
    now: Timestamp,
) -> Result<Judged<'t>> {
    if !signatures.is_of_several() {
        return verify_in_memory(signatures.first(), payload, expectations, trust, now, None);
    }
    // Whoever adds signatures does not add to the work.
    let share = signatures.iter().count();
    let find = |signature| find_key(signature, expectations, payload, trust, share, None);
    let keys = signatures.iter().map(|signature| (signature, find(signature)));
    let judged = judge_several(signatures, expectations, trust, now, keys)?;
    let protected = signatures.first().sign1().protected_bytes();
    let signed = [protected, payload].map(Sha256::digest).concat();
    let shared_id: [u8; 32] = Sha256::digest(signed).into();
    Ok(Judged { shared_id: Some(shared_id.into()), ..judged })
}

/// Judges an envelope over a payload in memory: signature, kind, trust, context and time, in this order.
pub(crate) fn verify_in_memory<'t>(
    envelope: &UnverifiedEnvelope<'_>,
    payload: &[u8],
    expectations: &Expectations,
    trust: &'t dyn TrustAnchors,
    now: Timestamp,
    memory: Option<&mut Memory>,
) -> Result<Judged<'t>> {
    let key = find_key(envelope, expectations, payload, trust, 1, memory);
    judge_signed(envelope, expectations, trust, now, key)
}

/// Judges all but the signature, whether or not the payload is in memory.
///
/// `key` is the one that verified the signature, or the reason why there is none.
pub(crate) fn judge_signed<'t>(
    envelope: &UnverifiedEnvelope<'_>,
    expectations: &Expectations,
    trust: &'t dyn TrustAnchors,
    now: Timestamp,
    key: Result<FoundKey<'t>>,
) -> Result<Judged<'t>> {
    let key = match key {
        // Nobody here can check that signature: a wrong kind is the better answer.
        Err(error @ Error::Trust(_)) => return Err(wrong_kind(envelope, expectations, error)),
        key => key?,
    };
    let evidence = Evidence::new(key.id(), envelope.certificates());
    let standing = Standing::of(evidence, Vec::new(), &envelope.header().claims);
    judge_verified(envelope, expectations, trust, now, (key, standing), iter::empty())
}

/// Does the same for an envelope of several signers. A signature by a key that is not trusted does not count; one that
/// does not verify was altered, and so is the envelope.
fn judge_several<'e, 't>(
    signatures: &Signatures<'_>,
    expectations: &Expectations,
    trust: &'t dyn TrustAnchors,
    now: Timestamp,
    keys: impl Iterator<Item = (&'e UnverifiedEnvelope<'e>, Result<FoundKey<'t>>)>,
) -> Result<Judged<'t>> {
    let first = signatures.first();
    let (mut verified, mut refusal) = (Vec::new(), None);
    for (signature, key) in keys {
        match key {
            Ok(key) => verified.push((signature, key)),
            Err(error @ Error::Signature(SignatureError::Bad)) => return Err(error),
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    let mut seen = HashSet::new();
    if !verified.iter().all(|(_, key)| seen.insert(key.id())) {
        return Err(FormError::Signers { what: "a key signed twice" }.into());
    }
    let mut evidence = verified
        .into_iter()
        .map(|(signature, key)| (Evidence::new(key.id(), signature.certificates()), key));
    let Some((own, key)) = evidence.next() else {
        let refusal = refusal.unwrap_or_else(|| Untrusted::NoAnchors.into());
        return Err(wrong_kind(first, expectations, refusal));
    };
    let others = evidence.map(|(evidence, _)| evidence).collect();
    let standing = Standing::of(own, others, &first.header().claims);
    judge_verified(first, expectations, trust, now, (key, standing), first.needed_signers())
}

/// Judges everything behind the signatures: kind, trust, context and time.
fn judge_verified<'t>(
    envelope: &UnverifiedEnvelope<'_>,
    expectations: &Expectations,
    trust: &'t dyn TrustAnchors,
    now: Timestamp,
    (key, standing): (FoundKey<'t>, Standing),
    mut needed: impl Iterator<Item = KeyId>,
) -> Result<Judged<'t>> {
    let kind = judge_kind(envelope, expectations)?;
    let header = envelope.header();
    let context = judged_context(header, expectations);
    let people = standing.judge_people(trust, expectations, context, now)?;
    let is_missing = |id: &KeyId| !people.all().any(|signer| signer.key().id() == *id);
    if let Some(missing) = needed.find(is_missing) {
        return Err(Untrusted::SignerMissing { key_id: missing.to_string() }.into());
    }
    header.claims.judge_context(expectations.context.as_deref())?;
    header.claims.judge_time(now, expectations.max_age)?;
    let (signer, others) = (people.first, people.others);
    Ok(Judged { key, kind, signer, others, shared_id: None, standing })
}

/// Returns the refusal of an envelope's kind, and `error` if its kind is taken.
pub(crate) fn wrong_kind(
    envelope: &UnverifiedEnvelope<'_>,
    expectations: &Expectations,
    error: Error,
) -> Error {
    judge_kind(envelope, expectations).err().unwrap_or(error)
}

fn judge_kind(envelope: &UnverifiedEnvelope<'_>, expectations: &Expectations) -> Result<Kind> {
    let found = envelope.kind(expectations.typ.as_deref())?;
    if !expectations.takes(found) {
        return Err(KindError::Wrong { expected: expectations.kind, found }.into());
    }
    // Whoever signs tokens for others with this key does not write data by that.
    if envelope.header().typ.is_none() && !expectations.untyped {
        return Err(KindError::Untyped.into());
    }
    Ok(found)
}

/// Returns the context for which signers are judged.
fn judged_context<'a>(header: &Protected<'a>, expectations: &'a Expectations) -> Option<&'a str> {
    // Where the signature names several contexts, the one asked for is judged; `judge_context`
    // then holds the signature to it.
    let wanted = expectations.context.as_deref();
    header.claims.audience.and_then(|found| {
        let wanted = wanted.filter(|wanted| found.contains(wanted));
        wanted.or_else(|| found.names().next())
    })
}

/// Finds the trusted key that verifies the signature, one of so many of its envelope.
fn find_key<'t>(
    envelope: &UnverifiedEnvelope<'_>,
    expectations: &Expectations,
    payload: &[u8],
    trust: &'t dyn TrustAnchors,
    signatures: usize,
    memory: Option<&mut Memory>,
) -> Result<FoundKey<'t>> {
    let mut check = Check::new(envelope, &expectations.external_aad, payload, memory);
    if let Some(key) = meant_key(envelope, trust)? {
        return if check.verifies(&key) { Ok(key) } else { Err(SignatureError::Bad.into()) };
    }
    let bytes = u64::try_from(payload.len()).unwrap_or(u64::MAX);
    let most = (most_tried(expectations, bytes) / signatures.max(1)).max(1);
    let keys = trust.keys(most);
    let found = keys.iter().find(|key| check.verifies(key));
    found
        .copied()
        .map(FoundKey::Named)
        .ok_or_else(|| no_key_fits(envelope.header(), keys.len(), trust))
}

/// Returns the trusted key that the key id names, or that an authority certifies to be the one.
///
/// The key id only saves work: where it names a trusted key, no other can be meant; where it names
/// none, or is absent, the first trusted keys are tried (RFC 9052, Section 3.1: `kid` is a hint). The key in a certificate
/// is tried only if the key id names it, so that nobody chooses between them.
pub(super) fn meant_key<'t>(
    envelope: &UnverifiedEnvelope<'_>,
    trust: &'t dyn TrustAnchors,
) -> Result<Option<FoundKey<'t>>> {
    let meant = envelope.header().key_id.and_then(|id| id.try_into().ok()).map(KeyId::from_bytes);
    if let Some(key) = meant.and_then(|id| trust.key(id)) {
        return Ok(Some(FoundKey::Named(key)));
    }
    let Some(certificates) = envelope.certificates() else { return Ok(None) };
    let Some(key) = trust.certified_key(&certificates)? else { return Ok(None) };
    match meant {
        Some(id) if id == key.id() => Ok(Some(FoundKey::Certified(key.into()))),
        _ => {
            let flaw = CertificateFlaw::OtherKey;
            Err(Untrusted::Certificate { certificate: None, flaw }.into())
        }
    }
}

/// Returns how many keys are tried: anyone can name a key that nobody has, and the cost of that is bounded.
pub(super) fn most_tried(expectations: &Expectations, payload_bytes: u64) -> usize {
    let affordable = MAX_TRIED_BYTES / payload_bytes.saturating_add(1);
    usize::try_from(affordable).unwrap_or(usize::MAX).min(expectations.tried_keys).max(1)
}

pub(super) fn no_key_fits(header: &Protected<'_>, tried: usize, trust: &dyn TrustAnchors) -> Error {
    let trusted = trust.key_count();
    match header.key_id {
        // Nobody knows whether one of the others made it.
        _ if tried < trusted => Untrusted::Untried { tried, trusted }.into(),
        Some(id) => Untrusted::Unknown { key_id: hex(id) }.into(),
        None if tried == 0 => Untrusted::NoAnchors.into(),
        None => SignatureError::NoKeyVerifies { tried }.into(),
    }
}

/// How many bytes are hashed in all to try keys that the envelope does not name.
const MAX_TRIED_BYTES: u64 = 1 << 30;
