//! The bytes that are signed (RFC 9052, Section 4.4).

use crate::cbor::Encoder;

/// A Sig_structure in parts, so that a large payload is not copied to be signed.
///
/// ```cddl
/// Sig_structure = [context: "Signature1", body_protected: bstr, external_aad: bstr, payload: bstr]
/// ```
#[derive(Clone, Debug)]
pub struct ToBeSigned<'a> {
    head: Vec<u8>,
    external_aad: &'a [u8],
    payload_head: Vec<u8>,
    payload: &'a [u8],
}

impl<'a> ToBeSigned<'a> {
    /// Builds it from the protected header as it stands in the envelope.
    ///
    /// An empty map is an empty byte string here, however it was written (RFC 9052, Section 4.4).
    #[must_use]
    pub fn new(protected: &[u8], external_aad: &'a [u8], payload: &'a [u8]) -> Self {
        let length = u64::try_from(payload.len()).unwrap_or(u64::MAX);
        Self { payload, ..Self::before(protected, external_aad, length) }
    }

    /// Builds all that comes before a payload of so many bytes, which follow by another way.
    pub(crate) fn before(protected: &[u8], external_aad: &'a [u8], payload_bytes: u64) -> Self {
        let protected = if protected == [0xa0] { &[] } else { protected };
        let mut head = Encoder::new();
        head.array(4).text("Signature1").bytes(protected).bytes_head(external_aad.len());
        let mut payload_head = Encoder::new();
        payload_head.long_bytes_head(payload_bytes);
        Self {
            head: head.into_bytes(),
            external_aad,
            payload_head: payload_head.into_bytes(),
            payload: &[],
        }
    }

    /// Returns the parts, to be taken one after the other.
    #[must_use]
    pub fn parts(&self) -> [&[u8]; 4] {
        [&self.head, self.external_aad, &self.payload_head, self.payload]
    }

    /// Returns the whole, in memory of its own.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.parts().concat()
    }
}
