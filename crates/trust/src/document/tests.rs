use brine_core::Classified as _;
use brine_keys::KeyFileError;

use super::*;
use crate::tests::{ALICE, BOB, at, key};
use crate::{ContextGlob, MAX_NAME_BYTES};

/// Reads one entry with these lines after name (line 2) and key (line 3).
fn with(lines: &str) -> Result<TrustEntry, TrustError> {
    let text = format!("[[signer]]\nname = \"alice\"\nkey = \"{ALICE}\"\n{lines}\n");
    Ok(read(&text)?.signers.remove(0).entry)
}

#[test]
fn an_entry_needs_only_name_and_key() {
    assert_eq!(with(""), Ok(Signer::new("alice", key(ALICE)).into()));
}

#[test]
fn an_entry_is_read_in_full() {
    let found = with(
        "contexts = [\"reports/*\", \"x\"]\nnot-before = 2026-01-01T00:00:00Z\n\
         not-after = \"2027-01-01T01:00:00+01:00\"\nrevoked-at = 2026-06-01 00:00:00Z\n\
         revoked-reason = \"laptop stolen\"",
    );
    let globs = ["reports/*", "x"].map(|glob| ContextGlob::parse(glob).unwrap());
    let expected = TrustEntry::new(Signer::new("alice", key(ALICE)))
        .with_scope(Scope::Globs(globs.into()))
        .with_not_before(at("2026-01-01T00:00:00Z"))
        .with_not_after(at("2027-01-01T00:00:00Z"))
        .with_revocation(Revocation {
            at: at("2026-06-01T00:00:00Z"),
            reason: Some("laptop stolen".to_owned()),
        });
    assert_eq!(found, Ok(expected));
}

#[test]
fn files_are_read_in_order() {
    let text = format!(
        "version = 1\n\n[[signer]]\nkey = '{BOB} bob@laptop'\nname = 'bob'\n\
         [[signer]]\nname = 'alice'\nkey = '{ALICE}'\n"
    );
    let found: Vec<_> =
        read(&text).unwrap().signers.into_iter().map(|placed| placed.entry).collect();
    assert_eq!(
        found,
        [("bob", BOB), ("alice", ALICE)].map(|(name, text)| Signer::new(name, key(text)).into())
    );
    for empty in ["", "# nobody\n", "version = 1"] {
        assert!(read(empty).unwrap().signers.is_empty());
    }
}

#[test]
fn an_empty_list_of_contexts_matches_nothing() {
    assert_eq!(with("contexts = []").unwrap().scope(), &Scope::Globs(Vec::new()));
}

#[test]
fn what_is_unknown_is_refused_by_name() {
    let unknown = |line, key: &str| Err(TrustError::UnknownKey { line, key: key.to_owned() });
    assert_eq!(with("context = []"), unknown(4, "context"));
    assert_eq!(with("\nnot_after = 2027-01-01T00:00:00Z"), unknown(5, "not_after"));
    assert_eq!(with("Revoked-at = 1"), unknown(4, "Revoked-at"));
    assert_eq!(with("[signer.extra]\na = 1"), unknown(4, "extra"));
    assert_eq!(with("[[signers]]"), unknown(4, "signers"));
    assert_eq!(with("[extra]"), unknown(4, "extra"));
    let found = read("# a\n\nextra.a = 1").unwrap_err();
    assert_eq!(found, TrustError::UnknownKey { line: 3, key: "extra".to_owned() });
}

#[test]
fn versions_other_than_1_are_refused() {
    let version = |text: &str| read(text).unwrap_err();
    assert_eq!(version("version = 2"), TrustError::Version { line: 1, found: 2 });
    assert_eq!(version("\nversion = 0"), TrustError::Version { line: 2, found: 0 });
    let (key, expected) = ("version", "integer");
    for (text, found) in [("version = '1'", "string"), ("version = 1.0", "float")] {
        assert_eq!(version(text), TrustError::WrongType { line: 1, key, expected, found });
    }
}

