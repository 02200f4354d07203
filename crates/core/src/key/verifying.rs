//! The public half.

use std::fmt;

use super::{KeyError, KeyId, SIGNATURE_BYTES, Verification};

/// A public Ed25519 key that can be believed in as far as a key can: a canonical encoding of a point
/// that is not of small order.
///
/// ```
/// use brine_core::{SigningKey, VerifyingKey};
///
/// let key = SigningKey::generate()?.verifying_key().clone();
/// assert_eq!(VerifyingKey::from_bytes(&key.to_bytes())?, key);
/// # Ok::<_, brine_core::KeyError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    id: KeyId,
    point: ed25519_dalek::VerifyingKey,
}

impl VerifyingKey {
    /// Takes the 32 bytes of an encoded point (RFC 8032, Section 5.1.2).
    ///
    /// # Errors
    ///
    /// - [`KeyError::NotAPoint`] if they encode no point of the curve;
    /// - [`KeyError::NonCanonical`] if the same point has another encoding, so that one key would
    ///   have two ids (RFC 8032, Section 5.1.3);
    /// - [`KeyError::Weak`] if the point is of small order: anybody can make a signature that such
    ///   a key verifies.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let point =
            ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotAPoint)?;
        if !is_canonical(bytes) {
            return Err(KeyError::NonCanonical);
        }
        if point.is_weak() {
            return Err(KeyError::Weak);
        }
        Ok(Self { id: KeyId::of(bytes), point })
    }

    /// Returns the encoded point (RFC 8032, Section 5.1.2).
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.point.to_bytes()
    }

    /// Returns the key's name.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Verifies a signature over the concatenation of `parts`, which are not copied.
    ///
    /// This is the strict, cofactorless reading of RFC 8032, Section 5.1.7, the same as
    /// `verify_strict` of ed25519-dalek: S is below the group order, R is canonical and not of small
    /// order.
    #[must_use]
    pub fn verify(&self, parts: &[&[u8]], signature: &[u8]) -> bool {
        self.verification(signature).is_some_and(|mut verification| {
            parts.iter().for_each(|part| verification.update(part));
            verification.finish()
        })
    }

    /// Does what [`verify`](Self::verify) does for a message that comes piece by piece; `None` if the
    /// signature can be told to be none before the message is known.
    #[must_use]
    pub fn verification(&self, signature: &[u8]) -> Option<Verification> {
        let signature: &[u8; SIGNATURE_BYTES] = signature.try_into().ok()?;
        Verification::begin(&self.point, signature)
    }

    /// Takes the point that belongs to a private key: it is canonical and of large order.
    pub(super) fn of(secret: &ed25519_dalek::SigningKey) -> Self {
        let point = secret.verifying_key();
        Self { id: KeyId::of(point.as_bytes()), point }
    }
}

/// Returns whether nothing else encodes the same point (RFC 8032, Section 5.1.3): y is below
/// p = 2^255 − 19, and an x of zero, which only y = 1 and y = −1 have, is not said to be odd.
fn is_canonical(point: &[u8; 32]) -> bool {
    let mut y = *point;
    let [.., top] = &mut y;
    let x_is_odd = *top & 0x80 != 0;
    *top &= 0x7f;
    let x_is_zero = y == ONE || y == MINUS_ONE;
    // Little-endian, so the last byte weighs most; −1 is p − 1.
    y.iter().rev().le(MINUS_ONE.iter().rev()) && !(x_is_odd && x_is_zero)
}

const ONE: [u8; 32] = {
    let mut y = [0; 32];
    y[0] = 1;
    y
};

const MINUS_ONE: [u8; 32] = {
    let mut y = [0xff; 32];
    y[0] = 0xec;
    y[31] = 0x7f;
    y
};

/// The canonical encodings of the eight points whose order divides 8.
pub(super) const SMALL_ORDER: [[u8; 32]; 8] = [
    ONE,
    MINUS_ONE,
    [0; 32],
    with_sign([0; 32]),
    ORDER_8,
    with_sign(ORDER_8),
    OTHER_ORDER_8,
    with_sign(OTHER_ORDER_8),
];

const fn with_sign(mut y: [u8; 32]) -> [u8; 32] {
    y[31] |= 0x80;
    y
}

const ORDER_8: [u8; 32] = [
    0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
    0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
];

