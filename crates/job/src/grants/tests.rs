use brine_core::Classified as _;
use proptest::prelude::*;

use super::*;

fn grant(text: &str) -> Grant {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn grants(texts: &[&str]) -> Result<Grants, GrantsError> {
    Grants::collect(texts.iter().map(|text| grant(text)))
}

const ALL: [&str; 23] = [
    "run=python3",
    "arg=-I",
    "arg=-",
    "arg=-I",
    "arg=",
    "env=LANG",
    "env=TZ",
    "read=data/in",
    "write=work",
    "tcp=443",
    "tcp=5432",
    "power=orders",
    "power=users",
    "reply=answers/7",
    "address-space=64GiB",
    "cpu=2s",
    "file-size=1MiB",
    "files=64",
    "memory=256MiB",
    "output=1MiB",
    "processes=8",
    "scratch=1MiB",
    "wall=5s",
];

#[test]
fn what_is_typed_is_signed_and_shown() {
    let texts = [&ALL[..], &["format=json"]].concat();
    let all = grants(&texts).unwrap();
    let shown: Vec<_> = all.iter().map(|grant| grant.to_string()).collect();
    assert_eq!(shown, texts);
    let encoded = all.encode().unwrap();
    assert_eq!(Grants::decode(&encoded), Ok(all));
    let map = ciborium::from_reader::<ciborium::Value, _>(&encoded[..]).unwrap();
    let names: Vec<_> = map.as_map().unwrap().iter().map(|(name, _)| name.as_text()).collect();
    let expected = [
        "v",
        "arg",
        "cpu",
        "env",
        "run",
        "tcp",
        "read",
        "wall",
        "files",
        "power",
        "reply",
        "write",
        "format",
        "memory",
        "output",
        "scratch",
        "file-size",
        "processes",
        "address-space",
    ];
    assert_eq!(names, expected.map(Some));
}

#[test]
fn nothing_has_no_encoding() {
    assert_eq!(Grants::default().encode(), None);
    assert!(Grants::default().is_empty());
    assert!(!grants(&["wall=5s"]).unwrap().is_empty());
}

/// What breaks one rule between grants, and the reason for which it is refused.
#[test]
fn grants_that_do_not_go_together_are_refused() {
    let many: Vec<_> = (0..65).map(|number| format!("read=p{number}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert!(grants(&many[..64]).is_ok());
    let argument = format!("arg={}", "a".repeat(4096));
    let mut long = vec!["run=sh"];
    long.extend([argument.as_str(); 7]);
    assert!(grants(&long).is_ok());
    long.push(&argument);
    for (texts, reason, said) in [
        (&["run=a", "run=b"][..], "grants-form", "run=b is there twice"),
        (&["env=A", "env=A"], "grants-form", "env=A is there twice"),
        (&["tcp=1", "tcp=1"], "grants-form", "tcp=1 is there twice"),
        (&["read=a", "read=a"], "grants-form", "read=a is there twice"),
        (&["wall=1s", "wall=2s"], "grants-form", "wall=2s is there twice"),
        (&["format=json", "format=cbor"], "grants-form", "format=cbor is there twice"),
        (&["arg=-I"], "grants-form", "no interpreter"),
        (&many, "grants-form", "more than 64"),
        (&long, "grants-form", "over 32768 bytes"),
        (&["read=a", "write=a"], "grants-path", "\"a\""),
        (&["read=a/b", "write=a"], "grants-path", "\"a/b\""),
        (&["read=a-", "read=a", "read=a/b/c"], "grants-path", "\"a/b/c\""),
    ] {
        let error = grants(texts).unwrap_err();
        assert_eq!(error.reason(), reason, "{texts:?}");
        assert!(error.to_string().contains(said), "{texts:?}: {error}");
    }
    assert!(grants(&["read=a", "write=ab", "read=a-/b", "read=b/a"]).is_ok());
}

#[test]
fn what_cannot_be_typed_is_not_signed_either() {
    for (grant, reason) in [
        (Grant::Limit(Limit::Wall, 0), "grants-range"),
        (Grant::Limit(Limit::Memory, (1 << 50) + 1), "grants-range"),
        (Grant::Limit(Limit::Errors, 1), "grants-range"),
        (Grant::Tcp(0), "grants-range"),
        (Grant::Argument("a\nb".to_owned()), "grants-argument"),
        (Grant::Argument("a".repeat(4097)), "grants-argument"),
    ] {
        let run = self::grant("run=sh");
        let error = Grants::collect([run, grant.clone()]).unwrap_err();
        assert_eq!(error.reason(), reason, "{grant:?}");
    }
}

#[test]
fn what_is_typed_wrongly_is_explained() {
    for (text, said) in [
        ("python3", "expected NAME=VALUE"),
        ("runs=python3", "there is no \"runs\""),
        ("errors=1MiB", "there is no \"errors\""),
        ("run=-c", "has letters, digits and"),
        ("env=A=B", "has letters, digits and"),
        ("read=/etc", "relative to a root"),
        ("read=a/../b", "no part that is . or .."),
        ("write=a//b", "no empty parts"),
        ("tcp=0", "from 1 to 65535"),
        ("tcp=65536", "from 1 to 65535"),
        ("tcp=http", "from 1 to 65535"),
        ("wall=5", "a length of time like 200ms or 5s, as in wall=1m"),
        ("memory=256MB", "a size like 65536, 64KiB or 256MiB, as in memory=1GiB"),
        ("processes=0", "a number like 64"),
        ("format=xml", "bytes, utf8, json, ndjson, cbor, arrow or parquet"),
        ("arg=a\u{1b}b", "control characters"),
    ] {
        let error = text.parse::<Grant>().unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
    assert_eq!(Limit::parse_pair("errors=1KiB"), Ok((Limit::Errors, 1024)));
    let error = Limit::parse_pair("wal=5s").unwrap_err().to_string();
    assert_eq!(
        error,
        "there is no \"wal\"; NAME is address-space, cpu, errors, file-size, files, grace, memory, output, \
         processes, scratch, wall"
    );
}

fn any_grant() -> impl Strategy<Value = Grant> {
    let limit = prop_oneof![Just("wall"), Just("memory"), Just("files"), Just("cpu")];
    prop_oneof![
        "run=[a-z][a-z0-9]{0,5}",
        "arg=[a-z{} -]{0,5}",
        "env=[A-C]",
        "read=[a-c](/[a-c]){0,2}",
        "write=[a-c](/[a-c]){0,2}",
        (1..2000_u16).prop_map(|port| format!("tcp={port}")),
        (limit, 1..1000_u32).prop_map(|(limit, number)| match limit {
            "wall" | "cpu" => format!("{limit}={number}ms"),
            _ => format!("{limit}={number}"),
        }),
        Just("format=json".to_owned()),
    ]
    .prop_map(|text| grant(&text))
}

proptest! {
    /// There is one encoding, and it says the same.
    #[test]
    fn grants_come_back(list in proptest::collection::vec(any_grant(), 0..12)) {
        if let Ok(all) = Grants::collect(list) {
            match all.encode() {
                None => prop_assert!(all.is_empty()),
                Some(encoded) => {
                    let back = Grants::decode(&encoded).unwrap();
                    prop_assert_eq!(&back, &all);
                    prop_assert_eq!(back.encode().unwrap(), encoded);
                }
            }
            prop_assert_eq!(Grants::collect(all.iter()).unwrap(), all);
        }
    }

    /// Whatever is read has this one encoding.
    #[test]
    fn what_is_read_is_what_is_written(
        list in proptest::collection::vec(any_grant(), 1..8),
        at in any::<proptest::sample::Index>(),
        bit in 0..8_u32,
    ) {
        if let Some(mut encoded) = Grants::collect(list).ok().and_then(|all| all.encode()) {
            let at = at.index(encoded.len());
            encoded[at] ^= 1 << bit;
            if let Ok(read) = Grants::decode(&encoded) {
                prop_assert_eq!(read.encode().unwrap(), encoded);
            }
        }
    }
}
