//! The certificates that an envelope brings for its key.

use std::fmt;
use std::sync::Arc;

use crate::cbor::{Decoder, Encoder};
use crate::cose::FormError;

/// The most certificates in one envelope: that of the signing key, and those of the keys that issued it.
pub const MAX_CERTIFICATES: usize = 3;

/// The largest certificate, in bytes.
pub const MAX_CERTIFICATE_BYTES: usize = 8192;

/// The certificates that an envelope brings for its key: the private-use header parameter −70007.
///
/// ```cddl
/// certificates = [1*3 bstr .size (1..8192)]
/// ```
///
/// The first certifies the key that signed. Each other certifies the key that issued the one before it. Nothing is
/// believed because of them but what [`TrustAnchors`](crate::TrustAnchors) find. A clone shares its content.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificates(Arc<[u8]>);

impl Certificates {
    /// Takes certificates in their binary form, the first for the signing key.
    ///
    /// # Errors
    ///
    /// [`FormError::Certificates`] for none of them, more than [`MAX_CERTIFICATES`], and one that is empty or over
    /// [`MAX_CERTIFICATE_BYTES`].
    pub fn new(certificates: &[impl AsRef<[u8]>]) -> Result<Self, FormError> {
        let mut list = Encoder::new();
        list.array(u64::try_from(certificates.len()).unwrap_or(u64::MAX));
        for certificate in certificates {
            list.bytes(certificate.as_ref());
        }
        Self::decode(list.as_bytes())
    }

    /// Reads the value of the header parameter.
    ///
    /// # Errors
    ///
    /// [`FormError::Certificates`] and [`FormError::Malformed`].
    pub fn decode(value: &[u8]) -> Result<Self, FormError> {
        judge_form(value)?;
        Ok(Self(value.into()))
    }

    /// Returns the certificates, that of the signing key first.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let mut list = Decoder::new(&self.0);
        let count = list.array().unwrap_or(0);
        (0..count).map_while(move |_| list.bytes().ok())
    }

    /// Returns the value of the header parameter.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(<[u8]>::len)).finish()
    }
}

/// Holds the value to its form, in which what is in a certificate has no say.
pub(crate) fn judge_form(value: &[u8]) -> Result<(), FormError> {
    let mut list = Decoder::new(value);
    let count = list.array()?;
    if count == 0 {
        return Err(FormError::Certificates { what: "there are none" });
    }
    if usize::try_from(count).map_or(true, |count| count > MAX_CERTIFICATES) {
        return Err(FormError::Certificates { what: "there are more than three" });
    }
    for _ in 0..count {
        match list.bytes()?.len() {
            0 => return Err(FormError::Certificates { what: "one is empty" }),
            1..=MAX_CERTIFICATE_BYTES => {}
            _ => return Err(FormError::Certificates { what: "one is over 8192 bytes" }),
        }
    }
    Ok(list.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::Classified as _;

    #[test]
    fn there_are_one_to_three_of_some_length() {
        for count in 1..=MAX_CERTIFICATES {
            let given = vec![vec![7; MAX_CERTIFICATE_BYTES]; count];
            let certificates = Certificates::new(&given).unwrap();
            assert!(certificates.iter().eq(given.iter().map(Vec::as_slice)));
            assert_eq!(Certificates::decode(certificates.as_bytes()), Ok(certificates));
        }
        let long = vec![0; MAX_CERTIFICATE_BYTES + 1];
        for (given, what) in [
            (vec![], "there are none"),
            (vec![vec![1]; MAX_CERTIFICATES + 1], "there are more than three"),
            (vec![vec![1], vec![]], "one is empty"),
            (vec![vec![1], long], "one is over 8192 bytes"),
        ] {
            let found = Certificates::new(&given).unwrap_err();
            assert_eq!(found, FormError::Certificates { what });
            assert_eq!(found.reason(), "certificates-form");
        }
        assert_eq!(Certificates::decode(b"\x41\x00").unwrap_err().reason(), "unexpected-type");
    }
}
