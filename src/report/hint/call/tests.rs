//! Hints for callers name arguments, and no option of a program that nobody started.

use std::path::PathBuf;

use brine_core::Timestamp;

use super::*;
use crate::report::AgentFailure;

/// A failure that calls can have, its hint for people, and its hint for callers.
fn table() -> Vec<(Failure, Option<&'static str>)> {
    let core = |error: Error| Failure::Core(error);
    let path = || PathBuf::from("FILE");
    vec![
        (
            core(ClaimsError::ContextMissing { expected: "a".to_owned() }.into()),
            Some("leave out context if a signature for no purpose in particular will do"),
        ),
        (
            core(ClaimsError::ContextUnexpected { found: "a".to_owned() }.into()),
            Some("if that is what you expect, give context=\"a\""),
        ),
        (
            core(ClaimsError::ContextUnexpected { found: "\"; import os".to_owned() }.into()),
            Some("if that is what you expect, give context=\"CONTEXT\""),
        ),
        (
            core(FormError::DetachedPayload.into()),
            Some("it is a signature beside its payload: give payload, too"),
        ),
        (
            core(FormError::AttachedPayload.into()),
            Some("it holds its payload: verify it without one beside it"),
        ),
        (core(FormError::Untagged.into()), Some("if you know that it is one, give untagged=True")),
        (
            core(FormError::NotAnEnvelope { found: Lookalike::Records("lines") }.into()),
            Some("these are records: verify each by itself, without what frames it"),
        ),
        (
            core(FormError::NotAnEnvelope { found: Lookalike::Policy }.into()),
            Some("\"brine policy check FILE\" reads it"),
        ),
        (
            core(KindError::UnknownTyp { typ: "a/b".to_owned() }.into()),
            Some("if that is what you expect, give typ=\"a/b\""),
        ),
        (
            core(KindError::Wrong { expected: Kind::Data, found: Kind::Digest }.into()),
            Some("it is a signature beside its payload: give payload, too"),
        ),
        (
            core(KindError::Wrong { expected: Kind::Data, found: Kind::Job }.into()),
            Some("\"brine run\" runs jobs"),
        ),
        (
            core(SignatureError::Bad.into()),
            Some(
                "get it again from whoever signed it; if it was signed with aad, give the same bytes",
            ),
        ),
        (
            Failure::NoSuchKey { name: "default".to_owned(), directory: path(), similar: None },
            Some("\"brinekey gen\" makes one; Key.load(\"./FILE\") reads a key file"),
        ),
        (
            Failure::NoSuchKey {
                name: "default".to_owned(),
                directory: path(),
                similar: Some("defaults".to_owned()),
            },
            Some("did you mean \"defaults\"?"),
        ),
        (
            KeepingFailure::PassphraseAbsent { key: "FILE".to_owned() }.into(),
            Some("give passphrase, or set BRINE_PASSPHRASE_FILE to a file that has it"),
        ),
        (ReplayError::ExpiryMissing.into(), Some("sign it with expires, or as a record")),
        (
            ReplayError::KeyFull { entries: 7 }.into(),
            Some("keep the record, and try it again when older ones have been forgotten"),
        ),
        (
            ReplayError::Missing { path: path() }.into(),
            Some("\"brine replay init FILE\" makes one, where there is no file"),
        ),
        (
            Failure::TrustFile { path: path(), source: TrustError::Pem { line: 1 } },
            Some("that is a key file: PublicKey.load reads it, and Trust.of trusts it"),
        ),
        (
            Failure::PublicHalf {
                today: Box::new(KeyFileError::PrivateExpected.into()),
                why: Box::new(AgentFailure::NotNamed),
            },
            Some(
                "that is a public key; Key.load takes the private one, and PublicKey.load this one; an agent may hold \
                 the private one, if SSH_AUTH_SOCK names one that runs",
            ),
        ),
        (
            Failure::PublicHalf {
                today: Box::new(Failure::NoSuchKey {
                    name: "default".to_owned(),
                    directory: path(),
                    similar: None,
                }),
                why: Box::new(AgentFailure::missing("", &[])),
            },
            Some(
                "only the public half is there; the agent does not hold the private one: \"ssh-add FILE\" adds it",
            ),
        ),
        (
            core(SigningError::TooLarge.into()),
            Some(
                "an agent signs up to 256 KiB at once, and a key in a file any size; detached=True signs the digest, \
                 and brine.open writes a stream of any size",
            ),
        ),
        (Failure::SecretForName, Some("Key.from_pem reads it")),
        (Failure::usage("no"), None),
    ]
}

#[test]
fn callers_are_told_which_arguments_to_give() {
    for (failure, expected) in table() {
        let found = of_call(&failure);
        assert_eq!(found.as_deref(), expected, "{failure}");
        let parts = found.as_deref().map(parts).unwrap_or_default();
        assert!(parts.iter().all(|part| options(part).is_empty()), "{found:?}");
    }
}

#[test]
fn parts_that_name_an_option_are_left_out() {
    for (hint, expected) in [
        ("give --lines", None),
        ("\"-p KEY\" takes a key file", None),
        (
            "a line begins with names; \"-p FILE\" takes a key file",
            Some("a line begins with names"),
        ),
        ("\"brine sign --expires WHEN\" signs it", Some("\"brine sign --expires WHEN\" signs it")),
        ("\"curl -fL\" follows redirects", Some("\"curl -fL\" follows redirects")),
    ] {
        assert_eq!(without_options(hint).as_deref(), expected, "{hint}");
    }
}

#[test]
fn a_time_that_is_empty_is_told_by_the_names_of_arguments() {
    let at = |text| Timestamp::parse_rfc3339(text).unwrap();
    let (expires, not_before) = (at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z"));
    for (failure, expected) in [
        (
            crate::report::WindowFailure::Passed { expires },
            "expires: 2026-01-01T00:00:00Z has passed already",
        ),
        (
            crate::report::WindowFailure::Reversed { not_before, expires },
            "expires: 2026-01-01T00:00:00Z is not after not_before, which is 2026-01-02T00:00:00Z",
        ),
    ] {
        assert_eq!(Failure::from(failure).message_of_call(), expected);
    }
}
