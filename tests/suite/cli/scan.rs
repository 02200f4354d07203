//! `brine scan`: how it says what it found, and how it ends.

use std::process::Output;

use serde_json::{Value, json};

use crate::common::{Person, project};

const SET: &[u8] = b"\x80\x04cbuiltins\nset\n)R.";
const GETPID: &[u8] = b"\x80\x04ccollections\nOrderedDict\n0cos\ngetpid\n.";

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap()
}

#[track_caller]
fn assert_ends(output: &Output, status: i32, said: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{stderr}");
    assert!(stderr.contains(said), "{stderr:?} does not say {said:?}");
    assert_eq!(stderr.is_empty(), status == 0, "{stderr}");
}

#[test]
fn scan_lists_every_import_and_ends_with_0_if_all_are_allowed() {
    let person = Person::new();
    person.write("set.pkl", SET);
    let output = person.brine(["scan", "set.pkl"]).output().unwrap();
    assert_ends(&output, 0, "");
    let page = "set.pkl: allowed, it imports nothing else than\n  allowed  builtins:set  GLOBAL at byte 2\n";
    assert_eq!(stdout(&output), page);
    let output = person.brine(["scan"]).write_stdin("N.").output().unwrap();
    assert_ends(&output, 0, "");
    assert_eq!(stdout(&output), "standard input: allowed, it imports nothing\n");
}

#[test]
fn scan_ends_with_5_if_an_import_is_not_on_the_list() {
    let person = Person::new();
    let output = person.brine(["scan"]).write_stdin(GETPID).output().unwrap();
    assert_ends(&output, 5, "imports os:getpid, which is not on the list, at byte 28");
    assert_eq!(
        stdout(&output),
        "standard input: refused\n  allowed  collections:OrderedDict  GLOBAL at byte 2\n  \
         refused  os:getpid                GLOBAL at byte 28\n"
    );
}

#[test]
fn scan_ends_with_1_for_what_is_broken_and_with_3_for_what_is_no_pickle() {
    let person = Person::new();
    let output = person.brine(["scan"]).write_stdin(&SET[..5]).output().unwrap();
    assert_ends(&output, 1, "is cut short, at byte 2");
    assert!(stdout(&output).ends_with("there may be more imports\n"), "{}", stdout(&output));
    let output = person.brine(["scan", "-"]).write_stdin("PK\x03\x04").output().unwrap();
    assert_ends(&output, 1, "is an archive whose directory does not describe all of it, at byte 4");
    for nothing in [&b""[..], b"{}"] {
        let output = person.brine(["scan", "-"]).write_stdin(nothing).output().unwrap();
        assert_ends(&output, 3, "does not begin as a pickle does");
    }
    let envelope = Person::with_key().sign([], SET);
    let output = person.brine(["scan"]).write_stdin(envelope).output().unwrap();
    assert_ends(&output, 3, "it is a signed envelope");
}

#[test]
fn scan_ends_as_the_first_that_was_refused_and_says_how_all_did() {
    let person = Person::new();
    person.write("good", SET);
    person.write("bad", GETPID);
    person.write("cut", &SET[..5]);
    let output = person.brine(["scan", "good", "cut", "bad", "missing", "good"]).output().unwrap();
    assert_ends(&output, 1, "bad: imports os:getpid");
    assert_ends(&output, 1, "\"missing\": No such file");
    let verdicts: Vec<_> = stdout(&output).lines().filter(|line| !line.starts_with(' ')).collect();
    let good = "good: allowed, it imports nothing else than";
    assert_eq!(verdicts, [good, "cut: refused", "bad: refused", good]);
    let output = person.brine(["scan", "good", "missing", "bad"]).output().unwrap();
    assert_ends(&output, 4, "\"missing\"");
}

#[test]
fn a_list_replaces_the_standard_one_and_several_add_up() {
    let person = Person::new();
    person.write("mine", "# what is ours\nos:getpid  # harmless\n");
    person.write("pickle", GETPID);
    let both = ["scan", "--allow", "./mine", "--allow", "std", "pickle"];
    let output = person.brine(both).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    let warning = "brine: warning: the list has os:getpid, which can reach what is not on it\n";
    assert_eq!(stderr, warning);
    let output = person.brine(["scan", "--allow", "mine", "pickle"]).output().unwrap();
    assert_ends(&output, 5, "imports collections:OrderedDict, which is not on the list");
    let array = project("fixtures/pickle/numpy_array_p2.pkl");
    let array = array.to_str().unwrap();
    let output = person.brine(["scan", array]).output().unwrap();
    assert_ends(&output, 5, "numpy");
    let output = person.brine(["scan", "--allow=std", "--allow=numpy", array]).output().unwrap();
    assert_ends(&output, 0, "");
}

