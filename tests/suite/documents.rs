//! What the documents say is true.

use std::io::Write as _;

use brine::batch::BatchSigner;
use brine::cli::exit::Status;
use brine::job::policy::Question;
use brine::job::{Grants, Policy};
use brine::stream::{Start, StreamReader, StreamTemplate, StreamWriter};
use brine::{
    Request, Sign1, Signer, SigningKey, Statement, Template, Trust, armor, sign, sign_job, verify,
    verify_job,
};

use crate::common::{now, project, project_text, unhex};

/// RFC 8032, Section 7.1, TEST 1.
fn known_key() -> SigningKey {
    let seed = unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    SigningKey::from_seed(&zeroize::Zeroizing::new(seed.try_into().unwrap()))
}

fn greeting() -> Template<'static> {
    let statement = Statement::Full {
        context: Some("greetings"),
        cti: [7; 16],
        expires: None,
        issued_at: brine::Timestamp::parse_rfc3339("2026-11-21T00:00:00Z").unwrap(),
        not_before: None,
    };
    Template { statement, ..Template::default() }
}

fn full() -> Vec<u8> {
    sign(&known_key(), b"hello", &greeting()).to_bytes()
}

/// `hello` in segments of three bytes.
fn stream() -> Vec<u8> {
    let stream = StreamTemplate { segment_bytes: 3, ..StreamTemplate::new(greeting(), [8; 16]) };
    let mut writer = StreamWriter::new(Vec::new(), known_key(), &stream);
    writer.write_all(b"hello").unwrap();
    writer.finish().unwrap()
}

/// The first of two records.
fn of_batch() -> Vec<u8> {
    let key = known_key();
    let mut signer = BatchSigner::new(&key);
    for (cti, payload) in [(7, b"hello"), (8, b"world")] {
        let statement = Statement::Full {
            context: Some("greetings"),
            cti: [cti; 16],
            expires: None,
            issued_at: brine::Timestamp::parse_rfc3339("2026-11-21T00:00:00Z").unwrap(),
            not_before: None,
        };
        signer.add(payload, &Template { statement, ..Template::default() }).unwrap();
    }
    signer.finish_batch().iter().next().unwrap().to_vec()
}

/// What a job asks for, in the order in which it is shown.
const ASKED: [&str; 5] = ["run=python3", "arg=-I", "arg=-", "read=data/in", "wall=5s"];

