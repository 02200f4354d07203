//! Certificates, from the key of an envelope to somebody who may vouch for it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use brine_core::{
    CertificateFlaw, Certificates, KeyId, Question, Signer, Timestamp, Untrusted, VerifyingKey,
    Vouched, is_below,
};
use brine_keys::{OpensshCertificate, ssh_fingerprint};
use sha2::{Digest as _, Sha256};

use crate::anchors::Trust;
use crate::authority::Authority;
use crate::entry::{BrokenLimit, TrustEntry};
use crate::statements::StatedList;

/// Certificates that lead from a key to a key that a trust file names. All of their signatures verify.
#[derive(Debug)]
pub(crate) struct Chain<'t> {
    /// That of the signing key, and then those of its issuers.
    certificates: Vec<Arc<OpensshCertificate>>,
    /// Whoever the key is that issued the last one.
    anchors: Vec<Anchor<'t>>,
}

/// What certificates are judged for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Links {
    /// For whatever the key signs.
    All,
    /// For its word that it is lost, which it can give when its certificate has ended or it is revoked already.
    OwnWord,
}

/// Somebody whom a trust file lets issue certificates.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Anchor<'t> {
    Authority(&'t Authority),
    /// A signer who may hand on what it may do itself.
    Signer(&'t TrustEntry),
}

impl<'t> Anchor<'t> {
    pub(crate) const fn entry(self) -> &'t TrustEntry {
        match self {
            Self::Authority(authority) => authority.entry(),
            Self::Signer(entry) => entry,
        }
    }

    pub(crate) fn may_vouch_for(self, name: &str) -> bool {
        match self {
            Self::Authority(authority) => authority.principals().matches(name),
            Self::Signer(entry) => is_below(name, entry.name()),
        }
    }

    /// Returns whether nobody may be called so, whoever hands on to it.
    fn excludes(self, name: &str) -> bool {
        match self {
            Self::Authority(authority) => authority.principals().excludes(name),
            Self::Signer(_) => false,
        }
    }
}

