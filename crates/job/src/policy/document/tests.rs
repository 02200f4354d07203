use brine_core::Classified as _;

use super::*;

/// Reads a policy whose only entry begins with `signers` in line 2.
fn entry(lines: &str) -> Result<PolicyEntry, PolicyFileError> {
    Ok(read(format!("[[allow]]\nsigners = [\"alice\"]\n{lines}\n").as_bytes())?.remove(0))
}

fn terms(lines: &str) -> PolicyTerms {
    entry(lines).unwrap_or_else(|error| panic!("{lines}: {error}")).terms
}

#[track_caller]
fn refused(text: &str, reason: &str, said: &str) {
    let error = read(text.as_bytes()).expect_err(text);
    assert_eq!(error.reason(), reason, "{text}");
    assert!(error.to_string().contains(said), "{text}: {error}");
}

#[track_caller]
fn refused_in_entry(lines: &str, reason: &str, said: &str) {
    refused(&format!("[[allow]]\nsigners = [\"alice\"]\n{lines}\n"), reason, said);
}

#[test]
fn an_entry_needs_only_signers() {
    let found = entry("").unwrap();
    assert_eq!(found.signers, BTreeSet::from(["alice".to_owned()]));
    assert_eq!((found.line, found.contexts, found.content_types), (1, None, None));
    assert_eq!(found.terms, PolicyTerms::default());
    for empty in ["", "# nobody\n", "version = 1", "[defaults]\nports = [1]"] {
        assert_eq!(read(empty.as_bytes()).unwrap(), []);
    }
}

#[test]
fn an_entry_is_read_in_full() {
    let found = entry(
        "contexts = [\"jobs/*\"]\ncontent-types = [\"text/x-python\"]\nformats = [\"json\", \"utf8\"]\n\
         ports = [443, 5432]\npickle-imports = [\"std\", \"/etc/brine/names\"]\n\
         exec-scratch = true\nsystem = [\"/usr\", \"/lib\"]\nread = { data = \"/srv/data\" }\n\
         json-schema = \"/etc/brine/result.json\"\n\
         environment = { LANG = \"C.UTF-8\", EMPTY = \"\" }\n\
         limits = { wall = \"5m\", memory = \"2GiB\", output = 4096, processes = 8 }\n\
         [allow.write]\nwork = \"/srv/work\"\n[allow.interpreters.python3]\npath = \"/usr/bin/python3\"\n\
         sha256 = \"00000000000000000000000000000000000000000000000000000000000000Ff\"\n\
         arguments = [[\"-I\", \"-\"], [\"-I\", \"{}\", \"...\"], [\"...\"]]",
    )
    .unwrap();
    assert_eq!(found.contexts.unwrap().len(), 1);
    assert_eq!(found.content_types, Some(["text/x-python".to_owned()].into()));
    let terms = found.terms;
    assert_eq!(terms.formats, Some(vec![OutputFormat::Json, OutputFormat::Utf8]));
    assert_eq!(terms.json_schema, Some("/etc/brine/result.json".into()));
    assert_eq!(terms.ports, Some([443, 5432].into()));
    let lists =
        [ImportList::BuiltIn("std".to_owned()), ImportList::File("/etc/brine/names".into())];
    assert_eq!(terms.pickle_imports, Some(lists.into()));
    assert_eq!(terms.system, Some(["/usr".into(), "/lib".into()].into()));
    assert_eq!(terms.exec_scratch, Some(true));
    assert_eq!(terms.read.unwrap()["data"], Path::new("/srv/data"));
    assert_eq!(terms.write.unwrap()["work"], Path::new("/srv/work"));
    let environment: Vec<_> = terms.environment.unwrap().into_values().collect();
    assert_eq!(environment, ["", "C.UTF-8"]);
    let limits = [
        (Limit::Memory, 2 << 30),
        (Limit::Output, 4096),
        (Limit::Processes, 8),
        (Limit::Wall, 300_000),
    ];
    assert_eq!(terms.limits, LimitValues::from(limits));
    let interpreters = terms.interpreters.unwrap();
    let python = &interpreters[&InterpreterAlias::parse("python3").unwrap()];
    assert_eq!(python.path, Path::new("/usr/bin/python3"));
    assert_eq!((python.sha256.unwrap()[30], python.sha256.unwrap()[31]), (0, 255));
    let allowed = |first: &[&str], and_any| AllowedArguments {
        first: first.iter().map(|text| (*text).to_owned()).collect(),
        and_any,
    };
    let expected = [allowed(&["-I", "-"], false), allowed(&["-I", "{}"], true), allowed(&[], true)];
    assert_eq!(python.arguments, expected);
}

