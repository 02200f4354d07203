//! One entry of a trust file.

use brine_core::{Question, Signer, Timestamp, Untrusted, VerifyingKey};

use crate::pattern::{ContextGlob, PatternList};

/// A signer, and what it is trusted for and when.
///
/// ```
/// use brine_core::Signer;
/// use brine_trust::{ContextGlob, Scope, TrustEntry};
///
/// # let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIET+QA4xCaomP4+xkZbqykQfTOFappgYVaYnFyVt7woD";
/// let (key, _) = brine_keys::read_openssh_line(line)?;
/// let scope = Scope::Globs(vec![ContextGlob::parse("reports/*")?]);
/// let entry = TrustEntry::new(Signer::new("alice", key)).with_scope(scope);
/// assert!(entry.answers_to("alice"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustEntry {
    signer: Signer,
    scope: Scope,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
    revocation: Option<Revocation>,
    /// Patterns for the names that the entry answers to, instead of the signer's name.
    principals: Option<PatternList>,
    may_issue: bool,
}

impl TrustEntry {
    /// Returns an entry that trusts a signer for everything, at any time.
    #[must_use]
    pub const fn new(signer: Signer) -> Self {
        Self {
            signer,
            scope: Scope::Any,
            not_before: None,
            not_after: None,
            revocation: None,
            principals: None,
            may_issue: false,
        }
    }

    /// Returns the same entry with another key, which it does not revoke.
    pub(crate) fn with_key(&self, key: &VerifyingKey) -> Self {
        let signer = Signer::new(self.name(), key.clone());
        Self { signer, revocation: None, ..self.clone() }
    }

    /// Lets the signer issue certificates for names below its own, for what it is trusted for itself.
    #[must_use]
    pub fn with_delegation(self, may_issue: bool) -> Self {
        Self { may_issue, ..self }
    }

    /// Returns whether the signer may issue certificates for what it is trusted for itself.
    #[must_use]
    pub const fn may_issue(&self) -> bool {
        self.may_issue
    }

    /// Trusts the signer only for signatures within `scope`.
    #[must_use]
    pub fn with_scope(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// Trusts the signer from this moment on.
    #[must_use]
    pub fn with_not_before(self, at: impl Into<Option<Timestamp>>) -> Self {
        Self { not_before: at.into(), ..self }
    }

    /// Trusts the signer until this moment. At the moment itself it is not trusted any more.
    #[must_use]
    pub fn with_not_after(self, at: impl Into<Option<Timestamp>>) -> Self {
        Self { not_after: at.into(), ..self }
    }

    /// Revokes the key.
    #[must_use]
    pub fn with_revocation(self, revocation: impl Into<Option<Revocation>>) -> Self {
        Self { revocation: revocation.into(), ..self }
    }

    /// Lets the entry answer to the names that these patterns match.
    #[must_use]
    pub(crate) fn with_principals(self, principals: PatternList) -> Self {
        Self { principals: Some(principals), ..self }
    }

    /// Returns the signer. From an allowed_signers file, its name is the principals of the line.
    #[must_use]
    pub const fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Returns the signer's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.signer.name()
    }

    /// Returns the signer's key.
    #[must_use]
    pub fn key(&self) -> &VerifyingKey {
        self.signer.key()
    }

    /// Returns what the signer is trusted for.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Returns the first moment at which the signer is trusted.
    #[must_use]
    pub const fn not_before(&self) -> Option<Timestamp> {
        self.not_before
    }

    /// Returns the first moment at which the signer is not trusted any more.
    #[must_use]
    pub const fn not_after(&self) -> Option<Timestamp> {
        self.not_after
    }

    /// Returns when and why the key was revoked.
    #[must_use]
    pub const fn revocation(&self) -> Option<&Revocation> {
        self.revocation.as_ref()
    }

    /// Returns whether the entry answers to `name`: it is the signer's name, byte for byte, or the principals of the
    /// allowed_signers line match it.
    #[must_use]
    pub fn answers_to(&self, name: &str) -> bool {
        match &self.principals {
            None => self.name() == name,
            Some(principals) => principals.matches(name),
        }
    }

