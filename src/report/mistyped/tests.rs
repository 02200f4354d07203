use clap::{Command, CommandFactory as _, Parser as _};

use super::tree::{has_option, path_of, programs, verbs_below};
use super::words::{SAID_OF_OPTIONS, SAID_OF_VERBS, SYNONYMS};
use super::*;
use crate::args::brine::Brine;
use crate::args::brinekey::BrineKey;

fn all_verbs() -> Vec<Command> {
    programs("brine").iter().flat_map(verbs_below).cloned().collect()
}

/// What stands between quotes in a hint.
fn quoted(hint: &str) -> Vec<String> {
    hint.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Asserts that a command that a hint shows is one.
fn assert_command(line: &str) {
    let words: Vec<_> = line.split(' ').collect();
    let error = match *words.first().unwrap() {
        "brine" => Brine::try_parse_from(&words).err(),
        "brinekey" => BrineKey::try_parse_from(&words).err(),
        _ => None,
    };
    if let Some(error) = error {
        let shows = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
        assert!(shows, "{line}: {error}");
    }
}

#[test]
fn hints_show_commands_that_there_are() {
    for (_, of, hint) in SAID_OF_VERBS {
        for program in
            ["brine", "brinekey"].into_iter().filter(|name| of.is_none_or(|of| of == *name))
        {
            quoted(&hint.replace("PROGRAM", program)).iter().for_each(|line| assert_command(line));
        }
    }
    let verbs = all_verbs();
    for (options, of, hint) in SAID_OF_OPTIONS {
        for line in quoted(&hint.replace("PROGRAM", "brine")) {
            let option = line.split(' ').next().unwrap();
            if !option.starts_with('-') {
                assert_command(&line);
                continue;
            }
            for path in of.unwrap_or(&["brine sign", "brine verify"]) {
                let verb = verbs.iter().find(|verb| path_of(verb) == *path).unwrap();
                assert!(has_option(verb, option), "{path} {option}: {hint}");
            }
        }
        assert!(!options.is_empty(), "{hint}");
    }
}

/// A verb or an option that there is needs no hint. What is said of it would never be seen.
#[test]
fn nothing_is_said_of_what_there_is() {
    let programs = programs("brine");
    for (words, of, _) in SAID_OF_VERBS {
        for program in
            programs.iter().filter(|program| of.is_none_or(|of| of == program.get_name()))
        {
            for word in words {
                assert!(program.find_subcommand(word).is_none(), "{} {word}", program.get_name());
            }
        }
        let verbs = all_verbs();
        let verb = of.and_then(|of| verbs.iter().find(|verb| path_of(verb) == of));
        let is_program = of.is_none_or(|of| programs.iter().any(|known| known.get_name() == of));
        assert!(is_program || verb.is_some(), "{of:?}");
        for word in words.iter() {
            let found = verb.and_then(|verb| verb.find_subcommand(word));
            assert!(found.is_none(), "{of:?} {word}");
        }
    }
    for (options, of, _) in SAID_OF_OPTIONS {
        let verbs = all_verbs();
        for verb in of
            .unwrap_or_default()
            .iter()
            .flat_map(|path| verbs.iter().find(|verb| path_of(verb) == *path))
        {
            for option in options {
                assert!(!has_option(verb, option), "{} {option}", path_of(verb));
            }
        }
    }
    for (words, verb) in SYNONYMS {
        assert!(all_verbs().iter().any(|known| known.get_name() == verb), "{verb}");
        assert!(!words.contains(&verb), "{verb}");
    }
}

#[test]
fn groups_and_positionals_are_called_as_they_are_typed() {
    let mut command = Brine::command();
    command.build();
    let verify = command.find_subcommand("verify").unwrap();
    for (shown, called) in [
        ("--now <WHEN>", "--now"),
        ("[FILE]...", "FILE"),
        ("<FILE>", "FILE"),
        ("something else", "something else"),
    ] {
        assert_eq!(argument_name(verify, shown), called);
    }
}

#[test]
fn long_values_are_cut_and_control_characters_escaped() {
    assert!(shown(&"x".repeat(5000)).len() < 300);
    assert_eq!(shown("short"), "\"short\"");
    let escaped = shown("\x1b[2J");
    assert!(!escaped.contains('\x1b') && escaped.contains("[2J"), "{escaped}");
}

#[test]
fn no_password_of_a_url_is_shown() {
    for (typed, expected) in [
        ("redis://u:s3cret@host:1?queue=a", "redis://…@host:1?queue=a"),
        ("amqp://alice:s3c/r@t?x@host/%2f", "amqp://…@host/%2f"),
        ("nats://s3cret@host?queue=a&token=s3cret&ca=f", "nats://…@host?queue=a&token=…&ca=f"),
        ("redis://host?queue=a&s3cret", "redis://host?queue=a&…"),
        ("redis://host", "redis://host"),
        ("sqlite:a@b?queue=a", "sqlite:a@b?queue=a"),
        ("a file", "a file"),
    ] {
        assert_eq!(shown(typed), brine_core::text::quoted(expected).to_string(), "{typed}");
    }
}
