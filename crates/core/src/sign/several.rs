//! Envelopes of several signers.

use std::collections::HashSet;

use super::Content;
use crate::cbor::Encoder;
use crate::cose::{
    Algorithm, ContentType, FormError, HeaderMap, HeaderWriter, MAX_SIGNERS, Several, TAG_SIGN,
    Tagging, ToBeSigned, label,
};
use crate::error::Result;
use crate::kind::{Kind, PROFILE};
use crate::signing::{SigningBackend, SigningError};
use crate::statement::{HeaderOf, Role, Statement};
use crate::unverified::{Signatures, UnverifiedEnvelope};
use crate::verify::Check;

/// Whose signatures an envelope of several signers needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Needed {
    /// All of those who sign it now. Without one of them, it is refused.
    All,
    /// Whichever the verifier asks for.
    #[default]
    Any,
}

/// Signs `content` with several keys: an envelope of several signers (COSE_Sign, RFC 9052, Section 4.1), to which
/// [`cosign`] adds others.
///
/// The content **must** be in memory, or a digest. Without its payload it is [detached](detach).
///
/// ```
/// use brine_core::{
///     Expectations, KnownSigners, Needed, Signer, SigningKey, Statement, Timestamp, open, sign_together,
/// };
///
/// let now = Timestamp::parse_rfc3339("2026-11-21T08:30:00Z").unwrap();
/// let [alice, bob] = [SigningKey::generate()?, SigningKey::generate()?];
/// let trust = [("alice", &alice), ("bob", &bob)];
/// let trust = KnownSigners::new(trust.map(|(name, key)| Signer::new(name, key.verifying_key().clone())));
///
/// let envelope = sign_together(&Statement::at(now), &[&alice, &bob], b"hello".into(), Needed::Any)?;
/// let payload = open(envelope)?.verify(&Expectations::new().required(2), &trust, &now)?;
/// assert_eq!(payload.into_bytes()?, b"hello");
/// # Ok::<(), brine_core::Error>(())
/// ```
///
/// # Errors
///
/// [`KeyError::Random`](crate::KeyError::Random), and [`SigningError`], also for no key, one key twice, or more than
/// [`MAX_SIGNERS`].
pub fn sign_together(
    statement: &Statement,
    keys: &[&dyn SigningBackend],
    content: Content<'_>,
    needed: Needed,
) -> Result<Vec<u8>> {
    refuse_number(keys.len())?;
    let ids: Vec<_> = keys.iter().map(|key| key.verifying_key().id()).collect();
    let mut seen = HashSet::new();
    if !ids.iter().all(|id| seen.insert(id)) {
        return Err(refused("a key cannot sign twice").into());
    }
    let (payload, role) = match content {
        Content::Bytes(payload) => (payload, Role::Content),
        Content::Digest(hash, digest) => (digest.as_ref(), Role::Digest(hash)),
        Content::Copy(..) => return Err(SigningError::TooLarge.into()),
    };
    let statement = match needed {
        Needed::Any => statement.clone(),
        Needed::All => {
            let mut list = Encoder::new();
            list.array(count(ids.len()));
            for id in &ids {
                list.bytes(id.as_bytes());
            }
            statement.clone().critical_parameter(label::SIGNERS, list.into_bytes())
        }
    };
    let unique = statement.next_unique()?;
    let (algorithm, certificates) = (statement.alg().alone(), None);
    let body =
        HeaderOf { key_id: None, certificates, statement: &statement, algorithm, unique, role };
    // An empty map is written as nothing at all (RFC 9052, Section 3), since some libraries sign it as it stands.
    let body = Some(body.to_bytes()).filter(|body| body.as_slice() != [0xa0]).unwrap_or_default();
    let mut envelope = Encoder::new();
    envelope.tag(TAG_SIGN).array(4).bytes(&body).map(0).bytes(payload).array(count(keys.len()));
    for key in keys {
        let signed = ToBeSigned::new(&body, statement.aad(), payload);
        put_signature(&mut envelope, *key, algorithm, &body, signed)?;
    }
    Ok(envelope.into_bytes())
}

