//! With a person at a terminal, which `script` (bsdutils) plays.

use crate::common::Person;

/// Runs a line at a terminal, with what is typed there, and returns what the terminal shows.
pub(super) fn at_terminal(person: &Person, line: &str, typed: &str) -> String {
    sent_to_terminal(person, line, typed).replace('\r', "")
}

/// Does the same, and returns all that the terminal gets.
pub(super) fn sent_to_terminal(person: &Person, line: &str, typed: &str) -> String {
    let mut command = person.shell(&format!("script -qec '{line}' /dev/null"));
    // A pause lets each prompt turn the echo off before its answer comes.
    let typed: String = typed.split_inclusive('\n').collect();
    let output = command.write_stdin(typed).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn binary_output_to_a_terminal_is_refused_unless_insisted_on() {
    let person = Person::with_key();
    person.write("in", "x");
    person.write("binary", b"\x00\x1b[2J");
    person.shell("brine sign binary > binary.brine; brine sign in > in.brine").assert().success();
    let shown = at_terminal(&person, "brine sign in; echo status $?", "");
    assert!(
        shown.contains("will not write an envelope to a terminal") && shown.contains("status 2"),
        "{shown}"
    );
    let shown = at_terminal(&person, "brine sign -a in", "");
    assert!(shown.contains("-----END BRINE ENVELOPE-----"), "{shown}");
    let shown = at_terminal(&person, "brine verify binary.brine; echo status $?", "");
    assert!(
        shown.contains("will not write binary data")
            && shown.contains("status 2")
            && !shown.contains('\x1b'),
        "{shown}"
    );
    let shown = at_terminal(&person, "brine verify -o - binary.brine; echo status $?", "");
    assert!(shown.contains("\x1b[2J") && shown.contains("status 0"), "{shown}");
    // What is too large for memory is held to the same.
    person
        .shell("(yes | head -c 5000000; printf \"\\033[2J\") | brine sign --single -o large.brine")
        .assert()
        .success();
    let shown = at_terminal(&person, "brine verify large.brine; echo status $?", "");
    assert!(
        shown.contains("will not write binary data")
            && shown.contains("status 2")
            && !shown.contains("y\ny"),
        "{shown}"
    );
    person.shell("yes | head -c 5000000 | brine sign --single -o large.brine").assert().success();
    let shown = at_terminal(&person, "brine verify large.brine", "");
    assert_eq!(shown.matches("y\n").count(), 2_500_000);
    let shown = at_terminal(&person, "brine verify in.brine", "");
    assert!(shown.contains('x') && shown.contains("brine: signed by default (20"), "{shown}");
}

#[test]
fn whoever_has_to_type_the_input_is_told_once() {
    let person = Person::with_key();
    person.shell("echo x | brine sign -d -o sig").assert().success();
    for verb in ["sign -a", "verify", "verify --lines", "inspect", "inspect --lines", "scan"] {
        let told = "brine: reading from the terminal; Ctrl-D ends the input\n";
        let shown = at_terminal(&person, &format!("brine {verb}"), "x\n\u{4}");
        assert_eq!(shown.matches(told).count(), 1, "{verb}: {shown}");
        let shown = at_terminal(&person, &format!("echo x | brine {verb}"), "");
        assert!(!shown.contains("Ctrl-D"), "{verb}: {shown}");
    }
    let shown = at_terminal(&person, "brine verify -q", "x\n\u{4}");
    assert!(!shown.contains("Ctrl-D") && shown.contains("not an envelope"), "{shown}");
}

#[test]
fn gen_asks_twice_and_sign_asks_once() {
    let person = Person::new();
    let shown = at_terminal(&person, "brinekey gen; echo status $?", "secret\nsecret\n");
    assert!(shown.contains("New passphrase for") && shown.contains("status 0"), "{shown}");
    assert!(!shown.contains("not encrypted"), "{shown}");
    person.write("in", "x");
    let shown = at_terminal(&person, "brine sign in -o out; echo status $?", "secret\n");
    assert!(shown.contains("Passphrase for") && shown.contains("status 0"), "{shown}");
}

#[test]
fn a_mistyped_passphrase_is_asked_for_again_twice() {
    let person = Person::new();
    at_terminal(&person, "brinekey gen", "secret\nsecret\n");
    person.write("in", "x");
    person.write("wrong", "wrong");
    let commands = [
        ("brine sign in -o out", "out"),
        ("brinekey export -o exported", "exported"),
        ("brinekey import other \"$BRINE_HOME/keys/default.key\"", ""),
        ("brinekey passwd --no-passphrase", ""),
    ];
    for (command, made) in commands {
        let line = format!("{command}; echo status $?");
        let shown = at_terminal(&person, &line, "wrong\nwrong\nwrong\nsecret\n");
        assert!(shown.contains("status 6") && shown.contains("passphrase is wrong"), "{shown}");
        assert_eq!(shown.matches("Passphrase for ").count(), 3, "{shown}");
        assert!(made.is_empty() || !person.path(made).exists(), "{command}");
        // A file says the same each time.
        let file = format!("{command} --passphrase-file wrong; echo status $?");
        let shown = at_terminal(&person, &file, "secret\n");
        assert!(shown.contains("status 6") && !shown.contains("Passphrase for"), "{shown}");
        let shown = at_terminal(&person, &line, "wrong\nwrong\nsecret\n");
        for said in [
            "that passphrase does not fit, try again (2 of 3)\nPassphrase for ",
            "(3 of 3)\n",
            "status 0",
        ] {
            assert!(shown.contains(said), "{command}: {shown}");
        }
    }
}

#[test]
fn an_empty_passphrase_is_said_aloud_and_two_different_ones_are_refused() {
    let person = Person::new();
    let shown = at_terminal(&person, "brinekey gen a; echo status $?", "\n");
    assert!(shown.contains("the key is not encrypted") && shown.contains("status 0"), "{shown}");
    let line = "brinekey gen b; echo status $?";
    let shown = at_terminal(&person, line, "one\ntwo\none\ntwo\none\ntwo\n");
    assert!(shown.contains("the two are not the same, try again (3 of 3)\n"), "{shown}");
    assert!(shown.contains("error: the two passphrases are not the same\n"), "{shown}");
    assert!(shown.contains("status 6"), "{shown}");
    assert!(!person.home_path("keys/b.key").exists());
    let shown = at_terminal(&person, line, "one\ntwo\none\none\n");
    assert!(shown.contains("try again (2 of 3)") && shown.contains("status 0"), "{shown}");
}

/// Two seconds and a half of input, of which a person sees the second half.
#[test]
fn progress_shows_after_a_second_to_a_person_and_to_nobody_else() {
    let person = Person::with_key();
    let slowly = "for i in 1 2 3 4 5; do head -c 1000000 /dev/zero; sleep 0.5; done";
    let shown = |before: &str, options: &str| {
        let line = format!(
            "({slowly}) | TERM=xterm {before} brine sign {options} > stream; echo status $?"
        );
        at_terminal(&person, &line, "")
    };
    let watched = shown("", "");
    assert!(watched.contains("MiB/s") && watched.contains("status 0"), "{watched}");
    for (before, options) in [("", "--quiet"), ("CI=true", ""), ("2> /dev/null", "")] {
        let shown = shown(before, options);
        assert!(!shown.contains("MiB") && shown.contains("status 0"), "{shown}");
    }
    let shown = at_terminal(&person, "brine verify -q stream > out", "");
    assert!(shown.is_empty(), "{shown}");
    // A regular file says how long it is.
    let line = "(cat stream; sleep 2) | brine verify > out; brine verify stream > out";
    let shown = at_terminal(&person, line, "");
    assert!(shown.contains("brine: signed by default") && !shown.contains("error"), "{shown}");
}

/// A file can have any name, and `*` makes it an option.
#[test]
fn what_was_typed_wrongly_does_not_act_on_the_terminal() {
    let person = Person::with_key();
    for line in ["brine verify -d --?[2Jb", "brine sign --context ?[2J", "brine verify --now ?[2J"]
    {
        let line = line.replace('?', "$(printf \"\\033\")");
        let shown = at_terminal(&person, &line, "");
        assert!(!shown.contains('\x1b') && shown.contains("error: "), "{line}: {shown:?}");
    }
}

#[test]
fn a_key_is_removed_when_its_name_is_typed() {
    let person = Person::with_key();
    let line = "brinekey remove default; echo status $?";
    let shown = at_terminal(&person, line, "yes\n");
    assert!(shown.contains("nothing can be signed with this key again"), "{shown}");
    assert!(
        shown.contains("error: the key \"default\" was kept: another name was typed"),
        "{shown}"
    );
    assert!(shown.contains("status 2") && person.home_path("keys/default.pub").exists(), "{shown}");
    let shown = at_terminal(&person, line, "default\n");
    assert!(shown.contains("Remove \"default\", SHA256:") && shown.contains("status 0"), "{shown}");
    assert!(!person.home_path("keys/default.key").exists(), "{shown}");
    assert!(!person.home_path("keys/default.pub").exists(), "{shown}");
}