#[test]
fn a_broken_list_is_wrong_usage_and_a_missing_one_a_failure() {
    let person = Person::new();
    person.write("mine", "os:getpid\nos:*\n");
    let output = person.brine(["scan", "--allow", "mine"]).write_stdin(SET).output().unwrap();
    assert_ends(&output, 2, "\"mine\": line 2: \"os:*\" is not MODULE:NAME");
    assert_eq!(stdout(&output), "");
    let output = person.brine(["scan", "--allow", "nump"]).write_stdin(SET).output().unwrap();
    assert_ends(&output, 4, "\"nump\"");
    let output = person.brine(["scan", "-", "-"]).write_stdin(SET).output().unwrap();
    assert_ends(&output, 2, "standard input can be read only once");
}

#[test]
fn several_pickles_and_persistent_ids_are_taken_if_asked_for() {
    let person = Person::new();
    let output = person.brine(["scan"]).write_stdin("N.N.").output().unwrap();
    assert_ends(&output, 1, "goes on after its end, at byte 2\nbrine: hint: if it is several");
    let output = person.brine(["scan", "--multi"]).write_stdin("N.N.").output().unwrap();
    assert_ends(&output, 0, "");
    let output = person.brine(["scan"]).write_stdin("P1\n.").output().unwrap();
    assert_ends(&output, 5, "has a persistent id, which the loader looks up, at byte 0");
    let output = person.brine(["scan", "--persistent-ids"]).write_stdin("P1\n.").output().unwrap();
    assert_ends(&output, 0, "");
}

#[test]
fn scan_writes_a_line_of_json_for_each_file() {
    let person = Person::new();
    person.write("bad", GETPID);
    person.write("old", b"c__builtin__\nset\n.");
    let output = person.brine(["scan", "--json", "bad", "old", "missing"]).output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    let lines: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines[0],
        json!({
            "schema": "brine.scan/1",
            "file": "bad",
            "verdict": "refused",
            "status": 5,
            "reason": "import-not-allowed",
            "message": "bad: imports os:getpid, which is not on the list, at byte 28",
            "hint": "what may be imported is given with \"--allow LIST\"; what is on a list runs",
            "form": "pickle",
            "bytes": 40,
            "pickles": 1,
            "data_members": 0,
            "complete": true,
            "imports": [
                {
                    "inside": [],
                    "module": "collections", "name": "OrderedDict", "mapped": null, "protocol": 4,
                    "how": "GLOBAL", "offset": 2, "times": 1, "verdict": "allowed", "reason": null,
                },
                {
                    "inside": [],
                    "module": "os", "name": "getpid", "mapped": null, "protocol": 4,
                    "how": "GLOBAL", "offset": 28, "times": 1, "verdict": "refused",
                    "reason": "import-not-allowed",
                },
            ],
            "refusals": [{
                "inside": [],
                "reason": "import-not-allowed",
                "message": "imports os:getpid, which is not on the list",
                "offset": 28,
            }],
        })
    );
    assert_eq!(lines[1]["verdict"], "allowed");
    assert_eq!(lines[1]["imports"][0]["mapped"], json!({"module": "builtins", "name": "set"}));
    assert_eq!(lines[1]["refusals"], json!([]));
    let missing = json!({
        "schema": "brine.scan/1", "file": "missing", "verdict": "failed", "status": 4,
        "reason": "io", "message": lines[2]["message"], "hint": null,
    });
    assert_eq!(lines[2], missing);
}