    /// Returns the first limit that the question breaks: of the window, then of the scope.
    ///
    /// Name and revocation are not judged here: they concern all entries of a key.
    pub(crate) fn broken_limit(&self, question: &Question<'_>) -> Option<BrokenLimit> {
        if let Some(at) = self.not_before.filter(|&at| question.now < at) {
            return Some(BrokenLimit::TooEarly(at));
        }
        if let Some(at) = self.not_after.filter(|&at| question.now >= at) {
            return Some(BrokenLimit::TooLate(at));
        }
        (!self.scope.allows(question.context)).then_some(BrokenLimit::Scope)
    }

    /// Returns the refusal of a question that breaks `limit`.
    pub(crate) fn refusal(&self, limit: BrokenLimit, question: &Question<'_>) -> Untrusted {
        let signer = self.name().to_owned();
        match limit {
            BrokenLimit::Scope => {
                Untrusted::Context { signer, context: question.context.map(str::to_owned) }
            }
            BrokenLimit::TooEarly(at) => Untrusted::TooEarly { signer, at },
            BrokenLimit::TooLate(at) => Untrusted::TooLate { signer, at },
        }
    }
}

impl From<Signer> for TrustEntry {
    fn from(signer: Signer) -> Self {
        Self::new(signer)
    }
}

/// A limit of an entry that does not hold.
///
/// It becomes a refusal only when no other entry speaks: a refusal needs memory, and records are judged by the
/// million.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BrokenLimit {
    Scope,
    TooEarly(Timestamp),
    TooLate(Timestamp),
}

/// What a signer is trusted for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// All signatures, in any context or in none.
    Any,
    /// Signatures with a context that one of these patterns matches.
    Globs(Vec<ContextGlob>),
    /// Signatures with a context that the namespaces of an allowed_signers line match.
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

    /// Returns whether the scope allows this context by a pattern that spells out its first part, up to and with the
    /// first `/`: `code/*` does for `code/a`, and `*/a` does not.
    #[must_use]
    pub fn spells_out(&self, context: Option<&str>) -> bool {
        let Some((context, end)) = context.and_then(|text| Some((text, text.find('/')?))) else {
            return false;
        };
        let first = context.get(..=end).unwrap_or(context);
        match self {
            Self::Any => false,
            Self::Globs(globs) => {
                globs.iter().any(|glob| glob.as_str().starts_with(first) && glob.matches(context))
            }
            Self::Namespaces(list) => {
                let spelled = |pattern: &str| {
                    pattern.starts_with(first) && PatternList::new(pattern).matches(context)
                };
                list.matches(context) && list.as_str().split(',').any(spelled)
            }
        }
    }
}

/// When and why a key was revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The first moment at which the key is refused.
    pub at: Timestamp,
    /// The reason, in the words of the trust file.
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use crate::tests::{ALICE, key};

    use super::*;

    #[test]
    fn names_are_equal_to_the_byte() {
        let signer = TrustEntry::new(Signer::new("alice*", key(ALICE)));
        assert!(signer.answers_to("alice*"));
        for other in ["alice", "alice1", "Alice*", "alice* ", ""] {
            assert!(!signer.answers_to(other), "{other:?}");
        }
    }

    #[test]
    fn principals_are_a_pattern_list() {
        let signer = Signer::new("*@example.com,!eve@*", key(ALICE));
        let principals = PatternList::new(signer.name());
        let signer = TrustEntry::new(signer).with_principals(principals);
        assert!(signer.answers_to("alice@example.com"));
        for other in ["eve@example.com", "ALICE@EXAMPLE.COM", "alice", "*@example.com,!eve@*"] {
            assert!(!signer.answers_to(other), "{other:?}");
        }
    }

    #[test]
    fn a_pattern_spells_out_the_first_part_of_a_context() {
        let glob = |text| Scope::Globs(vec![ContextGlob::parse(text).unwrap()]);
        let list = |text: &str| Scope::Namespaces(PatternList::new(text));
        for (scope, expected) in [
            (Scope::Any, false),
            (glob("code/*"), true),
            (glob("code/a"), true),
            (glob("code/b"), false),
            (glob("*/a"), false),
            (glob("c*/a"), false),
            (glob("code*/a"), false),
            (list("*"), false),
            (list("code/*"), true),
            (list("reports,code/a"), true),
            (list("*,code/b"), false),
            (list("code/*,!*/a"), false),
        ] {
            assert_eq!(scope.spells_out(Some("code/a")), expected, "{scope:?}");
            assert!(!scope.spells_out(None), "{scope:?}");
            assert!(!scope.spells_out(Some("code")), "{scope:?}");
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
