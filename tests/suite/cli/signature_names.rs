//! `FILE.sig` is a signature beside FILE, and never anything else.

use std::process::Output;

use crate::common::{Person, assert_refused};

fn run(person: &Person, line: &str) -> Output {
    person.shell(line).output().unwrap()
}

fn done(person: &Person, line: &str) -> String {
    let output = run(person, line);
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn hint(output: &Output) -> String {
    let said = said(output);
    let hint = said.lines().find_map(|line| line.strip_prefix("brine: hint: "));
    hint.unwrap_or_default().to_owned()
}

#[test]
fn a_signature_finds_its_file_and_the_verdict_names_that() {
    let person = Person::with_key();
    done(&person, "mkdir d; echo x > d/in; brine sign -d -c a/b d/in");
    for line in ["brine verify -c a/b d/in.sig", "cd d; brine verify -c a/b -d ./in.sig"] {
        let name = if line.starts_with("cd") { "./in" } else { "d/in" };
        let output = run(&person, &format!("{line} -v --report $PWD/report"));
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{name}: OK\n"), "{output:?}");
        let who = format!("brine: {name}: signed by default (a/b, ");
        assert!(said(&output).starts_with(&who), "{output:?}");
        let report = if line.starts_with("cd") { "d/report" } else { "report" };
        let verdict: serde_json::Value = serde_json::from_slice(&person.read(report)).unwrap();
        assert_eq!((&verdict["file"], &verdict["detached"]), (&name.into(), &true.into()));
    }
    done(&person, "echo y >> d/in");
    let output = run(&person, "brine verify -c a/b d/in.sig --report report");
    assert_refused(&output, 1, "\"d/in\": signature does not verify");
    let verdict: serde_json::Value = serde_json::from_slice(&person.read("report")).unwrap();
    assert_eq!((&verdict["file"], &verdict["reason"]), (&"d/in".into(), &"signature-bad".into()));
    let output = run(&person, "brine verify d/in.sig");
    assert!(output.stdout.is_empty() && output.status.code() == Some(1), "{output:?}");
}

/// Every way to name a signature, and everything that is none, although its signer is trusted and FILE is what it holds.
#[test]
fn an_envelope_in_a_sig_speaks_for_no_file_and_never_comes_out() {
    let person = Person::with_key();
    done(
        &person,
        "echo payload > one; head -c 5000000 /dev/zero > large; head -c 300000 /dev/urandom > two",
    );
    for (made, payload) in [
        ("brine sign one", "one"),
        ("brine sign -a one", "one"),
        ("brine sign --plain one", "one"),
        ("brine sign --segment-size 65536 two", "two"),
        ("brine sign --flush-after 1s one", "one"),
        ("brine sign --single large", "large"),
        ("brine sign large", "large"),
        ("brine sign --job one", "one"),
        ("cat one", "one"),
    ] {
        done(&person, &format!("{made} > x.sig"));
        for file in [true, false] {
            if file {
                done(&person, &format!("cp {payload} x"));
            }
            for line in [
                "brine verify x.sig",
                "brine verify ./x.sig",
                "brine verify x.sig x.sig",
                "brine verify -d x",
                "brine verify -d x.sig",
                "brine verify --signature x.sig x",
                "brine verify --signature x.sig < one",
                "brine verify --signature - x < x.sig",
                "brine verify -o out x.sig",
                "brine verify --whole x.sig",
                "brine verify --check x.sig",
                "brine verify -q x.sig",
                "brine verify --untyped --typ a/b x.sig",
                "ln -s x.sig y.sig; brine verify y.sig",
            ] {
                let output = run(&person, line);
                let _ = std::fs::remove_file(person.path("y.sig"));
                let what = format!("{made}, {line}, {file}: {output:?}");
                assert_eq!(output.status.code(), Some(3), "{what}");
                assert!(output.stdout.is_empty() && !person.path("out").exists(), "{what}");
                assert!(!said(&output).contains("OK"), "{what}");
            }
            let output = run(&person, "brine verify --json x.sig");
            let verdict: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
            assert_eq!((&verdict["verdict"], &verdict["file"]), (&"refused".into(), &"x".into()));
            for framing in ["--lines", "--cbor", "--len32"] {
                let output = run(&person, &format!("brine verify {framing} x.sig > out"));
                assert_refused(&output, 2, "ends in .sig is a signature, and holds no records");
                assert!(person.read("out").is_empty(), "{made}, {framing}");
            }
            done(&person, "rm -f x out");
        }
    }
}

/// Whoever made it, and whatever became of it: nobody can say that it was altered.
#[test]
fn a_signature_without_its_file_is_not_said_to_be_altered() {
    let person = Person::with_key();
    done(&person, "brinekey gen other --no-trust; echo x > x");
    for options in ["", "-a", "--segment-size 1", "--plain", "-c a/b", "-k other"] {
        done(&person, &format!("brine sign -d -o sig {options} x"));
        for spoiled in
            ["true", "printf x | dd of=sig bs=1 conv=notrunc seek=$(($(wc -c < sig) - 2)) 2>&1"]
        {
            if options == "-a" && spoiled != "true" {
                continue;
            }
            done(&person, spoiled);
            for (line, names, typed) in [
                ("brine verify < sig", "standard input", "brine verify --signature - FILE"),
                ("cat sig | brine verify -", "standard input", "brine verify --signature - FILE"),
                ("brine verify sig", "\"sig\"", "brine verify --signature sig FILE"),
                ("brine verify --check sig", "\"sig\"", "brine verify --signature sig FILE"),
                (
                    "cp sig x.brine; brine verify x.brine",
                    "\"x.brine\"",
                    "brine verify --signature x.brine x",
                ),
                (
                    "cp sig gone.sig; brine verify gone.sig",
                    "its file \"gone\" is not there",
                    "brine verify --signature gone.sig FILE",
                ),
                (
                    "brine verify -d gone",
                    "its file \"gone\" is not there",
                    "brine verify --signature gone.sig FILE",
                ),
                (
                    "brine verify -d gone.sig",
                    "its file \"gone\" is not there",
                    "brine verify --signature gone.sig FILE",
                ),
                (
                    "cp sig .sig; brine verify .sig",
                    "\".sig\" is a detached",
                    "brine verify --signature .sig FILE",
                ),
                (
                    "cp sig 'a b'; brine verify 'a b'",
                    "\"a b\"",
                    "brine verify --signature 'a b' FILE",
                ),
            ] {
                let output = run(&person, line);
                assert_refused(&output, 2, names);
                assert!(!said(&output).contains("altered"), "{options}, {line}: {output:?}");
                assert!(hint(&output).ends_with(typed), "{options}, {line}: {output:?}");
            }
        }
    }
    let output = run(&person, "brine verify --json gone.sig");
    let verdict: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    let expected = (&"failed".into(), &"file-missing".into(), &"gone".into());
    assert_eq!((&verdict["verdict"], &verdict["reason"], &verdict["file"]), expected);
}

#[test]
fn a_file_without_its_signature_is_said_where_it_may_be() {
    let person = Person::with_key();
    done(&person, "echo x > x; echo y > y; brine sign y -o y.brine; echo z > z; brine sign -d z");
    for (line, status, names, typed) in [
        (
            "brine verify -d x",
            4,
            "\"x\" has no signature \"x.sig\" beside it",
            "brine verify --signature SIG x",
        ),
        (
            "brine verify x.sig",
            4,
            "\"x\" has no signature \"x.sig\" beside it",
            "brine verify --signature SIG x",
        ),
        ("brine verify -d y", 4, "\"y\" has no signature", "brine verify y.brine"),
        ("brine verify -d none", 4, "neither \"none\" nor \"none.sig\" is there", ""),
        ("brine verify none.sig", 4, "neither \"none\" nor \"none.sig\" is there", ""),
        ("brine verify --signature none x", 4, "\"none\": No such file", ""),
        ("brine verify z", 3, "\"z\": not an envelope", "brine verify z.sig"),
        ("brine verify z z.sig", 2, "cannot both be", "brine verify --signature z.sig z"),
        ("brine verify z.sig z", 2, "cannot both be", "brine verify --signature z.sig z"),
        (
            "brine verify --signature z z.sig",
            2,
            "they are swapped",
            "brine verify --signature z.sig z",
        ),
        (
            "cp z.sig s; brine verify --signature z s",
            2,
            "they are swapped",
            "brine verify --signature s z",
        ),
    ] {
        let output = run(&person, line);
        assert_refused(&output, status, names);
        assert!(hint(&output).ends_with(typed), "{line}: {output:?}");
        if !typed.is_empty() && !typed.contains("SIG") {
            let typed = format!("brine {}", typed.split_once("brine ").unwrap().1);
            assert!(run(&person, &typed).status.success(), "{typed}");
        }
    }
    // Two files of which neither is a signature were not swapped.
    assert_refused(&run(&person, "brine verify --signature x y"), 3, "not an envelope");
    assert_eq!(done(&person, "brine verify z.sig z.sig"), "z: OK\nz: OK\n");
}

/// Who can sign anything and writes to the directory would have `-d a.sig` speak of a.sig, and the person think of a.
#[test]
fn a_signature_of_a_signature_does_not_vouch_for_the_file() {
    let person = Person::with_key();
    done(&person, "echo good > a; brine sign -d a; echo odd > odd.sig; brine sign -d odd.sig");
    assert_eq!(done(&person, "brine verify -d a.sig"), "a: OK\n");
    // A file may be called so, too.
    assert_eq!(done(&person, "brine verify -d odd.sig"), "odd.sig: OK\n");
    assert_eq!(done(&person, "brine verify odd.sig.sig"), "odd.sig: OK\n");
    done(&person, "echo bad > a; cp odd.sig a.sig; cp odd.sig.sig a.sig.sig");
    assert_refused(&run(&person, "brine verify -d a.sig"), 3, "not an envelope");
    assert_refused(&run(&person, "brine verify -d a"), 3, "not an envelope");
    assert_eq!(done(&person, "brine verify --signature a.sig.sig a.sig"), "a.sig: OK\n");
    done(&person, "brine sign -d -f a; brine sign -d -f a.sig; echo worse > a");
    assert_refused(&run(&person, "brine verify -d a.sig"), 1, "\"a\": signature does not verify");
    assert_refused(&run(&person, "brine verify a.sig"), 1, "\"a\": signature does not verify");
}

/// `dir/*` has every file, and every signature of one.
#[test]
fn all_of_a_directory_is_signed_and_verified_once() {
    let person = Person::with_key();
    done(&person, "mkdir d; echo 1 > d/a; echo 2 > d/b");
    let signed = run(&person, "brine sign -d d/*");
    assert!(signed.status.success() && signed.stderr.is_empty(), "{signed:?}");
    let before = person.read("d/a.sig");
    for (line, status, told) in [
        (
            "brine sign -d d/*",
            4,
            "brine: not signed: 2 signatures, as their names say, like \"d/a.sig\"; to sign it, too: brine sign -d d/a.sig\n",
        ),
        (
            "brine sign -d -f d/*",
            0,
            "brine: not signed: 2 signatures, as their names say, like \"d/a.sig\"; to sign it, too: brine sign -d d/a.sig\n",
        ),
        (
            "brine sign -d -f d/b.sig d/b",
            0,
            "brine: not signed: \"d/b.sig\", by its name the signature of a file beside it; to sign it, too: brine sign -d d/b.sig\n",
        ),
        ("brine sign -q -d -f d/*", 0, ""),
    ] {
        let output = run(&person, line);
        assert_eq!(output.status.code(), Some(status), "{line}: {output:?}");
        assert!(said(&output).starts_with(told), "{line}: {output:?}");
        assert_eq!(status == 0, said(&output) == told, "{line}: {output:?}");
        assert_eq!(done(&person, "ls d"), "a\na.sig\nb\nb.sig\n", "{line}");
    }
    assert!(person.read("d/a.sig") != before);
    let again = run(&person, "brine sign -d d/*");
    assert!(said(&again).ends_with("brine: error: 2 of 2 files were not signed\n"), "{again:?}");
    // Nothing is left out of what is verified: each is verified by its signature.
    assert_eq!(done(&person, "brine verify -d d/*"), "d/a: OK\nd/b: OK\n");
    done(&person, "echo odd > d/b");
    let output = run(&person, "brine verify -d d/*");
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(1), &b"d/a: OK\n"[..]));
    assert!(said(&output).ends_with("brine: error: 1 of 2 files did not verify\n"), "{output:?}");
    // What has a signature of its own by now is another file than the one that it is the signature of.
    done(&person, "brine sign -d d/a.sig");
    assert_eq!(done(&person, "brine verify -d d/a d/a.sig.sig"), "d/a: OK\nd/a.sig: OK\n");
}

