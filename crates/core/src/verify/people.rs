//! Who signed: each signer by itself, and all of them together.

use std::borrow::Cow;

use crate::error::Result;
use crate::expectations::Expectations;
use crate::time::Timestamp;
use crate::trust::{Evidence, Question, Signer, TrustAnchors, Untrusted};

/// Whoever is believed of those who signed: those first who were asked for, in that order, and then in the order of the
/// envelope. There is one at least.
#[derive(Clone, Debug)]
pub(crate) struct People<'t> {
    pub(crate) first: Cow<'t, Signer>,
    pub(crate) others: Vec<Signer>,
}

impl People<'_> {
    /// Returns all of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Signer> {
        std::iter::once(self.first.as_ref()).chain(&self.others)
    }
}

/// Judges who signed, by the signatures that have verified, in their order.
///
/// Whoever is not believed does not count, and does not keep others from counting.
pub(crate) fn judge_people<'t>(
    trust: &'t dyn TrustAnchors,
    evidence: &[Evidence],
    expectations: &Expectations,
    context: Option<&str>,
    now: Timestamp,
) -> Result<People<'t>> {
    let people = match (evidence, expectations.signers.as_slice()) {
        ([one], []) => alone(trust.judge(one, &Question { context, signer: None, now })?),
        ([one], [name]) => alone(trust.judge(one, &Question { context, signer: Some(name), now })?),
        (evidence, names) => Crowd { trust, evidence, context, now }.judge(names)?,
    };
    let question = Question { context, signer: None, now };
    if people.others.is_empty() {
        // Records are judged by the million, each with one signature.
        trust.judge_together(&[people.first.as_ref()], expectations.required, &question)?;
    } else {
        let all: Vec<_> = people.all().collect();
        trust.judge_together(&all, expectations.required, &question)?;
    }
    Ok(people)
}

fn alone(first: Cow<'_, Signer>) -> People<'_> {
    People { first, others: Vec::new() }
}

/// Several signatures, or several names that are asked for.
struct Crowd<'t, 'a> {
    trust: &'t dyn TrustAnchors,
    evidence: &'a [Evidence],
    context: Option<&'a str>,
    now: Timestamp,
}

impl<'t> Crowd<'t, '_> {
    fn judge(&self, names: &[String]) -> Result<People<'t>> {
        let mut signers: Vec<_> =
            self.evidence.iter().map(|evidence| self.ask(evidence, None)).collect();
        // Each name is answered to by a signature of its own.
        let mut taken = vec![None; self.evidence.len()];
        for (place, name) in names.iter().enumerate() {
            if !self.find(place, names, &mut taken, &mut vec![false; self.evidence.len()]) {
                return Err(self.nobody(name, &signers).into());
            }
        }
        for ((evidence, signer), name) in self.evidence.iter().zip(&mut signers).zip(&taken) {
            if let Some(name) = name.and_then(|place: usize| names.get(place)) {
                *signer = self.ask(evidence, Some(name));
            }
        }
        let mut signers: Vec<_> = taken.into_iter().zip(signers).collect();
        signers.sort_by_key(|(name, _)| name.unwrap_or(usize::MAX));
        let mut believed = Vec::new();
        let mut refusal = None;
        for (_, signer) in signers {
            match signer {
                Ok(signer) => believed.push(signer),
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        let mut believed = believed.into_iter();
        match believed.next() {
            Some(first) => Ok(People { first, others: believed.map(Cow::into_owned).collect() }),
            None => Err(refusal.unwrap_or(Untrusted::NoAnchors).into()),
        }
    }

    fn ask(&self, evidence: &Evidence, signer: Option<&str>) -> Result<Cow<'t, Signer>, Untrusted> {
        self.trust.judge(evidence, &Question { context: self.context, signer, now: self.now })
    }

    /// Finds a signature for a name, and moves other names to other signatures if that makes room. Returns whether there
    /// is one.
    fn find(
        &self,
        name: usize,
        names: &[String],
        taken: &mut [Option<usize>],
        tried: &mut [bool],
    ) -> bool {
        for (place, evidence) in self.evidence.iter().enumerate() {
            let answers =
                names.get(name).is_some_and(|name| self.ask(evidence, Some(name)).is_ok());
            if !answers || std::mem::replace(tried.get_mut(place).unwrap_or(&mut true), true) {
                continue;
            }
            let holder = taken.get(place).copied().flatten();
            if holder.is_none_or(|holder| self.find(holder, names, taken, tried)) {
                if let Some(place) = taken.get_mut(place) {
                    *place = Some(name);
                }
                return true;
            }
        }
        false
    }

    /// Says why no signature is by somebody of this name.
    fn nobody(&self, name: &str, signers: &[Result<Cow<'t, Signer>, Untrusted>]) -> Untrusted {
        let refusals = self.evidence.iter().filter_map(|one| self.ask(one, Some(name)).err());
        let other = refusals.into_iter().find(|error| {
            !matches!(error, Untrusted::WrongSigner { .. } | Untrusted::Unknown { .. })
        });
        other.unwrap_or_else(|| {
            let found: Vec<_> =
                signers.iter().flatten().map(|signer| signer.name().to_owned()).collect();
            Untrusted::WrongSigner { expected: name.to_owned(), found: found.join(",") }
        })
    }
}