/// A refusal says what to type next: the line of a list, the command that unpacks, or the option.
#[test]
fn a_refusal_says_what_would_allow_it_or_unpack_it() {
    let person = Person::new();
    let gzip = project("fixtures/pickle/containers/plain.pkl.gz");
    let gzip = gzip.to_str().unwrap();
    for (pickle, status, hint) in [
        (
            &b"\x80\x04cshop.orders\nOrder\n."[..],
            5,
            "a list with the line \"shop.orders:Order\", given",
        ),
        (b"c__builtin__\nchr\n.", 5, "the lines \"__builtin__:chr\""),
        (
            b"\x80\x04cdatetime\ndate\nN\x85R.",
            5,
            "the line \"datetime:date any\", given with \"--allow LIST\", lifts the rule",
        ),
        (b"BZh91AY&SY", 3, "\"bzip2 -dc FILE | brine scan\" scans what is in it"),
        (b"\xfd7zXZ\0", 3, "\"xz -dc FILE | brine scan\" scans"),
        (b"\x28\xb5\x2f\xfd", 3, "\"zstd -dc FILE | brine scan\" scans"),
        (b"\x04\x22\x4d\x18", 3, "\"lz4 -dc FILE | brine scan\" scans"),
        (b"7z\xbc\xaf\x27\x1c", 3, "\"7z x FILE\""),
        (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", 3, "torch.load(FILE, weights_only=True)"),
    ] {
        let output = person.brine(["scan"]).write_stdin(pickle).output().unwrap();
        assert_ends(&output, status, hint);
    }
    let objects = project("fixtures/pickle/containers/numpy1_arrays_objects.joblib");
    let objects = ["scan", "--allow=std", "--allow=numpy", objects.to_str().unwrap()];
    let output = person.brine(objects).output().unwrap();
    assert_ends(&output, 5, "hint: arrays of objects, and those that joblib before 1.2 wrote");
    // No list should have what reaches any other name.
    let output = person.brine(["scan"]).write_stdin(GETPID).output().unwrap();
    assert_ends(&output, 5, "hint: what may be imported is given with \"--allow LIST\"");
    let output = person.brine(["scan", "--max-inflated", "9", gzip]).output().unwrap();
    assert_ends(
        &output,
        3,
        "inflates to more than the limit, at byte 0\nbrine: hint: a larger limit",
    );
    let output = person.brine(["scan", "--max-inflated", "1KiB", gzip]).output().unwrap();
    assert_ends(&output, 0, "");
    let output = person.brine(["scan", "--max-inflated", "1KB", gzip]).output().unwrap();
    assert_ends(&output, 2, "expected a size like 65536");
}

#[test]
fn scan_says_in_which_member_something_is() {
    let person = Person::new();
    let model = project("fixtures/pickle/containers/layout_bad.pt");
    let model = model.to_str().unwrap();
    let output = person.brine(["scan", model]).output().unwrap();
    assert_ends(&output, 5, "layout_bad.pt: archive/data.pkl: imports posix:getpid, which is not");
    let line = "\n  refused  posix:getpid  GLOBAL at byte 2 of archive/data.pkl\n";
    assert!(stdout(&output).ends_with(line), "{}", stdout(&output));
    let output = person.brine(["scan", "--json", model]).output().unwrap();
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&line["form"], &line["pickles"], &line["data_members"]),
        (&json!("zip"), &json!(1), &json!(4))
    );
    assert_eq!(line["imports"][0]["inside"], json!(["archive/data.pkl"]));
    assert_eq!(line["refusals"][0]["inside"], json!(["archive/data.pkl"]));
}

/// The name of a member comes from the file, and can be made to look like anything.
#[test]
fn the_name_of_a_member_does_not_reach_the_terminal_as_it_is() {
    let person = Person::new();
    let model = std::fs::read(project("fixtures/pickle/containers/layout_bad.pt")).unwrap();
    let name = b"archive/data.pkl";
    let evil = "\x1b[2J\r\u{202e}a.pkl\t..".as_bytes();
    assert_eq!(name.len(), evil.len());
    let mut changed = model.clone();
    for at in 0..model.len() - name.len() {
        if model[at..].starts_with(name) {
            changed[at..at + evil.len()].copy_from_slice(evil);
        }
    }
    person.write("model.pt", &changed);
    for arguments in [["scan", "--multi", "model.pt"], ["scan", "--json", "model.pt"]] {
        let output = person.brine(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(5));
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(text.contains("a.pkl"), "{text:?}");
        assert!(!text.contains(['\x1b', '\r', '\t', '\u{202e}']), "{text:?}");
    }
}

/// docs/scan.md names every member.
#[test]
fn the_document_has_every_member_of_the_json() {
    let person = Person::new();
    let output = person.brine(["scan", "--json"]).write_stdin(GETPID).output().unwrap();
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    let page = crate::common::project_text("docs/scan.md");
    let members = [&line, &line["imports"][0], &line["refusals"][0]];
    for member in members.iter().flat_map(|object| object.as_object().unwrap().keys()) {
        assert!(page.contains(&format!("`{member}`")), "docs/scan.md does not name {member}");
    }
}

#[test]
fn what_a_pickle_says_does_not_reach_the_terminal_as_it_is() {
    let person = Person::new();
    let pickle = "c\x1b[2Jos\n\u{202e}getpid\n.";
    for arguments in [["scan", "-"], ["scan", "--json"]] {
        let output = person.brine(arguments).write_stdin(pickle).output().unwrap();
        assert_eq!(output.status.code(), Some(5));
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("getpid"), "{text:?}");
        assert!(!text.contains('\x1b') && !text.contains('\u{202e}'), "{text:?}");
    }
}
