//! How many have to sign together.

use brine_core::{Person, Question, Signer, Untrusted, Vouching, require_persons};

use crate::entry::Scope;

/// How many persons have to sign for some contexts, and who.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub(crate) scope: Scope,
    pub(crate) required: usize,
    /// The names of those who count; `None` for everybody who is believed.
    pub(crate) of: Option<Vec<String>>,
    pub(crate) vouching: Vouching,
}

impl Rule {
    /// Returns the contexts that it is for.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Returns how many persons have to sign.
    #[must_use]
    pub const fn required(&self) -> usize {
        self.required
    }

    /// Returns the names of those who count; `None` for everybody who is believed.
    #[must_use]
    pub fn of(&self) -> Option<&[String]> {
        self.of.as_deref()
    }

    /// Judges whether these signers are enough, if it is for their context.
    pub(crate) fn judge(
        &self,
        signers: &[&Signer],
        question: &Question<'_>,
        persons: impl Fn(Vouching) -> Vec<Person>,
    ) -> Result<(), Untrusted> {
        if !self.scope.allows(question.context) {
            return Ok(());
        }
        let counts = |signer: &Signer| match &self.of {
            None => true,
            Some(names) => names.iter().any(|name| name == signer.name()),
        };
        let persons = signers.iter().zip(persons(self.vouching));
        let counting = persons.filter(|(signer, _)| counts(signer)).map(|(_, person)| person);
        require_persons(&counting.collect::<Vec<_>>(), self.required)
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use brine_core::{Classified as _, KeyId, Timestamp, TrustAnchors as _, Vouched};
    use jiff::tz::TimeZone;

    use super::*;
    use crate::Trust;
    use crate::tests::{ALICE, BOB, CAROL, key};

    fn trust(rules: &str) -> Trust {
        Trust::parse(rules.as_bytes(), &|| TimeZone::UTC).unwrap()
    }

    fn judged(trust: &Trust, signers: &[Signer], context: Option<&str>) -> Option<&'static str> {
        let question = Question { context, signer: None, now: Timestamp::MAX };
        let signers: Vec<_> = signers.iter().collect();
        trust.judge_together(&signers, 1, &question).err().map(|error| error.reason())
    }

    fn signer(name: &str) -> Signer {
        let line = match name {
            "alice" => ALICE,
            "bob" => BOB,
            _ => CAROL,
        };
        Signer::new(name, key(line))
    }

    #[test]
    fn every_rule_for_a_context_has_to_hold() {
        let two = trust(
            "[groups]\nrelease = ['alice', 'bob']\n[[rule]]\ncontexts = ['release/*']\nrequire = 2\nof = ['@release']\n",
        );
        let [alice, bob, carol] = ["alice", "bob", "carol"].map(signer);
        let few = Some("too-few-signers");
        for (signers, context, expected) in [
            (&[alice.clone(), bob.clone()][..], Some("release/1"), None),
            (slice::from_ref(&alice), Some("release/1"), few),
            (&[alice.clone(), carol.clone()], Some("release/1"), few),
            (&[carol.clone(), bob.clone(), alice.clone()], Some("release/1"), None),
            (&[alice.clone(), signer("alice")], Some("release/1"), few),
            (slice::from_ref(&alice), Some("other"), None),
            (slice::from_ref(&alice), None, None),
        ] {
            assert_eq!(judged(&two, signers, context), expected, "{signers:?} {context:?}");
        }
        let both =
            trust("[[rule]]\nrequire = 2\n[[rule]]\ncontexts=['a']\nrequire = 1\nof = ['carol']\n");
        assert_eq!(judged(&both, &[alice.clone(), bob.clone()], None), None);
        assert_eq!(judged(&both, &[alice.clone(), bob], Some("a")), few);
        assert_eq!(judged(&both, &[alice.clone(), carol], Some("a")), None);
        assert_eq!(judged(&both, &[alice], None), few);
    }

    #[test]
    fn what_one_authority_vouches_for_counts_once_unless_the_rule_says_otherwise() {
        let by = |authority: u8| {
            Vouched::by(format!("team {authority}"), KeyId::from_bytes([authority; 32]), "c")
        };
        let certified =
            |name: &str, line, authority| Signer::vouched_for(name, key(line), by(authority));
        let same = [certified("a", ALICE, 1), certified("b", BOB, 1)];
        let other = [certified("a", ALICE, 1), certified("b", BOB, 2)];
        let below = [certified("a", ALICE, 1), certified("a/ci", BOB, 1)];
        let once = trust("[[rule]]\nrequire = 2\n");
        let each = trust("[[rule]]\nrequire = 2\neach-certified = true\n");
        let few = Some("too-few-signers");
        for (signers, by_once, by_each) in
            [(&same, few, None), (&other, None, None), (&below, few, few)]
        {
            assert_eq!(judged(&once, signers, None), by_once, "{signers:?}");
            assert_eq!(judged(&each, signers, None), by_each, "{signers:?}");
        }
    }

    #[test]
    fn rules_are_read_whole_or_not_at_all() {
        for (text, reason) in [
            ("[[rule]]\n", "trust-missing"),
            ("[[rule]]\nrequire = 0", "trust-rule"),
            ("[[rule]]\nrequire = 17", "trust-rule"),
            ("[[rule]]\nrequire = 2\nof = ['a']", "trust-rule"),
            ("[[rule]]\nrequire = 1\nof = ['@nobody']", "trust-rule"),
            ("[[rule]]\nrequire = 2\ncontexts = []", "trust-rule"),
            ("[[rule]]\nrequire = '2'", "trust-wrong-type"),
            ("[[rule]]\nrequire = 1\nof = 'a'", "trust-wrong-type"),
            ("[[rule]]\nrequire = 1\nx = 1", "trust-unknown-key"),
            ("[groups]\na = 'b'", "trust-wrong-type"),
            ("groups = 1", "trust-wrong-type"),
        ] {
            let found = Trust::parse(text.as_bytes(), &|| TimeZone::UTC).unwrap_err();
            assert_eq!(found.reason(), reason, "{text}");
        }
    }
}