/// A name cannot pretend to be a line about another file.
#[test]
fn a_line_about_a_file_is_one_line() {
    let person = Person::with_key();
    done(&person, "n=$(printf 'new\\nline'); echo x > \"$n\"; brine sign -d \"$n\"; echo x > a");
    assert_eq!(done(&person, "brine verify -d new*line"), "\"new\\nline\": OK\n");
    let output = run(&person, "brine sign -d a new*line");
    assert!(said(&output).ends_with("brine: error: 1 of 2 files was not signed\n"), "{output:?}");
}

/// A job is an envelope with a payload, too.
#[test]
fn no_job_in_a_sig_is_run() {
    let person = Person::with_key();
    done(&person, "echo 'echo ran > ran' > x; brine sign --job x -o x.sig; cp x.sig x.job");
    assert!(done(&person, "brine run --explain x.job -- sh").contains("sh"));
    for line in ["brine run x.sig -- sh", "brine run --explain x.sig -- sh"] {
        assert_refused(&run(&person, line), 3, "and no signature of \"x\"");
    }
    assert!(!person.path("ran").exists());
}

#[test]
fn what_the_verdict_is_about_is_not_written_over() {
    let person = Person::with_key();
    done(&person, "echo x > x; brine sign -d x");
    for file in ["x", "x.sig"] {
        let before = person.read(file);
        for line in [
            format!("brine verify x.sig --report {file}"),
            format!("brine verify -d x.sig --report {file}"),
            format!("brine verify --signature x.sig x --report {file}"),
            format!("brine verify x.sig >> {file}"),
        ] {
            assert_refused(&run(&person, &line), 2, "are the same file");
            assert!(person.read(file) == before, "{line}");
        }
    }
    for line in ["brine verify -o out x.sig", "brine verify --whole x.sig"] {
        assert_refused(&run(&person, line), 2, "has no payload to write");
    }
    assert!(!person.path("out").exists());
}

