//! The help of every verb.

use brine_cli::args::brine::Brine;
use brine_cli::args::brinekey::BrineKey;
use clap::{Arg, Command, CommandFactory as _};

use crate::common::Person;

/// Both programs and all their verbs.
fn commands() -> Vec<Command> {
    fn with_verbs(command: &Command, found: &mut Vec<Command>) {
        found.push(command.clone());
        let verbs = command.get_subcommands().filter(|verb| verb.get_name() != "help");
        verbs.for_each(|verb| with_verbs(verb, found));
    }
    let mut found = Vec::new();
    for mut program in [Brine::command(), BrineKey::command()] {
        program.build();
        with_verbs(&program, &mut found);
    }
    assert!(found.len() > 25, "{}", found.len());
    found
}

fn path_of(command: &Command) -> &str {
    command.get_bin_name().unwrap_or(command.get_name())
}

fn help(person: &Person, command: &Command, option: &str) -> String {
    let output = person.shell(&format!("{} {option}", path_of(command))).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A screen has 80 columns, and 40 lines if it is not small.
#[test]
fn the_short_help_of_every_verb_fits_a_screen_and_shows_examples() {
    let person = Person::new();
    for command in commands() {
        let shown = help(&person, &command, "-h");
        let path = path_of(&command);
        assert!(shown.lines().count() <= 40, "{path}: {} lines\n{shown}", shown.lines().count());
        for line in shown.lines() {
            assert!(line.chars().count() <= 80, "{path}: {line}");
        }
    }
}

/// An example that was wrapped could not be copied.
#[test]
fn no_help_wraps_an_example() {
    let person = Person::new();
    for command in commands() {
        for option in ["-h", "--help"] {
            let (path, shown) = (path_of(&command), help(&person, &command, option));
            let (_, examples) =
                shown.split_once("\nExamples:\n").unwrap_or_else(|| panic!("{path}: {shown}"));
            let long = command.get_after_long_help().unwrap().to_string();
            for line in examples.lines().filter(|line| line.starts_with("    ")) {
                assert!(long.lines().any(|whole| whole == line), "{path}: {line:?} was wrapped");
            }
            assert!(examples.contains("    $ "), "{path}: {examples}");
        }
    }
}

#[test]
fn the_long_help_shows_every_option_and_the_short_one_those_that_people_use() {
    let person = Person::new();
    for command in commands() {
        let (short, long) = (help(&person, &command, "-h"), help(&person, &command, "--help"));
        let options: Vec<&Arg> =
            command.get_arguments().filter(|arg| arg.get_long().is_some()).collect();
        let is_shown = |text: &str, option: &Arg| {
            let long = format!("--{}", option.get_long().unwrap());
            text.lines().any(|line| {
                line.trim_start().starts_with('-')
                    && line.split([' ', ',', '[']).any(|word| word == long)
            })
        };
        let missing: Vec<_> = options.iter().filter(|option| !is_shown(&long, option)).collect();
        assert!(missing.is_empty(), "{}: {missing:?}", path_of(&command));
        let common = options.iter().filter(|option| is_shown(&short, option)).count();
        assert!((1..=11).contains(&common), "{}: {common} options\n{short}", path_of(&command));
    }
}

#[test]
fn the_long_help_groups_what_is_seldom_used() {
    let person = Person::new();
    for (line, headings) in [
        (
            "brine sign --help",
            &["Time", "Output", "Streams", "Expert", "Passphrase", "Jobs", "Records"][..],
        ),
        ("brine verify --help", &["Trust", "Time", "Output", "Streams", "Expert", "Records"]),
        ("brine run --help", &["Trust", "Time", "Output", "Expert"]),
    ] {
        let output = person.shell(line).output().unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        for heading in headings {
            assert!(shown.contains(&format!("\n{heading}:\n")), "{line}: {heading}");
        }
    }
}
