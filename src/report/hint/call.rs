//! Hints for who calls the library: they name arguments in place of options.
//!
//! A hint that stands here is given instead of the one for people at a terminal. Of any other, the parts that name an
//! option are left out, because there is none in a call. Commands of other programs, and of brine's own, stay.

use brine_core::cbor::{Flaw, Malformed};
use brine_core::{
    ClaimsError, Error, FormError, Kind, KindError, Lookalike, SignatureError, SigningError,
    StreamError, Untrusted,
};
use brine_keys::KeyFileError;
use brine_pickle::PickleRule;
use brine_records::ReplayError;
use brine_trust::TrustError;

use super::fit::{options, parts};
use super::{SMALLEST_ENVELOPE_BYTES, agent, of, typeable};
use crate::report::{Failure, KeepingFailure};

/// Returns the hint of a failure for who calls the library, where there is one.
pub(in crate::report) fn of_call(failure: &Failure) -> Option<String> {
    own(failure).or_else(|| without_options(&of(failure)?))
}

/// Returns the parts of a hint that name no option of a verb.
fn without_options(hint: &str) -> Option<String> {
    let parts: Vec<_> = parts(hint).into_iter().filter(|part| options(part).is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn own(failure: &Failure) -> Option<String> {
    let hint = match failure {
        Failure::Core(error) | Failure::Envelope { source: error, .. } => return of_core(error),
        Failure::Keeping(KeepingFailure::Exposed { .. }) => {
            let way_out = without_options(&of(failure)?)?;
            return Some(format!("{way_out}; insecure_permissions=True accepts it as it is"));
        }
        Failure::NoSuchKey { name, similar: None, .. } if name == "default" => {
            "\"brinekey gen\" makes one; Key.load(\"./FILE\") reads a key file"
        }
        Failure::Pickle { rule, allow, .. } if !allow.is_empty() => {
            return Some(of_import(*rule, allow));
        }
        Failure::Key(KeyFileError::PrivateExpected)
        | Failure::KeyFile { source: KeyFileError::PrivateExpected, .. } => {
            "that is a public key; Key.load takes the private one, and PublicKey.load this one"
        }
        Failure::PublicHalf { today, why } => {
            let hint = agent::of_public_half(why);
            // What makes a key of this name is no help where its public half is.
            return match today.as_ref() {
                Failure::NoSuchKey { .. } => None,
                today => own(today).map(|today| format!("{today}; {hint}")),
            };
        }
        Failure::SecretForName => "Key.from_pem reads it",
        Failure::Replay(error) => of_replay(error)?,
        Failure::TrustFile { source: TrustError::Pem { .. }, .. } => {
            "that is a key file: PublicKey.load reads it, and Trust.of trusts it"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn of_core(error: &Error) -> Option<String> {
    let hint = match error {
        Error::Claims(ClaimsError::ContextMissing { .. }) => {
            "leave out context if a signature for no purpose in particular will do"
        }
        Error::Claims(ClaimsError::ContextUnexpected { found }) => {
            return Some(expected("context", typeable(found, "CONTEXT")));
        }
        Error::Form(error) => of_form(error)?,
        Error::Kind(KindError::UnknownTyp { typ }) if !Kind::is_reserved_typ(typ) => {
            return Some(expected("typ", typeable(typ, "TYPE")));
        }
        Error::Kind(KindError::Untyped) => {
            "if other COSE software made it as data, and this key signs no tokens for others, give untyped=True"
        }
        Error::Kind(KindError::Wrong { found: Kind::Digest, .. }) => PAYLOAD_MISSING,
        Error::Signature(SignatureError::Bad) => {
            "get it again from whoever signed it; if it was signed with aad, give the same bytes"
        }
        Error::Signing(SigningError::TooLarge) => {
            "an agent signs up to 256 KiB at once, and a key in a file any size; detached=True signs the digest, and \
             brine.open writes a stream of any size"
        }
        Error::Stream(StreamError::Segment { source, .. }) => return of_core(source),
        Error::Trust(Untrusted::NoAnchors) => {
            "\"brinekey trust add NAME KEY\" trusts a signer; Trust.of names the keys of some"
        }
        Error::Trust(Untrusted::Untried { .. }) => "try_keys=N tries more keys",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Says which argument takes what was found.
fn expected(argument: &str, found: &str) -> String {
    format!("if that is what you expect, give {argument}=\"{found}\"")
}

const fn of_form(error: &FormError) -> Option<&'static str> {
    Some(match error {
        FormError::AttachedPayload => "it holds its payload: verify it without one beside it",
        FormError::DetachedPayload => PAYLOAD_MISSING,
        FormError::Malformed(Malformed { flaw: Flaw::TrailingBytes { count }, .. })
            if *count >= SMALLEST_ENVELOPE_BYTES =>
        {
            "if it is one envelope after the other, verify each by itself"
        }
        FormError::NotAnEnvelope { found: Lookalike::Key } => {
            "Key.load takes a private key, PublicKey.load a public one"
        }
        FormError::NotAnEnvelope { found: Lookalike::Records(_) } => {
            "these are records: verify each by itself, without what frames it"
        }
        FormError::NotAnEnvelope { found: Lookalike::TrustFile } => "Trust.load takes it",
        FormError::OuterTag { .. } => "if that is what you expect, give outer_tags=True",
        FormError::Untagged => "if you know that it is one, give untagged=True",
        _ => return None,
    })
}

const fn of_replay(error: &ReplayError) -> Option<&'static str> {
    Some(match error {
        ReplayError::ChannelFull { .. } | ReplayError::KeyFull { .. } => {
            "keep the record, and try it again when older ones have been forgotten"
        }
        ReplayError::ExpiryMissing => "sign it with expires, or as a record",
        ReplayError::LeaseLost => {
            "this process stood still for longer than its lease, and the record may have been handled twice"
        }
        _ => return None,
    })
}

/// Gives the lines of a list that allow an import, or lift its rule.
fn of_import(rule: PickleRule, lines: &[String]) -> String {
    let lines: Vec<_> = lines.iter().map(|line| format!("{line:?}")).collect();
    let (noun, verb) = if lines.len() == 1 { ("line", "allows") } else { ("lines", "allow") };
    let with = format!("the {noun} {} in allow", lines.join(" and "));
    match rule {
        PickleRule::ImportNotAllowed => format!("{with} {verb} it; what is on a list runs"),
        _ => format!("{with} {verb} the pickle to give it anything, which can run any code"),
    }
}

const PAYLOAD_MISSING: &str = "it is a signature beside its payload: give payload, too";

#[cfg(test)]
mod tests;
