//! Completions in real shells: what is typed at a terminal, the tab key, and the words that come of it.

use crate::common::{Person, key, project, public_line};

/// Names that would run or name something else, if they stood on a line as they are, and how each is begun. A trust
/// file can be somebody else's.
const TRAPS: [(&str, &str); 8] = [
    ("$(touch pwned)", r"\$\("),
    ("`touch pwned`", r"\`t"),
    ("a;touch pwned;", r"a\;"),
    ("b'c\"$(touch pwned)", r"b\'"),
    ("two words & touch pwned", "two"),
    ("glob[a-z]{b,c}", "glob"),
    ("~root", r"\~r"),
    ("!touch", r"\!t"),
];

/// What is typed, and the words that it becomes.
const LINES: [(&str, &[&str]); 26] = [
    // Verbs.
    ("brine ver", &["brine", "verify"]),
    ("brinekey tru", &["brinekey", "trust"]),
    ("brinekey trust rem", &["brinekey", "trust", "remove"]),
    // Options.
    ("brine verify --signe", &["brine", "verify", "--signer"]),
    ("brine verify my --max", &["brine", "verify", "my", "--max-age"]),
    ("brinekey trust add --not-b", &["brinekey", "trust", "add", "--not-before"]),
    // Values of which there are few.
    ("brine sign --hash sha", &["brine", "sign", "--hash", "sha256"]),
    ("brine sign --hash=sha", &["brine", "sign", "--hash=sha256"]),
    // Keys.
    ("brine sign -k wo", &["brine", "sign", "-k", "worker"]),
    ("brine sign -kwo", &["brine", "sign", "-kworker"]),
    ("brinekey pub wo", &["brinekey", "pub", "worker"]),
    // Signers.
    ("brine verify -p al", &["brine", "verify", "-p", "alice"]),
    ("brine verify -p wo", &["brine", "verify", "-p", "worker"]),
    ("brine verify --signer al", &["brine", "verify", "--signer", "alice"]),
    ("brine verify --signer bob@", &["brine", "verify", "--signer", "bob@example.org"]),
    ("brine verify --signer=bob@ex", &["brine", "verify", "--signer=bob@example.org"]),
    (
        "brine verify --trust ./others --signer d",
        &["brine", "verify", "--trust", "./others", "--signer", "dave"],
    ),
    ("brinekey trust remove al", &["brinekey", "trust", "remove", "alice"]),
    ("brinekey trust revoke al", &["brinekey", "trust", "revoke", "alice"]),
    // Contexts: of a pattern, what every context has.
    ("brine verify -c jo", &["brine", "verify", "-c", "jobs/nightly"]),
    ("brine sign --context rep", &["brine", "sign", "--context", "reports/"]),
    ("brinekey trust add --context rep", &["brinekey", "trust", "add", "--context", "reports/*"]),
    // Files, and commands.
    ("brine verify my", &["brine", "verify", "my file"]),
    ("brine verify --output=my", &["brine", "verify", "--output=my file"]),
    ("brine run job -- brineke", &["brine", "run", "job", "--", "brinekey"]),
    // What is not there.
    ("brine verify --signer nobo", &["brine", "verify", "--signer", "nobo"]),
];

/// Somebody with two keys, who trusts several signers, one of them for contexts.
fn person() -> Person {
    let person = Person::with_key();
    person.brinekey(["gen", "worker", "--no-trust"]).assert().success();
    let trust = |name: &str, number, options: &[&str]| {
        let add = ["trust", "add", name, &public_line(&key(number))];
        person.brinekey(add).args(options).assert().success();
    };
    trust("alice", 7, &[]);
    trust("bob@example.org", 8, &[]);
    trust("carol", 9, &["--context", "jobs/nightly", "--context", "reports/*"]);
    trust("dave", 10, &["--trust", "others"]);
    for ((trap, _), number) in TRAPS.into_iter().zip(20..) {
        trust(trap, number, &[]);
    }
    person.write("my file", "");
    person
}

/// Types each line and the tab key at a shell, and returns the words that it makes of them.
#[track_caller]
fn typed(person: &Person, shell: &str, lines: &[String]) -> Vec<Vec<String>> {
    for program in ["brine", "brinekey"] {
        let write = format!("brine completions {shell} {program} > {program}.script");
        crate::run(person, shell, &write);
    }
    let typist = project("tests/foreign/typist.py");
    let line = format!("python3 {} {shell} ./brine.script ./brinekey.script", typist.display());
    let output = person.shell(&line).write_stdin(lines.join("\n")).output().unwrap();
    assert!(output.status.success(), "{shell}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[track_caller]
fn complete_what_can_be_named(shell: &str) {
    let lines = LINES.map(|(line, _)| line.to_owned());
    for ((line, expected), words) in LINES.into_iter().zip(typed(&person(), shell, &lines)) {
        assert_eq!(words, expected, "{shell}: {line}");
    }
}

/// A name is one word as it is, and runs nothing: neither when it is completed nor when the line is entered.
#[track_caller]
fn complete_names_that_are_traps(shell: &str) {
    let person = person();
    let lines = TRAPS.map(|(_, begin)| format!("brine verify --signer {begin}"));
    for ((trap, _), words) in TRAPS.into_iter().zip(typed(&person, shell, &lines)) {
        assert_eq!(words, ["brine", "verify", "--signer", trap], "{shell}");
    }
    // All at once, and in quotes that are open.
    let begun = ["", "\"", "\"$", "\"`", "'", "'b", "'$", "=", "=\""]
        .map(|begin| format!("--signer {begin}"));
    typed(&person, shell, &begun.map(|begin| format!("?brine verify {begin}")));
    assert!(!person.path("pwned").exists(), "{shell}");
}

#[test]
fn bash_completes_what_can_be_named() {
    complete_what_can_be_named("bash");
}

#[test]
fn zsh_completes_what_can_be_named() {
    complete_what_can_be_named("zsh");
}

#[test]
fn fish_completes_what_can_be_named() {
    complete_what_can_be_named("fish");
}

#[test]
fn bash_completes_names_that_are_traps_as_words() {
    complete_names_that_are_traps("bash");
}

#[test]
fn zsh_completes_names_that_are_traps_as_words() {
    complete_names_that_are_traps("zsh");
}

#[test]
fn fish_completes_names_that_are_traps_as_words() {
    complete_names_that_are_traps("fish");
}
