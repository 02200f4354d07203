//! Trust in which a test has the last word.

use std::borrow::Cow;

use brine_core::{
    Certificates, Evidence, KeyId, KnownSigners, Question, Signer, TrustAnchors, Untrusted,
    VerifyingKey,
};

/// Known signers, of whom `verdict` is asked again: it is given the one that would be believed.
#[derive(Clone, Debug)]
pub struct JudgedBy<F> {
    signers: KnownSigners,
    verdict: F,
}

impl<F> JudgedBy<F>
where
    F: Fn(&Signer, &Question<'_>) -> Result<Signer, Untrusted>,
{
    /// Lets `verdict` judge the signers that are known.
    #[must_use]
    pub const fn new(signers: KnownSigners, verdict: F) -> Self {
        Self { signers, verdict }
    }
}

impl<F> TrustAnchors for JudgedBy<F>
where
    F: Fn(&Signer, &Question<'_>) -> Result<Signer, Untrusted> + Send + Sync,
{
    fn key(&self, id: KeyId) -> Option<&VerifyingKey> {
        self.signers.key(id)
    }

    fn keys(&self, most: usize) -> Vec<&VerifyingKey> {
        self.signers.keys(most)
    }

    fn key_count(&self) -> usize {
        self.signers.key_count()
    }

    fn certified_key(&self, _: &Certificates) -> Result<Option<VerifyingKey>, Untrusted> {
        Ok(None)
    }

    fn judge_together(&self, _: &[&Signer], _: usize, _: &Question<'_>) -> Result<(), Untrusted> {
        Ok(())
    }

    fn judge(
        &self,
        evidence: &Evidence,
        question: &Question<'_>,
    ) -> Result<Cow<'_, Signer>, Untrusted> {
        let signer = self.signers.judge(evidence, question)?;
        (self.verdict)(&signer, question).map(Cow::Owned)
    }
}