impl Trust {
    /// Follows certificates to somebody whom the trust file lets issue them.
    pub(crate) fn follow(&self, certificates: &Certificates) -> Result<Chain<'_>, Untrusted> {
        let mut read: Vec<ReadCertificate> = Vec::new();
        for blob in certificates.iter() {
            let next = self.verified().read(blob)?;
            let before = read.last().map(|before| before.certificate.issuer());
            if before.is_some_and(|issuer| issuer != next.certificate.key()) {
                break;
            }
            let anchors = self.issuers(next.certificate.issuer().id());
            read.push(next);
            if !anchors.is_empty() {
                let verified = read.into_iter().map(|read| self.verified().verify(read));
                return Ok(Chain { certificates: verified.collect::<Result<_, _>>()?, anchors });
            }
        }
        let last = read.last().map(|last| last.certificate.as_ref());
        let issuer = last.map(|last| ssh_fingerprint(last.issuer())).unwrap_or_default();
        Err(refused(last, CertificateFlaw::AuthorityUnknown { issuer }))
    }

    /// Judges a key by certificates. Those whom the trust file lets issue them speak only if `may_speak` lets them.
    pub(crate) fn judge_chain(
        &self,
        key: KeyId,
        certificates: &Certificates,
        question: &Question<'_>,
        may_speak: impl Fn(&TrustEntry) -> bool,
    ) -> Result<Signer, Untrusted> {
        let chain = self.follow(certificates)?;
        let leaf = chain.leaf().filter(|leaf| leaf.key().id() == key);
        let leaf = leaf.ok_or_else(|| refused(chain.leaf(), CertificateFlaw::OtherKey))?;
        self.judge_links(&chain, question.now, Links::All)?;
        let mut refusal = None;
        for anchor in &chain.anchors {
            match self.judge_anchor(&chain, leaf, *anchor, question, &may_speak) {
                Ok(signer) => return Ok(signer),
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        Err(refusal.unwrap_or_else(|| Untrusted::unknown(key)))
    }

    /// Judges each certificate by itself, and whether its issuer may hand on.
    fn judge_links(
        &self,
        chain: &Chain<'_>,
        now: Timestamp,
        links: Links,
    ) -> Result<(), Untrusted> {
        for (place, certificate) in chain.certificates.iter().enumerate() {
            let flaw = |flaw| refused(Some(certificate), flaw);
            if self.revocations().revokes_certificate(certificate) {
                return Err(flaw(CertificateFlaw::Revoked));
            }
            let (key, names) = (certificate.key(), certificate.principals.iter());
            let is_own_word = links == Links::OwnWord;
            if !(is_own_word && place == 0) {
                self.judge_revocation(key.id(), Some(key), names.map(String::as_str), now)?;
            }
            match certificate.judge(now) {
                Err(CertificateFlaw::Expired { .. }) if is_own_word => {}
                judged => judged.map_err(flaw)?,
            }
            if place > 0 && !certificate.may_delegate {
                let issuer = certificate.principals.join(",");
                return Err(refused(chain.leaf(), CertificateFlaw::Delegation { issuer }));
            }
        }
        Ok(())
    }

    /// Returns the names that certificates give a key, or gave it before they ended, whatever it may do.
    pub(crate) fn certified_names(
        &self,
        key: KeyId,
        certificates: &Certificates,
        now: Timestamp,
    ) -> Result<(Vec<String>, VerifyingKey), Untrusted> {
        let chain = self.follow(certificates)?;
        let leaf = chain.leaf().filter(|leaf| leaf.key().id() == key);
        let leaf = leaf.ok_or_else(|| refused(chain.leaf(), CertificateFlaw::OtherKey))?;
        self.judge_links(&chain, now, Links::OwnWord)?;
        let mut refusal = None;
        for anchor in &chain.anchors {
            let entry = anchor.entry();
            let revoked = self.revocation_of(entry.key(), now);
            match revoked.map_or_else(|| chain.names(*anchor), Err) {
                Ok(names) => {
                    let names = names.into_iter().map(str::to_owned).collect();
                    return Ok((names, leaf.key().clone()));
                }
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        Err(refusal.unwrap_or_else(|| Untrusted::unknown(key)))
    }

    fn judge_anchor(
        &self,
        chain: &Chain<'_>,
        leaf: &OpensshCertificate,
        anchor: Anchor<'_>,
        question: &Question<'_>,
        may_speak: impl Fn(&TrustEntry) -> bool,
    ) -> Result<Signer, Untrusted> {
        let entry = anchor.entry();
        if let Some(revoked) = self.revocation_of(entry.key(), question.now) {
            return Err(revoked);
        }
        let revocations = self.revocations_of(anchor, question.now)?;
        let names = chain.names(anchor)?;
        let name = match question.signer {
            None => names.first(),
            Some(expected) => names.iter().find(|name| **name == expected),
        };
        let name = name.copied().ok_or_else(|| Untrusted::WrongSigner {
            expected: question.signer.unwrap_or_default().to_owned(),
            found: names.join(","),
        })?;
        let broken = entry.broken_limit(question);
        match broken.or_else(|| (!may_speak(entry)).then_some(BrokenLimit::Scope)) {
            Some(BrokenLimit::Scope) => return Err(outside(name, question)),
            Some(broken) => return Err(entry.refusal(broken, question)),
            None => {}
        }
        if !chain.certificates.iter().all(|certificate| allows(certificate, question.context)) {
            return Err(outside(name, question));
        }
        let mut vouched = Vouched::by(entry.name(), entry.key().id(), leaf.key_id.as_str());
        vouched.serial = leaf.serial;
        vouched.revocations = revocations;
        vouched.expires = chain.certificates.iter().filter_map(|found| found.expires()).min();
        let above = chain.certificates.iter().skip(1).rev();
        vouched.through = above.map(|issuer| issuer.principals.join(",")).collect();
        let issuers = chain.certificates.iter().skip(1).map(|issuer| issuer.key().id());
        vouched.delegates = issuers.collect();
        if let Anchor::Signer(signer) = anchor {
            vouched.delegates.push(signer.key().id());
        }
        vouched.names = names.iter().map(|name| (*name).to_owned()).collect();
        vouched.contexts = leaf.contexts.as_ref().map(|globs| {
            let globs: Vec<_> = globs.iter().map(brine_core::ContextGlob::as_str).collect();
            globs.join(",")
        });
        Ok(Signer::vouched_for(name, leaf.key().clone(), vouched))
    }
}

impl Trust {
    /// Returns the number of the list of what somebody revokes who vouches for others, which is no older than it may be.
    fn revocations_of(&self, anchor: Anchor<'_>, now: Timestamp) -> Result<Option<u64>, Untrusted> {
        let list = self.known().list_of(anchor.entry().key().id());
        if let Some(list) = list {
            list.judge_age(now)?;
        }
        match (list, anchor) {
            (None, Anchor::Authority(authority)) if authority.needs_revocations() => {
                let key = authority.key().id();
                Err(Untrusted::RevocationsMissing { authority: authority.name().to_owned(), key })
            }
            (list, _) => Ok(list.map(StatedList::number)),
        }
    }
}

impl Chain<'_> {
    /// Returns the certificate of the key that signs.
    pub(crate) fn leaf(&self) -> Option<&OpensshCertificate> {
        self.certificates.first().map(Arc::as_ref)
    }

    /// Returns the names of the signing key for which everybody may vouch who does.
    fn names(&self, anchor: Anchor<'_>) -> Result<Vec<&str>, Untrusted> {
        let mut above: Option<Vec<&str>> = None;
        for certificate in self.certificates.iter().rev() {
            let may_vouch_for = |name: &str| match &above {
                None => anchor.may_vouch_for(name),
                Some(above) => above.iter().any(|issuer| is_below(name, issuer)),
            };
            let names = certificate.principals.iter().map(String::as_str);
            let names = names.filter(|name| may_vouch_for(name) && !anchor.excludes(name));
            let names: Vec<_> = names.collect();
            if names.is_empty() {
                let issuer =
                    above.map_or_else(|| anchor.entry().name().to_owned(), |above| above.join(","));
                let names = certificate.principals.join(",");
                let flaw = CertificateFlaw::Principals { issuer, names };
                return Err(refused(Some(certificate), flaw));
            }
            above = Some(names);
        }
        Ok(above.unwrap_or_default())
    }
}

/// Returns a name, and those whose it is to give: `alice/ci`, and `alice`.
pub(crate) fn owners(name: &str) -> impl Iterator<Item = &str> {
    let above = name.match_indices('/').filter_map(|(end, _)| name.get(..end));
    std::iter::once(name).chain(above)
}

fn allows(certificate: &OpensshCertificate, context: Option<&str>) -> bool {
    let Some(globs) = &certificate.contexts else { return true };
    context.is_some_and(|context| globs.iter().any(|glob| glob.matches(context)))
}

fn outside(name: &str, question: &Question<'_>) -> Untrusted {
    Untrusted::Context { signer: name.to_owned(), context: question.context.map(str::to_owned) }
}

fn refused(certificate: Option<&OpensshCertificate>, flaw: CertificateFlaw) -> Untrusted {
    let certificate = certificate.map(|certificate| certificate.key_id.clone());
    Untrusted::Certificate { certificate, flaw }
}

/// A certificate, and what it is remembered by.
#[derive(Debug)]
struct ReadCertificate {
    certificate: Arc<OpensshCertificate>,
    digest: [u8; 32],
    is_verified: bool,
}

/// Certificates whose signatures have verified, by their SHA-256. A signature that verifies once always does. Reading them
/// again would take as long as verifying a record of a batch does.
#[derive(Clone, Debug, Default)]
pub(crate) struct VerifiedCertificates(Arc<RwLock<HashMap<[u8; 32], Arc<OpensshCertificate>>>>);

impl VerifiedCertificates {
    fn read(&self, blob: &[u8]) -> Result<ReadCertificate, Untrusted> {
        let digest = Sha256::digest(blob).into();
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned();
        if let Some(certificate) = known {
            return Ok(ReadCertificate { certificate, digest, is_verified: true });
        }
        let certificate = OpensshCertificate::parse(blob)
            .map_err(|flaw| Untrusted::Certificate { certificate: None, flaw })?;
        Ok(ReadCertificate { certificate: Arc::new(certificate), digest, is_verified: false })
    }

    fn verify(&self, read: ReadCertificate) -> Result<Arc<OpensshCertificate>, Untrusted> {
        let ReadCertificate { certificate, digest, is_verified } = read;
        if is_verified {
            return Ok(certificate);
        }
        certificate.verify_signature().map_err(|flaw| refused(Some(&certificate), flaw))?;
        let mut verified = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= MAX_REMEMBERED {
            verified.clear();
        }
        verified.insert(digest, Arc::clone(&certificate));
        Ok(certificate)
    }
}

/// How many certificates are remembered.
const MAX_REMEMBERED: usize = 1024;

#[cfg(test)]
mod tests;
