//! Judges the files in fixtures/pickle/, a pickle for each rule, and generated ones.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and reads small files"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use brine_pickle::{
    AllowList, ImportOpcode, MAX_IMPORTS, MAX_NAME_BYTES, MAX_NESTING, PickleFault, PickleRefusal,
    PickleRule, ScanOptions, ScanReport, scan,
};
use proptest::prelude::*;
use serde_json::Value;

/// A file of the project.
fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn project_text(path: &str) -> String {
    std::fs::read_to_string(project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(project("fixtures/pickle").join(name)).unwrap()
}

fn cases() -> Vec<Value> {
    let manifest = project_text("fixtures/pickle/manifest.json");
    let mut manifest: Value = serde_json::from_str(&manifest).unwrap();
    serde_json::from_value(manifest["cases"].take()).unwrap()
}

#[test]
fn every_file_is_judged_as_the_manifest_says() {
    let (narrow, std) = (list_of_the_manifest(), AllowList::std());
    let mut listed = BTreeSet::new();
    for case in cases() {
        let file = case["file"].as_str().unwrap();
        listed.insert(file.to_owned());
        let bytes = fixture(file);
        let expected = case["expect"].as_str().unwrap();
        let expected_of_many = case["expect_multi"].as_str().unwrap_or(expected);
        for (many, expected) in [(false, expected), (true, expected_of_many)] {
            for allow in [&narrow, &std] {
                let report = scan(&bytes, &ScanOptions { many, ..ScanOptions::new(allow) });
                let found = if report.verdict().is_ok() { "allow" } else { "deny" };
                // It imports an exception, which is on the longer list only.
                let longer = file == "ev_compat_exceptions.pkl" && allow == &std;
                let expected = if longer { "allow" } else { expected };
                assert_eq!(found, expected, "{file}, many: {many}: {:?}", report.verdict());
            }
        }
    }
    let files = std::fs::read_dir(project("fixtures/pickle")).unwrap();
    let files = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<_> = files.filter(|name| name.ends_with(".pkl")).collect();
    assert_eq!(files, listed);
}

/// Everything that CPython was seen to import is listed, of refused files too.
#[test]
fn every_import_that_cpython_attempts_is_listed() {
    let (allow, mut imports) = (AllowList::std(), 0);
    for case in cases() {
        let file = case["file"].as_str().unwrap();
        let bytes = fixture(file);
        let report = scan(&bytes, &ScanOptions::new(&allow));
        for loader in ["cpython_find_class_c", "cpython_find_class_py"] {
            for pair in case[loader].as_array().into_iter().flatten() {
                let pair = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
                let found = report
                    .imports
                    .iter()
                    .any(|import| (import.module.as_str(), import.name.as_str()) == pair);
                // Names of 8-bit strings are not told from computed ones.
                assert!(found || file == "ev_stackglobal_binstring.pkl", "{file}: {pair:?}");
                imports += 1;
            }
        }
    }
    assert!(imports > 250, "{imports}");
}

fn list_of_the_manifest() -> AllowList {
    let manifest = project_text("fixtures/pickle/manifest.json");
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let mut list = AllowList::new();
    for pair in manifest["allow"].as_array().unwrap() {
        assert!(list.insert(pair[0].as_str().unwrap(), pair[1].as_str().unwrap()));
    }
    list
}

/// The list of the manifest is part of brine's.
#[test]
fn the_list_of_the_manifest_is_on_the_standard_list() {
    let list = list_of_the_manifest();
    assert!(list.iter().count() >= 30);
    for (module, name) in list.iter() {
        assert!(AllowList::std().allows(module, name), "{module}:{name}");
    }
}

/// A reason, where, and pickles: one that breaks only that rule, and the same without that.
type RuleCase = (PickleRule, usize, &'static [u8], &'static [u8]);

const RULES: &[RuleCase] = &[
    (
        PickleRule::AfterBuild,
        30,
        b"ccollections\nOrderedDict\n)R}b}b.",
        b"ccollections\nOrderedDict\n)R}b.",
    ),
    (PickleRule::ArgumentsForm, 15, b"cbuiltins\nset\n]R.", b"cbuiltins\nset\n)R."),
    (PickleRule::ArgumentsForm, 15, b"cbuiltins\nset\n]\x81.", b"cbuiltins\nset\n)\x81."),
    (PickleRule::ArgumentsForm, 16, b"cbuiltins\nset\n)N\x92.", b"cbuiltins\nset\n)}\x92."),
    (PickleRule::CallNotAllowed, 16, b"cbuiltins\nset\nN\x85R.", b"cbuiltins\nset\n]\x85R."),
    (PickleRule::AttributeTakerKept, 18, b"cbuiltins\ngetattr\n.", b"cbuiltins\ngetattr\n0N."),
    (PickleRule::AttributeTakerKept, 18, b"cbuiltins\ngetattr\n\x85.", b"cbuiltins\ngetattr\n0)."),
    (
        PickleRule::AttributeTakerKept,
        21,
        b"]cbuiltins\ngetattr\nq\x01ah\x010.",
        b"]cbuiltins\ngetattr\nq\x010h\x010.",
    ),
    (PickleRule::CallsAResult, 17, b"cbuiltins\nset\n)R)R.", b"cbuiltins\nset\n)R."),
    (PickleRule::CallsAResult, 17, b"cbuiltins\nset\n)R)\x81.", b"cbuiltins\nset\n)R."),
    (PickleRule::CallsAResult, 18, b"cbuiltins\nset\n)R)}\x92.", b"cbuiltins\nset\n)R."),
    (PickleRule::CallsAResult, 17, b"(cbuiltins\nset\n)Ro.", b"(cbuiltins\nset\n)o."),
    (PickleRule::CallsNoCallable, 2, b"N)R.", b"N)\x86."),
    (PickleRule::CallsNoCallable, 2, b"(No.", b"(Nt."),
    (PickleRule::ChangesAGlobal, 15, b"cbuiltins\nset\n}b.", b"ccollections\nOrderedDict\n)R}b."),
    (PickleRule::ChangesAGlobal, 15, b"cbuiltins\nset\nNa.", b"ccollections\ndeque\n)RNa."),
    (PickleRule::ChangesAGlobal, 16, b"cbuiltins\nset\n(Ne.", b"ccollections\ndeque\n)R(Ne."),
    (PickleRule::ChangesAGlobal, 16, b"cbuiltins\nset\nNNs.", b"ccollections\nOrderedDict\n)RNNs."),
    (PickleRule::ChangesAGlobal, 15, b"cbuiltins\nset\n(u.", b"ccollections\nOrderedDict\n)R(u."),
    (PickleRule::ChangesAGlobal, 16, b"cbuiltins\nset\n(N\x90.", b"cbuiltins\nset\n)R(N\x90."),
    (
        PickleRule::DynamicImport,
        15,
        b"U\x08builtins\x8c\x03set\x93.",
        b"\x8c\x08builtins\x8c\x03set\x93.",
    ),
    (
        PickleRule::DynamicImport,
        17,
        b"\x8c\x08builtinsS'set'\n\x93.",
        b"\x8c\x08builtinsVset\n\x93.",
    ),
    (
        PickleRule::DynamicImport,
        20,
        b"\x8c\x08builtinsV\\u0073et\n\x93.",
        b"X\x08\0\0\0builtinsVset\n\x93.",
    ),
    (
        PickleRule::DynamicImport,
        28,
        b"\x8c\x08builtinscbuiltins\nbytes\n)R\x93.",
        b"\x8c\x08builtins\x8c\x03str\x93.",
    ),
    (PickleRule::ExtensionRegistry, 0, b"\x82\x01.", b"K\x01."),
    (PickleRule::ExtensionRegistry, 0, b"\x83\x01\0.", b"M\x01\0."),
    (PickleRule::ExtensionRegistry, 0, b"\x84\x01\0\0\0.", b"J\x01\0\0\0."),
    (
        PickleRule::FrameNested,
        11,
        b"\x80\x04\x95\x0b\0\0\0\0\0\0\0\x95\x02\0\0\0\0\0\0\0N.",
        b"\x80\x04\x95\x00\0\0\0\0\0\0\0\x95\x02\0\0\0\0\0\0\0N.",
    ),
    (
        PickleRule::FrameStraddled,
        11,
        b"\x80\x04\x95\x01\0\0\0\0\0\0\0K\x01.",
        b"\x80\x04\x95\x02\0\0\0\0\0\0\0K\x01.",
    ),
    (PickleRule::ImportName, 9, b"\x8c\x03a b\x8c\x02cd\x93.", b"\x8c\x03set\x8c\x02cd\x86."),
    (PickleRule::ImportName, 0, b"cbuiltins\rx\nset\n.", b"cbuiltins\nset\n."),
    (PickleRule::ImportName, 0, "cbuiltins\nsеt\n.".as_bytes(), b"cbuiltins\nset\n."),
    (PickleRule::ImportNotAllowed, 0, b"cos\ngetpid\n.", b"cbuiltins\nset\n."),
    (PickleRule::ImportNotAllowed, 1, b"(ios\ngetpid\n.", b"(ibuiltins\nset\n."),
    (
        PickleRule::ImportNotAllowed,
        20,
        b"\x8c\x08builtins\x8c\x08set.copy\x93.",
        b"\x8c\x08builtins\x8c\x08set.copy\x86.",
    ),
    (PickleRule::ItemsNotAllowed, 17, b"cbuiltins\nset\n)RNa.", b"ccollections\ndeque\n)RNa."),
    (PickleRule::LengthNegative, 0, b"T\xff\xff\xff\xff.", b"T\0\0\0\0."),
    (PickleRule::LengthNegative, 0, b"\x8b\xff\xff\xff\xff.", b"\x8b\0\0\0\0."),
    (PickleRule::MarkMissing, 1, b"Nt.", b"(Nt."),
    (PickleRule::MemoIndex, 1, b"Nq\x02.", b"Nq\x01."),
    (PickleRule::MemoIndex, 1, b"Np7\n.", b"Np0\n."),
    (PickleRule::MemoIndex, 1, b"Nr\x02\0\0\0.", b"Nr\x01\0\0\0."),
    (PickleRule::MemoMissing, 3, b"Nq\0h\x01\x86.", b"Nq\0h\0\x86."),
    (PickleRule::MemoMissing, 3, b"Nq\0g1\n\x86.", b"Nq\0g0\n\x86."),
    (PickleRule::NotAPickle, 0, b"", b"N."),
    (PickleRule::NotAPickle, 0, b"{\"a\": 1}", b"N."),
    (PickleRule::NotAPickle, 0, b"BZh9\n.", b"N."),
    (PickleRule::NumberForm, 0, b"I1_0\n.", b"I10\n."),
    (PickleRule::NumberForm, 0, b"L01\n.", b"L1\n."),
    (PickleRule::NumberForm, 0, b"F 1.0\n.", b"F1.0\n."),
    (PickleRule::NumberForm, 1, b"Np00\n.", b"Np0\n."),
    (PickleRule::NumberForm, 4, b"Np0\ng+0\n\x86.", b"Np0\ng0\n\x86."),
    (PickleRule::OddItems, 2, b"(Nd.", b"(NNd."),
    (PickleRule::OddItems, 3, b"}(Nu.", b"}(NNu."),
    (PickleRule::OutOfBandBuffer, 0, b"\x97.", b"N."),
    (PickleRule::OutOfBandBuffer, 2, b"C\0\x98.", b"C\0."),
    (PickleRule::PersistentId, 0, b"P1\n.", b"I1\n."),
    (PickleRule::PersistentId, 1, b"NQ.", b"N."),
    (PickleRule::ProtocolLate, 1, b"N\x80\x04.", b"\x80\x04N."),
    (PickleRule::ProtocolUnknown, 0, b"\x80\x06N.", b"\x80\x05N."),
    (PickleRule::StackLeftover, 2, b"NN.", b"N."),
    (PickleRule::StackLeftover, 2, b"(N.", b"(N1N."),
    (PickleRule::StackUnderflow, 1, b"N\x86.", b"NN\x86."),
    // What is below a mark is out of reach.
    (PickleRule::StackUnderflow, 3, b"N(N\x86t.", b"N(NN\x86t\x86."),
    (PickleRule::StackUnderflow, 2, b"N(q\0t.", b"N(Nq\0t\x86."),
    (
        PickleRule::StateNotAllowed,
        17,
        b"cbuiltins\nset\n)R}b.",
        b"ccollections\nOrderedDict\n)R}b.",
    ),
    (PickleRule::StringForm, 0, b"Sa\n.", b"S'a'\n."),
    (PickleRule::StringForm, 0, b"S'\n.", b"S''\n."),
    (PickleRule::TextNotUtf8, 0, b"\x8c\x01\xff.", b"\x8c\x01a."),
    (PickleRule::TrailingBytes, 2, b"N.\n", b"N."),
    (PickleRule::Truncated, 2, b"\x80\x04", b"\x80\x04N."),
    (PickleRule::Truncated, 3, b"\x80\x04NX\xff\xff\xff\xff.", b"\x80\x04X\0\0\0\0."),
    (PickleRule::Truncated, 2, b"\x80\x03B\xff\xff\xff\xff.", b"\x80\x03B\0\0\0\0."),
    (
        PickleRule::Truncated,
        2,
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff.",
        b"\x80\x04\x8e\0\0\0\0\0\0\0\0.",
    ),
    (
        PickleRule::Truncated,
        2,
        b"\x80\x04\x95\x03\0\0\0\0\0\0\0N.",
        b"\x80\x04\x95\x02\0\0\0\0\0\0\0N.",
    ),
    // A line that the end of the file ends: the loader in Python takes its last character for the line end.
    (PickleRule::Truncated, 1, b"Ncos\ngetpid", b"N."),
    (PickleRule::UnknownOpcode, 1, b"N\xff.", b"N."),
    (PickleRule::WrongTarget, 2, b"NNa.", b"]Na."),
    (PickleRule::WrongTarget, 2, b"]}b.", b"ccollections\nOrderedDict\n)R}b."),
    (PickleRule::WrongTarget, 3, b"]NNs.", b"}NNs."),
    (PickleRule::WrongTarget, 2, b"](\x90.", b"\x8f(\x90."),
];

fn judge(bytes: &[u8], allow: &AllowList) -> ScanReport {
    scan(bytes, &ScanOptions::new(allow))
}

#[test]
fn each_rule_refuses_what_breaks_only_it() {
    let allow = AllowList::std();
    for (rule, offset, bad, good) in RULES {
        let shown = bad.escape_ascii().to_string();
        let refusal = PickleRefusal { rule: *rule, offset: *offset };
        assert_eq!(judge(bad, &allow).refusals, [refusal], "{shown}");
        assert_eq!(judge(good, &allow).refusals, [], "the good one of {shown}");
    }
}

#[test]
fn limits_refuse_what_is_beyond_them_and_nothing_before() {
    let allow = AllowList::std();
    let nested = |depth: u16| [&b")"[..], &vec![0x85; usize::from(depth - 1)], b"."].concat();
    let digits = |count| format!("I{}\n.", "1".repeat(count)).into_bytes();
    assert_eq!(judge(&nested(MAX_NESTING), &allow).refusals, []);
    assert_eq!(judge(&digits(4300), &allow).refusals, []);
    for (rule, offset, bad) in [
        (PickleRule::NumberTooLong, 0, digits(4301)),
        (PickleRule::TooDeep, usize::from(MAX_NESTING), nested(MAX_NESTING + 1)),
    ] {
        assert_eq!(judge(&bad, &allow).refusals, [PickleRefusal { rule, offset }]);
    }
}

#[test]
fn values_are_too_deep_however_they_are_built() {
    let mut allow = AllowList::std();
    allow.insert("shop", "Order");
    let deep = [&b")"[..], &vec![0x85; usize::from(MAX_NESTING - 1)]].concat();
    for (before, after) in [
        (&b""[..], &b"\x85."[..]),
        (b"N", b"\x86."),
        (b"NN", b"\x87."),
        (b"(", b"t."),
        (b"(", b"l."),
        (b"(N", b"d."),
        (b"(", b"\x91."),
        (b"]", b"a."),
        (b"](", b"e."),
        (b"}N", b"s."),
        (b"}(N", b"u."),
        (b"\x8f(", b"\x90."),
        (b"cshop\nOrder\n", b"R."),
        (b"cshop\nOrder\n)R", b"b."),
        (b"(", b"ishop\nOrder\n."),
        (b"(cshop\nOrder\n", b"o."),
    ] {
        let bytes = [before, &deep, after].concat();
        let report = judge(&bytes, &allow);
        let reasons: Vec<_> = report.refusals.iter().map(|refusal| refusal.rule).collect();
        assert_eq!(reasons, [PickleRule::TooDeep], "{}", after.escape_ascii());
    }
}

/// Returns the opcodes that put the result of this number into another.
type Link = dyn Fn(u32) -> Vec<u8>;

/// Each is put into the one before when that is inside another already. CPython frees such a chain by recursion in C.
#[test]
fn results_that_are_linked_from_the_front_nest_as_deep_as_others() {
    let allow = AllowList::std();
    let chain = |import: &str, link: &Link, length: u32| {
        let made = (1..=length)
            .flat_map(|number| [b"j\0\0\0\0)Rr", &number.to_le_bytes()[..], b"0"].concat());
        let linked = (1..length).flat_map(|number| {
            let get = |number: u32| [b"j", &number.to_le_bytes()[..]].concat();
            [get(number), link(number + 1), b"0".to_vec()].concat()
        });
        let import = b"\x80\x04c".iter().copied().chain(import.bytes());
        let bytes: Vec<u8> =
            import.chain(*b"\nr\0\0\0\x000").chain(made).chain(linked).chain(*b"N.").collect();
        judge(&bytes, &allow).verdict().map_err(|refusal| refusal.rule)
    };
    let append = |next: u32| [b"j", &next.to_le_bytes()[..], b"a"].concat();
    let set = |next: u32| [b"K\0j", &next.to_le_bytes()[..], b"s"].concat();
    let limit = u32::from(MAX_NESTING);
    let kinds: [(&str, &Link); 2] =
        [("collections\ndeque", &append), ("collections\ndefaultdict", &set)];
    for (import, link) in kinds {
        assert_eq!(chain(import, link, limit / 2), Ok(()), "{import}");
        assert_eq!(chain(import, link, 2 * limit), Err(PickleRule::TooDeep), "{import}");
    }
}

#[test]
fn the_list_of_imports_has_an_end() {
    let allow = AllowList::std();
    let of = |count: usize| {
        let imports = (0..count).map(|index| format!("ca\nn{index}\n0"));
        (imports.collect::<String>() + "N.").into_bytes()
    };
    let bytes = of(MAX_IMPORTS);
    let report = judge(&bytes, &allow);
    assert!(report.complete && report.imports.len() == MAX_IMPORTS);
    let bytes = of(MAX_IMPORTS + 1);
    let report = judge(&bytes, &allow);
    assert!(!report.complete && report.imports.len() == MAX_IMPORTS);
    let reasons: Vec<_> = report.refusals.iter().map(|refusal| refusal.rule).collect();
    assert_eq!(reasons, [PickleRule::ImportNotAllowed, PickleRule::TooManyImports]);
}

#[test]
fn long_names_are_refused_and_listed_in_part() {
    let long = "a".repeat(MAX_NAME_BYTES + 1);
    let mut allow = AllowList::new();
    assert!(!allow.insert(&long, "b"));
    let bytes = format!("c{long}\nb\n.").into_bytes();
    let report = judge(&bytes, &allow);
    assert_eq!(report.verdict().unwrap_err().rule, PickleRule::ImportName);
    assert_eq!(report.imports[0].module, format!("{}…", "a".repeat(MAX_NAME_BYTES)));
}

/// Every rule is broken by some test, and is in the document.
#[test]
fn every_rule_has_a_test_and_is_documented() {
    // Some are in src/machine.rs, where a stack need not be filled step by step, and in tests/values.rs, whose names
    // have no rule.
    // Those of containers are in tests/containers.rs.
    let elsewhere = [
        PickleRule::ContainersNested,
        PickleRule::InflateForm,
        PickleRule::InflatedTooLarge,
        PickleRule::NpyForm,
        PickleRule::RawArrayForm,
        PickleRule::RawArrayReadings,
        PickleRule::TooManyMembers,
        PickleRule::TwoReadings,
        PickleRule::ZipDirectory,
        PickleRule::ZipDuplicate,
        PickleRule::ZipEncrypted,
        PickleRule::ZipHeaders,
        PickleRule::ZipMethod,
        PickleRule::MemoShared,
        PickleRule::MemoTooLarge,
        PickleRule::NumberTooLong,
        PickleRule::SetsAMethod,
        PickleRule::StackTooLarge,
        PickleRule::TooDeep,
        PickleRule::TooManyImports,
    ];
    let page = project_text("docs/scan.md");
    let mut names = BTreeSet::new();
    for rule in PickleRule::ALL.iter().copied() {
        let tested = RULES.iter().any(|tested| tested.0 == rule);
        assert!(tested != elsewhere.contains(&rule), "{rule:?}");
        let status = match rule.fault() {
            PickleFault::Malformed => 1,
            PickleFault::Unsupported => 3,
            PickleFault::Forbidden => 5,
        };
        let row = format!("| `{}` | {status} | ", rule.reason());
        assert!(page.contains(&row), "docs/scan.md has no row {row}");
        assert!(names.insert(rule.reason()));
    }
}

#[test]
fn persistent_ids_are_let_through_if_asked_for_and_what_they_give_is_not_called() {
    let allow = AllowList::std();
    let options = ScanOptions { persistent_ids: true, ..ScanOptions::new(&allow) };
    for good in [&b"P1\n."[..], b"NQ."] {
        assert_eq!(scan(good, &options).refusals, []);
    }
    let refusal = PickleRefusal { rule: PickleRule::CallsAResult, offset: 3 };
    assert_eq!(scan(b"NQ)R.", &options).refusals, [refusal]);
}

#[test]
fn several_pickles_are_allowed_if_asked_for() {
    let allow = AllowList::std();
    let options = ScanOptions { many: true, ..ScanOptions::new(&allow) };
    let report = scan(b"N.\x80\x02cbuiltins\nset\n.N.", &options);
    assert_eq!((report.verdict(), report.pickles, report.imports.len()), (Ok(()), 3, 1));
    let report = scan(b"N.cos\ngetpid\n.", &options);
    assert_eq!(report.refusals, [PickleRefusal { rule: PickleRule::ImportNotAllowed, offset: 2 }]);
    assert_eq!(
        scan(b"N.N", &options).refusals,
        [PickleRefusal { rule: PickleRule::Truncated, offset: 3 }]
    );
    // A frame around two pickles: the loader in Python skips the second one.
    let framed = b"\x80\x04\x95\x04\0\0\0\0\0\0\0N.N.";
    let refusal = PickleRefusal { rule: PickleRule::FrameStraddled, offset: 12 };
    assert_eq!(scan(framed, &options).refusals, [refusal]);
    // The protocol is of one pickle, not of those after it.
    let old = AllowList::parse("builtins:set\nbuiltins:range\n").unwrap();
    let options = ScanOptions { many: true, ..ScanOptions::new(&old) };
    let report = scan(b"\x80\x04cbuiltins\nset\n.c__builtin__\nxrange\n.", &options);
    assert_eq!(report.refusals, [PickleRefusal { rule: PickleRule::ImportNotAllowed, offset: 17 }]);
}

/// An Unpickler that loads a second pickle still has the memo of the first, and MEMOIZE counts on.
#[test]
fn several_pickles_mean_the_same_with_one_memo_and_with_one_each() {
    let allow = AllowList::std();
    let options = ScanOptions { many: true, ..ScanOptions::new(&allow) };
    let words = |module: &str, name: &str| {
        let text = |word: &str| {
            [b"\x8c", &[u8::try_from(word.len()).unwrap()][..], word.as_bytes()].concat()
        };
        [text(module), b"\x94".to_vec(), text(name), b"\x94".to_vec()].concat()
    };
    let first = [b"\x80\x04(".to_vec(), words("os", "getpid"), b"t.".to_vec()].concat();
    let second =
        [b"\x80\x04(".to_vec(), words("builtins", "set"), b"h\0h\x01\x93t.".to_vec()].concat();
    assert_eq!(scan(&first, &options).refusals, []);
    assert_eq!(scan(&second, &options).refusals, []);
    let both = [first.clone(), second].concat();
    let report = scan(&both, &options);
    let offset = both.len() - 3;
    assert_eq!(report.refusals, [PickleRefusal { rule: PickleRule::MemoShared, offset }]);
    let names: Vec<_> = report.imports.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["builtins:set", "os:getpid"]);
    // What one Pickler wrote needs the memo of the first pickle, which most loaders do not keep.
    let report = scan(b"\x80\x04\x8c\x01a\x94.\x80\x04h\0.", &options);
    assert_eq!(report.verdict().unwrap_err().rule, PickleRule::MemoMissing);
}

