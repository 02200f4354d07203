//! The bytes that are signed (RFC 9052, Section 4.4).

use std::io;

use sha2::{Digest as _, Sha256};

use crate::cbor::{HeadBytes, Major};
use crate::hash::{ReadAt, each_piece};

/// A Sig_structure in parts, so that nothing is copied to be signed.
///
/// ```cddl
/// Sig_structure = [context: "Signature1", body_protected: bstr, external_aad: bstr, payload: bstr] /
///   [context: "Signature", body_protected: bstr, sign_protected: bstr, external_aad: bstr, payload: bstr]
/// ```
///
/// The second form is that of one of several signers. Neither is ever the other.
#[derive(Clone, Debug)]
pub struct ToBeSigned<'a> {
    context: &'static [u8],
    protected: Item<'a>,
    signer: Item<'a>,
    external_aad: Item<'a>,
    payload: Item<'a>,
}

impl<'a> ToBeSigned<'a> {
    /// Builds it from the protected header as it stands in the envelope.
    ///
    /// An empty map is an empty byte string here, however it was written (RFC 9052, Section 4.4).
    #[must_use]
    pub fn new(protected: &'a [u8], external_aad: &'a [u8], payload: &'a [u8]) -> Self {
        let length = u64::try_from(payload.len()).unwrap_or(u64::MAX);
        let before = Self::before(protected, external_aad, length);
        Self { payload: Item { content: payload, ..before.payload }, ..before }
    }

    /// Builds all that comes before a payload of so many bytes, which follow by another way.
    pub(crate) fn before(protected: &'a [u8], external_aad: &'a [u8], payload_bytes: u64) -> Self {
        Self {
            context: ALONE,
            protected: Item::new(or_nothing(protected)),
            signer: Item::ABSENT,
            external_aad: Item::new(external_aad),
            payload: Item { head: HeadBytes::new(Major::Bytes, payload_bytes), content: &[] },
        }
    }

    /// Makes it what one of several signers signs, whose own protected header this is.
    #[must_use]
    pub fn by_one_of_several(self, signer: &'a [u8]) -> Self {
        Self { context: ONE_OF_SEVERAL, signer: Item::new(or_nothing(signer)), ..self }
    }

    /// Returns the parts, to be taken one after the other.
    #[must_use]
    pub fn parts(&self) -> [&[u8]; 9] {
        let Self { context, protected, signer, external_aad, payload } = self;
        [
            context,
            protected.head.as_bytes(),
            protected.content,
            signer.head.as_bytes(),
            signer.content,
            external_aad.head.as_bytes(),
            external_aad.content,
            payload.head.as_bytes(),
            payload.content,
        ]
    }

    /// Returns the whole, in memory of its own.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.parts().concat()
    }
}

/// Returns the SHA-256 of a Sig_structure whose payload is the first `payload_bytes` of a source.
///
/// # Errors
///
/// What reading the payload reports.
pub fn sig_structure_digest(
    protected: &[u8],
    external_aad: &[u8],
    payload: &(impl ReadAt + ?Sized),
    payload_bytes: u64,
) -> io::Result<[u8; 32]> {
    let before = ToBeSigned::before(protected, external_aad, payload_bytes);
    let mut hasher = Sha256::new();
    before.parts().into_iter().for_each(|part| hasher.update(part));
    each_piece(payload, 0, payload_bytes, |piece| hasher.update(piece))?;
    Ok(hasher.finalize().into())
}

/// A byte string: its head, and what is in it.
#[derive(Clone, Debug)]
struct Item<'a> {
    head: HeadBytes,
    content: &'a [u8],
}

impl<'a> Item<'a> {
    const ABSENT: Self = Self { head: HeadBytes::NONE, content: &[] };

    fn new(content: &'a [u8]) -> Self {
        Self { head: HeadBytes::of_bytes(content.len()), content }
    }
}

/// An empty map is an empty byte string here, however it was written (RFC 9052, Section 4.4).
fn or_nothing(protected: &[u8]) -> &[u8] {
    if protected == [0xa0] { &[] } else { protected }
}

/// An array of four, and the text that stands first in it.
const ALONE: &[u8] = b"\x84\x6aSignature1";

/// An array of five, and the text that stands first in it.
const ONE_OF_SEVERAL: &[u8] = b"\x85\x69Signature";
