//! A signature over a payload that passes by once.

use std::io::{self, Read};

use super::found_key::FoundKey;
use super::judgement::{meant_key, most_tried, no_key_fits};
use crate::batch::{self, BatchProof, Leaf, Signature};
use crate::error::{Error, Result, SignatureError};
use crate::expectations::Expectations;
use crate::key::Verification;
use crate::trust::TrustAnchors;
use crate::unverified::UnverifiedEnvelope;

/// The keys that may have made a signature, while the payload passes by.
pub(crate) struct Trial<'a, 't> {
    over: Over<'a, 't>,
    /// Why it is refused, if none of them has made it.
    refusal: Error,
}

/// What the payload is fed to.
enum Over<'a, 't> {
    Alone(Vec<(FoundKey<'t>, Verification)>),
    InBatch { keys: Vec<FoundKey<'t>>, leaf: Leaf, proof: BatchProof<'a> },
}

impl<'a, 't> Trial<'a, 't> {
    /// Chooses keys as a payload in memory is verified with, and feeds what is signed before the payload.
    pub(crate) fn begin(
        envelope: &'a UnverifiedEnvelope<'a>,
        expectations: &Expectations,
        payload_bytes: u64,
        trust: &'t dyn TrustAnchors,
    ) -> Result<Self> {
        let header = envelope.header();
        let (tried, refusal) = match meant_key(envelope, trust)? {
            Some(key) => (vec![key], SignatureError::Bad.into()),
            None => {
                let keys = trust.keys(most_tried(expectations, payload_bytes));
                let refusal = no_key_fits(header, keys.len(), trust);
                (keys.into_iter().map(FoundKey::Named).collect(), refusal)
            }
        };
        let over = match envelope.signature() {
            Signature::Batch(proof) => Over::InBatch { keys: tried, leaf: Leaf::begin(), proof },
            Signature::Plain(signature) => {
                let begin = |key: FoundKey<'t>| {
                    let verification = key.verification(signature)?;
                    Some((key, verification))
                };
                Over::Alone(tried.into_iter().filter_map(begin).collect())
            }
        };
        let mut trial = Self { over, refusal };
        if trial.is_lost() {
            // However the payload is, this is the result.
            return Err(trial.refusal);
        }
        let before = envelope.sign1().before_payload(&expectations.external_aad, payload_bytes);
        before.parts().iter().for_each(|part| trial.update(part));
        Ok(trial)
    }

    /// Feeds the next bytes of the payload.
    pub(crate) fn update(&mut self, piece: &[u8]) {
        match &mut self.over {
            Over::Alone(candidates) => {
                candidates.iter_mut().for_each(|(_, verification)| verification.update(piece));
            }
            Over::InBatch { leaf, .. } => leaf.update(piece),
        }
    }

    /// Returns the key that verifies the signature.
    pub(crate) fn finish(self) -> Result<FoundKey<'t>> {
        let Self { over, refusal } = self;
        let found = match over {
            Over::Alone(candidates) => candidates
                .into_iter()
                .find_map(|(key, verification)| verification.finish().then_some(key)),
            Over::InBatch { keys, leaf, proof } => {
                let leaf = leaf.finish();
                keys.into_iter().find(|key| batch::verifies(key, leaf, &proof))
            }
        };
        found.ok_or(refusal)
    }

    const fn is_lost(&self) -> bool {
        match &self.over {
            Over::Alone(candidates) => candidates.is_empty(),
            Over::InBatch { keys, .. } => keys.is_empty(),
        }
    }
}

/// Passes exactly `count` bytes of `input` on, piece by piece. `cut` makes the error of an input that has fewer.
pub(crate) fn each_piece_of(
    input: &mut dyn Read,
    count: u64,
    cut: impl FnOnce() -> Error,
    mut use_piece: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut memory = vec![0; PIECE_BYTES];
    let mut left = count;
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE_BYTES);
        match input.read(memory.get_mut(..wanted).unwrap_or_default()) {
            Ok(0) => return Err(cut()),
            Ok(read) => {
                let piece = memory.get(..read).unwrap_or_default();
                use_piece(piece)?;
                left = left.saturating_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::input(error)),
        }
    }
    Ok(())
}

/// How much is read at once: an amount that fits the second level of a processor's cache.
const PIECE_BYTES: usize = 256 * 1024;
