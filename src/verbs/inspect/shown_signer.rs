//! What each signature of several claims.

use brine_core::cose::label;
use brine_core::text::hex;
use brine_core::{Signatures, UnverifiedEnvelope};
use serde::Serialize;

use super::claimed::Numbers;
use super::shown_certificate::ShownCertificate;

/// One of several signatures, of which nothing is verified. docs/json.md describes it.
#[derive(Serialize)]
pub(super) struct ShownSigner {
    algorithm: Option<i64>,
    algorithm_name: Option<&'static str>,
    key_id: Option<String>,
    pub(super) certificates: Vec<ShownCertificate>,
    signature: String,
    #[serde(skip)]
    line: String,
}

impl ShownSigner {
    /// Reads the signatures of an envelope of several signers; of one signer, what it says stands in the envelope itself.
    pub(super) fn all(signatures: &Signatures<'_>, numbers: Numbers) -> Vec<Self> {
        if !signatures.is_of_several() {
            return Vec::new();
        }
        signatures.iter().map(|signature| Self::of(signature, numbers)).collect()
    }

    fn of(signature: &UnverifiedEnvelope<'_>, numbers: Numbers) -> Self {
        let key_id = signature.header().key_id.map(hex);
        let algorithm = signature.sign1().signer_value(label::ALG);
        let facts = algorithm.map(|id| numbers.algorithm(id)).unwrap_or_default();
        let shown = algorithm.map_or_else(|| "none".to_owned(), |id| numbers.algorithm_shown(id));
        Self {
            algorithm: facts.0,
            algorithm_name: facts.1,
            certificates: ShownCertificate::all(signature.certificates().as_ref()),
            signature: hex(signature.sign1().signature()),
            line: format!("key id {}, {shown}", key_id.as_deref().unwrap_or("none")),
            key_id,
        }
    }

    /// Says it for a person.
    pub(super) fn line(&self) -> &str {
        &self.line
    }
}
