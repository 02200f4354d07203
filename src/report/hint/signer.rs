//! Hints about signers and trust files.

use brine_core::text::quoted;
use brine_core::{CertificateFlaw, Untrusted};
use brine_trust::{KrlFlaw, TrustError};

use crate::report::SignerFailure;
use crate::report::console::typeable;
use crate::report::typed::TypedTrust;

pub(super) fn of_signer(failure: &SignerFailure) -> String {
    match failure {
        SignerFailure::Missing { similar: Some(similar), .. } => {
            format!("did you mean {similar:?}?")
        }
        SignerFailure::Missing { .. } => {
            "\"brinekey trust list\" shows the signers; a key without an entry is named by its text or its file"
                .to_owned()
        }
        SignerFailure::OtherFingerprint { .. } => {
            "do not use it: ask its owner for the key again; \"brinekey show KEY\" shows all of this one's".to_owned()
        }
        SignerFailure::BelievedAgain { key, option } => {
            format!(
                "\"brinekey trust revoke KEY{option}\" refuses {key} without that list, and so does the list of another authority; \"--force\" removes all the same"
            )
        }
        SignerFailure::Unfollowed { .. } => {
            "ask its owner for the fingerprint of the new key, and take this file alone, with \"--expect FINGERPRINT\"".to_owned()
        }
        SignerFailure::SeveralKeys { commands, .. } => {
            let commands: Vec<_> = commands.iter().map(|typed| format!("\"{typed}\"")).collect();
            format!("say which: {}", commands.join(" or "))
        }
    }
}

/// Says how to trust a signer whom what was typed does not trust. The trust file at home has no say then.
pub(super) fn of_stranger(typed: &TypedTrust) -> String {
    let inspect = "\"brine inspect\" shows what it claims";
    let TypedTrust::File(path) = typed else {
        return format!("\"-p KEY\" trusts another key for this command; {inspect}");
    };
    match path.extension().is_some_and(|extension| extension == "toml") {
        true => {
            let path = typeable(&path.to_string_lossy());
            format!(
                "if you know the signer, \"brinekey trust add NAME KEY --trust {path}\"; {inspect}"
            )
        }
        // It may be of either form, and only one of them is edited.
        false => format!("if you know the signer, add its key to {}; {inspect}", quoted(path)),
    }
}

/// Says what to do about a signature for which nobody speaks.
pub(super) const fn of_untrusted(error: &Untrusted) -> Option<&'static str> {
    Some(match error {
        Untrusted::Certificate { flaw, .. } => return of_certificate(flaw),
        Untrusted::NoAnchors => {
            "\"brinekey trust add NAME KEY\" trusts a signer; \"-p KEY\" names one for this once"
        }
        Untrusted::RevocationsMissing { .. } | Untrusted::RevocationsStale { .. } => {
            "get the newest list from the authority; \"brinekey trust update FILE\" takes it"
        }
        Untrusted::SignerMissing { .. } => {
            "it was signed with --needs-all: get it with all of its signatures, and trust all of its signers"
        }
        Untrusted::TooFew { .. } => {
            "\"brine cosign\" adds a signature; [[rule]] in the trust file and --require say how many there have to be"
        }
        Untrusted::Unknown { .. } => {
            "if you know the signer, \"brinekey trust add NAME KEY\"; \"brine inspect\" shows what it claims"
        }
        Untrusted::Untried { .. } => {
            "\"-p KEY\" names the signer; \"--try-keys N\" tries more keys"
        }
        _ => return None,
    })
}

/// Says what to do about a certificate that vouches for nobody.
const fn of_certificate(flaw: &CertificateFlaw) -> Option<&'static str> {
    Some(match flaw {
        CertificateFlaw::AuthorityUnknown { .. } => {
            "if you know the authority, \"brinekey trust add NAME KEY --authority PATTERN\"; \"brine inspect\" shows what the envelope claims"
        }
        CertificateFlaw::CriticalOption { .. } => {
            "ask for a certificate without critical options, which are for logins"
        }
        CertificateFlaw::Delegation { .. } => {
            "\"brinekey issue --delegate\" lets a key issue certificates for what it may do itself"
        }
        CertificateFlaw::Expired { .. } => {
            "ask the signer to sign again with a new certificate: \"brinekey issue\" makes one"
        }
        CertificateFlaw::Host => "ask for a certificate for a user, not for a host",
        CertificateFlaw::NoPrincipals => {
            "\"ssh-keygen -n NAME\" and \"brinekey issue --name NAME\" say whom it is for"
        }
        CertificateFlaw::Principals { .. } => {
            "\"brinekey trust list\" shows for whom an authority may vouch"
        }
        CertificateFlaw::UnsupportedKey { .. } => "only Ed25519 keys sign and certify here",
        _ => return None,
    })
}

pub(super) const fn of_trust_file(error: &TrustError) -> Option<&'static str> {
    Some(match error {
        TrustError::AllowedSigners => {
            "change it in an editor; \"brine verify --revoked FILE\" refuses keys beside it"
        }
        TrustError::AlreadyRevoked { .. } => {
            "a revocation is never postponed; \"brinekey trust remove NAME --force\" takes it back"
        }
        TrustError::AlreadyThere { .. } => {
            "\"brinekey trust list\" shows it; to change its limits, remove it first"
        }
        TrustError::Krl { flaw: KrlFlaw::Sha1 } => {
            "\"ssh-keygen -k -f KRL KEY.pub...\" writes a list that names whole keys"
        }
        TrustError::ByteOrderMark => "\"tail -c +4\" takes the mark off",
        TrustError::ListsNamed => "name the trust file by its path: its lists are beside it",
        TrustError::KeyRevoked { .. } => {
            "a revoked key is refused under any name: ask its owner for a new one"
        }
        TrustError::NamesMissing { .. } => {
            "a line begins with names, as in: alice ssh-ed25519 AAAA...; \"-p FILE\" takes a key file"
        }
        TrustError::Pem { .. } => "\"-p FILE\" takes a key file",
        TrustError::RevocationLost { .. } => {
            "keep it, so that the key stays refused; \"--force\" removes it, and whoever adds the key again trusts it"
        }
        TrustError::SignedList => {
            "\"brinekey trust update FILE\" takes it, and keeps it beside the trust file"
        }
        TrustError::Utf16 => {
            "\"iconv -f UTF-16 -t UTF-8\" converts it; PowerShell writes UTF-16 with >"
        }
        _ => return None,
    })
}