/// Adds a signature to an envelope of several signers, and touches nothing else. `content` is that of an envelope without
/// its payload.
///
/// It does not verify what others signed: whoever signs with them **must** do that first.
///
/// # Errors
///
/// [`FormError`] if it is no envelope; [`SigningError`], also if it is one of one signer, the key signed it already, or too
/// many have.
pub fn cosign(
    envelope: &[u8],
    key: &dyn SigningBackend,
    external_aad: &[u8],
    content: Option<&[u8]>,
) -> Result<Vec<u8>> {
    let signatures = Signatures::parse(envelope, Tagging::Required)?;
    if !signatures.is_of_several() {
        return Err(refused("the envelope was signed for one signer alone").into());
    }
    let several = Several::parse(envelope, &PROFILE)?;
    let first = signatures.first();
    let id = key.verifying_key().id();
    let number = several.views().len() + 1;
    refuse_number(number)?;
    let payload = first.sign1().unverified_payload().or(content);
    let payload = payload.ok_or(FormError::DetachedPayload)?;
    let is_own = |signature: &UnverifiedEnvelope<'_>| {
        // It may have done so without saying which key it is.
        signature.header().key_id == Some(id.as_bytes().as_slice())
            || Check::new(signature, external_aad, payload, None).verifies(key.verifying_key())
    };
    if signatures.iter().any(is_own) {
        return Err(refused("this key signed it already").into());
    }
    let body = first.sign1().protected_bytes();
    let (mut own, signed) = (Encoder::new(), ToBeSigned::new(body, external_aad, payload));
    put_signature(&mut own, key, Algorithm::default(), body, signed)?;
    let (list, elements) = several.signatures_at();
    let mut head = Encoder::new();
    head.array(count(number));
    let before = envelope.get(..list).unwrap_or_default();
    let others = envelope.get(elements..).unwrap_or_default();
    Ok([before, head.as_bytes(), others, own.as_bytes()].concat())
}

/// Returns an envelope of several signers without its payload: nil stands in its place.
///
/// # Errors
///
/// [`FormError`] if it is no such envelope.
pub fn detach(envelope: &[u8]) -> Result<Vec<u8>, FormError> {
    let several = Several::parse(envelope, &PROFILE)?;
    let first =
        several.views().first().ok_or(FormError::Signers { what: "there is no signature" })?;
    let mut detached = Encoder::new();
    detached.tag(TAG_SIGN).array(4).bytes(first.protected_bytes());
    detached.raw(first.unprotected().as_bytes()).nil();
    let (list, _) = several.signatures_at();
    detached.raw(envelope.get(list..).unwrap_or_default());
    Ok(detached.into_bytes())
}

/// Writes what a signer says beside the body: its type again, and certificates for the key.
fn signer_header(key: &dyn SigningBackend, algorithm: Algorithm, body: &[u8]) -> Vec<u8> {
    let typ = HeaderMap::of_parsed(body).get(label::TYP);
    // Under somebody else's type, or none, the number of certificates is somebody else's.
    let is_own = Kind::stated_by(typ.and_then(|typ| ContentType::decode(typ).ok())).is_some();
    let mut writer = HeaderWriter::default();
    writer.put(label::ALG, |value| value.int(algorithm.id()));
    writer.put(label::KID, |value| value.bytes(key.verifying_key().id().as_bytes()));
    if let Some(typ) = typ {
        writer.put(label::TYP, |value| value.raw(typ));
    }
    if let Some(certificates) = key.certificates().filter(|_| is_own) {
        writer.put(label::CERTIFICATES, |value| value.raw(certificates.as_bytes()));
    }
    let mut header = Encoder::new();
    writer.write(&mut header);
    header.into_bytes()
}

fn put_signature(
    output: &mut Encoder,
    key: &dyn SigningBackend,
    algorithm: Algorithm,
    body: &[u8],
    signed: ToBeSigned<'_>,
) -> Result<(), SigningError> {
    let signer = signer_header(key, algorithm, body);
    let signature = key.sign(algorithm, &signed.by_one_of_several(&signer).parts())?;
    output.array(3).bytes(&signer).map(0).bytes(&signature);
    Ok(())
}

fn refuse_number(signers: usize) -> Result<(), SigningError> {
    match signers {
        0 => Err(refused("there is no key")),
        1..=MAX_SIGNERS => Ok(()),
        _ => Err(refused("no more than sixteen can sign")),
    }
}

fn refused(why: &str) -> SigningError {
    SigningError::Refused { why: why.to_owned() }
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}
