//! What `brine completions` lists for the scripts of shells, and the scripts. tests/foreign runs these in real shells.

use brine_cli::args::brine::Brine;
use brine_cli::args::brinekey::BrineKey;
use clap::{Command, CommandFactory as _};

use crate::common::{Person, assert_mistyped, key, public_line};

/// Lists what completes the last of some words.
#[track_caller]
fn listed(person: &Person, program: &str, words: &[&str]) -> Vec<String> {
    let mut command = person.brine(["completions", "bash", program, "--"]);
    let output = command.args(words).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn person() -> Person {
    let person = Person::with_key();
    let key = public_line(&key(7));
    person.brinekey(["trust", "add", "alice", &key, "--context", "jobs/*"]).assert().success();
    person
}

#[test]
fn candidates_come_after_a_line_that_says_what_fits_besides() {
    let person = person();
    for (words, expected) in [
        (&["verify", "--signer", ""][..], &["words", "alice", "default"][..]),
        (&["verify", "--signer=a"], &["words", "--signer=alice", "--signer=default"]),
        (&["sign", "-k", ""], &["files\t", "default"]),
        (&["sign", "--context", ""], &["words", "jobs/"]),
        (&["verify", ""], &["files\t"]),
        (&["verify", "-ox"], &["files\t-o"]),
        (&["verify", "--max-age", ""], &["words"]),
        (&["run", "job", "--", ""], &["commands"]),
        (&["run", "job", "--", "sh", "--key", ""], &["files\t"]),
        (&["sign", "--nonsense", "x", "--", ""], &["files\t"]),
        (&["verify", "job", "--", ""], &["commands"]),
    ] {
        assert_eq!(listed(&person, "brine", words), expected, "{words:?}");
    }
    for verb in ["remove", "rename"] {
        assert_eq!(listed(&person, "brinekey", &[verb, ""]), ["words", "default"]);
    }
    let verbs = listed(&person, "brine", &[""]);
    assert!(
        verbs.contains(&"scan\tShow what a pickle would import, without loading it".to_owned())
    );
    let options = listed(&person, "brine", &["sign", "-"]);
    assert!(options.contains(&"--armor\tWrite text instead of binary".to_owned()), "{options:?}");
}

/// A file that cannot be read, or would never end, has no names: whoever types is neither disturbed nor kept waiting.
#[test]
fn trust_files_that_cannot_be_read_have_no_names_and_are_not_waited_for() {
    let person = Person::new();
    person.write("broken", "[[signer]]\nname = 1\n");
    person.shell("mkfifo pipe && mkdir directory").assert().success();
    for file in ["broken", "pipe", "directory", "nothing", "/dev/zero"] {
        let words = ["verify", "--trust", file, "--signer", ""];
        assert_eq!(listed(&person, "brine", &words), ["words"], "{file}");
    }
    assert_eq!(listed(&person, "brine", &["verify", "--signer", ""]), ["words"]);
    assert_eq!(listed(&person, "brine", &["sign", "--key", ""]), ["files\t"]);
    let nowhere = person.brine(["completions", "bash", "brine", "--", "sign", "-k", ""]);
    let output = { nowhere }.env_remove("BRINE_HOME").output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"files\t\n"[..]));
}

/// A name in a file of somebody else could be more than a name: an option, a pattern, a list.
#[test]
fn only_names_that_mean_their_signer_are_listed() {
    let person = Person::new();
    let (one, two) = (public_line(&key(7)), public_line(&key(8)));
    person.write("trust", format!("alice,*@example.org,bob {one}\n!carol,dave,* {two}\n"));
    let words = ["verify", "--trust", "trust", "--signer", ""];
    assert_eq!(listed(&person, "brine", &words), ["words", "alice", "bob", "dave"]);
    let entry = |name: &str, key: &str| format!("[[signer]]\nname = {name:?}\nkey = {key:?}\n");
    person.write("trust", entry("--help", &one) + &entry("two words", &two));
    assert_eq!(listed(&person, "brine", &words), ["words", "two words"]);
    let words = ["verify", "--trust", "trust", "-p", ""];
    assert_eq!(listed(&person, "brine", &words), ["files\t"]);
    // A name with a line end would be two candidates. The trust file is refused as a whole.
    person.write("trust", "[[signer]]\nname = \"a\\nb\"\nkey = \"");
    assert_eq!(listed(&person, "brine", &words), ["files\t"]);
}

/// Every option and argument that takes a key or a signer, also those to come, is completed with names.
#[test]
fn whatever_takes_a_key_or_a_signer_lists_them() {
    let person = person();
    let mut found = 0;
    for mut program in [Brine::command(), BrineKey::command()] {
        program.build();
        let name = program.get_name().to_owned();
        for_each_value(&program, &[], &mut |words, value| {
            let names = listed(&person, &name, words);
            let all = format!("{name} {words:?} {value}: {names:?}");
            match value {
                "KEY" | "OLD" => assert!(names.contains(&"default".to_owned()), "{all}"),
                "SIGNER" => assert!(names.contains(&"alice".to_owned()), "{all}"),
                "FILE" => assert!(names[0].starts_with("files"), "{all}"),
                _ => return,
            }
            found += 1;
        });
    }
    assert!(found > 30, "only {found}");
}

/// Calls a function with the words before each value of a program, with an empty word for it, and with its name.
fn for_each_value(command: &Command, verbs: &[&str], check: &mut impl FnMut(&[&str], &str)) {
    for argument in command.get_arguments().filter(|argument| argument.get_action().takes_values())
    {
        let Some([value, ..]) = argument.get_value_names() else { continue };
        let long = argument.get_long().map(|long| format!("--{long}"));
        let place = argument.get_index().map_or(0, |index| index - 1);
        let before = std::iter::repeat_n("x", place).chain(long.as_deref());
        let words: Vec<_> = verbs.iter().copied().chain(before).chain([""]).collect();
        check(&words, value);
    }
    for verb in command.get_subcommands() {
        for_each_value(verb, &[verbs, &[verb.get_name()]].concat(), check);
    }
}

#[test]
fn each_shell_has_a_script_for_each_program() {
    let person = Person::new();
    for shell in ["bash", "zsh", "fish"] {
        for program in ["brine", "brinekey"] {
            let output = person.brine(["completions", shell, program]).output().unwrap();
            let script = String::from_utf8(output.stdout).unwrap();
            let call = format!("command brine completions {shell} {program} -- ");
            assert!(output.status.success() && script.contains(&call), "{script}");
            assert!(!script.contains("eval") && !script.contains("PROGRAM"), "{script}");
        }
    }
    let output = person.brine(["completions", "csh"]).output().unwrap();
    assert_mistyped(&output, "SHELL cannot be \"csh\"");
}