fn job() -> Vec<u8> {
    let grants = Grants::collect(ASKED.map(|grant| grant.parse().unwrap())).unwrap();
    sign_job(&known_key(), b"print(1)", &greeting(), &grants).to_bytes()
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

fn examples() -> [(&'static str, String); 6] {
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
    let stream_fields = [
        (4, "segment 0: tag 18, array of 4, protected header: byte string of 157"),
        (1, "map of 7"),
        (2, "1 (alg): -8 (EdDSA)"),
        (11, "2 (crit): [16, 258, -70001]"),
        (35, "4 (kid): key id"),
        (37, "15 (CWT Claims): aud, iat and cti as above"),
        (37, "16 (typ): \"application/vnd.brine.segment+cose\""),
        (8, "258 (payload-hash-alg): -70002 (BLAKE3)"),
        (7, "-70001 (stream position): array of 4, version 1"),
        (17, "stream-id"),
        (2, "index 0, not the last"),
        (1, "unprotected header: empty map"),
        (34, "payload: the digest of \"hel\""),
        (66, "signature: 64 bytes"),
        (4, "content: \"hel\""),
        (4, "segment 1: tag 18, array of 4, protected header: byte string of 154"),
        (1, "map of 6"),
        (2, "1 (alg)"),
        (11, "2 (crit)"),
        (35, "4 (kid)"),
        (37, "16 (typ)"),
        (8, "258 (payload-hash-alg)"),
        (7, "-70001 (stream position): array of 5, version 1"),
        (17, "stream-id"),
        (2, "index 1, the last"),
        (34, "first: the SHA-256 of segment 0's protected header"),
        (1, "unprotected header: empty map"),
        (34, "payload: the digest of \"lo\""),
        (66, "signature: 64 bytes"),
        (3, "content: \"lo\""),
    ];
    let batch_fields = [
        (2, "tag 18, array of 4"),
        (2, "protected header: byte string of 113"),
        (1, "map of 4"),
        (6, "1 (alg): -70003"),
        (35, "4 (kid): key id"),
        (2, "15 (CWT Claims): map of 3"),
        (11, "3 (aud): \"greetings\""),
        (6, "6 (iat): 2026-11-21T00:00:00Z"),
        (18, "7 (cti)"),
        (34, "16 (typ): \"application/vnd.brine.data+cose\""),
        (1, "unprotected header: empty map"),
        (6, "payload: \"hello\""),
        (2, "proof: byte string of 104"),
        (1, "array of 4"),
        (1, "tree-size: 2"),
        (1, "leaf-index: 0"),
        (1, "path: array of 1"),
        (34, "the leaf beside it"),
        (66, "signature of the root: 64 bytes"),
    ];
    let job_fields = [
        (4, "tag 18, array of 4, protected header: byte string of 169"),
        (1, "map of 6"),
        (2, "1 (alg): -8 (EdDSA)"),
        (8, "2 (crit): [16, -70005]"),
        (35, "4 (kid): key id"),
        (37, "15 (CWT Claims): aud, iat and cti as above"),
        (33, "16 (typ): \"application/vnd.brine.job+cose\""),
        (5, "-70005 (grants)"),
        (1, "map of 5"),
        (3, "\"v\": 1"),
        (10, "\"arg\": [\"-I\", \"-\"]"),
        (12, "\"run\": \"python3\""),
        (14, "\"read\": [\"data/in\"]"),
        (8, "\"wall\": 5000"),
        (1, "unprotected header: empty map"),
        (9, "payload: \"print(1)\""),
        (66, "signature: 64 bytes"),
    ];
    [
        ("batch", annotated(&of_batch(), &batch_fields)),
        ("job", annotated(&job(), &job_fields)),
        ("stream", annotated(&stream(), &stream_fields)),
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

/// An example, read from the page as a person would, not from the code that wrote it.
fn example(name: &str) -> Vec<u8> {
    let spec = project_text("SPEC.md");
    let (_, rest) = spec.split_once(&format!("<!-- example: {name} -->\n```\n")).unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let digits: String = block.lines().map(|line| line.split('#').next().unwrap()).collect();
    unhex(&digits)
}

#[test]
fn the_example_bytes_of_the_spec_verify() {
    for (name, context) in
        [("batch", Some("greetings")), ("full", Some("greetings")), ("plain", None)]
    {
        let envelope = example(name);
        let trust = Trust::new(vec![Signer::new("k", known_key().verifying_key().clone())]);
        let later = now().plus(std::time::Duration::from_secs(100 * 86_400));
        let request = Request { context, ..Request::at(later) };
        let sign1 = Sign1::parse(&envelope, Default::default()).unwrap();
        assert_eq!(verify(&sign1, &request, &trust).unwrap().payload(), b"hello", "{name}");
    }
}

#[test]
fn the_example_job_of_the_spec_verifies_and_asks_for_what_it_says() {
    let envelope = example("job");
    let trust = Trust::new(vec![Signer::new("k", known_key().verifying_key().clone())]);
    let later = now().plus(std::time::Duration::from_secs(100 * 86_400));
    let request = Request { context: Some("greetings"), ..Request::at(later) };
    let sign1 = Sign1::parse(&envelope, Default::default()).unwrap();
    let (verified, grants) = verify_job(&sign1, &request, &trust).unwrap();
    assert_eq!(verified.payload(), b"print(1)");
    assert_eq!(grants.iter().map(|grant| grant.to_string()).collect::<Vec<_>>(), ASKED);
}

/// The policy of docs/policy.md is one, and the job beside it gets what the page says.
#[test]
fn the_example_policy_is_one() {
    let page = project_text("docs/policy.md");
    let (_, rest) = page.split_once("<!-- example: policy -->\n```toml\n").unwrap();
    let (text, rest) = rest.split_once("```\n<!-- end -->").unwrap();
    let policy = Policy::parse(text.as_bytes()).unwrap();
    let asked = rest.split("--grant ").skip(1);
    let asked: Vec<_> = asked.map(|word| word.split_whitespace().next().unwrap()).collect();
    assert_eq!(asked, ["run=python3", "arg=-I", "arg=-", "read=data/in", "wall=10m"]);
    let grants = Grants::collect(asked.iter().map(|grant| grant.parse().unwrap())).unwrap();
    let question = Question {
        signer: "alice",
        context: Some("jobs/nightly"),
        content_type: Some("text/x-python"),
        system: &Default::default(),
    };
    let plan = policy.plan(&question, &grants, None).unwrap();
    let opening = plan.openings.first().unwrap();
    for path in [&opening.source, &opening.target] {
        assert!(rest.contains(&format!("`{}`", path.display())), "{path:?}");
    }
    assert_eq!((plan.limits.wall.as_secs(), plan.limits.memory), (600, 512 << 20));
    for limit in brine::job::Limit::ALL {
        let row = format!("| `{}` | ", limit.name());
        let value = limit.show(limit.default_value());
        let row = page.lines().find(|line| line.starts_with(&row)).unwrap();
        assert!(row.ends_with(&format!("| {value} |")), "{row}: {value}");
    }
}

#[test]
fn the_example_stream_of_the_spec_verifies() {
    let trust = Trust::new(vec![Signer::new("k", known_key().verifying_key().clone())]);
    let later = now().plus(std::time::Duration::from_secs(100 * 86_400));
    let request = Request { context: Some("greetings"), ..Request::at(later) };
    let mut input = std::io::Cursor::new(example("stream"));
    let start = Start::read(&mut input).unwrap();
    let mut reader = StreamReader::open(start, input, &request, &trust, 1).unwrap();
    assert_eq!(reader.next_segment().unwrap(), Some(&b"hel"[..]));
    assert_eq!(reader.next_segment().unwrap(), Some(&b"lo"[..]));
    assert_eq!(reader.next_segment().unwrap(), None);
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
