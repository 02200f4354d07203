//! The name of a key (RFC 9679).

use std::fmt;
use std::hash::{Hash, Hasher};

use sha2::{Digest, Sha256};

/// The SHA-256 COSE key thumbprint of an Ed25519 key (RFC 9679, Section 3).
///
/// ```cddl
/// key-id = bytes .size 32   ; SHA-256 of the deterministic encoding of
/// okp-key = { 1 => 1, -1 => 6, -2 => bytes .size 32 }   ; kty OKP, crv Ed25519, x
/// ```
///
/// [`Display`](fmt::Display) writes it as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId([u8; 32]);

impl KeyId {
    /// Returns the id that these bytes are: nothing is hashed.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes of the thumbprint.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the id cut down for a message, as in `5f3a91c0…d2c1`.
    ///
    /// 48 bits can be imitated with some effort: this is to recognise an id, never to compare one.
    #[must_use]
    pub fn short(&self) -> String {
        let [a, b, c, d, .., y, z] = self.0;
        format!("{a:02x}{b:02x}{c:02x}{d:02x}\u{2026}{y:02x}{z:02x}")
    }

    /// Returns the whole id in 16 groups of four hex digits on one line, to be read aloud.
    #[must_use]
    pub fn grouped(&self) -> String {
        let (pairs, _) = self.0.as_chunks();
        let groups: Vec<_> = pairs.iter().map(|[a, b]| format!("{a:02x}{b:02x}")).collect();
        groups.join(" ")
    }

    /// Returns the id of the key whose point is encoded as `x`. Whether that is a key is not judged.
    #[must_use]
    pub fn of(x: &[u8; 32]) -> Self {
        Self(Sha256::new().chain_update(OKP_ED25519).chain_update(x).finalize().into())
    }
}

/// Hashes the first eight bytes. They are of a SHA-256, and tell keys apart as well as all of it.
impl Hash for KeyId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        state.write_u64(u64::from_ne_bytes([a, b, c, d, e, f, g, h]));
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What stands before `x` in the deterministic encoding of the key's required members, in the order
/// of their encoded labels (RFC 9679, Section 4.1; RFC 8949, Section 4.2.1).
const OKP_ED25519: [u8; 8] = [
    0xa3, // map of 3
    0x01, 0x01, // kty: OKP
    0x20, 0x06, // crv: Ed25519
    0x21, 0x58, 0x20, // x: bytes of 32
];

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, Section 7.1, test 1.
    const X: [u8; 32] = [
        0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07,
        0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07,
        0x51, 0x1a,
    ];

    /// Computed apart from this code, with Python's hashlib.
    const ID: &str = "866eefbd6718c8846cd7ddfe43fc74ab1daac4538ff8514ea2ec2d410a415743";

    #[test]
    fn the_id_is_the_thumbprint() {
        let id = KeyId::of(&X);
        assert_eq!(id.to_string(), ID);
        assert_eq!(format!("{id:?}"), format!("KeyId({ID})"));
        assert_eq!(KeyId::from_bytes(*id.as_bytes()), id);
    }

    #[test]
    fn the_short_form_keeps_both_ends() {
        assert_eq!(KeyId::of(&X).short(), "866eefbd\u{2026}5743");
    }

    #[test]
    fn the_grouped_form_loses_nothing() {
        let grouped = KeyId::of(&X).grouped();
        assert_eq!(
            grouped,
            "866e efbd 6718 c884 6cd7 ddfe 43fc 74ab 1daa c453 8ff8 514e a2ec 2d41 0a41 5743"
        );
        assert_eq!(grouped.replace(' ', ""), ID);
    }

    #[test]
    fn ids_are_ordered_as_their_hex_is() {
        let (low, high) = (KeyId::from_bytes([0x0f; 32]), KeyId::from_bytes([0xf0; 32]));
        assert!(low < high && low.to_string() < high.to_string());
    }
}
