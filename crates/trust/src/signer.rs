//! One entry of a trust file.

use crate::claims::Timestamp;
use crate::key::VerifyingKey;

use super::pattern::{ContextGlob, PatternList};
use super::{Question, Refusal};

/// A name, the key that speaks for it, about what, and until when.
///
/// ```
/// # use brine::{key::VerifyingKey, trust::{ContextGlob, Scope, Signer}};
/// # let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIET+QA4xCaomP4+xkZbqykQfTOFappgYVaYnFyVt7woD";
/// # let (key, _) = VerifyingKey::from_openssh(line)?;
/// let mut signer = Signer::new("alice", key);
/// signer.scope = Scope::Globs(vec![ContextGlob::parse("reports/*")?]);
/// assert!(signer.answers_to("alice"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// What the signer is called: a name, or the principals of an allowed_signers line.
    pub name: String,
    /// The key that speaks for the name.
    pub key: VerifyingKey,
    /// What the key may sign.
    pub scope: Scope,
    /// The first moment at which the key is trusted.
    pub not_before: Option<Timestamp>,
    /// The first moment at which the key is trusted no more.
    pub not_after: Option<Timestamp>,
    /// When and why the key was revoked.
    pub revocation: Option<Revocation>,
    /// The names that the key speaks for, where they are patterns.
    pub(super) principals: Option<PatternList>,
}

impl Signer {
    /// Returns a signer that is trusted for everything, at any time.
    #[must_use]
    pub fn new(name: impl Into<String>, key: VerifyingKey) -> Self {
        Self {
            name: name.into(),
            key,
            scope: Scope::Any,
            not_before: None,
            not_after: None,
            revocation: None,
            principals: None,
        }
    }

    /// Returns whether the key speaks for `name`: equal to the byte, or matched by the principals of
    /// an allowed_signers line.
    #[must_use]
    pub fn answers_to(&self, name: &str) -> bool {
        match &self.principals {
            None => self.name == name,
            Some(principals) => principals.matches(name),
        }
    }

    /// Judges window and scope; name and revocation are judged over all entries of a key.
    pub(super) fn judge(&self, question: &Question<'_>) -> Result<(), Refusal> {
        let signer = || self.name.clone();
        if let Some(at) = self.not_before.filter(|&at| question.now < at) {
            return Err(Refusal::TooEarly { signer: signer(), at });
        }
        if let Some(at) = self.not_after.filter(|&at| question.now >= at) {
            return Err(Refusal::TooLate { signer: signer(), at });
        }
        if !self.scope.allows(question.context) {
            let context = question.context.map(str::to_owned);
            return Err(Refusal::Context { signer: signer(), context });
        }
        Ok(())
    }

    /// Returns the revocation if it has come.
    pub(super) fn revoked_at(&self, now: Timestamp) -> Option<&Revocation> {
        self.revocation.as_ref().filter(|revocation| revocation.at <= now)
    }
}

/// What a key may sign.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// Anything, in any context or in none.
    Any,
    /// Signatures with a context that one of these matches; never one without.
    Globs(Vec<ContextGlob>),
    /// Signatures with a context that the namespaces of an allowed_signers line match; never one
    /// without.
    Namespaces(PatternList),
}

impl Scope {
    /// Returns whether a signature with this context is within the scope.
    #[must_use]
    pub fn allows(&self, context: Option<&str>) -> bool {
        match (self, context) {
            (Self::Any, _) => true,
            (Self::Globs(globs), Some(context)) => globs.iter().any(|glob| glob.matches(context)),
            (Self::Namespaces(list), Some(context)) => list.matches(context),
            (Self::Globs(_) | Self::Namespaces(_), None) => false,
        }
    }
}

/// That a key is not to be believed any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The first moment at which the key is refused.
    pub at: Timestamp,
    /// Why, in the words of the trust file.
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use crate::trust::tests::{ALICE, key};

    use super::*;

    #[test]
    fn names_are_equal_to_the_byte() {
        let signer = Signer::new("alice*", key(ALICE));
        assert!(signer.answers_to("alice*"));
        for other in ["alice", "alice1", "Alice*", "alice* ", ""] {
            assert!(!signer.answers_to(other), "{other:?}");
        }
    }

    #[test]
    fn principals_are_a_pattern_list() {
        let mut signer = Signer::new("*@example.com,!eve@*", key(ALICE));
        signer.principals = Some(PatternList::new(signer.name.clone()));
        assert!(signer.answers_to("alice@example.com"));
        for other in ["eve@example.com", "ALICE@EXAMPLE.COM", "alice", "*@example.com,!eve@*"] {
            assert!(!signer.answers_to(other), "{other:?}");
        }
    }

    #[test]
    fn scopes_other_than_any_need_a_context() {
        let glob = ContextGlob::parse("*").unwrap();
        for (scope, without, with) in [
            (Scope::Any, true, true),
            (Scope::Globs(vec![glob]), false, true),
            (Scope::Globs(Vec::new()), false, false),
            (Scope::Namespaces(PatternList::new("*")), false, true),
            (Scope::Namespaces(PatternList::new("")), false, false),
        ] {
            assert_eq!(scope.allows(None), without, "{scope:?}");
            assert_eq!(scope.allows(Some("")), with, "{scope:?}");
            assert_eq!(scope.allows(Some("file")), with, "{scope:?}");
        }
    }
}