#[test]
fn old_names_need_both_on_the_list_and_new_ones_only_themselves() {
    let judge = |list: &str, pickle: &[u8]| {
        let allow = AllowList::parse(list).unwrap();
        scan(pickle, &ScanOptions::new(&allow)).verdict().is_ok()
    };
    for protocol in [&b""[..], b"\x80\x00", b"\x80\x01", b"\x80\x02"] {
        let old = [protocol, b"c__builtin__\nxrange\n."].concat();
        assert!(judge("__builtin__:xrange\nbuiltins:range", &old));
        assert!(!judge("__builtin__:xrange", &old) && !judge("builtins:range", &old));
        assert!(judge("collections:deque", &[protocol, b"ccollections\ndeque\n."].concat()));
    }
    for protocol in [b"\x80\x03", b"\x80\x04", b"\x80\x05"] {
        let old = [&protocol[..], b"c__builtin__\nxrange\n."].concat();
        assert!(judge("__builtin__:xrange", &old) && !judge("builtins:range", &old));
    }
}

#[test]
fn imports_are_listed_once_with_how_and_where() {
    let allow = AllowList::std();
    let report = judge(
        b"\x80\x02(c__builtin__\nxrange\nc__builtin__\nxrange\n(ios\ngetpid\n\x8c\x02os\x8c\x06getpid\x93t.",
        &allow,
    );
    let listed: Vec<_> = report
        .imports
        .iter()
        .map(|import| (import.to_string(), import.how, import.offset, import.times, import.refusal))
        .collect();
    let refused = Some(PickleRule::ImportNotAllowed);
    assert_eq!(
        listed,
        [
            (
                "__builtin__:xrange (in Python 3 builtins:range)".to_owned(),
                ImportOpcode::Global,
                3,
                2,
                None
            ),
            ("os:getpid".to_owned(), ImportOpcode::Inst, 44, 1, refused),
            ("os:getpid".to_owned(), ImportOpcode::StackGlobal, 67, 1, refused),
        ]
    );
    assert!(report.complete && report.imports.iter().all(|import| import.protocol == 2));
    assert_eq!(report.explain(&report.refusals[0]), "imports os:getpid, which is not on the list");
}

