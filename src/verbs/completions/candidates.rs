//! What fits at a place of a command line.

use std::collections::BTreeSet;
use std::fmt;

use clap::builder::StyledStr;
use clap::{Arg, Command, ValueHint};

use super::command_place::{CommandPlace, Part};
use super::known_names;

/// The words that fit at a place. The shell leaves out those that begin otherwise than what was typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidates {
    besides: Besides,
    words: Vec<Candidate>,
}

/// What fits besides, which the shell itself knows best.
#[derive(Clone, Debug, Default)]
enum Besides {
    Commands,
    /// Files, after the beginning of the word that is not part of their names.
    Files(String),
    #[default]
    Nothing,
}

#[derive(Clone, Debug)]
struct Candidate {
    word: String,
    about: Option<String>,
}

impl Candidates {
    pub(super) fn at(place: CommandPlace<'_>) -> Self {
        match &place.part {
            Part::Foreign { is_name: true } => Self::besides(Besides::Commands),
            Part::Foreign { is_name: false } => Self::besides(Besides::Files(String::new())),
            Part::Option(verb) => Self::words(options(verb)),
            Part::Value(verb, arg) => Self::values(verb, arg, &place),
            Part::Verb(command) => Self::words(verbs(command)),
        }
    }

    fn values(verb: &Command, arg: &Arg, place: &CommandPlace<'_>) -> Self {
        let trust = place.trust.as_deref();
        let (mut words, takes_files) = match meaning(verb, arg) {
            Meaning::Contexts => (named(known_names::contexts(trust)), false),
            Meaning::Globs => (named(known_names::globs(trust)), false),
            Meaning::Keys => (named(known_names::keys()), true),
            Meaning::KeysAndSigners => {
                let mut names = known_names::keys();
                names.append(&mut known_names::signers_like_keys(trust));
                (named(names), true)
            }
            Meaning::Other => (choices(arg), arg.get_value_hint() == ValueHint::AnyPath),
            Meaning::Signers => (named(known_names::signers(trust)), false),
            Meaning::StoredKeys => (named(known_names::keys()), false),
        };
        for candidate in &mut words {
            candidate.word.insert_str(0, &place.head);
        }
        let besides =
            if takes_files { Besides::Files(place.head.clone()) } else { Besides::Nothing };
        Self { besides, words }
    }

    fn words(words: Vec<Candidate>) -> Self {
        Self { words, ..Self::default() }
    }

    fn besides(besides: Besides) -> Self {
        Self { besides, ..Self::default() }
    }
}

impl Candidate {
    fn new(word: impl Into<String>, about: Option<&StyledStr>) -> Self {
        let first_line = |text: &StyledStr| text.to_string().lines().next().map(str::to_owned);
        Self { word: word.into(), about: about.and_then(first_line) }
    }
}

impl fmt::Display for Candidates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.besides {
            Besides::Commands => writeln!(f, "commands")?,
            Besides::Files(head) => writeln!(f, "files\t{head}")?,
            Besides::Nothing => writeln!(f, "words")?,
        }
        for candidate in &self.words {
            match &candidate.about {
                Some(about) => writeln!(f, "{}\t{about}", candidate.word)?,
                None => writeln!(f, "{}", candidate.word)?,
            }
        }
        Ok(())
    }
}

/// What a value stands for.
enum Meaning {
    Contexts,
    Globs,
    Keys,
    KeysAndSigners,
    Other,
    Signers,
    /// Keys of the key store that are renamed or removed: no files.
    StoredKeys,
}

fn meaning(verb: &Command, arg: &Arg) -> Meaning {
    let value_name = arg.get_value_names().and_then(|names| names.first());
    match (arg.get_id().as_str(), value_name.map_or("", |name| name.as_str())) {
        ("context", _) => Meaning::Contexts,
        ("contexts", _) => Meaning::Globs,
        ("signer" | "signers", _) => Meaning::Signers,
        ("issuer", _) => Meaning::Keys,
        ("public_keys", _) => Meaning::KeysAndSigners,
        ("old", _) => Meaning::StoredKeys,
        ("name", _) if verb.get_name() == "remove" => Meaning::StoredKeys,
        (_, "KEY") if ["check", "show"].contains(&verb.get_name()) => Meaning::KeysAndSigners,
        (_, "KEY") => Meaning::Keys,
        _ => Meaning::Other,
    }
}

fn named(names: BTreeSet<String>) -> Vec<Candidate> {
    names.into_iter().map(|word| Candidate { word, about: None }).collect()
}

/// Returns the values that an argument can have, if these are few.
fn choices(arg: &Arg) -> Vec<Candidate> {
    let choices = arg.get_possible_values();
    let shown = choices.iter().filter(|choice| !choice.is_hide_set());
    shown.map(|choice| Candidate::new(choice.get_name(), choice.get_help())).collect()
}

fn options(verb: &Command) -> Vec<Candidate> {
    let shown = verb.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_positional());
    let shown = shown.flat_map(|arg| {
        let long = arg.get_long().map(|name| format!("--{name}"));
        let short = arg.get_short().map(|letter| format!("-{letter}"));
        long.into_iter().chain(short).map(|word| Candidate::new(word, arg.get_help()))
    });
    shown.collect()
}

fn verbs(command: &Command) -> Vec<Candidate> {
    let shown = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    shown.map(|verb| Candidate::new(verb.get_name(), verb.get_about())).collect()
}