#[test]
fn required_keys_are_required() {
    let missing = |text: &str| read(text).unwrap_err();
    let no_key = "\n[[signer]]\nname = 'a'";
    assert_eq!(missing(no_key), TrustError::Missing { line: 2, key: "key" });
    let no_name = format!("[[signer]]\nkey = '{ALICE}'");
    assert_eq!(missing(&no_name), TrustError::Missing { line: 1, key: "name" });
    assert_eq!(missing("[[signer]]"), TrustError::Missing { line: 1, key: "name" });
    let no_date = TrustError::Missing { line: 1, key: "revoked-at" };
    assert_eq!(with("revoked-reason = 'lost'"), Err(no_date));
}

#[test]
fn wrong_types_are_refused() {
    for (lines, key, expected, found) in [
        ("contexts = 'a'", "contexts", "array of strings", "string"),
        ("contexts = [\n1]", "contexts", "array of strings", "integer"),
        ("contexts.a = 1", "contexts", "array of strings", "table"),
        ("not-before = 2026", "not-before", "date-time", "integer"),
        ("not-after = []", "not-after", "date-time", "array"),
        ("revoked-at = true", "revoked-at", "date-time", "boolean"),
        ("revoked-reason = 1.5", "revoked-reason", "string", "float"),
    ] {
        let line = if found == "integer" && key == "contexts" { 5 } else { 4 };
        assert_eq!(with(lines), Err(TrustError::WrongType { line, key, expected, found }));
    }
    for (text, key, expected, found) in [
        ("signer = []", "signer", "array of tables", "array"),
        ("[signer]", "signer", "array of tables", "table"),
        ("signer.name = 'a'", "signer", "array of tables", "table"),
        ("[[signer]]\nname = 1", "name", "string", "integer"),
        ("[[signer]]\nkey = {}", "key", "string", "inline table"),
    ] {
        let line = text.lines().count();
        let error = TrustError::WrongType { line, key, expected, found };
        assert_eq!(read(text).unwrap_err(), error, "{text}");
    }
}

#[test]
fn duplicate_keys_are_refused() {
    let what = "duplicate key".to_owned();
    assert_eq!(with("name = 'bob'"), Err(TrustError::Toml { line: 4, what: what.clone() }));
    assert_eq!(with("[signer]"), Err(TrustError::Toml { line: 4, what }));
}

#[test]
fn names_are_short_and_printable() {
    let named = |name: &str| read(&format!("\n[[signer]]\nname = \"{name}\"")).unwrap_err();
    let limit = MAX_NAME_BYTES;
    for found in [0, 256, 1000] {
        let error = TrustError::NameLength { line: 3, found, limit };
        assert_eq!(named(&"a".repeat(found)), error);
    }
    for bytes in [1, 255] {
        let fits = TrustError::Missing { line: 2, key: "key" };
        assert_eq!(named(&"a".repeat(bytes)), fits);
    }
    for escape in ["\\u0000", "\\n", "\\u001b[2J", "\\u007f", "\\u009b"] {
        let error = TrustError::ControlCharacter { line: 3, key: "name" };
        assert_eq!(named(escape), error, "{escape}");
    }
    for (lines, key) in
        [("revoked-reason = \"\\u001b\"", "revoked-reason"), ("contexts = [\"a\\n\"]", "contexts")]
    {
        assert_eq!(with(lines), Err(TrustError::ControlCharacter { line: 4, key }));
    }
}

#[test]
fn keys_other_than_ed25519_are_refused() {
    for text in ["ssh-ed25519", "ssh-ed25519 AAAA", "alice", &ALICE[..60]] {
        let found = read(&format!("[[signer]]\nkey = '{text}'")).unwrap_err();
        let TrustError::Key { line: 2, source } = found else { panic!("{found:?}") };
        assert!(!matches!(source, KeyFileError::NotEd25519 { .. }), "{source:?}");
    }
}

