//! One signature, of either sort, and the keys that may have made it.

use super::memory::Memory;
use super::tree::{self, Hash};
use crate::cose::{BatchProof, Sign1, Signature, ToBeSigned};
use crate::key::VerifyingKey;

/// The signature of an envelope over bytes that are at hand, to be tried with one key or with many.
///
/// What does not depend on the key is hashed once.
#[derive(Debug)]
pub(crate) struct Check<'a, 'm> {
    over: Over<'a>,
    memory: Option<&'m mut Memory>,
}

#[derive(Debug)]
enum Over<'a> {
    Alone { signed: ToBeSigned<'a>, signature: &'a [u8; 64] },
    InBatch { leaf: Hash, proof: BatchProof<'a> },
}

impl<'a, 'm> Check<'a, 'm> {
    pub(crate) fn new(
        sign1: &Sign1<'a>,
        external_aad: &'a [u8],
        payload: &'a [u8],
        memory: Option<&'m mut Memory>,
    ) -> Self {
        let signed = sign1.to_be_signed(external_aad, payload);
        let over = match sign1.signature() {
            Signature::Batch(proof) => Over::InBatch { leaf: tree::leaf(&signed), proof },
            Signature::Plain(signature) => Over::Alone { signed, signature },
        };
        Self { over, memory }
    }

    pub(crate) fn verifies(&mut self, key: &VerifyingKey) -> bool {
        match (&self.over, self.memory.as_deref_mut()) {
            (Over::Alone { signed, signature }, _) => key.verify(&signed.parts(), signature),
            (Over::InBatch { leaf, proof }, Some(memory)) => memory.verifies(key, *leaf, proof),
            (Over::InBatch { leaf, proof }, None) => tree::verifies(key, *leaf, proof),
        }
    }
}
