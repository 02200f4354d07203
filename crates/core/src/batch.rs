//! Batch signatures: one Ed25519 signature for many envelopes, each of which verifies alone.
//!
//! The Sig_structures of the envelopes are the leaves of a SHA-256 Merkle tree (RFC 9162, Section
//! 2.1), and what is signed is its root. Each envelope carries its way to the root in the place of
//! its signature ([`BatchProof`]). [`BatchSigner`] makes them. They are
//! verified as any other envelope; a [`Memory`] saves the work that neighbours have in common.

mod memory;
mod proof;
mod signer;
mod tree;

pub use self::memory::Memory;
pub use self::proof::{BatchProof, Signature};
pub use self::signer::{Batch, BatchSigner};
pub(crate) use self::tree::{Hash as LeafHash, Leaf, leaf, verifies};

/// The most records in one batch.
pub const MAX_BATCH_RECORDS: usize = 1 << 16;

/// How many bytes of envelopes a batch may come to before it has to be closed, their proofs not
/// counted. The record that reaches it still belongs to the batch.
pub const MAX_BATCH_BYTES: usize = 4 << 20;
