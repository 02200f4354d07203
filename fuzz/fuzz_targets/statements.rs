//! Statements are read without a panic, and in one form only: what is read is what would be written, and what is kept is read
//! again as it was (SPEC.md, Statements).

#![no_main]

use brine_trust::{
    KeptStatements, RevocationStatement, RotationStatement, Said, Trust, UnverifiedStatement,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(list) = RevocationStatement::decode(input) {
        assert_eq!(list.encode(), input, "another form of a list is read");
    }
    if let Ok(rotation) = RotationStatement::decode(input) {
        assert_eq!(rotation.encode(), input, "another form of a rotation is read");
    }
    if let Ok(statement) = UnverifiedStatement::parse(input.to_vec()) {
        assert_eq!(statement.envelope(), input);
        if let Said::Rotation(rotation) = statement.said() {
            assert_eq!(statement.signer(), rotation.from().id());
        }
    }
    let Ok(kept) = KeptStatements::parse(input) else { return };
    assert_eq!(kept.to_bytes(), input, "what is kept is written otherwise than it was read");
    // Nobody is trusted, so that lists count for nothing, but for what keys say of themselves, and what verifies.
    let _ = Trust::default().with_statements(&kept);
});