#[test]
fn times_need_an_offset() {
    for text in ["2026-01-01T00:00:00", "2026-01-01 00:00:00", "2026-01-01"] {
        let error = TrustError::LocalTime { line: 4, key: "not-before" };
        assert_eq!(with(&format!("not-before = {text}")), Err(error));
    }
    let error = TrustError::LocalTime { line: 4, key: "revoked-at" };
    assert_eq!(with("revoked-at = '2026-01-01T00:00:00'"), Err(error.clone()));
    assert_eq!(with("revoked-at = 07:32:00"), Err(error));
}

#[test]
fn times_out_of_range_are_refused() {
    for text in ["1969-12-31T23:59:59Z", "tomorrow", "", "2026-01-01"] {
        let found = text.to_owned();
        let error = TrustError::Time { line: 4, key: "not-after", found };
        assert_eq!(with(&format!("not-after = '{text}'")), Err(error));
    }
}

#[test]
fn windows_that_are_never_open_are_refused() {
    for end in ["2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z"] {
        let lines = format!("not-before = 2026-01-01T00:00:00Z\nnot-after = {end}");
        assert_eq!(with(&lines), Err(TrustError::EmptyWindow { line: 1 }));
    }
}

#[test]
fn reserved_globs_are_refused_with_their_line() {
    let source = ContextGlob::parse("b/**").unwrap_err();
    let error = TrustError::Glob { line: 6, source };
    assert_eq!(with("contexts = [\n\"a\",\n\"b/**\"]"), Err(error));
}

#[test]
fn deep_nesting_is_refused() {
    for text in ["a.".repeat(20_000) + "a=1", "a=".to_owned() + &"[".repeat(20_000)] {
        assert_eq!(read(&text).unwrap_err().reason(), "trust-toml");
    }
}

#[test]
fn authorities_and_lists_are_read() {
    let text = format!(
        "version = 1\nrevoked = ['a.krl', 'b']\n[[authority]]\nname = 'team'\nkey = '{ALICE}'\n\
         principals = ['a*', '!ab']\ncontexts = ['x']\n[[signer]]\nname = 'bob'\nkey = '{BOB}'\nmay-issue = true\n"
    );
    let found = read(&text).unwrap();
    assert_eq!(found.revoked, ["a.krl", "b"]);
    let [placed] = found.authorities.as_slice() else { panic!("{found:?}") };
    let team = &placed.authority;
    assert_eq!((team.name(), team.key()), ("team", &key(ALICE)));
    assert!(team.principals().matches("aa") && !team.principals().matches("ab"));
    assert!(team.entry().scope().allows(Some("x")) && !team.entry().scope().allows(Some("y")));
    assert!(found.signers[0].entry.may_issue() && !team.entry().may_issue());

    let authority = |more: &str| format!("[[authority]]\nname = 'team'\nkey = '{ALICE}'\n{more}");
    for (text, reason) in [
        (authority(""), "trust-missing"),
        (authority("principals = 'a'"), "trust-wrong-type"),
        (authority("principals = [1]"), "trust-wrong-type"),
        (authority("principals = ['']"), "trust-principal"),
        (authority("principals = ['a,b']"), "trust-principal"),
        (authority("principals = ['a\\u0007']").replace('\'', "\""), "trust-control-character"),
        (authority("principals = ['a']\nmay-issue = true"), "trust-unknown-key"),
        ("revoked = 'a'".to_owned(), "trust-wrong-type"),
        (format!("[[signer]]\nname = 'a'\nkey = '{ALICE}'\nmay-issue = 1"), "trust-wrong-type"),
        (
            format!("[[signer]]\nname = 'a'\nkey = '{ALICE}'\nprincipals = ['a']"),
            "trust-unknown-key",
        ),
    ] {
        assert_eq!(read(&text).unwrap_err().reason(), reason, "{text}");
    }
}
