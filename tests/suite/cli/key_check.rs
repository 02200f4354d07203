//! `brinekey check`.

use std::collections::BTreeMap;
use std::process::Output;

use serde_json::Value;

use crate::common::Person;

fn run(person: &Person, line: &str) -> Output {
    person.shell(line).output().unwrap()
}

#[track_caller]
fn done(person: &Person, line: &str) {
    let output = run(person, line);
    assert!(output.status.success(), "{line}: {output:?}");
}

/// Returns the status, and each problem with its finding.
fn found(person: &Person, options: &str) -> (Option<i32>, BTreeMap<String, Value>) {
    let output = run(person, &format!("brinekey check --json {options}"));
    let lines = String::from_utf8(output.stdout).unwrap();
    let findings = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let named = findings.map(|it| (it["problem"].as_str().unwrap().to_owned(), it));
    (output.status.code(), named.collect())
}

#[test]
fn nothing_is_wrong_with_a_new_key_and_what_can_be_meant_is_noted() {
    let person = Person::new();
    person.write("pass", "secret");
    done(&person, "brinekey gen --passphrase-file pass");
    let output = run(&person, "brinekey check");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "brinekey: nothing is wrong; keys: 1, signers: 1\n");
    done(&person, "brinekey gen open --no-trust");
    let (status, findings) = found(&person, "");
    assert_eq!(status, Some(0));
    assert_eq!(findings.keys().collect::<Vec<_>>(), ["unencrypted", "unused"]);
    assert!(findings.values().all(|it| it["wrong"] == false && it["subject"] == "key \"open\""));
    let page = String::from_utf8(run(&person, "brinekey check").stdout).unwrap();
    assert!(
        page.contains("note   key \"open\": is not encrypted\n       type: brinekey passwd open\n"),
        "{page}"
    );
}

/// Each with what makes it, and whether what is to be typed makes it good.
#[test]
fn each_thing_that_is_wrong_is_found_with_what_to_type() {
    let keys = "\"$BRINE_HOME/keys\"";
    for (problem, line, mends) in [
        ("readable-by-others", format!("chmod 644 {keys}/a.key"), true),
        ("writable-by-others", format!("chmod 666 {keys}/a.pub"), true),
        ("writable-by-others", "chmod 666 \"$BRINE_HOME/trust.toml\"".to_owned(), true),
        ("public-half-missing", format!("rm {keys}/a.pub"), true),
        ("halves-differ", format!("brinekey gen b; cp {keys}/b.pub {keys}/a.pub"), true),
        ("unreadable", format!("echo nonsense > {keys}/a.key"), false),
        ("unreadable", "echo nonsense > \"$BRINE_HOME/trust.toml\"".to_owned(), false),
        ("leftover", format!("touch {keys}/.removed-7-x.key"), true),
        ("leftover", "touch \"$BRINE_HOME/.brine-0123456789abcdef\"".to_owned(), true),
        ("expired", "brinekey trust add o a --not-after 2020-01-01".to_owned(), true),
    ] {
        let person = Person::new();
        done(&person, &format!("brinekey gen a; {line}"));
        let (status, findings) = found(&person, "");
        assert_eq!(status, Some(6), "{line}: {findings:?}");
        let finding = findings.get(problem).unwrap_or_else(|| panic!("{line}: {findings:?}"));
        assert_eq!(finding["wrong"], true, "{line}");
        let output = run(&person, "brinekey check");
        assert_eq!(output.status.code(), Some(6), "{line}");
        let page = String::from_utf8(output.stdout).unwrap();
        assert!(page.starts_with("wrong  "), "{page}");
        if mends {
            done(&person, finding["hint"].as_str().unwrap());
            assert_eq!(found(&person, "").0, Some(0), "{line}: {finding}");
        }
    }
}

/// Whoever can write the trust file could have a key removed that is nobody else's.
#[test]
fn a_trust_file_that_others_may_write_says_nothing_of_any_key() {
    let person = Person::with_key();
    done(&person, "brinekey trust revoke default; chmod 666 \"$BRINE_HOME/trust.toml\"");
    let (status, findings) = found(&person, "");
    assert_eq!(status, Some(6), "{findings:?}");
    assert!(findings.contains_key("writable-by-others"), "{findings:?}");
    assert!(!findings.contains_key("revoked"), "{findings:?}");
}

#[test]
fn a_revoked_key_that_is_still_here_is_wrong_until_it_is_removed() {
    let person = Person::with_key();
    done(&person, "brinekey trust revoke default");
    let (status, findings) = found(&person, "");
    assert_eq!(
        (status, &findings["revoked"]["hint"]),
        (Some(6), &"brinekey remove default".into())
    );
    done(&person, "brinekey remove -f default");
    assert_eq!(found(&person, "").0, Some(0));
}

/// It is not known of any key whether the file has it, and nothing could be added to the file.
#[test]
fn a_trust_file_that_cannot_be_read_says_nothing_of_keys() {
    let person = Person::new();
    done(&person, "brinekey gen a --no-trust; echo 'nonsense' > \"$BRINE_HOME/trust.toml\"");
    let (status, findings) = found(&person, "");
    assert_eq!((status, findings.contains_key("unreadable")), (Some(6), true), "{findings:?}");
    assert!(!findings.contains_key("unused"), "{findings:?}");
}

/// One command mends both.
#[test]
fn what_is_to_be_typed_for_several_findings_is_said_once() {
    let person = Person::with_key();
    done(&person, "chmod 777 \"$BRINE_HOME\"");
    let page = String::from_utf8(run(&person, "brinekey check").stdout).unwrap();
    let lines: Vec<_> = page.lines().filter(|line| line.contains("type: chmod ")).collect();
    assert!(lines.len() == 1 && page.matches("wrong  ").count() > 1, "{page}");
}

#[test]
fn how_soon_is_a_question_of_the_option() {
    let person = Person::with_key();
    done(&person, "brinekey trust add soon default --not-after 20d");
    let within = |time: &str| found(&person, &format!("--within {time}"));
    assert!(!within("10d").1.contains_key("expiring"));
    // Until it has expired, it is right to believe it, and to remove it would be wrong.
    let (status, findings) = within("21d");
    let finding = &findings["expiring"];
    assert_eq!(
        (status, &finding["wrong"], &finding["hint"]),
        (Some(0), &false.into(), &Value::Null)
    );
}
