//! One signature, alone or in a batch, and the keys that may have made it.

use crate::batch::{self, BatchProof, LeafHash, Memory, Signature};
use crate::cose::ToBeSigned;
use crate::key::VerifyingKey;
use crate::unverified::UnverifiedEnvelope;

/// The signature of an envelope over bytes in memory, to be tried with one key or with many.
///
/// What does not depend on the key is hashed once.
#[derive(Debug)]
pub(crate) struct Check<'a, 'm> {
    over: Over<'a>,
    memory: Option<&'m mut Memory>,
}

#[derive(Debug)]
enum Over<'a> {
    Alone { signed: ToBeSigned<'a>, signature: &'a [u8] },
    InBatch { leaf: LeafHash, proof: BatchProof<'a> },
}

impl<'a, 'm> Check<'a, 'm> {
    pub(crate) fn new(
        envelope: &UnverifiedEnvelope<'a>,
        external_aad: &'a [u8],
        payload: &'a [u8],
        memory: Option<&'m mut Memory>,
    ) -> Self {
        let signed = envelope.sign1().to_be_signed(external_aad, payload);
        let over = match envelope.signature() {
            Signature::Batch(proof) => Over::InBatch { leaf: batch::leaf(&signed), proof },
            Signature::Plain(signature) => Over::Alone { signed, signature },
        };
        Self { over, memory }
    }

    pub(crate) fn verifies(&mut self, key: &VerifyingKey) -> bool {
        match (&self.over, self.memory.as_deref_mut()) {
            (Over::Alone { signed, signature }, _) => key.verify(&signed.parts(), signature),
            (Over::InBatch { leaf, proof }, Some(memory)) => memory.verifies(key, *leaf, proof),
            (Over::InBatch { leaf, proof }, None) => batch::verifies(key, *leaf, proof),
        }
    }
}