const OTHER_ORDER_8: [u8; 32] = [
    0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
    0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
];

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs::File;

    use curve25519_dalek::constants::EIGHT_TORSION;
    use curve25519_dalek::edwards::CompressedEdwardsY;
    use ed25519_dalek::Signature;
    use serde_json::Value;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits = text.as_bytes().chunks_exact(2);
        digits.map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap()).collect()
    }

    fn key(text: &str) -> Result<VerifyingKey, KeyError> {
        VerifyingKey::from_bytes(&hex(text).try_into().unwrap())
    }

    fn vectors(name: &str) -> Value {
        let path = format!("{}/../../fixtures/foreign/{name}", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_reader(File::open(path).unwrap()).unwrap()
    }

    /// Returns our verdict, having held it against `verify_strict` for every way to cut the message.
    fn verdict(key_text: &str, message: &[u8], signature: &str) -> bool {
        let Ok(signature) = <[u8; 64]>::try_from(hex(signature)) else { return false };
        let bytes = hex(key_text).try_into().unwrap();
        let strict = ed25519_dalek::VerifyingKey::from_bytes(&bytes).is_ok_and(|key| {
            key.verify_strict(message, &Signature::from_bytes(&signature)).is_ok()
        });
        let Ok(key) = key(key_text) else { return false };
        for at in [0, message.len() / 2, message.len()] {
            let (head, tail) = message.split_at(at);
            assert_eq!(key.verify(&[head, &[], tail], &signature), strict, "{key_text} {at}");
        }
        let byte_by_byte = key.verification(&signature).is_some_and(|mut verification| {
            message.chunks(1).for_each(|byte| verification.update(byte));
            verification.finish()
        });
        assert_eq!(byte_by_byte, strict, "{key_text}");
        strict
    }

    #[test]
    fn the_points_of_small_order_are_those_of_the_curve() {
        let known: BTreeSet<_> = EIGHT_TORSION.map(|point| point.compress().to_bytes()).into();
        assert_eq!(known, BTreeSet::from(SMALL_ORDER));
    }

    /// Every encoding near the borders, with both signs, and others.
    #[test]
    fn canonical_is_what_encodes_again_to_the_same() {
        let ends = (0..=255).flat_map(|low| [0, 0x7f, 0x80, 0xff].map(|high| (low, high)));
        let mut seen = [0, 0];
        for (low, high) in ends {
            for fill in [0, 0xff, 0xa5] {
                let mut bytes = [fill; 32];
                (bytes[0], bytes[31]) = (low, high);
                let Some(point) = CompressedEdwardsY(bytes).decompress() else { continue };
                let canonical = point.compress().to_bytes() == bytes;
                assert_eq!(is_canonical(&bytes), canonical, "{bytes:02x?}");
                seen[usize::from(canonical)] += 1;
            }
        }
        assert!(seen[0] > 10 && seen[1] > 500, "{seen:?}");
    }

    #[test]
    fn wycheproof_agrees() {
        let file = vectors("wycheproof/ed25519_test.json");
        let (mut valid, mut invalid) = (0, 0);
        for group in file["testGroups"].as_array().unwrap() {
            let pk = group["publicKey"]["pk"].as_str().unwrap();
            for test in group["tests"].as_array().unwrap() {
                let found =
                    verdict(pk, &hex(test["msg"].as_str().unwrap()), test["sig"].as_str().unwrap());
                assert_eq!(found, test["result"] == "valid", "{}", test["tcId"]);
                *(if found { &mut valid } else { &mut invalid }) += 1;
            }
        }
        assert_eq!((valid, invalid), (88, 63));
    }

    #[test]
    fn edge_points_of_cctv_are_refused() {
        const REFUSED: [&str; 5] = [
            "low_order_A",
            "low_order_R",
            "low_order_residue",
            "non_canonical_A",
            "non_canonical_R",
        ];
        let file = vectors("cctv/ed25519vectors.json");
        let vectors = file.as_array().unwrap();
        let mut flagged = 0;
        let mut accepted = Vec::new();
        for vector in vectors {
            let text = |name: &str| vector[name].as_str().unwrap();
            let flags = vector["flags"].as_array().cloned().unwrap_or_default();
            let refuse = flags.iter().any(|flag| REFUSED.contains(&flag.as_str().unwrap()));
            flagged += usize::from(refuse);
            if verdict(text("key"), text("msg").as_bytes(), text("sig")) {
                assert!(!refuse, "{vector}");
                accepted.push(flags);
            }
        }
        assert_eq!((vectors.len(), flagged, accepted.len()), (914, 871, 43));
    }

    #[test]
    fn keys_of_small_order_are_weak() {
        for text in [
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        ] {
            assert_eq!(key(text), Err(KeyError::Weak), "{text}");
        }
    }

    #[test]
    fn second_encodings_of_a_point_are_refused() {
        for text in [
            "0100000000000000000000000000000000000000000000000000000000000080",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            // y = p + 3, of large order: only its encoding is wrong.
            "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ] {
            assert_eq!(key(text), Err(KeyError::NonCanonical), "{text}");
        }
        let off = "0200000000000000000000000000000000000000000000000000000000000000";
        assert_eq!(key(off), Err(KeyError::NotAPoint));
    }

    #[test]
    fn debug_shows_the_id() {
        let key = key("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap();
        assert_eq!(format!("{key:?}"), format!("VerifyingKey({})", key.id()));
    }
}
