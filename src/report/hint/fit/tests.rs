//! Every hint against every verb.

use std::path::Path;
use std::{fs, io};

use clap::CommandFactory as _;

use super::*;
use crate::args::brine::Brine;
use crate::args::brinekey::BrineKey;

/// All verbs of both programs, and what they are called.
fn verbs() -> Vec<(String, Command)> {
    fn add(name: &str, command: &Command, found: &mut Vec<(String, Command)>) {
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            let name = format!("{name} {}", inner.get_name());
            found.push((name.clone(), inner.clone()));
            add(&name, inner, found);
        }
    }
    let mut found = Vec::new();
    for mut program in [Brine::command(), BrineKey::command()] {
        program.build();
        add(program.get_name(), &program, &mut found);
    }
    found
}

/// The texts in the source of the hints. A hint that is written elsewhere is not tested.
fn hints() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["src/report/hint.rs", "crates/sandbox/src/error.rs"].map(|name| root.join(name));
    let inner = fs::read_dir(root.join("src/report/hint")).unwrap();
    let inner = inner.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let outside = fs::read_dir(root.join("src/report")).unwrap();
    let outside = outside.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let of_functions = outside.flat_map(|path| hint_functions(&read(&path)));
    let whole = files.into_iter().chain(inner).map(|path| read(&path));
    let texts = whole.chain(of_functions).flat_map(|source| {
        let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
        literals(&code.collect::<Vec<_>>().join("\n"))
    });
    let found: Vec<_> = texts.filter(|text| text.contains(' ')).collect();
    assert!(found.len() > 80, "only {} hints were found", found.len());
    found
}

fn read(path: &Path) -> String {
    io::read_to_string(fs::File::open(path).unwrap()).unwrap()
}

/// Returns the functions of a file whose name says that they give a hint, each to its last line.
fn hint_functions(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if !line.trim_start().starts_with("//") && line.contains("fn hint") {
            let indent = line.len() - line.trim_start().len();
            let end = format!("{}}}", " ".repeat(indent));
            found.push(
                lines.by_ref().take_while(|line| *line != end).collect::<Vec<_>>().join("\n"),
            );
        }
    }
    found
}

/// Reads the string literals of Rust source.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut characters = source.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\'' if characters.peek() == Some(&'"') => {
                characters.next();
            }
            '"' => {
                let mut text = String::new();
                while let Some(character) = characters.next().filter(|c| *c != '"') {
                    match character {
                        '\\' => match characters.next() {
                            Some('\n') => {
                                while characters.next_if(|c| c.is_whitespace()).is_some() {}
                            }
                            Some('t') => text.push('\t'),
                            Some(other) => text.push(other),
                            None => {}
                        },
                        other => text.push(other),
                    }
                }
                found.push(text);
            }
            _ => {}
        }
    }
    found
}

#[test]
fn commands_that_hints_name_can_be_typed() {
    let verbs = verbs();
    let mut commands = 0;
    for hint in hints() {
        for (place, text) in hint.split('"').enumerate() {
            let pieces = text.split("&&").flat_map(|piece| piece.split('|'));
            for words in pieces.map(|piece| piece.split_ascii_whitespace().collect::<Vec<_>>()) {
                let from = words.iter().position(|word| matches!(*word, "brine" | "brinekey"));
                let Some(words) = from.and_then(|from| words.get(from..)) else { continue };
                // The longest name of a verb that it begins with: `brinekey trust add`, and not `brinekey trust`.
                let found = verbs.iter().filter(|(name, _)| words.starts_with(&split(name)));
                let found = found.max_by_key(|(name, _)| name.len());
                // Outside of quotes it may be a word of a sentence.
                assert!(
                    found.is_some() || place % 2 == 0,
                    "no verb is meant by {text:?} in {hint:?}"
                );
                let Some((_, verb)) = found else { continue };
                commands += 1;
                let before_command = words.iter().take_while(|word| **word != "--");
                for option in before_command.filter_map(|word| option_in(word)) {
                    assert!(has(verb, option), "{option:?} in {hint:?}");
                }
            }
        }
    }
    assert!(commands > 20, "only {commands} commands were found");
}

fn split(name: &str) -> Vec<&str> {
    name.split(' ').collect()
}

/// The programs, and not this test, know what options there are: `get_matches` refuses one that is unknown.
fn takes(verb: &Command, option: &str) -> bool {
    let parsed = verb.clone().try_get_matches_from(["verb", option]);
    parsed.map_or_else(|error| error.kind() != clap::error::ErrorKind::UnknownArgument, |_| true)
}

#[test]
fn every_option_in_a_hint_is_one_of_the_verb_that_failed() {
    let verbs = verbs();
    for hint in hints() {
        for (name, verb) in &verbs {
            let said = fit(&hint, verb).unwrap_or_default();
            for part in parts(&said) {
                for (place, text) in part.split('"').enumerate() {
                    let words = text.split_ascii_whitespace();
                    let outside = words.take_while(|word| !is_program(word));
                    let outside = outside.filter(|_| place % 2 == 0 || text.starts_with('-'));
                    for option in outside.filter_map(option_in) {
                        assert!(takes(verb, option), "{name} has no {option}, of {said:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn every_part_of_a_hint_is_said_somewhere() {
    let verbs = verbs();
    for hint in hints() {
        for part in parts(&hint) {
            let is_said = verbs.iter().any(|(_, verb)| fit(&part, verb).is_some());
            assert!(is_said, "no verb has what {part:?} names");
        }
    }
}

#[test]
fn parts_of_which_the_verb_has_no_option_are_left_out() {
    let verbs = verbs();
    let fit_to = |name: &str, hint: &str| {
        fit(hint, &verbs.iter().find(|(found, _)| found == name).unwrap().1)
    };
    let hint = "\"brinekey gen\" makes one; \"-k FILE\" takes a key file";
    assert_eq!(fit_to("brine sign", hint).as_deref(), Some(hint));
    assert_eq!(fit_to("brine verify", hint).as_deref(), Some("\"brinekey gen\" makes one"));
    assert_eq!(fit_to("brine scan", "give --lines"), None);
    assert_eq!(fit_to("brine verify", "give --lines").as_deref(), Some("give --lines"));
    let shell = "\"sed -n 's/^> //; /^--/p' -i\" takes it out; (--lines) too";
    assert_eq!(fit_to("brine scan", shell).unwrap(), shell.split("; (").next().unwrap());
}
