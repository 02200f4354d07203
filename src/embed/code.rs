//! Contexts of code, which nobody may send who is merely trusted for everything.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use brine_core::{
    Certificates, Evidence, KeyId, Question, Signer, TrustAnchors, TrustSource, TrustUnavailable,
    Untrusted, VerifyingKey,
};

/// How contexts begin that code is signed for. A signer may send code only if the trust file spells this out for it:
/// `contexts = ["python-code/*"]`.
pub const CODE_CONTEXT: &str = "python-code/";

/// Returns whether a context is one that code is signed for.
#[must_use]
pub fn is_of_code(context: Option<&str>) -> bool {
    context.is_some_and(|context| context.starts_with(CODE_CONTEXT))
}

/// Returns who is believed for a context: for one of code, only those to whom trust gives it in particular.
#[must_use]
pub fn trust_for(context: Option<&str>, trust: Arc<dyn TrustSource>) -> Arc<dyn TrustSource> {
    if is_of_code(context) {
        Arc::new(CodeTrustSource { trust, last: Mutex::default() })
    } else {
        trust
    }
}

struct CodeTrustSource {
    trust: Arc<dyn TrustSource>,
    last: Mutex<Option<Wrapped>>,
}

/// Trust, and what was made of it.
#[derive(Clone)]
struct Wrapped {
    trust: Arc<dyn TrustAnchors>,
    made: Arc<dyn TrustAnchors>,
}

impl TrustSource for CodeTrustSource {
    fn current(&self) -> Result<Arc<dyn TrustAnchors>, TrustUnavailable> {
        let trust = self.trust.current()?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // As long as nothing changed, it is the same value in memory.
        let same = { &*last }.as_ref().filter(|last| Arc::ptr_eq(&last.trust, &trust)).cloned();
        let wrapped = same.unwrap_or_else(|| {
            let made = Arc::new(CodeTrust(Arc::clone(&trust)));
            Wrapped { trust, made }
        });
        Ok(Arc::clone(&last.insert(wrapped).made))
    }
}

struct CodeTrust(Arc<dyn TrustAnchors>);

impl TrustAnchors for CodeTrust {
    fn key(&self, id: KeyId) -> Option<&VerifyingKey> {
        self.0.key(id)
    }

    fn keys(&self, most: usize) -> Vec<&VerifyingKey> {
        self.0.keys(most)
    }

    fn key_count(&self) -> usize {
        self.0.key_count()
    }

    fn certified_key(
        &self,
        certificates: &Certificates,
    ) -> Result<Option<VerifyingKey>, Untrusted> {
        self.0.certified_key(certificates)
    }

    fn judge_together(
        &self,
        signers: &[&Signer],
        required: usize,
        question: &Question<'_>,
    ) -> Result<(), Untrusted> {
        self.0.judge_together(signers, required, question)
    }

    fn judge(
        &self,
        evidence: &Evidence,
        question: &Question<'_>,
    ) -> Result<Cow<'_, Signer>, Untrusted> {
        self.0.judge_in_particular(evidence, question)
    }
}

#[cfg(test)]
mod tests {
    use brine_core::{Classified as _, SigningKey, Timestamp};
    use brine_keys::{CertificateDraft, openssh_line};
    use brine_testkit::key;

    use super::*;

    fn trust(contexts: &str) -> Arc<dyn TrustAnchors> {
        let ca = openssh_line(key(2).verifying_key(), "");
        let text = format!(
            "[[authority]]\nname = 'team'\nkey = '{ca}'\nprincipals = ['alice']\n{contexts}"
        );
        let source = crate::embed::trusting::trust_in(text.as_bytes()).unwrap();
        trust_for(Some("python-code/a"), source).current().unwrap()
    }

    fn certificates(key: &SigningKey) -> Certificates {
        let draft = CertificateDraft {
            key: key.verifying_key(),
            nonce: [0; 32],
            serial: 1,
            key_id: "laptop",
            principals: &["alice".to_owned()],
            valid_after: 0,
            valid_before: u64::MAX,
            contexts: None,
            may_delegate: false,
        };
        Certificates::new(&[draft.issue(&brine_testkit::key(2)).unwrap()]).unwrap()
    }

    /// Whoever is certified may send code if the trust file says so of the authority, in particular.
    #[test]
    fn an_authority_vouches_for_code_where_the_file_spells_it_out() {
        let now = Timestamp::from_unix(1_800_000_000).unwrap();
        let certificates = certificates(&key(1));
        let evidence = Evidence::new(key(1).verifying_key().id(), Some(certificates.clone()));
        let question = Question { context: Some("python-code/a"), signer: None, now };
        for (contexts, expected) in [
            ("contexts = ['python-code/*']", Ok("alice")),
            ("contexts = ['*/*']", Err("context-not-allowed")),
            ("contexts = ['jobs/*']", Err("context-not-allowed")),
            ("", Err("context-not-allowed")),
        ] {
            let trust = trust(contexts);
            let found = trust.certified_key(&certificates).unwrap();
            assert_eq!(found.as_ref(), Some(key(1).verifying_key()));
            let judged = trust.judge(&evidence, &question);
            let judged = judged.as_ref().map(|signer| signer.name()).map_err(|why| why.reason());
            assert_eq!(judged, expected, "{contexts:?}");
        }
    }
}