/// A name can come out of an archive that somebody else made. What a hint shows is typed as it stands.
#[test]
fn a_name_that_is_a_command_runs_nothing_where_a_hint_is_typed() {
    for name in
        ["rel $(touch ran).tar", "rel `touch ran`", "rel\"; touch ran; \"", "rel'; touch ran; '"]
    {
        let person = Person::with_key();
        person.write(name, "x");
        let said = |arguments: &[&str]| {
            let output = person.program(env!("CARGO_BIN_EXE_brine"), arguments).output().unwrap();
            assert!(!output.status.success(), "{output:?}");
            let said = String::from_utf8(output.stderr).unwrap();
            said.lines().find_map(|line| line.strip_prefix("brine: hint: ")).unwrap().to_owned()
        };
        let signature = format!("{name}.sig");
        let mut hints = vec![said(&["verify", "-d", name])];
        person.program(env!("CARGO_BIN_EXE_brine"), &["sign", "-d", name]).assert().success();
        hints.push(said(&["sign", "-d", name]));
        hints.push(said(&["verify", name]));
        std::fs::rename(person.path(&signature), person.path("other")).unwrap();
        hints.push(said(&["verify", "--signature", name, "other"]));
        for hint in hints {
            let typed = hint.split_once("brine ").map(|(_, rest)| format!("brine {rest}")).unwrap();
            person.shell(&typed).output().unwrap();
            assert!(!person.path("ran").exists(), "{hint}");
            let shown = if name.contains(['"', ';']) { "FILE" } else { "'rel " };
            assert!(hint.contains(shown), "{hint}");
        }
    }
}