#[test]
fn imports_are_listed_beyond_what_is_refused() {
    let allow = AllowList::std();
    for bytes in [
        &b"cos\ngetpid\n0cnt\nsystem\n."[..],
        b"N.cnt\nsystem\n.",
        b"N.cnt\nsystem\n",
        b"NQ0cnt\nsystem\n.",
        b"\x82\x010cnt\nsystem\n.",
        b"Np7\n0Vnt\np1_0\n0Vsystem\np8\n0g10\ng008\n\x93.",
        b"N\x80\x040cnt\nsystem\n.",
        b"cnt\nsystem\n)R)R",
    ] {
        let report = judge(bytes, &allow);
        let listed = report.imports.iter().any(|import| import.to_string() == "nt:system");
        assert!(listed && report.verdict().is_err(), "{report:?}");
    }
}

/// What can be in a pickle, with more of what has a meaning.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&'static [u8]> = RULES.iter().flat_map(|rule| [rule.2, rule.3]).collect();
    let piece = prop_oneof![
        3 => prop::sample::select(words).prop_map(<[u8]>::to_vec),
        3 => any::<u8>().prop_map(|byte| vec![byte]),
        1 => Just(b"cbuiltins\nset\n)R".to_vec()),
        1 => Just(b"(N\x94tp0\n0g0\n".to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    let cut = (prop::collection::vec(piece, 0..12), 0..4_usize);
    cut.prop_map(|(pieces, cut)| {
        let mut bytes = pieces.concat();
        bytes.truncate(bytes.len().saturating_sub(cut));
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn anything_is_judged_and_every_offset_is_inside(
        bytes in soup(), many: bool, persistent_ids: bool,
    ) {
        let allow = AllowList::std();
        let report = scan(&bytes, &ScanOptions { many, persistent_ids, ..ScanOptions::new(&allow) });
        prop_assert!(report.refusals.iter().all(|refusal| refusal.offset <= bytes.len()));
        prop_assert!(report.imports.iter().all(|import| import.offset < bytes.len()));
        prop_assert_eq!(report.verdict().is_ok(), report.refusals.is_empty());
        prop_assert!(report.complete || report.verdict().is_err());
    }

    #[test]
    fn what_is_allowed_has_only_listed_imports_and_a_longer_list_allows_it(
        bytes in soup(), many: bool,
    ) {
        let (short, long) = (AllowList::std(), {
            let mut long = AllowList::std();
            long.extend(AllowList::numpy());
            long.insert("os", "getpid");
            long
        });
        let report = scan(&bytes, &ScanOptions { many, ..ScanOptions::new(&short) });
        let longer = scan(&bytes, &ScanOptions { many, ..ScanOptions::new(&long) });
        let nothing = AllowList::new();
        let shorter = scan(&bytes, &ScanOptions { many, ..ScanOptions::new(&nothing) });
        if report.verdict().is_ok() {
            for import in &report.imports {
                prop_assert_eq!(import.refusal, None);
                prop_assert!(short.allows(&import.module, &import.name), "{}", import);
            }
            prop_assert_eq!(longer.verdict(), Ok(()));
            prop_assert_eq!(shorter.verdict().is_ok(), report.imports.is_empty());
        }
        // The list has no say in what is found.
        prop_assert_eq!(report.imports.len(), longer.imports.len());
        prop_assert_eq!(report.complete, longer.complete);
    }

    /// A pickle that is cut is never allowed.
    #[test]
    fn a_part_of_a_pickle_is_refused(index in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>()) {
        let good: Vec<_> = RULES.iter().map(|rule| rule.3).filter(|good| good.len() < 64).collect();
        let good = good[index.index(good.len())];
        let cut = cut.index(good.len());
        let allow = AllowList::std();
        prop_assert!(scan(&good[..cut], &ScanOptions::new(&allow)).verdict().is_err());
    }
}
