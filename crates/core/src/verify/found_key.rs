//! The key that verifies a signature, wherever it was found.

use std::ops::Deref;

use crate::key::VerifyingKey;

/// A key that trust anchors name, or one that a certificate is for.
///
/// It is as small as a reference: it is handed on for each of many records, and a key is 224 bytes.
#[derive(Clone, Debug)]
pub(crate) enum FoundKey<'t> {
    Certified(Box<VerifyingKey>),
    Named(&'t VerifyingKey),
}

impl FoundKey<'_> {
    /// Keeps it when who was trusted then is forgotten.
    pub(crate) fn into_owned(self) -> FoundKey<'static> {
        FoundKey::Certified(match self {
            Self::Certified(key) => key,
            Self::Named(key) => Box::new(key.clone()),
        })
    }
}

impl Deref for FoundKey<'_> {
    type Target = VerifyingKey;

    fn deref(&self) -> &VerifyingKey {
        match self {
            Self::Certified(key) => key,
            Self::Named(key) => key,
        }
    }
}
