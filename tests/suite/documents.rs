//! What the documents say is true.

use brine::cli::exit::Status;
use brine::{Request, Sign1, Signer, SigningKey, Statement, Template, Trust, armor, sign, verify};

use crate::common::{now, project, project_text, unhex};

/// RFC 8032, Section 7.1, TEST 1.
fn known_key() -> SigningKey {
    let seed = unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    SigningKey::from_seed(&zeroize::Zeroizing::new(seed.try_into().unwrap()))
}

fn full() -> Vec<u8> {
    let statement = Statement::Full {
        context: Some("greetings"),
        cti: [7; 16],
        expires: None,
        issued_at: brine::Timestamp::parse_rfc3339("2026-11-21T00:00:00Z").unwrap(),
        not_before: None,
    };
    sign(&known_key(), b"hello", &Template { statement, ..Template::default() }).to_bytes()
}

fn plain() -> Vec<u8> {
    sign(&known_key(), b"hello", &Template::default()).to_bytes()
}

/// Hex in rows of one field each, with its meaning.
fn annotated(envelope: &[u8], fields: &[(usize, &str)]) -> String {
    let mut rest = envelope;
    let mut text = String::new();
    for (length, meaning) in fields {
        let (field, after) = rest.split_at(*length);
        rest = after;
        let rows: Vec<_> = field.chunks(24).map(crate::common::hex).collect();
        for (index, row) in rows.iter().enumerate() {
            let meaning = if index == 0 { format!("# {meaning}") } else { String::new() };
            text.push_str(format!("{row:<48}  {meaning}").trim_end());
            text.push('\n');
        }
    }
    assert!(rest.is_empty(), "{} bytes without a meaning", rest.len());
    text
}

fn examples() -> [(&'static str, String); 3] {
    let full_fields = [
        (1, "tag 18: COSE_Sign1"),
        (1, "array of 4"),
        (2, "protected header: byte string of 110"),
        (1, "map of 4"),
        (2, "1 (alg): -8 (EdDSA)"),
        (35, "4 (kid): key id"),
        (2, "15 (CWT Claims): map of 3"),
        (11, "3 (aud): \"greetings\""),
        (6, "6 (iat): 2026-11-21T00:00:00Z"),
        (18, "7 (cti)"),
        (34, "16 (typ): \"application/vnd.brine.data+cose\""),
        (1, "unprotected header: empty map"),
        (6, "payload: \"hello\""),
        (66, "signature: 64 bytes"),
    ];
    let plain_fields = [
        (2, "tag 18, array of 4"),
        (2, "protected header: byte string of 38"),
        (1, "map of 2"),
        (2, "1 (alg): -8 (EdDSA)"),
        (35, "4 (kid): key id"),
        (1, "unprotected header: empty map"),
        (6, "payload: \"hello\""),
        (66, "signature: 64 bytes"),
    ];
    [
        ("full", annotated(&full(), &full_fields)),
        ("plain", annotated(&plain(), &plain_fields)),
        ("armor", armor::encode(&plain()).unwrap()),
    ]
}

#[test]
fn the_example_bytes_of_the_spec_are_what_brine_writes() {
    let mut spec = project_text("SPEC.md");
    for (name, example) in examples() {
        let start = format!("<!-- example: {name} -->\n```\n");
        let (before, rest) = spec.split_once(&start).unwrap_or_else(|| panic!("no {name}"));
        let (found, after) = rest.split_once("```\n<!-- end -->").unwrap();
        if std::env::var_os("BRINE_GENERATE").is_some() {
            spec = format!("{before}{start}{example}```\n<!-- end -->{after}");
            std::fs::write(project("SPEC.md"), &spec).unwrap();
        } else {
            assert_eq!(found, example, "{name}: run ./scripts/generate");
        }
    }
}

/// Read from the page as a person would, not from the code that wrote it.
#[test]
fn the_example_bytes_of_the_spec_verify() {
    let spec = project_text("SPEC.md");
    for (name, context) in [("full", Some("greetings")), ("plain", None)] {
        let (_, rest) = spec.split_once(&format!("<!-- example: {name} -->\n```\n")).unwrap();
        let (block, _) = rest.split_once("```").unwrap();
        let digits: String = block.lines().map(|line| line.split('#').next().unwrap()).collect();
        let envelope = unhex(&digits);
        let trust = Trust::new(vec![Signer::new("k", known_key().verifying_key().clone())]);
        let later = now().plus(std::time::Duration::from_secs(100 * 86_400));
        let request = Request { context, ..Request::at(later) };
        let sign1 = Sign1::parse(&envelope, Default::default()).unwrap();
        assert_eq!(verify(&sign1, &request, &trust).unwrap().payload(), b"hello", "{name}");
    }
}

/// Every kind that the code knows is in the table of SPEC.md, with its type.
#[test]
fn the_table_of_kinds_is_complete() {
    let spec = project_text("SPEC.md");
    for kind in brine::Kind::ALL {
        let row = format!("| {} | `{}`", kind.name(), kind.typ().unwrap());
        assert!(spec.contains(&row), "{row}");
    }
}

/// README and code have the same statuses.
#[test]
fn the_table_of_statuses_is_complete() {
    let readme = project_text("README.md");
    for (status, _) in Status::TABLE {
        assert!(readme.contains(&format!("\n| {} | ", status.code())), "{status:?}");
    }
}

/// The commands that README shows are commands that there are.
#[test]
fn the_set_up_commands_of_the_readme_exist() {
    let readme = project_text("README.md");
    for script in ["scripts/demo", "scripts/test"] {
        assert!(readme.contains(script) && project(script).exists(), "{script}");
    }
}