#[test]
fn an_interpreter_without_arguments_takes_none() {
    let terms = terms("interpreters.sh = { path = \"/bin/sh\" }");
    let sh = &terms.interpreters.unwrap()[&InterpreterAlias::parse("sh").unwrap()];
    assert!(sh.allows(&[]) && !sh.allows(&["-c".to_owned()]));
}

#[test]
fn arguments_are_allowed_as_a_whole() {
    let terms = terms(
        "interpreters.p = { path = \"/p\", arguments = [[\"-I\", \"-\"], [\"-I\", \"{}\", \"...\"]] }",
    );
    let p = &terms.interpreters.unwrap()[&InterpreterAlias::parse("p").unwrap()];
    let allows = |arguments: &[&str]| {
        p.allows(&arguments.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    };
    assert!(allows(&["-I", "-"]) && allows(&["-I", "{}"]) && allows(&["-I", "{}", "-c", "x"]));
    for refused in [&[][..], &["-I"], &["-"], &["-I", "-", "x"], &["-", "-I"], &["{}", "-I"]] {
        assert!(!allows(refused), "{refused:?}");
    }
}

#[test]
fn defaults_give_what_an_entry_does_not_say() {
    let text = "[defaults]\nports = [1]\nformats = [\"json\"]\nread = { a = \"/a\" }\n\
                limits = { wall = \"1s\", cpu = \"2s\" }\n\
                [[allow]]\nsigners = [\"alice\"]\nports = [2]\nlimits.wall = \"9s\"\n\
                [[allow]]\nsigners = [\"bob\"]\nports = []";
    let found = read(text.as_bytes()).unwrap();
    let [alice, bob] = [&found[0].terms, &found[1].terms];
    assert_eq!((&alice.ports, &bob.ports), (&Some([2].into()), &Some([].into())));
    assert_eq!(alice.formats, Some(vec![OutputFormat::Json]));
    assert_eq!(alice.limits, LimitValues::from([(Limit::Wall, 9000), (Limit::Cpu, 2000)]));
    assert_eq!(bob.limits, LimitValues::from([(Limit::Wall, 1000), (Limit::Cpu, 2000)]));
    assert_eq!(found.iter().map(PolicyEntry::line).collect::<Vec<_>>(), [6, 10]);
    let moved = "[[allow]]\nsigners = [\"alice\"]\n[defaults]\nports = [1]";
    assert_eq!(read(moved.as_bytes()).unwrap()[0].terms.ports, Some([1].into()));
}

#[test]
fn what_is_unknown_is_refused_by_name_and_line() {
    refused("allowed = 1", "policy-unknown-key", "line 1: unknown key \"allowed\"");
    refused("\n[default]", "policy-unknown-key", "line 2: unknown key \"default\"");
    refused("[defaults]\nsigners = []", "policy-unknown-key", "line 2: unknown key \"signers\"");
    refused("[defaults]\ncontexts = []", "policy-unknown-key", "line 2: unknown key \"contexts\"");
    refused_in_entry("port = [1]", "policy-unknown-key", "line 3: unknown key \"port\"");
    refused_in_entry("limits = { wal = \"1s\" }", "policy-unknown-key", "unknown key \"wal\"");
    let path = "interpreters.sh = { path = \"/bin/sh\", sha512 = \"\" }";
    refused_in_entry(path, "policy-unknown-key", "unknown key \"sha512\"");
    refused_in_entry(
        "[allow.interpreters.sh]\npath = \"/bin/sh\"\nargs = []",
        "policy-unknown-key",
        "line 5",
    );
}

#[test]
fn values_are_held_to_what_their_key_takes() {
    for (lines, said) in [
        ("ports = 1", "line 3: ports is 1, expected an array of ports"),
        ("ports = [0]", "ports from 1 to 65535"),
        ("ports = [65536]", "ports from 1 to 65535"),
        ("ports = [\"443\"]", "ports from 1 to 65535"),
        (
            "formats = [\"xml\"]",
            "formats is \"xml\", expected bytes, utf8, json, ndjson, cbor, arrow or parquet",
        ),
        ("formats = []", "expected bytes"),
        ("formats = \"json\"", "an array of texts"),
        ("contexts = [1]", "contexts is integer, expected an array of texts"),
        ("content-types = \"a/b\"", "an array of texts"),
        ("environment = [\"A\"]", "expected a table"),
        ("environment = { A = 1 }", "A is 1, expected text"),
        ("limits = { wall = 5 }", "wall is 5, expected a length of time like 200ms or 5s"),
        ("limits = { wall = \"5\" }", "wall is \"5\", expected a length of time"),
        ("limits = { memory = 0 }", "memory is 0, expected a size"),
        ("limits = { memory = -1 }", "memory is -1, expected a size"),
        ("limits = { files = \"many\" }", "files is \"many\", expected a number"),
        ("limits = 5", "expected a table"),
        ("interpreters = { sh = \"/bin/sh\" }", "sh is \"/bin/sh\", expected a table"),
        ("interpreters.sh = { path = 1 }", "path is 1, expected text"),
        ("interpreters.sh = { path = \"/bin/sh\", sha256 = \"00\" }", "expected 64 hex digits"),
        ("interpreters.sh = { path = \"/bin/sh\", arguments = [\"-c\"] }", "arrays of texts"),
        ("pickle-imports = [\"a b\"]", "std, numpy, or an absolute path"),
        ("pickle-imports = [\"\"]", "std, numpy, or an absolute path"),
        ("system = [\"/\"]", "a directory below it"),
    ] {
        refused_in_entry(lines, "policy-value", said);
    }
    refused("signers = 1\n[[allow]]", "policy-unknown-key", "signers");
    refused("[allow]\nsigners = []", "policy-value", "each begun by [[allow]]");
    refused("[[allow]]\nsigners = \"alice\"", "policy-value", "an array of texts");
    let sign = format!("interpreters.sh = {{ path = \"/s\", sha256 = \"+{}\" }}", "0".repeat(63));
    refused_in_entry(&sign, "policy-value", "64 hex digits");
}

#[test]
fn names_and_paths_keep_their_rules() {
    for (lines, said) in [
        ("environment = { \"A=B\" = \"\" }", "line 3: \"A=B\" is not a name"),
        ("interpreters.\"-c\" = { path = \"/bin/sh\" }", "\"-c\" is not a name"),
        ("read = { \"a/b\" = \"/a\" }", "\"a/b\" is not a name: a root has no /"),
        ("write = { \"..\" = \"/a\" }", "\"..\" is not a name"),
    ] {
        refused_in_entry(lines, "policy-name", said);
    }
    for path in ["a", "", "/a/", "/a//b", "/a/../b", "/a/./b", "./a", "/a/.", "~/a"] {
        refused_in_entry(
            &format!("read = {{ a = {path:?} }}"),
            "policy-path",
            "not an absolute path",
        );
    }
    refused_in_entry("interpreters.sh = { path = \"sh\" }", "policy-path", "line 3: \"sh\"");
    refused_in_entry("system = [\"usr\"]", "policy-path", "line 3: \"usr\"");
    refused_in_entry("pickle-imports = [\"./a\"]", "policy-path", "line 3: \"./a\"");
}

#[test]
fn other_rules_have_their_reasons() {
    refused("version = 2", "policy-version", "line 1: version is 2, must be 1");
    refused("[[allow]]\n", "policy-missing", "line 1: signers is missing");
    refused_in_entry("interpreters.sh = {}", "policy-missing", "line 3: path is missing");
    refused_in_entry("contexts = [\n\"a?\"]", "policy-glob", "line 4: context pattern");
    refused_in_entry("environment = { A = \"\\u0007\" }", "policy-control-character", "line 3: A");
    refused_in_entry("contexts = [\"\\u001b\"]", "policy-control-character", "contexts");
    refused("a = = 1", "policy-toml", "line 1: ");
    refused("a = 1\na = 2", "policy-toml", "line 2: ");
    refused("[[allow]]\n\0", "policy-not-text", "line 2: not UTF-8");
    assert_eq!(read(b"# \xff").unwrap_err().reason(), "policy-not-text");
    let large = vec![b'\n'; MAX_POLICY_BYTES + 1];
    assert_eq!(read(&large).unwrap_err().reason(), "policy-too-large");
    assert_eq!(read(&large[1..]), Ok(Vec::new()));
    let many = "[[allow]]\nsigners = []\n".repeat(MAX_POLICY_ENTRIES + 1);
    refused(&many, "policy-value", "up to 1000 tables");
    let (_, most) = many.split_at(many.len() / (MAX_POLICY_ENTRIES + 1));
    assert_eq!(read(most.as_bytes()).unwrap().len(), MAX_POLICY_ENTRIES);
    let both = "read = { a = \"/a\" }\nwrite = { a = \"/b\" }";
    refused_in_entry(both, "policy-root-twice", "line 1: root \"a\" is both in read and in write");
    refused(&format!("\n[defaults]\n{both}"), "policy-root-twice", "line 2: root \"a\"");
    let across =
        "[defaults]\nread = { a = \"/a\" }\n[[allow]]\nsigners = []\nwrite = { a = \"/b\" }";
    refused(across, "policy-root-twice", "line 3: root \"a\"");
}

#[test]
fn entries_that_are_bound_to_be_for_the_same_jobs_are_refused() {
    let two = |one: &str, other: &str| format!("[[allow]]\n{one}\n[[allow]]\n{other}\n");
    let (alice, both) = ("signers = [\"alice\"]", "signers = [\"alice\", \"bob\"]");
    let with = |signers: &str, more: &str| format!("{signers}\n{more}");
    for (one, other) in [
        (alice.to_owned(), both.to_owned()),
        (alice.to_owned(), with(alice, "contexts = [\"a\"]")),
        (with(alice, "content-types = [\"a/b\"]"), alice.to_owned()),
        (with(alice, "contexts = [\"a\", \"b\"]"), with(alice, "contexts = [\"b\"]")),
        (with(alice, "contexts = [\"a\"]"), with(alice, "content-types = [\"a/b\"]")),
    ] {
        refused(
            &two(&one, &other),
            "policy-overlap",
            "to jobs that the entry in line 1 applies to",
        );
    }
    for (one, other) in [
        (alice.to_owned(), "signers = [\"bob\"]".to_owned()),
        (with(alice, "contexts = [\"a\"]"), with(alice, "contexts = [\"b\"]")),
        (with(alice, "content-types = [\"a\"]"), with(alice, "content-types = [\"b\"]")),
        (with(alice, "contexts = []"), alice.to_owned()),
        // Only a job can tell.
        (with(alice, "contexts = [\"a*\"]"), with(alice, "contexts = [\"*b\"]")),
    ] {
        assert_eq!(read(two(&one, &other).as_bytes()).unwrap().len(), 2, "{one} {other}");
    }
}
