//! What the tests of records have in common.

use brine_core::{
    Expectations, KnownSigners, Signer, SigningKey, Statement, Timestamp, Unique, Verified, open,
    sign,
};

/// A key whose seed is 32 times this byte.
pub(crate) fn key(byte: u8) -> SigningKey {
    SigningKey::from_seed(&zeroize::Zeroizing::new([byte; 32]))
}

/// A moment of the tests: 2026-09-21T14:13:20Z.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix(1_790_000_000).unwrap()
}

/// What `brine sign` writes by default, at a fixed moment.
pub(crate) fn statement() -> Statement {
    Statement::at(now()).unique(Unique { cti: [7; 16], sequence: None })
}

/// An envelope of this signer with this statement.
pub(crate) fn signed(statement: &Statement, by: u8) -> Vec<u8> {
    sign(statement, &key(by), b"payload").unwrap().to_bytes()
}

/// Verifies an envelope by one of two trusted signers.
pub(crate) fn verified(envelope: Vec<u8>) -> Verified {
    let trusted = [1, 2].map(|byte| Signer::new("k", key(byte).verifying_key().clone()));
    let trust = KnownSigners::new(trusted);
    open(envelope).unwrap().verify(&Expectations::new().untyped(), &trust, &now()).unwrap()
}
